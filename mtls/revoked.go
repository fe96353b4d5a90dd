package mtls

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Revoked says who is not trusted any more, whatever else is said of them.
type Revoked struct {
	// Keys are refused wherever they come: of peers, pinned or certified, and of
	// the authorities between a peer and its root.
	Keys []Fingerprint

	// Lists are the revocation lists of the Authority and of those under it (RFC
	// 5280, Section 5). Where there is any, there has to be one for each of them
	// that has signed a certificate of the peer's chain; one that is missing, not
	// signed by it, or past its nextUpdate lets nobody in.
	Lists []*x509.RevocationList
}

const (
	// maxList bounds a file of revocation lists in bytes: 400,000 certificates.
	maxList = 16 << 20
	// maxKeyList bounds a file of revoked keys in bytes: 19,000 of them.
	maxKeyList = 1 << 20
	pemList    = "X509 CRL"
)

// ParseRevocationLists reads the lists of a text in PEM, or one in DER, of 16 MiB
// at most. A list without an end (nextUpdate), or with critical extensions, which
// are of lists that are no whole ones, is refused.
func ParseRevocationLists(b []byte) ([]*x509.RevocationList, error) {
	if len(b) > maxList {
		return nil, fmt.Errorf("mtls: a revocation list of %d bytes, at most %d", len(b), maxList)
	}
	var all []*x509.RevocationList
	if block, _ := pem.Decode(b); block == nil {
		b = pem.EncodeToMemory(&pem.Block{Type: pemList, Bytes: b})
	}
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		b = rest
		if block.Type != pemList {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("mtls: a revocation list does not parse: %v", err)
		}
		if err := checkList(list); err != nil {
			return nil, err
		}
		all = append(all, list)
	}
	if len(all) == 0 {
		return nil, errors.New(`mtls: no "X509 CRL" in it`)
	}
	return all, nil
}

// ParseKeyList reads fingerprints, one to a line; what begins with "#" and empty
// lines are passed over. At most 1 MiB.
func ParseKeyList(b []byte) ([]Fingerprint, error) {
	if len(b) > maxKeyList {
		return nil, fmt.Errorf("mtls: a list of keys of %d bytes, at most %d", len(b), maxKeyList)
	}
	var keys []Fingerprint
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := ParseFingerprint(line)
		if err != nil {
			return nil, fmt.Errorf("mtls: line %d of the list of keys: %w", n, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Of lists that are not whole: changes to another, and some of the certificates.
var (
	oidDelta        = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidDistribution = asn1.ObjectIdentifier{2, 5, 29, 28}
)

// checkList refuses a list that we would misread.
func checkList(list *x509.RevocationList) error {
	issuer := quoted(list.Issuer.String())
	if list.NextUpdate.IsZero() {
		return fmt.Errorf("mtls: the revocation list of %s does not say until when it holds", issuer)
	}
	if reason := weakAlgorithm(list.SignatureAlgorithm); reason != "" {
		// crypto/x509 takes SHA-1 on lists.
		return fmt.Errorf("mtls: the revocation list of %s: %s", issuer, reason)
	}
	for _, extension := range list.Extensions {
		if extension.Critical || extension.Id.Equal(oidDelta) || extension.Id.Equal(oidDistribution) {
			return fmt.Errorf("mtls: the revocation list of %s has the extension %v, which we do not know", issuer, extension.Id)
		}
	}
	for _, entry := range list.RevokedCertificateEntries {
		for _, extension := range entry.Extensions {
			if extension.Critical {
				return fmt.Errorf("mtls: the revocation list of %s has an entry with the extension %v, which we do not know", issuer, extension.Id)
			}
		}
	}
	return nil
}

func (r *Revoked) clone() *Revoked {
	if r == nil {
		return nil
	}
	return &Revoked{Keys: slices.Clone(r.Keys), Lists: slices.Clone(r.Lists)}
}

// and gives both together.
func (r *Revoked) and(other *Revoked) *Revoked {
	switch {
	case r == nil:
		return other
	case other == nil:
		return r
	}
	return &Revoked{Keys: slices.Concat(r.Keys, other.Keys), Lists: slices.Concat(r.Lists, other.Lists)}
}

// keys and lists give the parts.
func (r *Revoked) keys() *Revoked {
	if r == nil {
		return nil
	}
	return &Revoked{Keys: r.Keys}
}

func (r *Revoked) lists() *Revoked {
	if r == nil {
		return nil
	}
	return &Revoked{Lists: r.Lists}
}

// has reports whether the key is revoked.
func (r *Revoked) has(key Fingerprint) bool {
	return r != nil && slices.ContainsFunc(r.Keys, key.Equal)
}

// KeepNewest gives r as it is to be taken after before, which was in force until
// now: in the place of a list that is older than before's of the same authority,
// that one. The error then names the first such authority; what is given is to be
// used, or r to be refused. A list is older by its number (RFC 5280, Section
// 5.2.3), or without one by its date. An authority of which r has no list at all
// has none in the result.
func (r *Revoked) KeepNewest(before *Revoked) (*Revoked, error) {
	if r == nil || before == nil {
		return r, nil
	}
	kept := r.clone()
	var older error
	for _, then := range before.Lists {
		var newest *x509.RevocationList
		for _, now := range kept.Lists {
			if sameIssuer(now, then) && (newest == nil || isOlder(newest, now)) {
				newest = now
			}
		}
		if newest == nil || !isOlder(newest, then) {
			continue
		}
		if older == nil {
			older = fmt.Errorf("mtls: the revocation list of %s is older than the one before it: of %s, after %s", quoted(newest.Issuer.String()), stamp(newest.ThisUpdate), stamp(then.ThisUpdate))
		}
		kept.Lists = slices.DeleteFunc(kept.Lists, func(now *x509.RevocationList) bool { return sameIssuer(now, then) })
		kept.Lists = append(kept.Lists, then)
	}
	return kept, older
}

func sameIssuer(a, b *x509.RevocationList) bool {
	return bytes.Equal(a.RawIssuer, b.RawIssuer) && bytes.Equal(a.AuthorityKeyId, b.AuthorityKeyId)
}

// isOlder compares two lists of one authority.
func isOlder(list, than *x509.RevocationList) bool {
	if list.Number != nil && than.Number != nil {
		return list.Number.Cmp(than.Number) < 0
	}
	return list.ThisUpdate.Before(than.ThisUpdate)
}

// lists are revocation lists, ready to be asked.
type lists struct{ all []*list }

// A list is one of them.
type list struct {
	*x509.RevocationList
	serials map[string]time.Time // when revoked; by the serial number in hex

	// signed remembers whose signature it is: issuer's key to bool.
	signed sync.Map
}

// newLists takes lists in. One that bears the name of a root has to be signed by it;
// of the authorities in between we see the keys only when a peer shows them.
func newLists(all []*x509.RevocationList, a *Authority) (*lists, error) {
	if len(all) == 0 {
		return nil, nil
	}
	if a == nil {
		return nil, errors.New("mtls: a revocation list, and no authority that it is of")
	}
	ready := &lists{}
	for _, l := range all {
		if err := checkList(l); err != nil {
			return nil, err
		}
		one := &list{RevocationList: l, serials: make(map[string]time.Time, len(l.RevokedCertificateEntries))}
		for _, entry := range l.RevokedCertificateEntries {
			one.serials[entry.SerialNumber.Text(16)] = entry.RevocationTime
		}
		named := func(root *x509.Certificate) bool { return bytes.Equal(root.RawSubject, l.RawIssuer) }
		if slices.ContainsFunc(a.Roots, named) && !slices.ContainsFunc(a.Roots, one.isOf) {
			return nil, fmt.Errorf("mtls: the revocation list of %s is not signed by it", quoted(l.Issuer.String()))
		}
		ready.all = append(ready.all, one)
	}
	return ready, nil
}

// isOf reports whether the list is by this authority.
func (l *list) isOf(issuer *x509.Certificate) bool {
	if !bytes.Equal(issuer.RawSubject, l.RawIssuer) {
		return false
	}
	key := FingerprintOf(issuer)
	if signed, known := l.signed.Load(key); known {
		return signed.(bool)
	}
	signed := l.CheckSignatureFrom(issuer) == nil
	if signed {
		// Only what holds is kept: it can be only so many.
		l.signed.Store(key, true)
	}
	return signed
}

// judge refuses a certificate that its issuer has revoked, or of which we do not
// know. It shortens until to when the lists end.
func (ls *lists) judge(h hearing, cert, issuer *x509.Certificate, until *time.Time) *PeerError {
	var stale *list
	current := false
	for _, l := range ls.all {
		if !l.isOf(issuer) {
			continue
		}
		if when, revoked := l.serials[cert.SerialNumber.Text(16)]; revoked {
			return refuse(h.leaf, RuleRevoked, "revoked by %s on %s: the certificate of %s, serial number %x", subject(issuer), stamp(when), subject(cert), cert.SerialNumber)
		}
		if h.at.Before(l.ThisUpdate) || h.at.After(l.NextUpdate) {
			stale = l
			continue
		}
		current = true
		if l.NextUpdate.Before(*until) {
			*until = l.NextUpdate
		}
	}
	switch {
	case current || h.again:
		return nil
	case stale != nil:
		return refuse(h.leaf, RuleUnknownRevocation, "the revocation list of %s held from %s to %s, and here it is %s", subject(issuer), stamp(stale.ThisUpdate), stamp(stale.NextUpdate), stamp(h.at))
	}
	return refuse(h.leaf, RuleUnknownRevocation, "no revocation list of %s", subject(issuer))
}
