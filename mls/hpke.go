package mls

import (
	"crypto/hpke"
	"sync/atomic"
)

// An hpkeCiphertext is HPKECiphertext of RFC 9420, Section 7.6.
type hpkeCiphertext struct{ kemOutput, ciphertext []byte }

func (c *hpkeCiphertext) encode(w *writer) {
	w.opaque(c.kemOutput)
	w.opaque(c.ciphertext)
}

func decodeHPKECiphertext(r *reader) hpkeCiphertext {
	return hpkeCiphertext{r.opaque(), r.opaque()}
}

// encryptContext is EncryptContext of RFC 9420, Section 5.1.3.
func encryptContext(label string, context []byte) []byte {
	w := writer{make([]byte, 0, 1+len(labelPrefix)+len(label)+4+len(context))}
	w.label(label)
	w.opaque(context)
	return w.b
}

// encrypt is EncryptWithLabel of RFC 9420, Section 5.1.3.
func (s *suite) encrypt(key hpke.PublicKey, label string, context, plaintext []byte) (hpkeCiphertext, error) {
	return s.encryptIn(key, encryptContext(label, context), plaintext)
}

// encryptIn is encrypt with the EncryptContext at hand.
func (s *suite) encryptIn(key hpke.PublicKey, info, plaintext []byte) (hpkeCiphertext, error) {
	enc, sender, err := hpke.NewSender(key, s.kdf, s.aead, info)
	if err != nil {
		return hpkeCiphertext{}, invalid("7.3", "an encryption key cannot be used")
	}
	ct, err := sender.Seal(nil, plaintext)
	if err != nil {
		return hpkeCiphertext{}, invalid("7.3", "an encryption key cannot be used")
	}
	return hpkeCiphertext{enc, ct}, nil
}

// decrypt is DecryptWithLabel of RFC 9420, Section 5.1.3.
func (s *suite) decrypt(key hpke.PrivateKey, label string, context []byte, c hpkeCiphertext) (Secret, error) {
	recipient, err := hpke.NewRecipient(c.kemOutput, key, s.kdf, s.aead, encryptContext(label, context))
	if err != nil {
		return nil, ErrDecrypt
	}
	plaintext, err := recipient.Open(nil, c.ciphertext)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// A privateKey is an HPKE private key with its encoding. The parsed form is made when it is first needed: for ML-KEM that
// is an expansion of the seed, and most keys of a path are replaced before they open anything.
type privateKey struct {
	unprintable
	secret Secret
	// Clones of a group may race to fill it in.
	parsed atomic.Pointer[hpke.PrivateKey]
}

// hpkeKey returns the parsed key.
func (k *privateKey) hpkeKey(s *suite) (hpke.PrivateKey, error) {
	if p := k.parsed.Load(); p != nil {
		return *p, nil
	}
	parsed, err := s.kem.NewPrivateKey(k.secret)
	if err != nil {
		return nil, malformed("a private key")
	}
	k.parsed.Store(&parsed)
	return parsed, nil
}

// public returns the public half's encoding.
func (k *privateKey) public(s *suite) ([]byte, error) {
	parsed, err := k.hpkeKey(s)
	if err != nil {
		return nil, err
	}
	return parsed.PublicKey().Bytes(), nil
}

func (s *suite) newPrivateKey(parsed hpke.PrivateKey) (*privateKey, error) {
	b, err := parsed.Bytes()
	if err != nil {
		return nil, err
	}
	k := &privateKey{secret: b}
	k.parsed.Store(&parsed)
	return k, nil
}

// generateKey makes a fresh key pair.
func (s *suite) generateKey() (*privateKey, error) {
	parsed, err := s.kem.GenerateKey()
	if err != nil {
		return nil, err
	}
	return s.newPrivateKey(parsed)
}

// deriveKey makes the key pair of a node secret (RFC 9420, Section 7.4).
func (s *suite) deriveKey(secret Secret) (*privateKey, error) {
	parsed, err := s.kem.DeriveKeyPair(secret)
	if err != nil {
		return nil, err
	}
	return s.newPrivateKey(parsed)
}
