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

// device is what the writer remembers of a device.
type device struct {
	row       int64
	account   int64
	accountID ident.AccountID
	revoked   bool
}

// device gives what the writer knows of a device, nil where there is none.
func (w *writer) device(id ident.DeviceID) (*device, error) {
	if d, ok := w.devices[id]; ok {
		return d, nil
	}
	if len(w.devices) >= cachedDevices {
		clear(w.devices)
	}
	d := &device{}
	const query = `SELECT d.row, d.account, a.id, d.revoked_at IS NOT NULL
		FROM device d JOIN account a ON a.row = d.account WHERE d.id = ?`
	found, err := one(w.conn, query, func(row *sqlite.Stmt) {
		d.row, d.account, d.revoked = row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnBool(3)
		fill(row, 2, d.accountID[:])
	}, id[:])
	if err != nil {
		return nil, fmt.Errorf("reading a device: %w", err)
	}
	if !found {
		return nil, nil
	}
	w.devices[id] = d
	return d, nil
}

const selectDevice = `SELECT d.id, d.key, a.id, d.revoked_at IS NOT NULL, a.handle, a.owner
	FROM device d JOIN account a ON a.row = d.account WHERE `

// Device is server.DeviceStore's.
func (s *Store) Device(ctx context.Context, id ident.DeviceID) (server.Device, error) {
	return s.findDevice(ctx, selectDevice+"d.id = ?", id[:])
}

// DeviceByKey is server.DeviceStore's.
func (s *Store) DeviceByKey(ctx context.Context, key ident.PublicKey) (server.Device, error) {
	return s.findDevice(ctx, selectDevice+"d.key = ?", key[:])
}

func (s *Store) findDevice(ctx context.Context, query string, arg []byte) (d server.Device, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		found, err := one(conn, query, func(row *sqlite.Stmt) {
			fill(row, 0, d.ID[:])
			fill(row, 1, d.Key[:])
			fill(row, 2, d.Account[:])
			d.Revoked, d.Handle, d.Owner = row.ColumnBool(3), row.ColumnText(4), row.ColumnBool(5)
		}, arg)
		if err == nil && !found {
			err = server.ErrDeviceNotFound
		}
		return err
	})
	return d, err
}

// Enrol is server.DeviceStore's.
func (s *Store) Enrol(ctx context.Context, c server.ChainChange, d server.Device, p server.KeyPackages) error {
	return s.update(ctx, func(w *writer) error {
		account, err := w.changeChain(c)
		if err != nil {
			return err
		}
		return w.insertDevice(account, d, p, c.At)
	})
}

// insertDevice stores a device that a chain enrols, with its key packages.
func (w *writer) insertDevice(account int64, d server.Device, p server.KeyPackages, at int64) error {
	const insert = "INSERT INTO device (id, key, account, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
	if err := run(w.conn, insert, nil, d.ID[:], d.Key[:], account, at); err != nil {
		return err
	}
	if w.conn.Changes() == 0 {
		return server.Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "that device key is in use")
	}
	delete(w.devices, d.ID)
	return w.putKeyPackages(account, w.conn.LastInsertRowID(), p)
}

// changeChain replaces an account's chain and gives the account's row.
func (w *writer) changeChain(c server.ChainChange) (account int64, err error) {
	if err := w.stillEnrolled(c.By); err != nil {
		return 0, err
	}
	var chain, auth []byte
	found, err := one(w.conn, "SELECT row, chain, auth FROM account WHERE id = ?", func(row *sqlite.Stmt) {
		account, chain, auth = row.ColumnInt64(0), blob(row, 1), blob(row, 2)
	}, c.Account[:])
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, server.ErrAccountNotFound
	case !bytes.Equal(chain, c.Before), c.Auth != nil && !bytes.Equal(auth, c.Auth):
		return 0, server.ErrChainGrown
	}
	return account, run(w.conn, "UPDATE account SET chain = ? WHERE row = ?", nil, c.After, account)
}

// stillEnrolled refuses a device that is revoked by now; the zero id stands for none.
func (w *writer) stillEnrolled(id ident.DeviceID) error {
	if id.IsZero() {
		return nil
	}
	d, err := w.device(id)
	if err == nil && (d == nil || d.revoked) {
		err = server.ErrRevoked
	}
	return err
}

// ChangeChain is server.DeviceStore's.
func (s *Store) ChangeChain(ctx context.Context, c server.ChainChange) error {
	return s.update(ctx, func(w *writer) error {
		_, err := w.changeChain(c)
		return err
	})
}

// Revoke is server.DeviceStore's.
func (s *Store) Revoke(ctx context.Context, c server.ChainChange, id ident.DeviceID) error {
	return s.update(ctx, func(w *writer) error {
		account, err := w.changeChain(c)
		if err != nil {
			return err
		}
		d, err := w.device(id)
		if err != nil {
			return err
		}
		if d == nil || d.account != account {
			return server.ErrDeviceNotFound
		}
		delete(w.devices, id)
		packages, err := w.keyPackageBytes(d.row)
		if err == nil {
			err = run(w.conn, "DELETE FROM key_package WHERE device = ?", nil, d.row)
		}
		if err == nil {
			err = w.charge(d.account, -packages)
		}
		if err != nil {
			return err
		}
		if err := w.dropWelcomesFor(d.row); err != nil {
			return err
		}
		return run(w.conn, "UPDATE device SET revoked_at = ? WHERE row = ?", nil, c.At, d.row)
	})
}
