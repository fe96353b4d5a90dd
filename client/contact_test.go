package client_test

import (
	"errors"
	"strings"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

func (p *person) find(handle string) client.Contact {
	p.t.Helper()
	contact, err := p.FindContact(p.ctx(), handle)
	if err != nil {
		p.t.Fatal(err)
	}
	return contact
}

func (p *person) room(id ident.RoomID) client.Room {
	p.t.Helper()
	room, err := p.Room(p.ctx(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return room
}

// TestVerify: two people see one number; only the right one verifies, on the device that was told, until it is forgotten.
func TestVerify(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		register(t, net, "carol", true)
		phone := signsIn(t, net, passphrase)
		hers, his := alice.find("@bob"), bob.find("alice")
		if hers.SafetyNumber != his.SafetyNumber || !hers.VerifiedAt.IsZero() || hers.Changed {
			t.Fatalf("alice sees %+v, bob %+v", hers, his)
		}
		wrong := alice.find("carol").SafetyNumber
		if _, err := alice.Verify(alice.ctx(), hers.Account, wrong); refusedAs(t, err, client.Refused).Hint == "" {
			t.Error("nothing is said of what to do")
		}
		if !alice.find("bob").VerifiedAt.IsZero() {
			t.Error("a wrong number has verified")
		}
		got, err := alice.Verify(alice.ctx(), hers.Account, his.SafetyNumber)
		if err != nil || got.VerifiedAt.IsZero() {
			t.Fatalf("verifying: %+v, %v", got, err)
		}
		alice.stop()
		again := start(t, net, alice.disk, true)
		if again.find("bob").VerifiedAt.IsZero() {
			t.Error("a restart has forgotten who was verified")
		}
		room, err := again.Direct(again.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		again.send(room, "hello")
		members, err := again.Members(again.ctx(), room)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range members {
			if m.Verified != (m.Handle == "bob") || m.Stranger {
				t.Errorf("%s: verified %v, stranger %v", m.Handle, m.Verified, m.Stranger)
			}
		}
		if !phone.find("bob").VerifiedAt.IsZero() {
			t.Error("the other device takes bob for verified")
		}
		if got, err := again.Unverify(again.ctx(), hers.Account); err != nil || !got.VerifiedAt.IsZero() {
			t.Errorf("unverifying: %+v, %v", got, err)
		}
		_, err = again.Contact(again.ctx(), ident.AccountID{1})
		refusedAs(t, err, client.NotFound)
		_, err = again.FindContact(again.ctx(), "alice")
		refusedAs(t, err, client.Usage)
		_, err = again.FindContact(again.ctx(), "no handle")
		refusedAs(t, err, client.Usage)
	})
}

// TestStranger: the server gives the handle of somebody whom alice knows to another account. She is told in the room; if
// she had verified the former one, nothing is said to the new one before she has looked.
func TestStranger(t *testing.T) {
	for _, verified := range []bool{true, false} {
		name := "known"
		if verified {
			name = "verified"
		}
		t.Run(name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) { stranger(t, net, verified) })
		})
	}
}

func stranger(t *testing.T, net *testkit.Net, verified bool) {
	alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
	known := alice.find("bob")
	if verified {
		if _, err := alice.Verify(alice.ctx(), known.Account, bob.find("alice").SafetyNumber); err != nil {
			t.Fatal(err)
		}
	}
	net.Do(func(m *testkit.Model) { m.Expel("bob") })
	mallory := register(t, net, "bob", true)
	room, err := mallory.Direct(mallory.ctx(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	wait()
	if got := strings.Join(alice.notices(room), "\n"); !strings.Contains(got, "@bob added you (not the @bob that you knew: other keys)") {
		t.Errorf("the room says %q", got)
	}
	if s := alice.room(room).Stranger; s.Handle != "bob" || s.WasVerified != verified || s.Account == known.Account {
		t.Errorf("the room's stranger is %+v", s)
	}
	_, err = alice.Send(alice.ctx(), room, "are you bob?")
	if !verified {
		if err != nil {
			t.Fatalf("writing to who was never verified: %v", err)
		}
		return
	}
	if e := refusedAs(t, err, client.Refused); !strings.Contains(e.Command, "snug verify @bob") || e.Hint == "" {
		t.Errorf("the hint is %q, the command %q", e.Hint, e.Command)
	}
	_, err = alice.Direct(alice.ctx(), "bob")
	refusedAs(t, err, client.Refused)
	_, err = alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
	refusedAs(t, err, client.Refused)
	equal(t, mallory.texts(room), nil)

	// It stays so after a restart, and ends when she has looked.
	alice.stop()
	again := start(t, net, alice.disk, true)
	found := again.find("bob")
	if !found.Changed || !found.WasVerified || !found.VerifiedAt.IsZero() {
		t.Errorf("after a restart: %+v", found)
	}
	_, err = again.Send(again.ctx(), room, "are you bob?")
	refusedAs(t, err, client.Refused)
	if _, err := again.AcceptContact(again.ctx(), found.Account); err != nil {
		t.Fatal(err)
	}
	again.send(room, "are you bob?")
	if s := again.room(room).Stranger; !s.Account.IsZero() {
		t.Errorf("the room's stranger is %+v after it was accepted", s)
	}
}

// TestStrangerComesLater: what waits to be sent is not sent to a stranger who came meanwhile.
func TestStrangerComesLater(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		garden, err := carol.CreateRoom(carol.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"alice"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		known := alice.find("bob")
		if _, err := alice.Verify(alice.ctx(), known.Account, bob.find("alice").SafetyNumber); err != nil {
			t.Fatal(err)
		}
		alice.stop()
		net.Do(func(m *testkit.Model) { m.Expel("bob") })
		mallory := register(t, net, "bob", true)
		if err := carol.AddMembers(carol.ctx(), garden.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		net.Cut(errors.New("no network"))
		again := start(t, net, alice.disk, true)
		id, err := again.Post(again.ctx(), garden.ID, "for carol alone")
		if err != nil {
			t.Fatal(err)
		}
		events := again.Events()
		net.Cut(nil)
		wait()
		failed := false
		for len(events.C) > 0 {
			if e, ok := (<-events.C).(client.MessageChanged); ok && e.Message.ID == id {
				failed = e.Message.State == client.Undelivered && e.Message.Problem != ""
			}
		}
		if !failed {
			t.Error("the message was not held back")
		}
		equal(t, mallory.texts(garden.ID), []string{notYet})
		stranger := again.room(garden.ID).Stranger.Account
		if _, err := again.AcceptContact(again.ctx(), stranger); err != nil {
			t.Fatal(err)
		}
		if err := again.Retry(again.ctx(), garden.ID, id); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, carol.texts(garden.ID), []string{"alice: for carol alone"})
	})
}

// TestNoTopicForAStranger: a name and a topic are words like others, and wait until somebody has looked; who may do what is
// none, and the stranger can be put out.
func TestNoTopicForAStranger(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"carol"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.SetRole(alice.ctx(), made.ID, "carol", "admin"); err != nil {
			t.Fatal(err)
		}
		wait()
		known := alice.find("bob")
		if _, err := alice.Verify(alice.ctx(), known.Account, bob.find("alice").SafetyNumber); err != nil {
			t.Fatal(err)
		}
		alice.stop()
		net.Do(func(m *testkit.Model) { m.Expel("bob") })
		mallory := register(t, net, "bob", true)
		if err := carol.AddMembers(carol.ctx(), made.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		wait()
		net.Cut(errors.New("no network"))
		alice = start(t, net, alice.disk, true)
		secret, said := "bob's surprise party", make(chan error, 1)
		go func() { said <- alice.ChangeRoom(alice.ctx(), made.ID, client.RoomSettings{Topic: &secret}) }()
		wait()
		net.Cut(nil)
		refusedAs(t, <-said, client.Refused)
		for _, settings := range []client.RoomSettings{{Topic: &secret}, {Name: &secret}} {
			refusedAs(t, alice.ChangeRoom(alice.ctx(), made.ID, settings), client.Refused)
		}
		if err := alice.ChangeRoom(alice.ctx(), made.ID, client.RoomSettings{Edits: "owner"}); err != nil {
			t.Errorf("changing who may do what: %v", err)
		}
		wait()
		if v := mallory.room(made.ID); v.Topic != "" || v.Name != "garden" || v.Edits != "owner" {
			t.Errorf("the stranger sees %+v", v)
		}
		if err := alice.RemoveMembers(alice.ctx(), made.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		if err := alice.ChangeRoom(alice.ctx(), made.ID, client.RoomSettings{Topic: &secret}); err != nil {
			t.Errorf("the topic, when the stranger is out: %v", err)
		}
	})
}
