package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/url"
	"strings"

	"snug/client"
)

func joinFlags(set *flag.FlagSet) action {
	homeFlags(set)
	return withDevice(func(ctx context.Context, c *call, d *device) error {
		link, err := c.inviteLink(ctx)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		if err := d.sameServer(link); err != nil {
			return err
		}
		room, err := d.JoinByInvite(ctx, link)
		if err != nil {
			return err
		}
		// A moment less than the verb's deadline, so that there is time to say what goes on without us.
		waiting, cancel := context.WithTimeout(ctx, c.timeout*3/4)
		defer cancel()
		in, err := d.AwaitRoom(waiting, room.ID)
		if err != nil && waiting.Err() != nil && !errors.Is(ctx.Err(), context.Canceled) {
			c.say("nobody who may let you in has answered. You are let in when one of them is there: snug rooms shows it. If one is, the link may be wrong or withdrawn: ask for a new one. To stop asking: snug room leave %s", room.ID)
			return c.printRoom(room)
		}
		if err != nil {
			return err
		}
		return c.printRoom(in)
	})
}

// inviteLink learns the link, which is a secret: arguments are seen by everybody on the machine.
func (c *call) inviteLink(ctx context.Context) (string, error) {
	switch {
	case len(c.args) == 0:
		return askSecretly(ctx, "the link of the invite: ", "snug join - < FILE")
	case c.args[0] == "-":
		return c.readAnswer(ctx, "type the link, and Enter; snug join alone does not show it")
	}
	c.say("others on this machine can see the link among the arguments; next time: snug join")
	return c.args[0], nil
}

// sameServer refuses the link of another server than this home's: nobody would ever answer.
func (d *device) sameServer(link string) error {
	address, err := url.Parse(link)
	if err != nil || address.Host == "" {
		return nil
	}
	ours, _, err := net.SplitHostPort(d.server.HostPort)
	if err == nil && !strings.EqualFold(ours, address.Hostname()) {
		return &client.Error{Code: client.Refused, Message: "that invite is for a room on " + safe(address.Hostname()) + "; this device is signed in on " + ours,
			Hint: "sign in there, with another --home; or, if it is the same server by another name, give what stands after the # alone"}
	}
	return nil
}
