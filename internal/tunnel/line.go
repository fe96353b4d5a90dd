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

	// Owned by the reader. What was handed on lies in in before r still, for whoever opens records in place; empty gives
	// the buffer back.
	in     []byte
	r, w   int
	header [recordHeader]byte // of the record under way, as far as it was handed on
	have   int
	left   int // bytes of that record still to be handed on
	// nowait makes an empty line an errLater instead of waiting.
	nowait bool

	// holding says that what is written lies in held until whoever wrote it waits for an answer: flights of the dialing
	// end, which alone uses the line then.
	holding bool
	held    []byte

	out struct {
		sync.Mutex
		gather []byte // the buffer in which the data to be sent lies too, from sendRoom on
		n      int    // bytes of records in it
		left   int    // bytes of the data for which no record has come yet
	}
}

const (
	recordHeader = 5
	// maxHeld bounds what is held, in bytes; a dialing end's second flight has under 4 KiB with a short chain.
	maxHeld = 16 << 10
)

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
	if err := l.flushHeld(); err != nil {
		return err
	}
	l.empty()
	// A record that has begun in an earlier buffer is opened into this one in front of what has not been handed on.
	at := 0
	if l.left > 0 || l.have > 0 {
		at = maxRecord
	}
	b, n, err := l.source.read(at)
	if n > 0 {
		l.in, l.r, l.w = b, at, at+n
		return nil
	}
	if err == io.EOF {
		return mtls.ErrTruncated
	}
	return err
}

// empty gives the buffer back if all in it was handed on.
func (l *line) empty() {
	if l.r == l.w {
		giveBuffer(l.in)
		l.in, l.r, l.w = nil, 0, 0
	}
}

// discard gives the buffer back, and what is in it up.
func (l *line) discard() {
	l.r = l.w
	l.empty()
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
	l.r += n
	return n, nil
}

// ready reports whether a whole record lies here.
func (l *line) ready() bool {
	have := l.w - l.r
	return l.left == 0 && l.have == 0 && have >= recordHeader &&
		have >= recordHeader+int(binary.BigEndian.Uint16(l.in[l.r+3:]))
}

// Write sends a record, holds it, or gathers it.
func (l *line) Write(p []byte) (int, error) {
	if l.holding {
		l.held = append(l.held, p...)
		if len(l.held) <= maxHeld {
			return len(p), nil
		}
		return len(p), l.flushHeld()
	}
	l.out.Lock()
	defer l.out.Unlock()
	data := min(l.out.left, maxRecord)
	if data == 0 || len(p) != data+recordCost {
		// It is no record of the data that is gathered: an alert, or an update of keys. One as long as the last of them may
		// be taken for it, and has room; then that one comes here.
		if err := l.sendGathered(); err != nil {
			return 0, err
		}
		return l.drain.Write(p)
	}
	l.out.left -= data
	l.out.n += copy(l.out.gather[l.out.n:], p)
	return len(p), nil
}

// hold keeps what is written until release, or until somebody waits: the end of a handshake and the first opening go
// together.
func (l *line) hold() { l.holding = true }

// release sends what was held, and holds no more.
func (l *line) release() error {
	err := l.flushHeld()
	l.holding = false
	return err
}

func (l *line) flushHeld() error {
	if len(l.held) == 0 {
		return nil
	}
	held := l.held
	l.held = nil
	_, err := l.drain.Write(held)
	return err
}

// gather keeps the records of n bytes of data, which lie in b from sendRoom or from the frame's header before it on, until
// flush: in b itself, over the data that they carry, which crypto/tls has sealed elsewhere by then. Both are for the one
// writer.
func (l *line) gather(b []byte, n int) {
	l.out.Lock()
	defer l.out.Unlock()
	l.out.gather, l.out.n, l.out.left = b, 0, n
}

// flush sends what was kept.
func (l *line) flush() error {
	l.out.Lock()
	defer l.out.Unlock()
	err := l.sendGathered()
	l.out.gather, l.out.left = nil, 0
	return err
}

func (l *line) sendGathered() error {
	if l.out.n == 0 {
		return nil
	}
	_, err := l.drain.Write(l.out.gather[:l.out.n])
	l.out.n = 0
	return err
}
