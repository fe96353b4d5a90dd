package bridge

import (
	"context"

	"snug/client"
	"snug/internal/ident"
)

func (s *Server) say(ctx context.Context, p *Post) (isPacket_Body, error) {
	room, err := ident.ParseRoomID(p.GetRoom())
	if err != nil {
		return nil, err
	}
	id, err := s.core.Post(ctx, room, p.GetText())
	if err != nil {
		return nil, err
	}
	return &Packet_Posted{Posted: &Posted{Id: id.String()}}, nil
}

func (s *Server) listMessages(ctx context.Context, l *ListMessages) (isPacket_Body, error) {
	room, err := ident.ParseRoomID(l.GetRoom())
	if err != nil {
		return nil, err
	}
	messages, err := s.core.History(ctx, room, client.HistoryOptions{
		Before: l.GetBefore(), After: l.GetAfter(), Limit: int(min(l.GetLimit(), maxMessages)),
	})
	if err != nil {
		return nil, err
	}
	answer := new(Messages)
	for _, m := range messages {
		answer.Messages = append(answer.Messages, toMessage(m))
	}
	return &Packet_Messages{Messages: answer}, nil
}

func toMessage(m client.Message) *Message {
	return &Message{
		Room: m.Room.String(), Seq: m.Seq, Id: m.ID.String(), From: m.From, Account: m.Account.String(),
		Device: m.Device.String(), DeviceName: m.DeviceName, At: milliseconds(m.At), Kind: kinds[m.Kind], Text: m.Text,
		Gap: m.Gap, State: states[m.State], Problem: m.Problem, Own: m.Own,
		Until: m.Until, Try: m.Try, Ask: m.Ask, Blocked: m.Blocked,
	}
}

var kinds = map[client.MessageKind]MessageKind{
	client.Text:   MessageKind_MESSAGE_KIND_TEXT,
	client.Notice: MessageKind_MESSAGE_KIND_NOTICE,
	client.Gap:    MessageKind_MESSAGE_KIND_GAP,
}

var states = map[client.MessageState]MessageState{
	client.Pending:     MessageState_MESSAGE_STATE_PENDING,
	client.Delivered:   MessageState_MESSAGE_STATE_SENT,
	client.Undelivered: MessageState_MESSAGE_STATE_FAILED,
}
