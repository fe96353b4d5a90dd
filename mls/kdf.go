package mls

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
)

// labelPrefix stands before every label that is signed, sealed or expanded with.
const labelPrefix = "MLS 1.0 "

// random returns n fresh random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, since Go 1.24
	return b
}

// extract is KDF.Extract. A nil salt or input stands for none; both may be long.
func (s *suite) extract(salt, input []byte) Secret {
	out, err := hkdf.Extract(s.hash, input, salt)
	if err != nil {
		panic("mls: internal error: " + err.Error())
	}
	return out
}

// expandWithLabel is RFC 9420, Section 8. n is at most 255 hashes, which all callers but Export know to hold.
func (s *suite) expandWithLabel(secret Secret, label string, context []byte, n int) Secret {
	w := writer{make([]byte, 0, 2+1+len(labelPrefix)+len(label)+4+len(context))}
	w.uint16(uint16(n))
	w.label(label)
	w.opaque(context)
	out, err := hkdf.Expand(s.hash, secret, string(w.b), n)
	if err != nil {
		panic("mls: internal error: " + err.Error())
	}
	return out
}

// deriveSecret is RFC 9420, Section 8.
func (s *suite) deriveSecret(secret Secret, label string) Secret {
	return s.expandWithLabel(secret, label, nil, s.nh)
}

// deriveTreeSecret is RFC 9420, Section 9.1.
func (s *suite) deriveTreeSecret(secret Secret, label string, generation uint32, n int) Secret {
	return s.expandWithLabel(secret, label, binary.BigEndian.AppendUint32(nil, generation), n)
}

// label writes a label with its prefix, as an opaque string.
func (w *writer) label(label string) {
	w.length(len(labelPrefix) + len(label))
	w.b = append(w.b, labelPrefix...)
	w.b = append(w.b, label...)
}

// digest hashes the concatenation of parts.
func (s *suite) digest(parts ...[]byte) []byte {
	h := s.hash()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// refHash is RFC 9420, Section 5.2. Its labels are whole: the prefix is already part of them.
func (s *suite) refHash(label string, value []byte) []byte {
	w := writer{make([]byte, 0, len(label)+len(value)+8)}
	w.text(label)
	w.opaque(value)
	return s.digest(w.b)
}

func (s *suite) mac(key Secret, message []byte) []byte {
	h := hmac.New(s.hash, key)
	h.Write(message)
	return h.Sum(nil)
}

// checkMAC compares in constant time, and by length first: a truncated tag is no tag.
func (s *suite) checkMAC(key Secret, message, tag []byte) bool {
	return subtle.ConstantTimeCompare(s.mac(key, message), tag) == 1
}

// cipher returns the suite's AEAD under a key that the key schedule made, so that its length is right.
func (s *suite) cipher(key Secret) cipher.AEAD {
	a, err := s.newAEAD(key)
	if err != nil {
		panic("mls: internal error: " + err.Error())
	}
	return a
}
