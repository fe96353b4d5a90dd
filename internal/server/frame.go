package server

import (
	"encoding/binary"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Frames are encoded straight into a session's outgoing bytes, with the header
// that WebSocket puts before them (RFC 6455, Section 5.2), so that many of them
// go out in one write. Only control frames are the library's to write.

// appendFrame adds a frame.
func appendFrame(b []byte, f *wire.ServerFrame) []byte {
	n := f.SizeVT()
	b = appendMessageHeader(b, n)
	b = slices.Grow(b, n)
	end := len(b) + n
	if _, err := f.MarshalToSizedBufferVT(b[len(b):end]); err != nil {
		panic("server: internal error: encoding a frame: " + err.Error())
	}
	return b[:end]
}

// appendMessageHeader begins an unfragmented binary message of n bytes.
func appendMessageHeader(b []byte, n int) []byte {
	const finBinary = 0x82
	switch {
	case n < 126:
		return append(b, finBinary, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, finBinary, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, finBinary, 127), uint64(n))
}

// Tags of the fields that we encode by hand, as proto/snug/v1 numbers them:
// number<<3 | 2 for "length-delimited".
const (
	tagFrameEntries   = 60<<3 | 2 // ServerFrame.entries
	tagEntriesRoom    = 1<<3 | 2  // Entries.room
	tagEntriesEntries = 2<<3 | 2  // Entries.entries
	tagFrameWelcome   = 61<<3 | 2 // ServerFrame.welcome
	tagWelcomeWelcome = 6<<3 | 2  // WelcomeEvent.welcome
	tagFrameChain     = 62<<3 | 2 // ServerFrame.chain
	tagChainChain     = 2<<3 | 2  // ChainEvent.chain
)

// appendWelcomeHeader adds a WelcomeEvent up to its welcome, which comes last.
func appendWelcomeHeader(b []byte, w *wire.WelcomeEvent) []byte {
	rest := *w
	rest.Welcome = nil
	return appendEventHeader(b, tagFrameWelcome, &rest, tagWelcomeWelcome, len(w.Welcome))
}

// appendChainHeader adds a ChainEvent up to its chain, which comes last.
func appendChainHeader(b []byte, c *wire.ChainEvent) []byte {
	return appendEventHeader(b, tagFrameChain, &wire.ChainEvent{Account: c.Account}, tagChainChain, len(c.Chain))
}

// appendEventHeader adds an event up to the size bytes of its last field, which has the tag last; rest is the event without it.
func appendEventHeader(b []byte, tag uint64, rest interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}, last byte, size int) []byte {
	n := rest.SizeVT()
	inner := n + 1 + uvarintSize(size) + size
	b = appendMessageHeader(b, 2+uvarintSize(inner)+inner)
	b = binary.AppendUvarint(b, tag)
	b = binary.AppendUvarint(b, uint64(inner))
	b = slices.Grow(b, n)
	end := len(b) + n
	if _, err := rest.MarshalToSizedBufferVT(b[len(b):end]); err != nil {
		panic("server: internal error: encoding an event: " + err.Error())
	}
	b = append(b[:end], last)
	return binary.AppendUvarint(b, uint64(size))
}

// appendEntriesHeader begins an Entries event with size bytes of entries, which
// appendEntry made.
func appendEntriesHeader(b []byte, room ident.RoomID, size int) []byte {
	inner := 2 + len(room) + size
	n := 2 + uvarintSize(inner) + inner
	b = appendMessageHeader(b, n)
	b = binary.AppendUvarint(b, tagFrameEntries)
	b = binary.AppendUvarint(b, uint64(inner))
	b = append(b, tagEntriesRoom, byte(len(room)))
	return append(b, room[:]...)
}

// appendEntry adds an entry as a field of Entries.
func appendEntry(b []byte, e *wire.Entry) []byte {
	n := e.SizeVT()
	b = slices.Grow(b, 1+binary.MaxVarintLen32+n)
	b = append(b, tagEntriesEntries)
	b = binary.AppendUvarint(b, uint64(n))
	end := len(b) + n
	if _, err := e.MarshalToSizedBufferVT(b[len(b):end]); err != nil {
		panic("server: internal error: encoding an entry: " + err.Error())
	}
	return b[:end]
}

func uvarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}
