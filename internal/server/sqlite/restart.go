package sqlite

import (
	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

var (
	errNotAlone = &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: "others are in this room",
		Hint: "their devices let this one in"}
	errObjection = &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: "others were in this room less than a day ago",
		Hint: "if none of them objects, it can be begun anew a day after they went"}
)

// accountIn reports whether any device of an account is in the room.
func (r *room) accountIn(account int64) bool {
	for _, m := range r.members {
		if m.account == account && !m.removed {
			return true
		}
	}
	return false
}

// alone reports whether devices of this account are in the room, and no others, nor could be at any time.
func (r *room) alone(account int64) bool {
	if r.direct[0] != 0 {
		return false
	}
	for _, m := range r.members {
		if m.account != account && !m.removed {
			return false
		}
	}
	return r.accountIn(account)
}

// judgeRestart gives what is wrong with a restart by the only account in the room: a restart makes an end of what the others
// can replace.
func (w *writer) judgeRestart(r *room, sender *device, s *server.Submission) (*server.Refusal, error) {
	type departure struct{ place, account int64 }
	var recent []departure
	const query = `SELECT DISTINCT m.place, d.account FROM replaceable_member m JOIN device d ON d.row = m.device
		JOIN entry e ON e.place = m.place
		WHERE m.place >= ? AND m.place <= ? AND d.account <> ? AND m.since IS NOT NULL AND m.until IS NULL AND e.at > ?`
	err := run(w.conn, query, func(row *sqlite.Stmt) error {
		recent = append(recent, departure{row.ColumnInt64(0), row.ColumnInt64(1)})
		return nil
	}, place(r.row, 0), place(r.row, maxSeq), sender.account, s.At-server.ObjectWithin.Milliseconds())
	for _, d := range recent {
		if err != nil {
			break
		}
		var went bool
		if went, err = w.proposed(r, d.account, d.place); err == nil && !went {
			return errObjection, nil
		}
	}
	return nil, err
}

// maxLookedAt is in how many entries before a commit a proposal is looked for: the rows are short, but the writer is everybody's.
const maxLookedAt = 1000

// proposed reports whether a device of the account has proposed something in the epoch that a commit has ended: who leaves does.
func (w *writer) proposed(r *room, account, commit int64) (found bool, err error) {
	const query = `SELECT e.kind, d.account FROM entry e JOIN device d ON d.row = e.device
		WHERE e.place < ? AND e.place >= ? ORDER BY e.place DESC LIMIT ?`
	err = run(w.conn, query, func(row *sqlite.Stmt) error {
		kind := wire.EntryKind(row.ColumnInt64(0))
		found = kind == wire.EntryKind_ENTRY_KIND_PROPOSAL && row.ColumnInt64(1) == account
		if found || kind == wire.EntryKind_ENTRY_KIND_COMMIT || kind == wire.EntryKind_ENTRY_KIND_RESTART {
			return errStop
		}
		return nil
	}, commit, place(r.row, 0), maxLookedAt)
	return found, err
}

// applyRestart carries out a restart that is in the log already, in the same transaction.
func (w *writer) applyRestart(r *room, sender *device, s *server.Submission) error {
	seq := s.Seq
	r.epoch++
	r.last = 0
	for row, m := range r.members {
		if !m.removed {
			r.members[row] = member{account: m.account, removed: true}
			w.dirty++
		}
	}
	if err := run(w.conn, "UPDATE room SET epoch = ? WHERE row = ?", nil, r.epoch, r.row); err != nil {
		return err
	}
	if err := run(w.conn, "UPDATE member SET until = ? WHERE room = ? AND until IS NULL", nil, seq, r.row); err != nil {
		return err
	}
	if err := w.settle(r, place(r.row, seq)); err != nil {
		return err
	}
	if err := w.dropWelcomesBetween(place(r.row, 0), place(r.row, seq)); err != nil {
		return err
	}
	if err := w.spoke(r, sender.account); err != nil {
		return err
	}
	return w.putMember(r, sender, seq)
}
