package main

import (
	"context"
	"flag"
	"slices"
	"strings"

	"snug/client"
	"snug/internal/ident"
)

func archiveVerb() *verb {
	return &verb{
		name: "archive", args: "[on|off [ROOM]]", least: 0, most: 2, flags: archiveFlags,
		does: "Keep history on the server, sealed, for this account's new devices, or not: " +
			"whoever gets its passphrase, or a device, can then read all that is kept, however old it is",
		example: "archive off garden",
	}
}

func archiveFlags(set *flag.FlagSet) action {
	homeFlags(set)
	yes := set.Bool("yes", false, "delete without asking")
	show, change := withHome(showArchive), withDevice(func(ctx context.Context, c *call, d *device) error { return switchArchive(ctx, c, d, *yes) })
	return func(ctx context.Context, c *call) error {
		if len(c.args) == 0 {
			return show(ctx, c)
		}
		if c.args[0] != "on" && c.args[0] != "off" {
			return usageErrorf("snug "+c.verb.example, "archive: %q is neither on nor off", c.args[0])
		}
		return change(ctx, c)
	}
}

// showArchive prints the account's switch and the rooms that are left out.
func showArchive(ctx context.Context, c *call, d *device) error {
	a, err := d.Archive(ctx)
	if err != nil {
		return err
	}
	object := struct {
		On      bool     `json:"on"`
		Off     []string `json:"off"`
		Problem string   `json:"problem,omitempty"`
		Try     string   `json:"try,omitempty"`
	}{a.On, []string{}, a.Problem, a.Try}
	var names []string
	for _, room := range a.Off {
		object.Off = append(object.Off, room.String())
		if r, err := d.Room(ctx, room); err == nil {
			names = append(names, safe(r.Name))
		}
	}
	if a.Problem != "" && !c.json {
		c.say("%s", safe(a.Problem))
		c.say("%s", safe(a.Try))
	}
	switch {
	case !a.On:
		return c.print(object, "off: a new device reads nothing of what was said before it came")
	case len(names) > 0:
		return c.print(object, "on, but not for %s", strings.Join(names, ", "))
	}
	return c.print(object, "on: a new device reads what the others have read")
}

// switchArchive turns the account's archive, or a room's, on or off, after a person has agreed to what that deletes.
func switchArchive(ctx context.Context, c *call, d *device, yes bool) error {
	on := c.args[0] == "on"
	if !on && !yes {
		if err := agreeToDelete(ctx, c); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var err error
	var room ident.RoomID
	if len(c.args) == 2 {
		if room, err = d.Resolve(ctx, c.args[1]); err == nil {
			err = d.SetRoomArchive(ctx, room, on)
		}
	} else {
		err = d.SetArchive(ctx, on)
	}
	if err != nil {
		return err
	}
	a, err := d.Archive(ctx)
	if err != nil {
		return err
	}
	// A room's switch counts where the account's is on.
	if on && !room.IsZero() && !a.On {
		c.say("the account's archive is off: snug archive on")
	}
	object := map[string]any{"on": on}
	if !room.IsZero() {
		object = map[string]any{"on": on, "room": room.String(), "archived": a.On && !slices.Contains(a.Off, room)}
	}
	if on {
		return c.print(object, "on: whoever gets hold of the passphrase or of a device can read what is archived, however old it is")
	}
	return c.print(object, "off, and deleted from the server")
}

// agreeToDelete asks on the terminal.
func agreeToDelete(ctx context.Context, c *call) error {
	corrected := "snug archive " + strings.Join(c.args, " ") + " --yes"
	tty, err := openTerminal()
	if err != nil {
		return usageErrorf(corrected, "off deletes what the server has, and there is no terminal to ask on")
	}
	defer tty.Close()
	t := &terminal{File: tty}
	answer, err := t.ask(ctx, "off deletes what the server has; new devices will read nothing of it. Type yes: ")
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return &client.Error{Code: client.Refused, Message: "nothing was changed"}
	}
	return nil
}
