package testkit

import (
	"bytes"
	"slices"
	"sort"

	"snug/internal/ident"
	"snug/internal/wire"
)

type modelRoom struct {
	id      ident.RoomID
	kind    wire.RoomKind
	name    string
	direct  [][]byte
	creator ident.DeviceID
	epoch   uint64
	entries []*wire.Entry
	members []*modelMember
	acks    map[string]*modelAck
	turns   []*modelTurn
}

// modelMember is a device of a sealed room, or an account of an open one.
type modelMember struct {
	account *modelAccount
	device  ident.DeviceID
	since   uint64 // entries after it are handed out
	until   uint64 // up to it; 0 while the member is in
	welcome *wire.WelcomeEvent
}

type modelAck struct {
	submit []byte
	ack    *wire.Ack
}

func (m *Model) room(id []byte) *modelRoom {
	for _, r := range m.rooms {
		if bytes.Equal(r.id[:], id) {
			return r
		}
	}
	return nil
}

func (r *modelRoom) seq() uint64 { return uint64(len(r.entries)) }

func (r *modelRoom) head() ident.Hash {
	if len(r.entries) == 0 {
		return ident.EmptyHead(r.id)
	}
	return ident.Hash(r.entries[len(r.entries)-1].Head)
}

// member gives the session's membership: the newest one of its device, or its account's in an open room.
func (r *modelRoom) member(s *Session) *modelMember {
	for i := len(r.members) - 1; i >= 0; i-- {
		m := r.members[i]
		if m.account == s.account && (r.kind == wire.RoomKind_ROOM_KIND_OPEN || m.device == s.device) {
			return m
		}
	}
	return nil
}

func (m *Model) shareRoom(a, b *modelAccount) bool {
	for _, r := range m.rooms {
		var hasA, hasB bool
		for _, member := range r.members {
			hasA = hasA || member.account == a && member.until == 0
			hasB = hasB || member.account == b && member.until == 0
		}
		if hasA && hasB {
			return true
		}
	}
	return false
}

// view gives the room as the session may see it.
func (r *modelRoom) view(s *Session) *wire.Room {
	accounts := make(map[*modelAccount]bool)
	for _, m := range r.members {
		if m.until == 0 {
			accounts[m.account] = true
		}
	}
	head := r.head()
	v := &wire.Room{Room: r.id.Bytes(), Kind: r.kind, Name: r.name, Seq: r.seq(), Head: head[:], Epoch: r.epoch,
		Direct: r.direct, Members: uint32(len(accounts))}
	if m := r.member(s); m != nil {
		v.Joined, v.SinceSeq = m.until == 0, m.since
		if m.until > 0 {
			v.Seq = m.until
			v.Head = r.entries[m.until-1].Head
		}
	}
	return v
}

func (s *Session) createRoom(c *wire.CreateRoom) *wire.ServerFrame {
	if r := s.model.room(c.Room); r != nil {
		if r.creator != s.device {
			return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "the room exists")
		}
		return &wire.ServerFrame{Body: &wire.ServerFrame_Room{Room: r.view(s)}}
	}
	id, err := ident.RoomIDFromBytes(c.Room)
	if err != nil {
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "a room's id has 16 bytes")
	}
	r := &modelRoom{id: id, kind: c.Kind, name: c.Name, creator: s.device, acks: make(map[string]*modelAck)}
	if len(c.DirectWith) > 0 {
		r.direct = [][]byte{s.account.id(), c.DirectWith}
		sort.Slice(r.direct, func(i, j int) bool { return bytes.Compare(r.direct[i], r.direct[j]) < 0 })
	}
	for _, other := range s.model.rooms {
		if len(r.direct) > 0 && len(other.direct) > 0 && bytes.Equal(bytes.Join(r.direct, nil), bytes.Join(other.direct, nil)) ||
			r.kind == wire.RoomKind_ROOM_KIND_OPEN && other.name == r.name {
			return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "the room exists")
		}
	}
	r.members = []*modelMember{{account: s.account, device: s.device}}
	s.model.rooms = append(s.model.rooms, r)
	return &wire.ServerFrame{Body: &wire.ServerFrame_Room{Room: r.view(s)}}
}

// modelPage is how many rooms the model lists at once: few, so that clients turn pages.
const modelPage = 3

func (s *Session) listRooms(l *wire.ListRooms) *wire.ServerFrame {
	rooms := new(wire.Rooms)
	for _, r := range s.model.rooms {
		mine := r.kind == wire.RoomKind_ROOM_KIND_OPEN || containsBytes(r.direct, s.account.id())
		for _, m := range r.members {
			mine = mine || m.account == s.account
		}
		if mine && (l.Limit == 0 || bytes.Compare(r.id[:], l.After) > 0) {
			rooms.Rooms = append(rooms.Rooms, r.view(s))
		}
	}
	if limit := int(min(l.Limit, modelPage)); limit > 0 && len(rooms.Rooms) > limit {
		sort.Slice(rooms.Rooms, func(i, j int) bool { return bytes.Compare(rooms.Rooms[i].Room, rooms.Rooms[j].Room) < 0 })
		rooms.Rooms = rooms.Rooms[:limit]
		rooms.Next = rooms.Rooms[limit-1].Room
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Rooms{Rooms: rooms}}
}

func (s *Session) joinRoom(j *wire.JoinRoom) *wire.ServerFrame {
	r := s.model.room(j.Room)
	if r == nil || r.kind != wire.RoomKind_ROOM_KIND_OPEN {
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such open room")
	}
	if m := r.member(s); m == nil || m.until > 0 {
		r.members = append(r.members, &modelMember{account: s.account})
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Room{Room: r.view(s)}}
}

func (s *Session) leaveRoom(l *wire.LeaveRoom) *wire.ServerFrame {
	r := s.model.room(l.Room)
	if r == nil || r.member(s) == nil {
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such room")
	}
	r.members = slices.DeleteFunc(r.members, func(m *modelMember) bool {
		return m.account == s.account && (r.kind == wire.RoomKind_ROOM_KIND_OPEN || m.device == s.device)
	})
	return modelDone()
}

func (s *Session) listMembers(l *wire.ListMembers) *wire.ServerFrame {
	r := s.model.room(l.Room)
	if r == nil {
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such room")
	}
	members := new(wire.Members)
	for _, m := range r.members {
		if m.until == 0 {
			members.Members = append(members.Members, &wire.Member{Account: m.account.id(), Handle: m.account.chain.Handle().String()})
		}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Members{Members: members}}
}

// Devices gives the devices that are in a sealed room.
func (m *Model) Devices(room ident.RoomID) (devices []ident.DeviceID) {
	for _, member := range m.room(room[:]).members {
		if member.until == 0 {
			devices = append(devices, member.device)
		}
	}
	return devices
}

// Rooms gives the ids of all rooms.
func (m *Model) Rooms() (ids []ident.RoomID) {
	for _, r := range m.rooms {
		ids = append(ids, r.id)
	}
	return ids
}

// Log gives what the server has of a room.
func (m *Model) Log(room ident.RoomID) []*wire.Entry { return m.room(room[:]).entries }
