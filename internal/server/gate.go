package server

import (
	"encoding/binary"
	"errors"
	"net"
	"sync/atomic"
)

// gate is a connection whose incoming WebSocket messages may not be larger than
// limit bytes. The library has one limit for all connections and reserves the
// memory that a header asks for; the gate sees to it that nobody can ask for much
// before we know who it is. It stands between TLS and the library, and reads
// nothing but headers.
type gate struct {
	net.Conn
	limit atomic.Int64 // 0: the gate is open and looks no more

	// Owned by the reader.
	header  []byte // of the frame that begins, as far as it came
	skip    uint64 // bytes of the frame's content to come
	message uint64 // bytes of the message's frames so far
}

var errGate = errors.New("server: message larger than a stranger may send")

// Read reads, and fails on the first header that asks for too much.
func (g *gate) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if limit := g.limit.Load(); limit != 0 && n > 0 {
		if g.look(b[:n], uint64(limit)) != nil {
			return 0, errGate
		}
	}
	return n, err
}

func (g *gate) look(b []byte, limit uint64) error {
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
		if g.message += size; size > limit || g.message > limit {
			return errGate
		}
		if final := g.header[0]&0x80 != 0; final {
			g.message = 0
		}
		g.header, g.skip = g.header[:0], size
	}
	return nil
}

// frameSize reads the size of a frame's content from its header: RFC 6455, Section
// 5.2. whole is false while more of the header is to come.
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
