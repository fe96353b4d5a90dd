package server

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"

	"github.com/lxzan/gws"
)

// session is one connection. One goroutine reads it and carries out its requests
// in order; submits it hands to the store and goes on. A second one lives only
// while there is something to write: see flush.
type session struct {
	server *Server
	socket *gws.Conn
	gate   *gate
	prefix netip.Prefix
	key    ident.PublicKey // of the client in TLS; zero where it showed none
	nonce  [32]byte
	heard  atomic.Int64 // when the last frame came, in ms
	share  atomic.Pointer[share]

	// device is who the connection acts for; nil for a stranger. Once it is revoked the connection may ask for nothing more.
	// Nor may one that has to go for another of its account, once it is evicted.
	device  atomic.Pointer[Device]
	revoked atomic.Bool
	evicted atomic.Bool

	// Owned by the reader.
	greeted bool
	// loggedIn is the account that the connection may enrol a device of, loggedInBy the slow hash that was right then, and
	// letInBy the device that let it, by a link.
	loggedIn   ident.AccountID
	loggedInBy []byte
	letInBy    ident.DeviceID
	// greetings says that welcomes are to be handed out after an answer, those with a Place after welcomed; afterAnswer is
	// called there, where not nil.
	greetings   bool
	welcomed    uint64
	afterAnswer func()

	mu struct {
		sync.Mutex
		outgoing
	}
	// space is signalled when the reader may go on: see outgoing.
	space sync.Cond
}

// WebSocket close codes: RFC 6455, Section 7.4.1.
const (
	closeGoingAway   = 1001
	closeUnsupported = 1003
	closePolicy      = 1008
	closeTryLater    = 1013
)

// newUpgrader makes what turns HTTP connections into sessions' sockets.
func newUpgrader() *gws.Upgrader {
	return gws.NewUpgrader(sockets{}, &gws.ServerOption{
		ReadMaxPayloadSize: wire.MaxFrame,
		ReadBufferSize:     readBuffer,
		ParallelGolimit:    1,
		HandshakeTimeout:   greetWithin,
		NewSession:         func() gws.SessionStorage { return &attached{} },
		Logger:             silence{},
	})
}

// serve upgrades a connection and serves it until it ends. The connection is
// counted in s.sessions by the caller.
func (s *Server) serve(conn net.Conn, buffered *bufio.Reader, r *http.Request, upgrader *gws.Upgrader, key ident.PublicKey) {
	n := &session{server: s, key: key, gate: &gate{Conn: conn, writing: make(chan struct{}, 1)}, prefix: addressPrefix(s.clientAddress(conn.RemoteAddr().String(), r))}
	n.space.L = &n.mu
	n.share.Store(s.registry.strangers)
	n.gate.large = n.admitLarge
	n.gate.SetLimit(maxGreeting)
	n.heard.Store(s.now())
	if _, err := s.Rand.Read(n.nonce[:]); err != nil {
		conn.Close()
		return
	}
	// What came with the request is read again, through the gate.
	var in net.Conn = n.gate
	if early := buffered.Buffered(); early > 0 {
		b, _ := buffered.Peek(early)
		n.gate.Conn = &replay{Conn: conn, early: append([]byte(nil), b...)}
	}
	socket, err := upgrader.UpgradeFromConn(in, bufio.NewReaderSize(in, readBuffer), r)
	if err != nil {
		s.Log.Debug("upgrade refused", "cause", err)
		return // and closed
	}
	n.socket = socket
	socket.Session().(*attached).session = n
	_ = conn.SetDeadline(time.Now().Add(greetWithin))
	if evicted := s.registry.add(n); evicted != nil {
		evicted.hangUp(closeTryLater, "too many connections that have not signed in")
	}
	socket.ReadLoop()
	n.end()
}

// end forgets the session everywhere. Answers to its submits go nowhere.
func (n *session) end() {
	n.socket.NetConn().Close()
	n.mu.Lock()
	n.mu.closed = true
	follows := n.mu.follows
	n.mu.follows, n.mu.lagging = nil, nil
	n.mu.reading = false
	n.leavePlace()
	n.space.Broadcast()
	n.mu.Unlock()
	for _, c := range follows {
		n.server.hub.unfollow(c)
	}
	n.server.registry.remove(n)
	n.server.presence.unwatch(n)
	n.server.mailboxes.left(n, false)
	if d := n.device.Load(); d != nil {
		n.server.presence.left(d)
	}
}

// hangUp closes the connection with a code, from any goroutine, without waiting.
func (n *session) hangUp(code uint16, reason string) {
	n.server.sessions.Go(func() {
		// A peer that does not read would keep our last words waiting for ever.
		_ = n.socket.NetConn().SetWriteDeadline(time.Now().Add(closeWithin))
		_ = n.socket.WriteClose(code, []byte(reason))
		_ = n.socket.NetConn().Close()
	})
}

// sockets is gws's event handler for all sessions.
type sockets struct{}

// OnOpen is gws.Event's.
func (sockets) OnOpen(*gws.Conn) {}

// OnClose is gws.Event's.
func (sockets) OnClose(socket *gws.Conn, err error) {}

// OnPing answers WebSocket's own pings.
func (sockets) OnPing(socket *gws.Conn, payload []byte) {
	of(socket).hear()
	_ = socket.WritePong(payload)
}

// OnPong is gws.Event's.
func (sockets) OnPong(socket *gws.Conn, _ []byte) { of(socket).hear() }

// OnMessage carries out a request. The reader does not read on meanwhile.
func (sockets) OnMessage(socket *gws.Conn, m *gws.Message) {
	n := of(socket)
	n.hear()
	frame := &wire.ClientFrame{}
	err := errText
	if m.Opcode == gws.OpcodeBinary {
		err = wire.CheckClientFrame(m.Bytes())
	}
	if err == nil {
		err = frame.UnmarshalVT(m.Bytes())
	}
	_ = m.Close()
	if err != nil {
		n.last(closeUnsupported, "not a frame of snug")
		return
	}
	n.request(n.server.life, frame)
	n.handled()
}

var errText = errors.New("server: text message")

// last closes the connection after what was queued, and waits until it has.
func (n *session) last(code uint16, reason string) {
	_ = n.socket.NetConn().SetWriteDeadline(time.Now().Add(closeWithin))
	n.waitFlushed()
	_ = n.socket.WriteClose(code, []byte(reason))
}

func (n *session) hear() { n.heard.Store(n.server.now()) }

// acting gives who the connection acts for, UNAUTHENTICATED where for nobody.
func (n *session) acting() (*Device, error) {
	if n.revoked.Load() {
		return nil, ErrRevoked
	}
	if n.evicted.Load() {
		return nil, ErrManyConnections
	}
	if d := n.device.Load(); d != nil {
		return d, nil
	}
	return nil, &Refusal{Code: wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, Message: "this connection acts for no enrolled device",
		Hint: "register, log in or authenticate first"}
}

// become makes the connection a device's.
func (n *session) become(ctx context.Context, d Device) error {
	evicted, err := n.server.registry.identify(n, &d, n.server.now())
	if err != nil {
		return err
	}
	if evicted != nil {
		evicted.evicted.Store(true)
		evicted.hangUp(closeTryLater, ErrManyConnections.Message)
	}
	n.gate.SetLimit(wire.MaxFrame)
	n.device.Store(&d)
	if !n.loggedIn.IsZero() {
		n.server.mailboxes.left(n, true)
	}
	n.loggedIn, n.loggedInBy, n.letInBy = ident.AccountID{}, nil, ident.DeviceID{}
	// The device may have been revoked since we read it: whoever revokes looks for
	// sessions that have a device after the store has it, so one of us finds the other.
	if now, err := n.server.Store.Device(ctx, d.ID); err != nil || now.Revoked {
		n.revoked.Store(true)
		n.hangUp(closePolicy, "device revoked")
		return errors.Join(err, ErrRevoked)
	}
	n.server.presence.came(&d)
	return nil
}

// attached hangs a session on its socket.
type attached struct{ session *session }

func of(socket *gws.Conn) *session { return socket.Session().(*attached).session }

// Len, Load, Delete, Store and Range make it a gws.SessionStorage, which we have no
// other use for.
func (*attached) Len() int                     { return 0 }
func (*attached) Load(string) (any, bool)      { return nil, false }
func (*attached) Delete(string)                {}
func (*attached) Store(string, any)            {}
func (*attached) Range(func(string, any) bool) {}

// silence is gws's logger: what it would say we say ourselves.
type silence struct{}

func (silence) Error(...any) {}

// gate is a connection on which nothing passes that its wire.Gate refuses: nobody can ask us for much memory before we
// know who it is. It stands between TLS and the library.
type gate struct {
	net.Conn
	wire.Gate
	large   func() bool   // whether a large message may be read
	writing chan struct{} // of size 1, for who writes: ours go out in parts, and the library's control frames not between them
}

var errLarge = errors.New("server: too many large messages at once")

// Read reads, and fails on the first header that asks for too much.
func (g *gate) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if refused := g.Look(b[:n]); refused != nil {
		return 0, refused
	}
	if g.UnderWay() > largeFrame && !g.large() {
		return 0, errLarge
	}
	return n, err
}

// Write is net.Conn's.
func (g *gate) Write(b []byte) (int, error) {
	g.writing <- struct{}{}
	defer func() { <-g.writing }()
	return g.Conn.Write(b)
}

// write writes frames and what they share.
func (g *gate) write(f *frames) error {
	g.writing <- struct{}{}
	defer func() { <-g.writing }()
	written := 0
	for _, s := range f.shared {
		if _, err := g.Conn.Write(f.own[written:s.after]); err != nil {
			return err
		}
		if _, err := g.Conn.Write(s.content); err != nil {
			return err
		}
		written = s.after
	}
	if written == len(f.own) {
		return nil
	}
	_, err := g.Conn.Write(f.own[written:])
	return err
}

// replay gives bytes that were read too early, once more.
type replay struct {
	net.Conn
	early []byte
}

// Read reads those first.
func (r *replay) Read(b []byte) (int, error) {
	if len(r.early) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.early)
	r.early = r.early[n:]
	return n, nil
}
