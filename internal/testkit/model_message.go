package testkit

import (
	"bytes"

	"snug/internal/ident"
	"snug/internal/wire"
)

func (s *Session) submit(m *wire.Submit) *wire.ServerFrame {
	r := s.model.room(m.Room)
	restarts := m.Kind == wire.EntryKind_ENTRY_KIND_RESTART
	if r == nil || r.member(s) == nil && !(restarts && r.has(s.account)) {
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such room")
	}
	key := s.device.String() + string(m.Id)
	b, err := m.MarshalVT()
	if err != nil {
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "malformed")
	}
	if known := r.acks[key]; known != nil {
		if !bytes.Equal(known.submit, b) {
			return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "the id was used for something else")
		}
		return &wire.ServerFrame{Body: &wire.ServerFrame_Ack{Ack: known.ack}}
	}
	replaced, refusal, replaces := s.replacing(r, m)
	if restarts {
		refusal, replaces = s.judgeRestart(r, m), false
	}
	if refusal != nil && (replaces || restarts) {
		return refusal
	}
	if !replaces && !restarts && r.member(s).until > 0 {
		return fault(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "you are no longer in this room")
	}
	if r.kind == wire.RoomKind_ROOM_KIND_SEALED && !replaces && m.Epoch != r.epoch {
		return &wire.ServerFrame{Body: &wire.ServerFrame_Error{Error: &wire.Error{Code: wire.ErrorCode_ERROR_CODE_EPOCH,
			Message: "the room has moved on", Epoch: r.epoch, Seq: r.seq()}}}
	}
	ack := s.append(r, m, replaced)
	r.acks[key] = &modelAck{b, ack}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Ack{Ack: ack}}
}

// append adds an entry to the log, with what its commit does to the members, and with what a reboot undoes.
func (s *Session) append(r *modelRoom, m *wire.Submit, replaced *modelTurn) *wire.Ack {
	switch {
	case m.Kind == wire.EntryKind_ENTRY_KIND_REJECT:
		replaced.rejected = append(replaced.rejected, s.device)
	case m.Kind == wire.EntryKind_ENTRY_KIND_COMMIT:
		r.begins(s, replaced)
		if replaced != nil {
			r.undo(replaced, r.seq()+1)
		}
	}
	at := s.model.Now().UnixMilli()
	head := ident.NextHead(r.head(), ident.LogEntry{Room: r.id, Seq: r.seq() + 1, Kind: uint8(m.Kind), Sender: s.device,
		Message: ident.MessageID(m.Id), Epoch: m.Epoch, UnixMilli: uint64(at), Payload: ident.PayloadHash(m.Payload)})
	r.entries = append(r.entries, &wire.Entry{Seq: r.seq() + 1, Kind: m.Kind, Device: s.device.Bytes(), Account: s.account.id(),
		Id: m.Id, Epoch: m.Epoch, At: at, Payload: m.Payload, Head: head[:]})
	if m.Kind == wire.EntryKind_ENTRY_KIND_COMMIT {
		r.epoch++
		s.envelope(r, m.Commit)
	}
	if m.Kind == wire.EntryKind_ENTRY_KIND_RESTART {
		s.restarted(r)
	}
	return &wire.Ack{Seq: r.seq(), Head: head[:], At: at}
}

func (s *Session) envelope(r *modelRoom, c *wire.CommitEnvelope) {
	for _, ref := range c.GetRemoved() {
		for _, m := range r.members {
			if bytes.Equal(m.device[:], ref.Device) && m.until == 0 {
				m.until = r.seq()
			}
		}
	}
	head := r.head()
	for _, ref := range c.GetAdded() {
		a := s.model.accountByID(ref.Account)
		if a == nil {
			continue
		}
		m := &modelMember{account: a, device: ident.DeviceID(ref.Device), since: r.seq()}
		m.welcome = &wire.WelcomeEvent{Room: r.id.Bytes(), Seq: r.seq(), Head: head[:], Account: s.account.id(), Device: s.device.Bytes(), Welcome: c.Welcome}
		r.members = append(r.members, m)
		for _, other := range s.model.sessions {
			if other.account == a && other.device == m.device {
				other.send(&wire.ServerFrame{Body: &wire.ServerFrame_Welcome{Welcome: m.welcome}})
			}
		}
	}
}

// welcomes hands over the Welcomes that wait for the device.
func (s *Session) welcomes() {
	if s.account == nil {
		return
	}
	for _, r := range s.model.rooms {
		for _, m := range r.members {
			if m.device == s.device && m.welcome != nil {
				s.send(&wire.ServerFrame{Body: &wire.ServerFrame_Welcome{Welcome: m.welcome}})
			}
		}
	}
}

func (s *Session) takeWelcome(t *wire.TakeWelcome) *wire.ServerFrame {
	if r := s.model.room(t.Room); r != nil {
		for _, m := range r.members {
			if m.device == s.device && m.welcome != nil && m.welcome.Seq == t.Seq {
				m.welcome = nil
			}
		}
	}
	return modelDone()
}

// readable gives the entries after the cursor that the session may read.
func (s *Session) readable(r *modelRoom, after uint64) []*wire.Entry {
	if r.kind == wire.RoomKind_ROOM_KIND_OPEN {
		return r.entries[min(after, r.seq()):]
	}
	m := r.member(s)
	if m == nil {
		return nil
	}
	end := r.seq()
	if m.until > 0 {
		end = m.until
	}
	return r.entries[min(max(after, m.since), end):end]
}

func (s *Session) fetch(f *wire.Fetch) *wire.ServerFrame {
	r := s.model.room(f.Room)
	if r == nil || r.kind == wire.RoomKind_ROOM_KIND_SEALED && r.member(s) == nil {
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such room")
	}
	var entries []*wire.Entry
	for _, e := range s.readable(r, f.After) {
		if f.Before == 0 || e.Seq < f.Before {
			entries = append(entries, e)
		}
	}
	limit := min(int(f.Limit), 5) // small pages, so that tests turn them
	if limit == 0 {
		limit = 5
	}
	head := r.head()
	answer := &wire.Fetched{Entries: entries, Seq: r.seq(), Head: head[:]}
	if len(entries) > limit {
		answer.More = true
		if f.Last {
			answer.Entries = entries[len(entries)-limit:]
		} else {
			answer.Entries = entries[:limit]
		}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Fetched{Fetched: answer}}
}

func (s *Session) follow(f *wire.Follow) *wire.ServerFrame {
	for _, cursor := range f.Rooms {
		r := s.model.room(cursor.Room)
		if r == nil || r.member(s) == nil {
			return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such room")
		}
	}
	for _, cursor := range f.Rooms {
		if cursor.Stop {
			delete(s.follows, ident.RoomID(cursor.Room))
		} else {
			s.follows[ident.RoomID(cursor.Room)] = cursor.After
		}
	}
	return modelDone()
}

// deliver sends everybody what they follow and do not have.
func (m *Model) deliver() {
	for _, s := range m.sessions {
		for _, r := range m.rooms {
			after, followed := s.follows[r.id]
			if !followed {
				continue
			}
			entries := s.readable(r, after)
			for len(entries) > 0 {
				n := min(len(entries), 4)
				s.follows[r.id] = entries[n-1].Seq
				s.send(&wire.ServerFrame{Body: &wire.ServerFrame_Entries{Entries: &wire.Entries{Room: r.id.Bytes(), Entries: entries[:n]}}})
				entries = entries[n:]
			}
		}
	}
}
