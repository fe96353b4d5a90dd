package tunnel_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
)

// parkedPair has both ends on one clock of the test's.
func parkedPair(t *testing.T, target string) (p *pair, pass func()) {
	t.Helper()
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()) }
	p = &pair{nearHome: newHome(t), farHome: newHome(t)}
	p.far = startWith(t, &tunnel.Config{Routes: []tunnel.Route{
		p.farHome.route(t, "main", "listen 127.0.0.1:0", "to "+target, "tls accept", "allow "+p.nearHome.rule(), "revoked "+p.farHome.write(t, "revoked", "")),
	}}, clock)
	p.near = startWith(t, &tunnel.Config{Routes: []tunnel.Route{
		p.nearHome.route(t, "main", "listen 127.0.0.1:0", "to "+p.far.addr(), "tls connect", "allow "+p.farHome.rule()),
	}}, clock)
	return p, func() {
		now.Add(int64(2 * time.Second))
		p.near.Sweep()
		p.far.Sweep()
	}
}

// TestQuietStreams: streams on which nothing goes give their goroutines back, and go on as if nothing had been: with
// bytes from either side, large and small, with ends, resets and cuts.
func TestQuietStreams(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a way to wait without a goroutine here")
	}
	const streams = 40
	served := make(chan *net.TCPConn, streams)
	p, pass := parkedPair(t, backend(t, func(conn *net.TCPConn) { served <- conn }))
	clients, services := make([]*net.TCPConn, streams), make([]*net.TCPConn, streams)
	for i := range clients {
		clients[i] = p.dial(t)
		services[i] = <-served
		services[i].SetDeadline(time.Now().Add(patience))
	}
	until(t, "all streams are there", func() bool { return p.near.row("main").Streams == streams })
	busy := runtime.NumGoroutine()
	quiet := func() {
		t.Helper()
		looks := 0
		until(t, "the goroutines are given back", func() bool {
			if looks++; looks <= 30 { // a minute, and not until streams are too long quiet to be kept
				pass()
			}
			return runtime.NumGoroutine() <= busy-4*streams+16
		})
	}
	quiet()
	exchange := func(from, to net.Conn, size int) {
		t.Helper()
		b, got := make([]byte, size), make([]byte, size)
		rand.Read(b)
		go from.Write(b)
		if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
	for _, size := range []int{1, 70_000, 1 << 20} {
		for i := range clients {
			exchange(clients[i], services[i], size/(1+i))
			exchange(services[i], clients[i], 1)
		}
		quiet()
	}
	// A quiet stream that ends on one side, is quiet, and ends on the other.
	clients[0].CloseWrite()
	if _, err := services[0].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
	pass()
	pass()
	exchange(services[0], clients[0], 10)
	services[0].CloseWrite()
	if _, err := clients[0].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
	until(t, "the stream has ended, and its carrier waits for another", func() bool { return p.near.Idle("main") == 1 && p.far.row("main").Ended == 1 })
	// Ones that break on either side.
	for i, broken := range []*net.TCPConn{clients[1], services[2]} {
		other := []*net.TCPConn{services[1], clients[2]}[i]
		broken.SetLinger(0)
		broken.Close()
		if _, err := other.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
	}
	// The carrier of the one that ended carries another.
	again := p.dial(t)
	service := <-served
	service.SetDeadline(time.Now().Add(patience))
	exchange(again, service, 1000)
	if got := p.far.Snapshot().Handshakes["main"]["ok"]; got != streams {
		t.Errorf("took %d handshakes, want %d", got, streams)
	}
	// And all the others are cut while they are quiet.
	before := runtime.NumGoroutine()
	pass()
	pass()
	p.farHome.write(t, "revoked", p.nearHome.id.Fingerprint().String()+"\n")
	for i := 3; i < streams; i++ {
		for _, conn := range []*net.TCPConn{clients[i], services[i]} {
			if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("stream %d: got %d bytes, %v; want a reset", i, n, err)
			}
		}
	}
	until(t, "all is over", func() bool {
		return p.near.row("main").Streams == 0 && p.far.row("main").Streams == 0 && runtime.NumGoroutine() <= before
	})
}
