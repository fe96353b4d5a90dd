package client

import (
	"snug/internal/ident"
	"snug/internal/wire"
)

// recovery is what a new device needs of a sealed room in which its account is alone, when no device is left that could let
// it in: what the room's roster says, but for who is in it. That is the account itself, so that it can name nobody else. It
// stands in the archive's head, whatever the archive's switches say.
type recovery struct {
	name, topic string
	adds, edits role
	// statements is how many of the account's chain the room goes by.
	statements uint64
	// invited says that there are invites by which somebody could come. They are not kept: an old head would bring back those
	// that were withdrawn or used up.
	invited bool
}

// encode writes whether there is any, and what it says.
func (v *recovery) encode(e *encoder) {
	e.bool(v != nil)
	if v == nil {
		return
	}
	e.string(v.name)
	e.string(v.topic)
	e.uint(uint64(v.adds))
	e.uint(uint64(v.edits))
	e.uint(v.statements)
	e.bool(v.invited)
}

func decodeRecovery(d *decoder) *recovery {
	if !d.bool() {
		return nil
	}
	v := &recovery{name: d.string(), topic: d.string(), adds: role(d.uint()), edits: role(d.uint()), statements: d.uint(), invited: d.bool()}
	if d.err == nil {
		d.err = v.roster(ident.AccountID{}).check()
	}
	return v
}

// roster gives the roster of the room, with this account alone in it.
func (v *recovery) roster(account ident.AccountID) roster {
	r := newRoster(v.name, false, account, v.statements)
	r.topic, r.adds, r.edits = v.topic, v.adds, v.edits
	return r
}

// recoveryOf gives the recovery data that a roster calls for: none, where others are in the room, or belong to it.
func recoveryOf(now roster) *recovery {
	if now.direct || len(now.members) != 1 {
		return nil
	}
	v := &recovery{name: now.name, topic: now.topic, adds: now.adds, edits: now.edits, statements: now.members[0].statements}
	for _, i := range now.invites {
		v.invited = v.invited || !i.spent()
	}
	return v
}

func (v *recovery) equal(other *recovery) bool {
	return v == other || v != nil && other != nil && *v == *other
}

// recoveryRest stands for recovery data among the rooms whose archive is left alone after a refusal.
var recoveryRest ident.RoomID

// owesRecovery reports whether the archive's head says something else of a room than its roster calls for, and is to be
// written. While this device is about to change the room, that waits.
func (c *Core) owesRecovery(r *room) bool {
	a := c.vol.archive
	if !c.online() || a.problem != "" || r.kind != Sealed || r.status != joined || c.keyless(r) || c.now.Before(a.at[recoveryRest]) {
		return false
	}
	v := recoveryOf(c.roster(r))
	if a.known && v.equal(c.archiveHead().room(r.id).recovery) || !a.known && v == nil {
		return false
	}
	return v == nil || r.pending == nil && !r.leaving && c.caughtUp(r) && !c.changes(r)
}

// changes reports whether this device has been asked for a change of the room that it has not made.
func (c *Core) changes(r *room) bool {
	for _, w := range r.wanted {
		if w.problem == "" {
			return true
		}
	}
	return false
}

// writeRecovery has the server store the room's recovery data, at once: what is lost before that cannot be made good.
func (c *Core) writeRecovery(r *room) {
	key, err := c.vaultKey()
	if err != nil {
		return
	}
	listed := c.archiveHead().room(r.id)
	listed.recovery = recoveryOf(c.roster(r))
	next := c.archiveHead().with(listed)
	next.revision++
	c.changeArchive(0, key, next, new(wire.ChangeArchive), func(*Core) {}, nil)
}
