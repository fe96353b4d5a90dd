//go:build !js

package transport

import (
	"errors"
	"net"

	"snug/internal/wire"
)

// maxResponse bounds the server's answer to the upgrade, in bytes: ours has 200, a proxy adds a few headers.
const maxResponse = 16 << 10

var errResponse = errors.New("transport: the server's answer to the upgrade is too long")

// guarded is a connection to a server that may be evil, seen before the WebSocket library sees it: that bounds neither the
// answer to the upgrade nor all lengths of frames.
type guarded struct {
	net.Conn
	gate wire.Gate

	// Of the answer, owned by the reader.
	read  int // bytes so far
	ended int // of the four that end it, how many came last; then frames begin
}

func newGuarded(conn net.Conn) *guarded {
	g := &guarded{Conn: conn}
	g.gate.SetLimit(wire.MaxFrame)
	return g
}

// Read implements net.Conn.
func (g *guarded) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if refused := g.look(b[:n]); refused != nil {
		return 0, refused
	}
	return n, err
}

func (g *guarded) look(b []byte) error {
	const end = "\r\n\r\n"
	for len(b) > 0 && g.ended < len(end) {
		switch b[0] {
		case end[g.ended]:
			g.ended++
		case end[0]:
			g.ended = 1
		default:
			g.ended = 0
		}
		b = b[1:]
		if g.read++; g.read > maxResponse {
			return errResponse
		}
	}
	return g.gate.Look(b)
}
