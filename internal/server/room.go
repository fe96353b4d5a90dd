package server

import (
	"context"
	"math"
	"unicode/utf8"

	"snug/internal/ident"
	"snug/internal/wire"
)

// NewRoom is a room to be made.
type NewRoom struct {
	ID   ident.RoomID
	Kind wire.RoomKind
	// Name is an open room's.
	Name string
	// Direct is the other account of a 1:1 room, else zero.
	Direct ident.AccountID
	// By is the device that makes it; zero for the room of the first start.
	By ident.DeviceID
	// Everyone makes every account a member, those of today and those to come.
	Everyone bool
	// At is now, in ms.
	At int64
}

// Room is a room as one device sees it.
type Room struct {
	ID        ident.RoomID
	Kind      wire.RoomKind
	Name      string
	Seq       uint64
	Head      ident.Hash
	Epoch     uint64
	Joined    bool
	Since     uint64
	Direct    []ident.AccountID // none or two, in order
	Members   uint32
	CreatedAt int64
}

// NoEnd is Access.Until of a device that is in the room.
const NoEnd = math.MaxUint64

// Access is what of a room's log a device may read: Since <= seq <= Until.
type Access struct {
	Since, Until uint64
	// Kind is the room's.
	Kind wire.RoomKind
	// Seq is the log's end when this was found out: what later commits say is not in
	// it.
	Seq uint64
}

// wire gives the room as the protocol shows it.
func (r *Room) wire() *wire.Room {
	m := &wire.Room{
		Room: r.ID[:], Kind: r.Kind, Name: r.Name, Seq: r.Seq, Head: r.Head[:], Epoch: r.Epoch, Joined: r.Joined,
		SinceSeq: r.Since, Members: r.Members, CreatedAt: r.CreatedAt,
	}
	for _, account := range r.Direct {
		m.Direct = append(m.Direct, account[:])
	}
	return m
}

func (r *Room) frame() *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Room{Room: r.wire()}}
}

func (n *session) createRoom(ctx context.Context, m *wire.CreateRoom) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	r := NewRoom{Kind: m.Kind, Name: m.Name, By: d.ID, At: n.server.now()}
	if r.ID, err = ident.RoomIDFromBytes(m.Room); err != nil {
		return nil, errBadRoomID
	}
	if err := checkRoom(m); err != nil {
		return nil, err
	}
	if len(m.DirectWith) > 0 {
		if r.Direct, err = ident.AccountIDFromBytes(m.DirectWith); err != nil {
			return nil, errBadAccount
		}
	}
	limit := n.server.limits.rooms
	if m.Kind == wire.RoomKind_ROOM_KIND_OPEN {
		limit = n.server.limits.openRooms
	}
	if err := limit.take(d.Account); err != nil {
		return nil, err
	}
	room, err := n.server.Store.CreateRoom(ctx, r)
	if err != nil {
		return nil, err
	}
	n.server.crier.tell(func(ctx context.Context) { n.server.announceRoom(ctx, &room, d.Account, n) })
	return room.frame(), nil
}

func checkRoom(m *wire.CreateRoom) error {
	open := m.Kind == wire.RoomKind_ROOM_KIND_OPEN
	switch {
	case !open && m.Kind != wire.RoomKind_ROOM_KIND_SEALED:
		return badRequest("a room is sealed or open")
	case open && (len(m.DirectWith) > 0 || len(m.Name) == 0 || len(m.Name) > wire.MaxRoomName || !utf8.ValidString(m.Name)):
		return badRequest("an open room has a name of 1 to 64 bytes")
	case !open && m.Name != "":
		return badRequest("a sealed room's name belongs inside it")
	}
	return nil
}

// announceRoom tells of a room that appeared: its own accounts, or everybody.
func (s *Server) announceRoom(ctx context.Context, r *Room, by ident.AccountID, but *session) {
	if r.Kind == wire.RoomKind_ROOM_KIND_OPEN {
		for _, n := range s.registry.sessions() {
			n.tellRoom(ctx, r.ID, but)
		}
		return
	}
	accounts := map[ident.AccountID]bool{by: true}
	for _, account := range r.Direct {
		accounts[account] = true
	}
	for account := range accounts {
		for _, n := range s.registry.of(account) {
			n.tellRoom(ctx, r.ID, but)
		}
	}
}

// tellRoom tells an account's devices what they see of a room now.
func (s *Server) tellRoom(ctx context.Context, room ident.RoomID, account ident.AccountID) {
	for _, n := range s.registry.of(account) {
		n.tellRoom(ctx, room, nil)
	}
}

func (n *session) tellRoom(ctx context.Context, room ident.RoomID, but *session) {
	d := n.device.Load()
	if d == nil || n == but {
		return
	}
	r, err := n.server.Store.Room(ctx, room, d.ID)
	if err != nil {
		return // gone for this device, which finds out when it asks
	}
	n.event(&wire.ServerFrame{Body: &wire.ServerFrame_RoomChanged{RoomChanged: &wire.RoomEvent{Room: r.wire()}}})
}

func (n *session) listRooms(ctx context.Context, m *wire.ListRooms) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	if m.Limit == 0 {
		return n.listAtOnce(ctx, d)
	}
	var after ident.RoomID
	if len(m.After) > 0 {
		if after, err = ident.RoomIDFromBytes(m.After); err != nil {
			return nil, errBadRoomID
		}
	}
	rooms, next, err := n.server.Store.Rooms(ctx, d.ID, after, page(m.Limit, wire.MaxPage))
	if err != nil {
		return nil, err
	}
	reply := &wire.Rooms{Rooms: make([]*wire.Room, len(rooms))}
	for i := range rooms {
		reply.Rooms[i] = rooms[i].wire()
	}
	if !next.IsZero() {
		reply.Next = next[:]
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Rooms{Rooms: reply}}, nil
}

// listAtOnce is for clients that know of no pages: it lists what a frame takes.
func (n *session) listAtOnce(ctx context.Context, d *Device) (*wire.ServerFrame, error) {
	const roomy = wire.MaxFrame - 64 // for what stands around the list
	reply := &wire.Rooms{}
	size := 0
	for after := (ident.RoomID{}); ; {
		rooms, next, err := n.server.Store.Rooms(ctx, d.ID, after, wire.MaxPage)
		if err != nil {
			return nil, err
		}
		for i := range rooms {
			listed := rooms[i].wire()
			// A tag of two bytes at most, and a length of as many.
			if size += listed.SizeVT() + 4; size <= roomy {
				reply.Rooms = append(reply.Rooms, listed)
			}
		}
		if after = next; next.IsZero() || size > roomy {
			return &wire.ServerFrame{Body: &wire.ServerFrame_Rooms{Rooms: reply}}, nil
		}
	}
}

func (n *session) joinRoom(ctx context.Context, m *wire.JoinRoom) (*wire.ServerFrame, error) {
	d, id, err := n.actingIn(m.Room)
	if err != nil {
		return nil, err
	}
	if err := n.server.limits.joins.take(d.Account); err != nil {
		return nil, err
	}
	room, err := n.server.Store.JoinRoom(ctx, id, d.ID, n.server.now())
	if err != nil {
		return nil, err
	}
	n.server.crier.tell(func(ctx context.Context) { n.server.announceOwn(ctx, id, d.Account, n) })
	return room.frame(), nil
}

func (n *session) leaveRoom(ctx context.Context, m *wire.LeaveRoom) (*wire.ServerFrame, error) {
	d, id, err := n.actingIn(m.Room)
	if err != nil {
		return nil, err
	}
	if err := n.server.limits.joins.take(d.Account); err != nil {
		return nil, err
	}
	if err := n.server.Store.LeaveRoom(ctx, id, d.ID); err != nil {
		return nil, err
	}
	n.server.crier.tell(func(ctx context.Context) { n.server.announceOwn(ctx, id, d.Account, n) })
	return done(0), nil
}

// announceOwn tells an account's other sessions that it came or went.
func (s *Server) announceOwn(ctx context.Context, room ident.RoomID, account ident.AccountID, but *session) {
	for _, n := range s.registry.of(account) {
		n.tellRoom(ctx, room, but)
	}
}

func (n *session) listMembers(ctx context.Context, m *wire.ListMembers) (*wire.ServerFrame, error) {
	d, id, err := n.actingIn(m.Room)
	if err != nil {
		return nil, err
	}
	accounts, err := n.server.Store.Members(ctx, id, d.ID)
	if err != nil {
		return nil, err
	}
	reply := &wire.Members{Members: make([]*wire.Member, len(accounts))}
	for i, a := range accounts {
		reply.Members[i] = &wire.Member{Account: a.ID.Bytes(), Handle: a.Handle}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Members{Members: reply}}, nil
}

// actingIn is acting, with the room that the request names.
func (n *session) actingIn(room []byte) (*Device, ident.RoomID, error) {
	d, err := n.acting()
	if err != nil {
		return nil, ident.RoomID{}, err
	}
	id, err := ident.RoomIDFromBytes(room)
	if err != nil {
		return nil, ident.RoomID{}, errBadRoomID
	}
	return d, id, nil
}
