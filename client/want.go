package client

import (
	"slices"

	"snug/internal/ident"
)

// want is a change of a sealed room that this device has been asked for and that is not made yet. It is stored, so that
// it is made after a crash too.
type want struct {
	kind    wantKind
	account ident.AccountID // of an account's coming, going or role
	role    role            // the account's, or the least one of a policy
	text    string          // the name, the topic, the invite
	// problem is why it cannot be done; the wish is given up once somebody has been told.
	problem string
}

type wantKind uint64

const (
	wantAdd wantKind = iota
	wantRemove
	wantRole
	wantName
	wantTopic
	wantAdds
	wantEdits
	// wantInvite makes an invite, which text holds; wantRevoke withdraws the one whose name is text.
	wantInvite
	wantRevoke
	// wantLetIn lets an account in that has come by the invite whose name is text.
	wantLetIn
)

func (w want) encode(e *encoder) {
	e.uint(uint64(w.kind))
	e.bytes(w.account[:])
	e.uint(uint64(w.role))
	e.string(w.text)
	e.string(w.problem)
}

// decodeWant reads a wish; first says that it is of version 1 of the room's record.
func decodeWant(d *decoder, first bool) want {
	if first {
		w := want{account: d.id()}
		if d.bool() {
			w.kind = wantRemove
		}
		w.problem = d.string()
		return w
	}
	w := want{kind: wantKind(d.uint()), account: d.id(), role: role(d.uint()), text: d.string(), problem: d.string()}
	if w.kind > wantLetIn {
		d.err = errRecord
	}
	return w
}

// replaces reports whether the wish takes the place of an older one.
func (w want) replaces(older want) bool {
	membership := func(k wantKind) bool { return k == wantAdd || k == wantRemove || k == wantLetIn }
	if w.kind == wantInvite || w.kind == wantRevoke {
		return w.kind == older.kind && w.text == older.text
	}
	return w.account == older.account && (w.kind == older.kind || membership(w.kind) && membership(older.kind))
}

// applied gives the roster with the wish fulfilled. Accounts come and go by roster.with.
func (w want) applied(r roster) roster {
	switch w.kind {
	case wantRole:
		return r.change(w.account, func(m *rosterMember) { m.role = w.role })
	case wantName:
		r.name = w.text
	case wantTopic:
		r.topic = w.text
	case wantAdds:
		r.adds = w.role
	case wantEdits:
		r.edits = w.role
	case wantInvite:
		return r.withInvite(decodeInvite(&decoder{b: []byte(w.text)}))
	case wantRevoke:
		return r.changeInvites(named(w.invite()), func(i *invite) { i.revoked = true })
	case wantLetIn:
		return r.cameBy(w.invite(), w.account)
	}
	return r
}

// says reports whether the wish brings words of this person's to the members.
func (w want) says() bool { return w.kind == wantName || w.kind == wantTopic }

// invite gives the invite that the wish names.
func (w want) invite() (id ident.RoomInviteID) {
	copy(id[:], w.text)
	return id
}

// fulfilled reports whether the roster is as the wish wants it. A role is not for who has gone.
func (w want) fulfilled(r roster) bool {
	switch w.kind {
	case wantAdd, wantLetIn:
		return r.has(w.account)
	case wantRemove:
		return !r.has(w.account)
	}
	return w.applied(r).equal(r)
}

// want notes a change to make and waits until it is made, or is found to be impossible.
func (c *Core) want(call uint64, r *room, wants []want) {
	now, room := c.roster(r), r.id
	for _, w := range wants {
		r.wanted = slices.DeleteFunc(r.wanted, w.replaces)
		delete(c.vol.submitAt, room)
		if !w.fulfilled(now) {
			r.wanted = append(r.wanted, w)
		}
	}
	r.dirty, r.replan = true, true
	asked := func(w want) bool { return slices.ContainsFunc(wants, w.replaces) }
	c.awaitKept(call, keptChange, func(c *Core) (bool, any, error) {
		r := c.mem.rooms[room]
		if r == nil || r.status != joined {
			return true, nil, errNoRoom
		}
		ended, err := c.wantsEnded(r, asked)
		return ended, struct{}{}, err
	})
}

// wantsEnded reports whether nothing of what was asked is wanted any more, and takes the first reason why something
// cannot be done.
func (c *Core) wantsEnded(r *room, asked func(want) bool) (bool, error) {
	for i, w := range r.wanted {
		if !asked(w) {
			continue
		}
		if w.problem == "" {
			return false, nil
		}
		r.wanted = slices.Delete(slices.Clone(r.wanted), i, i+1)
		r.dirty = true
		return true, refuse(Refused, "", "%s", w.problem)
	}
	return true, nil
}

// settleWants gives up the wishes that have come true.
func (c *Core) settleWants(r *room, now roster) {
	r.wanted = slices.DeleteFunc(r.wanted, func(w want) bool { return w.problem == "" && w.fulfilled(now) })
}
