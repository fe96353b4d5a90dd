package client

import (
	"context"

	"snug/internal/ident"
)

// Send says something in a room and waits for the server's acknowledgement. If the context ends first the message stays
// in the outbox and is sent when it can be.
func (c *Client) Send(ctx context.Context, room ident.RoomID, text string) (Sent, error) {
	if err := CheckText(text); err != nil {
		return Sent{}, err
	}
	return call[Sent](ctx, c, func(c *Core, call uint64) { c.send(call, room, text) })
}

func (c *Core) send(call uint64, room ident.RoomID, text string) {
	w, err := c.post(room, text)
	if err != nil {
		c.reply(call, nil, err)
		return
	}
	id, other := w.id, c.mem.rooms[room].direct
	c.awaitKept(call, keptMessage, func(c *Core) (bool, any, error) {
		if r := c.directWith(other); c.mem.rooms[room] == nil && !other.IsZero() && r != nil {
			return c.sent(r.id, id) // it has moved there
		}
		return c.sent(room, id)
	})
}

// sent tells what became of a message of this device.
func (c *Core) sent(room ident.RoomID, id ident.MessageID) (bool, any, error) {
	r := c.mem.rooms[room]
	if r == nil {
		return true, nil, errNoRoom
	}
	if w := r.row(id); w != nil {
		switch {
		case w.state == rowAcked:
			return true, Sent{room, w.seq, id}, nil
		case w.state == rowFailed:
			return true, nil, refuse(Refused, "", "not sent: %s", w.problem)
		case c.vol.logs[room].follow == halted && r.problem != "":
			return true, nil, refuse(Refused, "the message stays in the outbox", "not sent: %s", r.problem)
		case r.problem != "" && c.lacksOther(r):
			return true, nil, refuse(Refused, c.waysToOther(r), "not sent yet: %s", r.problem)
		}
		return false, nil, nil
	}
	if seq := c.ownSeq(room, id); seq > 0 {
		return true, Sent{room, seq, id}, nil
	}
	return true, nil, refuse(Refused, "", "the message was discarded")
}

// post queues a message.
func (c *Core) post(room ident.RoomID, text string) (*row, error) {
	r := c.mem.rooms[room]
	switch {
	case r == nil || r.status == making && r.direct.IsZero() || r.status == restarting:
		return nil, c.noRoom(room)
	case r.status == left:
		return nil, refuse(Refused, "", "you are no longer in this room")
	case r.leaving:
		return nil, errLeaving
	case r.status == refused:
		return nil, refuse(Refused, "", "%s", r.problem)
	case c.readsOnly(r):
		return nil, refuse(Refused, "ask the room's owner", "you may only read in this room")
	}
	if err := c.askFirst(r); err != nil {
		return nil, err
	}
	if err := c.mayWrite(r); err != nil {
		return nil, err
	}
	return c.queue(r, text), nil
}

// readsOnly reports whether this account is a reader in the room.
func (c *Core) readsOnly(r *room) bool {
	if r.kind != Sealed || r.status != joined {
		return false
	}
	rank, _ := c.roster(r).role(c.mem.account.me.Account)
	return rank == roleReader
}

// refuseReader gives up what this account wanted to say before it became a reader.
func (c *Core) refuseReader(r *room) {
	if !r.hasRows(rowQueued) || !c.readsOnly(r) {
		return
	}
	for _, w := range r.rows {
		if w.state == rowQueued && w.kind == rowText {
			c.failRow(r, w, "you may only read in this room")
		}
	}
}

// Post says something in a room and returns as soon as the message is durably in the outbox. What becomes of it is told
// by MessageChanged.
func (c *Client) Post(ctx context.Context, room ident.RoomID, text string) (ident.MessageID, error) {
	if err := CheckText(text); err != nil {
		return ident.MessageID{}, err
	}
	return call[ident.MessageID](ctx, c, func(c *Core, call uint64) {
		w, err := c.post(room, text)
		if err != nil {
			c.reply(call, nil, err)
			return
		}
		c.reply(call, w.id, nil)
	})
}

// Retry queues a failed message again.
func (c *Client) Retry(ctx context.Context, in ident.RoomID, id ident.MessageID) error {
	return c.changeFailed(ctx, in, id, func(c *Core, r *room, w *row) {
		w.state, w.problem = rowQueued, ""
		c.saveRow(r, w)
		c.showRow(r, w)
	})
}

// Discard forgets a failed message.
func (c *Client) Discard(ctx context.Context, in ident.RoomID, id ident.MessageID) error {
	return c.changeFailed(ctx, in, id, func(c *Core, r *room, w *row) {
		c.finishRow(r, w.id)
		r.dirty = true
		if r.status == making && len(r.rows) == 0 {
			c.removeRoom(r) // it was refused with what was written in it
			c.emit(RoomChanged{Room{ID: r.id, Kind: r.kind, Gone: true}})
		}
	})
}

func (c *Client) changeFailed(ctx context.Context, id ident.RoomID, message ident.MessageID, change func(*Core, *room, *row)) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		r := c.mem.rooms[id]
		if r == nil {
			c.reply(call, nil, errNoRoom)
			return
		}
		w := r.row(message)
		if w == nil || w.state != rowFailed {
			c.reply(call, nil, refuse(NotFound, "", "no failed message has this id"))
			return
		}
		change(c, r, w)
		c.reply(call, struct{}{}, nil)
	})
	return err
}
