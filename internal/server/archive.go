package server

import (
	"context"

	"snug/internal/ident"
	"snug/internal/wire"
)

// maxArchive bounds what one account's archive holds, in bytes of its chunks: with
// messages of 200 bytes, about a million of them.
const maxArchive = 256 << 20

// maxDrop is how many rooms one change of an archive names to be deleted.
const maxDrop = 500

// ArchiveChange replaces an archive's head, and deletes and appends chunks with it.
type ArchiveChange struct {
	Account ident.AccountID
	Device  ident.DeviceID
	// Before is the revision that is replaced, 0 for none; Revision the new one.
	Before, Revision uint64
	Head             []byte
	// Drop are rooms whose chunks are deleted, DropAll means all; before the append.
	Drop    []ident.RoomID
	DropAll bool
	// Chunk, where not empty, becomes the room's chunk Index.
	Room  ident.RoomID
	Index uint32
	Chunk []byte
	// Most is how many bytes the account's chunks may have together afterwards.
	Most int64
}

// ErrArchiveChanged refuses a change that does not follow the stored archive.
var ErrArchiveChanged = &Refusal{Code: wire.ErrorCode_ERROR_CODE_CONFLICT, Message: "the archive was changed by another device meanwhile",
	Hint: "read its head and try again"}

// ErrArchiveFull refuses a chunk for which there is no room.
var ErrArchiveFull = &Refusal{Code: wire.ErrorCode_ERROR_CODE_TOO_LARGE, Message: "the account's archive is full",
	Hint: "turn it off for a room that does not need it"}

func (n *session) getArchive(ctx context.Context, m *wire.GetArchive) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	revision, head, err := n.server.Store.Archive(ctx, d.Account)
	if err != nil {
		return nil, err
	}
	reply := &wire.Archive{Revision: revision}
	if revision != m.Known {
		reply.Head = head
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Archive{Archive: reply}}, nil
}

func (n *session) changeArchive(ctx context.Context, m *wire.ChangeArchive) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	c, err := archiveChange(m)
	if err != nil {
		return nil, err
	}
	c.Account, c.Device = d.Account, d.ID
	if err := n.server.limits.archives.take(d.Account); err != nil {
		return nil, err
	}
	if err := n.server.Store.ChangeArchive(ctx, c); err != nil {
		return nil, err
	}
	n.server.crier.tell(func(context.Context) { n.server.announceArchive(d.Account, c.Revision, n) })
	return done(0), nil
}

// archiveChange judges form and size.
func archiveChange(m *wire.ChangeArchive) (ArchiveChange, error) {
	c := ArchiveChange{Before: m.Before, Revision: m.Revision, Head: m.Head, Index: m.Index, Chunk: m.Chunk, DropAll: m.DropAll, Most: maxArchive}
	switch {
	case m.Revision <= m.Before || m.Revision > maxRevision:
		return c, badRequest("an archive's revision grows")
	case len(m.Head) == 0 || len(m.Head) > wire.MaxArchiveHead:
		return c, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "an archive's head has 1 to 262208 bytes")
	case len(m.Chunk) > wire.MaxArchiveChunk:
		return c, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "a chunk of an archive has at most 65600 bytes")
	case (len(m.Chunk) == 0) != (len(m.Room) == 0):
		return c, badRequest("a chunk is of a room")
	case len(m.Drop) > maxDrop:
		return c, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "too many rooms in one request")
	}
	for _, b := range m.Drop {
		room, err := ident.RoomIDFromBytes(b)
		if err != nil {
			return c, errBadRoomID
		}
		c.Drop = append(c.Drop, room)
	}
	var err error
	if len(m.Room) > 0 {
		if c.Room, err = ident.RoomIDFromBytes(m.Room); err != nil {
			return c, errBadRoomID
		}
	}
	return c, nil
}

// maxRevision keeps revisions within what every store counts to.
const maxRevision = 1 << 62

// announceArchive tells an account's other sessions that there is another head.
func (s *Server) announceArchive(account ident.AccountID, revision uint64, but *session) {
	for _, n := range s.registry.of(account) {
		if n != but {
			n.event(&wire.ServerFrame{Body: &wire.ServerFrame_ArchiveChanged{ArchiveChanged: &wire.ArchiveEvent{Revision: revision}}})
		}
	}
}

// fetchArchive answers with as many chunks as a frame takes, and one at least.
func (n *session) fetchArchive(ctx context.Context, m *wire.FetchArchive) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	room, err := ident.RoomIDFromBytes(m.Room)
	if err != nil {
		return nil, errBadRoomID
	}
	reply := &wire.ArchiveChunks{}
	size := 0
	err = n.server.Store.ArchiveChunks(ctx, d.Account, room, m.Before, page(m.Limit, wire.MaxArchivePage), func(chunk []byte) bool {
		if size += len(chunk); size > wire.MaxBatch && len(reply.Chunks) > 0 {
			return false
		}
		reply.Chunks = append(reply.Chunks, chunk)
		return true
	})
	if err != nil {
		return nil, err
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_ArchiveChunks{ArchiveChunks: reply}}, nil
}
