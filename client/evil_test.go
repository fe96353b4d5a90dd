package client_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// pair has alice and bob in a 1:1 room in which both have spoken.
func pair(t *testing.T, net *testkit.Net) (alice, bob *person, room ident.RoomID) {
	alice, bob = register(t, net, "alice", true), register(t, net, "bob", true)
	room, err := alice.Direct(alice.ctx(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	alice.send(room, "one")
	wait()
	bob.send(room, "two")
	wait()
	return alice, bob, room
}

// tamper has the server change the entries that it sends to bob, each in a copy.
func tamper(net *testkit.Net, bob *person, change func(*wire.Entries)) {
	me, _ := bob.Me()
	net.Do(func(m *testkit.Model) {
		m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
			entries := frame.GetEntries()
			if to != me.Device || entries == nil {
				return []*wire.ServerFrame{frame}
			}
			b, err := frame.MarshalVT()
			changed := new(wire.ServerFrame)
			if err != nil || changed.UnmarshalVT(b) != nil {
				return nil
			}
			change(changed.GetEntries())
			return []*wire.ServerFrame{changed}
		}
	})
}

// TestTamperedLog has the server tell bob another history than alice, in each way that it could. Bob's state stays as it
// was, and he is told; when the server tells the truth again, the room goes on.
func TestTamperedLog(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*wire.Entries)
	}{
		{"payload changed", func(e *wire.Entries) { e.Entries[0].Payload[len(e.Entries[0].Payload)-1] ^= 1 }},
		{"payload cut", func(e *wire.Entries) { e.Entries[0].Payload = e.Entries[0].Payload[:10] }},
		{"sender changed", func(e *wire.Entries) { e.Entries[0].Device[0] ^= 1 }},
		{"id changed", func(e *wire.Entries) { e.Entries[0].Id[0] ^= 1 }},
		{"time changed", func(e *wire.Entries) { e.Entries[0].At++ }},
		{"epoch changed", func(e *wire.Entries) { e.Entries[0].Epoch++ }},
		{"kind changed", func(e *wire.Entries) { e.Entries[0].Kind = wire.EntryKind_ENTRY_KIND_OPEN }},
		{"head changed", func(e *wire.Entries) { e.Entries[0].Head[0] ^= 1 }},
		{"head missing", func(e *wire.Entries) { e.Entries[0].Head = nil }},
		{"left out", func(e *wire.Entries) { e.Entries[0].Seq++ }},
		{"malformed sender", func(e *wire.Entries) { e.Entries[0].Device = []byte("short") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				before, err := bob.Room(bob.ctx(), room)
				if err != nil {
					t.Fatal(err)
				}
				keys := groupRecords(bob.disk)
				tamper(net, bob, row.change)
				alice.send(room, "three")
				wait()
				after, err := bob.Room(bob.ctx(), room)
				if err != nil || after.Problem == "" || after.Seq != before.Seq {
					t.Errorf("got %+v, %v, want seq %d and a problem", after, err, before.Seq)
				}
				if !bytes.Equal(keys, groupRecords(bob.disk)) {
					t.Error("the group's records have changed")
				}
				wantCode(t, "catching up", bob.CatchUp(bob.ctx(), room), client.Refused)
				tamper(net, bob, func(*wire.Entries) {})
				net.Cut(nil)
				wait()
				equal(t, bob.texts(room), []string{"alice: one", "bob: two", "alice: three"})
			})
		})
	}
}

// groupRecords gives everything that is stored of MLS groups.
func groupRecords(disk *testkit.Disk) []byte {
	var all []string
	for key, value := range disk.Snapshot() {
		if strings.HasPrefix(key, "group/") {
			all = append(all, key+string(value))
		}
	}
	slices.Sort(all)
	return []byte(strings.Join(all, "\n"))
}

// rechain makes the heads of entries right again after a change: a server that lies consistently.
func rechain(room ident.RoomID, prev []byte, entries []*wire.Entry) {
	head := ident.Hash(prev)
	for _, e := range entries {
		head = ident.NextHead(head, ident.LogEntry{Room: room, Seq: e.Seq, Kind: uint8(e.Kind), Sender: ident.DeviceID(e.Device),
			Message: ident.MessageID(e.Id), Epoch: e.Epoch, UnixMilli: uint64(e.At), Payload: ident.PayloadHash(e.Payload)})
		e.Head = head.Bytes()
	}
}

// TestConsistentLies has the server change a message and the heads with it. Bob shows a gap that says what is wrong, never
// a text that alice did not write, and the lie stands in his heads for good.
func TestConsistentLies(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(e *wire.Entry, earlier []byte)
		want   string
	}{
		{"payload changed", func(e *wire.Entry, _ []byte) { e.Payload[len(e.Payload)-1] ^= 1 }, "not decryptable"},
		{"payload cut", func(e *wire.Entry, _ []byte) { e.Payload = e.Payload[:20] }, "not decryptable"},
		{"replayed", func(e *wire.Entry, earlier []byte) { e.Payload = earlier }, "not decryptable"},
		{"sender changed", func(e *wire.Entry, _ []byte) { e.Device[0] ^= 1 }, "another device"},
		{"id changed", func(e *wire.Entry, _ []byte) { e.Id[0] ^= 1 }, "another message"},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				var head, earlier []byte
				tamper(net, bob, func(e *wire.Entries) {
					last := e.Entries[len(e.Entries)-1]
					head, earlier = last.Head, last.Payload
				})
				alice.send(room, "three")
				wait()
				tamper(net, bob, func(e *wire.Entries) {
					row.change(e.Entries[0], earlier)
					rechain(room, head, e.Entries)
				})
				alice.send(room, "four")
				wait()
				messages, err := bob.History(bob.ctx(), room, client.HistoryOptions{})
				if err != nil {
					t.Fatal(err)
				}
				last := messages[len(messages)-1]
				if last.Kind != client.Gap || !strings.Contains(last.Gap, row.want) {
					t.Errorf("got %+v, want a gap that says %q", last, row.want)
				}
				tamper(net, bob, func(*wire.Entries) {})
				alice.send(room, "five")
				wait()
				r, err := bob.Room(bob.ctx(), room)
				if err != nil || r.Problem == "" {
					t.Errorf("got %+v, %v, want a problem once the server is honest again", r, err)
				}
			})
		})
	}
}

// TestLyingAck has the server acknowledge another history to alice than it shows her.
func TestLyingAck(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, _, room := pair(t, net)
		me, _ := alice.Me()
		net.Do(func(m *testkit.Model) {
			m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
				if ack := frame.GetAck(); ack != nil && to == me.Device {
					ack = &wire.Ack{Seq: ack.Seq, At: ack.At, Head: bytes.Clone(ack.Head)}
					ack.Head[0] ^= 1
					return []*wire.ServerFrame{{Id: frame.Id, Body: &wire.ServerFrame_Ack{Ack: ack}}}
				}
				return []*wire.ServerFrame{frame}
			}
		})
		alice.Send(alice.ctx(), room, "three")
		wait()
		r, err := alice.Room(alice.ctx(), room)
		if err != nil || r.Problem == "" {
			t.Errorf("got %+v, %v, want a problem", r, err)
		}
	})
}

// TestGhostDevice has the server offer a device of its own as bob's.
func TestGhostDevice(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		mallory := register(t, net, "mallory", true)
		me, _ := alice.Me()
		them, _ := bob.Me()
		ghost, _ := mallory.Me()
		net.Do(func(m *testkit.Model) {
			m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
				claimed := frame.GetKeyPackages()
				if to != me.Device || claimed == nil || len(claimed.KeyPackages) == 0 {
					return []*wire.ServerFrame{frame}
				}
				forged := m.ClaimFor(ghost.Device)
				forged.Account, forged.Device = them.Account.Bytes(), them.Device.Bytes()
				body := &wire.KeyPackages{KeyPackages: []*wire.KeyPackage{forged}}
				return []*wire.ServerFrame{{Id: frame.Id, Body: &wire.ServerFrame_KeyPackages{KeyPackages: body}}}
			}
		})
		_, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "trap", Handles: []string{"bob"}})
		wantCode(t, "adding a ghost", err, client.Refused)
		if rooms, err := mallory.Rooms(mallory.ctx()); err != nil || len(rooms) > 0 {
			t.Errorf("mallory is in %v, %v", rooms, err)
		}
	})
}

// TestFalseChain has the server show bob an older chain of alice's than before.
func TestFalseChain(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, room := pair(t, net)
		phone := start(t, net, testkit.NewDisk(), true)
		var old []byte
		owner, _ := alice.Me()
		net.Do(func(m *testkit.Model) { old = m.Chain(owner.Account) })
		if _, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "alice", Passphrase: passphrase, DeviceName: "phone"}); err != nil {
			t.Fatal(err)
		}
		wait()
		me, _ := bob.Me()
		net.Do(func(m *testkit.Model) {
			m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
				if chains := frame.GetChains(); chains != nil && to == me.Device {
					body := &wire.Chains{Chains: []*wire.AccountChain{{Account: owner.Account.Bytes(), Chain: old}}}
					return []*wire.ServerFrame{{Id: frame.Id, Body: &wire.ServerFrame_Chains{Chains: body}}}
				}
				return []*wire.ServerFrame{frame}
			}
		})
		net.Cut(nil)
		time.Sleep(time.Minute)
		r, err := bob.Room(bob.ctx(), room)
		if err != nil || !strings.Contains(r.Problem, "rollback") {
			t.Errorf("got %+v, %v, want a problem that says rollback", r, err)
		}
		if got := bob.members(room); fmt.Sprint(got) != "[alice owner 2 bob member 1]" {
			t.Errorf("got %v", got)
		}
	})
}

// TestRemovedMemberReadsNothing shows that a removed member's keys, even of just before, read nothing that comes after.
func TestRemovedMemberReadsNothing(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		bob, carol := register(t, net, "bob", true), register(t, net, "carol", true)
		room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "three", Handles: []string{"bob", "carol"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		alice.send(room.ID, "all of us")
		wait()
		bob.stop() // with all keys of the room in its store
		if err := alice.RemoveMembers(alice.ctx(), room.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		alice.send(room.ID, "without bob")
		net.Do(func(m *testkit.Model) { m.LetIn(room.ID, "bob") }) // the server hands everything to bob
		again := start(t, net, bob.disk, true)
		wait()
		messages, err := again.History(again.ctx(), room.ID, client.HistoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if m.Text == "without bob" {
				t.Error("bob reads on")
			}
		}
		equal(t, carol.texts(room.ID), []string{"alice: all of us", "alice: without bob"})
	})
}

// cuckoo is randomness whose next 16 bytes somebody has chosen.
type cuckoo struct{ egg []byte }

func (c *cuckoo) Read(b []byte) (int, error) {
	if len(b) == len(c.egg) {
		n := copy(b, c.egg)
		c.egg = nil
		return n, nil
	}
	return rand.Read(b)
}

// TestCuckooRoom has the server and a stranger together put a group of the stranger's in the place of a room: same id,
// further on in its epochs, all its devices enrolled as they should be. Who is in the room keeps the group that they had,
// and says nothing to the stranger.
func TestCuckooRoom(t *testing.T) {
	for _, direct := range []bool{true, false} {
		t.Run(fmt.Sprintf("direct=%v", direct), func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) { cuckooRoom(t, net, direct) })
		})
	}
}

func cuckooRoom(t *testing.T, net *testkit.Net, direct bool) {
	alice, _, room := pair(t, net)
	if !direct {
		made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		room = made.ID
		wait()
	}
	random := &cuckoo{}
	mallory := startWith(t, net, testkit.NewDisk(), true, random)
	if _, err := mallory.Register(t.Context(), client.RegisterOptions{Handle: "mallory", Passphrase: passphrase, DeviceName: "m"}); err != nil {
		t.Fatal(err)
	}
	register(t, net, "carol", true)
	before, err := alice.Members(alice.ctx(), room)
	if err != nil {
		t.Fatal(err)
	}
	keys := groupRecords(alice.disk)
	offered := false
	net.Do(func(m *testkit.Model) {
		m.Forget(room)
		m.Tamper = func(_ ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
			if welcome := frame.GetWelcome(); welcome != nil && bytes.Equal(welcome.Room, room[:]) {
				offered = true
				welcome.Seq += 100
			}
			return []*wire.ServerFrame{frame}
		}
	})
	random.egg = room.Bytes()
	nest, err := mallory.CreateRoom(mallory.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"carol"}})
	if err != nil || nest.ID != room {
		t.Fatalf("mallory made %v, %v, want a room with the id of another", nest.ID, err)
	}
	for range 3 { // on to later epochs than the real room has seen
		if err := mallory.RemoveMembers(mallory.ctx(), room, "carol"); err != nil {
			t.Fatal(err)
		}
		if err := mallory.AddMembers(mallory.ctx(), room, "carol"); err != nil {
			t.Fatal(err)
		}
	}
	if err := mallory.AddMembers(mallory.ctx(), room, "alice"); err != nil {
		t.Fatal(err)
	}
	wait()
	if !offered {
		t.Fatal("the server did not hand out mallory's welcome")
	}
	after, err := alice.Members(alice.ctx(), room)
	if err != nil || !slices.Equal(after, before) {
		t.Errorf("the room has %v, %v, want %v as before", after, err, before)
	}
	if !bytes.Equal(groupRecords(alice.disk), keys) {
		t.Error("alice's group has changed")
	}
	if r, err := alice.Room(alice.ctx(), room); err != nil || r.Problem == "" {
		t.Errorf("the room is %+v, %v, want a problem that says what was tried", r, err)
	}
}

// TestOpenReplay has the server show bob a message of an open room a second time, with the signature that alice made once
// and heads that add up. He sees it once, and is told of the other.
func TestOpenReplay(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "square", Open: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := bob.JoinRoom(bob.ctx(), made.ID); err != nil {
			t.Fatal(err)
		}
		wait()
		tamper(net, bob, func(e *wire.Entries) {
			again := *e.Entries[0]
			again.Seq++
			rechain(made.ID, e.Entries[0].Head, []*wire.Entry{&again})
			e.Entries = append(e.Entries[:1], &again)
		})
		alice.send(made.ID, "I sell the bicycle")
		wait()
		equal(t, bob.texts(made.ID), []string{"alice: I sell the bicycle", "gap: it was said before, and the server shows it again"})
	})
}
