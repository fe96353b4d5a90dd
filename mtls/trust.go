package mtls

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// Trust says which peers to accept. The zero Trust accepts nobody.
type Trust struct {
	// Pins are the fingerprints of the keys to accept, at least one. A pinned key
	// is accepted whatever its certificate says of names and dates.
	Pins []Fingerprint
}

// Pin trusts these keys and no other.
func Pin(pins ...Fingerprint) Trust { return Trust{Pins: pins} }

// minRSA is the smallest RSA key in bits that we accept from others: 112 bits of
// strength (NIST SP 800-57, Part 1, Table 2).
const minRSA = 2048

// clone keeps what was checked apart from what the caller may change later.
func (t Trust) clone() Trust { return Trust{Pins: slices.Clone(t.Pins)} }

// empty reports whether nobody is trusted.
func (t Trust) empty() bool { return len(t.Pins) == 0 }

// check refuses a Trust that holds the pin somebody forgot to set, or that is empty
// where there is no decision to fall back to.
func (t Trust) check(decided bool) error {
	if t.empty() && !decided || slices.ContainsFunc(t.Pins, Fingerprint.IsZero) {
		return ErrUnpinned
	}
	return nil
}

// judge judges a peer by its certificate. Whoever is refused for want of trust alone
// may still be decided about.
func (s *standing) judge(cert *x509.Certificate) (Peer, *PeerError) {
	got := FingerprintOf(cert)
	known := false
	for _, pin := range s.trust.Pins {
		// No early end: how long it takes does not tell which pin it was.
		known = got.Equal(pin) || known
	}
	if !known || got.IsZero() {
		return Peer{}, &PeerError{Expected: slices.Clone(s.trust.Pins), Got: got, Reason: "unknown key", undecided: true}
	}
	return newPeer(cert), nil
}

// peerCertificate gives the peer's certificate if version, protocol, key and
// signature are such as we accept from anybody. It looks at nothing but the leaf.
func peerCertificate(state tls.ConnectionState, protocols ...string) (*x509.Certificate, *PeerError) {
	switch {
	case state.Version != tls.VersionTLS13:
		return nil, &PeerError{Reason: "not TLS 1.3"}
	case !slices.Contains(protocols, state.NegotiatedProtocol):
		return nil, &PeerError{Reason: fmt.Sprintf("speaks protocol %q, not %q", state.NegotiatedProtocol, protocols)}
	case len(state.PeerCertificates) == 0:
		return nil, &PeerError{Reason: "no certificate"}
	}
	cert := state.PeerCertificates[0]
	if reason := weakness(cert); reason != "" {
		return nil, &PeerError{Got: FingerprintOf(cert), Reason: reason}
	}
	return cert, nil
}

// weakness says why a certificate is not good enough to look at, or "".
func weakness(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case ed25519.PublicKey, *ecdsa.PublicKey:
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return fmt.Sprintf("weak key: RSA of %d bits, at least %d", key.N.BitLen(), minRSA)
		}
	default:
		return fmt.Sprintf("unknown kind of key %T", key)
	}
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "weak signature: " + cert.SignatureAlgorithm.String()
	}
	return ""
}
