package mls

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
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

// extract is KDF.Extract, an HMAC (RFC 5869, Section 2.2). A nil salt or input stands for none; both may be long.
func (s *suite) extract(salt, input []byte) Secret { return s.mac(salt, input) }

// expandWithLabel is RFC 9420, Section 8. n is at most 255 hashes, which all callers but Export know to hold.
func (s *suite) expandWithLabel(secret Secret, label string, context []byte, n int) Secret {
	out := make(Secret, n)
	s.expandInto(out, secret, label, context)
	return out
}

// expandInto is expandWithLabel for memory that is there. It is HKDF-Expand of RFC 5869, Section 2.3, on the stack:
// every message takes five of them, of which crypto/hkdf makes fifty allocations.
func (s *suite) expandInto(out []byte, secret Secret, label string, context []byte) {
	var buf [maxHash + shortMessage]byte
	// A writer would not do: what it points to is on the heap.
	b := binary.BigEndian.AppendUint16(buf[:s.nh], uint16(len(out)))
	b = appendLength(b, len(labelPrefix)+len(label))
	b = append(append(b, labelPrefix...), label...)
	b = append(appendLength(b, len(context)), context...)
	b = append(b, 0)
	for i := 0; len(out) > 0; i++ {
		b[len(b)-1] = uint8(i + 1)
		message := b
		if i == 0 {
			message = b[s.nh:]
		}
		var block [maxHash]byte
		s.hmac(&block, secret, message)
		copy(b, block[:s.nh])
		out = out[copy(out, block[:s.nh]):]
	}
	clear(b)
}

const (
	// maxHash and maxBlock are the greatest sizes of the suites' hashes and of their blocks.
	maxHash, maxBlock = sha512.Size, sha512.BlockSize
	// shortMessage is up to which length a message is authenticated on the stack: labels with the context of a ratchet or
	// a sample are below 100 bytes.
	shortMessage = 256
)

// hmac is HMAC of RFC 2104. It differs from crypto/hmac in that it allocates nothing for a short message.
func (s *suite) hmac(out *[maxHash]byte, key, message []byte) {
	block := sha256.BlockSize
	if s.nh > sha256.Size {
		block = sha512.BlockSize
	}
	if len(key) > block || len(message) > shortMessage {
		h := hmac.New(s.hash, bytes.Clone(key))
		h.Write(bytes.Clone(message))
		copy(out[:], h.Sum(nil))
		return
	}
	var buf [maxBlock + shortMessage]byte
	copy(buf[:], innerPad[:block])
	subtle.XORBytes(buf[:], buf[:], key)
	n := copy(buf[block:], message)
	s.sum(out, buf[:block+n])
	copy(buf[:], outerPad[:block])
	subtle.XORBytes(buf[:], buf[:], key)
	copy(buf[block:], out[:s.nh])
	s.sum(out, buf[:block+s.nh])
	clear(buf[:])
}

// The patterns that HMAC lays over its key.
var innerPad, outerPad = bytes.Repeat([]byte{0x36}, maxBlock), bytes.Repeat([]byte{0x5c}, maxBlock)

// sum is the suite's hash of a message at once. The functions are named, not called through a value, so that the
// compiler sees that they keep nothing, and leaves both arguments on the stack.
func (s *suite) sum(out *[maxHash]byte, message []byte) {
	switch s.nh {
	case sha256.Size:
		*(*[sha256.Size]byte)(out[:]) = sha256.Sum256(message)
	case sha512.Size384:
		*(*[sha512.Size384]byte)(out[:]) = sha512.Sum384(message)
	case sha512.Size:
		*out = sha512.Sum512(message)
	default:
		panic("mls: internal error: a suite with another hash")
	}
}

// deriveSecret is RFC 9420, Section 8.
func (s *suite) deriveSecret(secret Secret, label string) Secret {
	return s.expandWithLabel(secret, label, nil, s.nh)
}

// deriveTreeSecret is RFC 9420, Section 9.1.
func (s *suite) deriveTreeSecret(out []byte, secret Secret, label string, generation uint32) {
	var context [4]byte
	binary.BigEndian.PutUint32(context[:], generation)
	s.expandInto(out, secret, label, context[:])
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
	var out [maxHash]byte
	s.hmac(&out, key, message)
	return bytes.Clone(out[:s.nh])
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
