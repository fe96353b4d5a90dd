package mls

import "encoding/binary"

// The presentation language of RFC 9420, Section 2.1. Every structure has one encoding, and the reader accepts no
// other: what parses re-encodes to the same bytes. Signatures and hashes over decoded structures rely on it.

// maxVector is the greatest length that a vector's header can hold.
const maxVector = 1<<30 - 1

// A writer appends encodings to b.
type writer struct{ b []byte }

func (w *writer) uint8(v uint8)   { w.b = append(w.b, v) }
func (w *writer) uint16(v uint16) { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *writer) uint32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) uint64(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *writer) raw(v []byte)    { w.b = append(w.b, v...) }

// opaque writes bytes with their length.
func (w *writer) opaque(v []byte) {
	w.length(len(v))
	w.b = append(w.b, v...)
}

// text is opaque for a string.
func (w *writer) text(v string) {
	w.length(len(v))
	w.b = append(w.b, v...)
}

// length writes a vector's header in the fewest bytes that hold it.
func (w *writer) length(n int) { w.b = appendLength(w.b, n) }

func appendLength(b []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(b, uint8(n))
	case n < 1<<14:
		return binary.BigEndian.AppendUint16(b, uint16(n)|1<<14)
	case n <= maxVector:
		return binary.BigEndian.AppendUint32(b, uint32(n)|2<<30)
	}
	panic("mls: internal error: a vector longer than 2^30")
}

// open begins a vector whose length is not known yet; close ends it, given what open returned, and returns where its bytes
// begin. The longest header is left room for, so that only a short vector has to be moved.
func (w *writer) open() int {
	w.uint32(0)
	return len(w.b)
}

func (w *writer) close(start int) int {
	n := len(w.b) - start
	header := appendLength(w.b[:start-4], n)
	if len(header) < start {
		copy(w.b[len(header):], w.b[start:])
		clear(w.b[len(header)+n:])
		w.b = w.b[:len(header)+n]
	}
	return len(header)
}

// present writes the header of an optional value.
func (w *writer) present(yes bool) {
	if yes {
		w.uint8(1)
	} else {
		w.uint8(0)
	}
}

// A reader consumes b. The first error sticks and empties b, so that loops over the rest end.
// What it returns aliases the input.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = malformed(what)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("truncated")
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uint8() uint8 {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if v := r.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if v := r.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if v := r.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// length reads a vector's header. RFC 9420, Section 2.1.2 forbids headers that are longer than needed.
func (r *reader) length() int {
	if len(r.b) == 0 {
		r.fail("truncated")
		return 0
	}
	var n, least int
	switch r.b[0] >> 6 {
	case 0:
		n = int(r.uint8())
	case 1:
		n, least = int(r.uint16()&(1<<14-1)), 1<<6
	case 2:
		n, least = int(r.uint32()&maxVector), 1<<14
	default:
		r.fail("a vector header of an undefined form")
		return 0
	}
	if n < least {
		r.fail("a vector header that is longer than needed")
		return 0
	}
	return n
}

func (r *reader) opaque() []byte { return r.take(r.length()) }

// each reads a vector of structures: element is called until the vector is used up. Each element takes at least one
// byte, or element fails, so that memory is bounded by the input's length.
func (r *reader) each(element func(*reader)) {
	sub := reader{b: r.opaque()}
	for len(sub.b) > 0 {
		before := len(sub.b)
		element(&sub)
		if sub.err == nil && len(sub.b) == before {
			sub.fail("an empty element")
		}
	}
	r.adopt(&sub)
}

// adopt takes over the error of a reader of a part.
func (r *reader) adopt(part *reader) {
	if part.err != nil && r.err == nil {
		r.err, r.b = part.err, nil
	}
}

// present reads the header of an optional value.
func (r *reader) present() bool {
	v := r.uint8()
	if v > 1 {
		r.fail("an optional value that is neither absent nor present")
	}
	return v == 1
}

// end returns the error, or one for bytes that are left.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("trailing bytes")
	}
	return r.err
}
