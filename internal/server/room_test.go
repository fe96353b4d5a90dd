package server_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// manyRooms are more than a frame takes, by number.
func manyRooms() []server.Room {
	rooms := make([]server.Room, 60_000)
	for i := range rooms {
		r := server.Room{Kind: wire.RoomKind_ROOM_KIND_OPEN, Name: strings.Repeat("n", wire.MaxRoomName), Seq: 1 << 31, Members: 1000, CreatedAt: 1 << 41}
		binary.BigEndian.PutUint32(r.ID[:], uint32(i+1))
		rooms[i] = r
	}
	return rooms
}

// TestListRooms: a list of more rooms than a frame takes reaches clients that turn pages whole, and those that do not as
// far as a frame goes; before, the connection ended.
func TestListRooms(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	h.held.rooms = manyRooms()
	list := func(m *wire.ListRooms) *wire.Rooms {
		t.Helper()
		reply := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: m}})
		if size := reply.SizeVT(); size > wire.MaxFrame {
			t.Fatalf("the answer has %d bytes, more than a frame of %d", size, wire.MaxFrame)
		}
		if reply.GetRooms() == nil {
			t.Fatalf("answered with %v", reply)
		}
		return reply.GetRooms()
	}
	at := func(r *wire.Room) int { return int(binary.BigEndian.Uint32(r.Room)) }

	whole := list(&wire.ListRooms{})
	for i, r := range whole.Rooms {
		if at(r) != i+1 {
			t.Fatalf("room %d of the list is number %d", i+1, at(r))
		}
	}
	if n := len(whole.Rooms); n < 20_000 || n >= len(h.held.rooms) || len(whole.Next) > 0 {
		t.Errorf("at once %d rooms are listed, and the next are after %x", n, whole.Next)
	}
	seen := 0
	for after := []byte(nil); ; {
		page := list(&wire.ListRooms{After: after, Limit: 1 << 30})
		for _, r := range page.Rooms {
			if seen++; at(r) != seen {
				t.Fatalf("room %d of the pages is number %d", seen, at(r))
			}
		}
		if after = page.Next; len(after) == 0 {
			break
		}
	}
	if seen != len(h.held.rooms) {
		t.Errorf("the pages have %d rooms, want %d", seen, len(h.held.rooms))
	}
	alice.refused(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, &wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{After: []byte("short"), Limit: 1}}})
	h.held.rooms = []server.Room{{ID: ident.RoomID{1}, Kind: wire.RoomKind_ROOM_KIND_OPEN, Name: "one"}}
	if got := list(&wire.ListRooms{Limit: 1}); len(got.Rooms) != 1 || len(got.Next) > 0 {
		t.Errorf("a single room is listed as %v", got)
	}
}

// TestStrangersRooms: who lets somebody into rooms without end is told to stop, and the one it is about is reached by others
// and answers them.
func TestStrangersRooms(t *testing.T) {
	h := open(t)
	victim, mallory, friend := h.join(t, "victim"), h.join(t, "mallory"), h.join(t, "friend")
	letIn := func(by *peer) *wire.ClientFrame {
		return by.commit(by.room(), 0, []*wire.DeviceRef{victim.ref()}, nil)
	}
	for range server.MaxAdmissionsByStranger {
		mallory.acked(letIn(mallory))
	}
	e := mallory.refused(forbidden, letIn(mallory))
	if !strings.Contains(e.Message, "@victim") || e.Hint == "" {
		t.Errorf("the refusal is %q, hint %q", e.Message, e.Hint)
	}
	// Who asks to be let in is let in.
	room := mallory.room()
	if reply := victim.ask(knockRoom(room, "letter")); reply.GetDone() == nil {
		t.Fatalf("knocking: %v", reply)
	}
	mallory.acked(mallory.commit(room, 0, []*wire.DeviceRef{victim.ref()}, nil))
	mallory.refused(forbidden, letIn(mallory))

	friends := friend.room()
	friend.acked(friend.commit(friends, 0, []*wire.DeviceRef{victim.ref()}, nil))
	if reply := victim.ask(follow(friends, 0)); reply.GetDone() == nil {
		t.Fatalf("following a friend's room: %v", reply)
	}
	victim.acked(sealed(friends, 1, "there you are"))
}

// TestMovesLimit: commits let so many devices in and out in a time, of each account for itself.
func TestMovesLimit(t *testing.T) {
	h := open(t)
	h.clock.stop()
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	nobody := make([]*wire.DeviceRef, 1000)
	for i := range nobody {
		device := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i+1))
		nobody[i] = &wire.DeviceRef{Account: bob.device.Account[:], Device: device}
	}
	room := alice.room()
	for range 4 {
		alice.refused(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, alice.commit(room, 0, nil, nobody))
	}
	e := alice.refused(wire.ErrorCode_ERROR_CODE_RATE_LIMITED, alice.commit(room, 0, []*wire.DeviceRef{bob.ref()}, nil))
	if e.RetryAfterMs != 100 {
		t.Errorf("another try after %d ms, want 100", e.RetryAfterMs)
	}
	alice.acked(alice.commit(room, 0, nil, nil)) // which moves nobody
	bob.acked(bob.commit(bob.room(), 0, []*wire.DeviceRef{alice.ref()}, nil))
	h.clock.turn(100 * time.Millisecond)
	alice.acked(alice.commit(room, 1, []*wire.DeviceRef{bob.ref()}, nil))
}

// TestChainsLimit: the devices of an account are renamed so many times, as everybody around hears of each; what they hear is the
// chain, however long. A revocation never waits.
func TestChainsLimit(t *testing.T) {
	h := open(t)
	h.clock.stop()
	alice, who := h.joinPerson(t, "alice")
	friend := h.join(t, "friend")
	change := func(s ident.Statement) []byte {
		t.Helper()
		if err := who.chain.Append(who.identity, s, time.Unix(1_800_000_000, 0)); err != nil {
			t.Fatal(err)
		}
		return who.chain.Marshal()
	}
	rename := func(i int) *wire.ClientFrame {
		name := strings.Repeat("n", 60) + string(rune('a'+i))
		return &wire.ClientFrame{Body: &wire.ClientFrame_RenameDevice{RenameDevice: &wire.RenameDevice{
			Chain: change(ident.Rename{Device: alice.device.ID, Name: name})}}}
	}
	for i := range 20 {
		if reply := alice.ask(rename(i)); reply.GetDone() == nil {
			t.Fatalf("rename %d: %v", i, reply)
		}
	}
	chain := who.chain.Marshal()
	if len(chain) <= server.SharedSize {
		t.Fatalf("the chain has %d bytes, too few for this test", len(chain))
	}
	friend.event("the chain", func(f *wire.ServerFrame) bool {
		return bytes.Equal(f.GetChain().GetChain(), chain) && bytes.Equal(f.GetChain().GetAccount(), alice.device.Account[:])
	})
	late := rename(20)
	limited(t, alice.ask(late))
	h.clock.turn(time.Minute)
	if reply := alice.ask(late); reply.GetDone() == nil {
		t.Fatalf("a minute later: %v", reply)
	}
	longer := who.chain.Clone()
	if err := longer.Append(who.identity, ident.Rename{Device: alice.device.ID, Name: "later"}, h.clock.now()); err != nil {
		t.Fatal(err)
	}
	limited(t, alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_RenameDevice{RenameDevice: &wire.RenameDevice{Chain: longer.Marshal()}}}))
	revoked := &wire.ClientFrame{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{Chain: change(ident.Revoke{Device: alice.device.ID})}}}
	if reply := alice.ask(revoked); reply.GetDone() == nil {
		t.Errorf("a revocation is answered with %v", reply)
	}
}

// TestJoinsLimit: open rooms are joined and left so many times by an account, as all its connections hear of each.
func TestJoinsLimit(t *testing.T) {
	h := open(t)
	h.clock.stop()
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{Limit: 1}}}).GetRooms().Rooms[0].Room
	join := &wire.ClientFrame{Body: &wire.ClientFrame_JoinRoom{JoinRoom: &wire.JoinRoom{Room: room}}}
	leave := &wire.ClientFrame{Body: &wire.ClientFrame_LeaveRoom{LeaveRoom: &wire.LeaveRoom{Room: room}}}
	for i := range 50 {
		if reply := alice.ask(leave); reply.GetDone() == nil {
			t.Fatalf("leaving, time %d: %v", i, reply)
		}
		if reply := alice.ask(join); reply.GetRoom() == nil {
			t.Fatalf("joining, time %d: %v", i, reply)
		}
	}
	limited(t, alice.ask(leave))
	if bob.ask(leave).GetDone() == nil {
		t.Error("somebody else is limited")
	}
	if n := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListMembers{ListMembers: &wire.ListMembers{Room: room}}}).GetMembers(); len(n.GetMembers()) != 1 {
		t.Errorf("members are %v, want alice alone", n)
	}
}
