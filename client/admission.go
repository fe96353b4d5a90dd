package client

import (
	"context"
	"errors"
	"strings"

	"snug/internal/ident"
)

// admission is how a room stands into which somebody has let this account whom it does not know. The device is in the group
// and reads, and says nothing until somebody has accepted the room. What devices do by themselves goes on, for the sake of
// the others: it is the same whether anybody has looked or not. Rooms without one are accepted.
type admission struct {
	// inviter is who let this account in.
	inviter ident.AccountID
	// declined rooms are not shown; a 1:1 room, which cannot be left, is shown again when the other writes again.
	declined bool
}

const admissionVersion = 1

func (a admission) encode() []byte {
	e := newEncoder(admissionVersion)
	e.bytes(a.inviter[:])
	e.bool(a.declined)
	return e.b
}

func decodeAdmission(b []byte) (admission, error) {
	d := newDecoder(b, admissionVersion)
	a := admission{inviter: d.id(), declined: d.bool()}
	return a, d.end()
}

func (c *Core) loadAdmissions() {
	for _, record := range c.scan(ScanOptions{Prefix: keyAdmissions}) {
		id, err := ident.ParseRoomID(strings.TrimPrefix(record.Key, keyAdmissions))
		a, recordErr := decodeAdmission(record.Value)
		if err != nil || recordErr != nil {
			c.fail(failed("reading a request", errors.Join(err, recordErr)))
			return
		}
		c.mem.admissions[id] = a
	}
}

// AcceptRoom takes a room into which a stranger has let this account for one like any other.
func (c *Client) AcceptRoom(ctx context.Context, room ident.RoomID) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		r := c.mem.rooms[room]
		if r == nil {
			c.reply(call, nil, errNoRoom)
			return
		}
		c.acceptRoom(r)
		c.reply(call, struct{}{}, nil)
	})
	return err
}

// DeclineRoom takes a room into which a stranger has let this account out of sight. A group is left, which its members see; a
// 1:1 room stays silent, and comes back when the other person writes again.
func (c *Client) DeclineRoom(ctx context.Context, room ident.RoomID) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		r := c.mem.rooms[room]
		if _, asked := c.mem.admissions[room]; r == nil || !asked {
			c.reply(call, nil, refuse(NotFound, "leave it instead", "nobody asks for this room to be accepted").run("snug room leave ROOM"))
			return
		}
		c.decline(r)
		c.reply(call, struct{}{}, nil)
	})
	return err
}

// acceptRoom accepts a room.
func (c *Core) acceptRoom(r *room) {
	if _, asked := c.mem.admissions[r.id]; !asked {
		return
	}
	delete(c.mem.admissions, r.id)
	c.delete(keyAdmission(r.id))
	r.dirty, r.replan = true, true
}

func (c *Core) decline(r *room) {
	c.setAdmission(r, admission{inviter: c.mem.admissions[r.id].inviter, declined: true})
	if r.direct.IsZero() && r.status == joined && !c.keyless(r) {
		r.leaving, r.replan = true, true
	}
}

// dismiss takes a room out of sight of which this device has refused the Welcome.
func (c *Core) dismiss(r *room) { c.setAdmission(r, admission{declined: true}) }

func (c *Core) setAdmission(r *room, a admission) {
	c.mem.admissions[r.id] = a
	c.put(keyAdmission(r.id), a.encode())
	r.dirty = true
}

// admits decides about a room that this device has just entered, for the first time or again.
func (c *Core) admits(r *room, was status) {
	inviter, known := r.group.Inviter()
	by := leafOf(inviter).account
	if was == joined || known && c.acquainted(r, by) {
		if was != joined {
			c.acceptRoom(r)
		}
		return
	}
	c.setAdmission(r, admission{inviter: by})
}

// acquainted reports whether a room into which an account has let this one needs no word of anybody: one of this account's
// own devices has let this one in; or that account is verified, or shares a room which was accepted.
func (c *Core) acquainted(r *room, by ident.AccountID) bool {
	me := c.mem.account.me
	if by == me.Account || !c.verifiedAt(by).IsZero() {
		return true
	}
	for m := range r.group.Members() {
		// A device of this account that has committed was there before: this one joins it. That errs on the side of not asking.
		if l := leafOf(m); l.account == me.Account && l.device != me.Device && m.Lifetime.NotAfter == 0 {
			return true
		}
	}
	if c.isBlocked(by) {
		return false
	}
	for id, other := range c.mem.rooms {
		_, asked := c.mem.admissions[id]
		if id != r.id && !asked && other.kind == Sealed && other.status == joined && c.roster(other).has(by) {
			return true
		}
	}
	return false
}

// unseen reports whether a room is not shown: it was declined, or is somebody's who is blocked.
func (c *Core) unseen(r *room) bool {
	a, asked := c.mem.admissions[r.id]
	return asked && (a.declined || c.isBlocked(a.inviter)) || c.isBlocked(r.direct)
}

// heardIn takes note of a text in a room. From another device of this account it says that the room was accepted there; from
// the other side of a declined 1:1 room it is another request.
func (c *Core) heardIn(r *room, m *Message) {
	a, asked := c.mem.admissions[r.id]
	switch {
	case !asked:
	case m.Account == c.mem.account.me.Account:
		c.acceptRoom(r)
	case a.declined && !r.direct.IsZero():
		c.setAdmission(r, admission{inviter: a.inviter})
	}
}

// viewAdmission shows what a room's standing changes about it.
func (c *Core) viewAdmission(r *room, v *Room) {
	a, asked := c.mem.admissions[r.id]
	if asked && !a.declined {
		v.Request, v.Inviter = true, c.handle(a.inviter)
	}
	if v.Gone = c.unseen(r); v.Gone {
		v.Unread = 0
	}
}
