// Package mtls is mutual TLS 1.3 between peers that expect each other: both sides
// show a certificate, and each checks the other's. A peer is expected by its key
// (Pin), of which a Fingerprint is all that has to be known, or by a name that a
// private Authority has certified, or by both.
//
// Begin with Generate, which makes an Identity, or with LoadCertificate, which
// reads one that an authority has issued; then Dial and Listen. Watch keeps both
// and what is revoked as files say, while connections live. A server that also
// speaks to browsers on its port, or that judges keys by itself after the
// handshake, uses ServerTLS; its clients use ClientTLS. NewMessages cuts a
// connection's stream into messages.
//
// What always holds: TLS 1.3 only, with X25519MLKEM768 where the peer has it; no
// session tickets, no early data, no renegotiation; no peer that nothing vouches
// for, unless a Decide names its key; a connection that was cut off never looks
// like one that ended.
//
// What it does not do: public authorities, OCSP, delta lists, or making
// certificates. Before version 1 of the module the API may grow; what is refused
// now will not be accepted later without being asked for.
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

// NoProtocol among PlainProtocols admits peers that name no protocol at all. One
// server could then be made to answer for another on the same key (ALPACA): use a
// key of its own for it.
const NoProtocol = ""

// handshakeTimeout bounds a handshake with its confirmation: three round trips
// over the worst link we mean to serve, 2 s each, and time to compute. A variable,
// because the machine of the tests may have much else to do.
var handshakeTimeout = 10 * time.Second

const (
	// connectTimeout bounds the way to the first byte: as the system's own first
	// four tries (1 + 2 + 4 + 8 s).
	connectTimeout = 15 * time.Second
	// farewellTime bounds the end of a direction: as crypto/tls bounds its alert.
	farewellTime = 5 * time.Second
	// maxServed bounds the connections between a listener's accept and Accept: those
	// whose handshake goes on, those that are being decided about, and those that
	// nobody has accepted yet.
	maxServed = 2 * maxHandshakes
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

// confirmation is the byte that a listener sends once it has judged the dialer, and
// busy the one that it sends in its place to who is trusted and has no room.
const (
	confirmation = 1
	busy         = 2
)

// ClientOptions say who dials and whom it expects: Identity and Trust, or Live in
// their place. The rest may be left out.
type ClientOptions struct {
	Identity *Identity
	Trust    Trust

	// Live is an identity and a trust that may change later, in the place of those
	// two. A connection is cut when the trust no longer covers its peer.
	Live *Live

	// Protocols are the protocols (ALPN) to offer, best first, of listeners that
	// confirm; none means Protocol.
	Protocols []string

	// PlainProtocols are further ones, of listeners that are not of this package.
	// They do not confirm: what is written may be lost to a refusal that is heard
	// only when reading. NoProtocol is for those that choose none.
	PlainProtocols []string

	// Patience is how long the listener may take to confirm, and DecideUnverified
	// to decide; 10 s where it is zero. Where a person decides it takes minutes.
	Patience time.Duration

	// DecideUnverified, where set, is asked about a listener that Trust does not
	// cover, and may then be the only one of the two.
	DecideUnverified Decide
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
	if _, err := opts.terms(); err != nil {
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
	w := &wire{Conn: raw}
	conn, err := client(ctx, w, opts)
	if err != nil {
		w.Close()
		return nil, err
	}
	return conn, nil
}

func client(ctx context.Context, w *wire, opts *ClientOptions) (*Conn, error) {
	t, err := opts.terms()
	if err != nil {
		return nil, err
	}
	conn := tls.Client(w, t.config())
	if err := t.shake(ctx, conn); err != nil {
		return nil, err
	}
	accepted, err := t.accept(ctx, conn, w)
	if err != nil {
		return nil, err
	}
	if t.confirmed(conn) {
		if err := t.awaitConfirmation(ctx, conn); err != nil {
			return nil, err
		}
	}
	return accepted, nil
}

// shake ends when the listener has proven its key and been judged.
func (t *Terms) shake(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return dialError(ctx, err)
	}
	return nil
}

// awaitConfirmation ends when the listener has judged us.
func (t *Terms) awaitConfirmation(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
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
	return Confirmed(b[0])
}

// Confirmation gives the byte that a listener says after it has judged the dialer,
// where Protocol or another one with a confirmation was chosen, for who brings
// connections of their own: whether there is room for it.
func Confirmation(room bool) byte {
	if room {
		return confirmation
	}
	return busy
}

// Confirmed judges the byte that a listener says after the handshake, where
// Protocol or another one with a confirmation was chosen, for who brings
// connections of their own: nil says that we are in, a *RefusedError that there is
// no room for us.
func Confirmed(b byte) error {
	switch b {
	case confirmation:
		return nil
	case busy:
		return &RefusedError{Reason: "too many connections at once", Busy: true}
	}
	return errors.New("mtls: the listener confirmed with an unknown byte")
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
