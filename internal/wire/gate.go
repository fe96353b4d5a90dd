package wire

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
)

// Gate looks at what comes in on a connection, before the WebSocket library does, and finds messages that are larger than
// they may be by the headers of their frames (RFC 6455, Section 5.2). The library has one limit for all connections, reserves
// the memory that a header asks for, and panics at a length of more than 63 bits.
//
// A Gate that was not told a limit lets no content pass. SetLimit may be called from any goroutine, Look by who reads.
type Gate struct {
	limit atomic.Int64

	header  []byte // of the frame that begins, as far as it came
	skip    uint64 // bytes of the frame's content to come
	message uint64 // bytes of the message's frames so far, where others follow
	last    uint64 // bytes of the message whose last frame's content comes
}

// maxControl bounds a control frame's content, in bytes: RFC 6455, Section 5.5.
const maxControl = 125

var errGate = errors.New("wire: message larger than it may be")

// SetLimit bounds messages from the next frame on, in bytes.
func (g *Gate) SetLimit(n int64) { g.limit.Store(n) }

// Look takes the next bytes of the connection. An error means that they, and what follows, must not be read.
func (g *Gate) Look(b []byte) error {
	for len(b) > 0 {
		if g.skip > 0 {
			n := min(g.skip, uint64(len(b)))
			g.skip -= n
			b = b[n:]
			continue
		}
		g.header = append(g.header, b[0])
		b = b[1:]
		size, whole := frameSize(g.header)
		if !whole {
			continue
		}
		if !g.admit(g.header[0], size) {
			return errGate
		}
		g.header, g.skip = g.header[:0], size
	}
	return nil
}

// admit judges a frame by its first byte and the size of its content. Control frames come between those of a message and
// are no part of it.
func (g *Gate) admit(first byte, size uint64) bool {
	const final, opcode, binaryMessage = 0x80, 0x0f, 2
	if first&opcode > binaryMessage {
		g.last = 0
		return size <= maxControl
	}
	limit := uint64(max(0, g.limit.Load()))
	if size > limit || g.message > limit-size {
		return false
	}
	g.message, g.last = g.message+size, 0
	if first&final != 0 {
		g.message, g.last = 0, g.message
	}
	return true
}

// UnderWay gives the size of the message of which the last frame was begun and has not come to its end, in bytes, as far as its
// headers say; 0 where there is none. Only who calls Look may call it.
func (g *Gate) UnderWay() uint64 {
	if g.message == 0 && g.skip > 0 {
		return g.last
	}
	return g.message
}

// frameSize reads the size of a frame's content from its header. whole is false while more of the header is to come.
func frameSize(h []byte) (size uint64, whole bool) {
	if len(h) < 2 {
		return 0, false
	}
	need := 2
	if masked := h[1]&0x80 != 0; masked {
		need += 4
	}
	switch short := h[1] & 0x7f; short {
	case 126:
		if len(h) < need+2 {
			return 0, false
		}
		return uint64(binary.BigEndian.Uint16(h[2:])), true
	case 127:
		if len(h) < need+8 {
			return 0, false
		}
		return binary.BigEndian.Uint64(h[2:]), true
	default:
		return uint64(short), len(h) >= need
	}
}
