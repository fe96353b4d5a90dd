package client_test

import (
	"slices"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// TestBlock: who is blocked is not heard of, does not learn of it, and neither does the server.
func TestBlock(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		pair, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		alice.send(pair, "hello")
		wait()
		bob.send(pair, "hello to you")
		club, err := carol.CreateRoom(carol.ctx(), client.CreateRoomOptions{Name: "club", Handles: []string{"alice", "bob"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		bob.accept(club.ID)
		bobs, _ := bob.Me()
		said := 0
		net.Do(func(m *testkit.Model) {
			m.Lose = func(from ident.DeviceID, f *wire.ClientFrame) bool {
				if from == bobs.Device && f.GetSubmit() != nil {
					said++
				}
				return false
			}
		})
		if err := bob.Block(bob.ctx(), "@alice"); err != nil {
			t.Fatal(err)
		}
		alice.send(pair, "are you angry?")
		alice.send(club.ID, "is bob angry?")
		carol.send(club.ID, "I do not know")
		fresh, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "sorry", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		alice.send(fresh.ID, "come in")
		wait()
		check := func(when string) {
			t.Helper()
			for _, room := range []ident.RoomID{pair, fresh.ID} {
				if r, listed := bob.shown(room); listed || !r.Gone || r.Unread != 0 {
					t.Errorf("%s: a room of who is blocked is shown: listed %v, %+v", when, listed, r)
				}
			}
			if r, listed := bob.shown(club.ID); !listed || r.Gone || r.Unread != 1 {
				t.Errorf("%s: the club: listed %v, %d unread, want 1", when, listed, r.Unread)
			}
			messages, err := bob.History(bob.ctx(), club.ID, client.HistoryOptions{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				if m.Kind == client.Text && m.Blocked != (m.From == "alice") {
					t.Errorf("%s: %q of %s: blocked %v", when, m.Text, m.From, m.Blocked)
				}
			}
			if list, err := bob.Blocked(bob.ctx()); err != nil || len(list) != 1 || list[0].Handle != "alice" {
				t.Errorf("%s: blocked are %v, %v", when, list, err)
			}
			_, err = bob.Send(bob.ctx(), pair, "leave me alone")
			wantCode(t, when+": writing to who is blocked", err, client.Refused)
		}
		check("at once")
		if said > 0 {
			t.Errorf("bob's device has said %d things", said)
		}
		disk := bob.disk
		bob.stop()
		bob = start(t, net, disk, true)
		wait()
		check("after a restart")
		if err := bob.Unblock(bob.ctx(), "alice"); err != nil {
			t.Fatal(err)
		}
		equal(t, bob.texts(pair), []string{"alice: hello", "bob: hello to you", "alice: are you angry?"})
		if _, listed := bob.shown(pair); !listed {
			t.Error("the 1:1 room does not come back")
		}
		bob.wantRequest("what was asked meanwhile", fresh.ID, "alice")
		bob.send(pair, "it is well")
	})
}

// TestBlockDeclines: to block who asks is to decline what they ask.
func TestBlockDeclines(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		group, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "offers", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		if err := bob.Block(bob.ctx(), "alice"); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, alice.members(group.ID), []string{"alice owner 1"})
		me, _ := bob.Me()
		wantCode(t, "blocking oneself", bob.Block(bob.ctx(), me.Handle), client.Usage)
		wantCode(t, "blocking nobody", bob.Block(bob.ctx(), "nobody"), client.NotFound)
		rooms, err := bob.Rooms(bob.ctx())
		if err != nil || slices.ContainsFunc(rooms, func(r client.Room) bool { return r.ID == group.ID }) {
			t.Errorf("got %v, %v", rooms, err)
		}
	})
}
