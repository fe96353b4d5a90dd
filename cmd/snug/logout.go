package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"snug/client"
)

func logoutFlags(set *flag.FlagSet) action {
	homeFlags(set)
	forget := set.Bool("forget", false, "leave without the server: the device stays enrolled until another one revokes it")
	yes := set.Bool("yes", false, "do not ask where something is lost by it")
	return withDevice(func(ctx context.Context, c *call, d *device) error {
		if !*yes {
			if err := c.agreeToPart(ctx, d, *forget); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		me, _ := d.Me()
		leave := d.Logout
		if *forget {
			leave = d.Forget
		}
		if err := leave(ctx); err != nil {
			return err
		}
		if *forget {
			c.say("on another device: snug device revoke %s", me.Device)
		}
		return c.print(map[string]any{"handle": me.Handle, "signed_out": true, "revoked": !*forget}, "@%s is signed out here", me.Handle)
	})
}

// agreeToPart says what goes with the device, and asks on the terminal. Where another device stays and nothing waits to be sent,
// nothing is lost, and nobody is asked.
func (c *call) agreeToPart(ctx context.Context, d *device, forget bool) error {
	looking, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	p, err := d.Parting(looking)
	if err != nil || !p.Last && p.Unsent == 0 {
		return err
	}
	corrected := "snug logout --yes"
	if forget {
		corrected = "snug logout --forget --yes"
	}
	what := partingText(p)
	tty, err := openTerminal()
	if err != nil {
		return usageErrorf(corrected, "%s, and there is no terminal to ask on", what)
	}
	defer tty.Close()
	question := ". Shall this go? Type yes: "
	if p.Last {
		question = ". Have you got the passphrase, and shall this go? Type yes: "
	}
	answer, err := (&terminal{File: tty}).ask(ctx, what+question)
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return &client.Error{Code: client.Refused, Message: "you are still signed in"}
	}
	return nil
}

// partingText says what signing out takes away.
func partingText(p client.Parting) string {
	var goes []string
	if p.Unsent > 0 {
		goes = append(goes, countMessages(p.Unsent)+" written here and not sent (yet): gone when this device signs out")
	}
	if p.Last {
		text := "this is the account's only device"
		if p.Unarchived > 0 {
			text += fmt.Sprintf(": what was said in %s and is not archived (yet) is gone when it signs out", countRooms(p.Unarchived))
		}
		goes = append(goes, text)
	}
	if shared := p.Rooms - p.Alone; p.Last && shared > 0 {
		goes = append(goes, fmt.Sprintf("the next one that signs in has to wait for another member's device before it is in %s", countRooms(shared)))
	}
	return strings.Join(goes, "; ")
}

func countMessages(n int) string {
	if n == 1 {
		return "one message was"
	}
	return fmt.Sprintf("%d messages were", n)
}

func countRooms(n int) string {
	if n == 1 {
		return "one room"
	}
	return fmt.Sprintf("%d rooms", n)
}
