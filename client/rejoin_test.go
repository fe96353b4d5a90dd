package client_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// losesKeys starts bob anew on a store without the keys of any room.
func losesKeys(t *testing.T, net *testkit.Net, bob *person) *person {
	t.Helper()
	bob.stop()
	records := bob.disk.Snapshot()
	before := len(records)
	maps.DeleteFunc(records, func(key string, _ []byte) bool { return strings.HasPrefix(key, "group/") })
	if len(records) == before {
		t.Fatal("bob has no keys to lose")
	}
	bob.disk.Restore(records)
	return start(t, net, bob.disk, true)
}

// TestLostKeys has bob's store lose the keys of a room. Whatever happens in the room then, bob's client goes on, says what
// has happened and what to do; and that helps.
func TestLostKeys(t *testing.T) {
	for _, row := range []struct {
		name string
		then func(t *testing.T, alice, bob *person, room ident.RoomID)
	}{
		{"nothing", func(*testing.T, *person, *person, ident.RoomID) {}},
		{"others write", func(_ *testing.T, alice, _ *person, room ident.RoomID) { alice.send(room, "are you there?") }},
		{"removed and added", func(t *testing.T, alice, _ *person, room ident.RoomID) {
			if err := alice.RemoveMembers(alice.ctx(), room, "bob"); err != nil {
				t.Fatal(err)
			}
			if err := alice.AddMembers(alice.ctx(), room, "bob"); err != nil {
				t.Fatal(err)
			}
		}},
		{"leaving", func(t *testing.T, _, bob *person, room ident.RoomID) {
			refusedAs(t, bob.LeaveRoom(bob.ctx(), room), client.Failed)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
				made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
				if err != nil {
					t.Fatal(err)
				}
				wait()
				bob = losesKeys(t, net, bob)
				wait()
				row.then(t, alice, bob, made.ID)
				wait()
				if r := bob.room(made.ID); r.Problem == "" || !strings.Contains(r.Try, "sign out") {
					t.Errorf("the room has the problem %q, try %q, want both, and to sign out", r.Problem, r.Try)
				}
				if err := bob.Logout(bob.ctx()); err != nil {
					t.Fatal(err)
				}
				bob.stop()
				bob = start(t, net, bob.disk, true)
				if err := bob.login("bob", passphrase); err != nil {
					t.Fatal(err)
				}
				wait()
				alice.send(made.ID, "welcome back")
				wait()
				if texts := bob.texts(made.ID); !slices.Contains(texts, "alice: welcome back") {
					t.Errorf("bob reads %v, want what alice says", texts)
				}
				if r := bob.room(made.ID); r.Problem != "" || r.Try != "" {
					t.Errorf("the room has the problem %q, try %q, want none", r.Problem, r.Try)
				}
			})
		})
	}
}
