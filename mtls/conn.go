package mtls

import (
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
)

// Conn is a connection between two peers that have accepted each other. It is a
// *tls.Conn: a net.Conn with deadlines, safe for one reader and one writer at a
// time. CloseWrite ends our direction, the peer's Read then gives io.EOF and it
// may go on writing; Close ends both. A Read gives io.EOF only when the peer said
// that it was done, and ErrTruncated when the connection ended without it.
type Conn struct {
	*tls.Conn
	peer Peer
}

// Peer is the far side of a connection.
type Peer struct {
	Fingerprint Fingerprint
	Public      crypto.PublicKey  // ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey
	Certificate *x509.Certificate // as it came; nothing in it but the key is checked
}

// Peer gives the far side.
func (c *Conn) Peer() Peer { return c.peer }

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
		return Peer{}, &PeerError{Reason: "handshake not complete"}
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

func newConn(conn *tls.Conn) (*Conn, error) {
	peer, err := PeerKey(conn.ConnectionState())
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Conn{Conn: conn, peer: peer}, nil
}

// wire is the connection under TLS. crypto/tls takes an end of it between two
// records for the peer's end of file; an attacker can make such an end, so we call
// it what it is. The end that the peer means comes as an alert and is not seen
// here.
type wire struct {
	net.Conn
}

// Read gives ErrTruncated instead of io.EOF.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err == io.EOF {
		err = ErrTruncated
	}
	return n, err
}
