package mls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"hash"
)

// A scheme is a signature algorithm: ECDSA over curve, or Ed25519 where curve is nil.
type scheme struct {
	curve elliptic.Curve
	hash  crypto.Hash
	new   func() hash.Hash
}

// signerKey returns the signer's public key as it stands in leaves.
func (s *suite) signerKey(signer crypto.Signer) ([]byte, error) {
	if signer == nil {
		return nil, ErrConfig
	}
	switch pub := signer.Public().(type) {
	case ed25519.PublicKey:
		if s.scheme.curve == nil && len(pub) == ed25519.PublicKeySize {
			return bytes.Clone(pub), nil
		}
	case *ecdsa.PublicKey:
		if pub != nil && s.scheme.curve != nil && pub.Curve == s.scheme.curve {
			return pub.Bytes()
		}
	}
	return nil, ErrSigner
}

// signContent is SignContent of RFC 9420, Section 5.1.2.
func signContent(label string, content []byte) []byte {
	w := writer{make([]byte, 0, 1+len(labelPrefix)+len(label)+4+len(content))}
	w.label(label)
	w.opaque(content)
	return w.b
}

// sign is SignWithLabel of RFC 9420, Section 5.1.2.
func (s *suite) sign(signer crypto.Signer, label string, content []byte) ([]byte, error) {
	return s.signMessage(signer, signContent(label, content))
}

// signMessage signs a SignContent.
func (s *suite) signMessage(signer crypto.Signer, message []byte) ([]byte, error) {
	if s.scheme.curve == nil {
		return signer.Sign(rand.Reader, message, crypto.Hash(0))
	}
	h := s.scheme.new()
	h.Write(message)
	return signer.Sign(rand.Reader, h.Sum(nil), s.scheme.hash)
}

// verify is VerifyWithLabel of RFC 9420, Section 5.1.2.
func (s *suite) verify(key []byte, label string, content, signature []byte) bool {
	return s.verifyMessage(key, signContent(label, content), signature)
}

// verifyMessage verifies the signature of a SignContent.
func (s *suite) verifyMessage(key, message, signature []byte) bool {
	if s.scheme.curve == nil {
		return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature)
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(s.scheme.curve, key)
	if err != nil {
		return false
	}
	h := s.scheme.new()
	h.Write(message)
	return ecdsa.VerifyASN1(pub, h.Sum(nil), signature)
}
