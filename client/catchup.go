package client

import (
	"context"

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
				if c.mem.rooms[room] == nil && c.vol.welcomes[room] == nil {
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
	case r.status == left:
		return true, struct{}{}, nil
	case log.follow == halted || r.status == refused:
		return true, nil, refuse(Refused, "", "%s", r.problem)
	}
	return r.status == joined && c.vol.connection.listed && c.caughtUp(r), struct{}{}, nil
}
