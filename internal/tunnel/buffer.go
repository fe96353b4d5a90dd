package tunnel

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// A buffer takes what one read of a socket finds, and then, in the same place, the records that carry it or the data
// that its records have carried: gathering and opening work in place, so that half as much memory goes through the
// processor's caches. There are two sizes. The large one halves the calls and switches of threads of a stream in full
// flow again and again; it is for who fills the small one, and few have it at a time, so that streams on which nobody
// reads cannot make off with the memory.
type (
	smallBuffer [fewRecords*maxRecord + sendRoom - headerSize]byte
	largeBuffer [manyRecords*maxRecord + sendRoom - headerSize]byte
)

const (
	// fewRecords and manyRecords are how many records of full size the buffers take.
	fewRecords, manyRecords = 8, 32
	// recordCost is what each record adds: header, kind and tag (RFC 8446, Section 5.2).
	recordCost = 22
	// sendRoom lies in front of what is to be sent: the frame's header; what the records before each byte have added by
	// then, so that they never reach into what is still to be sealed; and once again a record of another kind (see
	// line.Write), which has 64 bytes at most.
	sendRoom = headerSize + manyRecords*recordCost + 64
)

// They are taken when there is something to put into them, so that a tunnel that is quiet holds none.
var (
	smallBuffers = sync.Pool{New: func() any { return new(smallBuffer) }}
	largeBuffers = sync.Pool{New: func() any { return new(largeBuffer) }}
	largeTaken   atomic.Int64
	// maxLarge is how many large buffers there are at a time: 32 MiB.
	maxLarge atomic.Int64
)

func init() { maxLarge.Store(64) }

// takeBuffer gives a buffer, a large one if that is asked for and there is one.
func takeBuffer(large bool) []byte {
	if large {
		if largeTaken.Add(1) <= maxLarge.Load() {
			return largeBuffers.Get().(*largeBuffer)[:]
		}
		largeTaken.Add(-1)
	}
	return smallBuffers.Get().(*smallBuffer)[:]
}

// giveBuffer takes back what takeBuffer gave, whole; or nil.
func giveBuffer(b []byte) {
	switch len(b) {
	case len(smallBuffer{}):
		smallBuffers.Put((*smallBuffer)(b))
	case len(largeBuffer{}):
		largeTaken.Add(-1)
		largeBuffers.Put((*largeBuffer)(b))
	}
}

// A source reads a connection into buffers that it takes only once something has come. One reader at a time.
type source struct {
	conn    net.Conn
	raw     syscall.RawConn // nil where the connection has none
	attempt func(fd uintptr) bool
	// streak is how many bytes, and smallBuffers at least, were read since the runtime has noticed a read.
	streak int
	// flow says that a stream is under way, so that large buffers may be taken; full that the last read has filled a small
	// one.
	flow, full bool

	// broken is what a write has found the connection to be; held while the system is asked.
	broken struct {
		sync.Mutex
		err error
	}

	// of the attempt under way
	at     int
	buffer []byte
	n      int
	err    error
}

func newSource(conn net.Conn) *source {
	s := &source{conn: conn}
	if c, ok := conn.(syscall.Conn); ok && canPoll {
		s.raw, _ = c.SyscallConn()
	}
	s.attempt = s.try
	return s
}

// read gives a buffer of what has come, n bytes from byte at on. The buffer is the caller's to give back, also beside an
// error; it is nil where nothing came.
func (s *source) read(at int) (b []byte, n int, err error) {
	s.at, s.n, s.err = at, 0, nil
	if s.raw == nil {
		s.buffer = takeBuffer(s.flow && s.full)
		s.n, s.err = s.conn.Read(s.buffer[at:])
	} else if err = s.raw.Read(s.attempt); err != nil {
		s.err = err
	}
	b, s.buffer = s.buffer, nil
	if s.n == 0 && s.err == nil {
		s.err = s.end()
	}
	if s.n == 0 {
		giveBuffer(b)
		b = nil
	}
	s.full = s.n >= len(smallBuffer{})-at
	return b, s.n, s.err
}

// try reads once, without waiting. It reports whether that was something: bytes, the end or an error.
func (s *source) try(fd uintptr) bool {
	s.buffer = takeBuffer(s.flow && s.full)
	s.n, s.err = readNow(fd, s.buffer[s.at:], s.streak >= maxStreak)
	if s.streak >= maxStreak {
		s.streak = 0
	}
	if s.err == errNothing {
		giveBuffer(s.buffer)
		s.buffer, s.err, s.streak = nil, nil, 0
		return false
	}
	s.streak += max(s.n, len(smallBuffer{}))
	return true
}

// end says what it means that nothing comes any more. The system tells of a reset once, to whoever asks next; if that is
// a write, all that a read finds afterwards looks like a proper end.
func (s *source) end() error {
	s.broken.Lock()
	defer s.broken.Unlock()
	if s.broken.err != nil {
		return s.broken.err
	}
	return io.EOF
}

// A drain writes to the connection of a source. One writer at a time.
type drain struct {
	source  *source
	attempt func(fd uintptr) bool

	// of the write under way
	left []byte
	err  error
}

func newDrain(s *source) *drain {
	d := &drain{source: s}
	d.attempt = d.try
	return d
}

// Write is io.Writer's. After an error the count is of what the system took.
func (d *drain) Write(b []byte) (int, error) {
	if d.source.raw == nil {
		return d.source.conn.Write(b)
	}
	d.left, d.err = b, nil
	err := d.source.raw.Write(d.attempt)
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
		n, err := d.source.write(fd, d.left)
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

// write writes once, without waiting, and keeps the error of a connection that broke. EPIPE is none: the end of the other
// side had come before, or a read has heard of the reset.
func (s *source) write(fd uintptr, b []byte) (int, error) {
	s.broken.Lock()
	defer s.broken.Unlock()
	n, err := writeNow(fd, b)
	if err != nil && err != errNothing && err != syscall.EPIPE {
		s.broken.err = err
	}
	return n, err
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
