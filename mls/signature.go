package mls

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
)

// A scheme is a signature algorithm.
type scheme interface {
	// publicKey encodes a signer's key; false if it is of another algorithm.
	publicKey(crypto.PublicKey) ([]byte, bool)
	sign(signer crypto.Signer, message []byte) ([]byte, error)
	verify(key, message, signature []byte) bool
}

type ed25519Scheme struct{}

func (ed25519Scheme) publicKey(key crypto.PublicKey) ([]byte, bool) {
	pub, ok := key.(ed25519.PublicKey)
	return bytes.Clone(pub), ok && len(pub) == ed25519.PublicKeySize
}

func (ed25519Scheme) sign(signer crypto.Signer, message []byte) ([]byte, error) {
	return signer.Sign(rand.Reader, message, crypto.Hash(0))
}

func (ed25519Scheme) verify(key, message, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature)
}

// signerKey returns the signer's public key as it stands in leaves.
func (s *suite) signerKey(signer crypto.Signer) ([]byte, error) {
	if signer == nil {
		return nil, ErrConfig
	}
	key, ok := s.scheme.publicKey(signer.Public())
	if !ok {
		return nil, ErrSigner
	}
	return key, nil
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
	return s.scheme.sign(signer, message)
}

// verify is VerifyWithLabel of RFC 9420, Section 5.1.2.
func (s *suite) verify(key []byte, label string, content, signature []byte) bool {
	return s.verifyMessage(key, signContent(label, content), signature)
}

// verifyMessage verifies the signature of a SignContent.
func (s *suite) verifyMessage(key, message, signature []byte) bool {
	return s.scheme.verify(key, message, signature)
}
