package bridge

import (
	"context"

	"snug/client"
	"snug/internal/ident"
)

func (s *Server) listRooms(ctx context.Context) (isPacket_Body, error) {
	rooms, err := s.core.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	answer := new(Rooms)
	for _, r := range rooms {
		answer.Rooms = append(answer.Rooms, toRoom(r))
	}
	return &Packet_Rooms{Rooms: answer}, nil
}

// roomAfter answers with the room that a verb gives.
func (s *Server) roomAfter(ctx context.Context, verb func() (ident.RoomID, error)) (isPacket_Body, error) {
	id, err := verb()
	if err != nil {
		return nil, err
	}
	room, err := s.core.Room(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Packet_Room{Room: toRoom(room)}, nil
}

func (s *Server) createRoom(ctx context.Context, c *CreateRoom) (isPacket_Body, error) {
	room, err := s.core.CreateRoom(ctx, client.CreateRoomOptions{Name: c.GetName(), Open: c.GetOpen(), Handles: c.GetHandles()})
	if err != nil {
		return nil, err
	}
	return &Packet_Room{Room: toRoom(room)}, nil
}

func (s *Server) changeRoom(ctx context.Context, c *ChangeRoom) (isPacket_Body, error) {
	settings := client.RoomSettings{Name: &c.Name, Topic: &c.Topic, Adds: c.Adds, Edits: c.Edits}
	return s.withRoom(c.GetRoom(), func(room ident.RoomID) error { return s.core.ChangeRoom(ctx, room, settings) })
}

func (s *Server) listMembers(ctx context.Context, room string) (isPacket_Body, error) {
	id, err := ident.ParseRoomID(room)
	if err != nil {
		return nil, err
	}
	members, err := s.core.Members(ctx, id)
	if err != nil {
		return nil, err
	}
	answer := new(Members)
	for _, m := range members {
		answer.Members = append(answer.Members, &Member{
			Account: m.Account.String(), Handle: m.Handle, Role: m.Role, Devices: uint32(m.Devices), Verified: m.Verified, Stranger: m.Stranger,
		})
	}
	return &Packet_Members{Members: answer}, nil
}

// explain says why a room does not go on and what becomes of that, for the page to show as it is.
func explain(r client.Room) string {
	if r.Waiting && r.Problem == "" {
		return r.Try
	}
	if r.Problem == "" || r.Try == "" {
		return r.Problem
	}
	return r.Problem + "; " + r.Try
}

func toRoom(r client.Room) *Room {
	room := &Room{
		Room: r.ID.String(), Name: r.Name, Direct: r.Direct, Joined: r.Joined, Members: uint32(r.Members),
		Seq: r.Seq, ServerSeq: r.ServerSeq, Unread: uint32(r.Unread), Problem: explain(r),
		Topic: r.Topic, Role: r.Role, Adds: r.Adds, Edits: r.Edits, Waiting: r.Waiting, Gone: r.Gone, Outside: r.Outside, Read: r.Read,
	}
	if r.Request {
		room.Request = r.Inviter
	}
	switch r.Kind {
	case client.Sealed:
		room.Kind = RoomKind_ROOM_KIND_SEALED
	case client.OpenToAll:
		room.Kind = RoomKind_ROOM_KIND_OPEN
	}
	if !r.Stranger.Account.IsZero() {
		room.Stranger = &Stranger{Account: r.Stranger.Account.String(), Handle: r.Stranger.Handle, WasVerified: r.Stranger.WasVerified}
	}
	if r.Last != nil {
		room.Last = toMessage(*r.Last)
	}
	return room
}
