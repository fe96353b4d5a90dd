package server_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"
	"snug/mtls"
)

// TestHalfOpenFlood: more connections than there is place for, held open without a word or with half of one, keep nobody out
// for longer than a handshake may take. While there is place, each has its time.
func TestHalfOpenFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, wire.RegistrationMode_REGISTRATION_MODE_OPEN, sqlite.Config{}, nil)
		config, err := mtls.ServerTLS(h.id, nil)
		if err != nil {
			t.Fatal(err)
		}
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		h.run(server.Ports{TLS: l, TLSConfig: config})
		id, err := mtls.FromKey(newKey(t).Signer())
		if err != nil {
			t.Fatal(err)
		}
		client, err := mtls.ClientTLS(id, h.id.Fingerprint(), wire.ALPN)
		if err != nil {
			t.Fatal(err)
		}
		shake := func() time.Duration {
			began := time.Now()
			conn := tls.Client(l.dial(), client)
			if err := conn.Handshake(); err != nil {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			conn.Close()
			return time.Since(began)
		}
		flood := func(n int) (ended func() int) {
			cut := make(chan struct{}, n)
			for i := range n {
				conn := l.dial()
				if i < n-1 && i%2 == 0 { // the last may wait until somebody reads
					_, _ = conn.Write([]byte("\x16\x03\x01\x02\x00\x01")) // the beginning of a hello
				}
				go func() {
					_, _ = io.Copy(io.Discard, conn)
					cut <- struct{}{}
				}()
			}
			return func() int {
				synctest.Wait()
				return len(cut)
			}
		}
		ended := flood(server.MaxHandshakes - 1)
		time.Sleep(2 * server.ShakeWithin)
		if took := shake(); took > 0 || ended() > 0 {
			t.Errorf("with a place left it takes %v, and %d others are cut", took, ended())
		}
		time.Sleep(time.Minute)
		if n := ended(); n != server.MaxHandshakes-1 {
			t.Errorf("%d of %d connections that say nothing are cut", n, server.MaxHandshakes-1)
		}
		ended = flood(server.MaxHandshakes + 1)
		if n := ended(); n > 0 {
			t.Errorf("%d connections are cut that have had no time", n)
		}
		for range 3 {
			if took := shake(); took > server.ShakeWithin {
				t.Errorf("in a flood it takes %v, want %v at most", took, server.ShakeWithin)
			}
		}
		if n := ended(); n < 2 || n > 5 {
			t.Errorf("%d connections had to go for 4", n)
		}
	})
}
