package main

import (
	"encoding/binary"
	"errors"
)

// errFields says that bytes are no Protocol Buffers message.
var errFields = errors.New("bench: malformed message")

// fields walks over the fields of an encoded message without allocating: decoding every ack and entry with the
// generated types would make the generator the thing that is measured. It holds a view of the bytes it was made of.
type fields struct {
	rest []byte
	err  error

	// Of the field that next found: its number, and its value by its kind.
	number uint64
	value  uint64
	bytes  []byte
}

// Wire types of Protocol Buffers that this protocol uses.
const (
	typeVarint = 0
	typeBytes  = 2
)

// next goes to the next field and reports whether there is one; err tells an end from a malformed message.
func (f *fields) next() bool {
	if f.err != nil || len(f.rest) == 0 {
		return false
	}
	tag := f.varint()
	f.number, f.value, f.bytes = tag>>3, 0, nil
	switch tag & 7 {
	case typeVarint:
		f.value = f.varint()
	case typeBytes:
		f.bytes = f.take(f.varint())
	default:
		f.err = errFields
	}
	return f.err == nil
}

func (f *fields) varint() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.err, f.rest = errFields, nil
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.err, f.rest = errFields, nil
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}
