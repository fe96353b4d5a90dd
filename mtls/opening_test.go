package mtls_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"snug/mtls"
)

// TestHalfOpenFlood: while more connections than a listener has room for are held open without a word, or with half of
// one, peers come in, from another address and from the same one.
func TestHalfOpenFlood(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	ended := make(chan error, 2048)
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: bob, Trust: mtls.Pin(alice.Fingerprint()), Refused: func(_ net.Addr, err error) { ended <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const each, addresses = 80, 6 // with the listener's ends fewer descriptors than 1,024
	flood := make([]net.Conn, 0, each*addresses)
	defer func() {
		for _, conn := range flood {
			conn.Close()
		}
	}()
	for n := range each * addresses {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+n%addresses))}}
		conn, err := from.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Skipf("SKIPPED: this system has no loopback addresses but one: %v", err)
		}
		if n%2 == 0 {
			io.WriteString(conn, "\x16\x03\x01\x02\x00\x01") // the beginning of a hello
		}
		flood = append(flood, conn)
	}
	for name, ip := range map[string]net.IP{"the flood's address": net.IPv4(127, 0, 0, 1), "another address": net.IPv4(127, 0, 0, 99)} {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}
		raw, err := from.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// Far less than the time that the silent ones are given.
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		conn, err := mtls.Client(ctx, raw, &mtls.ClientOptions{Identity: alice, Trust: mtls.Pin(bob.Fingerprint())})
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer conn.Close()
		accepted, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
	}
	// What had to go was told so. The listener takes them in by and by, but all before the two who came after them.
	for n := range each*addresses - 256 {
		if err := <-ended; !errors.Is(err, mtls.ErrCrowded) {
			t.Fatalf("flooder %d ended by %v, want ErrCrowded", n, err)
		}
	}
}
