package ident

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
)

// ErrRecord says that a record did not open: damaged, or not the one that was
// stored under this key.
var ErrRecord = errors.New("ident: stored record does not open")

// RecordOverhead is how many bytes longer a sealed record is than its value.
const RecordOverhead = nonceSize + tagSize

// StoreKey seals the records of a client's store at rest. 32 bytes, safe from any
// goroutine; prints as "secret".
type StoreKey struct {
	hidden
	key held[storeKey]
}

// storeKey is always held: see hidden.
type storeKey struct {
	bytes [32]byte
	aead  cipher.AEAD
}

// NewStoreKey reads 32 bytes of rand.
func NewStoreKey(rand io.Reader) (StoreKey, error) {
	var b [32]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return StoreKey{}, fmt.Errorf("ident: making store key: %w", err)
	}
	return StoreKeyFromSecret(b[:])
}

// StoreKeyFromSecret reads the 32 bytes that Secret gave.
func StoreKeyFromSecret(b []byte) (StoreKey, error) {
	if len(b) != 32 {
		return StoreKey{}, fmt.Errorf("ident: store key must have 32 bytes, not %d", len(b))
	}
	k := &storeKey{bytes: [32]byte(b)}
	k.aead = newAEAD(&k.bytes)
	return StoreKey{key: hold(k)}, nil
}

// Secret gives the 32 bytes, for the keychain or file that keeps them.
func (k StoreKey) Secret() []byte { return append([]byte(nil), k.key().bytes[:]...) }

// SealRecord seals the value of the record that is stored under recordKey, with
// AES-256-GCM, a random nonce of 12 bytes read from rand, and recordKey as
// associated data, so that records cannot change places. It does not hide a
// record's size or age: an older value of the same record opens as well.
//
// Random nonces of 96 bits meet with a chance of 2^-33 in 2^32 records: that many
// writes are the bound for one key (NIST SP 800-38D, Section 8.3), 136 years at
// one a second.
func SealRecord(rand io.Reader, key StoreKey, recordKey, value []byte) ([]byte, error) {
	return sealWith(key.key().aead, rand, value, recordLabel(recordKey))
}

// OpenRecord opens what SealRecord gave for the same recordKey. The error is
// ErrRecord.
func OpenRecord(key StoreKey, recordKey, sealed []byte) ([]byte, error) {
	value, err := openWith(key.key().aead, sealed, recordLabel(recordKey))
	if err != nil {
		return nil, ErrRecord
	}
	return value, nil
}

func recordLabel(recordKey []byte) []byte { return append([]byte(labelRecord), recordKey...) }

func sealWith(aead cipher.AEAD, rand io.Reader, plaintext, associated []byte) ([]byte, error) {
	b := make([]byte, nonceSize, nonceSize+len(plaintext)+tagSize)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("ident: making nonce: %w", err)
	}
	return aead.Seal(b, b, plaintext, associated), nil
}

func openWith(aead cipher.AEAD, sealed, associated []byte) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, errShort
	}
	return aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], associated)
}
