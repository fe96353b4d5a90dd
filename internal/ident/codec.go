package ident

import (
	"encoding/binary"
	"errors"
)

// The encodings of this package are flat: big-endian integers, fixed sizes, and
// variable fields with their length before them. Each value has exactly one
// encoding, and whatever parses encodes to the same bytes again.

var errShort = errors.New("cut short")
var errTrailing = errors.New("trailing bytes")

func appendUint16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func appendUint32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func appendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// appendShort writes a text of at most 255 bytes after its length in one byte.
func appendShort(b []byte, s string) []byte {
	if len(s) > 255 {
		panic("ident: internal error: text too long to encode")
	}
	b = append(b, byte(len(s)))
	return append(b, s...)
}

// reader takes fields from the front of rest. The first error stays; after it
// every read gives zeros.
type reader struct {
	rest []byte
	err  error
}

// take gives the next n bytes, not copied, or nil.
func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.rest) < n {
		r.err = errShort
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) fill(dst []byte) { copy(dst, r.take(len(dst))) }

func (r *reader) byte() byte {
	var b [1]byte
	r.fill(b[:])
	return b[0]
}

func (r *reader) uint16() uint16 {
	var b [2]byte
	r.fill(b[:])
	return binary.BigEndian.Uint16(b[:])
}

func (r *reader) uint32() uint32 {
	var b [4]byte
	r.fill(b[:])
	return binary.BigEndian.Uint32(b[:])
}

func (r *reader) uint64() uint64 {
	var b [8]byte
	r.fill(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (r *reader) short() string { return string(r.take(int(r.byte()))) }

// end is called when all fields are read.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) != 0 {
		r.err = errTrailing
	}
	return r.err
}
