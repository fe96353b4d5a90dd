package bridge

import (
	"context"
	"encoding/hex"
	"time"

	"snug/client"
	"snug/internal/ident"
)

func (s *Server) createRoomInvite(ctx context.Context, c *CreateRoomInvite) (isPacket_Body, error) {
	room, err := ident.ParseRoomID(c.GetRoom())
	if err != nil {
		return nil, err
	}
	made, err := s.core.CreateRoomInvite(ctx, room, client.RoomInviteOptions{Reader: c.GetReader(), Uses: int(c.GetUses()),
		For: time.Duration(c.GetHours()) * time.Hour})
	if err != nil {
		return nil, err
	}
	return toRoomInvites(c.GetOrigin(), made)
}

func (s *Server) listRoomInvites(ctx context.Context, l *ListRoomInvites) (isPacket_Body, error) {
	room, err := ident.ParseRoomID(l.GetRoom())
	if err != nil {
		return nil, err
	}
	invites, err := s.core.RoomInvites(ctx, room)
	if err != nil {
		return nil, err
	}
	return toRoomInvites(l.GetOrigin(), invites...)
}

func (s *Server) revokeRoomInvite(ctx context.Context, r *RevokeRoomInvite) (isPacket_Body, error) {
	id, err := hex.DecodeString(r.GetInvite())
	if err != nil || len(id) != len(ident.RoomInviteID{}) {
		return nil, &client.Error{Code: client.Usage, Message: "that names no invite"}
	}
	return s.withRoom(r.GetRoom(), func(room ident.RoomID) error { return s.core.RevokeRoomInvite(ctx, room, ident.RoomInviteID(id)) })
}

// toRoomInvites draws the links that this device knows.
func toRoomInvites(origin string, invites ...client.RoomInvite) (isPacket_Body, error) {
	answer := new(RoomInvites)
	for _, i := range invites {
		shown := &RoomInvite{Invite: hex.EncodeToString(i.ID[:]), Maker: i.Maker, Role: i.Role, ExpiresAt: milliseconds(i.Expires),
			Uses: uint32(i.Uses), Used: uint32(i.Used), Revoked: i.Revoked}
		if i.Code != "" {
			shown.Link = origin + "/#" + i.Code
			code, err := draw(shown.Link)
			if err != nil {
				return nil, err
			}
			shown.Code = code
		}
		answer.Invites = append(answer.Invites, shown)
	}
	return &Packet_RoomInvites{RoomInvites: answer}, nil
}
