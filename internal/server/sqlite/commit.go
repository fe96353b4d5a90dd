package sqlite

import (
	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// judgeCommit gives what is wrong with an envelope, by what the server knows.
func (w *writer) judgeCommit(r *room, sender *device, s *server.Submission) (*server.Refusal, error) {
	c := s.Commit
	removed := make(map[int64]bool, len(c.Removed))
	for _, ref := range c.Removed {
		d, err := w.device(ref.Device)
		if err != nil {
			return nil, err
		}
		if d == nil || d.accountID != ref.Account || d.row == sender.row || !r.has(d) || removed[d.row] {
			return envelopeRefusal("removes a device that is not in the room, or its sender"), nil
		}
		removed[d.row] = true
	}
	added := make(map[ident.DeviceID]bool, len(c.Added))
	for _, ref := range c.Added {
		d, err := w.device(ref.Device)
		if err != nil {
			return nil, err
		}
		switch {
		case d == nil || d.accountID != ref.Account || d.revoked || added[ref.Device]:
			return envelopeRefusal("adds a device that is not enrolled in its account"), nil
		case r.has(d) && !removed[d.row]:
			return envelopeRefusal("adds a device that is in the room"), nil
		case r.direct[0] != 0 && d.account != r.direct[0] && d.account != r.direct[1]:
			return envelopeRefusal("adds a third account to a room of two"), nil
		}
		added[ref.Device] = true
	}
	return w.judgeAdmissions(r, sender, s)
}

func envelopeRefusal(message string) *server.Refusal {
	return &server.Refusal{Code: wire.ErrorCode_ERROR_CODE_BAD_REQUEST, Message: "the commit's envelope " + message,
		Hint: "fetch the chains and the room's log and commit again"}
}

// applyCommit carries out the envelope of a commit that is in the log already, in
// the same transaction.
func (w *writer) applyCommit(r *room, sender *device, s *server.Submission) error {
	var undone *replaceable
	if s.Commit.Replaces != nil {
		var err error
		if undone, err = w.replaceable(r, s.Commit.Replaces); err != nil {
			return err
		}
	}
	if err := w.remember(r, sender, s, undone); err != nil {
		return err
	}
	if undone != nil {
		if err := w.undo(r, undone, s); err != nil {
			return err
		}
	}
	r.epoch++
	if err := run(w.conn, "UPDATE room SET epoch = ? WHERE row = ?", nil, r.epoch, r.row); err != nil {
		return err
	}
	if err := w.admit(r, sender, s); err != nil {
		return err
	}
	if err := w.moveMembers(r, sender, s); err != nil {
		return err
	}
	accounts, err := w.accountsOf(s.Commit.Removed)
	if err != nil {
		return err
	}
	return w.departed(r, accounts, s.At)
}

// moveMembers takes those out of the room that a commit removes, and lets those in that it adds, each with its Welcome.
func (w *writer) moveMembers(r *room, sender *device, s *server.Submission) error {
	for _, ref := range s.Commit.Removed {
		d, err := w.device(ref.Device)
		if err != nil {
			return err
		}
		const update = "UPDATE member SET until = ? WHERE room = ? AND device = ?"
		if err := run(w.conn, update, nil, s.Seq, r.row, d.row); err != nil {
			return err
		}
		r.members[d.row] = member{account: d.account, removed: true}
	}
	if len(s.Commit.Added) == 0 {
		return nil
	}
	const insert = "INSERT INTO welcome_body (body) VALUES (?)"
	if err := run(w.conn, insert, nil, s.Commit.Welcome); err != nil {
		return err
	}
	body := w.conn.LastInsertRowID()
	const pays = "INSERT INTO welcome_payer (body, account, bytes) VALUES (?, ?, ?)"
	if err := run(w.conn, pays, nil, body, sender.account, len(s.Commit.Welcome)); err != nil {
		return err
	}
	for _, ref := range s.Commit.Added {
		d, err := w.device(ref.Device)
		if err != nil {
			return err
		}
		if err := w.addMember(r, d, s.Seq, body); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) addMember(r *room, d *device, seq uint64, welcome int64) error {
	if err := w.putMember(r, d, seq); err != nil {
		return err
	}
	w.dirty++
	return run(w.conn, "INSERT INTO welcome (device, place, body) VALUES (?, ?, ?)", nil, d.row, place(r.row, seq), welcome)
}

// putMember lets a device in from seq on.
func (w *writer) putMember(r *room, d *device, seq uint64) error {
	const insert = `INSERT INTO member (room, device, account, since) VALUES (?, ?, ?, ?)
		ON CONFLICT (room, device) DO UPDATE SET since = excluded.since, until = NULL`
	r.members[d.row] = member{account: d.account}
	w.dirty += 2
	return run(w.conn, insert, nil, r.row, d.row, d.account, seq)
}
