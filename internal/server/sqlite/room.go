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

// room is what the writer remembers of a room. It changes together with the
// transaction, and is forgotten when that fails.
type room struct {
	row      int64
	kind     wire.RoomKind
	epoch    uint64
	seq      uint64
	head     ident.Hash
	last     int64            // account of the commits that can be replaced; 0 where none can, or mixed
	direct   [2]int64         // accounts of a 1:1 room, else 0
	members  map[int64]member // sealed: by device row, those removed too
	accounts map[int64]bool   // open: account rows
	spoken   map[int64]bool   // sealed: accounts of which spoke has taken note
}

// member is a device in a sealed room.
type member struct {
	account int64
	removed bool
}

// knows reports whether the device may know that there is such a room.
func (r *room) knows(d *device) bool {
	_, was := r.members[d.row]
	return r.kind == wire.RoomKind_ROOM_KIND_OPEN || was
}

// has reports whether the device may append.
func (r *room) has(d *device) bool {
	if r.kind == wire.RoomKind_ROOM_KIND_OPEN {
		return r.accounts[d.account]
	}
	m, was := r.members[d.row]
	return was && !m.removed
}

// room gives what the writer knows of a room, nil where there is none.
func (w *writer) room(id ident.RoomID) (*room, error) {
	if r, ok := w.rooms[id]; ok {
		return r, nil
	}
	if len(w.rooms) >= cachedRooms {
		clear(w.rooms)
	}
	r, err := loadRoom(w.conn, id)
	if err != nil {
		return nil, fmt.Errorf("reading a room: %w", err)
	}
	if r != nil {
		w.rooms[id] = r
	}
	return r, nil
}

func loadRoom(conn *sqlite.Conn, id ident.RoomID) (*room, error) {
	r := &room{members: map[int64]member{}, accounts: map[int64]bool{}, spoken: map[int64]bool{}}
	const query = "SELECT row, kind, epoch, direct_low, direct_high FROM room WHERE id = ?"
	found, err := one(conn, query, func(row *sqlite.Stmt) {
		r.row, r.kind, r.epoch = row.ColumnInt64(0), wire.RoomKind(row.ColumnInt64(1)), uint64(row.ColumnInt64(2))
		r.direct = [2]int64{row.ColumnInt64(3), row.ColumnInt64(4)}
	}, id[:])
	if err != nil || !found {
		return nil, err
	}
	if r.seq, r.head, err = end(conn, r.row, id, maxSeq); err != nil {
		return nil, err
	}
	const last = "SELECT min(account), max(account) FROM replaceable WHERE place >= ? AND place <= ?"
	_, err = one(conn, last, func(row *sqlite.Stmt) {
		if r.last = row.ColumnInt64(0); r.last != row.ColumnInt64(1) {
			r.last = mixed
		}
	}, place(r.row, 0), place(r.row, maxSeq))
	if err != nil {
		return nil, err
	}
	err = run(conn, "SELECT device, account, until IS NOT NULL FROM member WHERE room = ?", func(row *sqlite.Stmt) error {
		r.members[row.ColumnInt64(0)] = member{account: row.ColumnInt64(1), removed: row.ColumnBool(2)}
		return nil
	}, r.row)
	if err != nil {
		return nil, err
	}
	return r, run(conn, "SELECT account FROM joined WHERE room = ?", func(row *sqlite.Stmt) error {
		r.accounts[row.ColumnInt64(0)] = true
		return nil
	}, r.row)
}

// CreateRoom is server.RoomStore's.
func (s *Store) CreateRoom(ctx context.Context, n server.NewRoom) (created server.Room, err error) {
	err = s.update(ctx, func(w *writer) error {
		var by *device
		if !n.By.IsZero() {
			if by, err = w.device(n.By); err != nil {
				return err
			}
			if by == nil || by.revoked {
				return server.ErrDeviceNotFound
			}
		}
		if err := w.createRoom(n, by); err != nil || by == nil {
			return err
		}
		created, err = roomSeenBy(w.conn, n.ID, n.By)
		return err
	})
	return created, err
}

func (w *writer) createRoom(n server.NewRoom, by *device) error {
	direct, err := w.pair(n, by)
	if err != nil {
		return err
	}
	same, exists, err := w.sameRoom(n, by, direct)
	if err != nil || same {
		return err
	}
	if exists {
		return errRoomExists
	}
	var name, low, high, maker any
	if n.Kind == wire.RoomKind_ROOM_KIND_OPEN {
		name = n.Name
	}
	if direct[0] != 0 {
		low, high = direct[0], direct[1]
	}
	if by != nil {
		maker = by.row
	}
	const insert = `INSERT INTO room (id, kind, name, everyone, epoch, direct_low, direct_high, created_by, created_at)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	if err := run(w.conn, insert, nil, n.ID[:], int(n.Kind), name, n.Everyone, low, high, maker, n.At); err != nil {
		return err
	}
	if w.conn.Changes() == 0 {
		return errRoomExists
	}
	made := w.conn.LastInsertRowID()
	if by != nil {
		if err := w.store(by.account, 4*rowBytes); err != nil {
			return err
		}
	}
	return w.enterNewRoom(n, by, made)
}

var errRoomExists = &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_CONFLICT, Message: "that room exists already",
	Hint: "it is in the list of rooms"}

// enterNewRoom puts the maker, or everyone, into a room just made.
func (w *writer) enterNewRoom(n server.NewRoom, by *device, room int64) error {
	if n.Everyone {
		return run(w.conn, "INSERT INTO joined (room, account, at, since) SELECT ?, row, ?, 0 FROM account", nil, room, n.At)
	}
	if by == nil {
		return nil
	}
	if n.Kind == wire.RoomKind_ROOM_KIND_OPEN {
		return run(w.conn, "INSERT INTO joined (room, account, at, since) VALUES (?, ?, ?, 0)", nil, room, by.account, n.At)
	}
	if err := run(w.conn, "INSERT INTO spoken (account, room) VALUES (?, ?)", nil, by.account, room); err != nil {
		return err
	}
	return run(w.conn, "INSERT INTO member (room, device, account, since) VALUES (?, ?, ?, 0)", nil, room, by.row, by.account)
}

// pair gives the account rows of a 1:1 room in order of their ids.
func (w *writer) pair(n server.NewRoom, by *device) ([2]int64, error) {
	if n.Direct.IsZero() || by == nil {
		return [2]int64{}, nil
	}
	var other int64
	found, err := one(w.conn, "SELECT row FROM account WHERE id = ?", func(row *sqlite.Stmt) { other = row.ColumnInt64(0) }, n.Direct[:])
	switch {
	case err != nil:
		return [2]int64{}, err
	case !found:
		return [2]int64{}, server.ErrAccountNotFound
	case other == by.account:
		return [2]int64{}, server.Refuse(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "a conversation needs two accounts")
	case bytes.Compare(n.Direct[:], by.accountID[:]) < 0:
		return [2]int64{other, by.account}, nil
	}
	return [2]int64{by.account, other}, nil
}

// sameRoom reports whether the id is in use, and by the same room.
func (w *writer) sameRoom(n server.NewRoom, by *device, direct [2]int64) (same, exists bool, err error) {
	const query = "SELECT kind, name, created_by, direct_low, direct_high FROM room WHERE id = ?"
	exists, err = one(w.conn, query, func(row *sqlite.Stmt) {
		maker := int64(0)
		if by != nil {
			maker = by.row
		}
		same = row.ColumnInt64(0) == int64(n.Kind) && row.ColumnText(1) == n.Name && row.ColumnInt64(2) == maker &&
			row.ColumnInt64(3) == direct[0] && row.ColumnInt64(4) == direct[1]
	}, n.ID[:])
	return same, exists, err
}

// JoinRoom is server.RoomStore's.
func (s *Store) JoinRoom(ctx context.Context, id ident.RoomID, device ident.DeviceID, at int64) (joined server.Room, err error) {
	err = s.update(ctx, func(w *writer) error {
		r, d, err := w.known(id, device)
		if err != nil {
			return err
		}
		if r.kind != wire.RoomKind_ROOM_KIND_OPEN {
			return server.Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "a sealed room is joined by being added")
		}
		delete(w.rooms, id)
		err = run(w.conn, "INSERT INTO joined (room, account, at, since) SELECT row, ?, ?, "+lastSeq+" FROM room r WHERE row = ? ON CONFLICT DO NOTHING", nil, d.account, at, r.row)
		if err != nil {
			return err
		}
		joined, err = roomSeenBy(w.conn, id, device)
		return err
	})
	return joined, err
}

// LeaveRoom is server.RoomStore's.
func (s *Store) LeaveRoom(ctx context.Context, id ident.RoomID, device ident.DeviceID) error {
	return s.update(ctx, func(w *writer) error {
		r, d, err := w.known(id, device)
		if err != nil {
			return err
		}
		delete(w.rooms, id)
		if r.kind == wire.RoomKind_ROOM_KIND_OPEN {
			return run(w.conn, "DELETE FROM joined WHERE room = ? AND account = ?", nil, r.row, d.account)
		}
		for other, m := range r.members {
			if other != d.row && !m.removed {
				return &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: "others are in this room",
					Hint: "propose to leave, in its log"}
			}
		}
		if err := run(w.conn, "DELETE FROM admission WHERE account = ? AND room = ?", nil, d.account, r.row); err != nil {
			return err
		}
		return run(w.conn, "DELETE FROM member WHERE room = ? AND device = ?", nil, r.row, d.row)
	})
}

// known gives a room and an enrolled device that may know of it.
func (w *writer) known(id ident.RoomID, deviceID ident.DeviceID) (*room, *device, error) {
	r, err := w.room(id)
	if err != nil {
		return nil, nil, err
	}
	d, err := w.device(deviceID)
	if err != nil {
		return nil, nil, err
	}
	if r == nil || d == nil || d.revoked || !r.knows(d) {
		return nil, nil, server.ErrRoomNotFound
	}
	return r, d, nil
}
