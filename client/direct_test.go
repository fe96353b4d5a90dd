package client_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/testkit"
)

// TestDirectNotInYet has somebody sign in on a second machine while nobody is there who could let it into the room with
// another, and write to that person: the message is kept, shown as pending, outlives the process, and arrives.
func TestDirectNotInYet(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		pia, pete := register(t, net, "pia", true), register(t, net, "pete", true)
		room, err := pia.Direct(pia.ctx(), "pete")
		if err != nil {
			t.Fatal(err)
		}
		pia.send(room, "one")
		wait()
		pia.stop()
		pete.stop()
		laptop := newDevice(t, net, "pia", true)
		briefly(t, hintKept, func(ctx context.Context) error {
			_, err := laptop.SendDirect(ctx, "pete", "urgent: call me")
			return err
		})
		pending(t, laptop)
		laptop.stop()
		laptop = start(t, net, laptop.disk, true)
		wait()
		pending(t, laptop)
		pete = start(t, net, pete.disk, true)
		wait()
		sent := laptop.texts(room)
		equal(t, sent[len(sent)-1:], []string{"pia: urgent: call me"})
		equal(t, pete.texts(room), []string{"pia: one", "pia: urgent: call me"})
		rooms, err := laptop.Rooms(laptop.ctx())
		if err != nil || len(rooms) != 1 || rooms[0].ID != room || rooms[0].Waiting {
			t.Errorf("the laptop shows the rooms %+v (%v), want the pair's alone", rooms, err)
		}
	})
}

// pending checks that a device shows one message to pete, on its way, in a room that waits.
func pending(t *testing.T, p *person) {
	t.Helper()
	id, err := p.Resolve(p.ctx(), "@pete")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CatchUp(p.ctx(), id); err != nil {
		t.Fatal(err)
	}
	messages, err := p.History(p.ctx(), id, client.HistoryOptions{})
	if err != nil || len(messages) != 1 || messages[0].Text != "urgent: call me" || messages[0].State != client.Pending {
		t.Errorf("got %+v (%v), want the message, pending", messages, err)
	}
	if r, err := p.Room(p.ctx(), id); err != nil || !r.Waiting || r.Joined || r.Direct != "pete" {
		t.Errorf("got the room %+v (%v), want one with pete that waits", r, err)
	}
}

// TestDirectToNobodyYet: who is written to has no device that can be added. The message does not count as sent, is said to
// nobody, and arrives when there is one; also where the other one writes first.
func TestDirectToNobodyYet(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		alice.stop()
		bob.stop()
		time.Sleep(quarter)
		bob = start(t, net, bob.disk, true)
		_, err := bob.SendDirect(bob.ctx(), "alice", "hello")
		wantCode(t, "writing to who cannot be added", err, client.Refused)
		if err != nil && !strings.Contains(err.Error(), "not sent yet: @alice has no device that can be added") {
			t.Errorf("got %q", err)
		}
		room, err := bob.Resolve(bob.ctx(), "@alice")
		if err != nil {
			t.Fatal(err)
		}
		if v := bob.room(room); v.Problem == "" || !strings.Contains(v.Try, "what you write is kept") {
			t.Errorf("the room is %+v, want the problem and what comes of it", v)
		}
		if log := logOf(net, room); len(log) != 0 {
			t.Errorf("the log has %d entries of which nobody can read one", len(log))
		}
		bob.stop()
		bob = start(t, net, bob.disk, true)
		time.Sleep(10 * time.Minute)
		alice = start(t, net, alice.disk, true)
		if _, err := alice.SendDirect(alice.ctx(), "bob", "are you there?"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		for _, p := range []*person{alice, bob} { // whichever was quicker
			texts := p.texts(room)
			slices.Sort(texts)
			equal(t, texts, []string{"alice: are you there?", "bob: hello"})
		}
		if v := bob.room(room); v.Problem != "" || v.Members != 2 {
			t.Errorf("the room is %+v", v)
		}
	})
}

// TestPostDirect is the same for who does not wait, as a page does not: the answer is the room in which the message stands,
// and when it has moved, those who look at that room hear where to go.
func TestPostDirect(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		pia, pete := register(t, net, "pia", true), register(t, net, "pete", true)
		room, err := pia.PostDirect(pia.ctx(), "pete", "one")
		if err != nil {
			t.Fatal(err)
		}
		wait()
		pete.accept(room)
		pete.send(room, "two")
		wait()
		pia.stop()
		pete.stop()
		laptop := newDevice(t, net, "pia", true)
		waiting, err := laptop.PostDirect(laptop.ctx(), "pete", "urgent: call me")
		if err != nil || waiting == room {
			t.Fatalf("posting gives the room %v (%v), want one that waits", waiting, err)
		}
		again, err := laptop.PostDirect(laptop.ctx(), "pete", "please")
		if err != nil || again != waiting {
			t.Errorf("posting again gives the room %v (%v), want %v", again, err, waiting)
		}
		if r := laptop.room(waiting); !r.Waiting || r.Joined || r.Direct != "pete" {
			t.Errorf("got the room %+v, want one with pete that waits", r)
		}
		events := laptop.Events()
		pete = start(t, net, pete.disk, true)
		wait()
		equal(t, pete.texts(room), []string{"pia: one", "pete: two", "pia: urgent: call me", "pia: please"})
		there, gone := false, false
		for len(events.C) > 0 {
			if e, ok := (<-events.C).(client.RoomChanged); ok {
				there = there || e.Room.ID == room && e.Room.Joined
				gone = gone || e.Room.ID == waiting && e.Room.Gone
			}
		}
		if !there || !gone {
			t.Errorf("heard that the pair's room is there: %v, that the other is gone: %v; want both", there, gone)
		}
	})
}
