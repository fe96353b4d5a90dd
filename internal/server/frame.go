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
)

// appendWelcomeHeader adds a WelcomeEvent up to its welcome, which comes last.
func appendWelcomeHeader(b []byte, w *wire.WelcomeEvent) []byte {
	rest := *w
	rest.Welcome = nil
	inner := rest.SizeVT() + 1 + uvarintSize(len(w.Welcome)) + len(w.Welcome)
	b = appendMessageHeader(b, 2+uvarintSize(inner)+inner)
	b = binary.AppendUvarint(b, tagFrameWelcome)
	b = binary.AppendUvarint(b, uint64(inner))
	n := rest.SizeVT()
	b = slices.Grow(b, n)
	end := len(b) + n
	if _, err := rest.MarshalToSizedBufferVT(b[len(b):end]); err != nil {
		panic("server: internal error: encoding a welcome: " + err.Error())
	}
	b = append(b[:end], tagWelcomeWelcome)
	return binary.AppendUvarint(b, uint64(len(w.Welcome)))
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
