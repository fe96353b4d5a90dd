package sqlite

import (
	"context"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

// selectRoom gives the room ?2 as device ?1 sees it: an open one (kind 2), one that its account has a device in, one of its
// pairs, or one that it was removed from.
const selectRoom = `WITH me AS (SELECT row AS device, account FROM device WHERE id = ?1 AND revoked_at IS NULL)
	SELECT r.row, r.id, r.kind, r.name, r.epoch, r.created_at, low.id, high.id, coalesce(m.since, j.since), m.until, j.account IS NOT NULL,
		CASE r.kind WHEN 2 THEN (SELECT count(*) FROM joined WHERE room = r.row)
			ELSE (SELECT count(DISTINCT account) FROM member WHERE room = r.row AND until IS NULL) END
	FROM me JOIN room r
		LEFT JOIN account low ON low.row = r.direct_low
		LEFT JOIN account high ON high.row = r.direct_high
		LEFT JOIN member m ON m.room = r.row AND m.device = me.device
		LEFT JOIN joined j ON j.room = r.row AND j.account = me.account
	WHERE r.id = ?2 AND (r.kind = 2 OR m.since IS NOT NULL OR r.direct_low = me.account OR r.direct_high = me.account
		OR EXISTS (SELECT 1 FROM member WHERE room = r.row AND account = me.account AND until IS NULL))`

// selectRoomIDs gives the ids after ?2, ?3 at most, of the rooms that device ?1 may see. It says where to look for them, so
// that nobody who asks has all rooms of the server looked at; open rooms are those that have a name.
const selectRoomIDs = `WITH me AS (SELECT account FROM device WHERE id = ?1 AND revoked_at IS NULL)
	SELECT id FROM room WHERE row IN (SELECT row FROM room WHERE name > ''
			UNION ALL SELECT room FROM member WHERE account = (SELECT account FROM me)
			UNION ALL SELECT row FROM room WHERE direct_low = (SELECT account FROM me)
			UNION ALL SELECT row FROM room WHERE direct_high = (SELECT account FROM me))
		AND id > ?2 AND EXISTS (SELECT 1 FROM me) ORDER BY id LIMIT ?3`

// lastSeq is the last seq of the log of room r, 0 for an empty one.
const lastSeq = `coalesce((SELECT place & 0xffffffff FROM entry
	WHERE place BETWEEN r.row << 32 AND r.row << 32 | 0xffffffff ORDER BY place DESC LIMIT 1), 0)`

// seen is a room on its way out of the database.
type seen struct {
	server.Room
	row     int64
	until   uint64
	visible bool // the device may read some of the log
}

// Rooms is server.RoomStore's.
func (s *Store) Rooms(ctx context.Context, device ident.DeviceID, after ident.RoomID, limit int) (rooms []server.Room, next ident.RoomID, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		var ids []ident.RoomID
		err := run(conn, selectRoomIDs, func(row *sqlite.Stmt) error {
			var id ident.RoomID
			fill(row, 0, id[:])
			ids = append(ids, id)
			return nil
		}, device[:], after[:], limit+1)
		if err == nil && len(ids) > limit {
			ids = ids[:limit]
			next = ids[limit-1]
		}
		for _, id := range ids {
			if err == nil {
				rooms, err = roomsSeenBy(conn, rooms, device, id)
			}
		}
		return err
	})
	return rooms, next, err
}

// Room is server.RoomStore's.
func (s *Store) Room(ctx context.Context, id ident.RoomID, device ident.DeviceID) (room server.Room, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		room, err = roomSeenBy(conn, id, device)
		return err
	})
	return room, err
}

func roomSeenBy(conn *sqlite.Conn, id ident.RoomID, device ident.DeviceID) (server.Room, error) {
	rooms, err := roomsSeenBy(conn, nil, device, id)
	if err != nil {
		return server.Room{}, err
	}
	if len(rooms) == 0 {
		return server.Room{}, server.ErrRoomNotFound
	}
	return rooms[0], nil
}

// roomsSeenBy appends the room, if the device may see it.
func roomsSeenBy(conn *sqlite.Conn, rooms []server.Room, device ident.DeviceID, id ident.RoomID) ([]server.Room, error) {
	var s seen
	found, err := one(conn, selectRoom, func(row *sqlite.Stmt) { s = seenOf(row) }, device[:], id[:])
	if err != nil || !found {
		return rooms, err
	}
	s.Head = ident.EmptyHead(s.ID)
	if s.visible {
		s.Seq, s.Head, err = end(conn, s.row, s.ID, min(s.until, maxSeq))
	}
	return append(rooms, s.Room), err
}

func seenOf(row *sqlite.Stmt) seen {
	s := seen{row: row.ColumnInt64(0), until: server.NoEnd}
	fill(row, 1, s.ID[:])
	s.Kind, s.Name, s.CreatedAt = wire.RoomKind(row.ColumnInt64(2)), row.ColumnText(3), row.ColumnInt64(5)
	if !row.ColumnIsNull(6) {
		s.Direct = make([]ident.AccountID, 2)
		fill(row, 6, s.Direct[0][:])
		fill(row, 7, s.Direct[1][:])
	}
	s.Members = uint32(row.ColumnInt64(11))
	if s.Kind == wire.RoomKind_ROOM_KIND_OPEN {
		s.visible, s.Joined, s.Since = true, row.ColumnBool(10), uint64(row.ColumnInt64(8))
		return s
	}
	if !row.ColumnIsNull(8) {
		s.visible, s.Since = true, uint64(row.ColumnInt64(8))
		s.Joined = row.ColumnIsNull(9)
	}
	if s.Joined {
		s.Epoch = uint64(row.ColumnInt64(4))
	} else if s.visible {
		s.until = uint64(row.ColumnInt64(9))
	}
	return s
}

// Members is server.RoomStore's.
func (s *Store) Members(ctx context.Context, id ident.RoomID, device ident.DeviceID) (members []server.Account, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		room, a, err := access(conn, id, device)
		if err != nil {
			return err
		}
		if a.Until != server.NoEnd {
			return server.ErrRoomNotFound
		}
		const query = `SELECT id, handle FROM account WHERE row IN (SELECT account FROM joined WHERE room = ?1)
			OR row IN (SELECT account FROM member WHERE room = ?1 AND until IS NULL) ORDER BY handle`
		return run(conn, query, func(row *sqlite.Stmt) error {
			account := server.Account{Handle: row.ColumnText(1)}
			fill(row, 0, account.ID[:])
			members = append(members, account)
			return nil
		}, room)
	})
	return members, err
}
