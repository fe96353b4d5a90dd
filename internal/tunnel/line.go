package tunnel

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"snug/mtls"
)

// A line is the connection under TLS. It reads many records at once and hands them to crypto/tls one by one, so that the
// layer above knows whether there is more; it gathers the records of one large write into one; it holds a buffer only
// while there is something in it; and it calls an end between two records, which anybody on the way can make, by its name.
type line struct {
	net.Conn
	source *source
	drain  *drain

	// owned by the reader
	in     *buffer
	r, w   int
	header [recordHeader]byte // of the record under way, as far as it was handed on
	have   int
	left   int // bytes of that record still to be handed on
	// nowait makes an empty line an errLater instead of waiting.
	nowait bool

	out struct {
		sync.Mutex
		gather *buffer
		n      int
	}
}

const recordHeader = 5

// errLater is what crypto/tls reads from a line that must not wait. Being temporary, it breaks nothing.
var errLater net.Error = laterError{}

type laterError struct{}

func (laterError) Error() string   { return "tunnel: nothing to read" }
func (laterError) Timeout() bool   { return true }
func (laterError) Temporary() bool { return true }

func newLine(conn net.Conn) *line {
	s := newSource(conn)
	return &line{Conn: conn, source: s, drain: newDrain(s)}
}

// fill waits until there is something to read.
func (l *line) fill() error {
	if l.r < l.w {
		return nil
	}
	b, n, err := l.source.read(0, len(buffer{}))
	l.in, l.r, l.w = b, 0, n
	if n == 0 && err == io.EOF {
		return mtls.ErrTruncated
	}
	if n == 0 {
		return err
	}
	return nil
}

// Read hands on bytes of one record, never of two.
func (l *line) Read(p []byte) (int, error) {
	if l.r == l.w {
		if l.nowait {
			return 0, errLater
		}
		if err := l.fill(); err != nil {
			return 0, err
		}
	}
	p = p[:min(len(p), l.w-l.r)]
	n := 0
	if l.left == 0 {
		n = copy(p, l.in[l.r:min(l.w, l.r+recordHeader-l.have)])
		copy(l.header[l.have:], p[:n])
		if l.have += n; l.have == recordHeader {
			l.left, l.have = int(binary.BigEndian.Uint16(l.header[3:])), 0
		}
	}
	body := min(l.left, len(p)-n)
	copy(p[n:n+body], l.in[l.r+n:l.w])
	l.left -= body
	n += body
	if l.r += n; l.r == l.w {
		giveBuffer(l.in)
		l.in, l.r, l.w = nil, 0, 0
	}
	return n, nil
}

// ready reports whether a whole record lies here.
func (l *line) ready() bool {
	have := l.w - l.r
	return l.left == 0 && l.have == 0 && have >= recordHeader &&
		have >= recordHeader+int(binary.BigEndian.Uint16(l.in[l.r+3:]))
}

// Write sends a record, or keeps it for flush after gather.
func (l *line) Write(p []byte) (int, error) {
	l.out.Lock()
	defer l.out.Unlock()
	if l.out.gather == nil {
		return l.drain.Write(p)
	}
	if l.out.n+len(p) > len(l.out.gather) {
		if err := l.send(); err != nil {
			return 0, err
		}
	}
	if len(p) > len(l.out.gather) {
		return l.drain.Write(p)
	}
	l.out.n += copy(l.out.gather[l.out.n:], p)
	return len(p), nil
}

// gather keeps what is written until flush. Both are for the one writer.
func (l *line) gather() {
	l.out.Lock()
	defer l.out.Unlock()
	l.out.gather = takeBuffer()
}

// flush sends what was kept.
func (l *line) flush() error {
	l.out.Lock()
	defer l.out.Unlock()
	err := l.send()
	giveBuffer(l.out.gather)
	l.out.gather = nil
	return err
}

func (l *line) send() error {
	if l.out.n == 0 {
		return nil
	}
	_, err := l.drain.Write(l.out.gather[:l.out.n])
	l.out.n = 0
	return err
}
