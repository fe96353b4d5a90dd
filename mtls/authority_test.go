package mtls_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
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
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if dialed, dialError = mtls.Dial(ctx, "tcp", l.Addr().String(), dialer); dialError != nil {
		return nil, nil, dialError, <-refusals
	}
	if accepted, err = l.AcceptConn(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range []*mtls.Conn{dialed, accepted} {
		conn.SetDeadline(time.Now().Add(5 * time.Second))
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

// TestRevoked: by its certificate or by its key, a peer is refused; and so is everybody while the list says nothing.
func TestRevoked(t *testing.T) {
	ca := newAuthority(t, "ours")
	alice, bob := ca.issue([]string{"dns:alice"}, nil), ca.issue([]string{"dns:bob"}, nil)
	at := func(list *x509.RevocationList, when time.Time) mtls.Trust {
		trust := ca.trust("alice")
		trust.Revoked = &mtls.Revoked{Lists: []*x509.RevocationList{list}}
		trust.Now = func() time.Time { return when }
		return trust
	}
	byKey := ca.trust("alice")
	byKey.Revoked = &mtls.Revoked{Keys: []mtls.Fingerprint{alice.Fingerprint()}}
	pinned := mtls.Pin(alice.Fingerprint())
	pinned.Revoked = byKey.Revoked
	rootKey := ca.trust("alice")
	rootKey.Revoked = &mtls.Revoked{Keys: []mtls.Fingerprint{mtls.FingerprintOf(ca.cert)}}
	either := mtls.AnyOf(mtls.Pin(alice.Fingerprint()), ca.trust("alice"))
	either.Revoked = byKey.Revoked
	eitherListed := mtls.AnyOf(ca.trust("alice"))
	eitherListed.Revoked = &mtls.Revoked{Lists: []*x509.RevocationList{ca.list(1, alice)}}
	for _, row := range []struct {
		name  string
		trust mtls.Trust
		rule  mtls.Rule
		words string
	}{
		{"another is", at(ca.list(1, bob), now), "", ""},
		{"by the list", at(ca.list(1, alice), now), mtls.RuleRevoked, "revoked by"},
		{"by its key", byKey, mtls.RuleRevoked, "key is revoked"},
		{"by its key, pinned", pinned, mtls.RuleRevoked, "key is revoked"},
		{"by the authority's key", rootKey, mtls.RuleRevoked, "authority"},
		{"by its key, among alternatives", either, mtls.RuleRevoked, "key is revoked"},
		{"by the list, among alternatives", eitherListed, mtls.RuleRevoked, "revoked by"},
		{"a list out of date", at(endsSoon(ca), now.Add(30*time.Minute)), mtls.RuleUnknownRevocation, "to 2026-06-01T12:10:00Z"},
		{"a list that has not begun", at(ca.list(1), now.Add(-30*time.Minute)), mtls.RuleUnknownRevocation, "held from"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Identity: alice, Trust: ca.trust("bob")}, &mtls.ListenerOptions{Identity: bob, Trust: row.trust})
			if row.rule != "" {
				wantRefused(t, dialError)
				wantRule(t, refusal, row.rule, row.words)
			} else if dialError != nil {
				t.Errorf("%v, %v", dialError, refusal)
			}
		})
	}
}

// endsSoon gives a list of ten minutes.
func endsSoon(a *authority) *x509.RevocationList {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(10 * time.Minute),
	}, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	lists, err := mtls.ParseRevocationLists(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return lists[0]
}

// TestLive changes both sides under connections that live.
func TestLive(t *testing.T) {
	ca := newAuthority(t, "ours")
	alice, bob := ca.issue([]string{"dns:alice"}, nil), ca.issue([]string{"dns:bob"}, nil)
	dialing, err := mtls.NewLive(alice, ca.trust("bob"))
	if err != nil {
		t.Fatal(err)
	}
	listening, err := mtls.NewLive(bob, ca.trust("alice"))
	if err != nil {
		t.Fatal(err)
	}
	meeting := func() (dialed, accepted *mtls.Conn, dialError, refusal error) {
		return rendezvous(t, &mtls.ClientOptions{Live: dialing}, &mtls.ListenerOptions{Live: listening})
	}
	set := func(l *mtls.Live, id *mtls.Identity, trust mtls.Trust, want int) {
		t.Helper()
		if cut, err := l.Set(id, trust); err != nil || cut != want {
			t.Errorf("cut %d, %v; want %d", cut, err, want)
		}
	}
	dialed, accepted, dialError, refusal := meeting()
	if dialError != nil {
		t.Fatal(dialError, refusal)
	}

	// A new certificate of ours, a list that revokes others, and dates that have passed since, cut nothing.
	later := ca.trust("alice")
	later.Revoked = &mtls.Revoked{Lists: []*x509.RevocationList{endsSoon(ca)}}
	later.Now = func() time.Time { return now.Add(50 * time.Hour) }
	set(listening, ca.issue([]string{"dns:bob"}, nil), later, 0)
	set(dialing, ca.issue([]string{"dns:alice"}, nil), ca.trust("bob"), 0)
	if _, err := listening.Set(bob, mtls.Trust{}); err != mtls.ErrUnpinned {
		t.Errorf("nobody to trust: %v, want ErrUnpinned", err)
	}
	io.WriteString(dialed, "still there")
	if b := make([]byte, 11); true {
		if _, err := io.ReadFull(accepted, b); err != nil || string(b) != "still there" {
			t.Fatalf("read %q, %v", b, err)
		}
	}
	// New handshakes use what is new: the certificate, and the clock by which everybody's has expired.
	_, _, dialError, refusal = meeting()
	wantRefused(t, dialError)
	wantRule(t, refusal, mtls.RuleExpired)

	// The listener revokes the dialer: its end is cut with the reason, the other one without an end.
	revoking := ca.trust("alice")
	revoking.Revoked = &mtls.Revoked{Lists: []*x509.RevocationList{ca.list(2, alice)}}
	set(listening, bob, revoking, 1)
	_, err = accepted.Read(make([]byte, 1))
	wantRule(t, err, mtls.RuleRevoked, "revoked by")
	if _, err := dialed.Read(make([]byte, 1)); !errors.Is(err, mtls.ErrTruncated) {
		t.Errorf("the revoked reads %v, want ErrTruncated", err)
	}
	if n := listening.Conns(); n != 0 {
		t.Errorf("%d connections are left with the listener", n)
	}

	dialed.Close()

	// And the dialer the listener, in the midst of reading.
	set(listening, bob, ca.trust("alice"), 0)
	set(dialing, alice, ca.trust("bob"), 0)
	if dialed, accepted, dialError, refusal = meeting(); dialError != nil {
		t.Fatal(dialError, refusal)
	}
	reading := make(chan error, 1)
	go func() {
		_, err := dialed.Read(make([]byte, 1))
		reading <- err
	}()
	revoking = ca.trust("bob")
	revoking.Revoked = &mtls.Revoked{Keys: []mtls.Fingerprint{bob.Fingerprint()}}
	set(dialing, alice, revoking, 1)
	wantRule(t, <-reading, mtls.RuleRevoked)
	if _, err := accepted.Read(make([]byte, 1)); !errors.Is(err, mtls.ErrTruncated) {
		t.Errorf("the revoked reads %v, want ErrTruncated", err)
	}

	accepted.Close()

	// What was closed is not kept.
	set(dialing, alice, ca.trust("bob"), 0)
	if dialed, accepted, dialError, refusal = meeting(); dialError != nil {
		t.Fatal(dialError, refusal)
	}
	dialed.Close()
	accepted.NetConn().Close()
	if a, b := dialing.Conns(), listening.Conns(); a != 0 || b != 0 {
		t.Errorf("%d and %d closed connections are kept", a, b)
	}
}

// TestLoadCertificate: a chain and a key from files, or one clear error.
func TestLoadCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, "ours")
	key, other := newKey(t), newKey(t)
	leaf := ca.sign(&x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: now, NotAfter: now.Add(time.Hour), DNSNames: []string{"alice"}}, ca.cert, &key.PublicKey)
	chain := string(pemOf("CERTIFICATE", leaf.Raw)) + string(pemOf("CERTIFICATE", ca.cert.Raw))
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pemOf("PRIVATE KEY", der))
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		certificate, key string
		mode             os.FileMode
		words            string
	}{
		"PKCS #8":             {chain, pkcs8(key), 0o600, ""},
		"SEC 1":               {chain, string(pemOf("EC PRIVATE KEY", sec1)), 0o600, ""},
		"both in one text":    {pkcs8(key) + chain, pkcs8(key) + chain, 0o600, ""},
		"another key":         {chain, pkcs8(other), 0o600, "not that of the certificate"},
		"the wrong order":     {string(pemOf("CERTIFICATE", ca.cert.Raw)) + string(pemOf("CERTIFICATE", leaf.Raw)), pkcs8(key), 0o600, "has to be the first"},
		"no certificate":      {"", pkcs8(key), 0o600, "no \"CERTIFICATE\""},
		"no key":              {chain, chain, 0o600, "no private key"},
		"a broken key":        {chain, string(pemOf("PRIVATE KEY", []byte("x"))), 0o600, "does not parse"},
		"a broken one":        {string(pemOf("CERTIFICATE", []byte("x"))), pkcs8(key), 0o600, "certificate 1 does not parse"},
		"a key for all":       {chain, pkcs8(key), 0o644, "must be 0600"},
		"under a passphrase":  {chain, string(pemOf("ENCRYPTED PRIVATE KEY", []byte("x"))), 0o600, "passphrase"},
		"a chain too long":    {strings.Repeat(chain, 5), pkcs8(key), 0o600, "at most 8"},
		"far too big":         {chain, pkcs8(key) + strings.Repeat("x", 20_000), 0o600, "more than"},
		"far too big a chain": {chain + strings.Repeat("x", 600_000), pkcs8(key), 0o600, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			certificatePath, keyPath := filepath.Join(dir, "certificate"), filepath.Join(dir, "key")
			for path, text := range map[string]string{certificatePath: row.certificate, keyPath: row.key} {
				os.Remove(path)
				if err := os.WriteFile(path, []byte(text), row.mode); err != nil {
					t.Fatal(err)
				}
			}
			id, err := mtls.LoadCertificate(certificatePath, keyPath)
			if row.words != "" {
				if err == nil || !strings.Contains(err.Error(), row.words) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want a line with %q", err, row.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if names := id.Names(); id.Fingerprint() != mtls.FingerprintOf(leaf) || !id.NotAfter().Equal(leaf.NotAfter) || len(names) != 1 || names[0].String() != "dns:alice" {
				t.Errorf("loaded %v until %v, named %v", id.Fingerprint(), id.NotAfter(), names)
			}
			if err := id.Save(filepath.Join(dir, "saved")); err == nil {
				t.Error("saved, and so lost the chain")
			}
		})
	}
	if _, err := mtls.LoadCertificate(filepath.Join(dir, "none"), filepath.Join(dir, "key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v, want ErrNotExist", err)
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// TestLiveRoots: an authority that goes on with a new certificate keeps its peers, one that is dropped loses them.
func TestLiveRoots(t *testing.T) {
	ca, other := newAuthority(t, "ours"), newAuthority(t, "theirs")
	alice, bob := ca.issue([]string{"dns:alice"}, nil), ca.issue([]string{"dns:bob"}, nil)
	live, err := mtls.NewLive(bob, ca.trust("alice"))
	if err != nil {
		t.Fatal(err)
	}
	_, accepted, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Identity: alice, Trust: ca.trust("bob")}, &mtls.ListenerOptions{Live: live})
	if dialError != nil {
		t.Fatal(dialError, refusal)
	}
	shape := *ca.cert
	shape.SerialNumber, shape.NotBefore = big.NewInt(1000), now.Add(time.Minute)
	renewed := &authority{t: t, key: ca.key, cert: ca.sign(&shape, &shape, &ca.key.PublicKey)}
	later := renewed.trust("alice")
	later.Now = func() time.Time { return now.Add(30 * time.Minute) }
	for _, row := range []struct {
		name  string
		trust mtls.Trust
		cut   int
	}{
		{"a new certificate of the same key", later, 0},
		{"another name beside the old one", ca.trust("carol", "alice"), 0},
		{"another authority", other.trust("alice"), 1},
	} {
		if cut, err := live.Set(bob, row.trust); err != nil || cut != row.cut {
			t.Errorf("%s: cut %d, %v; want %d", row.name, cut, err, row.cut)
		}
	}
	_, err = accepted.Read(make([]byte, 1))
	wantRule(t, err, mtls.RuleAuthority)
}

// TestFlippedCertificates changes a bit in each byte of a chain: nothing that is not what the authority has signed is
// taken for it.
func TestFlippedCertificates(t *testing.T) {
	ca := newAuthority(t, "ours")
	alice := ca.issue([]string{"dns:alice"}, nil)
	terms, err := mtls.ListenTerms(&mtls.ListenerOptions{Identity: alice, Trust: ca.trust("alice")})
	if err != nil {
		t.Fatal(err)
	}
	state := tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, NegotiatedProtocol: mtls.Protocol}
	judge := func(der []byte) (parsed bool, err error) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return false, err
		}
		state.PeerCertificates = []*x509.Certificate{cert, ca.cert}
		_, err = terms.Judge(state)
		return true, err
	}
	leaf := alice.Certificate()
	if _, err := judge(leaf); err != nil {
		t.Fatalf("as it is: %v", err)
	}
	judged := 0
	for at := range leaf {
		for bit := range 8 {
			leaf[at] ^= 1 << bit
			parsed, err := judge(leaf)
			if err == nil {
				t.Errorf("byte %d, bit %d: accepted", at, bit)
			}
			if parsed {
				judged++
			}
			leaf[at] ^= 1 << bit
		}
	}
	if judged < 500 {
		t.Errorf("only %d of them were certificates at all", judged)
	}
}

// FuzzParseCertificate: an identity's certificate is for its key, or there is none.
func FuzzParseCertificate(f *testing.F) {
	ca := newAuthority(f, "ours")
	key := newKey(f)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	leaf := ca.sign(&x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: now, NotAfter: now}, ca.cert, &key.PublicKey)
	f.Add(pemOf("CERTIFICATE", leaf.Raw), pemOf("PRIVATE KEY", der))
	f.Add(pemOf("CERTIFICATE", ca.cert.Raw), pemOf("ENCRYPTED PRIVATE KEY", der))
	f.Fuzz(func(t *testing.T, certificates, key []byte) {
		id, err := mtls.ParseCertificate(certificates, key)
		if (id == nil) == (err == nil) {
			t.Fatalf("got %v and %v", id, err)
		}
		if id == nil {
			return
		}
		cert, err := x509.ParseCertificate(id.Certificate())
		if err != nil || mtls.FingerprintOf(cert) != id.Fingerprint() {
			t.Errorf("an identity of %v with a certificate for another, %v", id.Fingerprint(), err)
		}
	})
}
