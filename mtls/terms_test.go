package mtls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"snug/mtls"
)

// TestTerms has connections of the caller's own judged, and judged again as time and trust go on.
func TestTerms(t *testing.T) {
	ca := newAuthority(t, "ours")
	alice, bob := ca.issue([]string{"dns:alice", "cn:alice"}, nil), ca.issue([]string{"dns:bob"}, nil)
	live, err := mtls.NewLive(bob, ca.trust("alice"))
	if err != nil {
		t.Fatal(err)
	}
	listening, err := mtls.ListenTerms(&mtls.ListenerOptions{Live: live, Protocols: []string{"ours/1"}})
	if err != nil {
		t.Fatal(err)
	}
	dialing, err := mtls.DialTerms(&mtls.ClientOptions{Identity: alice, Trust: ca.trust("bob"), Protocols: []string{"ours/1"}})
	if err != nil {
		t.Fatal(err)
	}
	front, back := net.Pipe()
	defer front.Close()
	defer back.Close()
	server := tls.Server(back, listening.Config())
	if _, err := listening.Judge(server.ConnectionState()); err == nil {
		t.Error("a peer before the handshake")
	}
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := tls.Client(front, dialing.Config()).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	state := server.ConnectionState()
	peer, err := listening.Judge(state)
	if name, _ := mtls.ParseName("cn:alice"); err != nil || !peer.Has(name) || len(peer.Chain) != 2 {
		t.Errorf("the peer is %v with %d certificates, %v", peer.Names(), len(peer.Chain), err)
	}
	set := func(at time.Time, revoked *mtls.Revoked) {
		t.Helper()
		trust := ca.trust("alice")
		trust.Revoked, trust.Now = revoked, func() time.Time { return at }
		if _, err := live.Set(bob, trust); err != nil {
			t.Fatal(err)
		}
	}
	// Much later, with a list that has ended: nobody new, and nobody out.
	set(now.Add(50*time.Hour), &mtls.Revoked{Lists: []*x509.RevocationList{endsSoon(ca)}})
	_, err = listening.Judge(state)
	wantRule(t, err, mtls.RuleExpired)
	if again, err := listening.JudgeAgain(state, now); err != nil || again.Fingerprint != peer.Fingerprint || len(again.Chain) != 2 {
		t.Errorf("judged again: %v with %d certificates, %v", again.Fingerprint, len(again.Chain), err)
	}
	set(now, &mtls.Revoked{Lists: []*x509.RevocationList{ca.list(2, alice)}})
	_, err = listening.JudgeAgain(state, now)
	wantRule(t, err, mtls.RuleRevoked)

	decide := func(context.Context, *mtls.Unverified) (mtls.Fingerprint, error) { return mtls.Fingerprint{}, nil }
	if _, err := mtls.ListenTerms(&mtls.ListenerOptions{Live: live, DecideUnverified: decide}); err == nil {
		t.Error("a decision that nobody would ask for was taken")
	}
	if _, err := mtls.DialTerms(nil); err == nil {
		t.Error("terms of nobody")
	}
}
