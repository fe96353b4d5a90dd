package wire

import (
	"encoding/binary"
	"errors"
)

// maxFields bounds the fields of a client's frame: the most that are of use are the 10,000 rooms of a Follow. Decoded, a field
// of two bytes takes up to 80.
const maxFields = 1 << 14

// fewFields is the size of a frame, in bytes, in which no number of fields takes much memory.
const fewFields = 64 << 10

var errFields = errors.New("wire: more fields than a frame may have")

// manyFields are the fields of a message in which others may stand any number of times, by their numbers in proto/snug/v1,
// with those fields of theirs of which the same is true.
type manyFields map[int32]manyFields

// The bodies of a ClientFrame: Hello, Register, GetChains, EnrolDevice, PutKeyPackages, ClaimKeyPackages, Submit with its
// commit, Follow, ChangeArchive.
var manyInClientFrame = manyFields{2: nil, 11: nil, 14: nil, 20: nil, 22: nil, 23: nil, 40: {6: nil}, 42: nil, 71: nil}

// CheckClientFrame bounds what decoding a ClientFrame costs, from the outside: it decodes nothing, and says nothing of bytes
// that are no frame.
func CheckClientFrame(frame []byte) error {
	left := maxFields
	if len(frame) > fewFields && !manyInClientFrame.count(frame, &left) {
		return errFields
	}
	return nil
}

// count takes a message's fields off left, and reports whether there are no more than that, as far as they can be read.
func (m manyFields) count(b []byte, left *int) bool {
	for len(b) > 0 {
		if *left--; *left < 0 {
			return false
		}
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return true
		}
		content, rest, ok := fieldContent(tag&7, b[n:])
		if !ok {
			return true
		}
		number := int32(tag >> 3) // as the decoder has it
		if inner, many := m[number]; many && !inner.count(content, left) {
			return false
		}
		b = rest
	}
	return true
}

// fieldContent cuts a field behind its tag. The fields of a group, which we have none of, stand as if they were the message's.
func fieldContent(wireType uint64, b []byte) (content, rest []byte, ok bool) {
	size := uint64(0)
	switch wireType {
	case 0:
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, nil, false
		}
		return nil, b[n:], true
	case 1:
		size = 8
	case 2:
		length, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, nil, false
		}
		b, size = b[n:], length
	case 5:
		size = 4
	}
	if size > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:size:size], b[size:], true
}
