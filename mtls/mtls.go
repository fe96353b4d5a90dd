// Package mtls is mutual TLS 1.3 between known keys: both sides show a key, and
// each checks the other's against those it was told to expect. There is no
// certificate authority to run and no name to check; a peer is known by its
// Fingerprint.
//
// Begin with Generate, which makes an Identity, and with Dial and Listen. A
// server that also speaks to browsers on its port, or that judges keys by itself
// after the handshake, uses ServerTLS; its clients use ClientTLS. NewMessages cuts
// a connection's stream into messages.
//
// What always holds: TLS 1.3 only, with X25519MLKEM768 where the peer has it; no
// session tickets, no early data, no renegotiation; no peer without a pin; a
// connection that was cut off never looks like one that ended.
//
// What it does not do: names, certificate authorities, revocation. Before version
// 1 of the module the API may grow; what is refused now will not be accepted
// later without being asked for.
package mtls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Protocol is the ALPN name of Dial and Listener: after the handshake the listener
// sends one byte to confirm, then both sides send what they like.
const Protocol = "snug-mtls/1"

const (
	// connectTimeout bounds the way to the first byte: as the system's own first
	// four tries (1 + 2 + 4 + 8 s).
	connectTimeout = 15 * time.Second
	// handshakeTimeout bounds a handshake with its confirmation: three round trips
	// over the worst link we mean to serve, 2 s each, and time to compute.
	handshakeTimeout = 10 * time.Second
	// maxHandshakes bounds those under way in one listener. At about 40 KiB each
	// they take 10 MiB.
	maxHandshakes = 256
	// lingerTimeout and maxLinger bound what a listener reads and throws away
	// after a refusal, so that a reset does not overtake the alert: a dialer's
	// last flight is under 4 KiB.
	lingerTimeout = time.Second
	maxLinger     = 64 << 10
	// maxKept bounds the buffer that Messages keep between two of them: four
	// records of TLS.
	maxKept = 64 << 10
	// maxBackoff is the longest pause after accept failed, for want of
	// descriptors for instance.
	maxBackoff = time.Second
)

// confirmation is the byte that a listener sends once it has judged the dialer.
const confirmation = 1

// ClientOptions say who dials and whom it expects. Both are needed.
type ClientOptions struct {
	Identity *Identity
	Trust    Trust
}

// Dial connects and returns once both sides have accepted each other. In TLS 1.3
// a dialer is done before the listener has judged its certificate, so Dial waits
// for one confirming byte, and nothing that is written to the Conn can be lost to
// a refusal.
//
// Errors: ErrUnpinned before anything is sent; *PeerError when the listener is not
// the one expected; *RefusedError when the listener refused us; else net's. ctx
// ends the dialing, not the Conn; connecting has 15 s at most, the handshake 10.
func Dial(ctx context.Context, network, addr string, opts *ClientOptions) (*Conn, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: connectTimeout}
	raw, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("mtls: dialing: %w", err)
	}
	return Client(ctx, raw, opts)
}

// Client is Dial over a connection that exists already. It closes raw on errors.
func Client(ctx context.Context, raw net.Conn, opts *ClientOptions) (*Conn, error) {
	if err := opts.check(); err != nil {
		raw.Close()
		return nil, err
	}
	config, err := ClientConfig(opts.Identity, opts.Trust, Protocol)
	if err != nil {
		raw.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(&wire{Conn: raw}, config)
	if err := handshake(ctx, conn); err != nil {
		raw.Close()
		return nil, err
	}
	return newConn(conn)
}

func (o *ClientOptions) check() error {
	if o == nil || o.Identity == nil {
		return errNoIdentity
	}
	return o.Trust.check()
}

// handshake ends when the listener has confirmed.
func handshake(ctx context.Context, conn *tls.Conn) error {
	if err := conn.HandshakeContext(ctx); err != nil {
		return dialError(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	var b [1]byte
	_, err := io.ReadFull(conn, b[:])
	if !stop() {
		// The deadline is set or about to be: the connection is of no use.
		return fmt.Errorf("mtls: waiting for the listener's confirmation: %w", context.Cause(ctx))
	}
	if err == io.EOF {
		return &RefusedError{Reason: "closed without confirming"}
	}
	if err != nil {
		return dialError(ctx, err)
	}
	if b[0] != confirmation {
		return errors.New("mtls: the listener confirmed with an unknown byte")
	}
	return nil
}

// dialError tells a refusal by the listener from all else. crypto/tls does not
// export the type of a peer's alert, but marks it by its operation.
func dialError(ctx context.Context, err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return &RefusedError{Reason: op.Err.Error()}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("mtls: handshake: %w", err)
}
