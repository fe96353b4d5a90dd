package mls

import (
	"crypto/ecdh"
	"testing"
)

// TestKeySizes compares the table with keys of every suite.
func TestKeySizes(t *testing.T) {
	for _, s := range suites {
		key, err := s.generateKey()
		if err != nil {
			t.Fatal(err)
		}
		public, err := key.public(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.publicKey(public); err != nil {
			t.Errorf("suite %#x: %v", uint16(s.id), err)
		}
		for _, wrong := range [][]byte{nil, public[1:], append(public, 0)} {
			isBroken(t, "a key of another length", s.checkKey(wrong), "an encryption key is not one of the cipher suite", nil)
		}
	}
}

// TestSmallOrder checks that the points of the table are those with which no key can be agreed, and that no suite with
// X25519 takes them, whatever their highest bit.
func TestSmallOrder(t *testing.T) {
	own, err := ecdh.X25519().GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(smallOrder) != 7 {
		t.Errorf("%d points, want 7", len(smallOrder))
	}
	for point := range smallOrder {
		for _, high := range []byte{0, 0x80} {
			b := point
			b[31] |= high
			their, err := ecdh.X25519().NewPublicKey(b[:])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := own.ECDH(their); err == nil {
				t.Errorf("a key can be agreed with %x", b)
			}
			for _, id := range []CipherSuite{1, 3, 0xF001, 0xF002} {
				s, err := id.suite()
				if err != nil {
					t.Fatal(err)
				}
				key, err := s.generateKey()
				if err != nil {
					t.Fatal(err)
				}
				public, err := key.public(s)
				if err != nil {
					t.Fatal(err)
				}
				copy(public[len(public)-32:], b[:])
				_, err = s.publicKey(public)
				isBroken(t, "a point of small order", err, "an encryption key cannot be used", nil)
			}
		}
	}
}
