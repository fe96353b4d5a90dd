package client_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// TestParting counts what goes with the only device, and says that nothing does while there is another one.
func TestParting(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		register(t, net, "bob", true)
		diary, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "diary"})
		if err != nil {
			t.Fatal(err)
		}
		den, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "den", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		archived := func() {
			time.Sleep(2 * time.Minute) // more than the archive waits for somebody to go on
			synctest.Wait()
		}
		want := func(when string, want client.Parting) {
			t.Helper()
			if got, err := alice.Parting(alice.ctx()); got != want || err != nil {
				t.Errorf("%s: got %+v, %v, want %+v", when, got, err, want)
			}
		}
		archived()
		if err := alice.SetRoomArchive(alice.ctx(), diary.ID, false); err != nil {
			t.Fatal(err)
		}
		alice.send(diary.ID, "for my eyes")
		alice.send(den.ID, "hello")
		want("nothing archived", client.Parting{Last: true, Rooms: 2, Alone: 1, Unarchived: 2})
		archived()
		want("den archived", client.Parting{Last: true, Rooms: 2, Alone: 1, Unarchived: 1})
		phone := signedIn(t, start(t, net, testkit.NewDisk(), true), "alice")
		archived()
		want("with a phone", client.Parting{Rooms: 2, Alone: 1, Unarchived: 1})
		if err := phone.Logout(phone.ctx()); err != nil {
			t.Fatal(err)
		}
		archived()
		if err := alice.SetArchive(alice.ctx(), false); err != nil {
			t.Fatal(err)
		}
		want("the archive off", client.Parting{Last: true, Rooms: 2, Alone: 1, Unarchived: 2})
		net.Cut(errors.New("no network"))
		for _, room := range []ident.RoomID{diary.ID, den.ID} {
			if _, err := alice.Post(alice.ctx(), room, "later"); err != nil {
				t.Fatal(err)
			}
		}
		want("without a network", client.Parting{Last: true, Rooms: 2, Alone: 1, Unarchived: 2, Unsent: 2})
		net.Cut(nil)
		wait()
		want("all sent", client.Parting{Last: true, Rooms: 2, Alone: 1, Unarchived: 2})
	})
}
