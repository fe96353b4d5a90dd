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
	// streak is how many reads have found something since one found nothing.
	streak int

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
	s.streak++
	s.n, s.err = readNow(fd, s.buffer[s.at:s.at+s.limit], s.streak%maxStreak == 0)
	if s.err == errNothing {
		giveBuffer(s.buffer)
		s.buffer, s.err, s.streak = nil, nil, 0
		return false
	}
	return true
}

// A drain writes to a connection. One writer at a time.
type drain struct {
	conn    net.Conn
	raw     syscall.RawConn // nil where the connection has none
	attempt func(fd uintptr) bool

	// of the write under way
	left []byte
	err  error
}

func newDrain(s *source) *drain {
	d := &drain{conn: s.conn, raw: s.raw}
	d.attempt = d.try
	return d
}

// Write is io.Writer's. After an error the count is of what the system took.
func (d *drain) Write(b []byte) (int, error) {
	if d.raw == nil {
		return d.conn.Write(b)
	}
	d.left, d.err = b, nil
	err := d.raw.Write(d.attempt)
	if err == nil {
		err = d.err
	}
	n := len(b) - len(d.left)
	d.left = nil
	return n, err
}

// try writes what there is room for. It reports whether that was all, or the end of it.
func (d *drain) try(fd uintptr) bool {
	for len(d.left) > 0 {
		n, err := writeNow(fd, d.left)
		if err == errNothing {
			return false
		}
		if err != nil {
			d.err = err
			return true
		}
		d.left = d.left[n:]
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
