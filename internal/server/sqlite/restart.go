package sqlite

import (
	"snug/internal/server"
	"snug/internal/wire"
)

var errNotAlone = &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_FORBIDDEN, Message: "others are in this room",
	Hint: "their devices let this one in"}

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

// applyRestart carries out a restart that is in the log already, in the same transaction.
func (w *writer) applyRestart(r *room, sender *device, seq uint64) error {
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
	for _, table := range []string{"reject", "replaceable_member", "replaceable", "welcome"} {
		if err := run(w.conn, "DELETE FROM "+table+" WHERE place >= ? AND place < ?", nil, place(r.row, 0), place(r.row, seq)); err != nil {
			return err
		}
	}
	if err := w.dropWelcomeBodies(); err != nil {
		return err
	}
	return w.putMember(r, sender, seq)
}
