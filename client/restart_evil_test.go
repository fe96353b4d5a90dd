package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// TestRestartByAnOldHead: to a device that has seen nothing the server shows old recovery data. The room has an old name,
// and no more is won: a device that was revoked since is not in it, nor does an invite that was withdrawn let anybody in.
func TestRestartByAnOldHead(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, room := alone(t, net)
		stolen := newDevice(t, net, "alice", true)
		thief := stolen.device()
		made := alice.invite(room, client.RoomInviteOptions{})
		wait()
		old := archiveOf(net, "alice")
		name := "journal"
		if err := alice.ChangeRoom(alice.ctx(), room, client.RoomSettings{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if err := alice.RevokeRoomInvite(alice.ctx(), room, made.ID); err != nil {
			t.Fatal(err)
		}
		if err := alice.RevokeDevice(alice.ctx(), thief); err != nil {
			t.Fatal(err)
		}
		wait()
		alice.stop()
		net.Do(func(m *testkit.Model) { *m.Archive("alice") = old })
		phone := newDevice(t, net, "alice", true)
		time.Sleep(2 * time.Minute)
		wantBack(t, phone, room, "alice: one", "alice: two", gapComing) // the head says nothing of what was last
		if notices := phone.notices(room); !slices.Contains(notices, begunAnew+"; invites of before are not good any more") {
			t.Errorf("the notices are %q", notices)
		}
		if invites, err := phone.RoomInvites(phone.ctx(), room); err != nil || len(invites) != 0 {
			t.Errorf("the room has %d invites, %v, want none", len(invites), err)
		}
		net.Do(func(m *testkit.Model) {
			if slices.Contains(m.Devices(room), thief) {
				t.Error("the revoked device is in the room")
			}
		})
	})
}

// TestRestartOfNothing: the server lists a room that never was, or withholds the recovery data: no room is made of that.
func TestRestartOfNothing(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, room := alone(t, net)
		if err := alice.Logout(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		madeUp := ident.RoomID{7}
		net.Do(func(m *testkit.Model) {
			*m.Archive("alice") = testkit.ModelArchive{}
			m.Tamper = func(_ ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
				if rooms := frame.GetRooms(); rooms != nil {
					head := ident.EmptyHead(madeUp)
					rooms.Rooms = append(rooms.Rooms, &wire.Room{Room: madeUp.Bytes(), Kind: wire.RoomKind_ROOM_KIND_SEALED, Members: 1, Head: head[:]})
				}
				return []*wire.ServerFrame{frame}
			}
		})
		length := len(logOf(net, room))
		phone := newDevice(t, net, "alice", true)
		time.Sleep(2 * time.Minute)
		rooms, err := phone.Rooms(phone.ctx())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range rooms {
			if (v.ID == room || v.ID == madeUp) && (v.Joined || !v.Outside) {
				t.Errorf("the device is in a room %+v", v)
			}
		}
		if log := logOf(net, room); len(log) != length {
			t.Errorf("the log has %d more entries", len(log)-length)
		}
	})
}

// TestRestartOfASharedRoom: recovery data of the time before others came are of no use where they are there: an honest server
// refuses, and they let the new device in. An evil server takes it all the same, and keeps the others from it: the device is
// in a room of its own, the others stay in theirs, and nobody reads what the other side says.
func TestRestartOfASharedRoom(t *testing.T) {
	for _, row := range []struct {
		name string
		evil bool
	}{{"honest", false}, {"evil", true}} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, room := alone(t, net)
				old := archiveOf(net, "alice")
				bob := register(t, net, "bob", true)
				if err := alice.AddMembers(alice.ctx(), room, "bob"); err != nil {
					t.Fatal(err)
				}
				wait()
				bob.accept(room)
				bob.send(room, "hello")
				wait()
				alice.stop()
				bob.stop()
				net.Do(func(m *testkit.Model) {
					*m.Archive("alice") = old
					if row.evil {
						m.PutOut(room, "bob")
					}
				})
				phone := newDevice(t, net, "alice", true)
				time.Sleep(2 * time.Minute)
				if row.evil {
					if v := phone.room(room); !v.Joined || v.Members != 1 {
						t.Fatalf("the new device has %+v, want a room of its own", v)
					}
					phone.send(room, "for me alone")
					net.Do(func(m *testkit.Model) { m.LetIn(room, "bob") })
				}
				bob = start(t, net, bob.disk, true)
				wait()
				v := bob.room(room)
				if v.Members != 2 || row.evil != strings.Contains(v.Problem, "begin the room anew") {
					t.Fatalf("bob has %+v", v)
				}
				if row.evil {
					if got := bob.history(room, client.HistoryOptions{}); slices.Contains(got, "alice: for me alone") {
						t.Errorf("bob reads %q", got)
					}
					return
				}
				phone.send(room, "here I am")
				if got := bob.texts(room); got[len(got)-1] != "alice: here I am" {
					t.Errorf("bob reads %q", got)
				}
			})
		})
	}
}

// TestForgedRestart: the server has a device begin a room anew that has not: the log stops there, and the room is what it
// was.
func TestForgedRestart(t *testing.T) {
	for _, row := range []struct {
		name    string
		payload func(room ident.RoomID) []byte
	}{
		{"garbage", func(ident.RoomID) []byte { return []byte("garbage") }},
		{"no signature", func(ident.RoomID) []byte {
			b, _ := (&wire.RestartPayload{Statements: 2}).MarshalVT()
			return b
		}},
		{"signed by another key", func(room ident.RoomID) []byte {
			key, err := ident.NewDeviceKey(ident.Random())
			if err != nil {
				panic(err)
			}
			b, _ := (&wire.RestartPayload{Statements: 2, Signature: ident.SignRestart(key, &ident.Restart{Room: room, Statements: 2})}).MarshalVT()
			return b
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, room := alone(t, net)
				phone := newDevice(t, net, "alice", true)
				me, _ := phone.Me()
				net.Do(func(m *testkit.Model) {
					m.Forge(room, me.Account, me.Device, wire.EntryKind_ENTRY_KIND_RESTART, row.payload(room))
				})
				net.Cut(nil)
				wait()
				if v := alice.room(room); !v.Joined || v.Name != "diary" || !strings.Contains(v.Problem, "began the room anew, which it has not") {
					t.Errorf("the room is %+v", v)
				}
			})
		})
	}
}
