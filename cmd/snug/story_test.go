package main_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// openRoom is the room that every server makes at its first start.
const openRoom = "common"

// TestStory is the first conversation: two people meet on a new server, talk in a sealed and in an open room, the server
// loses power in the middle of a burst, and not one message that it acknowledged is lost, doubled or out of order.
func TestStory(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]

	sealed := alice.must("room", "create", "garden", "@bob")[0]["room"].(string)
	for _, room := range []string{sealed, openRoom} {
		hers, his := alice.follow(room), bob.follow(room)
		for i := range 20 {
			alice.must("send", room, fmt.Sprintf("alice says %d", i))
			bob.must("send", room, fmt.Sprintf("bob says %d", i))
		}
		sameTexts(t, hers.texts(40), his.texts(40))
		hers.stop()
		his.stop()
	}
	burst(t, s, alice, bob)
}

// burst sends from both sides at once, kills the server in the middle and starts it again.
func burst(t *testing.T, s *server, alice, bob *person) {
	const each = 20
	hers, his := alice.follow("@bob"), bob.follow("@alice")
	alice.must("send", "@bob", "ready?")
	half := make(chan struct{})
	var once sync.Once
	var acked sync.Map
	var sending sync.WaitGroup
	for p, to := range map[*person]string{alice: "@bob", bob: "@alice"} {
		sending.Go(func() {
			for i := range each {
				text := fmt.Sprintf("%s in the burst %d", p.handle, i)
				o := p.try("", "send", to, text)
				if o.status != 0 {
					t.Errorf("send: exit %d\n%s", o.status, o.stderr)
					return
				}
				acked.Store(text, uint64(o.objects[0]["seq"].(float64)))
				if i == each/2 {
					once.Do(func() { close(half) })
				}
			}
		})
	}
	<-half
	s.kill()
	s.start()
	sending.Wait()
	got := hers.texts(1 + 2*each)
	sameTexts(t, got, his.texts(1+2*each))
	for _, m := range got {
		if seq, ok := acked.LoadAndDelete(m["text"]); ok && seq != uint64(m["seq"].(float64)) {
			t.Errorf("%q was acknowledged as %d and stands at %v", m["text"], seq, m["seq"])
		}
	}
	acked.Range(func(text, seq any) bool {
		t.Errorf("%q was acknowledged as %v and is lost", text, seq)
		return true
	})
}

// sameTexts checks that two people saw the same messages in the same order, each once.
func sameTexts(t *testing.T, a, b []map[string]any) {
	t.Helper()
	line := func(m map[string]any) string { return fmt.Sprint(m["room"], m["seq"], m["id"], m["from"], m["text"]) }
	var as, bs []string
	for i := range a {
		as = append(as, line(a[i]))
	}
	for i := range b {
		bs = append(bs, line(b[i]))
	}
	if !slices.Equal(as, bs) {
		t.Fatalf("the two sides differ:\n%q\n%q", as, bs)
	}
	seen := make(map[string]bool)
	last := 0.0
	for _, m := range a {
		if id := m["id"].(string); seen[id] {
			t.Errorf("message %s came twice", id)
		} else {
			seen[id] = true
		}
		if seq := m["seq"].(float64); seq <= last {
			t.Errorf("seq %v after %v", seq, last)
		} else {
			last = seq
		}
	}
}

// TestSecondDevice signs in to an account on a second device with handle and passphrase alone; from then on both
// devices are in the rooms.
func TestSecondDevice(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	alice.must("send", "@bob", "before")
	bob.must("tail", "@alice", "--once")

	laptop := newPerson(t, "bob")
	laptop.must("login", "bob", "--server", s.address(), "--passphrase-file", bob.passphraseFile)
	if got := len(alice.must("devices")); got != 1 {
		t.Errorf("alice has %d devices, want 1", got)
	}
	if got := len(bob.must("devices")); got != 2 {
		t.Errorf("bob has %d devices, want 2", got)
	}
	// Somebody in the room lets the new device in, as soon as one of them is there.
	hers := alice.follow("@bob")
	second := laptop.follow("@alice")
	first := bob.follow("@alice")
	hers.texts(1)
	first.texts(1)
	waitForMember(t, alice, "@bob", "bob", 2)
	alice.must("send", "@bob", "after")
	got := second.texts(1)[0]["text"]
	if got == "before" { // another device of bob's was quick to archive it
		got = second.texts(1)[0]["text"]
	}
	if got != "after" {
		t.Errorf("the new device reads %q, want what was said after it came", got)
	}
	first.texts(1)

	second.stop()
	laptop.must("logout")
	laptop.mustRefuse(3, "nobody is signed in", "whoami")
	if got := len(bob.must("devices")); got != 1 {
		t.Errorf("bob has %d devices after one signed out, want 1", got)
	}
}

// waitForMember asks until the account has that many devices in the room.
func waitForMember(t *testing.T, p *person, room, handle string, devices int) {
	t.Helper()
	p.waitFor(fmt.Sprintf("%d devices of @%s", devices, handle), func(members []map[string]any) bool {
		for _, m := range members {
			if m["handle"] == handle && m["devices"] == float64(devices) {
				return true
			}
		}
		return false
	}, "room", "members", room)
}

// waitFor runs a verb until it prints what is wanted: what another process does takes the time that it takes.
func (p *person) waitFor(what string, there func([]map[string]any) bool, args ...string) {
	p.t.Helper()
	var last []map[string]any
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if last = p.must(args...); there(last) {
			return
		}
	}
	p.t.Fatalf("%s: snug %s prints %v, want %s", p.handle, strings.Join(args, " "), last, what)
}

// TestGroup takes a sealed group through its life: made with two, one added, one removed, one gone by itself.
func TestGroup(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob", "carol")
	alice, bob, carol := people[0], people[1], people[2]
	room := alice.must("room", "create", "band", "@bob")[0]["room"].(string)
	alice.must("send", room, "two of us")
	carol.mustRefuse(4, "", "history", room)

	bob.mustRefuse(3, "", "room", "add", room, "@carol") // only those who run a room add to it
	alice.must("room", "add", room, "@carol")
	alice.must("send", "band", "three of us")
	hers := carol.follow("band")
	if got := hers.texts(1)[0]["text"]; got != "three of us" {
		t.Errorf("carol reads %q first, want what was said after she came", got)
	}
	hers.stop()

	alice.must("room", "remove", room, "@bob")
	alice.must("send", room, "without bob")
	for _, m := range bob.must("tail", room, "--once") {
		if m["text"] == "without bob" || m["text"] == nil && m["notice"] == nil && m["gap"] == nil {
			t.Errorf("bob was removed and reads %v", m)
		}
	}
	bob.mustRefuse(3, "", "send", room, "am I here?")

	if o := carol.must("room", "leave", room)[0]; o["left"] != false || o["leaving"] != true {
		t.Errorf("leaving while nobody is there to carry it out printed %v", o)
	}
	stays := alice.follow(room)
	stays.texts(3)
	alice.waitFor("one member", func(members []map[string]any) bool { return len(members) == 1 }, "room", "members", room)
	stays.stop()
	alice.must("send", room, "alone")
	carol.mustRefuse(3, "", "send", room, "am I here?")
}
