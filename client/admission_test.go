package client_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

func (p *person) accept(room ident.RoomID) {
	p.t.Helper()
	if err := p.AcceptRoom(p.ctx(), room); err != nil {
		p.t.Fatal(err)
	}
}

// shown gives a room as the person sees it; listed says whether it is in the list.
func (p *person) shown(id ident.RoomID) (room client.Room, listed bool) {
	p.t.Helper()
	rooms, err := p.Rooms(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	listed = slices.ContainsFunc(rooms, func(r client.Room) bool { return r.ID == id })
	if room, err = p.Room(p.ctx(), id); err != nil {
		p.t.Fatal(err)
	}
	return room, listed
}

// wantRequest checks whether a room asks to be accepted.
func (p *person) wantRequest(doing string, id ident.RoomID, inviter string) {
	p.t.Helper()
	if r, listed := p.shown(id); r.Request != (inviter != "") || r.Inviter != inviter || !listed || r.Gone {
		p.t.Errorf("%s: listed %v, request %v of %q, gone %v; want one of %q", doing, listed, r.Request, r.Inviter, r.Gone, inviter)
	}
}

// TestRequest: what a stranger begins asks to be accepted, and until then this device says nothing in the room.
func TestRequest(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		bobs, _ := bob.Me()
		said := 0
		net.Do(func(m *testkit.Model) {
			m.Lose = func(from ident.DeviceID, f *wire.ClientFrame) bool {
				if from == bobs.Device && f.GetSubmit().GetKind() == wire.EntryKind_ENTRY_KIND_SEALED {
					said++
				}
				return false
			}
		})
		pair, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		alice.send(pair, "hello, do you know me?")
		phone := start(t, net, testkit.NewDisk(), true)
		if err := phone.login("alice", passphrase); err != nil {
			t.Fatal(err)
		}
		wait()
		bob.wantRequest("a stranger writes", pair, "alice")
		alice.wantRequest("who began it", pair, "")
		phone.wantRequest("another device of who began it", pair, "")
		equal(t, bob.texts(pair), []string{"alice: hello, do you know me?"})
		if said > 0 {
			t.Errorf("bob's device has said %d things", said)
		}
		// It is so after a restart, and an answer accepts.
		disk := bob.disk
		bob.stop()
		bob = start(t, net, disk, true)
		bob.wantRequest("after a restart", pair, "alice")
		bob.send(pair, "I do now")
		bob.wantRequest("after an answer", pair, "")
		// From then on alice is somebody that bob knows, and carol is not.
		friends, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "friends", Handles: []string{"bob", "carol"}})
		if err != nil {
			t.Fatal(err)
		}
		others, err := carol.CreateRoom(carol.ctx(), client.CreateRoomOptions{Name: "others", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		bob.wantRequest("a room of who is known", friends.ID, "")
		carol.wantRequest("a room of a stranger", friends.ID, "alice")
		// Bob and carol share a room that bob has accepted, so this is none.
		bob.wantRequest("a room of who shares one", others.ID, "")
		carol.accept(friends.ID)
		carol.wantRequest("after accepting", friends.ID, "")
	})
}

// TestRequestOnAnotherDevice: who has accepted a room on one device is not asked on the next.
func TestRequestOnAnotherDevice(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		early := start(t, net, testkit.NewDisk(), true)
		if err := early.login("bob", passphrase); err != nil {
			t.Fatal(err)
		}
		pair, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		wait()
		early.wantRequest("the second device", pair, "alice")
		bob.send(pair, "hello")
		wait()
		early.wantRequest("after the first has answered", pair, "")
	})
}

// TestRequestLetsDevicesGo: a device that its account revokes is put out of a room that nobody has accepted too.
func TestRequestLetsDevicesGo(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		carol, bob := register(t, net, "carol", true), register(t, net, "bob", true)
		lost := start(t, net, testkit.NewDisk(), true)
		if err := lost.login("bob", passphrase); err != nil {
			t.Fatal(err)
		}
		group, err := carol.CreateRoom(carol.ctx(), client.CreateRoomOptions{Name: "offers", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, bob.members(group.ID), []string{"bob member 2", "carol owner 1"})
		carol.stop()
		if err := bob.RevokeDevice(bob.ctx(), lost.device()); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, bob.members(group.ID), []string{"bob member 1", "carol owner 1"})
		bob.wantRequest("after the device has gone", group.ID, "carol")
	})
}

// TestDecline: a declined group is left, a declined room of two comes back with the next message.
func TestDecline(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		group, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "offers", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		wait()
		for _, room := range []ident.RoomID{group.ID, pair} {
			if err := bob.DeclineRoom(bob.ctx(), room); err != nil {
				t.Fatal(err)
			}
		}
		wait()
		for _, room := range []ident.RoomID{group.ID, pair} {
			if r, listed := bob.shown(room); listed || !r.Gone {
				t.Errorf("a declined room is shown: listed %v, %+v", listed, r)
			}
		}
		equal(t, alice.members(group.ID), []string{"alice owner 1"})
		equal(t, alice.members(pair), []string{"alice owner 1", "bob member 1"})
		alice.send(pair, "are you there?")
		wait()
		bob.wantRequest("another message", pair, "alice")
		wantCode(t, "declining what was not asked", alice.DeclineRoom(alice.ctx(), pair), client.NotFound)
	})
}

// TestManyRequests: whoever is let into more rooms by strangers than are followed hears all that is said in those that were
// accepted, and in one of the others as soon as it is.
func TestManyRequests(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, mallory := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "mallory", true)
		pair, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		var rooms []ident.RoomID
		for range 5 {
			room, err := mallory.CreateRoom(mallory.ctx(), client.CreateRoomOptions{Name: "spam", Handles: []string{"bob"}})
			if err != nil {
				t.Fatal(err)
			}
			rooms = append(rooms, room.ID)
		}
		late, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "late", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		bob.accept(pair)
		bob.accept(late.ID)
		disk := bob.disk
		bob.stop()
		for _, room := range rooms {
			mallory.send(room, "buy")
		}
		alice.send(pair, "first")
		alice.send(late.ID, "last")

		bob = startFollowing(t, net, disk, 2)
		if err := bob.CatchUpRooms(bob.ctx()); err != nil {
			t.Fatal(err)
		}
		equal(t, bob.texts(pair), []string{"alice: first"})
		equal(t, bob.texts(late.ID), []string{"alice: last"})
		followed := 0
		var silent ident.RoomID
		for _, room := range rooms {
			if len(bob.texts(room)) > 0 {
				followed++
			} else {
				silent = room
			}
			if r, listed := bob.shown(room); !r.Request || !listed || r.Problem != "" {
				t.Errorf("a request is shown as %+v, listed %v", r, listed)
			}
		}
		if followed != 2 {
			t.Errorf("%d requests are followed, want 2", followed)
		}
		bob.accept(silent)
		if err := bob.CatchUp(bob.ctx(), silent); err != nil {
			t.Fatal(err)
		}
		equal(t, bob.texts(silent), []string{"mallory: buy"})
	})
}

// startFollowing starts a client that follows so many requests.
func startFollowing(t *testing.T, net *testkit.Net, disk *testkit.Disk, requests int) *person {
	t.Helper()
	return startChanged(t, disk, client.Config{Transport: net.Transport(true), Now: time.Now, Rand: rand.Reader},
		func(c *client.Client) { c.FollowRequests(requests) })
}
