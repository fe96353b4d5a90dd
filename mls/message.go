package mls

import "bytes"

// A wireFormat says what an MLSMessage carries (RFC 9420, Section 6).
type wireFormat uint16

const (
	wirePublicMessage  wireFormat = 1
	wirePrivateMessage wireFormat = 2
	wireWelcome        wireFormat = 3
	wireGroupInfo      wireFormat = 4
	wireKeyPackage     wireFormat = 5
)

// newMessage begins an MLSMessage.
func newMessage(f wireFormat) *writer {
	w := &writer{make([]byte, 0, 512)}
	w.uint16(uint16(MLS10))
	w.uint16(uint16(f))
	return w
}

// readHeader reads the beginning of an MLSMessage that must be of this format.
func readHeader(r *reader, want wireFormat) {
	if got := readFormat(r); r.err == nil && got != want {
		r.fail("another kind of message")
	}
}

func readFormat(r *reader) wireFormat {
	if ProtocolVersion(r.uint16()) != MLS10 {
		r.fail("another version of MLS")
	}
	return wireFormat(r.uint16())
}

// MessageEpoch reads from a PublicMessage or PrivateMessage the group and the epoch that it says it is of, without
// checking anything.
func MessageEpoch(message []byte) (groupID []byte, epoch uint64, err error) {
	r := reader{b: message}
	f := readFormat(&r)
	if f != wirePublicMessage && f != wirePrivateMessage {
		r.fail("another kind of message")
	}
	groupID, epoch = bytes.Clone(r.opaque()), r.uint64()
	return groupID, epoch, r.err
}
