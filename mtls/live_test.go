package mtls_test

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"snug/mtls"
)

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
