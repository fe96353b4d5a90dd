package mtls

import (
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a connection between two peers that have accepted each other. It is a
// *tls.Conn: a net.Conn with deadlines, safe for one reader and one writer at a
// time. CloseWrite ends our direction, the peer's Read then gives io.EOF and it
// may go on writing; Close ends both. A Read gives io.EOF only when the peer said
// that it was done, and ErrTruncated when the connection ended without it; a
// *PeerError when the peer has ceased to be trusted (see Live).
type Conn struct {
	*tls.Conn
	peer Peer
}

// Peer is the far side of a connection.
type Peer struct {
	Fingerprint Fingerprint
	Public      crypto.PublicKey  // ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey
	Certificate *x509.Certificate // as it came; where there is no Chain, nothing in it but the key is checked

	// Chain leads from Certificate to a root of the Authority that certified it;
	// nil where the peer was accepted by its key alone.
	Chain []*x509.Certificate
}

// Names gives the names that an authority has certified: none where the peer was
// accepted by its key alone.
func (p Peer) Names() []Name {
	if p.Chain == nil {
		return nil
	}
	return certifiedNames(p.Chain)
}

// Has reports whether an authority has certified the peer under this name.
func (p Peer) Has(name Name) bool { return !name.IsZero() && slices.Contains(p.Names(), name) }

// Peer gives the far side.
func (c *Conn) Peer() Peer { return c.peer }

// CloseWrite ends our direction. It takes 5 s at most, whatever the peer does.
func (c *Conn) CloseWrite() error {
	c.hurry()
	return c.Conn.CloseWrite()
}

// Close ends the connection, with a farewell if the peer takes one within 5 s.
func (c *Conn) Close() error {
	c.hurry()
	return c.Conn.Close()
}

// hurry gives what is being written a time to end. crypto/tls limits its farewell,
// but first waits for a Read that answers the peer's update of keys (RFC 8446,
// Section 4.6.3), which has no end where the peer takes nothing.
func (c *Conn) hurry() { c.NetConn().SetWriteDeadline(time.Now().Add(farewellTime)) }

// maxExport bounds what Export gives, in bytes: eight keys of 256 bits.
const maxExport = 256

// maxLabel bounds an exporter's label in bytes: HkdfLabel has room for 255 (RFC
// 8446, Section 7.1), six of them for "tls13 ".
const maxLabel = 249

// Export derives n bytes that both ends of this connection can, and nobody else:
// for binding something to it (RFC 8446, Section 7.5). Equal arguments give equal
// bytes at both ends. label begins with "EXPORTER-" or "EXPERIMENTAL" (RFC 5705,
// Section 4) and is printable ASCII; context may be empty; n is 16 to 256.
func (c *Conn) Export(label string, context []byte, n int) ([]byte, error) {
	return export(c.Conn, label, context, n)
}

func export(conn *tls.Conn, label string, context []byte, n int) ([]byte, error) {
	if !strings.HasPrefix(label, "EXPORTER-") && !strings.HasPrefix(label, "EXPERIMENTAL") {
		return nil, fmt.Errorf("mtls: exporting: the label %q begins with neither EXPORTER- nor EXPERIMENTAL", label)
	}
	if strings.ContainsFunc(label, func(r rune) bool { return r < ' ' || r > '~' }) || len(label) > maxLabel {
		return nil, fmt.Errorf("mtls: exporting: the label %q is not printable ASCII of at most %d", label, maxLabel)
	}
	if n < 16 || n > maxExport {
		return nil, fmt.Errorf("mtls: exporting: %d bytes, want 16 to %d", n, maxExport)
	}
	state := conn.ConnectionState()
	if !state.HandshakeComplete || state.Version != tls.VersionTLS13 {
		return nil, errors.New("mtls: exporting: no handshake of TLS 1.3 is complete")
	}
	b, err := state.ExportKeyingMaterial(label, context, n)
	if err != nil {
		return nil, fmt.Errorf("mtls: exporting: %w", err)
	}
	return b, nil
}

// Ed25519 gives the peer's key as its 32 bytes if it is of that kind, as those of
// the messenger's devices are.
func (p Peer) Ed25519() ([ed25519.PublicKeySize]byte, bool) {
	key, ok := p.Public.(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PublicKeySize {
		return [ed25519.PublicKeySize]byte{}, false
	}
	return [ed25519.PublicKeySize]byte(key), true
}

// PeerKey gives the far side of a connection of any config of this package. The
// handshake must be complete: only then has the peer proven that the key is its
// own. Without it, or without a certificate, the error is a *PeerError.
func PeerKey(state tls.ConnectionState) (Peer, error) {
	if !state.HandshakeComplete {
		return Peer{}, &PeerError{Rule: RuleNone, Reason: "handshake not complete"}
	}
	cert, err := peerCertificate(state, state.NegotiatedProtocol)
	if err != nil {
		return Peer{}, err
	}
	return newPeer(cert), nil
}

func newPeer(cert *x509.Certificate) Peer {
	return Peer{Fingerprint: FingerprintOf(cert), Public: cert.PublicKey, Certificate: cert}
}

// wire is the connection under TLS. crypto/tls takes an end of it between two
// records for the peer's end of file; an attacker can make such an end, so we call
// it what it is. The end that the peer means comes as an alert and is not seen
// here.
type wire struct {
	net.Conn
	live atomic.Pointer[Live]      // that knows of it; nil if none does
	cut  atomic.Pointer[PeerError] // why we ended it

	// release is Admit's; set before anybody but the listener has the connection.
	release func()
}

// Read gives ErrTruncated instead of io.EOF.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err == io.EOF {
		err = ErrTruncated
	}
	return n, w.why(err)
}

// Write gives the reason why we ended the connection, if we did.
func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	return n, w.why(err)
}

func (w *wire) why(err error) error {
	if cut := w.cut.Load(); err != nil && cut != nil {
		return cut
	}
	return err
}

// Close leaves the Live that knew of the connection, and gives its room back.
func (w *wire) Close() error {
	w.leave()
	err := w.Conn.Close()
	if w.release != nil {
		w.release()
	}
	return err
}

func (w *wire) leave() {
	if live := w.live.Load(); live != nil {
		live.leave(w)
	}
}

// cutBy ends the connection under whoever uses it.
func (w *wire) cutBy(refusal *PeerError) {
	w.cut.Store(refusal)
	w.Conn.Close()
}

// SyscallConn gives access to the socket, for who waits until it is readable.
func (w *wire) SyscallConn() (syscall.RawConn, error) {
	inner, ok := w.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("mtls: no socket underneath")
	}
	return inner.SyscallConn()
}
