package sqlite

import (
	"bytes"
	"slices"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

// replaceable is a commit that can still be replaced.
type replaceable struct {
	place int64
	head  ident.Hash
	epoch uint64 // of the room, before it
	// device and account made it; target is the account whose commit it replaces, else 0.
	device, account, target int64
	// members are the devices that it or a later commit has changed, as they were before it, in order of their rows.
	members []formerMember
}

// formerMember is a device in a sealed room as it was. It was in the room if it has a since and no until.
type formerMember struct {
	device, account int64
	since, until    any
}

func (m formerMember) in() bool { return m.since != nil && m.until == nil }

var (
	errIrreplaceable = &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_CONFLICT, Message: "that commit cannot be replaced",
		Hint: "others have gone on from there: ask to be let in anew"}
	errRejected    = server.Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "this device has rejected that commit already")
	errNotRejected = server.Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "who replaces a commit has rejected it")
)

// mixed is room.last where the commits that can be replaced are of several accounts.
const mixed = -1

// replaces gives the commit that an entry rejects or replaces; nil for all other entries.
func replaces(s *server.Submission) *server.Replaced {
	if s.Commit != nil {
		return s.Commit.Replaces
	}
	return s.Reject
}

// judgeReplacing gives what is wrong with a reject or a reboot.
func (w *writer) judgeReplacing(r *room, d *device, s *server.Submission) (*server.Refusal, error) {
	c, err := w.replaceable(r, replaces(s))
	if err != nil {
		return nil, err
	}
	if c == nil {
		return errIrreplaceable, nil
	}
	// Two accounts must not go on for ever: who has its commit replaced leaves it to others to replace that in turn, where
	// there are others; and whose reboot was replaced makes no other one.
	accounts := accountsBefore(r, c)
	if !accounts[d.account] || !wasIn(r, c, d) || d.row == c.device ||
		c.account == d.account && len(accounts) > 1 || c.target == d.account && len(accounts) > 2 {
		return errNotIn, nil
	}
	const barred = "SELECT 1 FROM replaceable WHERE place >= ? AND place <= ? AND target IS NOT NULL AND undone AND account = ?"
	if found, err := one(w.conn, barred, nil, place(r.row, 0), place(r.row, maxSeq), d.account); err != nil || found {
		return errNotIn, err
	}
	rejected, err := one(w.conn, "SELECT 1 FROM reject WHERE place = ? AND device = ?", nil, c.place, d.row)
	switch {
	case err != nil:
		return nil, err
	case s.Reject != nil && rejected:
		return errRejected, nil
	case s.Reject != nil:
		return nil, nil
	case !rejected:
		return errNotRejected, nil
	case s.Epoch != c.epoch:
		return &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_EPOCH, Message: "the commit that is replaced was made in another epoch",
			Epoch: r.epoch, Seq: r.seq}, nil
	}
	return w.judgeReboot(r, c, d, s.Commit)
}

// judgeReboot holds the envelope of a reboot against its one purpose: to go on without a device that made a commit.
func (w *writer) judgeReboot(r *room, c *replaceable, sender *device, commit *server.Commit) (*server.Refusal, error) {
	maker := &device{row: c.device, account: c.account}
	removed := make(map[int64]bool, len(commit.Removed))
	for _, ref := range commit.Removed {
		d, err := w.device(ref.Device)
		if err != nil {
			return nil, err
		}
		if d == nil || d.accountID != ref.Account || d.account != maker.account || d.row == sender.row || !wasIn(r, c, d) || removed[d.row] {
			return envelopeRefusal("removes a device that is not of the account whose commit is replaced, or its sender"), nil
		}
		removed[d.row] = true
	}
	// Who was out of the room before, and made the commit all the same by replacing another one, need not be removed.
	if len(commit.Added) > 0 || wasIn(r, c, maker) && !removed[maker.row] {
		return envelopeRefusal("adds devices, or keeps the one whose commit is replaced"), nil
	}
	return nil, nil
}

// wasIn reports whether the device was in the room before the commit.
func wasIn(r *room, c *replaceable, d *device) bool {
	at, changed := slices.BinarySearchFunc(c.members, d.row, func(m formerMember, row int64) int { return int(m.device - row) })
	if changed {
		return c.members[at].in()
	}
	return r.has(d)
}

// accountsBefore gives the accounts that were in the room before the commit.
func accountsBefore(r *room, c *replaceable) map[int64]bool {
	accounts := make(map[int64]bool)
	for row, m := range r.members {
		if wasIn(r, c, &device{row: row}) {
			accounts[m.account] = true
		}
	}
	return accounts
}

// replaceable finds a commit that can still be replaced; nil if it is none, or has another head.
func (w *writer) replaceable(r *room, which *server.Replaced) (*replaceable, error) {
	if which.Seq > maxSeq {
		return nil, nil
	}
	c := &replaceable{place: place(r.row, which.Seq)}
	const query = "SELECT c.epoch, e.device, e.head, c.account, c.target FROM replaceable c JOIN entry e USING (place) WHERE place = ?"
	found, err := one(w.conn, query, func(row *sqlite.Stmt) {
		c.epoch, c.device = uint64(row.ColumnInt64(0)), row.ColumnInt64(1)
		fill(row, 2, c.head[:])
		c.account, c.target = row.ColumnInt64(3), row.ColumnInt64(4)
	}, c.place)
	if err != nil || !found || !bytes.Equal(c.head[:], which.Head[:]) {
		return nil, err
	}
	// The earliest record of a device is how it was before all of them.
	const changed = `SELECT m.device, d.account, m.since, m.until, min(m.place) FROM replaceable_member m JOIN device d ON d.row = m.device
		WHERE m.place >= ? AND m.place <= ? GROUP BY m.device ORDER BY m.device`
	err = run(w.conn, changed, func(row *sqlite.Stmt) error {
		m := formerMember{device: row.ColumnInt64(0), account: row.ColumnInt64(1)}
		if !row.ColumnIsNull(2) {
			m.since = row.ColumnInt64(2)
		}
		if !row.ColumnIsNull(3) {
			m.until = row.ColumnInt64(3)
		}
		c.members = append(c.members, m)
		return nil
	}, c.place, place(r.row, maxSeq))
	return c, err
}

// remember notes what a commit that is in the log at seq is about to change. A reboot goes with the commits that it
// replaces; any other one makes an end of those of other accounts.
func (w *writer) remember(r *room, sender *device, s *server.Submission, undone *replaceable) error {
	here := place(r.row, s.Seq)
	var rows []int64
	var target any
	switch {
	case undone != nil:
		target = undone.account
		const update = "UPDATE replaceable SET undone = 1 WHERE place >= ? AND place < ?"
		if err := run(w.conn, update, nil, undone.place, here); err != nil {
			return err
		}
		// Who replaces one of them once more has seen this reboot, and rejects anew: of two at once, one wins.
		if err := run(w.conn, "DELETE FROM reject WHERE place >= ? AND place < ?", nil, undone.place, here); err != nil {
			return err
		}
		for _, m := range undone.members {
			rows = append(rows, m.device)
		}
		if r.last != sender.account {
			r.last = mixed
		}
	case r.last != sender.account:
		if err := w.settle(r, here); err != nil {
			return err
		}
		r.last = sender.account
	}
	const insert = "INSERT INTO replaceable (place, account, epoch, target, undone) VALUES (?, ?, ?, ?, 0)"
	if err := run(w.conn, insert, nil, here, sender.account, r.epoch, target); err != nil {
		return err
	}
	for _, ref := range slices.Concat(s.Commit.Removed, s.Commit.Added) {
		d, err := w.device(ref.Device)
		if err != nil {
			return err
		}
		rows = append(rows, d.row)
	}
	w.dirty += 1 + len(rows)
	for _, device := range rows {
		const insert = `INSERT INTO replaceable_member (place, device, since, until)
			SELECT ?1, d.row, m.since, m.until FROM device d LEFT JOIN member m ON m.room = ?2 AND m.device = d.row WHERE d.row = ?3
			ON CONFLICT DO NOTHING`
		if err := run(w.conn, insert, nil, here, r.row, device); err != nil {
			return err
		}
	}
	return nil
}

// settle has no commit of the room before a place be replaced any more.
func (w *writer) settle(r *room, before int64) error {
	for _, query := range []string{
		"DELETE FROM reject WHERE place >= ? AND place < ?",
		"DELETE FROM replaceable_member WHERE place >= ? AND place < ?",
		"DELETE FROM replaceable WHERE place >= ? AND place < ?",
	} {
		if err := run(w.conn, query, nil, place(r.row, 0), before); err != nil {
			return err
		}
	}
	return nil
}

// undo makes epoch and members what they were before a commit that the one at seq replaces.
func (w *writer) undo(r *room, c *replaceable, s *server.Submission) error {
	seq, accounts := s.Seq, make(map[int64]bool)
	r.epoch = c.epoch
	for _, m := range c.members {
		query, args := "UPDATE member SET until = ? WHERE room = ? AND device = ? AND until IS NULL", []any{seq, r.row, m.device}
		if m.in() {
			query, args = "UPDATE member SET since = ?, until = NULL WHERE room = ? AND device = ?", []any{m.since, r.row, m.device}
		}
		if err := run(w.conn, query, nil, args...); err != nil {
			return err
		}
		r.members[m.device] = member{account: m.account, removed: !m.in()}
		accounts[m.account] = true
	}
	if err := w.departed(r, accounts, s.At); err != nil {
		return err
	}
	return w.dropWelcomesBetween(c.place, place(r.row, seq))
}
