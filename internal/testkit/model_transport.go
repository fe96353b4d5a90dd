package testkit

import (
	"context"
	"errors"
	"sync"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/wire"
)

// Net connects clients with a Model by goroutines: a client.Transport for the real driver. Create it with NewNet.
type Net struct {
	mu    sync.Mutex // guards all below, and the model
	model *Model
	conns map[*Session]*netConn
	down  error
}

// NewNet gives a network around the model, which belongs to it from here on.
func NewNet(m *Model) *Net {
	n := &Net{model: m, conns: make(map[*Session]*netConn)}
	m.OnFrame = func(s *Session) {
		if conn := n.conns[s]; conn != nil {
			conn.signal()
		}
	}
	return n
}

// Do runs f while nobody else uses the model.
func (n *Net) Do(f func(*Model)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n.model)
}

// Cut ends all connections. While err is not nil no new ones are made.
func (n *Net) Cut(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = err
	for s, conn := range n.conns {
		s.Close()
		conn.signal()
	}
	n.conns = make(map[*Session]*netConn)
}

// Transport gives a transport that proves the device's key as TLS does, or one that does not.
func (n *Net) Transport(proves bool) client.Transport { return &netTransport{n, proves} }

type netTransport struct {
	net    *Net
	proves bool
}

func (t *netTransport) ProvesDevice() bool { return t.proves }

func (t *netTransport) Connect(ctx context.Context, device ident.DeviceKey) (client.Conn, error) {
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	if t.net.down != nil {
		return nil, t.net.down
	}
	var key *ident.PublicKey
	if t.proves {
		public := device.Public()
		key = &public
	}
	conn := &netConn{net: t.net, session: t.net.model.Connect(key), ready: make(chan struct{}, 1)}
	t.net.conns[conn.session] = conn
	return conn, nil
}

type netConn struct {
	net     *Net
	session *Session
	ready   chan struct{}
	frames  [][]byte // owned by Receive
}

func (c *netConn) signal() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

func (c *netConn) Send(ctx context.Context, frame []byte) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.session.Closed() {
		return errCut
	}
	c.session.Handle(frame)
	return nil
}

var errCut = errors.New("testkit: the connection was cut")

func (c *netConn) Receive(ctx context.Context) ([]byte, error) {
	for len(c.frames) == 0 {
		c.net.mu.Lock()
		c.frames = c.session.Take()
		closed := c.session.Closed()
		c.net.mu.Unlock()
		if len(c.frames) > 0 {
			break
		}
		if closed {
			return nil, errCut
		}
		select {
		case <-c.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	frame := c.frames[0]
	c.frames = c.frames[1:]
	return frame, Lag(ctx, frame)
}

// lag is longer than anything takes that clients do by themselves at one moment, and shorter than what they wait for.
const lag = 10 * time.Millisecond

// Lag holds a frame up that answers nothing. What one person does is known to another later than to themselves: a test that
// has the other act on it without waiting fails always, and not when the machine is busy.
func Lag(ctx context.Context, frame []byte) error {
	f := new(wire.ServerFrame)
	if f.UnmarshalVT(frame) != nil || f.Id != 0 {
		return nil
	}
	select {
	case <-time.After(lag):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *netConn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.session.Close()
	delete(c.net.conns, c.session)
	c.signal()
	return nil
}
