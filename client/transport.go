package client

import (
	"context"

	"snug/internal/ident"
)

// Transport reaches one server. Connect may be called again after a connection has ended.
type Transport interface {
	// Connect gives a connection on which the server was recognised: by its pin natively, by the page's origin in a
	// browser. Where ProvesDevice, it is made with the device's key, and the server knows it by that. An *Error of code
	// Refused means that the peer is not that server, or not willing to be: what waits for the network is told so. Any
	// other error is taken for "not reachable now".
	Connect(ctx context.Context, device ident.DeviceKey) (Conn, error)

	// ProvesDevice reports whether the transport itself proves the device's key to the server (mutual TLS). Where it
	// does not, the client signs the server's nonce.
	ProvesDevice() bool
}

// Conn carries whole frames in both directions. Send and Receive may be called concurrently with each other, Close with
// both. After an error the connection is of no more use.
type Conn interface {
	// Send hands over one frame. A nil error does not mean that it arrived.
	Send(ctx context.Context, frame []byte) error
	// Receive gives the next frame, which the caller keeps.
	Receive(ctx context.Context) ([]byte, error)
	// Close ends the connection; a Receive that waits returns an error.
	Close() error
}
