package main

import (
	"context"
	"strings"

	"snug/client"
	"snug/internal/ident"
)

func blockVerbs() []*verb {
	one := func(name, does string, act func(*device) func(context.Context, string) error) *verb {
		v := simple(name, does, func(ctx context.Context, c *call, d *device) error {
			if err := act(d)(ctx, c.args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"handle": strings.TrimPrefix(c.args[0], "@"), "done": name}, "%sed %s", name, safe(c.args[0]))
		})
		v.args, v.least, v.most, v.example = "@HANDLE", 1, 1, name+" @bob"
		return v
	}
	return []*verb{
		roomVerb("accept", "ROOM", "Accept a room into which somebody has let you whom you do not know", 1, roomAccept),
		roomVerb("decline", "ROOM", "Decline such a room: leave it, or have a room of two out of sight until they write again", 1, roomDecline),
		one("block", "Hear no more of somebody on this device; nobody is told", func(d *device) func(context.Context, string) error { return d.Block }),
		one("unblock", "Hear of somebody again", func(d *device) func(context.Context, string) error { return d.Unblock }),
		simple("blocked", "List who is blocked on this device", blocked),
	}
}

func roomAccept(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	if err := d.AcceptRoom(ctx, room); err != nil {
		return err
	}
	r, err := d.Room(ctx, room)
	if err != nil {
		return err
	}
	return c.printRoom(r)
}

func roomDecline(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	if err := d.DeclineRoom(ctx, room); err != nil {
		return err
	}
	return c.print(map[string]any{"room": room.String(), "declined": true}, "declined")
}

func blocked(ctx context.Context, c *call, d *device) error {
	list, err := d.Blocked(ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		if err := c.print(map[string]string{"handle": a.Handle, "account": a.ID.String()}, "@%s", a.Handle); err != nil {
			return err
		}
	}
	return nil
}

// asker says, where a room is a request, who asks.
func asker(r client.Room) string {
	if !r.Request {
		return ""
	}
	return "@" + r.Inviter
}
