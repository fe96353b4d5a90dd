package ident

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
)

// Invite is a code that lets somebody register: 128 random bits. It prints as
// "secret"; Secret gives the text to hand over.
type Invite struct {
	hidden
	code held[[idSize]byte]
}

// InviteHash is what the server keeps of an invite. A plain hash is enough: 128
// random bits cannot be guessed from it.
type InviteHash [sha256.Size]byte

// NewInvite reads 16 bytes of rand.
func NewInvite(rand io.Reader) (Invite, error) {
	code := new([idSize]byte)
	if _, err := io.ReadFull(rand, code[:]); err != nil {
		return Invite{}, fmt.Errorf("ident: making invite: %w", err)
	}
	return Invite{code: hold(code)}, nil
}

// ParseInvite reads the text that Secret gives, strictly.
func ParseInvite(s string) (Invite, error) {
	code := new([idSize]byte)
	if err := parseText("invite code", s, code[:]); err != nil {
		return Invite{}, err
	}
	return Invite{code: hold(code)}, nil
}

// Secret gives the code: 26 characters of lower-case base32.
func (i Invite) Secret() string { return text.EncodeToString(i.code()[:]) }

// HashInvite gives what the server stores, and looks up by.
func HashInvite(i Invite) InviteHash {
	h := sha256.New()
	h.Write([]byte(labelInvite))
	h.Write(i.code()[:])
	return InviteHash(h.Sum(nil))
}

// InviteHashFromBytes reads the 32 bytes that Bytes gives.
func InviteHashFromBytes(b []byte) (InviteHash, error) {
	if len(b) != len(InviteHash{}) {
		return InviteHash{}, fmt.Errorf("ident: invite hash must have %d bytes, not %d", len(InviteHash{}), len(b))
	}
	return InviteHash(b), nil
}

// Bytes gives a copy of the 32 bytes.
func (h InviteHash) Bytes() []byte { return append([]byte(nil), h[:]...) }

// Equal compares in constant time.
func (h InviteHash) Equal(other InviteHash) bool {
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}
