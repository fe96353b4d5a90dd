package client_test

import (
	"strings"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// TestAwayWhileAddedAgain: an account leaves a room, its only owner, while a device of it is away, and is added again by who was a
// member until then. The device does not believe that one's Welcome. The account's other device lets it in, at once where it is
// there; nobody else is believed, and the way back by signing in anew stays.
func TestAwayWhileAddedAgain(t *testing.T) {
	for _, row := range []struct {
		name  string
		phone bool
	}{{"the other device is there", true}, {"nobody is there who is believed", false}} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				bob, phone, laptop, den := addedAgain(t, net)
				if !row.phone {
					phone.stop()
				}
				laptop = start(t, net, laptop.disk, true)
				wait()
				if !row.phone {
					v := laptop.room(den)
					if !strings.Contains(v.Problem, "a member who could not do so has let it in") || !strings.Contains(v.Try, "sign out on this device and in again") {
						t.Errorf("the room is %+v, want why the device is not in it and the way back", v)
					}
					if err := laptop.Logout(laptop.ctx()); err != nil {
						t.Fatal(err)
					}
					if err := laptop.login("alice", passphrase); err != nil {
						t.Fatal(err)
					}
					wait()
				}
				if v := laptop.room(den); v.Problem != "" {
					t.Errorf("the room is %+v, want no problem", v)
				}
				laptop.send(den, "here I am")
				wait()
				if texts := bob.texts(den); texts[len(texts)-1] != "alice: here I am" {
					t.Errorf("bob reads %q, want the laptop last", texts)
				}
			})
		})
	}
}

// addedAgain has bob, a member, add alice again, whose phone has left the room of which she was the only owner, while her laptop was
// away. It gives bob, both of her devices, and the room.
func addedAgain(t *testing.T, net *testkit.Net) (bob, phone, laptop *person, den ident.RoomID) {
	phone, bob = register(t, net, "alice", true), register(t, net, "bob", true)
	room, err := phone.CreateRoom(phone.ctx(), client.CreateRoomOptions{Name: "den", Handles: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	laptop = newDevice(t, net, "alice", true)
	wait()
	laptop.stop()
	if err := phone.LeaveRoom(phone.ctx(), room.ID); err != nil {
		t.Fatal(err)
	}
	wait()
	if err := bob.AddMembers(bob.ctx(), room.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	wait()
	bob.send(room.ID, "back again?")
	return bob, phone, laptop, room.ID
}
