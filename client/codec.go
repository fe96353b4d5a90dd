package client

import (
	"encoding/binary"
	"errors"
	"time"
)

// errRecord says that a stored record or an extension of ours does not parse.
var errRecord = errors.New("client: malformed record")

// encoder writes stored records and the roster: a version byte, then fields in a fixed order. Integers are varints,
// bytes and texts have their length before them.
type encoder struct{ b []byte }

func newEncoder(version byte) *encoder { return &encoder{b: []byte{version}} }

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

func (e *encoder) bool(v bool) {
	if v {
		e.uint(1)
	} else {
		e.uint(0)
	}
}

func (e *encoder) bytes(v []byte) {
	e.uint(uint64(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) string(v string) { e.bytes([]byte(v)) }

// time writes milliseconds since 1970; the zero time is 0.
func (e *encoder) time(v time.Time) {
	if v.IsZero() {
		e.uint(0)
		return
	}
	e.uint(uint64(v.UnixMilli()))
}

// decoder reads what encoder wrote. The first mistake sticks, and every read after it gives zero values.
type decoder struct {
	b   []byte
	err error
}

// newDecoder begins to read a record of this version.
func newDecoder(b []byte, version byte) *decoder {
	if len(b) == 0 || b[0] != version {
		return &decoder{err: errRecord}
	}
	return &decoder{b: b[1:]}
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 {
		d.err, d.b = errRecord, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bool() bool {
	v := d.uint()
	if v > 1 {
		d.err = errRecord
	}
	return v == 1
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.err, d.b = errRecord, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) time() time.Time {
	v := d.uint()
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(v)).UTC()
}

// id reads an id of 16 bytes.
func (d *decoder) id() (id [16]byte) {
	v := d.bytes()
	if len(v) != len(id) {
		d.err = errRecord
		return id
	}
	return [16]byte(v)
}

// hash reads a hash of 32 bytes.
func (d *decoder) hash() (h [32]byte) {
	v := d.bytes()
	if len(v) != len(h) {
		d.err = errRecord
		return h
	}
	return [32]byte(v)
}

// end gives the first mistake, or one if anything is left.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = errRecord
	}
	return d.err
}
