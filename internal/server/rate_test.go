package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"
)

// openToAll is a server behind a proxy on loopback, with a clock that goes no further than it is turned.
func openToAll(t *testing.T) *house {
	t.Helper()
	h := openBehind(t, wire.RegistrationMode_REGISTRATION_MODE_OPEN, sqlite.Config{},
		[]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	h.clock.stop()
	return h
}

// at connects a fresh key from an address.
func (h *house) at(t *testing.T, address string) *peer {
	t.Helper()
	return h.connectFrom(t, newKey(t), forwarded(address))
}

func forwarded(address string) http.Header { return http.Header{"X-Forwarded-For": {address}} }

func parameters(handle string) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_GetLoginParameters{GetLoginParameters: &wire.GetLoginParameters{Handle: handle}}}
}

// limited fails unless the answer is that there were too many tries, and gives how long to wait.
func limited(t *testing.T, reply *wire.ServerFrame) time.Duration {
	t.Helper()
	e := refusedWith(t, rateLimited, reply)
	if e.RetryAfterMs <= 0 || e.Hint == "" {
		t.Fatalf("%v does not say how long to wait", e)
	}
	return time.Duration(e.RetryAfterMs) * time.Millisecond
}

// TestLimitsByAddress: so many tries come from one address prefix, by either family, and then one whenever the wait that the
// server says is over. Other prefixes are not affected.
func TestLimitsByAddress(t *testing.T) {
	families := []struct{ name, address, same, other string }{
		{"IPv4", "192.0.2.1", "192.0.2.200", "192.0.3.1"},
		{"IPv6", "2001:db8:1::1", "2001:db8:1:ffff::9", "2001:db8:2::1"},
	}
	handles := 0
	unused := func() string { handles++; return fmt.Sprintf("nobody%d", handles) }
	for _, row := range []struct {
		name string
		// asked is how often somebody has asked how to sign in before: that counts, and costs no slow hash.
		asked, burst int
		interval     time.Duration
		ask          func(*testing.T, *peer) *wire.ServerFrame
		answer       func(*wire.ServerFrame) bool
	}{
		{"asking how to sign in", 0, 60, time.Second, func(_ *testing.T, p *peer) *wire.ServerFrame {
			return p.ask(parameters("alice"))
		}, func(f *wire.ServerFrame) bool { return f.GetLoginParameters() != nil }},
		{"signing in", 50, 10, time.Second, func(_ *testing.T, p *peer) *wire.ServerFrame {
			return p.ask(login(unused(), make([]byte, 32)))
		}, func(f *wire.ServerFrame) bool { return f.GetError().GetCode() == credentials }},
		{"linking", 50, 10, time.Second, func(_ *testing.T, p *peer) *wire.ServerFrame {
			return p.ask(joinLink(linkBox))
		}, func(f *wire.ServerFrame) bool { return f.GetError().GetCode() == notFound }},
		{"registering", 0, 20, 30 * time.Second, func(t *testing.T, p *peer) *wire.ServerFrame {
			return p.ask(register(newPerson(t, "taken", p.key.Public())))
		}, func(f *wire.ServerFrame) bool { return f.GetError().GetCode() == handleTaken }},
	} {
		for _, family := range families {
			t.Run(row.name+"/"+family.name, func(t *testing.T) {
				h := openToAll(t)
				h.join(t, "taken")
				p, same, other := h.at(t, family.address), h.at(t, family.same), h.at(t, family.other)
				for range row.asked {
					if reply := p.ask(parameters("alice")); reply.GetLoginParameters() == nil {
						t.Fatalf("asking how to sign in is answered with %v", reply)
					}
				}
				for i := range row.burst {
					if reply := row.ask(t, p); !row.answer(reply) {
						t.Fatalf("try %d of %d is answered with %v", i+1, row.burst, reply)
					}
				}
				wait := limited(t, row.ask(t, p))
				if wait != row.interval {
					t.Errorf("the wait is %v, want %v", wait, row.interval)
				}
				limited(t, row.ask(t, same))
				if reply := row.ask(t, other); !row.answer(reply) {
					t.Errorf("another prefix is answered with %v", reply)
				}
				h.clock.turn(wait - time.Millisecond)
				limited(t, row.ask(t, p))
				h.clock.turn(time.Millisecond)
				if reply := row.ask(t, same); !row.answer(reply) {
					t.Errorf("after the wait: %v", reply)
				}
				limited(t, row.ask(t, p))
			})
		}
	}
}

// TestLimitsByAccount: a handle, whether somebody has it or not, stands ten wrong passphrases and one every six seconds from
// everywhere together, and three from each prefix beside these. One handle's tries are none of another's.
func TestLimitsByAccount(t *testing.T) {
	for _, handle := range []string{"alice", "nobody"} {
		t.Run(handle, func(t *testing.T) {
			h := openToAll(t)
			h.join(t, "alice")
			wrong := login(handle, bytes.Repeat([]byte("w"), 32))
			guesser := h.at(t, "192.0.2.1")
			for range 3 + 10 {
				guesser.refused(credentials, wrong)
			}
			if wait := limited(t, guesser.ask(wrong)); wait != 6*time.Second {
				t.Errorf("the wait is %v, want 6 s", wait)
			}
			guesser.refused(credentials, login("bob", make([]byte, 32)))
			limited(t, h.at(t, "192.0.2.99").ask(wrong)) // of the same prefix
			other := h.at(t, "198.51.100.1")
			for range 3 {
				other.refused(credentials, wrong)
			}
			limited(t, other.ask(wrong))
			h.clock.turn(6 * time.Second)
			guesser.refused(credentials, wrong)
			limited(t, other.ask(wrong))
			h.clock.turn(10 * time.Minute)
			for range 1 + 10 {
				other.refused(credentials, wrong)
			}
			limited(t, other.ask(wrong))
			if own := h.at(t, "2001:db8:1::1"); own.ask(wrong).GetError().GetCode() != credentials {
				t.Error("a prefix that has tried nothing yet is refused")
			}
			// Where all come from one address, which no proxy speaks for, there is one budget.
			h.clock.turn(time.Hour)
			here := h.connect(t, newKey(t))
			for range 10 {
				here.refused(credentials, wrong)
			}
			limited(t, here.ask(wrong))
		})
	}
}

// TestLockout: who guesses at an account for ever keeps its owner from signing in at the guesser's own address prefix, and
// nowhere else. Devices that are signed in go on, also from there, and let in others by code.
func TestLockout(t *testing.T) {
	h := openToAll(t)
	const shared, elsewhere = "192.0.2.7", "198.51.100.7"
	key := newKey(t)
	who := newPerson(t, "alice", key.Public())
	alice := h.connectFrom(t, key, forwarded(shared))
	if reply := alice.ask(register(who)); reply.GetRegistered() == nil {
		t.Fatalf("registering: %v", reply)
	}
	// Connections are made anew after the clock was turned: who was silent for that long may be hung up on at any time.
	guess := func() {
		guesser := h.at(t, "192.0.2.66")
		for range 20 {
			if guesser.ask(login("alice", bytes.Repeat([]byte("w"), 32))).GetError().GetCode() == rateLimited {
				return
			}
		}
		t.Fatal("20 guesses, and no limit")
	}
	for range 3 {
		guess()
		limited(t, h.at(t, shared).ask(login("alice", who.authKey)))
		if reply := h.at(t, elsewhere).ask(login("alice", who.authKey)); reply.GetLoggedIn() == nil {
			t.Fatalf("signing in elsewhere while somebody guesses: %v", reply)
		}
		h.clock.turn(10 * time.Minute)
	}
	guess()
	alice = h.connectFrom(t, key, forwarded(shared))
	if alice.hello.GetAuthenticated() == nil {
		t.Error("a device that is signed in cannot come back")
	}
	room := alice.room()
	alice.acked(alice.commit(room, 0, nil, nil))
	alice.done(openLink(linkBox))
	fresh := h.at(t, shared)
	fresh.done(joinLink(linkBox))
	alice.done(postLink(0, "reveal", true))
	if reply := fresh.ask(loginLink()); !bytes.Equal(reply.GetLoggedIn().GetChain(), who.chain.Marshal()) {
		t.Errorf("signing in by code: %v", reply)
	}
}

// TestLimitsMemory: however many handles are tried from however many prefixes, their own budgets take no more memory than a
// fixed number of places do.
func TestLimitsMemory(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tried, kept := server.TryLogins(func() time.Time { return now }, 300_000)
	if tried != 300_000 || kept > 1<<16 {
		t.Errorf("of %d tries %d are remembered, want at most %d", tried, kept, 1<<16)
	}
}

// TestRegisterAgainLimits: to register again what is registered is to try a passphrase, and is limited as that: by account
// whatever the address, and by address. Who was first in is not asked again.
func TestRegisterAgainLimits(t *testing.T) {
	h := openToAll(t)
	key := newKey(t)
	first := h.connect(t, key)
	who := newPerson(t, "alice", key.Public())
	for range 2 {
		if reply := first.ask(register(who)); reply.GetRegistered() == nil {
			t.Fatalf("registering: %v", reply)
		}
	}
	right := who.register.AuthKey
	for _, address := range []string{"127.0.0.1", "192.0.2.1", "192.0.2.2"} {
		p := h.connectFrom(t, key, forwarded(address))
		before, tries := server.Hashed(h.server), 0
		for who.register.AuthKey = make([]byte, 32); tries < 50; tries++ {
			reply := p.ask(register(who))
			if reply.GetError().GetCode() != conflict {
				limited(t, reply)
				break
			}
		}
		if hashed := server.Hashed(h.server) - before; tries > 10 || int(hashed) != tries {
			t.Errorf("from %s %d tries and %d slow hashes, want at most 10 and as many", address, tries, hashed)
		}
	}
	h.clock.turn(time.Hour)
	who.register.AuthKey = right
	if reply := h.connectFrom(t, key, forwarded("192.0.2.1")).ask(register(who)); reply.GetRegistered() == nil {
		t.Errorf("an hour later: %v", reply)
	}
}
