package bridge

import (
	"context"

	"snug/internal/ident"
)

func (s *Server) archive(ctx context.Context) (isPacket_Body, error) {
	a, err := s.core.Archive(ctx)
	if err != nil {
		return nil, err
	}
	answer := &Archive{On: a.On, Problem: a.Problem, Try: a.Try}
	for _, room := range a.Off {
		answer.Off = append(answer.Off, room.String())
	}
	return &Packet_Archive{Archive: answer}, nil
}

// setArchive turns a switch and gives what is so then.
func (s *Server) setArchive(ctx context.Context, a *SetArchive) (isPacket_Body, error) {
	set := func(ctx context.Context) error { return s.core.SetArchive(ctx, a.GetOn()) }
	if a.GetRoom() != "" {
		room, err := ident.ParseRoomID(a.GetRoom())
		if err != nil {
			return nil, err
		}
		set = func(ctx context.Context) error { return s.core.SetRoomArchive(ctx, room, a.GetOn()) }
	}
	if _, err := bounded(ctx, set); err != nil {
		return nil, err
	}
	return s.archive(ctx)
}
