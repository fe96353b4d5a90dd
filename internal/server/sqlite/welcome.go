package sqlite

import (
	"context"
	"math"

	"snug/internal/ident"
	"snug/internal/server"

	"zombiezen.com/go/sqlite"
)

// Welcomes is server.LogStore's.
func (s *Store) Welcomes(ctx context.Context, device ident.DeviceID, after uint64, limit int) (welcomes []server.Welcome, err error) {
	const query = `SELECT r.id, e.place, e.head, a.id, by.id, b.body
		FROM device d JOIN welcome w ON w.device = d.row JOIN welcome_body b ON b.row = w.body
			JOIN entry e ON e.place = w.place JOIN room r ON r.row = e.place >> 32
			JOIN device by ON by.row = e.device JOIN account a ON a.row = by.account
		WHERE d.id = ? AND d.revoked_at IS NULL AND w.place > ? ORDER BY w.place LIMIT ?`
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		return run(conn, query, func(row *sqlite.Stmt) error {
			place := uint64(row.ColumnInt64(1))
			w := server.Welcome{Place: place, Seq: place & maxSeq, Bytes: blob(row, 5)}
			fill(row, 0, w.Room[:])
			fill(row, 2, w.Head[:])
			fill(row, 3, w.By.Account[:])
			fill(row, 4, w.By.Device[:])
			welcomes = append(welcomes, w)
			return nil
		}, device[:], int64(min(after, math.MaxInt64)), limit)
	})
	return welcomes, err
}

// TakeWelcome is server.LogStore's.
func (s *Store) TakeWelcome(ctx context.Context, device ident.DeviceID, room ident.RoomID, seq uint64) error {
	if seq > maxSeq {
		return nil
	}
	return s.update(ctx, func(w *writer) error {
		var welcome, body int64
		const query = `SELECT row, body FROM welcome WHERE device = (SELECT row FROM device WHERE id = ?)
			AND place = (SELECT row FROM room WHERE id = ?) << 32 | ?`
		found, err := one(w.conn, query, func(row *sqlite.Stmt) {
			welcome, body = row.ColumnInt64(0), row.ColumnInt64(1)
		}, device[:], room[:], seq)
		if err != nil || !found {
			return err
		}
		if err := run(w.conn, "DELETE FROM welcome WHERE row = ?", nil, welcome); err != nil {
			return err
		}
		return w.dropBodies([]int64{body})
	})
}

// dropWelcomesFor deletes what waits for a device.
func (w *writer) dropWelcomesFor(device int64) error {
	var bodies []int64
	err := run(w.conn, "SELECT body FROM welcome WHERE device = ?", appendRow(&bodies), device)
	if err == nil {
		err = run(w.conn, "DELETE FROM welcome WHERE device = ?", nil, device)
	}
	if err != nil {
		return err
	}
	return w.dropBodies(bodies)
}

// dropWelcomesBetween deletes the Welcomes of commits from a place on, and before another one.
func (w *writer) dropWelcomesBetween(from, before int64) error {
	var bodies []int64
	err := run(w.conn, "SELECT DISTINCT body FROM welcome WHERE place >= ? AND place < ?", appendRow(&bodies), from, before)
	if err == nil {
		err = run(w.conn, "DELETE FROM welcome WHERE place >= ? AND place < ?", nil, from, before)
	}
	if err != nil {
		return err
	}
	return w.dropBodies(bodies)
}

func appendRow(list *[]int64) func(*sqlite.Stmt) error {
	return func(row *sqlite.Stmt) error {
		*list = append(*list, row.ColumnInt64(0))
		return nil
	}
}

// dropBodies deletes those of some Welcomes that wait for nobody any more.
func (w *writer) dropBodies(bodies []int64) error {
	const drop = "DELETE FROM welcome_body WHERE row = ?1 AND NOT EXISTS (SELECT 1 FROM welcome WHERE body = ?1)"
	for _, body := range bodies {
		if err := run(w.conn, drop, nil, body); err != nil {
			return err
		}
		if w.conn.Changes() == 0 {
			continue
		}
		if err := w.repay(body); err != nil {
			return err
		}
	}
	return nil
}

// repay takes a Welcome that is gone off what its sender has stored. Those of earlier versions are nobody's.
func (w *writer) repay(body int64) error {
	var account, bytes int64
	const query = "SELECT account, bytes FROM welcome_payer WHERE body = ?"
	found, err := one(w.conn, query, func(row *sqlite.Stmt) { account, bytes = row.ColumnInt64(0), row.ColumnInt64(1) }, body)
	if err != nil || !found {
		return err
	}
	if err := run(w.conn, "DELETE FROM welcome_payer WHERE body = ?", nil, body); err != nil {
		return err
	}
	return w.charge(account, -bytes)
}
