package mtls

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Trust says which peers to accept: by pinned keys, by an authority, or, where it
// has both, by both: the key has to be pinned and certified. AnyOf makes one that
// is content with less. The zero Trust accepts nobody.
type Trust struct {
	// Pins are the fingerprints of the keys to accept. Without an Authority a
	// pinned key is accepted whatever its certificate says of names and dates.
	Pins []Fingerprint

	// Authority, if not nil, has to have certified the peer.
	Authority *Authority

	// Revoked, if not nil, says who is refused all the same.
	Revoked *Revoked

	// Now is the clock for dates of certificates and lists; nil means time.Now.
	// It must be safe from any goroutine. Alternatives share the first one's.
	Now func() time.Time

	alternatives []Trust
}

// Pin trusts these keys and no other.
func Pin(pins ...Fingerprint) Trust { return Trust{Pins: pins} }

// AnyOf trusts whom one of the alternatives trusts. What is Revoked in the result
// is so in all of them.
func AnyOf(alternatives ...Trust) Trust { return Trust{alternatives: alternatives} }

// minRSA is the smallest RSA key in bits that we accept from others: 112 bits of
// strength (NIST SP 800-57, Part 1, Table 2).
const minRSA = 2048

// minECDSA is the smallest curve: P-256, 128 bits of strength.
const minECDSA = 256

// clone keeps what was checked apart from what the caller may change later.
func (t Trust) clone() Trust {
	t.Pins, t.Authority, t.Revoked = slices.Clone(t.Pins), t.Authority.clone(), t.Revoked.clone()
	t.alternatives = slices.Clone(t.alternatives)
	for i, other := range t.alternatives {
		t.alternatives[i] = other.clone()
	}
	return t
}

// empty reports whether nobody is trusted.
func (t Trust) empty() bool {
	return len(t.Pins) == 0 && t.Authority == nil && len(t.alternatives) == 0
}

// check refuses a Trust that holds the pin somebody forgot to set, or that is empty
// where there is no decision to fall back to.
func (t Trust) check(decided bool) error {
	if t.empty() && !decided || slices.ContainsFunc(t.Pins, Fingerprint.IsZero) {
		return ErrUnpinned
	}
	if t.Authority != nil {
		if err := t.Authority.check(len(t.Pins) > 0); err != nil {
			return err
		}
	}
	if len(t.alternatives) > 0 && (len(t.Pins) > 0 || t.Authority != nil) {
		return errors.New("mtls: alternatives, and a trust beside them")
	}
	for _, other := range t.alternatives {
		if err := other.check(false); err != nil {
			return err
		}
	}
	return nil
}

// checkDialing refuses a Trust by which anybody's client could answer.
func (t Trust) checkDialing() error {
	if t.Authority != nil && t.Authority.AcceptAnyName && len(t.Pins) == 0 {
		return ErrUnnamed
	}
	for _, other := range t.alternatives {
		if err := other.checkDialing(); err != nil {
			return err
		}
	}
	return nil
}

// A verifier judges by a Trust that was checked.
type verifier struct {
	trust     Trust
	certifier *certifier // nil without an authority
	any       []*verifier
}

// newVerifier copies trust.
func newVerifier(trust Trust) (*verifier, error) {
	v := &verifier{trust: trust.clone()}
	for _, other := range trust.alternatives {
		other.Revoked = other.Revoked.and(trust.Revoked.keys())
		if other.Authority != nil {
			other.Revoked = other.Revoked.and(trust.Revoked.lists())
		}
		inner, err := newVerifier(other)
		if err != nil {
			return nil, err
		}
		v.any = append(v.any, inner)
	}
	if trust.Revoked == nil || len(v.any) > 0 {
		trust.Revoked = &Revoked{}
	}
	lists, err := newLists(trust.Revoked.Lists, trust.Authority)
	if err != nil {
		return nil, err
	}
	if v.trust.Authority != nil {
		v.certifier = newCertifier(v.trust.Authority, lists)
	}
	return v, nil
}

func (v *verifier) now() time.Time {
	switch {
	case v.trust.Now != nil:
		return v.trust.Now()
	case len(v.any) > 0:
		return v.any[0].now()
	}
	return time.Now()
}

// judge judges a peer by its certificate. Whoever is refused for want of trust alone
// may still be decided about.
func (v *verifier) judge(h hearing) (Peer, *PeerError) {
	peer := newPeer(h.leaf)
	if v.trust.Revoked.has(peer.Fingerprint) {
		return Peer{}, refuse(h.leaf, RuleRevoked, "the key is revoked")
	}
	if len(v.any) > 0 {
		return v.judgeAny(h)
	}
	if v.trust.empty() {
		return Peer{}, refuse(h.leaf, RuleKey, "unknown key")
	}
	if refusal := v.judgePin(h.leaf, peer.Fingerprint); refusal != nil {
		return Peer{}, refusal
	}
	if v.certifier == nil {
		return peer, nil
	}
	chain, refusal := v.judgeCertificate(h)
	if refusal != nil {
		refusal.Expected, refusal.ExpectedNames = slices.Clone(v.trust.Pins), slices.Clone(v.trust.Authority.Names)
		return Peer{}, refusal
	}
	peer.Chain = chain
	return peer, nil
}

func (v *verifier) judgePin(leaf *x509.Certificate, got Fingerprint) *PeerError {
	if len(v.trust.Pins) == 0 {
		return nil
	}
	known := false
	for _, pin := range v.trust.Pins {
		// No early end: how long it takes does not tell which pin it was.
		known = got.Equal(pin) || known
	}
	if known && !got.IsZero() {
		return nil
	}
	refusal := refuse(leaf, RuleKey, "unknown key")
	refusal.Expected = slices.Clone(v.trust.Pins)
	return refusal
}

func (v *verifier) judgeCertificate(h hearing) ([]*x509.Certificate, *PeerError) {
	chain, refusal := v.certifier.certify(h)
	if refusal != nil {
		return nil, refusal
	}
	for _, cert := range chain {
		if v.trust.Revoked.has(FingerprintOf(cert)) {
			return nil, refuse(h.leaf, RuleRevoked, "the key of its authority %s is revoked", subject(cert))
		}
	}
	switch a := v.trust.Authority; {
	case len(a.Names) > 0 && !a.named(chain):
		refusal := refuse(h.leaf, RuleName, "wrong name")
		refusal.GotNames = certifiedNames(chain)
		return nil, refusal
	case a.AcceptAnyName && len(v.trust.Pins) == 0 && h.purpose != x509.ExtKeyUsageClientAuth:
		return nil, refuse(h.leaf, RuleName, "no name to expect")
	}
	return chain, nil
}

// judgeAny gives the first acceptance, or the refusal that says most.
func (v *verifier) judgeAny(h hearing) (Peer, *PeerError) {
	var worst *PeerError
	var expected []Fingerprint
	var names []Name
	for _, inner := range v.any {
		peer, refusal := inner.judge(h)
		if refusal == nil {
			return peer, nil
		}
		if refusal.Rule == RuleRevoked {
			return Peer{}, refusal
		}
		expected, names = append(expected, refusal.Expected...), append(names, refusal.ExpectedNames...)
		if worst == nil || worst.Rule == RuleKey || worst.Rule == RuleAuthority {
			worst = refusal
		}
	}
	worst.Expected, worst.ExpectedNames = expected, names
	return Peer{}, worst
}

// peerCertificate gives the peer's certificate if version, protocol, key and
// signature are such as we accept from anybody. It looks at nothing but the leaf.
func peerCertificate(state tls.ConnectionState, protocols ...string) (*x509.Certificate, *PeerError) {
	switch {
	case state.Version != tls.VersionTLS13:
		return nil, &PeerError{Rule: RuleProtocol, Reason: "not TLS 1.3"}
	case !slices.Contains(protocols, state.NegotiatedProtocol):
		return nil, &PeerError{Rule: RuleProtocol, Reason: fmt.Sprintf("speaks protocol %q, not %q", state.NegotiatedProtocol, protocols)}
	case len(state.PeerCertificates) == 0:
		return nil, &PeerError{Rule: RuleNone, Reason: "no certificate"}
	}
	cert := state.PeerCertificates[0]
	if reason := weakness(cert); reason != "" {
		return nil, &PeerError{Got: FingerprintOf(cert), Rule: RuleWeak, Reason: reason}
	}
	return cert, nil
}

// weakness says why a certificate is not good enough to look at, or "".
func weakness(cert *x509.Certificate) string {
	if reason := weakKey(cert); reason != "" {
		return reason
	}
	return weakSignature(cert)
}

func weakKey(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < minECDSA {
			return fmt.Sprintf("weak key: ECDSA of %d bits, at least %d", bits, minECDSA)
		}
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return fmt.Sprintf("weak key: RSA of %d bits, at least %d", key.N.BitLen(), minRSA)
		}
	default:
		return fmt.Sprintf("unknown kind of key %T", key)
	}
	return ""
}

func weakSignature(cert *x509.Certificate) string { return weakAlgorithm(cert.SignatureAlgorithm) }

func weakAlgorithm(algorithm x509.SignatureAlgorithm) string {
	switch algorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "weak signature: " + algorithm.String()
	}
	return ""
}
