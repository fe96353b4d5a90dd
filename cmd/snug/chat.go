package main

import (
	"bufio"
	"context"
	"flag"
	"strings"

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
	r, err := d.Room(ctx, room)
	if err != nil {
		return err
	}
	if err := printLast(ctx, c, d, room, chatShows); err != nil {
		return err
	}
	t.printed[room] = r.Seq

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

// sayLines sends each line of standard input, in order, until it ends.
func sayLines(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	lines := bufio.NewScanner(c.in)
	lines.Buffer(nil, wire.MaxText)
	for lines.Scan() {
		text := lines.Text()
		if strings.TrimSpace(text) == "" {
			continue
		}
		sending, cancel := context.WithTimeout(ctx, c.timeout)
		_, err := d.Send(sending, room, text)
		cancel()
		if err != nil {
			report(c.err, err)
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	return lines.Err()
}
