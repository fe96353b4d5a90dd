package mtls

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// refuse makes the error for a peer with this certificate.
func refuse(leaf *x509.Certificate, rule Rule, format string, args ...any) *PeerError {
	return &PeerError{Got: FingerprintOf(leaf), Rule: rule, Reason: fmt.Sprintf(format, args...), undecided: rule.open()}
}

// subject quotes whom a certificate is for: it is the peer's word.
func subject(cert *x509.Certificate) string { return quoted(cert.Subject.String()) }

// quoted bounds and escapes text of the peer's.
func quoted(s string) string {
	if len(s) > maxNameText {
		s = strings.ToValidUTF8(s[:maxNameText], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// ownFault gives what is wrong with the peer's certificate by itself.
func (h hearing) ownFault() *PeerError {
	leaf := h.leaf
	if leaf.IsCA {
		return refuse(leaf, RulePurpose, "the certificate is an authority's, not a peer's")
	}
	if reason, rule := untimely(leaf, h.at); reason != "" {
		return refuse(leaf, rule, "%s", reason)
	}
	if len(leaf.UnhandledCriticalExtensions) > 0 {
		return refuse(leaf, RuleExtension, "a critical extension that we do not know: %v", leaf.UnhandledCriticalExtensions[0])
	}
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return refuse(leaf, RulePurpose, "wrong purpose: the key is not for signing")
	}
	if restricted(leaf) && !slices.Contains(leaf.ExtKeyUsage, h.purpose) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return refuse(leaf, RulePurpose, "wrong purpose: expected a certificate for %s, got one for %s", usage(h.purpose), usages(leaf))
	}
	return nil
}

func restricted(cert *x509.Certificate) bool {
	return len(cert.ExtKeyUsage) > 0 || len(cert.UnknownExtKeyUsage) > 0
}

func usage(u x509.ExtKeyUsage) string {
	switch u {
	case x509.ExtKeyUsageServerAuth:
		return "servers"
	case x509.ExtKeyUsageClientAuth:
		return "clients"
	}
	return "something else"
}

func usages(cert *x509.Certificate) string {
	if len(cert.ExtKeyUsage) == 0 {
		return "something else"
	}
	var names []string
	for _, u := range cert.ExtKeyUsage {
		if name := usage(u); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

// untimely says that a certificate is not of this time, or "".
func untimely(cert *x509.Certificate, at time.Time) (string, Rule) {
	switch {
	case at.Before(cert.NotBefore):
		return fmt.Sprintf("not yet valid: it begins %s, and here it is %s", stamp(cert.NotBefore), stamp(at)), RuleNotYetValid
	case at.After(cert.NotAfter):
		return fmt.Sprintf("expired: it ended %s, and here it is %s", stamp(cert.NotAfter), stamp(at)), RuleExpired
	}
	return "", ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// explain finds words for a refusal of crypto/x509, which has them only for some. It
// decides nothing: the peer is refused whatever it finds.
func (c *certifier) explain(h hearing, verdict error) *PeerError {
	cert := h.leaf
	for depth := range maxChain {
		issuer, fault := c.issuer(h, cert)
		if fault != nil {
			return fault
		}
		if fault := c.issuerFault(h, issuer, depth); fault != nil {
			return fault
		}
		if c.authority.isRoot(issuer) {
			break
		}
		cert = issuer
	}
	return h.verdict(verdict)
}

// issuer finds who signed a certificate, or why nobody did.
func (c *certifier) issuer(h hearing, cert *x509.Certificate) (*x509.Certificate, *PeerError) {
	if reason := weakSignature(cert); reason != "" {
		return nil, refuse(h.leaf, RuleWeak, "%s, of %s", reason, subject(cert))
	}
	byItself := signedBy(cert, cert)
	var namesake *x509.Certificate
	for _, candidate := range slices.Concat(c.authority.Roots, h.others) {
		if byItself || !bytes.Equal(candidate.RawSubject, cert.RawIssuer) {
			continue
		}
		if signedBy(cert, candidate) {
			return candidate, nil
		}
		namesake = candidate
	}
	switch {
	case byItself:
		return nil, refuse(h.leaf, RuleAuthority, "self-signed by %s, expected the authority %s", subject(cert), subject(c.authority.Roots[0]))
	case namesake != nil:
		return nil, refuse(h.leaf, RuleAuthority, "%s has not signed it: another authority of the same name has", subject(namesake))
	}
	return nil, refuse(h.leaf, RuleAuthority, "issued by %s, expected the authority %s", quoted(cert.Issuer.String()), subject(c.authority.Roots[0]))
}

func signedBy(cert, issuer *x509.Certificate) bool {
	return issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// issuerFault gives what is wrong with who signed, with depth authorities under it.
func (c *certifier) issuerFault(h hearing, issuer *x509.Certificate, depth int) *PeerError {
	if reason := weakKey(issuer); reason != "" {
		return refuse(h.leaf, RuleWeak, "%s, of its authority %s", reason, subject(issuer))
	}
	if reason := unfit(issuer); reason != "" {
		return refuse(h.leaf, RuleConstraint, "issued by %s, which is no authority: %s", subject(issuer), reason)
	}
	if reason, rule := untimely(issuer, h.at); reason != "" {
		return refuse(h.leaf, rule, "its authority %s is %s", subject(issuer), reason)
	}
	if len(issuer.UnhandledCriticalExtensions) > 0 {
		return refuse(h.leaf, RuleExtension, "a critical extension of its authority %s that we do not know: %v", subject(issuer), issuer.UnhandledCriticalExtensions[0])
	}
	if issuer.MaxPathLen >= 0 && depth > issuer.MaxPathLen {
		return refuse(h.leaf, RuleConstraint, "%s allows %d authorities under it, and there are %d", subject(issuer), issuer.MaxPathLen, depth)
	}
	return nil
}

// verdict gives crypto/x509's own words.
func (h hearing) verdict(err error) *PeerError {
	reason := strings.TrimPrefix(err.Error(), "x509: ")
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) {
		return refuse(h.leaf, RuleAuthority, "%s", reason)
	}
	switch invalid.Reason {
	case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
		return refuse(h.leaf, RulePurpose, "wrong purpose: its authority may not certify %s", usage(h.purpose))
	case x509.CANotAuthorizedForThisName, x509.UnconstrainedName:
		return refuse(h.leaf, RuleConstraint, "name constraints: %s", quoted(invalid.Detail))
	}
	return refuse(h.leaf, RuleConstraint, "%s", quoted(reason))
}
