package server_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

func deviceOf(account, device byte) server.Device {
	return server.Device{ID: ident.DeviceID{account, device}, Account: ident.AccountID{account}}
}

// TestConnectionsOfAnAccount: an account's devices share its connections, and the one that takes most gives some up for
// those that have few.
func TestConnectionsOfAnAccount(t *testing.T) {
	r, n := server.NewRegistry(), 0
	connect := func(d server.Device) (evicted int, err error) {
		n++
		r.Add(netip.Prefix{})
		return r.Identify(n-1, d, int64(n), int64(n))
	}
	// A thief of the account enrols devices, and each takes as many connections as it may.
	for n < server.MaxOfAccount {
		if evicted, err := connect(deviceOf(1, byte(1+n/server.MaxOfDevice))); evicted >= 0 || err != nil {
			t.Fatalf("connection %d: %d has to go, %v", n, evicted, err)
		}
	}
	owner := deviceOf(1, 99)
	for range 3 {
		before := n
		if evicted, err := connect(owner); err != nil || evicted < 0 || evicted >= before {
			t.Fatalf("the owner's device, when thieves have all: %d has to go, %v", evicted, err)
		}
		if got := r.Of(ident.AccountID{1}); got != server.MaxOfAccount {
			t.Errorf("the account has %d connections, want %d", got, server.MaxOfAccount)
		}
	}
	if evicted, err := r.Identify(n-1, owner, 0, 0); evicted >= 0 || err != nil {
		t.Errorf("the same connection once more: %d has to go, %v", evicted, err)
	}
	// No device takes connections of those that have fewer than it.
	if _, err := connect(deviceOf(1, 1)); !errors.Is(err, server.ErrManyConnections) {
		t.Errorf("a thief's next connection: %v", err)
	}
	for i := server.MaxOfAccount; i < server.MaxOfAccount+3; i++ {
		if r.Dead(i) {
			t.Errorf("the owner's connection %d had to go", i)
		}
	}
	if evicted, err := connect(deviceOf(2, 1)); evicted >= 0 || err != nil {
		t.Errorf("another account: %d has to go, %v", evicted, err)
	}
}

// TestStrangersConnections: of those who have not signed in the oldest goes, of the place where most come from.
func TestStrangersConnections(t *testing.T) {
	r := server.NewRegistry()
	prefix := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
	r.Add(prefix("192.0.2.0/24"))
	r.Add(netip.Prefix{})
	for range server.MaxStrangers - 2 {
		if evicted := r.Add(prefix("198.51.100.0/24")); evicted >= 0 {
			t.Fatalf("%d has to go, of fewer than %d", evicted, server.MaxStrangers)
		}
	}
	for i := range 10 {
		if evicted := r.Add(prefix("203.0.113.0/24")); evicted != 2+i {
			t.Errorf("%d has to go, want %d: the flood's oldest", evicted, 2+i)
		}
	}
	// Who signs in makes room.
	if _, err := r.Identify(0, deviceOf(1, 1), 0, 0); err != nil {
		t.Fatal(err)
	}
	if evicted := r.Add(prefix("192.0.2.0/24")); evicted >= 0 {
		t.Errorf("%d has to go though there is room", evicted)
	}
}

// TestManyConnections: a device has so many connections; the next one is told why it is none, those that are there go on, and
// one that seems dead makes room.
func TestManyConnections(t *testing.T) {
	h := open(t)
	h.clock.stop()
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	all := []*peer{alice}
	for len(all) < server.MaxOfDevice {
		all = append(all, h.connect(t, alice.key))
	}
	greet := &wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: &wire.Hello{Versions: []uint32{1}, Agent: "test"}}}
	refused := func() {
		t.Helper()
		p, err := h.dial(t, alice.key, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		e := p.refused(wire.ErrorCode_ERROR_CODE_RATE_LIMITED, greet)
		if !strings.Contains(e.Message, "connections") || e.Hint == "" || e.RetryAfterMs == 0 {
			t.Errorf("the refusal is %v", e)
		}
		p.end()
	}
	refused()
	for i, p := range append(all, bob) {
		if p.ask(ping()).GetPong() == nil {
			t.Fatalf("connection %d does not go on", i)
		}
	}
	h.clock.turn(server.DeadAfter + time.Millisecond)
	for _, p := range all[1:] {
		p.ask(ping())
	}
	again := h.connect(t, alice.key)
	alice.end() // which had said nothing for longest
	if again.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{}}}).GetRooms() == nil {
		t.Error("the new connection is of no use")
	}
	refused()
	if h.connect(t, bob.key).hello.Authenticated == nil {
		t.Error("another account is refused")
	}
}

// TestVisitors: of connections that ask for the page, the one that has been idle for longest goes for who comes; those that
// become sockets are no visitors any more.
func TestVisitors(t *testing.T) {
	v := server.NewVisitors()
	conns := make([]net.Conn, server.MaxVisitors+3)
	for i := range conns {
		near, far := net.Pipe()
		defer far.Close()
		conns[i] = near
	}
	closed := func(i int) bool {
		return errors.Is(conns[i].SetDeadline(time.Time{}), io.ErrClosedPipe)
	}
	for _, conn := range conns[:server.MaxVisitors] {
		v.State(conn, http.StateNew)
	}
	v.State(conns[1], http.StateActive)
	v.State(conns[2], http.StateActive)
	v.State(conns[2], http.StateIdle)
	v.State(conns[5], http.StateIdle)
	for i, want := range []int{2, 5, 0} {
		v.State(conns[server.MaxVisitors+i], http.StateNew)
		for j := range conns[:server.MaxVisitors] {
			if now := slices.Contains([]int{2, 5, 0}[:i+1], j); closed(j) != now {
				t.Errorf("after %d more, connection %d is closed: %v, want only %d to go", i+1, j, closed(j), want)
			}
		}
	}
	for _, i := range []int{2, 5, 0} {
		v.State(conns[i], http.StateClosed)
	}
	v.State(conns[1], http.StateHijacked)
	near, far := net.Pipe()
	defer far.Close()
	v.State(near, http.StateNew)
	if closed(1) || closed(3) {
		t.Error("somebody had to go though there was room")
	}
}
