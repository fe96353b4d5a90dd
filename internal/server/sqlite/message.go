package sqlite

import (
	"bytes"
	"context"
	"fmt"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

// maxSeq bounds a log so that place stays unique: 2^32 - 1 entries are 100 a second
// for more than a year, in one room.
const maxSeq = 1<<32 - 1

func place(room int64, seq uint64) int64 { return room<<32 | int64(seq) }

const insertEntry = `INSERT INTO entry (place, kind, device, id, epoch, at, head, envelope, payload)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, id) DO NOTHING`

// submit appends an entry or sets s.Err. The error is one that ends the batch.
func (w *writer) submit(s *server.Submission) error {
	r, err := w.room(s.Room)
	if err != nil {
		return err
	}
	d, err := w.device(s.Device)
	if err != nil {
		return err
	}
	refusal, err := w.judge(r, d, s)
	if err == nil && refusal == nil {
		refusal, err = w.mayStore(d.account, entrySize(s), urgent(s))
	}
	if err != nil {
		return err
	}
	if refusal != nil {
		return w.repeated(r, d, s, refusal)
	}
	return w.appendEntry(r, d, s)
}

// judge gives the reason why the entry cannot be appended as a new one.
func (w *writer) judge(r *room, d *device, s *server.Submission) (*server.Refusal, error) {
	switch {
	case r == nil || d == nil || !r.knows(d) && !(s.Restart && r.accountIn(d.account)):
		return server.ErrRoomNotFound, nil
	case d.revoked || replaces(s) == nil && !s.Restart && !r.has(d):
		return errNotIn, nil
	case !r.takes(s):
		return errKind, nil
	case r.seq >= maxSeq:
		return errRoomFull, nil
	case replaces(s) != nil:
		return w.judgeReplacing(r, d, s)
	case s.Restart && !r.alone(d.account):
		return errNotAlone, nil
	case r.kind == wire.RoomKind_ROOM_KIND_SEALED && s.Epoch != r.epoch:
		return &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_EPOCH, Message: "the room has moved on to another epoch",
			Hint: "catch up and seal again", Epoch: r.epoch, Seq: r.seq}, nil
	case s.Commit != nil:
		return w.judgeCommit(r, d, s)
	case s.Restart:
		return w.judgeRestart(r, d, s)
	}
	return nil, nil
}

var (
	errNotIn = &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: "this device is not in the room",
		Hint: "ask a member to add it, or join the room if it is open"}
	errKind       = server.Refuse(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "that kind of entry does not belong in this room")
	errRoomFull   = server.Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "the room's log is full")
	errIDConflict = server.Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "that message id was used for another message")
)

// takes reports whether the entry's kind belongs in the room.
func (r *room) takes(s *server.Submission) bool {
	if s.Reject != nil != (s.Kind == wire.EntryKind_ENTRY_KIND_REJECT) || s.Restart != (s.Kind == wire.EntryKind_ENTRY_KIND_RESTART) {
		return false
	}
	switch s.Kind {
	case wire.EntryKind_ENTRY_KIND_REJECT:
		return r.kind == wire.RoomKind_ROOM_KIND_SEALED && s.Commit == nil && s.Epoch == 0
	case wire.EntryKind_ENTRY_KIND_SEALED, wire.EntryKind_ENTRY_KIND_PROPOSAL, wire.EntryKind_ENTRY_KIND_RESTART:
		return r.kind == wire.RoomKind_ROOM_KIND_SEALED && s.Commit == nil
	case wire.EntryKind_ENTRY_KIND_COMMIT:
		return r.kind == wire.RoomKind_ROOM_KIND_SEALED && s.Commit != nil
	case wire.EntryKind_ENTRY_KIND_OPEN:
		return r.kind == wire.RoomKind_ROOM_KIND_OPEN && s.Commit == nil && s.Epoch == 0
	}
	return false
}

func (w *writer) appendEntry(r *room, d *device, s *server.Submission) error {
	seq := r.seq + 1
	head := ident.NextHead(r.head, ident.LogEntry{
		Room: s.Room, Seq: seq, Kind: uint8(s.Kind), Sender: s.Device, Message: s.ID, Epoch: s.Epoch,
		UnixMilli: uint64(s.At), Payload: s.PayloadHash,
	})
	added, err := w.insertEntry(place(r.row, seq), d.row, head, s)
	if err != nil {
		return err
	}
	if !added {
		return w.repeated(r, d, s, errIDConflict)
	}
	s.Seq, s.Head, s.Err, s.Repeated = seq, head, nil, false
	r.seq, r.head = seq, head
	w.dirty += 2 + len(s.Payload)/4096
	if err := w.charge(d.account, entrySize(s)); err != nil {
		return err
	}
	if s.Reject != nil {
		return run(w.conn, "INSERT INTO reject (place, device) VALUES (?, ?)", nil, place(r.row, s.Reject.Seq), d.row)
	}
	switch {
	case s.Commit != nil:
		return w.applyCommit(r, d, s)
	case s.Restart:
		return w.applyRestart(r, d, s)
	case s.Kind == wire.EntryKind_ENTRY_KIND_SEALED:
		return w.spoke(r, d.account)
	}
	return nil
}

// insertEntry reports false where (device, id) is in some log already.
func (w *writer) insertEntry(place, device int64, head ident.Hash, s *server.Submission) (bool, error) {
	// Prepared by hand and not by run: this is the one statement that counts.
	stmt, err := w.conn.Prepare(insertEntry)
	if err != nil {
		return false, err
	}
	stmt.BindInt64(1, place)
	stmt.BindInt64(2, int64(s.Kind))
	stmt.BindInt64(3, device)
	stmt.BindBytes(4, s.ID[:])
	stmt.BindInt64(5, int64(s.Epoch))
	stmt.BindInt64(6, s.At)
	stmt.BindBytes(7, head[:])
	if s.Commit != nil {
		stmt.BindBytes(8, s.Commit.Hash[:])
	} else {
		stmt.BindNull(8)
	}
	stmt.BindBytes(9, s.Payload)
	if _, err := stmt.Step(); err != nil {
		return false, err
	}
	return w.conn.Changes() == 1, nil
}

// repeated looks for the entry that s may be a repetition of: then the outcome is
// that of the first time. Else it is refused.
func (w *writer) repeated(r *room, d *device, s *server.Submission, refusal *server.Refusal) error {
	s.Err = refusal
	if d == nil {
		return nil
	}
	const query = "SELECT place, kind, epoch, at, head, envelope, payload FROM entry WHERE device = ? AND id = ?"
	_, err := one(w.conn, query, func(row *sqlite.Stmt) {
		seq := uint64(row.ColumnInt64(0)) & maxSeq
		if r == nil || row.ColumnInt64(0) != place(r.row, seq) || !sameEntry(row, s) {
			s.Err = errIDConflict
			return
		}
		s.Err, s.Repeated, s.Seq, s.At = nil, true, seq, row.ColumnInt64(3)
		fill(row, 4, s.Head[:])
	}, d.row, s.ID[:])
	return err
}

func sameEntry(row *sqlite.Stmt, s *server.Submission) bool {
	var envelope []byte
	if s.Commit != nil {
		envelope = s.Commit.Hash[:]
	}
	return row.ColumnInt64(1) == int64(s.Kind) && row.ColumnInt64(2) == int64(s.Epoch) &&
		bytes.Equal(blob(row, 5), envelope) && bytes.Equal(blob(row, 6), s.Payload)
}

const (
	selectEntries = `SELECT e.place, e.kind, d.id, a.id, e.id, e.epoch, e.at, e.payload, e.head
		FROM entry e JOIN device d ON d.row = e.device JOIN account a ON a.row = d.account
		WHERE e.place > ? AND e.place < ? ORDER BY e.place`
	selectForward  = selectEntries + " LIMIT ?"
	selectBackward = selectEntries + " DESC LIMIT ?"
)

// Fetch is server.LogStore's.
func (s *Store) Fetch(ctx context.Context, f server.Fetch, yield func(*wire.Entry) bool) (got server.Fetched, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		room, access, err := access(conn, f.Room, f.Device)
		if err != nil {
			return err
		}
		if got.Seq, got.Head, err = end(conn, room, f.Room, min(access.Until, maxSeq)); err != nil {
			return err
		}
		after, before := stretch(f, access, got.Seq)
		got.More, err = entries(conn, room, after, before, f, yield)
		return err
	})
	return got, err
}

// stretch narrows a fetch to what the device may read and what there is:
// after < seq < before.
func stretch(f server.Fetch, a server.Access, end uint64) (after, before uint64) {
	before = end + 1
	if f.Before != 0 {
		before = min(before, f.Before)
	}
	after = min(f.After, end)
	if a.Since > 0 {
		after = max(after, a.Since-1)
	}
	return after, before
}

// entries gives more: entries that match beyond the limit or beyond yield's no.
func entries(conn *sqlite.Conn, room int64, after, before uint64, f server.Fetch, yield func(*wire.Entry) bool) (more bool, err error) {
	if after+1 >= before {
		return false, nil
	}
	query := selectForward
	if f.Last {
		query = selectBackward
	}
	left := f.Limit
	err = run(conn, query, func(row *sqlite.Stmt) error {
		if left == 0 || !yield(entryOf(row)) {
			more = true
			return errStop
		}
		left--
		return nil
	}, place(room, after), place(room, before), f.Limit+1)
	return more, err
}

func entryOf(row *sqlite.Stmt) *wire.Entry {
	return &wire.Entry{
		Seq: uint64(row.ColumnInt64(0)) & maxSeq, Kind: wire.EntryKind(row.ColumnInt64(1)), Device: blob(row, 2),
		Account: blob(row, 3), Id: blob(row, 4), Epoch: uint64(row.ColumnInt64(5)), At: row.ColumnInt64(6),
		Payload: blob(row, 7), Head: blob(row, 8),
	}
}

// end gives the log's last seq up to a bound, and the head after it.
func end(conn *sqlite.Conn, room int64, id ident.RoomID, bound uint64) (seq uint64, head ident.Hash, err error) {
	const query = "SELECT place, head FROM entry WHERE place > ? AND place <= ? ORDER BY place DESC LIMIT 1"
	head = ident.EmptyHead(id)
	_, err = one(conn, query, func(row *sqlite.Stmt) {
		seq = uint64(row.ColumnInt64(0)) & maxSeq
		fill(row, 1, head[:])
	}, place(room, 0), place(room, bound))
	if err != nil {
		return 0, head, fmt.Errorf("reading the end of a log: %w", err)
	}
	return seq, head, nil
}

// Access is server.RoomStore's.
func (s *Store) Access(ctx context.Context, id ident.RoomID, device ident.DeviceID) (a server.Access, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		var room int64
		room, a, err = access(conn, id, device)
		if err != nil {
			return err
		}
		a.Seq, _, err = end(conn, room, id, maxSeq)
		return err
	})
	return a, err
}

// access judges by what is durable now. It leaves Seq to its callers.
func access(conn *sqlite.Conn, id ident.RoomID, device ident.DeviceID) (room int64, a server.Access, err error) {
	const query = `SELECT r.row, r.kind, m.since, m.until FROM room r, device d
		LEFT JOIN member m ON m.room = r.row AND m.device = d.row
		WHERE r.id = ? AND d.id = ? AND d.revoked_at IS NULL AND (r.kind = ? OR m.since IS NOT NULL)`
	found, err := one(conn, query, func(row *sqlite.Stmt) {
		room, a.Kind = row.ColumnInt64(0), wire.RoomKind(row.ColumnInt64(1))
		a.Since, a.Until = uint64(row.ColumnInt64(2)), server.NoEnd
		if !row.ColumnIsNull(3) {
			a.Until = uint64(row.ColumnInt64(3))
		}
	}, id[:], device[:], int(wire.RoomKind_ROOM_KIND_OPEN))
	if err == nil && !found {
		err = server.ErrRoomNotFound
	}
	return room, a, err
}
