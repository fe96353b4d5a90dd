package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

func codeOf(err error) client.Code {
	var refusal *client.Error
	if !errors.As(err, &refusal) {
		return 0
	}
	return refusal.Code
}

func wantCode(t *testing.T, doing string, err error, want client.Code) {
	t.Helper()
	if codeOf(err) != want {
		t.Errorf("%s: got %v (code %d), want code %d", doing, err, codeOf(err), want)
	}
}

// members gives "handle role devices" of a room.
func (p *person) members(room ident.RoomID) (list []string) {
	p.t.Helper()
	members, err := p.Members(p.ctx(), room)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range members {
		list = append(list, fmt.Sprintf("%s %s %d", m.Handle, m.Role, m.Devices))
	}
	slices.Sort(list)
	return list
}

// wait lets everything happen that happens by itself within half a minute.
func wait() {
	time.Sleep(30 * time.Second)
	synctest.Wait()
}

func TestGroup(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", false)
		carol, dave := register(t, net, "carol", true), register(t, net, "dave", true)
		room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "friends", Handles: []string{"bob", "@carol"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, bob.members(room.ID), []string{"alice owner 1", "bob member 1", "carol member 1"})
		alice.send(room.ID, "welcome")
		bob.send(room.ID, "hello")
		wantCode(t, "a member adds", bob.AddMembers(bob.ctx(), room.ID, "dave"), client.Refused)
		wantCode(t, "a member removes", bob.RemoveMembers(bob.ctx(), room.ID, "carol"), client.Refused)
		if err := alice.AddMembers(alice.ctx(), room.ID, "dave"); err != nil {
			t.Fatal(err)
		}
		wait()
		dave.send(room.ID, "I am new")
		if err := alice.RemoveMembers(alice.ctx(), room.ID, "carol"); err != nil {
			t.Fatal(err)
		}
		wait()
		bob.send(room.ID, "carol is gone")
		if err := bob.LeaveRoom(bob.ctx(), room.ID); err != nil {
			t.Fatal(err)
		}
		wait()
		alice.send(room.ID, "bob is gone")
		equal(t, alice.texts(room.ID), []string{"alice: welcome", "bob: hello", "dave: I am new", "bob: carol is gone", "alice: bob is gone"})
		equal(t, dave.texts(room.ID), []string{notYet, "dave: I am new", "bob: carol is gone", "alice: bob is gone"})
		equal(t, bob.texts(room.ID), []string{"alice: welcome", "bob: hello", "dave: I am new", "bob: carol is gone"})
		equal(t, carol.texts(room.ID), []string{"alice: welcome", "bob: hello", "dave: I am new"})
		equal(t, dave.members(room.ID), []string{"alice owner 1", "dave member 1"})
		_, err = carol.Send(carol.ctx(), room.ID, "let me in")
		wantCode(t, "a removed member sends", err, client.Refused)
		equal(t, alice.notices(room.ID), []string{"@alice added @bob, @alice added @carol", "@alice added @dave", "@alice removed @carol", "@bob left"})
	})
}

func (p *person) notices(room ident.RoomID) (texts []string) {
	p.t.Helper()
	messages, err := p.History(p.ctx(), room, client.HistoryOptions{Limit: 1000})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range messages {
		if m.Kind == client.Notice {
			parts := strings.Split(m.Text, ", ")
			slices.Sort(parts)
			texts = append(texts, strings.Join(parts, ", "))
		}
	}
	return texts
}

// TestNewDevice has an account's second device come into its rooms, and out when it signs out.
func TestNewDevice(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		alice.send(room, "one")
		wait()
		phone := start(t, net, testkit.NewDisk(), false)
		if _, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "bob", Passphrase: passphrase, DeviceName: "bob's phone"}); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, alice.members(room), []string{"alice owner 1", "bob member 2"})
		alice.send(room, "two")
		phone.send(room, "three")
		equal(t, phone.texts(room), []string{"alice: one", "alice: two", "bob: three"})
		equal(t, bob.texts(room), []string{"alice: one", "alice: two", "bob: three"})
		devices, err := bob.Devices(bob.ctx())
		if err != nil || len(devices) != 2 {
			t.Fatalf("%d devices, %v", len(devices), err)
		}
		if err := phone.Logout(phone.ctx()); err != nil {
			t.Fatal(err)
		}
		if _, in := phone.Me(); in {
			t.Error("still signed in after Logout")
		}
		wait()
		equal(t, alice.members(room), []string{"alice owner 1", "bob member 1"})
		for key := range phone.disk.Snapshot() {
			if key != "device" {
				t.Errorf("%q is left after Logout", key)
			}
		}
		// The same machine signs in again, as another device.
		if _, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "bob", Passphrase: passphrase, DeviceName: "again"}); err != nil {
			t.Fatal(err)
		}
		wait()
		alice.send(room, "four")
		equal(t, phone.texts(room), []string{"alice: one", "alice: two", "bob: three", "alice: four"})
	})
}

func TestOpenRoom(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", false), register(t, net, "carol", true)
		room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "lobby", Open: true})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range 12 {
			alice.send(room.ID, fmt.Sprint(i))
			want = append(want, fmt.Sprint("alice: ", i))
		}
		id, err := bob.Resolve(bob.ctx(), "lobby")
		if err != nil || id != room.ID {
			t.Fatalf("got %v, %v", id, err)
		}
		if err := bob.JoinRoom(bob.ctx(), id); err != nil {
			t.Fatal(err)
		}
		bob.send(id, "hello")
		want = append(want, "bob: hello")
		for _, p := range []*person{alice, bob, carol} {
			equal(t, p.texts(id), want)
		}
		part, err := bob.History(bob.ctx(), id, client.HistoryOptions{After: 10, Limit: 2})
		if err != nil || len(part) != 2 || part[0].Seq != 11 || part[1].Seq != 12 {
			t.Errorf("got %v, %v, want 11 and 12", part, err)
		}
		part, err = bob.History(bob.ctx(), id, client.HistoryOptions{Before: 5, Limit: 3})
		if err != nil || len(part) != 3 || part[0].Seq != 2 || part[2].Seq != 4 {
			t.Errorf("got %v, %v, want 2 to 4", part, err)
		}
		if err := bob.LeaveRoom(bob.ctx(), id); err != nil {
			t.Fatal(err)
		}
		_, err = bob.Send(bob.ctx(), id, "still here")
		wantCode(t, "sending after leaving", err, client.Refused)
		if err := bob.JoinRoom(bob.ctx(), id); err != nil {
			t.Fatal(err)
		}
		bob.send(id, "back")
		equal(t, carol.texts(id), append(want, "bob: back"))
	})
}

// TestRefusals has the errors that people meet.
func TestRefusals(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		other := start(t, net, testkit.NewDisk(), true)
		try := func(doing string, want client.Code, f func(ctx context.Context) error) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			wantCode(t, doing, f(ctx), want)
		}
		registering := func(handle, passphrase, invite string) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := other.Register(ctx, client.RegisterOptions{Handle: handle, Passphrase: passphrase, DeviceName: "x", Invite: invite})
				return err
			}
		}
		try("nobody is signed in", client.Refused, func(ctx context.Context) error { _, err := other.Rooms(ctx); return err })
		try("a malformed handle", client.Usage, registering("A!", passphrase, ""))
		try("a weak passphrase", client.Usage, registering("other", "aaaa", ""))
		try("a taken handle", client.Refused, registering("alice", passphrase, ""))
		try("a used invite", client.Refused, registering("other", passphrase, "used"))
		try("a wrong passphrase", client.Refused, func(ctx context.Context) error {
			_, err := other.Login(ctx, client.LoginOptions{Handle: "alice", Passphrase: "wrong", DeviceName: "x"})
			return err
		})
		try("nobody of this name", client.NotFound, func(ctx context.Context) error { _, err := alice.Direct(ctx, "nobody"); return err })
		try("a room with oneself", client.Usage, func(ctx context.Context) error { _, err := alice.Direct(ctx, "alice"); return err })
		try("no such room", client.NotFound, func(ctx context.Context) error { _, err := alice.Resolve(ctx, "nowhere"); return err })
		try("an unknown room", client.NotFound, func(ctx context.Context) error { _, err := alice.Send(ctx, ident.RoomID{1}, "x"); return err })
		try("an empty text", client.Usage, func(ctx context.Context) error { _, err := alice.Send(ctx, ident.RoomID{1}, ""); return err })
		try("a long text", client.Usage, func(ctx context.Context) error {
			_, err := alice.Send(ctx, ident.RoomID{1}, strings.Repeat("x", 40<<10))
			return err
		})
		net.Cut(errors.New("the cable is out"))
		try("no server", client.Unreachable, func(ctx context.Context) error { _, err := alice.Accounts(ctx); return err })
		if rooms, err := alice.Rooms(alice.ctx()); err != nil || len(rooms) != 0 {
			t.Errorf("offline: %v, %v, want what is stored", rooms, err)
		}
		if _, err := registerAgain(alice); codeOf(err) != client.Refused {
			t.Errorf("registering twice: %v", err)
		}
	})
}

func registerAgain(p *person) (client.Me, error) {
	return p.Register(p.ctx(), client.RegisterOptions{Handle: "again", Passphrase: passphrase, DeviceName: "x"})
}

// TestOffline queues messages without a server, across a restart, and has them arrive once and in order.
func TestOffline(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		alice.send(room, "before")
		net.Cut(errors.New("the cable is out"))
		var want []string
		for i := range 40 {
			if _, err := alice.Post(alice.ctx(), room, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprint("alice: ", i))
		}
		alice.stop()
		again := start(t, net, alice.disk, true)
		messages, err := again.History(again.ctx(), room, client.HistoryOptions{})
		if err != nil || messages[len(messages)-1].State != client.Pending {
			t.Fatalf("got %v, %v, want pending messages at the end", messages, err)
		}
		net.Cut(nil)
		wait()
		equal(t, bob.texts(room), append([]string{"alice: before"}, want...))
		equal(t, again.texts(room), append([]string{"alice: before"}, want...))
	})
}

// TestEvents has a reader see each message once and in order.
func TestEvents(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		events := bob.Events()
		room, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for i := range 20 {
			alice.send(room, fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
		}
		wait()
		events.Close()
		last := uint64(0)
		for event := range events.C {
			m, ok := event.(client.MessageChanged)
			if !ok || m.Message.Seq == 0 {
				continue
			}
			if m.Message.Seq <= last {
				t.Errorf("seq %d after %d", m.Message.Seq, last)
			}
			last = m.Message.Seq
			if m.Message.Kind == client.Text {
				got = append(got, m.Message.Text)
			}
		}
		equal(t, got, want)
		r, err := bob.Room(bob.ctx(), room)
		if err != nil || r.Unread != 20 || r.Direct != "alice" || r.Name != "@alice" || r.Last == nil || r.Last.Text != "19" {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

// TestSlowReader gets Resync in place of what it did not read.
func TestSlowReader(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		events := bob.Events()
		for i := range 600 {
			if _, err := alice.Post(alice.ctx(), room, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		wait()
		events.Close()
		var last client.Event
		for event := range events.C {
			last = event
		}
		if _, ok := last.(client.Resync); !ok {
			t.Errorf("the last event is %T, want Resync", last)
		}
	})
}

// TestEverybodyLeaves has all members ask to go before any of them has let another go: each waits for somebody else to
// carry it out, until they notice that there is nobody else.
func TestEverybodyLeaves(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "party", Handles: []string{"bob", "carol"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		people := []*person{alice, bob, carol}
		for _, p := range people {
			if err := p.LeaveRoom(p.ctx(), room.ID); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for i, p := range people {
			if r, err := p.Room(p.ctx(), room.ID); err == nil && r.Joined {
				t.Errorf("person %d is still in the room: %+v", i, r)
			}
		}
	})
}

// TestLeavingIsLeft: a room that somebody has asked to leave takes nothing more from them, and no other room's name from it.
func TestLeavingIsLeft(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		make := func(by *person, handles ...string) ident.RoomID {
			t.Helper()
			room, err := by.CreateRoom(by.ctx(), client.CreateRoomOptions{Name: "garden", Handles: handles})
			if err != nil {
				t.Fatal(err)
			}
			return room.ID
		}
		means := func(when string, want ident.RoomID) {
			t.Helper()
			if got, err := bob.Resolve(bob.ctx(), "garden"); got != want {
				t.Errorf("%s: garden means %v (%v), want %v", when, got, err, want)
			}
		}
		old := make(bob, "alice")
		wait()
		alice.stop() // nobody carries it out
		if err := bob.LeaveRoom(bob.ctx(), old); err != nil {
			t.Fatal(err)
		}
		means("where no other room has the name", old)
		topic := "pears"
		for doing, do := range map[string]func() error{
			"adding":        func() error { return bob.AddMembers(bob.ctx(), old, "carol") },
			"changing":      func() error { return bob.ChangeRoom(bob.ctx(), old, client.RoomSettings{Topic: &topic}) },
			"inviting":      func() error { _, err := bob.CreateRoomInvite(bob.ctx(), old, client.RoomInviteOptions{}); return err },
			"saying a word": func() error { _, err := bob.Send(bob.ctx(), old, "hello?"); return err },
		} {
			err := do()
			wantCode(t, doing, err, client.Refused)
			if err == nil || !strings.Contains(err.Error(), "you have left this room") {
				t.Errorf("%s in a room that is being left: %v, want that it was left", doing, err)
			}
		}
		bob.stop()
		other := make(carol, "bob")
		bob = start(t, net, bob.disk, true)
		means("where another room has come since", other)
		if err := bob.AddMembers(bob.ctx(), old, "carol"); err == nil {
			t.Error("carol was added to the room that bob leaves")
		}
	})
}

// TestRefusedRoom: a room that the server will not make was never there for those who look on.
func TestRefusedRoom(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		if _, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "lobby", Open: true}); err != nil {
			t.Fatal(err)
		}
		wait()
		events := alice.Events()
		_, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "lobby", Open: true})
		refusedAs(t, err, client.Refused)
		for wait(); len(events.C) > 0; {
			if e, ok := (<-events.C).(client.RoomChanged); ok {
				t.Errorf("heard of the room %+v, which is none", e.Room)
			}
		}
	})
}
