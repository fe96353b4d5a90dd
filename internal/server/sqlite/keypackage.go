package sqlite

import (
	"context"

	"snug/internal/ident"
	"snug/internal/server"

	"zombiezen.com/go/sqlite"
)

// PutKeyPackages is server.DeviceStore's.
func (s *Store) PutKeyPackages(ctx context.Context, id ident.DeviceID, p server.KeyPackages) (left int, err error) {
	err = s.update(ctx, func(w *writer) error {
		d, err := w.device(id)
		if err != nil {
			return err
		}
		if d == nil || d.revoked {
			return server.ErrDeviceNotFound
		}
		if err := w.putKeyPackages(d.account, d.row, p); err != nil {
			return err
		}
		left, err = countKeyPackages(w.conn, id)
		return err
	})
	return left, err
}

func (w *writer) putKeyPackages(account, device int64, p server.KeyPackages) error {
	before, err := w.keyPackageBytes(device)
	if err == nil {
		err = w.replaceKeyPackages(device, p)
	}
	if err != nil {
		return err
	}
	after, err := w.keyPackageBytes(device)
	if err != nil {
		return err
	}
	return w.store(account, after-before)
}

// keyPackageBytes gives how much the packages of a device are together.
func (w *writer) keyPackageBytes(device int64) (bytes int64, err error) {
	const query = "SELECT coalesce(sum(length(body)), 0) FROM key_package WHERE device = ?"
	_, err = one(w.conn, query, func(row *sqlite.Stmt) { bytes = row.ColumnInt64(0) }, device)
	return bytes, err
}

func (w *writer) replaceKeyPackages(device int64, p server.KeyPackages) error {
	const insert = "INSERT INTO key_package (device, last_resort, body) VALUES (?, ?, ?)"
	drop := func(lastResort int) error {
		return run(w.conn, "DELETE FROM key_package WHERE device = ? AND last_resort = ?", nil, device, lastResort)
	}
	if p.Replace {
		if err := drop(0); err != nil {
			return err
		}
	}
	for _, body := range p.OneTime {
		w.dirty += 1 + len(body)/4096
		if err := run(w.conn, insert, nil, device, 0, body); err != nil {
			return err
		}
	}
	if p.LastResort == nil {
		return nil
	}
	if err := drop(1); err != nil {
		return err
	}
	return run(w.conn, insert, nil, device, 1, p.LastResort)
}

// RemainingKeyPackages is server.DeviceStore's.
func (s *Store) RemainingKeyPackages(ctx context.Context, id ident.DeviceID) (left int, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		left, err = countKeyPackages(conn, id)
		return err
	})
	return left, err
}

func countKeyPackages(conn *sqlite.Conn, id ident.DeviceID) (n int, err error) {
	const query = "SELECT count(*) FROM key_package WHERE last_resort = 0 AND device = (SELECT row FROM device WHERE id = ?)"
	_, err = one(conn, query, func(row *sqlite.Stmt) { n = row.ColumnInt(0) }, id[:])
	return n, err
}

// ClaimKeyPackages is server.DeviceStore's.
func (s *Store) ClaimKeyPackages(ctx context.Context, accounts []ident.AccountID, devices []ident.DeviceID, limit int) (claimed []server.KeyPackage, err error) {
	err = s.update(ctx, func(w *writer) error {
		wanted, err := w.claimable(accounts, devices)
		if err != nil {
			return err
		}
		for _, d := range wanted[:min(limit, len(wanted))] {
			p, err := w.claim(d)
			if err != nil {
				return err
			}
			if p != nil {
				claimed = append(claimed, *p)
			}
		}
		return nil
	})
	return claimed, err
}

// wanted is a device that a key package is claimed of.
type wanted struct {
	row, account int64
	server.DeviceRef
}

// claimable gives the enrolled devices, each once, in the order asked for.
func (w *writer) claimable(accounts []ident.AccountID, devices []ident.DeviceID) (list []wanted, err error) {
	has := make(map[int64]bool)
	collect := func(row *sqlite.Stmt) error {
		d := wanted{row: row.ColumnInt64(0), account: row.ColumnInt64(3)}
		fill(row, 1, d.Account[:])
		fill(row, 2, d.Device[:])
		if !has[d.row] {
			has[d.row] = true
			list = append(list, d)
		}
		return nil
	}
	const query = `SELECT d.row, a.id, d.id, a.row FROM device d JOIN account a ON a.row = d.account WHERE d.revoked_at IS NULL AND `
	for _, id := range accounts {
		if err := run(w.conn, query+"a.id = ? ORDER BY d.row", collect, id[:]); err != nil {
			return nil, err
		}
	}
	for _, id := range devices {
		if err := run(w.conn, query+"d.id = ?", collect, id[:]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// claim takes the oldest one-time package of a device, or copies its last resort;
// nil where it has neither.
func (w *writer) claim(d wanted) (*server.KeyPackage, error) {
	var row int64
	var lastResort bool
	var p *server.KeyPackage
	const query = "SELECT row, last_resort, body FROM key_package WHERE device = ? ORDER BY last_resort, row LIMIT 1"
	_, err := one(w.conn, query, func(stmt *sqlite.Stmt) {
		row, lastResort = stmt.ColumnInt64(0), stmt.ColumnBool(1)
		p = &server.KeyPackage{Account: d.Account, Device: d.Device, Bytes: blob(stmt, 2)}
	}, d.row)
	if err != nil || p == nil || lastResort {
		return p, err
	}
	if err := run(w.conn, "DELETE FROM key_package WHERE row = ?", nil, row); err != nil {
		return p, err
	}
	return p, w.charge(d.account, -int64(len(p.Bytes)))
}
