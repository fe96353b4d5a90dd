package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mtls"

	"github.com/lxzan/gws"
)

const (
	// maxHandshakes is how many TLS handshakes run at once, with some 20 KiB each; more wait in the kernel.
	maxHandshakes = 1024
	// shakeWithin is how long a handshake may take where others wait for its place, rather than greetWithin: whoever holds
	// connections open without a word must open a thousand each second to keep others out.
	shakeWithin = time.Second
	// maxHeader bounds an HTTP request's header, in bytes: a browser's has under 4 KiB.
	maxHeader = 16 << 10
	// acceptPause is how long we wait when the system has no more connections to give.
	acceptPause = 50 * time.Millisecond
)

// listening is the ports at work.
type listening struct {
	server   *Server
	ports    Ports
	upgrader *gws.Upgrader
	failed   chan error // one for each goroutine at most
	running  sync.WaitGroup

	plain, secure *http.Server
	browsers      *handover // TLS connections that turn out to be browsers'
	visitors      visitors
	shaking       *handshakes
	stopping      chan struct{}
}

func (s *Server) listen(ports Ports) *listening {
	l := &listening{
		server: s, ports: ports, upgrader: newUpgrader(), failed: make(chan error, 4), stopping: make(chan struct{}),
		shaking: newHandshakes(),
	}
	if ports.HTTP != nil {
		l.plain = l.browse(false)
		l.running.Go(func() { l.fail(l.plain.Serve(ports.HTTP)) })
	}
	if ports.TLS != nil {
		l.secure, l.browsers = l.browse(true), newHandover(ports.TLS.Addr())
		l.running.Go(func() { l.fail(l.secure.Serve(l.browsers)) })
		l.running.Go(func() { l.fail(l.accept()) })
	}
	return l
}

// browse makes the HTTP server of one port: page, WebSocket and health.
func (l *listening) browse(secure bool) *http.Server {
	return &http.Server{
		Handler:           l.server.handler(l, secure),
		ReadHeaderTimeout: greetWithin,
		ReadTimeout:       greetWithin,
		WriteTimeout:      silentFor,
		IdleTimeout:       silentFor,
		MaxHeaderBytes:    maxHeader,
		ConnState:         l.visitors.State,
		ErrorLog:          log.New(discard{}, "", 0), // it names addresses
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// fail reports an end that nobody asked for.
func (l *listening) fail(err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		l.failed <- err
	}
}

// stop closes the ports and waits until nobody new comes in. Sessions go on.
func (l *listening) stop() {
	close(l.stopping)
	if l.plain != nil {
		l.plain.Close()
	}
	if l.ports.TLS != nil {
		l.ports.TLS.Close()
		l.browsers.Close()
		l.secure.Close()
	}
	l.running.Wait()
}

// accept takes TLS connections. A handshake has a goroutine of its own that ends
// with it: its stack is large, and sessions last.
func (l *listening) accept() error {
	for {
		raw, err := l.ports.TLS.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Out of file descriptors, most likely: others will free some.
			l.server.Log.Warn("accepting a connection", "error", err)
			select {
			case <-time.After(acceptPause):
				continue
			case <-l.stopping:
				return nil
			}
		}
		if !l.shaking.begin(raw, l.stopping) {
			raw.Close()
			return nil
		}
		l.server.sessions.Go(func() {
			defer l.shaking.end(raw)
			l.handshake(raw)
		})
	}
}

func (l *listening) handshake(raw net.Conn) {
	conn := tls.Server(raw, l.ports.TLSConfig)
	ctx, cancel := context.WithTimeout(l.server.life, greetWithin)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		l.server.Log.Debug("handshake failed", "error", err)
		raw.Close()
		return
	}
	if conn.ConnectionState().NegotiatedProtocol != wire.ALPN {
		l.browsers.give(conn)
		return
	}
	key, err := deviceKey(conn.ConnectionState())
	if err != nil {
		l.server.Log.Debug("client's key refused", "error", err)
		conn.Close()
		return
	}
	l.server.sessions.Go(func() { l.native(conn, key) })
}

func deviceKey(state tls.ConnectionState) (ident.PublicKey, error) {
	peer, err := mtls.PeerKey(state)
	if err != nil {
		return ident.PublicKey{}, err
	}
	key, ok := peer.Ed25519()
	if !ok {
		return ident.PublicKey{}, errors.New("server: a device's key is of Ed25519")
	}
	return ident.PublicKey(key), nil
}

// native reads the one HTTP request of a native client: the upgrade.
func (l *listening) native(conn *tls.Conn, key ident.PublicKey) {
	_ = conn.SetDeadline(time.Now().Add(greetWithin))
	// ReadRequest would read a line without an end for as long as it comes.
	in := bufio.NewReaderSize(io.LimitReader(conn, maxHeader), readBuffer)
	r, err := http.ReadRequest(in)
	if err != nil || r.URL.Path != wire.Path || l.server.draining.Load() {
		l.server.Log.Debug("no upgrade", "error", err)
		conn.Close()
		return
	}
	l.server.serve(conn, in, r, l.upgrader, key)
}

// socket upgrades a browser's connection.
func (l *listening) socket(w http.ResponseWriter, r *http.Request) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		http.Error(w, "no upgrade on this connection", http.StatusBadRequest)
		return
	}
	conn, buffered, err := hijacker.Hijack()
	if err != nil {
		return
	}
	// A goroutine of its own, so that the request's memory goes.
	l.server.sessions.Go(func() { l.server.serve(conn, buffered.Reader, r, l.upgrader, ident.PublicKey{}) })
}

// handover is a listener of connections that another one has accepted.
type handover struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandover(addr net.Addr) *handover {
	return &handover{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (h *handover) give(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		conn.Close()
	}
}

// Accept is net.Listener's.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr is net.Listener's.
func (h *handover) Addr() net.Addr { return h.addr }
