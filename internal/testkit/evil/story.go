package evil

import (
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Rewrite takes the next entry of the real log and gives what stands in its place in the victim's. Seq and head are
// filled in: the victim's log adds up.
type Rewrite func(*wire.Entry) []*wire.Entry

// asking is a Submit or a Fetch of the victim, by the number of its request.
type asking struct {
	room ident.RoomID
	id   ident.MessageID
}

// story is the log of one room as the victim is told it: up to a place the real one, and after it another that is as
// consistent. Guarded by Victim.mu.
type story struct {
	room ident.RoomID
	// seq and head are where the told log ends, real is where the real one does as far as it has come by.
	seq, real uint64
	head      ident.Hash
	rewrite   Rewrite
	// told are the entries since the lying began, from the real entry of the same index.
	told  []*wire.Entry
	since []uint64
	acks  map[ident.MessageID]*wire.ServerFrame
}

// Rewrite tells the victim another history of a room from here on: it keeps numbers, heads and acknowledgements in
// agreement, which is the best that a liar can do.
func (v *Victim) Rewrite(room ident.RoomID, script Rewrite) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.story(room).rewrite = script
}

// Insert adds forged entries to the victim's history of a room, after what it has seen.
func (v *Victim) Insert(room ident.RoomID, entries ...*wire.Entry) {
	v.mu.Lock()
	s := v.story(room)
	if s.rewrite == nil {
		s.rewrite = func(e *wire.Entry) []*wire.Entry { return []*wire.Entry{e} }
	}
	before := len(s.told)
	s.tell(s.real, entries)
	frame := s.entries(s.told[before:])
	v.mu.Unlock()
	v.Say(frame)
}

func (v *Victim) story(room ident.RoomID) *story {
	if v.stories[room] == nil {
		v.stories[room] = &story{room: room, head: ident.EmptyHead(room), acks: make(map[ident.MessageID]*wire.ServerFrame)}
	}
	return v.stories[room]
}

// tell adds entries to the told log.
func (s *story) tell(real uint64, entries []*wire.Entry) {
	for _, e := range entries {
		s.seq++
		e = &wire.Entry{Seq: s.seq, Kind: e.Kind, Device: e.Device, Account: e.Account, Id: e.Id, Epoch: e.Epoch, At: e.At, Payload: e.Payload}
		s.head = headAfter(s.room, s.head, e)
		e.Head = s.head.Bytes()
		s.told, s.since = append(s.told, e), append(s.since, real)
	}
	s.real = real
}

func headAfter(room ident.RoomID, prev ident.Hash, e *wire.Entry) ident.Hash {
	return ident.NextHead(prev, ident.LogEntry{Room: room, Seq: e.Seq, Kind: uint8(e.Kind), Sender: ident.DeviceID(e.Device),
		Message: ident.MessageID(e.Id), Epoch: e.Epoch, UnixMilli: uint64(e.At), Payload: ident.PayloadHash(e.Payload)})
}

func (s *story) entries(list []*wire.Entry) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Entries{Entries: &wire.Entries{Room: s.room.Bytes(), Entries: list}}}
}

// overhear notes what the victim asks, and turns the places of its history into those of the real one.
func (v *Victim) overhear(frame *wire.ClientFrame) {
	switch body := frame.Body.(type) {
	case *wire.ClientFrame_Submit:
		v.requests[frame.Id] = asking{ident.RoomID(body.Submit.Room), ident.MessageID(body.Submit.Id)}
	case *wire.ClientFrame_Fetch:
		v.requests[frame.Id] = asking{room: ident.RoomID(body.Fetch.Room)}
	}
	for _, cursor := range frame.GetFollow().GetRooms() {
		if s := v.stories[ident.RoomID(cursor.Room)]; s != nil && s.rewrite != nil {
			cursor.After = s.realOf(cursor.After)
		}
	}
}

// realOf gives the real place up to which somebody has everything who has the told place.
func (s *story) realOf(told uint64) uint64 {
	if told >= s.seq {
		return s.real
	}
	for i, e := range s.told {
		if e.Seq > told {
			return s.since[i] - 1
		}
	}
	return told
}

// retell turns a frame of the real server into what agrees with the stories.
func (v *Victim) retell(frame *wire.ServerFrame) []*wire.ServerFrame {
	switch body := frame.Body.(type) {
	case *wire.ServerFrame_Entries:
		return v.retellEntries(frame, body.Entries)
	case *wire.ServerFrame_Welcome:
		s := v.story(ident.RoomID(body.Welcome.Room))
		if s.rewrite == nil {
			s.seq, s.real, s.head = body.Welcome.Seq, body.Welcome.Seq, ident.Hash(body.Welcome.Head)
		}
	case *wire.ServerFrame_Ack:
		s := v.stories[v.requests[frame.Id].room]
		if s != nil && s.rewrite != nil {
			s.acks[v.requests[frame.Id].id] = frame
			return s.acked()
		}
	case *wire.ServerFrame_Room:
		v.retellRoom(body.Room)
	case *wire.ServerFrame_RoomChanged:
		v.retellRoom(body.RoomChanged.Room)
	case *wire.ServerFrame_Rooms:
		for _, room := range body.Rooms.Rooms {
			v.retellRoom(room)
		}
	case *wire.ServerFrame_Fetched:
		if s := v.stories[v.requests[frame.Id].room]; s != nil && s.rewrite != nil {
			body.Fetched.Seq, body.Fetched.Head, body.Fetched.Entries = s.seq, s.head.Bytes(), nil
		}
	}
	return []*wire.ServerFrame{frame}
}

func (v *Victim) retellEntries(frame *wire.ServerFrame, entries *wire.Entries) []*wire.ServerFrame {
	s := v.story(ident.RoomID(entries.Room))
	if s.rewrite == nil {
		for _, e := range entries.Entries {
			if e.Seq > s.seq {
				s.seq, s.real, s.head = e.Seq, e.Seq, ident.Hash(e.Head)
			}
		}
		return []*wire.ServerFrame{frame}
	}
	first := entries.Entries[0].Seq
	for _, e := range entries.Entries {
		if e.Seq > s.real {
			s.tell(e.Seq, s.rewrite(e))
		}
	}
	var again []*wire.Entry
	for i, e := range s.told {
		if s.since[i] >= first {
			again = append(again, e)
		}
	}
	return append(s.acked(), s.entries(again))
}

// acked gives the held acknowledgements of what is told by now.
func (s *story) acked() (frames []*wire.ServerFrame) {
	for id, frame := range s.acks {
		i := slices.IndexFunc(s.told, func(e *wire.Entry) bool { return string(e.Id) == string(id[:]) })
		if i < 0 {
			continue
		}
		delete(s.acks, id)
		ack := &wire.Ack{Seq: s.told[i].Seq, Head: s.told[i].Head, At: s.told[i].At}
		frames = append(frames, &wire.ServerFrame{Id: frame.Id, Body: &wire.ServerFrame_Ack{Ack: ack}})
	}
	return frames
}

// retellRoom puts the end of the told log in the place of the real one's. What the victim has not been told of yet comes.
func (v *Victim) retellRoom(room *wire.Room) {
	if s := v.stories[ident.RoomID(room.GetRoom())]; s != nil && s.rewrite != nil {
		room.Seq, room.Head = s.seq, s.head.Bytes()
	}
}
