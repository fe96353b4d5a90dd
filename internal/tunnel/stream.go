package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"snug/mtls"
)

// A stream joins a link with a connection in plain text, for as long as either side has something to say.
type stream struct {
	link  *link
	plain net.Conn
	// first is sent on the link before what comes from plain.
	first []byte
	// presence counts and limits; clock is the tunnel's, which is good enough for deadlines.
	presence *presence
	clock    *atomic.Int64

	// parker waits in the place of quiet halves; nil where there is none.
	parker *parker
	done   func(error)

	up, down *half
	life     struct {
		sync.Mutex
		left               int // halves
		aborted            bool
		sending, receiving error
	}

	source      *source
	drain       *drain
	idle, total time.Duration
	began       int64
	last        atomic.Int64 // when something went either way
}

// Errors that end a stream. Whoever is behind the other side sees a connection that broke.
var (
	// errReset says that the connection behind the far end broke.
	errReset = errors.New("tunnel: reset by the far end")
	// errPlain says that ours did.
	errPlain = errors.New("tunnel: the connection in plain text broke")
	// errAborted ends the half of a stream whose other half broke.
	errAborted = fmt.Errorf("tunnel: the other direction broke: %w", net.ErrClosed)
)

// A half is one direction of a stream.
type half struct {
	work func() error
	raw  syscall.RawConn
	conn net.Conn
	// leaving asks for the goroutine of a half that is quiet; ticket is the parked half's, guarded by the stream's lock.
	leaving atomic.Bool
	ticket  uint64
	over    bool // guarded likewise
}

// errQuiet ends the work of a half that is to be parked.
var errQuiet = errors.New("tunnel: quiet")

// start carries both directions until both sides have said that they are done, and leaves the link as it is then. Whatever
// else ends it resets plain, and ends the link, so that neither side takes what it has for all there is. done is called
// in the end, once; start does not wait for it.
func (s *stream) start(done func(error)) {
	s.source = newSource(s.plain)
	s.drain = newDrain(s.source)
	s.source.flow, s.link.line.source.flow = true, true
	s.began = s.clock.Load()
	s.last.Store(s.began)
	s.done = done
	s.up = &half{work: s.send, raw: s.source.raw, conn: s.plain}
	s.down = &half{work: s.receive, raw: s.link.line.source.raw, conn: s.link.line}
	s.life.left = 2
	s.link.idleSince.Store(0)
	s.link.stream.Store(s)
	go s.drive(s.up)
	go s.drive(s.down)
}

// drive works until the half is over or parked.
func (s *stream) drive(h *half) {
	for {
		err := h.work()
		if err != errQuiet {
			s.finish(h, err)
			return
		}
		h.conn.SetReadDeadline(time.Time{})
		h.leaving.Store(false)
		parked, aborted := s.park(h)
		if parked {
			return
		}
		if aborted {
			s.finish(h, errAborted)
			return
		}
	}
}

// park leaves the waiting for the half's next bytes to the parker.
func (s *stream) park(h *half) (parked, aborted bool) {
	s.life.Lock()
	defer s.life.Unlock()
	if s.life.aborted || s.parker == nil || h.raw == nil {
		return false, s.life.aborted
	}
	h.ticket = s.parker.park(h.raw, func() {
		s.life.Lock() // which is held until the ticket is there
		h.ticket = 0
		s.life.Unlock()
		s.drive(h)
	})
	return h.ticket != 0, false
}

// quiet asks both halves for their goroutines if nothing has gone either way for parkAfter.
func (s *stream) quiet(now int64) {
	if s.parker == nil || now-s.last.Load() < int64(parkAfter) {
		return
	}
	s.life.Lock()
	defer s.life.Unlock()
	for _, h := range []*half{s.up, s.down} {
		if h.ticket == 0 && h.raw != nil && !h.over && !s.life.aborted && h.leaving.CompareAndSwap(false, true) {
			h.conn.SetReadDeadline(time.Unix(1, 0))
		}
	}
}

// finish ends a half, and with the second one the stream.
func (s *stream) finish(h *half, err error) {
	if err != nil {
		s.abort()
	}
	s.life.Lock()
	if h == s.up {
		s.life.sending = err
	} else {
		s.life.receiving = err
	}
	h.over = true
	if h.leaving.Swap(false) && !s.life.aborted {
		h.conn.SetReadDeadline(time.Time{}) // the link may go on to another stream
	}
	s.life.left--
	over, sending, receiving := s.life.left == 0, s.life.sending, s.life.receiving
	s.life.Unlock()
	if !over {
		return
	}
	s.link.stream.Store(nil)
	if sending == nil && receiving == nil {
		s.plain.Close()
		s.done(nil)
		return
	}
	s.farewell(sending, receiving)
	s.done(s.cause(sending, receiving))
}

// cause gives the error that came first: the other is its echo.
func (s *stream) cause(sending, receiving error) error {
	if why := s.link.why.Load(); why != nil {
		return errors.New("tunnel: cut: " + *why)
	}
	for _, err := range []error{receiving, sending} {
		if err != nil && !errors.Is(err, net.ErrClosed) && !isTimeout(err) {
			return err
		}
	}
	return errors.Join(receiving, sending)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// abort breaks plain, and unblocks whoever waits, in a goroutine or parked. It may be called more than once.
func (s *stream) abort() {
	s.life.Lock()
	s.life.aborted = true
	tickets := []uint64{s.up.ticket, s.down.ticket}
	s.up.ticket, s.down.ticket = 0, 0
	s.life.Unlock()
	reset(s.plain)
	s.link.line.SetReadDeadline(time.Unix(1, 0))
	s.link.line.SetWriteDeadline(time.Now().Add(resetTimeout))
	for _, ticket := range tickets {
		if ticket != 0 {
			s.parker.resume(ticket)
		}
	}
}

// farewell tells the far end that the stream broke, where the line still allows it, and ends the link.
func (s *stream) farewell(sending, receiving error) {
	l := s.link
	// After its end or a write that was cut short our direction has nothing more to say: the missing end of TLS says it,
	// as it does without frames.
	if l.framed && (errors.Is(sending, errPlain) || sending == errAborted) && receiving != errReset && l.why.Load() == nil {
		l.control(kindReset, l.number(), reasonBroken)
		l.tls.CloseWrite()
	}
	l.line.Close()
}

// send carries what plain says to the link.
func (s *stream) send() error {
	if len(s.first) > 0 {
		b := takeBuffer(false)
		err := s.link.send(b, copy(b[sendRoom:], s.first))
		giveBuffer(b)
		if err != nil {
			return err
		}
		s.first = nil
	}
	for {
		b, n, err := s.source.read(sendRoom)
		if n > 0 {
			s.last.Store(s.clock.Load())
			sent := s.link.send(b, n)
			giveBuffer(b)
			if sent != nil {
				return fmt.Errorf("tunnel: sending: %w", sent)
			}
			s.presence.sent.Add(int64(n))
			s.presence.pace(n, s.paced)
		}
		if err == io.EOF {
			return s.end()
		}
		if s.up.leaving.Load() && isTimeout(err) {
			return errQuiet
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errPlain, err)
		}
	}
}

// end says that this is all.
func (s *stream) end() error {
	if s.link.framed {
		return s.link.control(kindEnd, s.link.number(), reasonNone)
	}
	return s.link.tls.CloseWrite()
}

// receive carries what the link says to plain.
func (s *stream) receive() error {
	if !s.link.framed {
		return s.receiveWhole()
	}
	for {
		found, err := s.link.next()
		if err != nil {
			return s.truncated(err)
		}
		switch found.kind {
		case kindData:
			if err := s.deliver(found.data); err != nil {
				return err
			}
		case kindEnd:
			return s.deliverEnd()
		case kindReset:
			return errReset
		default:
			return errFrame
		}
	}
}

// receiveWhole is receive for a link whose own end is the stream's.
func (s *stream) receiveWhole() error {
	l := s.link
	for {
		if err := l.fill(); err == io.EOF {
			return s.deliverEnd()
		} else if err != nil {
			return s.truncated(err)
		}
		err := s.deliver(l.in[l.r:l.w])
		l.r = l.w
		l.drained()
		if err != nil {
			return err
		}
	}
}

// truncated calls the end of a link in the middle of a stream what it is.
func (s *stream) truncated(err error) error {
	if s.down.leaving.Load() && isTimeout(err) {
		return errQuiet
	}
	if err == io.EOF {
		return mtls.ErrTruncated
	}
	return err
}

func (s *stream) deliver(b []byte) error {
	s.last.Store(s.clock.Load())
	s.presence.received.Add(int64(len(b)))
	if _, err := s.drain.Write(b); err != nil {
		return fmt.Errorf("%w: %w", errPlain, err)
	}
	s.presence.pace(len(b), s.paced)
	return nil
}

// paced reports whether a stream that waits for its peer's rate goes on. It is not idle.
func (s *stream) paced() bool {
	s.last.Store(s.clock.Load())
	s.life.Lock()
	defer s.life.Unlock()
	return !s.life.aborted
}

// deliverEnd says to plain that this was all. One that is closed already does not need to hear it.
func (s *stream) deliverEnd() error {
	if half, ok := s.plain.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	return nil
}

// expired says by which of its deadlines a stream is to be ended, or "".
func (s *stream) expired(now int64) string {
	switch {
	case s.idle > 0 && now-s.last.Load() >= int64(s.idle):
		return "idle"
	case s.total > 0 && now-s.began >= int64(s.total):
		return "total"
	}
	return ""
}

// reset closes a connection so that its other side sees it broken, where the network has a way to say so.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
