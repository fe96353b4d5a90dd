package server_test

import (
	"encoding/binary"
	"strings"
	"testing"

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
