package client_test

import (
	"context"
	"testing"

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
