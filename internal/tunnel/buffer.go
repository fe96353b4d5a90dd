package tunnel

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// A buffer takes a whole frame of data, or the eight records that carry it: 16,384 bytes each, with 22 of header, kind
// and tag (RFC 8446, Section 5.2).
type buffer [8 * (maxRecord + 22)]byte

// buffers are taken when there is something to put into them, so that a tunnel that is quiet holds none.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

func takeBuffer() *buffer { return buffers.Get().(*buffer) }

func giveBuffer(b *buffer) {
	if b != nil {
		buffers.Put(b)
	}
}

// A source reads a connection into buffers that it takes only once something has come. One reader at a time.
type source struct {
	conn    net.Conn
	raw     syscall.RawConn // nil where the connection has none
	attempt func(fd uintptr) bool

	// of the attempt under way
	at, limit int
	buffer    *buffer
	n         int
	err       error
}

func newSource(conn net.Conn) *source {
	s := &source{conn: conn}
	if c, ok := conn.(syscall.Conn); ok && canPoll {
		s.raw, _ = c.SyscallConn()
	}
	s.attempt = s.try
	return s
}

// read gives a buffer of what has come, from byte at on, limit bytes at most. The buffer is the caller's to give back,
// also beside an error; it is nil where nothing came.
func (s *source) read(at, limit int) (b *buffer, n int, err error) {
	if s.raw == nil {
		b = takeBuffer()
		if n, err = s.conn.Read(b[at : at+limit]); n == 0 {
			giveBuffer(b)
			return nil, 0, err
		}
		return b, n, err
	}
	s.at, s.limit, s.n, s.err = at, limit, 0, nil
	if err = s.raw.Read(s.attempt); err == nil {
		err = s.err
	}
	b, s.buffer = s.buffer, nil
	if s.n == 0 && err == nil {
		err = io.EOF
	}
	if s.n == 0 {
		giveBuffer(b)
		b = nil
	}
	return b, s.n, err
}

// try reads once, without waiting. It reports whether that was something: bytes, the end or an error.
func (s *source) try(fd uintptr) bool {
	s.buffer = takeBuffer()
	s.n, s.err = readNow(fd, s.buffer[s.at:s.at+s.limit])
	if s.err == errNothing {
		giveBuffer(s.buffer)
		s.buffer, s.err = nil, nil
		return false
	}
	return true
}

// alive reports whether a connection on which nothing is expected is still there and silent.
func (s *source) alive() bool {
	if s.raw == nil {
		return false
	}
	silent := false
	err := s.raw.Control(func(fd uintptr) { silent = isSilent(fd) })
	return err == nil && silent
}
