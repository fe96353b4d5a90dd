package mls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// CipherSuite is a set of algorithms (RFC 9420, Section 5.1).
type CipherSuite uint16

// The suites of RFC 9420. Those of draft-ietf-mls-pq-ciphersuites stand with the other numbers that are not IANA's.
const (
	MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519        CipherSuite = 1
	MLS_128_DHKEMP256_AES128GCM_SHA256_P256             CipherSuite = 2
	MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519 CipherSuite = 3
	MLS_256_DHKEMP521_AES256GCM_SHA512_P521             CipherSuite = 5
	MLS_256_DHKEMP384_AES256GCM_SHA384_P384             CipherSuite = 7
)

// DefaultSuite is the one to take without a reason for another: secrets of today stay secret from a quantum computer.
const DefaultSuite = MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519

// A suite is the algorithms behind a CipherSuite.
type suite struct {
	id   CipherSuite
	kem  hpke.KEM
	kdf  hpke.KDF
	aead hpke.AEAD
	// hash is that of transcripts, references and MACs, and the one in the KDF of the key schedule: HKDF in all suites, those with
	// ML-KEM included.
	hash func() hash.Hash
	// nh and nk are the lengths of a hash and of an AEAD key. Nonces are 12 bytes in every suite.
	nh, nk  int
	newAEAD func(key []byte) (cipher.AEAD, error)
	scheme  scheme
}

// maxKey is the length of the suites' longest AEAD keys, and nonceSize that of the nonces of all.
const maxKey, nonceSize = 32, 12

// ed25519Suites are the suites that no build leaves out. Suite 1 is the one that everybody must have.
var ed25519Suites = []*suite{
	{1, hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.AES128GCM(), sha256.New, 32, 16, newGCM, ed25519Scheme{}},
	{3, hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), sha256.New, 32, 32, chacha20poly1305.New, ed25519Scheme{}},
	{MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519, hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES128GCM(), sha256.New, 32, 16, newGCM, ed25519Scheme{}},
	{MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519, hpke.MLKEM768X25519(), hpke.HKDFSHA384(), hpke.AES256GCM(), sha512.New384, 48, 32, newGCM, ed25519Scheme{}},
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Supported tells whether the package knows the suite.
func (c CipherSuite) Supported() bool {
	_, err := c.suite()
	return err == nil
}

func (c CipherSuite) suite() (*suite, error) {
	for _, s := range suites {
		if s.id == c {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: cipher suite %#04x", ErrUnsupported, uint16(c))
}

// supportedSuites lists all suites, for capabilities.
func supportedSuites() []CipherSuite {
	ids := make([]CipherSuite, len(suites))
	for i, s := range suites {
		ids[i] = s.id
	}
	return ids
}
