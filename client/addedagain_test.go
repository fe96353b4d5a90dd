package client_test

import (
	"strings"
	"testing"

	"snug/client"
	"snug/internal/testkit"
)

// TestAwayWhileAddedAgain: an account leaves a room, its only owner, while a device of it is away, and is added again by who was a
// member until then. The device does not believe that one's Welcome, and says so, with a way on that works.
func TestAwayWhileAddedAgain(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		den, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "den", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		laptop := newDevice(t, net, "alice", true)
		wait()
		laptop.stop()
		if err := alice.LeaveRoom(alice.ctx(), den.ID); err != nil {
			t.Fatal(err)
		}
		wait()
		if err := bob.AddMembers(bob.ctx(), den.ID, "alice"); err != nil {
			t.Fatal(err)
		}
		wait()
		bob.send(den.ID, "back again?")
		laptop = start(t, net, laptop.disk, true)
		wait()
		if v := laptop.room(den.ID); !strings.Contains(v.Problem, "does not stand up to the checks") || !strings.Contains(v.Try, "sign out on this device and in again") {
			t.Errorf("the room is %+v, want why the device is not in it and the way back", v)
		}
		if err := laptop.Logout(laptop.ctx()); err != nil {
			t.Fatal(err)
		}
		if err := laptop.login("alice", passphrase); err != nil {
			t.Fatal(err)
		}
		wait()
		laptop.send(den.ID, "here I am")
		wait()
		if texts := bob.texts(den.ID); texts[len(texts)-1] != "alice: here I am" {
			t.Errorf("bob reads %q, want the laptop last", texts)
		}
	})
}
