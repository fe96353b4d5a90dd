//go:build !js

// Package transport holds the implementations of client.Transport: Native for terminals and bots, over mutual TLS and a
// WebSocket. Begin with ParseAddress and NewNative.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lxzan/gws"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mtls"
)

const (
	// dialTimeout bounds connecting, shaking hands and upgrading, each: what takes longer is of no use to a person.
	dialTimeout = 10 * time.Second
	// writeTimeout bounds the sending of one frame: a server that does not read for so long is gone.
	writeTimeout = 20 * time.Second
)

// Native is a client.Transport over TLS 1.3 in which both sides are known by their keys: the server by its pin, this device
// by its own key.
type Native struct {
	address Address
}

var _ client.Transport = (*Native)(nil)

// NewNative gives the transport to the server at address.
func NewNative(address Address) *Native { return &Native{address} }

// ProvesDevice implements client.Transport: TLS does.
func (n *Native) ProvesDevice() bool { return true }

// Connect implements client.Transport.
func (n *Native) Connect(ctx context.Context, device ident.DeviceKey) (client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	identity, err := mtls.FromKey(device.Signer())
	if err != nil {
		return nil, fmt.Errorf("transport: reading the device's key: %w", err)
	}
	config, err := mtls.ClientTLS(identity, n.address.Pin, wire.ALPN)
	if err != nil {
		return nil, fmt.Errorf("transport: preparing TLS: %w", err)
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", n.address.HostPort)
	if err != nil {
		return nil, fmt.Errorf("reaching %s: %w", n.address.HostPort, err)
	}
	secured := tls.Client(raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, n.handshakeError(err)
	}
	return n.upgrade(secured)
}

// handshakeError tells a server that is another one than the pin says from one that cannot be reached.
func (n *Native) handshakeError(err error) error {
	var peer *mtls.PeerError
	if errors.As(err, &peer) {
		return &client.Error{Code: client.Refused, Message: "the server is not the one that the pin names: " + peer.Error(),
			Hint: "somebody may stand between, or the server has a new key: ask its operator for the pin"}
	}
	return fmt.Errorf("shaking hands with %s: %w", n.address.HostPort, err)
}

// upgrade makes the connection a WebSocket.
func (n *Native) upgrade(secured *tls.Conn) (client.Conn, error) {
	c := &conn{frames: make(chan []byte), ended: make(chan struct{})}
	socket, response, err := gws.NewClientFromConn(c, &gws.ClientOption{
		Addr:               "ws://" + n.address.HostPort + wire.Path, // TLS is under it already
		RequestHeader:      http.Header{},
		HandshakeTimeout:   dialTimeout,
		ReadMaxPayloadSize: wire.MaxFrame, WriteMaxPayloadSize: wire.MaxFrame,
		Logger: silent{},
	}, newGuarded(secured))
	if err != nil {
		status := ""
		if response != nil {
			status = " (" + response.Status + ")"
		}
		return nil, fmt.Errorf("opening a socket at %s%s: %w", n.address.HostPort, status, err)
	}
	c.socket = socket
	c.reading.Go(socket.ReadLoop)
	return c, nil
}

// silent is gws's logger: what matters comes out of Receive.
type silent struct{}

// Error implements gws.Logger.
func (silent) Error(...any) {}

// conn is a client.Conn over a WebSocket. gws pushes frames, Receive pulls them: nothing is buffered between the two, so
// that a client that is slow to read holds the server back rather than filling its own memory.
type conn struct {
	gws.BuiltinEventHandler
	socket  *gws.Conn
	frames  chan []byte
	ended   chan struct{} // closed by the first of Close and OnClose
	reading sync.WaitGroup
	once    sync.Once
	cause   error // set before ended is closed
}

// OnMessage is gws.Event's.
func (c *conn) OnMessage(socket *gws.Conn, m *gws.Message) {
	defer m.Close()
	if m.Opcode != gws.OpcodeBinary {
		c.end(errors.New("the server sent text"))
		socket.NetConn().Close()
		return
	}
	frame := append([]byte{}, m.Bytes()...)
	select {
	case c.frames <- frame:
	case <-c.ended:
	}
}

// OnClose is gws.Event's.
func (c *conn) OnClose(_ *gws.Conn, err error) {
	var closed *gws.CloseError
	if errors.As(err, &closed) && len(closed.Reason) > 0 {
		err = errors.New(string(closed.Reason)) // the server's words, without the library's
	}
	c.end(fmt.Errorf("the connection has ended: %w", err))
}

func (c *conn) end(cause error) {
	c.once.Do(func() {
		c.cause = cause
		close(c.ended)
	})
}

// Send implements client.Conn.
func (c *conn) Send(ctx context.Context, frame []byte) error {
	deadline := time.Now().Add(writeTimeout)
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	if err := c.socket.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return c.socket.WriteMessage(gws.OpcodeBinary, frame)
}

// Receive implements client.Conn.
func (c *conn) Receive(ctx context.Context) ([]byte, error) {
	select {
	case frame := <-c.frames:
		return frame, nil
	case <-c.ended:
		return nil, c.cause
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements client.Conn. It returns when the reading goroutine has ended.
func (c *conn) Close() error {
	c.end(net.ErrClosed)
	err := c.socket.NetConn().Close()
	c.reading.Wait()
	return err
}
