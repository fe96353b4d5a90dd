package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Authority is a private certificate authority: whom it has certified is trusted.
type Authority struct {
	// Roots are its own certificates, as ParseCertificates reads them. The peer
	// sends what lies between them and its own.
	Roots []*x509.Certificate

	// Names are those of whom to accept: the peer's certificate has to carry one
	// of them. Without Pins beside the Authority at least one is needed.
	Names []Name

	// AcceptAnyName, in the place of Names, lets everybody in whom the authority
	// has certified for clients. A dialer cannot have it: every one of them could
	// then answer in its peer's place.
	AcceptAnyName bool
}

func (a *Authority) clone() *Authority {
	if a == nil {
		return nil
	}
	return &Authority{Roots: slices.Clone(a.Roots), Names: slices.Clone(a.Names), AcceptAnyName: a.AcceptAnyName}
}

// check refuses what could not have been meant.
func (a *Authority) check(pinned bool) error {
	if len(a.Roots) == 0 {
		return errors.New("mtls: an authority without a certificate")
	}
	if slices.ContainsFunc(a.Names, Name.IsZero) {
		return errors.New("mtls: an empty name to expect")
	}
	switch {
	case a.AcceptAnyName && len(a.Names) > 0:
		return errors.New("mtls: names to expect, and any name beside them")
	case !a.AcceptAnyName && len(a.Names) == 0 && !pinned:
		return ErrUnnamed
	}
	for _, root := range a.Roots {
		if reason := unfit(root); reason != "" {
			return fmt.Errorf("mtls: %s cannot be an authority: %s", subject(root), reason)
		}
	}
	return nil
}

// unfit says why a certificate cannot be an authority's, or "". crypto/x509 would
// take certificates of version 1, which cannot say that they are one.
func unfit(cert *x509.Certificate) string {
	switch {
	case cert.Version != 3 || !cert.BasicConstraintsValid || !cert.IsCA:
		return "its basic constraints do not say CA"
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return "its key is not for signing certificates"
	}
	return weakKey(cert)
}

const (
	// judgedFor is how long a chain that was found good is taken for good without
	// verifying its signatures again. Dates end it sooner, any change of trust at
	// once.
	judgedFor = time.Minute
	// maxJudged bounds those chains: with some 3 KiB each 12 MiB.
	maxJudged = 4096
)

// A certifier judges by one Authority.
type certifier struct {
	authority *Authority
	roots     *x509.CertPool
	lists     *lists // nil where there are none

	judged struct {
		sync.Mutex
		chains map[[sha256.Size]byte]judged
	}
}

// judged is a chain that was found good, and until when that holds.
type judged struct {
	chain       []*x509.Certificate
	from, until time.Time
}

func newCertifier(a *Authority, lists *lists) *certifier {
	c := &certifier{authority: a, roots: x509.NewCertPool(), lists: lists}
	for _, root := range a.Roots {
		c.roots.AddCert(root)
	}
	c.judged.chains = make(map[[sha256.Size]byte]judged)
	return c
}

// A hearing is what a peer shows, and what it is judged for.
type hearing struct {
	leaf    *x509.Certificate
	others  []*x509.Certificate
	purpose x509.ExtKeyUsage
	at      time.Time
	// again says that the peer was let in before: that what we know of revocation
	// has grown old since is then no reason to throw it out.
	again bool
}

// certify gives the chain from the peer to a root, its names not judged yet.
func (c *certifier) certify(h hearing) ([]*x509.Certificate, *PeerError) {
	if len(h.others)+1 > maxChain {
		return nil, refuse(h.leaf, RuleChain, "a chain of %d certificates, at most %d", len(h.others)+1, maxChain)
	}
	key := h.key()
	if chain := c.remembered(key, h); chain != nil {
		return chain, nil
	}
	if refusal := h.ownFault(); refusal != nil {
		return nil, refusal
	}
	between := x509.NewCertPool()
	for _, cert := range h.others {
		between.AddCert(cert)
	}
	chains, err := h.leaf.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: between, CurrentTime: h.at, KeyUsages: []x509.ExtKeyUsage{h.purpose},
	})
	if err != nil {
		return nil, c.explain(h, err)
	}
	var refusal *PeerError
	for _, chain := range chains {
		until := h.at.Add(judgedFor)
		if refusal = c.examine(h, chain, &until); refusal == nil {
			c.remember(key, judged{chain, h.at, until})
			return chain, nil
		}
	}
	return nil, refusal
}

// key stands for all that the judgement of a chain depends on, but for time.
func (h hearing) key() [sha256.Size]byte {
	digest := sha256.New()
	fmt.Fprintf(digest, "%d %v\n", h.purpose, h.again)
	for _, cert := range append([]*x509.Certificate{h.leaf}, h.others...) {
		fmt.Fprintf(digest, "%d\n", len(cert.Raw))
		digest.Write(cert.Raw)
	}
	return [sha256.Size]byte(digest.Sum(nil))
}

func (c *certifier) remembered(key [sha256.Size]byte, h hearing) []*x509.Certificate {
	c.judged.Lock()
	defer c.judged.Unlock()
	j, found := c.judged.chains[key]
	if !found || h.at.Before(j.from) || h.at.After(j.until) {
		return nil
	}
	return j.chain
}

func (c *certifier) remember(key [sha256.Size]byte, j judged) {
	c.judged.Lock()
	defer c.judged.Unlock()
	if len(c.judged.chains) >= maxJudged {
		clear(c.judged.chains)
	}
	c.judged.chains[key] = j
}

// examine judges what crypto/x509 leaves to its caller: strength and revocation at
// every level. It shortens until to what the chain's dates allow.
func (c *certifier) examine(h hearing, chain []*x509.Certificate, until *time.Time) *PeerError {
	if len(chain) < 2 {
		return refuse(h.leaf, RuleAuthority, "the certificate is the authority's own")
	}
	for i, cert := range chain {
		if cert.NotAfter.Before(*until) {
			*until = cert.NotAfter
		}
		if i == 0 {
			continue
		}
		if reason := unfit(cert); reason != "" {
			return refuse(h.leaf, RuleWeak, "its authority %s: %s", subject(cert), reason)
		}
	}
	if c.lists == nil {
		return nil
	}
	for i, cert := range chain[:len(chain)-1] {
		if refusal := c.lists.judge(h, cert, chain[i+1], until); refusal != nil {
			return refusal
		}
	}
	return nil
}

// named reports whether a chain certifies one of the names to expect.
func (a *Authority) named(chain []*x509.Certificate) bool {
	for _, name := range certifiedNames(chain) {
		if slices.Contains(a.Names, name) {
			return true
		}
	}
	return false
}

// certifiedNames are those that the first of a verified chain carries. Constraints
// of an authority on names do not reach the common name (RFC 5280, Section 4.2.1.10,
// has it in mind as a part of a directory's name, which crypto/x509 cannot judge):
// where there are any, it does not count, or they could be got around by it.
func certifiedNames(chain []*x509.Certificate) []Name {
	names := NamesOf(chain[0])
	if slices.ContainsFunc(chain[1:], constrained) {
		names = slices.DeleteFunc(names, func(n Name) bool { return n.kind == commonName })
	}
	return names
}

func constrained(cert *x509.Certificate) bool {
	return slices.ContainsFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNameConstraints) })
}

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// isRoot reports whether a certificate is one of the authority's own.
func (a *Authority) isRoot(cert *x509.Certificate) bool {
	return slices.ContainsFunc(a.Roots, func(root *x509.Certificate) bool { return bytes.Equal(root.Raw, cert.Raw) })
}
