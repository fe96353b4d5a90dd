package testkit

import (
	"bytes"

	"snug/internal/wire"
)

// modelKnock is the letter of who asks to be let into a room, and what was answered.
type modelKnock struct {
	room           []byte
	account        *modelAccount
	letter, answer []byte
}

func (m *Model) knock(room, account []byte) *modelKnock {
	for _, k := range m.knocks {
		if bytes.Equal(k.room, room) && bytes.Equal(k.account.id(), account) {
			return k
		}
	}
	return nil
}

func (s *Session) knockRoom(r *wire.KnockRoom) *wire.ServerFrame {
	k := s.model.knock(r.Room, s.account.id())
	if k == nil {
		k = &modelKnock{room: r.Room, account: s.account}
		s.model.knocks = append(s.model.knocks, k)
	}
	if !bytes.Equal(k.letter, r.Letter) {
		k.letter, k.answer = r.Letter, nil
	}
	return modelDone()
}

func (s *Session) withdrawKnock(room []byte) *wire.ServerFrame {
	for i, k := range s.model.knocks {
		if bytes.Equal(k.room, room) && k.account == s.account {
			s.model.knocks = append(s.model.knocks[:i:i], s.model.knocks[i+1:]...)
			break
		}
	}
	return modelDone()
}

func (s *Session) answerKnock(r *wire.AnswerKnock) *wire.ServerFrame {
	room := s.model.room(r.Room)
	if room == nil || room.member(s) == nil || room.member(s).until > 0 {
		return fault(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "this device is not in the room")
	}
	if k := s.model.knock(r.Room, r.Account); k != nil {
		k.answer = r.Answer
		s.model.announce(k)
	}
	return modelDone()
}

// announce hands a letter to the members who follow the room, or its answer to who wrote it.
func (m *Model) announce(k *modelKnock) {
	for _, s := range m.sessions {
		switch {
		case k.answer != nil && s.account == k.account:
			s.send(knockEvent(&wire.KnockEvent{Room: k.room, Account: k.account.id(), Answer: k.answer}))
		case k.answer == nil:
			s.hearKnock(k)
		}
	}
}

// hearKnock hands a letter to a member who follows the room.
func (s *Session) hearKnock(k *modelKnock) {
	r := s.model.room(k.room)
	if r == nil || s.account == nil || k.answer != nil {
		return
	}
	_, follows := s.follows[r.id]
	if member := r.member(s); follows && member != nil && member.until == 0 {
		s.send(knockEvent(&wire.KnockEvent{Room: k.room, Account: k.account.id(), Letter: k.letter}))
	}
}

func knockEvent(e *wire.KnockEvent) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Knock{Knock: e}}
}

// Letter gives the letter of an account for a room as the server has it; nil where it has none.
func (m *Model) Letter(room []byte, handle string) []byte {
	if k := m.knock(room, m.accountOf(handle).id()); k != nil {
		return k.letter
	}
	return nil
}
