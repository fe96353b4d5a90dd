package client

import (
	"context"
	"slices"

	"snug/internal/ident"
)

// A 1:1 room exists once for a pair of accounts. A device that has signed in may not be in it yet: the server has it already,
// and one of the pair's other devices has to let this one in. What is written to the account meanwhile is kept in the outbox
// of a room that this device makes, under an id of its own choice, and moves to the pair's room as soon as that is there.

// SendDirect says something to an account in the 1:1 room with it, which is made if there is none, and waits for the server's
// acknowledgement. From the moment that the account was found the message is durable: if ctx ends first it stays in the
// outbox, also where this device is not in the pair's room yet, and is sent when it can be.
func (c *Client) SendDirect(ctx context.Context, handle, text string) (Sent, error) {
	if err := CheckText(text); err != nil {
		return Sent{}, err
	}
	return inDirect[Sent](ctx, c, handle, func(c *Core, call uint64, r *room) { c.send(call, r.id, text) })
}

// PostDirect is SendDirect for who does not wait: it returns as soon as the message is durably in the outbox, with the room in
// which it stands. That is the pair's or one that waits, and then its messages move to the pair's when that is there: RoomChanged
// tells that the one that waited is gone.
func (c *Client) PostDirect(ctx context.Context, handle, text string) (ident.RoomID, error) {
	if err := CheckText(text); err != nil {
		return ident.RoomID{}, err
	}
	return inDirect[ident.RoomID](ctx, c, handle, func(c *Core, call uint64, r *room) {
		_, err := c.post(r.id, text)
		c.reply(call, r.id, err)
	})
}

// inDirect begins something in the room in which this device writes to an account, once that is found.
func inDirect[T any](ctx context.Context, c *Client, handle string, begin func(c *Core, call uint64, r *room)) (T, error) {
	accounts, err := c.lookUpNew(ctx, []string{handle})
	if err != nil {
		var none T
		return none, err
	}
	return call[T](ctx, c, func(c *Core, call uint64) {
		r, err := c.directRoom(accounts[0])
		if err != nil {
			c.reply(call, nil, err)
			return
		}
		begin(c, call, r)
	})
}

// Direct gives the 1:1 room with an account, and makes it if there is none. It waits until this device is in it.
func (c *Client) Direct(ctx context.Context, handle string) (ident.RoomID, error) {
	accounts, err := c.lookUpNew(ctx, []string{handle})
	if err != nil {
		return ident.RoomID{}, err
	}
	other := accounts[0]
	return call[ident.RoomID](ctx, c, func(c *Core, call uint64) { c.direct(call, other) })
}

func (c *Core) direct(call uint64, other ident.AccountID) {
	r, err := c.directRoom(other)
	if err != nil {
		c.reply(call, nil, err)
		return
	}
	made := r.id
	c.awaitKept(call, keptDirect, func(c *Core) (bool, any, error) {
		if r := c.directWith(other); r != nil && r.status != making {
			return true, r.id, nil
		}
		if refused := c.refusal(made); refused != nil && !refused.conflict {
			return true, nil, refused.err
		}
		return false, nil, nil
	})
}

// directRoom gives the room in which this device writes to an account: the pair's, or the one that it makes.
func (c *Core) directRoom(other ident.AccountID) (*room, error) {
	if other == c.mem.account.me.Account {
		return nil, refuse(Usage, "", "a room of two needs somebody else")
	}
	if r := c.directWith(other); r != nil {
		return r, nil
	}
	id, err := ident.NewRoomID(c.cfg.rand)
	if err != nil {
		c.fail(err)
		return nil, failed("making a room", err)
	}
	r := c.newRoom(id, Sealed, making)
	r.direct, r.wanted = other, []want{{kind: wantAdd, account: other}}
	return r, nil
}

// directWith gives the 1:1 room with an account, or nil.
func (c *Core) directWith(other ident.AccountID) (found *room) {
	for _, id := range c.mem.order {
		if r := c.mem.rooms[id]; r.direct == other && r.status != refused {
			if found == nil || r.status == joined {
				found = r
			}
		}
	}
	return found
}

// promised reports whether somebody was written to in a 1:1 room that is not there yet.
func (r *room) promised() bool { return r.status == making && !r.direct.IsZero() && len(r.rows) > 0 }

// redirect moves what was written in a room that this device makes to the pair's, if that is there: a group of these two
// accounts by its own roster, whatever the server says.
func (c *Core) redirect(r *room) bool {
	if r.direct.IsZero() {
		return false
	}
	to := c.directWith(r.direct)
	if to == nil || to.status != joined {
		return false
	}
	if r.promised() {
		c.acceptRoom(to)
	}
	for _, w := range r.rows {
		c.delete(keyOutboxRow(r.id, w.order))
		w.order = to.nextOrder
		to.nextOrder++
		to.rows = append(to.rows, w)
		c.saveRow(to, w)
		c.showRow(to, w)
	}
	r.rows, to.dirty = nil, true
	c.removeRoom(r)
	c.emit(RoomChanged{Room{ID: r.id, Kind: Sealed, Gone: true}})
	return true
}

// lacksOther reports whether the other one of a pair has not come into their room.
func (c *Core) lacksOther(r *room) bool {
	return r.kind == Sealed && !r.direct.IsZero() && r.status == joined && !c.keyless(r) && !c.roster(r).has(r.direct)
}

// awaitsOther reports whether nothing can be done in a pair's room for now, as the other one could not be added: what was
// said there would be for nobody, ever. It is tried again after a while, whether anybody waits for it or not, as there is no
// other room for the two.
func (c *Core) awaitsOther(r *room) bool {
	if !c.lacksOther(r) {
		return false
	}
	if c.now.Before(c.vol.submitAt[r.id]) {
		return true
	}
	other := want{kind: wantAdd, account: r.direct}
	if !slices.ContainsFunc(r.wanted, func(w want) bool { return other.replaces(w) && w.problem == "" }) {
		r.wanted = append(slices.DeleteFunc(slices.Clone(r.wanted), other.replaces), other)
		r.dirty, r.replan = true, true
	}
	return false
}

// unreachableOther says that the other one of a pair cannot be added for now, and puts the next try off.
func (c *Core) unreachableOther(r *room, problem string) {
	c.vol.submitAt[r.id] = c.now.Add(packageRetry)
	r.setProblem(problem)
}

// waysToOther says what comes of what is written to somebody who is not in the pair's room yet.
func (c *Core) waysToOther(r *room) string {
	return "what you write is kept, and sent when a device of @" + c.handle(r.direct) + "'s has been online"
}
