package sqlite

import (
	"context"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

// CreateAccount is server.AccountStore's.
func (s *Store) CreateAccount(ctx context.Context, n server.NewAccount) (owner bool, err error) {
	err = s.update(ctx, func(w *writer) error {
		if owner, err = w.checkInvite(n); err != nil {
			return err
		}
		row, err := w.insertAccount(n, owner)
		if err != nil {
			return err
		}
		if err := w.insertDevice(row, n.Device, n.KeyPackages, n.At); err != nil {
			return err
		}
		if n.UseInvite {
			if err := run(w.conn, "UPDATE invite SET used_by = ? WHERE hash = ?", nil, row, n.Invite[:]); err != nil {
				return err
			}
		}
		clear(w.rooms) // those of everyone have one more
		return run(w.conn, "INSERT INTO joined (room, account, at, since) SELECT row, ?, ?, "+lastSeq+" FROM room r WHERE everyone", nil, row, n.At)
	})
	return owner, err
}

// checkInvite reports whether the invite is an owner's.
func (w *writer) checkInvite(n server.NewAccount) (owner bool, err error) {
	if !n.UseInvite {
		return false, nil
	}
	var used, expired bool
	const query = "SELECT owner, used_by IS NOT NULL, NOT owner AND expires_at <= ? FROM invite WHERE hash = ?"
	found, err := one(w.conn, query, func(row *sqlite.Stmt) {
		owner, used, expired = row.ColumnBool(0), row.ColumnBool(1), row.ColumnBool(2)
	}, n.At, n.Invite[:])
	switch {
	case err != nil:
		return false, err
	case !found:
		return false, server.ErrInviteUnknown
	case used:
		return false, server.ErrInviteUsed
	case expired:
		return false, server.ErrInviteExpired
	case n.OwnerOnly && !owner:
		return false, server.ErrClosed
	}
	return owner, nil
}

func (w *writer) insertAccount(n server.NewAccount, owner bool) (row int64, err error) {
	taken, err := one(w.conn, "SELECT 1 FROM account WHERE handle = ?", nil, n.Handle)
	if err != nil {
		return 0, err
	}
	if taken {
		return 0, server.ErrHandleTaken
	}
	const insert = `INSERT INTO account (id, handle, owner, chain, vault, salt, memory_kib, passes, lanes, auth, digest, created_at, seen_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`
	err = run(w.conn, insert, nil, n.ID[:], n.Handle, owner, n.Chain, n.Vault, n.Salt, n.Argon2.MemoryKiB, n.Argon2.Passes,
		n.Argon2.Lanes, n.Auth, n.Digest[:], n.At)
	if err != nil {
		return 0, err
	}
	if w.conn.Changes() == 0 {
		return 0, server.Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "that account exists already")
	}
	return w.conn.LastInsertRowID(), nil
}

const selectAccount = `SELECT id, handle, owner, seen_at, chain, vault, salt, memory_kib, passes, lanes, auth, digest
	FROM account WHERE `

// Account is server.AccountStore's.
func (s *Store) Account(ctx context.Context, id ident.AccountID) (server.Account, error) {
	return s.findAccount(ctx, selectAccount+"id = ?", id[:])
}

// AccountByHandle is server.AccountStore's.
func (s *Store) AccountByHandle(ctx context.Context, handle string) (server.Account, error) {
	return s.findAccount(ctx, selectAccount+"handle = ?", handle)
}

func (s *Store) findAccount(ctx context.Context, query string, arg any) (a server.Account, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		found, err := one(conn, query, func(row *sqlite.Stmt) {
			a = listed(row)
			a.Chain, a.Vault, a.Salt, a.Auth = blob(row, 4), blob(row, 5), blob(row, 6), blob(row, 10)
			a.Argon2 = server.Argon2{MemoryKiB: uint32(row.ColumnInt64(7)), Passes: uint32(row.ColumnInt64(8)), Lanes: uint32(row.ColumnInt64(9))}
			fill(row, 11, a.Digest[:])
		}, arg)
		if err == nil && !found {
			err = server.ErrAccountNotFound
		}
		return err
	})
	return a, err
}

// ChangePassphrase is server.AccountStore's.
func (s *Store) ChangePassphrase(ctx context.Context, c server.PassphraseChange) error {
	const update = `UPDATE account SET vault = ?, salt = ?, memory_kib = ?, passes = ?, lanes = ?, auth = ?
		WHERE id = ? AND vault = ?`
	return s.update(ctx, func(w *writer) error {
		if err := w.stillEnrolled(c.By); err != nil {
			return err
		}
		err := run(w.conn, update, nil, c.Vault, c.Salt, c.Argon2.MemoryKiB, c.Argon2.Passes, c.Argon2.Lanes, c.Auth, c.Account[:], c.Before)
		if err == nil && w.conn.Changes() == 0 {
			err = server.ErrVaultChanged
		}
		return err
	})
}

// listed reads what a list of accounts shows.
func listed(row *sqlite.Stmt) server.Account {
	a := server.Account{Handle: row.ColumnText(1), Owner: row.ColumnBool(2), SeenAt: row.ColumnInt64(3)}
	fill(row, 0, a.ID[:])
	return a
}

// Accounts is server.AccountStore's.
func (s *Store) Accounts(ctx context.Context, after string, limit int) (accounts []server.Account, err error) {
	const query = "SELECT id, handle, owner, seen_at FROM account WHERE handle > ? ORDER BY handle LIMIT ?"
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		return run(conn, query, func(row *sqlite.Stmt) error {
			accounts = append(accounts, listed(row))
			return nil
		}, after, limit)
	})
	return accounts, err
}

// Touch is server.AccountStore's.
func (s *Store) Touch(seen map[ident.AccountID]int64) {
	o := &op{done: make(chan struct{})}
	o.do = func(w *writer) error {
		for id, at := range seen {
			if err := run(w.conn, "UPDATE account SET seen_at = ? WHERE id = ?", nil, at, id[:]); err != nil {
				return err
			}
		}
		return nil
	}
	s.write.queue <- write{op: o}
}

// HasOwner is server.AccountStore's.
func (s *Store) HasOwner(ctx context.Context) (has bool, err error) {
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		has, err = one(conn, "SELECT 1 FROM account WHERE owner LIMIT 1", nil)
		return err
	})
	return has, err
}

// CreateInvite is server.AccountStore's.
func (s *Store) CreateInvite(ctx context.Context, i server.NewInvite) error {
	return s.update(ctx, func(w *writer) error {
		if i.Owner {
			if err := run(w.conn, "DELETE FROM invite WHERE owner AND used_by IS NULL", nil); err != nil {
				return err
			}
		}
		var maker int64
		found, err := one(w.conn, "SELECT row FROM account WHERE id = ?", func(row *sqlite.Stmt) { maker = row.ColumnInt64(0) }, i.By[:])
		if err == nil && found {
			err = w.store(maker, 2*rowBytes)
		}
		if err != nil {
			return err
		}
		const insert = "INSERT INTO invite (hash, owner, made_by, expires_at) VALUES (?, ?, (SELECT row FROM account WHERE id = ?), ?)"
		return run(w.conn, insert, nil, i.Hash[:], i.Owner, i.By[:], i.ExpiresAt)
	})
}

// Peers is server.AccountStore's.
func (s *Store) Peers(ctx context.Context, id ident.AccountID) (peers []ident.AccountID, err error) {
	const query = `WITH me AS (SELECT row FROM account WHERE id = ?)
		SELECT id FROM account WHERE row IN (
			SELECT o.account FROM joined m JOIN joined o ON o.room = m.room WHERE m.account = (SELECT row FROM me)
			UNION SELECT o.account FROM member m JOIN member o ON o.room = m.room
				WHERE m.account = (SELECT row FROM me) AND m.until IS NULL AND o.until IS NULL
			UNION SELECT row FROM me)`
	err = s.view(ctx, func(conn *sqlite.Conn) error {
		return run(conn, query, func(row *sqlite.Stmt) error {
			var peer ident.AccountID
			fill(row, 0, peer[:])
			peers = append(peers, peer)
			return nil
		}, id[:])
	})
	return peers, err
}
