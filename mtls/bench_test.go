package mtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"snug/mtls"
)

// BenchmarkHandshake compares what a handshake costs, both ends together: with keys pinned, with names certified, and with
// crypto/tls alone, which verifies a chain on each end every time and confirms nothing. The ratio is that of the time to
// the last of these, measured in the same run.
func BenchmarkHandshake(b *testing.B) {
	ca := newAuthority(b, "ours")
	alice, bob := ca.issue([]string{"dns:alice"}, nil), ca.issue([]string{"dns:bob"}, nil)
	pinned := func(id *mtls.Identity) *mtls.Live {
		return newLive(b, id, mtls.Pin(alice.Fingerprint(), bob.Fingerprint()))
	}
	certified := func(id *mtls.Identity) *mtls.Live { return newLive(b, id, ca.trust("alice", "bob")) }
	var bare float64
	for _, row := range []struct {
		name  string
		shake func(front, back net.Conn) error
	}{
		{"bare", bareHandshake(b, ca)},
		{"pinned", ourHandshake(b, pinned(alice), pinned(bob))},
		{"certified", ourHandshake(b, certified(alice), certified(bob))},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				front, back := net.Pipe()
				if err := row.shake(front, back); err != nil {
					b.Fatal(err)
				}
				front.Close()
				back.Close()
			}
			each := b.Elapsed().Seconds() / float64(b.N)
			if row.name == "bare" {
				bare = each
			}
			if bare > 0 {
				b.ReportMetric(each/bare, "bare")
			}
		})
	}
}

func newLive(b *testing.B, id *mtls.Identity, trust mtls.Trust) *mtls.Live {
	b.Helper()
	live, err := mtls.NewLive(id, trust)
	if err != nil {
		b.Fatal(err)
	}
	return live
}

// both runs the two ends of a handshake.
func both(dialer, listener *tls.Conn) error {
	done := make(chan error, 1)
	go func() { done <- listener.Handshake() }()
	if err := dialer.Handshake(); err != nil {
		return err
	}
	return <-done
}

func ourHandshake(b *testing.B, alice, bob *mtls.Live) func(front, back net.Conn) error {
	b.Helper()
	dialing, err := mtls.DialTerms(&mtls.ClientOptions{Live: alice})
	if err != nil {
		b.Fatal(err)
	}
	listening, err := mtls.ListenTerms(&mtls.ListenerOptions{Live: bob})
	if err != nil {
		b.Fatal(err)
	}
	client, server := dialing.Config(), listening.Config()
	return func(front, back net.Conn) error { return both(tls.Client(front, client), tls.Server(back, server)) }
}

// bareHandshake is what one writes with crypto/tls alone.
func bareHandshake(b *testing.B, ca *authority) func(front, back net.Conn) error {
	b.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	config := func(name string) *tls.Config {
		key := newKey(b)
		leaf := ca.sign(&x509.Certificate{
			SerialNumber: newSerial(ca), DNSNames: []string{name}, NotBefore: now, NotAfter: now.AddDate(0, 1, 0),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		}, ca.cert, &key.PublicKey)
		return &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}},
			RootCAs:      roots, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "bob",
			MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, Time: ca.trust().Now,
		}
	}
	client, server := config("alice"), config("bob")
	return func(front, back net.Conn) error { return both(tls.Client(front, client), tls.Server(back, server)) }
}
