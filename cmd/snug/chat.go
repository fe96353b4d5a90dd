package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/wire"
)

// chatShows is how many entries of the past stand above the first line.
const chatShows = 20

func chatFlags(set *flag.FlagSet) action {
	homeFlags(set)
	return withDevice(chat)
}

// chat prints a room as it comes and says what is typed.
func chat(ctx context.Context, c *call, d *device) error {
	finding, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	room, err := findRoom(finding, d, c.args[0], true)
	if err != nil {
		return err
	}
	if err := catchUp(finding, c, d, room); err != nil {
		return err
	}
	t := newTail(c, d, nil, false)
	t.only = room
	r, err := d.Room(finding, room)
	if err != nil {
		return err
	}
	c.introduce(r)
	if t.printed[room], err = printLast(finding, c, d, room, chatShows); err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	following := make(chan error, 1)
	go func() { following <- t.follow(ctx) }()
	said := make(chan error, 1)
	go func() { said <- sayLines(ctx, c, d, room) }()
	select {
	case err = <-following:
		// Whoever reads the terminal cannot be interrupted: the process ends with it.
		return err
	case err = <-said:
		stop()
		<-following
		return err
	}
}

// introduce says who can read what will be typed.
func (c *call) introduce(r client.Room) {
	switch {
	case c.json:
	case r.Kind == client.OpenToAll:
		c.say("%s is open: everybody on this server can read it. ctrl-D leaves.", safe(r.Name))
	case r.Direct != "":
		c.say("sealed: only you and @%s can read this. ctrl-D leaves.", r.Direct)
	default:
		c.say("%s is sealed: only its %d members can read it. ctrl-D leaves.", safe(r.Name), r.Members)
	}
}

// sayLines sends each line of standard input, in order, until it ends. Who types hears of each line that is not sent; the
// status says so where a program does.
func sayLines(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	typed := isTerminal(c.in)
	lines := bufio.NewScanner(c.in)
	lines.Buffer(nil, wire.MaxText+len("\r\n")+1)
	var unsent []error
	for lines.Scan() {
		text := lines.Text()
		if strings.TrimSpace(text) == "" {
			continue
		}
		if typed && isTerminal(c.out) {
			// What was typed goes from the screen: it comes back in its place among what others say.
			fmt.Fprint(c.out, "\x1b[1A\x1b[2K")
		}
		sending, cancel := context.WithTimeout(ctx, c.timeout)
		_, err := d.Send(sending, room, text)
		cancel()
		if err != nil {
			report(c.err, err)
			unsent = append(unsent, err)
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return &client.Error{Code: client.Usage, Message: fmt.Sprintf("a line is longer than %d KiB", wire.MaxText>>10), Hint: "it was not sent, nor what follows it: send it in parts"}
	case err != nil:
		return fmt.Errorf("reading what to say: %w", err)
	case typed || len(unsent) == 0:
		return nil
	case len(unsent) == 1:
		return fmt.Errorf("one line was not sent: %w", unsent[0])
	}
	return fmt.Errorf("%d lines were not sent, the first because %w", len(unsent), unsent[0])
}
