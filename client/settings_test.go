package client_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// trio has a room of alice, its owner, bob and carol.
func trio(t *testing.T, net *testkit.Net) (alice, bob, carol *person, room ident.RoomID) {
	alice, bob, carol = register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
	made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob", "carol"}})
	if err != nil {
		t.Fatal(err)
	}
	wait()
	return alice, bob, carol, made.ID
}

// TestRoles has roles given and taken, and holds everybody to theirs.
func TestRoles(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol, room := trio(t, net)
		register(t, net, "dave", true)
		wantCode(t, "a member makes an admin", bob.SetRole(bob.ctx(), room, "bob", "admin"), client.Refused)
		wantCode(t, "no such role", alice.SetRole(alice.ctx(), room, "bob", "king"), client.Usage)
		wantCode(t, "nobody of the room", alice.SetRole(alice.ctx(), room, "dave", "admin"), client.NotFound)
		wantCode(t, "the last owner steps down", alice.SetRole(alice.ctx(), room, "alice", "admin"), client.Refused)
		for _, step := range []struct {
			by         *person
			whom, role string
		}{{alice, "bob", "admin"}, {bob, "carol", "reader"}} {
			if err := step.by.SetRole(step.by.ctx(), room, step.whom, step.role); err != nil {
				t.Fatalf("making %s %s: %v", step.whom, step.role, err)
			}
			wait()
		}
		equal(t, carol.members(room), []string{"alice owner 1", "bob admin 1", "carol reader 1"})
		wantCode(t, "an admin makes an admin", bob.SetRole(bob.ctx(), room, "carol", "admin"), client.Refused)
		wantCode(t, "an admin unmakes the owner", bob.SetRole(bob.ctx(), room, "alice", "member"), client.Refused)
		_, err := carol.Send(carol.ctx(), room, "may I?")
		wantCode(t, "a reader writes", err, client.Refused)
		if err := bob.AddMembers(bob.ctx(), room, "dave"); err != nil {
			t.Fatal(err)
		}
		if err := bob.SetRole(bob.ctx(), room, "carol", "member"); err != nil {
			t.Fatal(err)
		}
		wait()
		carol.send(room, "I may")
		wait()
		if got := alice.notices(room); !strings.Contains(strings.Join(got, "\n"), "@bob made @carol a reader") {
			t.Errorf("got notices %q", got)
		}
		equal(t, alice.texts(room), []string{"carol: I may"})
	})
}

// TestReaderWritesAllTheSame has a reader's device seal what it may not say: nobody is shown it.
func TestReaderWritesAllTheSame(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol, room := trio(t, net)
		if err := alice.SetRole(alice.ctx(), room, "carol", "reader"); err != nil {
			t.Fatal(err)
		}
		wait()
		carol.SendUnchecked(room, "I do as I like")
		wait()
		for _, p := range []*person{alice, bob} {
			if got := fmt.Sprint(p.texts(room)); got != "[gap: its sender may only read in this room]" {
				t.Errorf("got %s, want a gap that says why", got)
			}
		}
	})
}

// TestSettings has name, topic and policy changed by who may, seen by all, and kept from the server.
func TestSettings(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		var heard bytes.Buffer
		net.Do(func(m *testkit.Model) { m.Heard = &heard })
		alice, bob, carol, room := trio(t, net)
		register(t, net, "dave", true)
		name, topic, long := "orchard", "apples and pears", strings.Repeat("x", 65)
		change := func(p *person, s client.RoomSettings) error { return p.ChangeRoom(p.ctx(), room, s) }
		wantCode(t, "a member renames", change(bob, client.RoomSettings{Name: &name}), client.Refused)
		wantCode(t, "a long name", change(alice, client.RoomSettings{Name: &long}), client.Usage)
		wantCode(t, "nothing", change(alice, client.RoomSettings{}), client.Usage)
		wantCode(t, "readers add", change(alice, client.RoomSettings{Adds: "reader"}), client.Usage)
		wantCode(t, "a member adds", bob.AddMembers(bob.ctx(), room, "dave"), client.Refused)
		if err := change(alice, client.RoomSettings{Name: &name, Topic: &topic, Adds: "member", Edits: "member"}); err != nil {
			t.Fatal(err)
		}
		wait()
		got, err := carol.Room(carol.ctx(), room)
		if err != nil || got.Name != name || got.Topic != topic || got.Adds != "member" || got.Edits != "member" || got.Role != "member" {
			t.Errorf("carol sees %+v, %v", got, err)
		}
		name = "meadow"
		if err := change(bob, client.RoomSettings{Name: &name}); err != nil {
			t.Errorf("a member renames where members may: %v", err)
		}
		if err := bob.AddMembers(bob.ctx(), room, "dave"); err != nil {
			t.Errorf("a member adds where members may: %v", err)
		}
		wantCode(t, "a member changes the policy", change(bob, client.RoomSettings{Adds: "owner"}), client.Refused)
		wait()
		want := []string{"@alice decided that it takes a member to add members, @alice decided that it takes a member to change name and topic, " +
			`@alice named the room "orchard", @alice set the topic: apples and pears`, `@bob named the room "meadow"`, "@bob added @dave"}
		equal(t, last(alice.notices(room), 3), want)
		for _, secret := range []string{"garden", "orchard", "apples", "meadow"} {
			if bytes.Contains(heard.Bytes(), []byte(secret)) {
				t.Errorf("the server has heard %q", secret)
			}
		}
		if !bytes.Contains(heard.Bytes(), []byte("alice's laptop")) {
			t.Error("the server has not heard what it should")
		}
	})
}

func last(list []string, n int) []string { return list[max(0, len(list)-n):] }

// TestOneToOneHasNoSettings keeps a room of two as it is.
func TestOneToOneHasNoSettings(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, _, room := pair(t, net)
		name := "us"
		wantCode(t, "naming a 1:1 room", alice.ChangeRoom(alice.ctx(), room, client.RoomSettings{Name: &name}), client.Refused)
		wantCode(t, "roles in a 1:1 room", alice.SetRole(alice.ctx(), room, "bob", "owner"), client.Refused)
	})
}
