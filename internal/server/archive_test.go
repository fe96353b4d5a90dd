package server_test

import (
	"bytes"
	"testing"

	"snug/internal/ident"
	"snug/internal/wire"
)

func getArchive(known uint64) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_GetArchive{GetArchive: &wire.GetArchive{Known: known}}}
}

func changeArchive(c *wire.ChangeArchive) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_ChangeArchive{ChangeArchive: c}}
}

func fetchArchive(room ident.RoomID, before uint32) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_FetchArchive{FetchArchive: &wire.FetchArchive{Room: room.Bytes(), Before: before}}}
}

func archiveChunk(room ident.RoomID, before uint64, index uint32, body []byte) *wire.ChangeArchive {
	return &wire.ChangeArchive{Before: before, Revision: before + 1, Head: []byte{byte(before + 1)}, Room: room.Bytes(), Index: index, Chunk: body}
}

// TestArchive: a head and its chunks come back, to the account's devices alone, and the others of them are told.
func TestArchive(t *testing.T) {
	h := open(t)
	key := newKey(t)
	alice, bob := h.connect(t, key), h.join(t, "bob")
	if reply := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Register{Register: newPerson(t, "alice", key.Public()).register}}); reply.GetRegistered() == nil {
		t.Fatalf("registering: %v", reply)
	}
	room := alice.room()
	second := h.connect(t, key) // the same device over another connection
	if a := alice.ask(getArchive(0)).GetArchive(); a == nil || a.Revision != 0 || len(a.Head) != 0 {
		t.Fatalf("before anything: %v", a)
	}
	large := bytes.Repeat([]byte("x"), 40<<10)
	for i, body := range [][]byte{[]byte("one"), large, large} {
		alice.done(changeArchive(archiveChunk(room, uint64(i), uint32(i), body)))
	}
	e := second.event("a changed archive", func(f *wire.ServerFrame) bool { return f.GetArchiveChanged() != nil })
	if got := e.GetArchiveChanged().Revision; got != 1 {
		t.Errorf("told of revision %d, want 1", got)
	}
	if a := second.ask(getArchive(2)).GetArchive(); a.GetRevision() != 3 || string(a.Head) != "\x03" {
		t.Errorf("asked with an old revision: %v", a)
	}
	if a := second.ask(getArchive(3)).GetArchive(); a.GetRevision() != 3 || len(a.Head) != 0 {
		t.Errorf("asked with the newest revision: %v", a)
	}
	// What does not fit a frame comes when it is asked for again.
	if chunks := second.ask(fetchArchive(room, 3)).GetArchiveChunks().GetChunks(); len(chunks) != 1 || !bytes.Equal(chunks[0], large) {
		t.Errorf("%d chunks from the end, want the last", len(chunks))
	}
	if chunks := second.ask(fetchArchive(room, 2)).GetArchiveChunks().GetChunks(); len(chunks) != 2 || string(chunks[1]) != "one" {
		t.Errorf("%d chunks before the last, want 2", len(chunks))
	}
	if chunks := bob.ask(fetchArchive(room, 3)).GetArchiveChunks(); chunks == nil || len(chunks.Chunks) != 0 {
		t.Errorf("somebody else gets %v", chunks)
	}
}

// TestArchiveRefuses: what has no form, is too large or does not follow is refused for its reason, and changes nothing.
func TestArchiveRefuses(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.room()
	alice.done(changeArchive(archiveChunk(room, 0, 0, []byte("one"))))
	large := wire.ErrorCode_ERROR_CODE_TOO_LARGE
	for _, c := range []struct {
		name   string
		code   wire.ErrorCode
		change func(c *wire.ChangeArchive)
	}{
		{"a revision that does not grow", bad, func(c *wire.ChangeArchive) { c.Revision = c.Before }},
		{"a revision beyond counting", bad, func(c *wire.ChangeArchive) { c.Revision = 1 << 63 }},
		{"no head", large, func(c *wire.ChangeArchive) { c.Head = nil }},
		{"a large head", large, func(c *wire.ChangeArchive) { c.Head = make([]byte, wire.MaxArchiveHead+1) }},
		{"a large chunk", large, func(c *wire.ChangeArchive) { c.Chunk = make([]byte, wire.MaxArchiveChunk+1) }},
		{"a chunk of no room", bad, func(c *wire.ChangeArchive) { c.Room = nil }},
		{"a room without a chunk", bad, func(c *wire.ChangeArchive) { c.Chunk = nil }},
		{"half a room", bad, func(c *wire.ChangeArchive) { c.Room = c.Room[:8] }},
		{"half a room dropped", bad, func(c *wire.ChangeArchive) { c.Drop = [][]byte{c.Room[:8]} }},
		{"too many dropped", large, func(c *wire.ChangeArchive) { c.Drop = make([][]byte, 501) }},
		{"an old revision", wire.ErrorCode_ERROR_CODE_CONFLICT, func(c *wire.ChangeArchive) { c.Before, c.Revision = 0, 1 }},
		{"another index", wire.ErrorCode_ERROR_CODE_CONFLICT, func(c *wire.ChangeArchive) { c.Index = 2 }},
	} {
		change := archiveChunk(room, 1, 1, []byte("two"))
		c.change(change)
		if e := alice.refused(c.code, changeArchive(change)); e.Message == "" {
			t.Errorf("%s: refused without a word", c.name)
		}
	}
	bob.refused(wire.ErrorCode_ERROR_CODE_NOT_FOUND, changeArchive(archiveChunk(room, 0, 0, []byte("x"))))
	bob.refused(bad, &wire.ClientFrame{Body: &wire.ClientFrame_FetchArchive{FetchArchive: &wire.FetchArchive{Before: 1}}})
	if a := alice.ask(getArchive(0)).GetArchive(); a.GetRevision() != 1 {
		t.Errorf("revision %d after refusals, want 1", a.GetRevision())
	}
	stranger := h.connect(t, newKey(t))
	stranger.refused(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, getArchive(0))
	stranger.refused(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, changeArchive(archiveChunk(room, 1, 1, []byte("x"))))
	stranger.refused(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, fetchArchive(room, 1))
}
