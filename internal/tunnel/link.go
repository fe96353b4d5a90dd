package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"snug/mtls"
)

// A link is an authenticated connection between the two ends of a tunnel: a carrier where the other end is a tunnel too,
// else plain TLS, which is good for one stream. One goroutine reads and one writes at a time.
type link struct {
	tls   *tls.Conn
	line  *line
	state tls.ConnectionState
	who   identity
	since time.Time // when it was judged so
	// framed says that it is a carrier.
	framed bool

	// Owned by the reader: what was decrypted and not yet looked at, from r to w. It lies in the line's buffer, over the
	// records in which it came.
	in      []byte
	r, w    int
	first   [1]byte
	readErr error // comes after what lies in in
	decoder decoder

	// policy is what judged the peer last, and presence what it counts for; guarded by the route's lock.
	policy   *policy
	presence *presence
	// stream is the one under way, for deadlines and counts.
	stream atomic.Pointer[stream]
	// idleSince is when the last stream ended, in nanoseconds; 0 while there is one.
	idleSince atomic.Int64
	// answering is when we began to write an answer that nothing else has a deadline for, as idleSince.
	answering atomic.Int64
	// why says what cut it from our side.
	why atomic.Pointer[string]
}

// handshake makes a link of a connection, and closes it on errors. The deadline holds for all that is said before the
// first stream. Where it fails after the peer was judged there is a link beside the error, for nothing but to say who that
// was.
func handshake(ctx context.Context, raw net.Conn, p *policy, accepting bool) (*link, error) {
	l := &link{line: newLine(raw), policy: p}
	if accepting {
		l.tls = tls.Server(l.line, p.config)
	} else {
		l.tls = tls.Client(l.line, p.config)
		l.line.hold()
	}
	raw.SetDeadline(time.Now().Add(handshakeTimeout))
	if err := l.tls.HandshakeContext(ctx); err != nil {
		l.line.release()
		l.line.discard()
		linger(raw)
		return nil, err
	}
	l.state = l.tls.ConnectionState()
	l.since = p.now()
	who, err := p.judge(l.state)
	if err != nil {
		raw.Close()
		return nil, err
	}
	l.who = who
	l.framed = l.state.NegotiatedProtocol == Protocol
	l.decoder.accepting = !accepting
	if !l.framed {
		err = l.line.release() // there is no opening for which it could wait
	}
	if err == nil && !accepting && l.state.NegotiatedProtocol == mtls.Protocol {
		err = l.confirmed()
	}
	if err != nil {
		l.discard()
		raw.Close()
		return l, err
	}
	l.drained()
	raw.SetDeadline(time.Time{})
	return l, nil
}

// confirmed waits for the byte by which a listener of package mtls says that it has accepted us.
func (l *link) confirmed() error {
	if err := l.fill(); err != nil {
		return err
	}
	said := l.in[l.r]
	l.r++
	l.drained()
	return mtls.Confirmed(said)
}

// confirm says that byte, to who waits for it, now.
func (l *link) confirm(now int64) bool {
	if l.state.NegotiatedProtocol != mtls.Protocol {
		return true
	}
	l.answering.Store(now)
	defer l.answering.Store(0)
	if _, err := l.tls.Write([]byte{mtls.Confirmation(true)}); err != nil {
		l.line.Close()
		return false
	}
	return true
}

// turnAway ends a link for which there is no room, and says so to who waits for that byte.
func (l *link) turnAway() {
	if l.state.NegotiatedProtocol == mtls.Protocol {
		l.line.SetWriteDeadline(time.Now().Add(resetTimeout))
		l.tls.Write([]byte{mtls.Confirmation(false)})
		l.tls.CloseWrite()
	}
	l.line.Close()
}

// linger closes so that an alert arrives: closing a socket with unread bytes in it sends a reset, which may overtake it.
func linger(raw net.Conn) {
	defer raw.Close()
	half, ok := raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	raw.SetReadDeadline(time.Now().Add(lingerTimeout))
	io.Copy(io.Discard, io.LimitReader(raw, maxLinger))
}

// fill waits until there are decrypted bytes in in, and takes as many as are there for the asking.
func (l *link) fill() error {
	if l.r < l.w {
		return nil
	}
	if l.readErr != nil {
		return l.readErr
	}
	if err := l.line.fill(); err != nil {
		l.keep(err)
		return err
	}
	defer l.drained()
	// The first record may have to be waited for, and the line may take another buffer meanwhile. Only when its first byte
	// is there is it known where the others have room: in front of what the line has not handed on yet.
	if _, err := l.tls.Read(l.first[:]); err != nil {
		l.keep(err)
		return err
	}
	l.in, l.r, l.w = l.line.in, 0, 1
	l.in[0] = l.first[0]
	l.line.nowait = true // a record can turn out to hold nothing for us
	for {
		n, err := l.tls.Read(l.in[l.w:])
		l.w += n
		if l.keep(err); err != nil || !l.line.ready() {
			return nil
		}
	}
}

// keep remembers what has ended the reading. A deadline has not: crypto/tls goes on after it where it was.
func (l *link) keep(err error) {
	if err != nil && !isTimeout(err) {
		l.readErr = err
	}
}

// drained gives the buffer back when all in it was used.
func (l *link) drained() {
	l.line.nowait = false
	if l.r == l.w {
		l.in, l.r, l.w = nil, 0, 0
		l.line.empty()
	}
}

// next waits for the next event of a carrier. Data in it lives until next is called again.
func (l *link) next() (event, error) {
	for {
		l.drained()
		if err := l.fill(); err != nil {
			return event{}, err
		}
		found, rest, err := l.decoder.next(l.in[l.r:l.w])
		l.r = l.w - len(rest)
		if found.kind != kindData {
			l.drained()
		}
		if err != nil || found.kind != 0 {
			return found, err
		}
	}
}

// send writes n bytes that lie in b from sendRoom on. Nothing of b is left as it was.
func (l *link) send(b []byte, n int) error {
	out := b[sendRoom : sendRoom+n]
	if l.framed {
		out = b[sendRoom-headerSize : sendRoom+n]
		putHeader(out, n)
	}
	if len(out) <= maxRecord {
		_, err := l.tls.Write(out)
		return err
	}
	l.line.gather(b, len(out))
	_, err := l.tls.Write(out)
	return errors.Join(err, l.line.flush())
}

// control writes a frame other than data.
func (l *link) control(k kind, number uint64, why reason) error {
	_, err := l.tls.Write(appendControl(make([]byte, 0, headerSize+controlSize), k, number, why))
	return err
}

// answer writes the answer to an opening, now: it is cut if the far end does not take it.
func (l *link) answer(k kind, why reason, now int64) error {
	l.answering.Store(now)
	defer l.answering.Store(0)
	return l.control(k, l.number(), why)
}

// number is that of the stream under way: the decoder of the far end's frames keeps it on both ends.
func (l *link) number() uint64 { return l.decoder.number }

// open begins a stream on a carrier and waits until its target was reached.
func (l *link) open() error {
	if !l.framed {
		return nil
	}
	number := l.decoder.number + 1
	l.tls.SetDeadline(time.Now().Add(openTimeout))
	l.decoder.await(number)
	err := l.control(kindOpen, number, reasonNone)
	if err == nil {
		err = l.line.release() // what is left of the handshake goes with it
	}
	if err != nil {
		return err
	}
	answer, err := l.next()
	if err != nil {
		return err
	}
	if answer.kind == kindRefuse {
		return &refusedStream{answer.why}
	}
	return l.tls.SetDeadline(time.Time{})
}

// A refusedStream is a stream that the far end did not take. The carrier is as good as before.
type refusedStream struct{ why reason }

func (e *refusedStream) Error() string {
	return "tunnel: the far end refused the stream: " + e.why.String()
}

// opened waits for the next stream of a carrier. io.EOF says that the far end has closed it.
func (l *link) opened() error {
	found, err := l.next()
	if err != nil {
		return err
	}
	if found.kind != kindOpen {
		return fmt.Errorf("%w: kind %d between streams", errFrame, found.kind)
	}
	return nil
}

// reusable reports whether a carrier whose stream ended in both directions can take another.
func (l *link) reusable() bool {
	return l.framed && l.decoder.whole() && l.r == l.w && l.readErr == nil && l.why.Load() == nil
}

// alive reports whether an idle carrier is still one: nothing has come on it, not even its end.
func (l *link) alive() bool { return l.r == l.w && l.line.r == l.line.w && l.line.source.alive() }

// cut ends it at once. The far end, and who is behind it, see a stream that broke.
func (l *link) cut(why string) {
	l.why.CompareAndSwap(nil, &why)
	l.line.Close()
	if s := l.stream.Load(); s != nil {
		s.abort()
	}
}

// discard gives the buffer back once nobody reads the link any more.
func (l *link) discard() {
	l.in, l.r, l.w = nil, 0, 0
	l.line.discard()
}

// close ends it with a farewell, for which there is a time. Who reads it may be writing just now, the answer to an update
// of keys to a far end that takes nothing, and holds what the farewell needs.
func (l *link) close() {
	l.line.SetWriteDeadline(time.Now().Add(resetTimeout))
	l.tls.Close()
}
