package sqlite

import (
	"fmt"

	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

// newcomers gives the accounts that a commit lets into a room in which they have no device yet, those of others than the
// sender's, and without those that have asked to be let in.
func (w *writer) newcomers(r *room, sender *device, c *server.Commit) (list []*device, err error) {
	known := map[int64]bool{sender.account: true}
	for _, m := range r.members {
		if !m.removed {
			known[m.account] = true
		}
	}
	for _, ref := range c.Added {
		d, err := w.device(ref.Device)
		if err != nil {
			return nil, err
		}
		if d != nil && !known[d.account] && !c.Asked[d.accountID] {
			known[d.account] = true
			list = append(list, d)
		}
	}
	return list, nil
}

// judgeAdmissions refuses a commit that lets in an account which has not answered to enough of that.
func (w *writer) judgeAdmissions(r *room, sender *device, s *server.Submission) (*server.Refusal, error) {
	list, err := w.newcomers(r, sender, s.Commit)
	for _, d := range list {
		if err != nil {
			return nil, err
		}
		var refusal *server.Refusal
		if refusal, err = w.judgeAdmission(r, sender.account, d.account, s.At); refusal != nil {
			return refusal, err
		}
	}
	return nil, err
}

func (w *writer) judgeAdmission(r *room, inviter, account, at int64) (*server.Refusal, error) {
	stranger, err := w.strange(account, inviter)
	if err != nil {
		return nil, err
	}
	var times, waiting int
	since := at - server.AdmissionCounts.Milliseconds()
	const fromOne = `SELECT coalesce(sum(times), 0) FROM admission
		WHERE account = ? AND inviter = ? AND (gone_at IS NULL OR gone_at > ?)`
	if _, err := one(w.conn, fromOne, func(row *sqlite.Stmt) { times = row.ColumnInt(0) }, account, inviter, since); err != nil {
		return nil, err
	}
	const fromAll = "SELECT count(*) FROM admission WHERE account = ? AND stranger = 1 AND (gone_at IS NULL OR gone_at > ?)"
	if stranger {
		if _, err := one(w.conn, fromAll, func(row *sqlite.Stmt) { waiting = row.ColumnInt(0) }, account, since); err != nil {
			return nil, err
		}
	}
	most := server.MaxAdmissionsByStranger
	switch {
	case !stranger:
		most = server.MaxAdmissionsByOne
	case r.direct[0] != 0:
		most *= 2 // there is one such room for the two, whatever else the inviter has tried
	case waiting >= server.ManyAdmissions:
		most = 1
	}
	if times < most && waiting < server.MaxAdmissions {
		return nil, nil
	}
	var handle string
	_, err = one(w.conn, "SELECT handle FROM account WHERE row = ?", func(row *sqlite.Stmt) { handle = row.ColumnText(0) }, account)
	if times < most {
		return &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: fmt.Sprintf("too many people whom @%s has not answered have let them into rooms: have them write to you first", handle),
			Hint: "ask them in another way"}, err
	}
	return &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: fmt.Sprintf("@%s has said nothing yet in the rooms that you have let them into: another one takes a word of theirs", handle),
		Hint: "let them into this one once they have written in one of those"}, err
}

// strange reports whether an account has said nothing in any room that another one is in.
func (w *writer) strange(account, other int64) (bool, error) {
	const query = `SELECT 1 FROM spoken s WHERE s.account = ?
		AND EXISTS (SELECT 1 FROM member m WHERE m.account = ? AND m.room = s.room AND m.until IS NULL) LIMIT 1`
	found, err := one(w.conn, query, nil, account, other)
	return !found, err
}

// admit notes whom a commit is about to let in.
func (w *writer) admit(r *room, sender *device, s *server.Submission) error {
	list, err := w.newcomers(r, sender, s.Commit)
	for _, d := range list {
		if err != nil {
			return err
		}
		const forget = "DELETE FROM admission WHERE account = ? AND gone_at <= ?"
		if err := run(w.conn, forget, nil, d.account, s.At-server.AdmissionCounts.Milliseconds()); err != nil {
			return err
		}
		stranger, err := w.strange(d.account, sender.account)
		if err != nil {
			return err
		}
		const upsert = `INSERT INTO admission (account, room, inviter, stranger, times) VALUES (?, ?, ?, ?, 1)
			ON CONFLICT (account, room) DO UPDATE SET inviter = excluded.inviter, stranger = excluded.stranger, gone_at = NULL,
				times = CASE inviter WHEN excluded.inviter THEN times + 1 ELSE 1 END`
		if err := run(w.conn, upsert, nil, d.account, r.row, sender.account, stranger); err != nil {
			return err
		}
		w.dirty++
	}
	return err
}

// spoke notes that an account has said something in a sealed room, or made it: from here on nobody there is a stranger to it.
func (w *writer) spoke(r *room, account int64) error {
	if r.spoken[account] {
		return nil
	}
	r.spoken[account] = true
	if err := run(w.conn, "INSERT INTO spoken (account, room) VALUES (?, ?) ON CONFLICT DO NOTHING", nil, account, r.row); err != nil || w.conn.Changes() == 0 {
		return err
	}
	if err := run(w.conn, "DELETE FROM admission WHERE account = ? AND room = ?", nil, account, r.row); err != nil {
		return err
	}
	const known = `UPDATE admission SET stranger = 0 WHERE account = ? AND stranger = 1
		AND inviter IN (SELECT account FROM member WHERE room = ? AND until IS NULL)`
	return run(w.conn, known, nil, account, r.row)
}

// departed notes which of some accounts are in a room no more, or are in it again.
func (w *writer) departed(r *room, accounts map[int64]bool, at int64) error {
	for account := range accounts {
		var gone any
		if !r.accountIn(account) {
			gone = at
		}
		if err := run(w.conn, "UPDATE admission SET gone_at = ? WHERE account = ? AND room = ?", nil, gone, account, r.row); err != nil {
			return err
		}
	}
	return nil
}

// accountsOf gives the accounts of devices that the writer knows.
func (w *writer) accountsOf(refs []server.DeviceRef) (map[int64]bool, error) {
	accounts := make(map[int64]bool)
	for _, ref := range refs {
		d, err := w.device(ref.Device)
		if err != nil {
			return nil, err
		}
		if d != nil {
			accounts[d.account] = true
		}
	}
	return accounts, nil
}
