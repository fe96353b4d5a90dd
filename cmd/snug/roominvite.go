package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/qr"
)

func roomInviteVerbs() []*verb {
	return []*verb{
		{
			name: "room invite", args: "ROOM", least: 1, most: 1, flags: roomInviteFlags,
			does:    "Make a link by which people come into a sealed room; a device of whoever may add members lets them in",
			example: "room invite garden --uses 5 --for 48h",
		},
		roomVerb("room invites", "ROOM", "List a sealed room's invites", 1, roomInvites),
		{
			name: "room uninvite", args: "ROOM INVITE", least: 2, most: 2, flags: roomFlags(roomUninvite),
			does:    "Withdraw an invite, named as snug room invites lists it",
			example: "room uninvite garden 0123456789abcdef0123456789abcdef",
		},
		{
			name: "join", args: "[-|LINK]", least: 0, most: 1, flags: joinFlags,
			does: "Ask to be let into a room by the link of an invite, and wait until you are; without LINK it is asked for, - reads it " +
				"from standard input: as an argument everybody on this machine can see it",
			example: "join",
		},
	}
}

// inviteObject is how scripts see a room's invite.
type inviteObject struct {
	Invite  string `json:"invite"`
	Link    string `json:"link,omitempty"`
	Maker   string `json:"maker"`
	Role    string `json:"role"`
	Expires string `json:"expires"`
	Uses    int    `json:"uses"`
	Used    int    `json:"used"`
	Revoked bool   `json:"revoked,omitempty"`
}

func (d *device) inviteObject(i client.RoomInvite) inviteObject {
	o := inviteObject{Invite: hex.EncodeToString(i.ID[:]), Maker: "@" + i.Maker, Role: i.Role, Expires: i.Expires.Format(time.RFC3339),
		Uses: i.Uses, Used: i.Used, Revoked: i.Revoked}
	if i.Code != "" {
		o.Link = "https://" + d.server.HostPort + "/#" + i.Code
	}
	return o
}

func roomInviteFlags(set *flag.FlagSet) action {
	homeFlags(set)
	var options client.RoomInviteOptions
	set.IntVar(&options.Uses, "uses", 1, "how many `people` may come by it, 1 to 100")
	set.DurationVar(&options.For, "for", 7*24*time.Hour, "how long it is good, at most 720h")
	set.BoolVar(&options.Reader, "reader", false, "who comes by it reads and does not write")
	invite := withRoom(func(ctx context.Context, c *call, d *device, room ident.RoomID) error {
		made, err := d.CreateRoomInvite(ctx, room, options)
		if err != nil {
			return err
		}
		object := d.inviteObject(made)
		if isTerminal(c.out) && !c.json {
			code, err := qr.Encode(object.Link)
			if err != nil {
				return err
			}
			fmt.Fprint(c.out, code.Terminal())
		}
		c.sayLoopback(d)
		return c.print(object, "%s", object.Link)
	})
	return func(ctx context.Context, c *call) error {
		// To the client 0 is what it takes by itself; whoever writes it means something else.
		if options.Uses < 1 || options.For <= 0 {
			return usageErrorf("snug "+c.verb.example, "an invite is good for 1 to 100 people, and for a minute to 30 days")
		}
		return invite(ctx, c)
	}
}

func roomInvites(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	list, err := d.RoomInvites(ctx, room)
	if err != nil {
		return err
	}
	for _, i := range list {
		o := d.inviteObject(i)
		state := "until " + o.Expires
		switch {
		case i.Revoked:
			state = "withdrawn"
		case i.Used >= i.Uses:
			state = "used up"
		case !time.Now().Before(i.Expires):
			state = "expired"
		}
		if err := c.print(o, "%s  %d of %d used  %s, %s, by %s", o.Invite, i.Used, i.Uses, i.Role, state, safe(o.Maker)); err != nil {
			return err
		}
	}
	return nil
}

func roomUninvite(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	id, err := hex.DecodeString(c.args[1])
	if err != nil || len(id) != len(ident.RoomInviteID{}) {
		return usageErrorf("snug room invites "+c.args[0], "%q names no invite", c.args[1])
	}
	if err := d.RevokeRoomInvite(ctx, room, ident.RoomInviteID(id)); err != nil {
		return err
	}
	return c.print(map[string]any{"room": room.String(), "withdrawn": c.args[1]}, "withdrawn")
}
