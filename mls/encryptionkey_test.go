package mls

import (
	"bytes"
	"crypto/ecdh"
	"errors"
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

// TestKeysThatDoNotParse offers keys of the right length: points that are on no curve, and ML-KEM keys with numbers that are too large.
func TestKeysThatDoNotParse(t *testing.T) {
	tried := 0
	for _, s := range suites {
		if s.kem.ID() == 0x0020 {
			continue // every 32 bytes are a key of X25519
		}
		tried++
		wrong := bytes.Repeat([]byte{0xff}, keySizes[s.kem.ID()])
		_, err := s.publicKey(wrong)
		isBroken(t, "a key of ones", err, "an encryption key is not one of the cipher suite", nil)
		if _, ok := s.scheme.(ecdsaScheme); !ok {
			continue
		}
		key, err := s.generateKey()
		if err != nil {
			t.Fatal(err)
		}
		public, err := key.public(s)
		if err != nil {
			t.Fatal(err)
		}
		public[len(public)-1] ^= 1
		_, err = s.publicKey(public)
		isBroken(t, "a point beside the curve", err, "an encryption key is not one of the cipher suite", nil)
	}
	if tried != 8 {
		t.Errorf("%d suites tried, want 8", tried)
	}
	for _, secret := range []Secret{nil, random(31), random(33)} {
		if _, err := (&privateKey{secret: secret}).hpkeKey(suites[0]); !errors.Is(err, ErrMalformed) {
			t.Errorf("a private key of %d bytes: %v", len(secret), err)
		}
	}
}

// TestSealToSmallOrder checks that what got past the table would still be an error, and not a ciphertext that anybody opens.
func TestSealToSmallOrder(t *testing.T) {
	s := suites[0]
	key, err := s.kem.NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.encrypt(key, "label", nil, []byte("secret"))
	isBroken(t, "sealing to zero", err, "an encryption key cannot be used", nil)
}
