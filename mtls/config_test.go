package mtls_test

import (
	"crypto/tls"
	"net"
	"testing"

	"snug/mtls"
)

// TestProtocols: two sides meet in the first protocol of the dialer's that both have, and in none only where both were
// told to.
func TestProtocols(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	both := []string{"ours/2", "ours/1"}
	for _, row := range []struct {
		name             string
		dialer, listener []string
		want             string
		refused          bool
	}{
		{name: "the same", dialer: both, listener: both, want: "ours/2"},
		{name: "an older one", dialer: both, listener: both[1:], want: "ours/1"},
		{name: "none in common", dialer: both[:1], listener: both[1:], refused: true},
		{name: "another, where none is allowed", dialer: []string{"theirs"}, listener: append(both, mtls.NoProtocol), refused: true},
		{name: "the same, where none is allowed", dialer: append(both, mtls.NoProtocol), listener: append(both, mtls.NoProtocol), want: "ours/2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, err := mtls.ClientConfig(alice, mtls.Pin(bob.Fingerprint()), row.dialer...)
			if err != nil {
				t.Fatal(err)
			}
			server, err := mtls.ServerConfig(bob, mtls.Pin(alice.Fingerprint()), row.listener...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := meet(t, client, server)
			if (err != nil) != row.refused || got != row.want {
				t.Errorf("got %q, %v; want %q, refused %t", got, err, row.want, row.refused)
			}
		})
	}
	for name, protocols := range map[string][]string{"none": nil, "only an empty one": {mtls.NoProtocol}} {
		if _, err := mtls.ServerConfig(bob, mtls.Pin(alice.Fingerprint()), protocols...); err == nil {
			t.Errorf("protocols %s: got a config", name)
		}
	}
}

// TestNoProtocol: a peer that negotiates no protocol at all is let in where that was asked for, and only there.
func TestNoProtocol(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	for name, row := range map[string]struct {
		accepted []string
		refused  bool
	}{
		"asked for": {[]string{"ours/1", mtls.NoProtocol}, false},
		"not":       {[]string{"ours/1"}, true},
	} {
		for _, foreign := range []string{"dialer", "listener"} {
			t.Run(name+" of a "+foreign, func(t *testing.T) {
				client, err := mtls.ClientConfig(alice, mtls.Pin(bob.Fingerprint()), row.accepted...)
				if err != nil {
					t.Fatal(err)
				}
				server, err := mtls.ServerConfig(bob, mtls.Pin(alice.Fingerprint()), row.accepted...)
				if err != nil {
					t.Fatal(err)
				}
				if foreign == "dialer" {
					client.NextProtos = nil
					client.VerifyConnection = func(tls.ConnectionState) error { return nil }
				} else {
					server.NextProtos = nil
					server.VerifyConnection = nil
				}
				if _, err := meet(t, client, server); (err != nil) != row.refused {
					t.Errorf("got %v, want refused %t", err, row.refused)
				}
			})
		}
	}
}

// meet has two sides shake hands, and gives the protocol that both ended up with.
func meet(t *testing.T, client, server *tls.Config) (string, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	dialer, listener := tls.Client(ours, client), tls.Server(theirs, server)
	failed := make(chan error, 1)
	go func() {
		err := listener.HandshakeContext(t.Context())
		if err != nil {
			theirs.Close()
		}
		failed <- err
	}()
	err = dialer.HandshakeContext(t.Context())
	if err != nil {
		ours.Close()
	}
	if listening := <-failed; err == nil {
		err = listening
	}
	if err != nil {
		return "", err
	}
	if got := listener.ConnectionState().NegotiatedProtocol; got != dialer.ConnectionState().NegotiatedProtocol {
		t.Errorf("the listener speaks %q, the dialer %q", got, dialer.ConnectionState().NegotiatedProtocol)
	}
	return dialer.ConnectionState().NegotiatedProtocol, nil
}
