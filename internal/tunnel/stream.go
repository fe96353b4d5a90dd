package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
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

	source      *source
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
)

// run carries both directions until both sides have said that they are done, and leaves the link as it is then. Whatever
// else ends it resets plain, and ends the link, so that neither side takes what it has for all there is.
func (s *stream) run() error {
	s.source = newSource(s.plain)
	s.began = s.clock.Load()
	s.last.Store(s.began)
	s.link.idleSince.Store(0)
	s.link.stream.Store(s)
	defer s.link.stream.Store(nil)
	up := make(chan error, 1)
	go func() {
		err := s.up()
		if err != nil {
			s.abort()
		}
		up <- err
	}()
	err := s.down()
	if err != nil {
		s.abort()
	}
	sending := <-up
	if err == nil && sending == nil {
		s.plain.Close()
		return nil
	}
	s.farewell(sending, err)
	return s.cause(sending, err)
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

// abort breaks plain, and unblocks whoever waits for the link. It may be called more than once.
func (s *stream) abort() {
	reset(s.plain)
	s.link.line.SetReadDeadline(time.Unix(1, 0))
	s.link.line.SetWriteDeadline(time.Now().Add(resetTimeout))
}

// farewell tells the far end that the stream broke, where the line still allows it, and ends the link.
func (s *stream) farewell(sending, receiving error) {
	l := s.link
	// After its end or a write that was cut short our direction has nothing more to say: the missing end of TLS says it,
	// as it does without frames.
	if l.framed && errors.Is(sending, errPlain) && receiving != errReset && l.why.Load() == nil {
		l.control(kindReset, l.number(), reasonBroken)
		l.tls.CloseWrite()
	}
	l.line.Close()
}

// up carries what plain says to the link.
func (s *stream) up() error {
	if len(s.first) > 0 {
		b := takeBuffer()
		err := s.link.send(b, copy(b[headerSize:headerSize+maxData], s.first))
		giveBuffer(b)
		if err != nil {
			return err
		}
	}
	for {
		b, n, err := s.source.read(headerSize, maxData)
		if n > 0 {
			s.last.Store(s.clock.Load())
			sent := s.link.send(b, n)
			giveBuffer(b)
			if sent != nil {
				return fmt.Errorf("tunnel: sending: %w", sent)
			}
			s.presence.sent.Add(int64(n))
			s.presence.pace(n)
		}
		if err == io.EOF {
			return s.end()
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

// down carries what the link says to plain.
func (s *stream) down() error {
	if !s.link.framed {
		return s.downWhole()
	}
	for {
		found, err := s.link.next()
		if err != nil {
			return truncated(err)
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

// downWhole is down for a link whose own end is the stream's.
func (s *stream) downWhole() error {
	l := s.link
	for {
		if err := l.fill(); err == io.EOF {
			return s.deliverEnd()
		} else if err != nil {
			return err
		}
		err := s.deliver(l.in[l.r:l.w])
		l.r = l.w
		l.drained()
		if err != nil {
			return err
		}
	}
}

// truncated calls the end of a carrier in the middle of a stream what it is.
func truncated(err error) error {
	if err == io.EOF {
		return mtls.ErrTruncated
	}
	return err
}

func (s *stream) deliver(b []byte) error {
	s.last.Store(s.clock.Load())
	s.presence.received.Add(int64(len(b)))
	if _, err := s.plain.Write(b); err != nil {
		return fmt.Errorf("%w: %w", errPlain, err)
	}
	s.presence.pace(len(b))
	return nil
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
