package mtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"snug/mtls"
)

// A link is a certificate of a bad chain, with the name that others call it by.
type link struct {
	name string
	mould
}

// A badChain is one that has to be refused, and why.
type badChain struct {
	name    string
	links   []link   // made in this order; "root" is there already
	shows   []string // what the peer shows; the links from the last to the first where it is left out
	key     string   // whose key it has; the first's that it shows where it is left out
	lists   []string // authorities whose lists we have
	revoked []string // what stands on the first of them
	late    time.Duration
	side    string // "dialer" or "listener" where only that one's chain is bad
	rule    mtls.Rule
	words   string
}

// badChains are more than twenty of them, all made by openssl.
func badChains() []badChain {
	leaf := func(section string, change func(*mould)) []link {
		m := mould{section: section, issuer: "root"}
		if change != nil {
			change(&m)
		}
		return []link{{"peer", m}}
	}
	// under has an authority between the root and a good leaf.
	under := func(section string, change func(*mould)) []link {
		m := mould{section: section, issuer: "root"}
		if change != nil {
			change(&m)
		}
		return []link{{"between", m}, {"peer", mould{section: "leaf", issuer: "between"}}}
	}
	sha1 := func(m *mould) { m.md = "sha1" }
	weak := func(m *mould) { m.key = "rsa:1024" }
	past := func(m *mould) { m.from, m.until = "20250101000000Z", "20250201000000Z" }
	future := func(m *mould) { m.from, m.until = "20260801000000Z", "20270101000000Z" }
	return []badChain{
		{name: "expired", links: leaf("leaf", past), rule: mtls.RuleExpired, words: "expired: it ended 2025-02-01"},
		{name: "not yet valid", links: leaf("leaf", future), rule: mtls.RuleNotYetValid, words: "it begins 2026-08-01"},
		{name: "expired in between", links: under("between", past), rule: mtls.RuleExpired, words: `its authority "CN=between" is expired`},
		{name: "not yet valid in between", links: under("between", future), rule: mtls.RuleNotYetValid, words: `"CN=between" is not yet valid`},
		{name: "for mail", links: leaf("mailer", nil), rule: mtls.RulePurpose, words: "got one for something else"},
		{name: "a client's in the server's place", links: leaf("client", nil), side: "listener", rule: mtls.RulePurpose, words: "expected a certificate for servers, got one for clients"},
		{name: "a server's in the client's place", links: leaf("server", nil), side: "dialer", rule: mtls.RulePurpose, words: "expected a certificate for clients, got one for servers"},
		{name: "by an authority for mail", links: under("mailers", nil), rule: mtls.RulePurpose, words: "its authority may not certify"},
		{name: "a key that may not sign", links: leaf("encrypter", nil), rule: mtls.RulePurpose, words: "not for signing"},
		{name: "an authority itself", links: leaf("root", nil), rule: mtls.RulePurpose, words: "an authority's, not a peer's"},
		{name: "the root itself", shows: []string{"root"}, rule: mtls.RulePurpose, words: "an authority's, not a peer's"},
		{name: "another name", links: leaf("other", nil), rule: mtls.RuleName, words: "expected dns:peer.example.org, got dns:other.example.org"},
		{name: "a name with more to it", links: leaf("longer", nil), rule: mtls.RuleName, words: "got dns:peer.example.org.example.com or dns:xpeer.example.org"},
		{name: "a wildcard", links: leaf("wild", nil), rule: mtls.RuleName, words: "got cn:peer"},
		{name: "no alternative name", links: leaf("nameless", func(m *mould) { m.subject = "peer.example.org" }), rule: mtls.RuleName, words: "got cn:peer.example.org"},
		{name: "SHA-1", links: leaf("leaf", sha1), rule: mtls.RuleWeak, words: "weak signature: ECDSA-SHA1"},
		{name: "SHA-1 in between", links: under("between", sha1), rule: mtls.RuleWeak, words: `weak signature: ECDSA-SHA1, of "CN=between"`},
		{name: "RSA-1024", links: leaf("leaf", weak), rule: mtls.RuleWeak, words: "weak key: RSA of 1024 bits"},
		{name: "RSA-1024 in between", links: under("between", weak), rule: mtls.RuleWeak, words: `"CN=between": weak key: RSA of 1024 bits`},
		{name: "CA:FALSE in between", links: under("nobody", nil), rule: mtls.RuleConstraint, words: "which is no authority: its basic constraints"},
		{name: "no basic constraints in between", links: under("silent", nil), rule: mtls.RuleConstraint, words: "which is no authority: its basic constraints"},
		{name: "issued by a peer", links: under("leaf", nil), rule: mtls.RuleConstraint, words: `issued by "CN=between", which is no authority`},
		{name: "by a key that may not certify", links: under("signless", nil), rule: mtls.RuleConstraint, words: "its key is not for signing certificates"},
		{name: "path too long", links: []link{
			{"short", mould{section: "short", issuer: "root"}}, {"between", mould{section: "between", issuer: "short"}}, {"peer", mould{section: "leaf", issuer: "between"}},
		}, rule: mtls.RuleConstraint, words: `"CN=short" allows 0 authorities under it, and there are 1`},
		{name: "out of the authority's names", links: under("elsewhere", nil), rule: mtls.RuleConstraint, words: "name constraints"},
		{name: "unknown critical extension", links: leaf("odd", nil), rule: mtls.RuleExtension, words: "1.2.3.4.5"},
		{name: "unknown critical extension in between", links: under("oddca", nil), rule: mtls.RuleExtension, words: `"CN=between" that we do not know: 1.2.3.4.5`},
		{name: "revoked", links: leaf("leaf", nil), lists: []string{"root"}, revoked: []string{"peer"}, rule: mtls.RuleRevoked, words: `revoked by "CN=root"`},
		{name: "revoked in between", links: under("between", nil), lists: []string{"root", "between"}, revoked: []string{"between"}, rule: mtls.RuleRevoked, words: `the certificate of "CN=between"`},
		{name: "no list of an authority in between", links: under("between", nil), lists: []string{"root"}, rule: mtls.RuleUnknownRevocation, words: `no revocation list of "CN=between"`},
		{name: "a list out of date", links: leaf("leaf", nil), lists: []string{"root"}, late: 31 * 24 * time.Hour, rule: mtls.RuleUnknownRevocation, words: `the revocation list of "CN=root" held from`},
		{name: "self-signed", links: leaf("leaf", func(m *mould) { m.issuer = "" }), rule: mtls.RuleAuthority, words: `self-signed by "CN=peer", expected the authority "CN=root"`},
		{name: "self-signed under the authority's name", links: leaf("leaf", func(m *mould) { m.issuer, m.subject = "", "root" }), rule: mtls.RuleAuthority, words: "self-signed"},
		{name: "another authority", links: []link{{"theirs", mould{section: "root"}}, {"peer", mould{section: "leaf", issuer: "theirs"}}}, shows: []string{"peer"}, rule: mtls.RuleAuthority, words: `issued by "CN=theirs", expected the authority "CN=root"`},
		{name: "another authority, shown", links: []link{{"theirs", mould{section: "root"}}, {"peer", mould{section: "leaf", issuer: "theirs"}}}, rule: mtls.RuleAuthority, words: `self-signed by "CN=theirs"`},
		{name: "another authority of the same name", links: []link{{"theirs", mould{section: "root", subject: "root"}}, {"peer", mould{section: "leaf", issuer: "theirs"}}}, shows: []string{"peer"}, rule: mtls.RuleAuthority, words: "another authority of the same name"},
		{name: "the one in between left out", links: under("between", nil), shows: []string{"peer"}, rule: mtls.RuleAuthority, words: `issued by "CN=between"`},
		{name: "the wrong order", links: under("between", nil), shows: []string{"between", "peer"}, key: "between", rule: mtls.RulePurpose, words: "an authority's, not a peer's"},
		{name: "more than we look at", links: leaf("leaf", nil), shows: strings.Fields("peer root root root root root root root root"), rule: mtls.RuleChain, words: "a chain of 9 certificates, at most 8"},
	}
}

// show gives what the peer of a bad chain shows.
func (b *badChain) show(f *forge) tls.Certificate {
	for _, l := range b.links {
		f.make(l.name, l.mould)
	}
	if b.shows == nil {
		for _, l := range b.links {
			b.shows = append([]string{l.name}, b.shows...)
		}
	}
	key := b.key
	if key == "" {
		key = b.shows[0]
	}
	return f.shown(key, b.shows...)
}

// trust trusts the forge's root for peer.example.org, on the 1st of June 2026 or, where lists are asked for, now.
func (f *forge) trust(b *badChain) mtls.Trust {
	f.t.Helper()
	name, err := mtls.ParseName("peer.example.org")
	if err != nil {
		f.t.Fatal(err)
	}
	at := now
	trust := mtls.Trust{Authority: &mtls.Authority{Roots: []*x509.Certificate{f.certificate("root")}, Names: []mtls.Name{name}}}
	for i, issuer := range b.lists {
		var revoked []string
		if i == 0 {
			revoked = b.revoked
		}
		list := f.list(issuer, revoked...)
		if trust.Revoked == nil {
			trust.Revoked = &mtls.Revoked{}
		}
		trust.Revoked.Lists = append(trust.Revoked.Lists, list)
		at = list.ThisUpdate.Add(time.Minute + b.late)
	}
	trust.Now = func() time.Time { return at }
	return trust
}

// TestBadChains has each of them shown to a listener and to a dialer, through somebody on the way: each is refused for its
// own reason, and nothing of it reaches an application.
func TestBadChains(t *testing.T) {
	ours, first := identity(t, "ours"), newForge(t)
	first.make("root", mould{section: "root"})
	for _, b := range badChains() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.take(first, "root")
			shown, trust := b.show(f), f.trust(&b)
			if b.side != "listener" {
				wantRule(t, badDialer(t, ours, trust, shown), b.rule, b.words)
			}
			if b.side != "dialer" {
				wantRule(t, badListener(t, ours, trust, shown), b.rule, b.words)
			}
		})
	}
}

// badDialer dials a listener of ours with what it has, and gives why the listener refused it.
func badDialer(t *testing.T, ours *mtls.Identity, trust mtls.Trust, shown tls.Certificate) error {
	t.Helper()
	refusals := make(chan error, 1)
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: ours, Trust: trust, Refused: func(_ net.Addr, err error) { refusals <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var line tap
	way := between(t, l.Addr(), line.keep)
	defer way.stop()
	config := foreignConfig(t, ours, shown)
	config.NextProtos = []string{mtls.Protocol}
	raw, err := net.Dial("tcp", way.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	conn := tls.Client(raw, config)
	io.WriteString(conn, canary) // with the handshake, before anybody has said yes
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("the listener said %d bytes", n)
	}
	raw.Close() // the listener lingers for as long as somebody might be sending
	return <-refusals
}

// badListener is dialed by us, and gives why we refused it. It hears nothing.
func badListener(t *testing.T, ours *mtls.Identity, trust mtls.Trust, shown tls.Certificate) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var heard atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		raw, err := l.Accept()
		if err != nil {
			return
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(patience))
		conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{shown}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{mtls.Protocol}, MinVersion: tls.VersionTLS13})
		conn.Write([]byte{1}) // the confirmation, and more than that
		io.WriteString(conn, canary)
		n, _ := io.Copy(io.Discard, conn)
		heard.Store(n)
	}()
	var line tap
	way := between(t, l.Addr(), line.keep)
	conn, err := mtls.Dial(t.Context(), "tcp", way.Addr().String(), &mtls.ClientOptions{Identity: ours, Trust: trust})
	if err == nil {
		conn.Close()
	}
	way.stop()
	l.Close()
	<-ended
	if n := heard.Load(); n != 0 {
		t.Errorf("the listener heard %d bytes", n)
	}
	return err
}

// foreignConfig is of somebody who dials anybody, and shows this.
func foreignConfig(t *testing.T, anybody *mtls.Identity, shown tls.Certificate) *tls.Config {
	t.Helper()
	config, err := mtls.ClientTLS(anybody, anybody.Fingerprint(), "x")
	if err != nil {
		t.Fatal(err)
	}
	config.VerifyConnection = nil
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
	return config
}

// TestGoodChains: what the bad ones are changed from is accepted on both sides, so that they are refused for what is bad.
func TestGoodChains(t *testing.T) {
	f := newForge(t)
	f.make("root", mould{section: "root"})
	f.make("between", mould{section: "between", issuer: "root"})
	f.make("below", mould{section: "short", issuer: "between"})
	for n, row := range []struct {
		name  string
		leaf  mould
		above []string
		lists []string
	}{
		{"under the root", mould{section: "leaf", issuer: "root"}, nil, nil},
		{"with the root shown", mould{section: "leaf", issuer: "root"}, []string{"root"}, nil},
		{"under one in between", mould{section: "leaf", issuer: "between"}, []string{"between"}, nil},
		{"under two in between", mould{section: "leaf", issuer: "below"}, []string{"below", "between"}, nil},
		{"the others in another order", mould{section: "leaf", issuer: "below"}, []string{"root", "between", "below"}, nil},
		{"for any purpose", mould{section: "plain", issuer: "root"}, nil, nil},
		{"RSA-2048", mould{section: "leaf", issuer: "root", key: "rsa:2048"}, nil, nil},
		{"SHA-512", mould{section: "leaf", issuer: "root", md: "sha512"}, nil, nil},
		{"with every list", mould{section: "leaf", issuer: "between"}, []string{"between"}, []string{"root", "between"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			leaf := number("peer", n)
			f.make(leaf, row.leaf)
			id, trust := f.identity(append([]string{leaf}, row.above...)...), f.trust(&badChain{lists: row.lists})
			if _, _, err, refusal := rendezvous(t, &mtls.ClientOptions{Identity: id, Trust: trust}, &mtls.ListenerOptions{Identity: id, Trust: trust}); err != nil {
				t.Errorf("%v, refused by the listener: %v", err, refusal)
			}
		})
	}
}

// TestConstrainedCommonName: an authority whose names are constrained cannot get around that by common names.
func TestConstrainedCommonName(t *testing.T) {
	f := newForge(t)
	f.make("root", mould{section: "root"})
	f.make("narrow", mould{section: "elsewhere", issuer: "root"})
	f.make("free", mould{section: "nameless", issuer: "root", subject: "db"})
	f.make("bound", mould{section: "nameless", issuer: "narrow", subject: "db"})
	trust := f.trust(&badChain{})
	name, err := mtls.ParseName("cn:db")
	if err != nil {
		t.Fatal(err)
	}
	trust.Authority.Names = []mtls.Name{name}
	ours := identity(t, "ours")
	wantRule(t, badDialer(t, ours, trust, f.shown("bound", "bound", "narrow")), mtls.RuleName, "expected cn:db, got none")
	free := f.identity("free")
	if _, accepted, err, refusal := rendezvous(t, &mtls.ClientOptions{Identity: free, Trust: mtls.Pin(ours.Fingerprint())}, &mtls.ListenerOptions{Identity: ours, Trust: trust}); err != nil || !accepted.Peer().Has(name) {
		t.Errorf("%v, refused by the listener: %v", err, refusal)
	}
}

// TestWeakAuthority: a root that would be refused in a chain is refused before anything else.
func TestWeakAuthority(t *testing.T) {
	for name, m := range map[string]mould{
		"RSA-1024": {section: "root", key: "rsa:1024"}, "CA:FALSE": {section: "nobody"}, "no basic constraints": {section: "silent"}, "may not certify": {section: "signless"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			f.make("root", m)
			if _, err := mtls.NewLive(identity(t, "ours"), f.trust(&badChain{})); err == nil || !strings.Contains(err.Error(), "cannot be an authority") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestImpostors has somebody in between who ends TLS on both sides, with what he has got.
func TestImpostors(t *testing.T) {
	f := newForge(t)
	f.make("root", mould{section: "root"})
	f.make("peer", mould{section: "leaf", issuer: "root"})
	f.make("other", mould{section: "other", issuer: "root"})
	f.make("theirs", mould{section: "root", subject: "root"})
	f.make("own", mould{section: "leaf", issuer: "theirs", subject: "peer"})
	f.make("self", mould{section: "leaf", subject: "peer"})
	alice := f.identity("peer") // both ends are called peer.example.org
	trust := f.trust(&badChain{})
	copied := f.shown("other", "other")
	copied.Certificate = [][]byte{f.certificate("peer").Raw}
	pinned := mtls.Pin(alice.Fingerprint())
	for name, row := range map[string]struct {
		shown tls.Certificate
		trust mtls.Trust
		rule  mtls.Rule // "" for a proof of possession that fails
	}{
		"an authority of his own":             {f.shown("own", "own", "theirs"), trust, mtls.RuleAuthority},
		"self-signed":                         {f.shown("self", "self"), trust, mtls.RuleAuthority},
		"a copied certificate":                {copied, trust, ""},
		"a certificate of his own, certified": {f.shown("other", "other"), trust, mtls.RuleName},
		"another key under the name, pinned":  {f.shown("own", "own", "theirs"), pinned, mtls.RuleKey},
		"a copied certificate, pinned":        {copied, pinned, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for side, err := range map[string]error{"dialer": badListener(t, alice, row.trust, row.shown), "listener": badDialer(t, alice, row.trust, row.shown)} {
				var peer *mtls.PeerError
				switch {
				case row.rule != "":
					wantRule(t, err, row.rule)
				case err == nil || errors.As(err, &peer):
					t.Errorf("the %s says %v, want that the key was not proven", side, err)
				}
			}
		})
	}
}

// TestBadLists: a list that we would misread, or that somebody else may have made, is no list.
func TestBadLists(t *testing.T) {
	f := newForge(t)
	f.make("root", mould{section: "root"})
	f.make("theirs", mould{section: "root", subject: "root"})
	list := func(args ...string) []byte {
		f.openssl(append([]string{"ca", "-config", "openssl.cnf", "-cert", "root.pem", "-keyfile", "root.key", "-gencrl", "-crldays", "30", "-out", "list"}, args...)...)
		return f.read("list")
	}
	good := list()
	for name, row := range map[string]struct {
		text  []byte
		words string
	}{
		"as it should be":           {good, ""},
		"two":                       {append(list(), good...), ""},
		"SHA-1":                     {list("-md", "sha1"), "weak signature: ECDSA-SHA1"},
		"of some certificates":      {list("-crlexts", "users"), "2.5.29.28"},
		"so, but not critical":      {list("-crlexts", "lenient"), "2.5.29.28"},
		"changes to another":        {list("-crlexts", "delta"), "2.5.29.27"},
		"unknown, critical":         {list("-crlexts", "oddlist"), "1.2.3.4.5"},
		"none":                      {f.read("root.pem"), "no \"X509 CRL\""},
		"empty":                     {nil, "does not parse"},
		"half":                      {good[:len(good)/2], "does not parse"},
		"one good and a broken one": {append(list(), pemOf("X509 CRL", []byte("x"))...), "does not parse"},
	} {
		lists, err := mtls.ParseRevocationLists(row.text)
		if row.words == "" && (err != nil || len(lists) == 0) || row.words != "" && (err == nil || !strings.Contains(err.Error(), row.words)) {
			t.Errorf("%s: got %d, %v; want %q", name, len(lists), err, row.words)
		}
	}
	// A list that was signed by another key, or changed after it was signed.
	lists, err := mtls.ParseRevocationLists(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := *lists[0]
	changed.Signature = append([]byte(nil), changed.Signature...)
	changed.Signature[len(changed.Signature)-1] ^= 1
	for name, list := range map[string]*x509.RevocationList{"of another key": f.list("theirs"), "with a changed signature": &changed} {
		trust := f.trust(&badChain{})
		trust.Revoked = &mtls.Revoked{Lists: []*x509.RevocationList{list}}
		if _, err := mtls.NewLive(identity(t, "ours"), trust); err == nil || !strings.Contains(err.Error(), "not signed by it") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
