package client_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/testkit"
)

// TestArchiveLostKeys: what a device has passed without keys it reads in the archive, when another device of the account has
// it; its own gaps are archived for nobody.
func TestArchiveLostKeys(t *testing.T) {
	for _, row := range []struct {
		name   string
		damage func(map[string][]byte)
	}{
		{"of the keys", func(records map[string][]byte) {
			maps.DeleteFunc(records, func(key string, _ []byte) bool { return strings.HasPrefix(key, "group/") })
		}},
		{"of the room", func(records map[string][]byte) {
			for key, value := range records {
				if strings.HasPrefix(key, "room/") {
					records[key] = value[:len(value)/2]
				}
			}
		}},
		{"of what is archived", func(records map[string][]byte) {
			for key, value := range records {
				if strings.HasPrefix(key, "archive") {
					records[key] = value[:len(value)/2]
				}
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				phone := newDevice(t, net, "bob", true)
				alice.send(room, "three")
				time.Sleep(5 * time.Minute)
				bob.stop()
				phone.stop()
				alice.send(room, "four")
				alice.stop() // nobody lets it in
				phone = reopens(t, net, phone, row.damage)
				time.Sleep(5 * time.Minute)
				bob = start(t, net, bob.disk, true) // the account's other device does
				wait()
				want := []string{"alice: one", "bob: two", "alice: three", "alice: four"}
				equal(t, bob.texts(room), want)
				time.Sleep(5 * time.Minute)
				equal(t, phone.texts(room), want)
				equal(t, newDevice(t, net, "bob", true).texts(room), want)
				if a := phone.archive(); a.Problem != "" {
					t.Errorf("the archive has a problem: %s", a.Problem)
				}
				if r := phone.room(room); r.Problem != "" {
					t.Errorf("the room has a problem: %s", r.Problem)
				}
			})
		})
	}
}

// TestArchiveOfAnotherStay: a device that has gone out of a room with its account leaves alone what another one archives of it since the
// account is in again, the switch too.
func TestArchiveOfAnotherStay(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		garden, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		room := garden.ID
		alice.send(room, "apples")
		time.Sleep(5 * time.Minute)
		if err := bob.LeaveRoom(bob.ctx(), room); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		me, _ := bob.Me()
		net.Do(func(m *testkit.Model) { m.Bare(me.Device) }) // so that it stays outside
		phone := newDevice(t, net, "bob", true)
		if err := alice.AddMembers(alice.ctx(), room, "bob"); err != nil {
			t.Fatal(err)
		}
		alice.send(room, "pears")
		time.Sleep(2 * archivePause)
		if bob.room(room).Joined || !phone.room(room).Joined {
			t.Fatal("the old device is in the room, or the new one is not")
		}
		was := archiveOf(net, "bob").Revision
		if got := len(archiveOf(net, "bob").Chunks[room]); got != 1 {
			t.Errorf("%d chunks are archived of the new stay, want 1", got)
		}
		time.Sleep(2 * archivePause)
		if now := archiveOf(net, "bob").Revision; now != was {
			t.Errorf("the archive has changed from revision %d to %d, and nobody has said anything", was, now)
		}
		if err := phone.SetRoomArchive(phone.ctx(), room, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * archivePause)
		if v, err := phone.Archive(phone.ctx()); err != nil || len(v.Off) != 1 {
			t.Errorf("the archive is %+v, %v, want the room left out of it", v, err)
		}
	})
}

// archivePause is how long a device waits before it tries to change the archive of a room again.
const archivePause = 10 * time.Minute
