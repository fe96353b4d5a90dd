package mtls_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// now is when the tests of authorities play.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// An authority is one that issues what it is told to.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	next int64
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), next: 2}
	shape := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a.cert = a.sign(shape, shape, &a.key.PublicKey)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(shape, parent *x509.Certificate, public any) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, shape, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// issue makes an identity with these names, for clients and servers; change may make it another one.
func (a *authority) issue(names []string, change func(*x509.Certificate)) *mtls.Identity {
	a.t.Helper()
	shape := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	a.next++
	for _, name := range names {
		kind, value, _ := strings.Cut(name, ":")
		switch kind {
		case "dns":
			shape.DNSNames = append(shape.DNSNames, value)
		case "ip":
			shape.IPAddresses = append(shape.IPAddresses, net.ParseIP(value))
		case "uri":
			uri, err := url.Parse(value)
			if err != nil {
				a.t.Fatal(err)
			}
			shape.URIs = append(shape.URIs, uri)
		case "cn":
			shape.Subject.CommonName = value
		}
	}
	if change != nil {
		change(shape)
	}
	key := newKey(a.t)
	id, err := mtls.FromCertificate([]*x509.Certificate{a.sign(shape, a.cert, &key.PublicKey), a.cert}, key)
	if err != nil {
		a.t.Fatal(err)
	}
	return id
}

// list revokes the certificates of identities until an hour from now.
func (a *authority) list(number int64, revoked ...*mtls.Identity) *x509.RevocationList {
	a.t.Helper()
	shape := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
	for _, id := range revoked {
		leaf, err := x509.ParseCertificate(id.Certificate())
		if err != nil {
			a.t.Fatal(err)
		}
		shape.RevokedCertificateEntries = append(shape.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: leaf.SerialNumber, RevocationTime: now.Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, shape, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	lists, err := mtls.ParseRevocationLists(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	if err != nil {
		a.t.Fatal(err)
	}
	return lists[0]
}

// trust trusts the authority for these names, at the tests' time.
func (a *authority) trust(names ...string) mtls.Trust {
	a.t.Helper()
	trust := mtls.Trust{Authority: &mtls.Authority{Roots: []*x509.Certificate{a.cert}}, Now: func() time.Time { return now }}
	for _, text := range names {
		name, err := mtls.ParseName(text)
		if err != nil {
			a.t.Fatal(err)
		}
		trust.Authority.Names = append(trust.Authority.Names, name)
	}
	return trust
}

// rendezvous connects two and gives what each side says; both conns are closed in the end.
func rendezvous(t testing.TB, dialer *mtls.ClientOptions, listener *mtls.ListenerOptions) (dialed, accepted *mtls.Conn, dialError, refusal error) {
	t.Helper()
	refusals := make(chan error, 1)
	listener.Refused = func(_ net.Addr, err error) { refusals <- err }
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", listener)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if dialed, dialError = mtls.Dial(ctx, "tcp", l.Addr().String(), dialer); dialError != nil {
		return nil, nil, dialError, <-refusals
	}
	if accepted, err = l.AcceptConn(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range []*mtls.Conn{dialed, accepted} {
		conn.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { conn.NetConn().Close() })
	}
	return dialed, accepted, nil, nil
}

// wantRule looks for a PeerError of this rule, whose text has these words.
func wantRule(t testing.TB, err error, rule mtls.Rule, words ...string) {
	t.Helper()
	var peer *mtls.PeerError
	if !errors.As(err, &peer) || peer.Rule != rule {
		t.Errorf("got %v, want a PeerError for %s", err, rule)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want %q in it", err, word)
		}
	}
}

// TestAuthority has the names of both sides judged.
func TestAuthority(t *testing.T) {
	ca := newAuthority(t, "ours")
	alice := ca.issue([]string{"uri:spiffe://example.org/alice", "cn:alice"}, nil)
	db := ca.issue([]string{"dns:db.example.org", "dns:DB2.example.org", "ip:192.0.2.1", "cn:database"}, nil)
	good := ca.trust("spiffe://example.org/alice")
	for _, row := range []struct {
		name   string
		trust  mtls.Trust
		refuse string
	}{
		{"the DNS name", ca.trust("db.example.org"), ""},
		{"in other letters", ca.trust("dns:DB.Example.ORG"), ""},
		{"written so in the certificate", ca.trust("db2.example.org"), ""},
		{"the address", ca.trust("192.0.2.1"), ""},
		{"the address in IPv6", ca.trust("::ffff:192.0.2.1"), ""},
		{"the common name, asked for", ca.trust("cn:database"), ""},
		{"one of several", ca.trust("other.example.org", "db.example.org"), ""},
		{"the common name, not asked for", ca.trust("database"), "expected dns:database, got dns:db.example.org"},
		{"a part of the name", ca.trust("example.org"), "wrong name"},
		{"the name and more", ca.trust("x.db.example.org"), "wrong name"},
		{"the beginning of the common name", ca.trust("cn:data"), "wrong name"},
		{"the common name in other letters", ca.trust("cn:Database"), "wrong name"},
		{"another address", ca.trust("192.0.2.10"), "wrong name"},
		{"a URI", ca.trust("spiffe://example.org/db"), "wrong name"},
	} {
		dialed, accepted, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Identity: alice, Trust: row.trust}, &mtls.ListenerOptions{Identity: db, Trust: good})
		if row.refuse != "" {
			wantRule(t, dialError, mtls.RuleName, row.refuse)
			if refusal == nil || accepted != nil {
				t.Errorf("%s: the listener has %v, %v", row.name, accepted, refusal)
			}
			continue
		}
		if dialError != nil {
			t.Errorf("%s: %v, refused by the listener: %v", row.name, dialError, refusal)
			continue
		}
		if !dialed.Peer().Has(row.trust.Authority.Names[len(row.trust.Authority.Names)-1]) || len(dialed.Peer().Chain) != 2 {
			t.Errorf("%s: the peer has %v", row.name, dialed.Peer().Names())
		}
		id, err := mtls.ParseName("spiffe://example.org/alice")
		if err != nil || !accepted.Peer().Has(id) || accepted.Peer().Has(mtls.Name{}) {
			t.Errorf("%s: the listener's peer has %v", row.name, accepted.Peer().Names())
		}
	}
}

// TestAuthorityAndPins: both have to hold, unless alternatives were asked for.
func TestAuthorityAndPins(t *testing.T) {
	ca, other := newAuthority(t, "ours"), newAuthority(t, "ours")
	alice, bob, fake := ca.issue([]string{"dns:alice"}, nil), ca.issue([]string{"dns:bob"}, nil), other.issue([]string{"dns:bob"}, nil)
	pinned := identity(t, "pinned")
	both := ca.trust()
	both.Pins = []mtls.Fingerprint{bob.Fingerprint(), fake.Fingerprint()}
	either := mtls.AnyOf(ca.trust("bob"), mtls.Pin(pinned.Fingerprint()))
	for _, row := range []struct {
		name  string
		trust mtls.Trust
		peer  *mtls.Identity
		rule  mtls.Rule
	}{
		{"pinned and certified", both, bob, ""},
		{"pinned, by another authority of that name", both, fake, mtls.RuleAuthority},
		{"certified, not pinned", both, alice, mtls.RuleKey},
		{"either: certified", either, bob, ""},
		{"either: pinned", either, pinned, ""},
		{"either: of another name", either, alice, mtls.RuleName},
		{"either: by another authority", either, fake, mtls.RuleKey},
		{"either: unknown", either, identity(t, "mallory"), mtls.RuleKey},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Identity: row.peer, Trust: ca.trust("alice")}, &mtls.ListenerOptions{Identity: alice, Trust: row.trust})
			if row.rule != "" {
				wantRefused(t, dialError)
				wantRule(t, refusal, row.rule)
			} else if dialError != nil {
				t.Errorf("%v, %v", dialError, refusal)
			}
		})
	}
}

// TestTrustRefuses: what could not have been meant is refused before anybody is dialed or listened for.
func TestTrustRefuses(t *testing.T) {
	ca := newAuthority(t, "ours")
	id := ca.issue([]string{"dns:alice"}, nil)
	leaf, err := x509.ParseCertificate(id.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	anybody := ca.trust()
	anybody.Authority.AcceptAnyName = true
	contradiction := ca.trust("bob")
	contradiction.Authority.AcceptAnyName = true
	zero := ca.trust("bob")
	zero.Authority.Names = append(zero.Authority.Names, mtls.Name{})
	leafAsRoot := ca.trust("bob")
	leafAsRoot.Authority.Roots = []*x509.Certificate{leaf}
	foreignList := ca.trust("bob")
	foreignList.Revoked = &mtls.Revoked{Lists: []*x509.RevocationList{newAuthority(t, "ours").list(1)}}
	listAlone := mtls.Pin(id.Fingerprint())
	listAlone.Revoked = &mtls.Revoked{Lists: []*x509.RevocationList{ca.list(1)}}
	beside := mtls.AnyOf(ca.trust("bob"))
	beside.Pins = []mtls.Fingerprint{id.Fingerprint()}
	for name, row := range map[string]struct {
		trust          mtls.Trust
		dials, listens bool
	}{
		"no name":                      {ca.trust(), false, false},
		"any name":                     {anybody, false, true},
		"any name, among alternatives": {mtls.AnyOf(anybody, mtls.Pin(id.Fingerprint())), false, true},
		"any name and a name":          {contradiction, false, false},
		"an empty name":                {zero, false, false},
		"no roots":                     {mtls.Trust{Authority: &mtls.Authority{Names: ca.trust("bob").Authority.Names}}, false, false},
		"a leaf for a root":            {leafAsRoot, false, false},
		"a list of another authority":  {foreignList, false, false},
		"a list without an authority":  {listAlone, false, false},
		"no alternatives":              {mtls.AnyOf(), false, false},
		"an empty alternative":         {mtls.AnyOf(mtls.Trust{}, ca.trust("bob")), false, false},
		"alternatives and a pin":       {beside, false, false},
		"a name":                       {ca.trust("bob"), true, true},
	} {
		if _, err := mtls.ClientConfig(id, row.trust, "x"); (err == nil) != row.dials {
			t.Errorf("%s: dialing gives %v", name, err)
		}
		if _, err := mtls.ServerConfig(id, row.trust, "x"); (err == nil) != row.listens {
			t.Errorf("%s: listening gives %v", name, err)
		}
	}
}

// TestErrorIsBounded: a peer cannot fill our logs by the names in its certificate, nor write to our terminals.
func TestErrorIsBounded(t *testing.T) {
	ca := newAuthority(t, "ours")
	names := []string{"cn:evil\x1b[2J\u202e"}
	for n := range 100 {
		names = append(names, "uri:https://example.org/"+strings.Repeat("x", 1000+n))
	}
	_, _, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Identity: ca.issue(names, nil), Trust: ca.trust("bob")}, &mtls.ListenerOptions{Identity: ca.issue([]string{"dns:bob"}, nil), Trust: ca.trust("alice")})
	wantRefused(t, dialError)
	wantRule(t, refusal, mtls.RuleName)
	if text := refusal.Error(); len(text) > 2000 || strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("the error has %d bytes: %.200q…", len(text), text)
	}
}
