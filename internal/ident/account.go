package ident

import (
	"crypto/sha256"
	"io"
	"time"
)

// AccountID names an account for ever: the first 16 bytes of
//
//	SHA-256("snug account v1" ‖ identity public key ‖ account salt)
//
// with a random salt of 16 bytes. Both are in the chain's genesis, so an id
// certifies itself: whoever wants to show a genesis of their own for somebody
// else's id must find a second preimage, at 2^128 tries. (Somebody who makes
// two keys of their *own* with one id needs 2^64 tries and wins nothing: both
// are theirs.)
//
// The handle is only a claim on an account. Authorization compares ids, and
// only for equality.
type AccountID [idSize]byte

// NewAccount makes an account: its identity key, and a chain of one statement,
// the genesis, which claims the handle. rand gives 48 bytes; now is recorded in
// seconds, for people to read.
func NewAccount(rand io.Reader, handle Handle, now time.Time) (IdentityKey, *Chain, error) {
	key, err := NewIdentityKey(rand)
	if err != nil {
		return IdentityKey{}, nil, err
	}
	salt, err := randomID[[idSize]byte]("account salt", rand)
	if err != nil {
		return IdentityKey{}, nil, err
	}
	chain := &Chain{account: accountID(key.Public(), salt)}
	genesis := Genesis{Key: key.Public(), Salt: salt, Handle: handle}
	if err := chain.append(key, genesis, now); err != nil {
		return IdentityKey{}, nil, err
	}
	return key, chain, nil
}

func accountID(key PublicKey, salt [idSize]byte) AccountID {
	h := sha256.New()
	h.Write([]byte(labelAccount))
	h.Write(key[:])
	h.Write(salt[:])
	return AccountID(h.Sum(nil)[:idSize])
}

// ParseAccountID reads the text form, strictly: exactly what String gives.
func ParseAccountID(s string) (AccountID, error) { return parseID[AccountID]("account id", s) }

// AccountIDFromBytes reads the 16 bytes that Bytes gives.
func AccountIDFromBytes(b []byte) (AccountID, error) { return idFromBytes[AccountID]("account id", b) }

// String gives the text form: 26 characters of lower-case base32.
func (id AccountID) String() string { return text.EncodeToString(id[:]) }

// Bytes gives a copy of the 16 bytes.
func (id AccountID) Bytes() []byte { return append([]byte(nil), id[:]...) }

// IsZero reports whether the id was never set; no real id is zero.
func (id AccountID) IsZero() bool { return id == AccountID{} }

// MarshalText gives the text form.
func (id AccountID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form, as strictly as ParseAccountID.
func (id *AccountID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseAccountID(string(b))
	return err
}
