package tunnel_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// TestHalfOpen: handshakes that nobody goes on with take an address's places, no more, and give them back.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	p := newPair(t, backend(t, echo))
	var idle []net.Conn
	for range tunnel.MaxPerAddress {
		idle = append(idle, dial(t, p.far.addr()))
	}
	until(t, "one more is turned away", func() bool {
		conn := dial(t, p.far.addr())
		conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		conn.Close()
		return err == io.EOF || errors.Is(err, syscall.ECONNRESET)
	})
	if p.far.Snapshot().Handshakes["main"]["crowded"] == 0 {
		t.Error("it is not counted")
	}
	for _, conn := range idle {
		conn.Close()
	}
	until(t, "there is room again", func() bool {
		got, err := askAt(p.near.addr(), "hello")
		return err == nil && got == "hello"
	})
}

// TestHalfOpenBehindBalancer: whoever holds handshakes open through a balancer takes its own address's places, not those
// of all who come by the balancer.
func TestHalfOpenBehindBalancer(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	farEnd := start(t, far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule(), "proxy-from 127.0.0.0/8"))
	balanced := func(source string) net.Conn {
		conn := dial(t, farEnd.addr())
		conn.Write(tunnel.ProxyHeader(netip.MustParseAddrPort(source), netip.MustParseAddrPort("198.51.100.7:443")))
		return conn
	}
	enter := func(source string) error {
		options := &mtls.ClientOptions{Identity: near.id, Trust: mtls.Pin(far.id.Fingerprint())}
		conn, err := mtls.Client(t.Context(), balanced(source), options)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for range tunnel.MaxPerAddress + 1 {
		balanced("192.0.2.1:1")
	}
	until(t, "one too many is turned away", func() bool { return farEnd.Snapshot().Handshakes["main"]["crowded"] == 1 })
	if err := enter("192.0.2.1:2"); err == nil {
		t.Error("another one of the same address is let in")
	}
	if err := enter("192.0.2.2:1"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// TestFlood: handshakes that nobody goes on with, from many addresses, do not keep an honest peer out for a moment: the
// oldest of them have to go.
func TestFlood(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8 for its own")
	}
	p := newPair(t, backend(t, echo))
	flood := func(n int) {
		for i := range n {
			from := &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i/100), byte(1+i%100))}
			conn, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", p.far.addr())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
		}
	}
	flood(tunnel.MaxHandshakes + 50)
	until(t, "the oldest have had to go", func() bool { return p.far.Snapshot().Handshakes["main"]["crowded"] >= 50 })
	if got, err := askAt(p.near.addr(), "hello"); err != nil || got != "hello" {
		t.Errorf("an honest peer: got %q, %v", got, err)
	}
}

// TestStreamLimit: a peer has so many streams at a time, and not one more.
func TestStreamLimit(t *testing.T) {
	t.Parallel()
	p := newPair(t, backend(t, echo), "streams 2")
	first, second := opened(t, p.near.addr()), opened(t, p.near.addr())
	refused(t, "the third", p.near.addr())
	answers(t, first)
	answers(t, second)
	second.Close()
	until(t, "there is room again", func() bool {
		got, err := askAt(p.near.addr(), "hello")
		return err == nil && got == "hello"
	})
}

// TestStreamLimitIsTold: a dialer of package mtls that is one too many hears that it is that, and nothing else.
func TestStreamLimitIsTold(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	end := start(t, far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule(), "streams 1"))
	enter := func() (*mtls.Conn, error) {
		return mtls.Dial(t.Context(), "tcp", end.addr(), &mtls.ClientOptions{Identity: near.id, Trust: mtls.Pin(far.id.Fingerprint())})
	}
	first, err := enter()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = enter()
	var refused *mtls.RefusedError
	if !errors.As(err, &refused) || !refused.Busy {
		t.Errorf("the second one: %v, want a RefusedError that is Busy", err)
	}
	answers(t, first)
}
