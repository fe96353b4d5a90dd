//go:build !mls_ed25519

package mls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"hash"
)

// An ecdsaScheme is ECDSA over curve, of the hash that new makes.
type ecdsaScheme struct {
	curve elliptic.Curve
	hash  crypto.Hash
	new   func() hash.Hash
}

func (s ecdsaScheme) publicKey(key crypto.PublicKey) ([]byte, bool) {
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || pub == nil || pub.Curve != s.curve {
		return nil, false
	}
	b, err := pub.Bytes()
	return b, err == nil
}

func (s ecdsaScheme) digest(message []byte) []byte {
	h := s.new()
	h.Write(message)
	return h.Sum(nil)
}

func (s ecdsaScheme) sign(signer crypto.Signer, message []byte) ([]byte, error) {
	return signer.Sign(rand.Reader, s.digest(message), s.hash)
}

func (s ecdsaScheme) verify(key, message, signature []byte) bool {
	pub, err := ecdsa.ParseUncompressedPublicKey(s.curve, key)
	return err == nil && ecdsa.VerifyASN1(pub, s.digest(message), signature)
}
