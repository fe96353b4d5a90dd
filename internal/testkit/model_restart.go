package testkit

import (
	"slices"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// has reports whether a device of the account is in the room.
func (r *modelRoom) has(a *modelAccount) bool {
	for _, m := range r.members {
		if m.account == a && m.until == 0 {
			return true
		}
	}
	return false
}

// judgeRestart gives what is wrong with a device that begins a room anew.
func (s *Session) judgeRestart(r *modelRoom, m *wire.Submit) *wire.ServerFrame {
	key, known := s.account.chain.EverEnrolled(s.device)
	p := new(wire.RestartPayload)
	if r.kind != wire.RoomKind_ROOM_KIND_SEALED || p.UnmarshalVT(m.Payload) != nil || !known || ident.VerifyRestart(key.Key, &ident.Restart{
		Room: r.id, Message: ident.MessageID(m.Id), Epoch: m.Epoch, Statements: p.Statements}, p.Signature) != nil {
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "an entry that is not as its device signs it")
	}
	others := len(r.direct) > 0
	for _, member := range r.members {
		others = others || member.account != s.account && member.until == 0
	}
	if others || !r.has(s.account) || s.othersObject(r) {
		return fault(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "others are in this room")
	}
	return nil
}

// othersObject reports whether other accounts could still replace what took them out of the room a short time ago. It takes
// nobody for having gone by themselves.
func (s *Session) othersObject(r *modelRoom) bool {
	since := s.model.Now().Add(-server.ObjectWithin).UnixMilli()
	return slices.ContainsFunc(r.turns, func(t *modelTurn) bool {
		return r.entries[t.seq-1].At > since &&
			slices.ContainsFunc(t.members, func(m modelMember) bool { return m.account != s.account && m.until == 0 })
	})
}

// restarted has the session's device alone in a room that it has begun anew.
func (s *Session) restarted(r *modelRoom) {
	r.epoch++
	r.turns = nil
	for _, m := range r.members {
		m.welcome = nil
		if m.until == 0 {
			m.until = r.seq()
		}
	}
	r.members = append(r.members, &modelMember{account: s.account, device: s.device, since: r.seq()})
}
