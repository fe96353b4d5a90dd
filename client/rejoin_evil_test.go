package client_test

import (
	"bytes"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestForgedRequests has the server put proposals into a room's log by which somebody would be added. Nobody takes them in: the
// room stays as it was and goes on.
func TestForgedRequests(t *testing.T) {
	for _, row := range []struct {
		name string
		// forge gives whose device makes the proposal, with the key of which room's group and epoch, and who is said to have sent it.
		forge func(bob, dave, mallory *person, room ident.RoomID, epoch uint64) (payload []byte, sender *person)
	}{
		{"a stranger, as itself", func(_, _, mallory *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			return mallory.OwnAdd(room, epoch), mallory
		}},
		{"a stranger, as a member", func(bob, _, mallory *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			return mallory.OwnAdd(room, epoch), bob
		}},
		{"who was removed", func(_, dave, _ *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			return dave.OwnAdd(room, epoch), dave
		}},
		{"who was removed, as a member", func(bob, dave, _ *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			return dave.OwnAdd(room, epoch), bob
		}},
		{"a member, as another one", func(bob, dave, mallory *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			return bob.OwnAdd(room, epoch), mallory
		}},
		{"a member, of a past epoch", func(bob, _, _ *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			return bob.OwnAdd(room, epoch-1), bob
		}},
		{"a member, of a coming epoch", func(bob, _, _ *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			return bob.OwnAdd(room, epoch+1), bob
		}},
		{"a member, for another room", func(bob, _, _ *person, _ ident.RoomID, epoch uint64) ([]byte, *person) {
			return bob.OwnAdd(ident.RoomID{1}, epoch), bob
		}},
		{"a request that is cut", func(bob, _, _ *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			payload := bob.OwnAdd(room, epoch)
			return payload[:len(payload)-1], bob
		}},
		{"a request that was changed", func(bob, _, _ *person, room ident.RoomID, epoch uint64) ([]byte, *person) {
			payload := bob.OwnAdd(room, epoch)
			payload[len(payload)/2] ^= 1
			return payload, bob
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, _, room := trio(t, net)
				dave, mallory := register(t, net, "dave", true), register(t, net, "mallory", true)
				for _, change := range []func() error{
					func() error { return alice.AddMembers(alice.ctx(), room, "dave") },
					func() error { return alice.RemoveMembers(alice.ctx(), room, "dave") },
				} {
					if err := change(); err != nil {
						t.Fatal(err)
					}
					wait()
				}
				before := alice.members(room)
				var epoch uint64
				net.Do(func(m *testkit.Model) { epoch = m.Epoch(room) })
				payload, sender := row.forge(bob, dave, mallory, room, epoch)
				as, _ := sender.Me()
				net.Do(func(m *testkit.Model) {
					m.Forge(room, as.Account, as.Device, wire.EntryKind_ENTRY_KIND_PROPOSAL, payload)
				})
				wait()
				var after uint64
				net.Do(func(m *testkit.Model) { after = m.Epoch(room) })
				if got := alice.members(room); after != epoch || !slices.Equal(got, before) {
					t.Errorf("epoch %d with %v, want %d with %v", after, got, epoch, before)
				}
				bob.healthy(room, alice)
			})
		})
	}
}

// TestReplayedRequest has the server say bob's request again: at once, after it was answered, and after bob has spoken.
// It gets nothing, bob's leaf stays.
func TestReplayedRequest(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, _, room := trio(t, net)
		alice.stop()
		bob = losesKeys(t, net, bob)
		wait()
		me, _ := bob.Me()
		var request []byte
		replay := func() {
			net.Do(func(m *testkit.Model) {
				m.Forge(room, me.Account, me.Device, wire.EntryKind_ENTRY_KIND_PROPOSAL, request)
			})
		}
		net.Do(func(m *testkit.Model) {
			for seq := uint64(1); request == nil; seq++ {
				if e := m.Entry(room, seq); e.Kind == wire.EntryKind_ENTRY_KIND_PROPOSAL {
					request = e.Payload
				}
			}
		})
		replay()
		alice = start(t, net, alice.disk, true)
		wait()
		var epoch uint64
		net.Do(func(m *testkit.Model) { epoch = m.Epoch(room) })
		replay()
		wait()
		net.Do(func(m *testkit.Model) {
			if now := m.Epoch(room); now != epoch {
				t.Errorf("epoch %d after the answered request was replayed, want %d", now, epoch)
			}
		})
		bob.healthy(room, alice)
		net.Do(func(m *testkit.Model) { epoch = m.Epoch(room) })
		replay()
		wait()
		net.Do(func(m *testkit.Model) {
			if now := m.Epoch(room); now != epoch {
				t.Errorf("epoch %d after an old request was replayed, want %d", now, epoch)
			}
		})
		bob.healthy(room, alice)
	})
}

// TestLookAlikeAnswer has the server answer bob's request itself, with a stranger's help: a group under the room's id in which a
// device of the stranger lets bob in by the very key package that he asks with. He refuses it, says so, and comes back when
// a member lets him in.
func TestLookAlikeAnswer(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, _, room := trio(t, net)
		bob.send(room, "before")
		wait()
		alice.stop() // nobody else may let him in
		random := &cuckoo{}
		mallory := startWith(t, net, testkit.NewDisk(), true, random)
		if _, err := mallory.Register(t.Context(), client.RegisterOptions{Handle: "mallory", Passphrase: passphrase, DeviceName: "m"}); err != nil {
			t.Fatal(err)
		}
		bob = losesKeys(t, net, bob)
		wait()
		me, _ := bob.Me()
		asked := client.AskedWith(bob.disk.Snapshot(), room)
		if asked == nil {
			t.Fatal("bob has not asked")
		}
		them, _ := mallory.Me()
		var real *testkit.HiddenRoom
		offered := false
		net.Do(func(m *testkit.Model) {
			real = m.Hide(room)
			m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
				if welcome := frame.GetWelcome(); welcome != nil && to == me.Device && bytes.Equal(welcome.Room, room[:]) {
					offered = true
					welcome.Seq += 100
				}
				if claimed := frame.GetKeyPackages(); claimed != nil && to == them.Device && len(claimed.KeyPackages) > 0 {
					claimed.KeyPackages[0].KeyPackage = asked
				}
				return []*wire.ServerFrame{frame}
			}
		})
		random.egg = room.Bytes()
		nest, err := mallory.CreateRoom(mallory.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err != nil || nest.ID != room {
			t.Fatalf("mallory made %v, %v, want a room with the id of another", nest.ID, err)
		}
		wait()
		if !offered {
			t.Fatal("the server did not hand out mallory's welcome")
		}
		r := bob.room(room)
		if !strings.Contains(r.Problem, "does not stand up to the checks") || !strings.Contains(r.Try, "sign out") || r.Members != 3 {
			t.Errorf("the room is %+v, want the three, a problem that says what was tried, and a way out", r)
		}
		net.Do(func(m *testkit.Model) { m.Tamper = nil; m.Unhide(real) })
		net.Cut(nil)
		alice = start(t, net, alice.disk, true)
		time.Sleep(3 * time.Minute) // the pause after an answer that was refused
		bob.healthy(room, alice)
		equal(t, bob.members(room), []string{"alice owner 1", "bob member 1", "carol member 1"})
	})
}

// TestRemovedWhileKeyless has alice remove bob while he cannot follow the room. He is not taken for removed on the server's word;
// he is told what it says, asks in vain, and leaves when he likes.
func TestRemovedWhileKeyless(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol, room := trio(t, net)
		bob.stop()
		if err := alice.RemoveMembers(alice.ctx(), room, "bob"); err != nil {
			t.Fatal(err)
		}
		alice.send(room, "without bob")
		bob = losesKeys(t, net, bob)
		wait()
		if r := bob.room(room); !r.Joined || r.Problem == "" || !strings.Contains(r.Try, "the server says") {
			t.Errorf("the room is %+v, want it joined, a problem, and what the server says", r)
		}
		if err := bob.LeaveRoom(bob.ctx(), room); err != nil {
			t.Errorf("leaving: %v", err)
		}
		if r := bob.room(room); r.Joined || r.Problem != "" {
			t.Errorf("the room is %+v, want it left", r)
		}
		equal(t, alice.members(room), []string{"alice owner 1", "carol member 1"})
		carol.healthy(room, alice)
	})
}

// TestRejoinAfterAClockAhead: a device that was refused while its clock was a year ahead asks again when the clock is right.
func TestRejoinAfterAClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := evil.Start(t)
		alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
		room := club(t, "garden", alice, bob)
		bob.stop()
		records := bob.disk.Snapshot()
		maps.DeleteFunc(records, func(key string, _ []byte) bool { return strings.HasPrefix(key, "group/") })
		bob.disk.Restore(records)
		asked := 0
		bob.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
			if f.GetSubmit().GetKind() != wire.EntryKind_ENTRY_KIND_PROPOSAL {
				return f, nil
			}
			asked++
			body := &wire.Error{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: "not now"}
			return nil, []*wire.ServerFrame{{Id: f.Id, Body: &wire.ServerFrame_Error{Error: body}}}
		})
		ahead := startConfig(t, bob.disk, client.Config{Transport: bob.line, Rand: rand.Reader,
			Now: func() time.Time { return time.Now().Add(365 * 24 * time.Hour) }})
		wait()
		ahead.stop()
		bob.line.Ask(nil)
		if asked == 0 {
			t.Fatal("the device has not asked")
		}
		bob = &target{startOver(t, bob.line, bob.disk, nil), bob.line}
		wait()
		talks(t, room, alice, bob)
	})
}
