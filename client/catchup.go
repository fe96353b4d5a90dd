package client

import (
	"context"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// CatchUp returns when everything that the server had in the room at the time of the call has been processed and
// stored.
func (c *Client) CatchUp(ctx context.Context, room ident.RoomID) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		body := &wire.Fetch{Room: room.Bytes(), Last: true, Limit: 1}
		begin := func(c *Core) {
			c.await(call, func(c *Core) (bool, any, error) { return c.hasCaughtUp(room) })
		}
		c.ask(request{call: call, needs: ready, sticky: true,
			frame: &wire.ClientFrame{Body: &wire.ClientFrame_Fetch{Fetch: body}},
			then: func(c *Core, reply *wire.ServerFrame) {
				if c.mem.rooms[room] == nil && c.vol.welcomes[room] == nil && c.vol.logs[room].kind != Sealed {
					c.reply(call, struct{}{}, nil) // an open room that is read from the server
					return
				}
				c.grew(room, reply.GetFetched().GetSeq())
				begin(c)
			},
			// A room that this device is not in yet has no end to be asked for, but may be joined in a moment.
			refused: func(c *Core, _ *wire.Error) { begin(c) }})
	})
	return err
}

func (c *Core) hasCaughtUp(room ident.RoomID) (bool, any, error) {
	r, log := c.mem.rooms[room], c.vol.logs[room]
	switch {
	case r == nil && !c.settled(), r != nil && !c.online():
		return false, nil, nil
	case r == nil && log.listed && log.kind == OpenToAll:
		return true, struct{}{}, nil // it is read from the server
	case r == nil:
		return true, nil, c.noRoom(room)
	case r.status == left, r.status == making, log.follow == putOff:
		return true, struct{}{}, nil
	case log.follow == halted || r.status == refused:
		return true, nil, refuse(Refused, "", "%s", r.problem)
	}
	return r.status == joined && c.vol.connection.listed && c.caughtUp(r), struct{}{}, nil
}

// CatchUpRooms returns when everything that the server had in this device's rooms at the time of the call has been processed
// and stored, Welcomes included, or found to be what a room does not go on from. Rooms and Members then show the rooms as they
// were at the time of the call, or later.
func (c *Client) CatchUpRooms(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		c.await(call, func(c *Core) (bool, any, error) {
			if !c.online() || !c.settled() {
				return false, nil, nil
			}
			c.listRooms(func(c *Core) { c.catchUpRooms(call) })
			return true, nil, errLater
		})
	})
	return err
}

// CaughtUpAt is up to when this device is known to have been told everything that happened in its rooms: the last time that
// CatchUpRooms has returned; zero where it never has. It needs no network.
func (c *Client) CaughtUpAt(ctx context.Context) (time.Time, error) {
	return call[time.Time](ctx, c, func(c *Core, call uint64) {
		d := newDecoder(c.get(keyCaughtUp), caughtUpVersion)
		at := d.time()
		if d.end() != nil {
			at = time.Time{}
		}
		c.reply(call, at, nil)
	})
}

const caughtUpVersion = 1

// catchUpRooms asks for the ends of the logs, of which the list of rooms leaves out those that the account is out of, and
// answers when all are reached.
func (c *Core) catchUpRooms(call uint64) {
	asked := c.now
	for _, id := range c.mem.order {
		if c.mem.rooms[id].status == joined {
			c.askEnd(id)
		}
	}
	c.await(call, func(c *Core) (bool, any, error) {
		if !c.online() || !c.settled() {
			return false, nil, nil
		}
		for _, id := range c.mem.order {
			r := c.mem.rooms[id]
			if c.asking(endName(id)) {
				return false, nil, nil
			}
			if ended, _, _ := c.hasCaughtUp(id); r.status == joined && !ended && !c.keyless(r) {
				return false, nil, nil
			}
		}
		e := newEncoder(caughtUpVersion)
		e.time(asked)
		c.put(keyCaughtUp, e.b)
		return true, struct{}{}, nil
	})
}

func endName(id ident.RoomID) string { return "end " + id.String() }

// askEnd asks how far a room's log reaches now.
func (c *Core) askEnd(id ident.RoomID) {
	body := &wire.Fetch{Room: id.Bytes(), Last: true, Limit: 1}
	c.ask(request{name: endName(id), needs: ready, sticky: true,
		frame:   &wire.ClientFrame{Body: &wire.ClientFrame_Fetch{Fetch: body}},
		then:    func(c *Core, reply *wire.ServerFrame) { c.grew(id, reply.GetFetched().GetSeq()) },
		refused: func(*Core, *wire.Error) {}})
}
