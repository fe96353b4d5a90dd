package ident

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 value: the head of a chain or of a log, or the hash of a
// payload. Comparable with ==; none of them is secret.
type Hash [sha256.Size]byte

// HashFromBytes reads the 32 bytes that Bytes gives.
func HashFromBytes(b []byte) (Hash, error) {
	if len(b) != len(Hash{}) {
		return Hash{}, fmt.Errorf("ident: hash must have %d bytes, not %d", len(Hash{}), len(b))
	}
	return Hash(b), nil
}

// String gives 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Bytes gives a copy of the 32 bytes.
func (h Hash) Bytes() []byte { return append([]byte(nil), h[:]...) }

// IsZero reports whether the hash was never set.
func (h Hash) IsZero() bool { return h == Hash{} }
