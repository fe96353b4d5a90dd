package sqlite

import (
	"bytes"
	"context"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

// Archive is server.ArchiveStore's.
func (s *Store) Archive(ctx context.Context, account ident.AccountID) (revision uint64, head []byte, err error) {
	const query = "SELECT h.revision, h.head FROM archive h JOIN account a ON a.row = h.account WHERE a.id = ?"
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		_, err := one(conn, query, func(row *sqlite.Stmt) { revision, head = uint64(row.ColumnInt64(0)), blob(row, 1) }, account[:])
		return err
	})
	return revision, head, err
}

// ArchiveChunks is server.ArchiveStore's.
func (s *Store) ArchiveChunks(ctx context.Context, account ident.AccountID, room ident.RoomID, before uint32, limit int, yield func([]byte) bool) error {
	const query = `SELECT c.body, c.place FROM archive_chunk c JOIN account a ON a.row = c.account JOIN room r ON r.row = c.room
		WHERE a.id = ? AND r.id = ? AND c.place < ? ORDER BY c.place DESC LIMIT ?`
	next := int64(before) - 1
	return s.view(ctx, func(conn *sqlite.Conn) error {
		return run(conn, query, func(row *sqlite.Stmt) error {
			if row.ColumnInt64(1) != next || !yield(blob(row, 0)) {
				return errStop
			}
			next--
			return nil
		}, account[:], room[:], int64(before), limit)
	})
}

// ChangeArchive is server.ArchiveStore's.
func (s *Store) ChangeArchive(ctx context.Context, c server.ArchiveChange) error {
	return s.update(ctx, func(w *writer) error {
		d, err := w.device(c.Device)
		if err != nil {
			return err
		}
		if d == nil || d.revoked || d.accountID != c.Account {
			return server.ErrDeviceNotFound
		}
		head, made, err := w.archiveFollows(d.account, c)
		if err != nil || made {
			return err
		}
		dropped, err := w.changeArchive(d, c)
		if err != nil {
			return err
		}
		return w.store(d.account, int64(len(c.Chunk)+len(c.Head)-head)-dropped)
	})
}

// changeArchive carries a change out, and gives how many bytes of chunks went by it.
func (w *writer) changeArchive(d *device, c server.ArchiveChange) (dropped int64, err error) {
	if dropped, err = w.dropChunks(d.account, c); err != nil {
		return dropped, err
	}
	if len(c.Chunk) > 0 {
		if err := w.appendChunk(d, c); err != nil {
			return dropped, err
		}
	}
	const upsert = `INSERT INTO archive (account, revision, head) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET revision = excluded.revision, head = excluded.head`
	return dropped, run(w.conn, upsert, nil, d.account, int64(c.Revision), c.Head)
}

// archiveFollows reports whether the change was made before, and refuses one that does not build on what is stored. head is how many
// bytes the head has that is.
func (w *writer) archiveFollows(account int64, c server.ArchiveChange) (head int, made bool, err error) {
	var revision uint64
	_, err = one(w.conn, "SELECT revision, head FROM archive WHERE account = ?", func(row *sqlite.Stmt) {
		revision = uint64(row.ColumnInt64(0))
		stored := blob(row, 1)
		head, made = len(stored), revision == c.Revision && bytes.Equal(stored, c.Head)
	}, account)
	if err == nil && !made && revision != c.Before {
		err = server.ErrArchiveChanged
	}
	return head, made, err
}

// dropChunks deletes what the change leaves out, and gives how many bytes that was.
func (w *writer) dropChunks(account int64, c server.ArchiveChange) (dropped int64, err error) {
	add := func(row *sqlite.Stmt) error {
		dropped += row.ColumnInt64(0)
		return nil
	}
	if c.DropAll {
		err = run(w.conn, "DELETE FROM archive_chunk WHERE account = ? RETURNING size", add, account)
		return dropped, err
	}
	for _, room := range c.Drop {
		const query = "DELETE FROM archive_chunk WHERE account = ? AND room = (SELECT row FROM room WHERE id = ?) RETURNING size"
		if err := run(w.conn, query, add, account, room[:]); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// appendChunk adds the room's next chunk, for a device that is in the room.
func (w *writer) appendChunk(d *device, c server.ArchiveChange) error {
	r, _, err := w.known(c.Room, c.Device)
	if err != nil {
		return err
	}
	if r.kind != wire.RoomKind_ROOM_KIND_SEALED {
		return server.Refuse(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "an open room has its log")
	}
	if !r.has(d) {
		return server.Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "the device is not in that room")
	}
	var next, size int64
	const count = "SELECT coalesce(max(place) + 1, 0) FROM archive_chunk WHERE account = ? AND room = ?"
	if _, err := one(w.conn, count, func(row *sqlite.Stmt) { next = row.ColumnInt64(0) }, d.account, r.row); err != nil {
		return err
	}
	const sum = "SELECT coalesce(sum(size), 0) FROM archive_chunk WHERE account = ?"
	if _, err := one(w.conn, sum, func(row *sqlite.Stmt) { size = row.ColumnInt64(0) }, d.account); err != nil {
		return err
	}
	switch {
	case next != int64(c.Index):
		return server.ErrArchiveChanged
	case size+int64(len(c.Chunk)) > c.Most:
		return server.ErrArchiveFull
	}
	const insert = "INSERT INTO archive_chunk (account, room, place, size, body) VALUES (?, ?, ?, ?, ?)"
	return run(w.conn, insert, nil, d.account, r.row, next, len(c.Chunk), c.Chunk)
}
