package testkit

import (
	"bytes"
	"maps"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// ModelArchive is what the model keeps of an account's archive.
type ModelArchive struct {
	Revision uint64
	Head     []byte
	Chunks   map[ident.RoomID][][]byte
}

// Clone gives a copy that stays as it is.
func (a ModelArchive) Clone() ModelArchive {
	a.Chunks = maps.Clone(a.Chunks)
	for room, chunks := range a.Chunks {
		a.Chunks[room] = slices.Clone(chunks)
	}
	return a
}

// Archive gives an account's archive, to be looked at, and changed by an evil operator.
func (m *Model) Archive(handle string) *ModelArchive { return &m.accountOf(handle).archive }

func (s *Session) getArchive(r *wire.GetArchive) *wire.ServerFrame {
	archive := &wire.Archive{Revision: s.account.archive.Revision}
	if archive.Revision != r.Known {
		archive.Head = s.account.archive.Head
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Archive{Archive: archive}}
}

func (s *Session) changeArchive(r *wire.ChangeArchive) *wire.ServerFrame {
	a := &s.account.archive
	if a.Revision == r.Revision && bytes.Equal(a.Head, r.Head) {
		return modelDone()
	}
	room, drop := ident.RoomID(make([]byte, 16)), r.DropAll || containsBytes(r.Drop, r.Room)
	if len(r.Chunk) > 0 {
		room = ident.RoomID(r.Room)
	}
	next := len(a.Chunks[room])
	if drop {
		next = 0
	}
	switch {
	case r.Revision <= r.Before:
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "a revision grows")
	case a.Revision != r.Before, len(r.Chunk) > 0 && next != int(r.Index):
		return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "the archive was changed meanwhile")
	case len(r.Chunk) > 0 && !s.model.in(room, s):
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such room")
	}
	if a.Chunks == nil || r.DropAll {
		a.Chunks = make(map[ident.RoomID][][]byte)
	}
	for _, b := range r.Drop {
		delete(a.Chunks, ident.RoomID(b))
	}
	if len(r.Chunk) > 0 {
		a.Chunks[room] = append(a.Chunks[room], r.Chunk)
	}
	a.Revision, a.Head = r.Revision, r.Head
	for _, other := range s.model.sessions {
		if other != s && other.account == s.account {
			other.send(&wire.ServerFrame{Body: &wire.ServerFrame_ArchiveChanged{ArchiveChanged: &wire.ArchiveEvent{Revision: a.Revision}}})
		}
	}
	return modelDone()
}

// in reports whether the session's device is in a sealed room.
func (m *Model) in(room ident.RoomID, s *Session) bool {
	r := m.room(room[:])
	if r == nil || r.kind != wire.RoomKind_ROOM_KIND_SEALED {
		return false
	}
	member := r.member(s)
	return member != nil && member.until == 0
}

// fetchArchive gives two chunks at a time, so that tests ask again.
func (s *Session) fetchArchive(r *wire.FetchArchive) *wire.ServerFrame {
	answer := new(wire.ArchiveChunks)
	chunks := s.account.archive.Chunks[ident.RoomID(r.Room)]
	for n := 0; n < 2 && int(r.Before)-n-1 >= 0 && int(r.Before)-n-1 < len(chunks); n++ {
		answer.Chunks = append(answer.Chunks, chunks[int(r.Before)-n-1])
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_ArchiveChunks{ArchiveChunks: answer}}
}
