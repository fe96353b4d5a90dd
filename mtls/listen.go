package mtls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ListenerOptions say who listens and whom it accepts: Identity and Trust, or Live
// in their place. The rest may be left out, and is as in ClientOptions.
type ListenerOptions struct {
	Identity *Identity
	Trust    Trust
	Live     *Live

	// Protocols are the protocols (ALPN) to speak, best first, with a confirmation
	// of the dialer; none means Protocol. PlainProtocols are those without.
	Protocols      []string
	PlainProtocols []string

	// Patience is how long DecideUnverified may take; 10 s where it is zero.
	Patience time.Duration

	// DecideUnverified, where set, is asked about dialers that Trust does not
	// cover, and may then be the only one of the two.
	DecideUnverified Decide

	// Admit, if not nil, has the last word about a dialer that Trust or
	// DecideUnverified has let in, before it is told so: for how many connections
	// it may have at a time. On an error its Dial gives a *RefusedError that is
	// Busy. Otherwise release, if not nil, is called once, when our end of the
	// connection is closed. Called from many goroutines; it must not wait.
	Admit func(peer Peer, remote net.Addr) (release func(), err error)

	// Refused, if not nil, is told of every connection that did not come through
	// the handshake, with a *PeerError if its key was the reason. Called from many
	// goroutines; not after Close has returned.
	Refused func(remote net.Addr, err error)
}

// Listener accepts connections of peers that it trusts. Handshakes run beside
// each other, for 10 s at most; where there are more than 256 of them, or 64 from
// one address, the oldest has to go, so that nobody can keep others waiting by
// being slow. All methods are safe from any goroutine.
type Listener struct {
	inner   net.Listener
	terms   *Terms
	config  *tls.Config
	admit   func(Peer, net.Addr) (func(), error)
	refused func(net.Addr, error)

	accepted chan *Conn
	slots    chan struct{} // one for each connection on its way to Accept
	done     chan struct{} // closed by shut
	stop     context.CancelFunc
	running  sync.WaitGroup

	pending openings
}

// Listen listens on an address; ctx is for finding it only. Errors as those of
// Dial.
func Listen(ctx context.Context, network, addr string, opts *ListenerOptions) (*Listener, error) {
	if _, err := opts.terms(); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	inner, err := config.Listen(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("mtls: listening: %w", err)
	}
	return NewListener(inner, opts)
}

// NewListener takes over a listener that exists, and closes it on errors. Close
// must be called in the end.
func NewListener(inner net.Listener, opts *ListenerOptions) (*Listener, error) {
	t, err := opts.terms()
	if err != nil {
		inner.Close()
		return nil, err
	}
	l := &Listener{
		inner:    inner,
		terms:    t,
		config:   t.config(),
		admit:    opts.Admit,
		refused:  opts.Refused,
		accepted: make(chan *Conn),
		slots:    make(chan struct{}, maxServed),
		done:     make(chan struct{}),
	}
	l.pending.conns = make(map[net.Conn]struct{})
	// The listener's own lifetime, from here to Close.
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.running.Go(func() { l.run(ctx) })
	return l, nil
}

// Accept gives the next connection as a *Conn: net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// AcceptConn gives the next connection, its peer judged. After Close the error is
// net.ErrClosed.
func (l *Listener) AcceptConn() (*Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.done:
		return nil, fmt.Errorf("mtls: accepting: %w", net.ErrClosed)
	}
}

// Addr gives the address listened on.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close stops listening, ends the handshakes under way and waits for them: Refused
// must not call it. Connections that were accepted live on.
func (l *Listener) Close() error {
	l.shut()
	err := l.inner.Close()
	l.running.Wait()
	return err
}

// run accepts until Close, or until somebody else closes the inner listener.
func (l *Listener) run(ctx context.Context) {
	defer l.shut()
	backoff := time.Duration(0)
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.done:
			return
		}
		raw, err := l.inner.Accept()
		if err == nil {
			backoff = 0
			// In the order in which they came: who came last must not be taken for the oldest.
			opening := l.pending.begin(raw)
			l.running.Go(func() {
				l.serve(ctx, raw, opening)
				<-l.slots
			})
			continue
		}
		<-l.slots
		if errors.Is(err, net.ErrClosed) {
			return
		}
		backoff = min(max(2*backoff, 5*time.Millisecond), maxBackoff)
		select {
		case <-time.After(backoff):
		case <-l.done:
			return
		}
	}
}

// shut ends what waits and what is under way. It may be called more than once.
func (l *Listener) shut() {
	if l.pending.close() {
		close(l.done)
		l.stop()
	}
}

// serve sees one connection through its handshake to Accept.
func (l *Listener) serve(ctx context.Context, raw net.Conn, opening *opening) {
	if opening == nil { // the listener is closed
		raw.Close()
		return
	}
	conn, err := l.handshake(ctx, opening)
	l.pending.end(opening)
	if err != nil {
		if l.refused != nil {
			l.refused(raw.RemoteAddr(), err)
		}
		return
	}
	select {
	case l.accepted <- conn:
	case <-l.done:
		// It was told that it is in, and nobody reads what it says: that is a cut,
		// and no end.
		conn.NetConn().Close()
	}
}

// handshake judges the peer and confirms; on errors it closes.
func (l *Listener) handshake(ctx context.Context, opening *opening) (*Conn, error) {
	raw := opening.raw
	raw.SetDeadline(time.Now().Add(handshakeTimeout))
	w := &wire{Conn: raw}
	conn := tls.Server(w, l.config)
	err := conn.Handshake()
	if err != nil {
		linger(raw) // which may be evicted too
	}
	if l.pending.shaken(opening) && (err == nil || errors.Is(err, net.ErrClosed)) {
		err = ErrCrowded
	}
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("mtls: handshake: %w", err)
	}
	accepted, err := l.terms.accept(ctx, conn, w)
	raw.SetDeadline(time.Now().Add(lingerTimeout))
	if err == nil {
		err = l.makeRoom(accepted, w)
	}
	if err != nil {
		// An end that is announced: to the dialer it is a refusal, not a cut.
		conn.CloseWrite()
		w.leave()
		linger(raw)
		return nil, err
	}
	if err := l.confirm(conn); err != nil {
		w.Close()
		return nil, fmt.Errorf("mtls: confirming: %w", err)
	}
	return accepted, nil
}

// confirm tells the dialer that it is in.
func (l *Listener) confirm(conn *tls.Conn) error {
	raw := conn.NetConn()
	if err := raw.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if l.terms.confirmed(conn) {
		if _, err := conn.Write([]byte{confirmation}); err != nil {
			return err
		}
	}
	return raw.SetDeadline(time.Time{})
}

// makeRoom asks whether there is room for a connection, and tells the dialer where
// there is none.
func (l *Listener) makeRoom(conn *Conn, w *wire) error {
	if l.admit == nil {
		return nil
	}
	release, err := l.admit(conn.peer, conn.RemoteAddr())
	if err == nil {
		if release != nil {
			w.release = sync.OnceFunc(release)
		}
		return nil
	}
	if l.terms.confirmed(conn.Conn) {
		conn.Write([]byte{busy})
	}
	return fmt.Errorf("mtls: admitting the peer: %w", err)
}

// linger closes so that the alert arrives: closing a socket with unread bytes in
// it sends a reset, and that may make the far kernel forget what it has received.
func linger(raw net.Conn) {
	defer raw.Close()
	half, ok := raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	raw.SetReadDeadline(time.Now().Add(lingerTimeout))
	io.Copy(io.Discard, io.LimitReader(raw, maxLinger))
}
