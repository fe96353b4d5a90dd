package main

import (
	"context"
	"flag"
	"strings"

	"snug/client"
	"snug/internal/ident"
)

func roomVerbs() []*verb {
	return []*verb{
		simple("rooms", "List your rooms, and the open ones", rooms),
		{
			name: "room create", args: "NAME [@handle…]", least: 1, most: -1, flags: roomCreateFlags,
			does:    "Make a room: sealed, so that only its members can read it, or open to everybody on the server",
			example: "room create garden @bob @carol",
		},
		roomVerb("room add", "ROOM @handle…", "Add people to a sealed room", 2, roomAdd),
		roomVerb("room remove", "ROOM @handle…", "Remove people from a sealed room", 2, roomRemove),
		{
			name: "room role", args: "ROOM @handle ROLE", least: 3, most: 3, flags: roomFlags(roomRole),
			does:    "Make a member of a sealed room owner, admin, member or reader",
			example: "room role garden @bob admin",
		},
		{
			name: "room set", args: "ROOM", least: 1, most: 1, flags: roomSetFlags,
			does:    "Change a sealed room's name and topic, and who may add members and change them",
			example: "room set garden --topic 'apples and pears' --adds member",
		},
		roomVerb("room join", "ROOM", "Join an open room", 1, roomJoin),
		roomVerb("room leave", "ROOM", "Leave a room", 1, roomLeave),
		roomVerb("room members", "ROOM", "List the people in a room", 1, roomMembers),
	}
}

// roomVerb makes a verb that acts on a room that exists. With least above 1 handles follow the room.
func roomVerb(name, args, does string, least int, act func(context.Context, *call, *device, ident.RoomID) error) *verb {
	v := &verb{name: name, args: args, does: does, least: least, most: 1, example: name + " garden"}
	if least > 1 {
		v.most, v.example = -1, v.example+" @bob"
	}
	v.flags = roomFlags(act)
	return v
}

// roomFlags is for verbs without flags of their own whose first argument is a room.
func roomFlags(act func(context.Context, *call, *device, ident.RoomID) error) func(*flag.FlagSet) action {
	return func(set *flag.FlagSet) action {
		homeFlags(set)
		return withRoom(act)
	}
}

// withRoom resolves the first argument.
func withRoom(act func(context.Context, *call, *device, ident.RoomID) error) action {
	return withHome(func(ctx context.Context, c *call, d *device) error {
		room, err := d.Resolve(ctx, c.args[0])
		if err != nil {
			return err
		}
		return act(ctx, c, d, room)
	})
}

// roomObject is how scripts see a room.
type roomObject struct {
	Room    string `json:"room"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Direct  string `json:"direct,omitempty"`
	Joined  bool   `json:"joined"`
	Members int    `json:"members"`
	Seq     uint64 `json:"seq"`
	Unread  int    `json:"unread"`
	Topic   string `json:"topic,omitempty"`
	Role    string `json:"role,omitempty"`
	Problem string `json:"problem,omitempty"`
	Try     string `json:"try,omitempty"`
	Waiting bool   `json:"waiting,omitempty"`
	// Leaving rooms are left as soon as a member's device has carried it out.
	Leaving bool `json:"leaving,omitempty"`
	// State is joined, open (to be joined), outside (this device waits for another one to let it in), waiting (for an
	// answer to an invite), request or left.
	State string `json:"state"`
	// Request is who has let this account in, where it has not accepted the room.
	Request string `json:"request,omitempty"`
}

func (c *call) printRoom(r client.Room) error {
	object := roomObject{
		Room: r.ID.String(), Name: r.Name, Kind: string(r.Kind), Joined: r.Joined, Members: r.Members,
		Seq: r.Seq, Unread: r.Unread, Topic: r.Topic, Role: r.Role, Problem: r.Problem, Try: r.Try,
		Waiting: r.Waiting, Leaving: r.Leaving, Request: asker(r), State: stateOf(r),
	}
	if r.Direct != "" {
		object.Direct = "@" + r.Direct
	}
	note := ""
	switch {
	case r.Problem != "":
		note = "  problem: " + safe(r.Problem)
	case r.Request:
		note = "  asked by @" + r.Inviter + ": snug accept, decline or block"
	case r.Leaving:
		note = "  leaving: it is left as soon as a member's device has carried it out"
	case r.Waiting:
		note = "  waiting to be let in"
		if r.Try != "" {
			note += ": " + safe(r.Try)
		}
	case r.Outside:
		note = "  this device has not been let in yet"
	case !r.Joined:
		note = "  not joined"
	case r.Unread > 0:
		note = "  new"
	}
	return c.print(object, "%-6s  %s  %s%s", r.Kind, object.Room, shownName(r), note)
}

// shownName is a room's name, or what stands for that of a room which this device has not been let into.
func shownName(r client.Room) string {
	if r.Outside && r.Name == "" {
		return "(no name yet)"
	}
	return safe(r.Name)
}

// stateOf says where this device stands in a room.
func stateOf(r client.Room) string {
	switch {
	case r.Outside:
		return "outside"
	case r.Request:
		return "request"
	case r.Waiting:
		return "waiting"
	case r.Joined:
		return "joined"
	case r.Kind == client.OpenToAll:
		return "open"
	}
	return "left"
}

// sayOutside says how many rooms wait for this device to be let in, and what does it.
func (c *call) sayOutside(n int) {
	switch {
	case n == 1:
		c.say("one of your rooms has not let this device in yet: %s; on a terminal, snug tail is online until it is stopped", client.LetIn)
	case n > 1:
		c.say("%d of your rooms have not let this device in yet: %s; on a terminal, snug tail is online until it is stopped", n, client.LetIn)
	}
}

func rooms(ctx context.Context, c *call, d *device) error {
	if err := catchUpRooms(ctx, c, d); err != nil {
		return err
	}
	list, err := d.Rooms(ctx)
	if err != nil {
		return err
	}
	outside := 0
	for _, r := range list {
		if r.Outside {
			outside++
		}
		if err := c.printRoom(r); err != nil {
			return err
		}
	}
	c.sayOutside(outside)
	c.sayAlerts(ctx, d, 0)
	return nil
}

func roomCreateFlags(set *flag.FlagSet) action {
	homeFlags(set)
	open := set.Bool("open", false, "everybody on the server may read it and join")
	return withHome(func(ctx context.Context, c *call, d *device) error {
		handles, err := handleArgs(c, c.args[1:])
		if err != nil {
			return err
		}
		if *open && len(handles) > 0 {
			return usageErrorf("snug room create "+c.args[0]+" --open", "an open room has no list of members: people join it themselves")
		}
		r, err := d.CreateRoom(ctx, client.CreateRoomOptions{Name: c.args[0], Open: *open, Handles: handles})
		if err != nil {
			return err
		}
		return c.printRoom(r)
	})
}

// handleArgs reads arguments of the form @handle.
func handleArgs(c *call, args []string) ([]string, error) {
	handles := make([]string, len(args))
	for i, arg := range args {
		handle, marked := strings.CutPrefix(arg, "@")
		if _, err := ident.ParseHandle(handle); err != nil || !marked {
			return nil, usageErrorf("snug "+c.verb.example, "%q is no @handle", arg)
		}
		handles[i] = handle
	}
	return handles, nil
}

func roomAdd(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	return changeMembers(ctx, c, d, room, "added", d.AddMembers)
}

func roomRemove(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	return changeMembers(ctx, c, d, room, "removed", d.RemoveMembers)
}

// changeMembers adds or removes the people named after the room.
func changeMembers(
	ctx context.Context, c *call, d *device, room ident.RoomID, done string,
	change func(context.Context, ident.RoomID, ...string) error,
) error {
	handles, err := handleArgs(c, c.args[1:])
	if err != nil {
		return err
	}
	if err := change(ctx, room, handles...); err != nil {
		return err
	}
	return c.print(map[string]any{"room": room.String(), done: c.args[1:]}, "%s %s", done, strings.Join(c.args[1:], " "))
}

func roomRole(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	handles, err := handleArgs(c, c.args[1:2])
	if err != nil {
		return err
	}
	if err := d.SetRole(ctx, room, handles[0], c.args[2]); err != nil {
		return err
	}
	return c.print(map[string]any{"room": room.String(), "handle": handles[0], "role": c.args[2]}, "%s is %s", c.args[1], c.args[2])
}

func roomSetFlags(set *flag.FlagSet) action {
	homeFlags(set)
	var settings client.RoomSettings
	set.Func("name", "the room's `name`, of 1 to 64 bytes", func(v string) error { settings.Name = &v; return nil })
	set.Func("topic", "what the room is about; empty for nothing", func(v string) error { settings.Topic = &v; return nil })
	set.StringVar(&settings.Adds, "adds", "", "the least `role` that adds members: owner, admin or member")
	set.StringVar(&settings.Edits, "edits", "", "the least `role` that changes name and topic")
	return withRoom(func(ctx context.Context, c *call, d *device, room ident.RoomID) error {
		if err := d.ChangeRoom(ctx, room, settings); err != nil {
			return err
		}
		r, err := d.Room(ctx, room)
		if err != nil {
			return err
		}
		return c.printRoom(r)
	})
}

func roomJoin(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	if err := d.JoinRoom(ctx, room); err != nil {
		return err
	}
	r, err := d.Room(ctx, room)
	if err != nil {
		return err
	}
	return c.printRoom(r)
}

func roomLeave(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	if err := d.LeaveRoom(ctx, room); err != nil {
		return err
	}
	r, err := d.Room(ctx, room)
	if err == nil && r.Leaving {
		return c.print(map[string]any{"room": room.String(), "left": false, "leaving": true}, "leaving: the room is left as soon as a member's device has carried it out")
	}
	return c.print(map[string]any{"room": room.String(), "left": true}, "left")
}

func roomMembers(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	if err := catchUpRooms(ctx, c, d); err != nil {
		return err
	}
	members, err := d.Members(ctx, room)
	if err != nil {
		return err
	}
	for _, m := range members {
		object := struct {
			Handle  string `json:"handle"`
			Account string `json:"account"`
			Role    string `json:"role,omitempty"`
			Devices int    `json:"devices,omitempty"`
		}{m.Handle, m.Account.String(), m.Role, m.Devices}
		if err := c.print(object, "@%-32s %s", m.Handle, m.Role); err != nil {
			return err
		}
	}
	return nil
}
