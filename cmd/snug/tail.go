package main

import (
	"context"
	"errors"
	"flag"
	"strings"

	"snug/client"
	"snug/internal/ident"
)

// tailPage is how many entries are read from the store at a time.
const tailPage = 200

// A tail prints rooms from a place on. Events only say where to look again: what is printed is read from the store, so
// that nothing is printed twice or left out, whichever process of this home received it.
type tail struct {
	c *call
	d *device
	// only is the one room to print; zero for all joined ones.
	only ident.RoomID
	// since, where set, is the seq after which to begin, instead of what was shown last.
	since *uint64
	// all begins at the first entry.
	all bool
	// printed is the seq of the last entry that was printed, by room.
	printed map[ident.RoomID]uint64
	// alerted is the newest alert that was said.
	alerted uint64
	// mark moves the room's read marker along: what is printed has been shown.
	mark bool
}

func tailFlags(set *flag.FlagSet) action {
	homeFlags(set)
	since := set.Uint64("since", 0, "begin after the entry of this `SEQ`; 0 is the beginning")
	once := set.Bool("once", false, "print all there is (after --since) and end")
	given := func() *uint64 {
		var set0 *uint64
		set.Visit(func(f *flag.Flag) {
			if f.Name == "since" {
				set0 = since
			}
		})
		return set0
	}
	live := withDevice(func(ctx context.Context, c *call, d *device) error {
		return newTail(c, d, given(), false).follow(ctx)
	})
	ending := withHome(func(ctx context.Context, c *call, d *device) error {
		return newTail(c, d, given(), true).once(ctx)
	})
	return func(ctx context.Context, c *call) error {
		if *once {
			return ending(ctx, c)
		}
		return live(ctx, c)
	}
}

func newTail(c *call, d *device, since *uint64, all bool) *tail {
	return &tail{c: c, d: d, since: since, all: all, mark: !all, printed: make(map[ident.RoomID]uint64)}
}

// once prints what the server has now.
func (t *tail) once(ctx context.Context) error {
	if err := t.catchUp(ctx); err != nil {
		return err
	}
	// Only now is it known where the rooms end, and which have just come.
	rooms, err := t.rooms(ctx)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		if unjoined(room) {
			room.Seq = room.ServerSeq // it is read from the server
		}
		if err := t.print(ctx, room); err != nil {
			return err
		}
	}
	return nil
}

// catchUp fetches what the server has of the rooms to print.
func (t *tail) catchUp(ctx context.Context) error {
	if len(t.c.args) == 0 {
		return catchUpRooms(ctx, t.c, t.d)
	}
	room, err := t.d.Resolve(ctx, t.c.args[0])
	if err != nil {
		return err
	}
	return catchUp(ctx, t.c, t.d, room)
}

// follow prints until the context ends, which is how a person stops it and no failure.
func (t *tail) follow(ctx context.Context) error {
	events := t.d.Events()
	defer events.Close()
	t.alerted = t.c.sayAlerts(ctx, t.d, 0)
	rooms, err := t.rooms(ctx)
	if err != nil && !t.mayAppear(ctx, err) {
		return err
	}
	for _, room := range rooms {
		if unjoined(room) {
			return &client.Error{Code: client.Refused, Message: "you have not joined " + quoted(room.Name) + ": nobody tells this device what comes there",
				Hint: "join it, or print what there is with --once", Command: "snug room join " + room.ID.String()}
		}
		if err := t.print(ctx, room); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-events.C:
			if !ok {
				return nil
			}
			if err := t.handle(ctx, event); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// unjoined reports whether a room is an open one that this account may read and is not in.
func unjoined(room client.Room) bool { return room.Kind == client.OpenToAll && !room.Joined }

// mayAppear reports whether the room that was not found is the 1:1 room with somebody who exists: it is there as soon
// as one of the two says something.
func (t *tail) mayAppear(ctx context.Context, err error) bool {
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Code != client.NotFound || !strings.HasPrefix(t.c.args[0], "@") {
		return false
	}
	accounts, err := t.d.Accounts(ctx)
	if err != nil {
		return false
	}
	for _, a := range accounts {
		if a.Handle == t.c.args[0][1:] {
			return true
		}
	}
	return false
}

// rooms are the rooms to print: the one asked for, or all joined ones.
func (t *tail) rooms(ctx context.Context) ([]client.Room, error) {
	if len(t.c.args) == 1 && t.only.IsZero() {
		room, err := t.d.Resolve(ctx, t.c.args[0])
		if err != nil {
			return nil, err
		}
		t.only = room
	}
	if !t.only.IsZero() {
		room, err := t.d.Room(ctx, t.only)
		return []client.Room{room}, err
	}
	all, err := t.d.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	var joined []client.Room
	for _, room := range all {
		if room.Joined {
			joined = append(joined, room)
		}
	}
	return joined, nil
}

// handle looks again where an event points.
func (t *tail) handle(ctx context.Context, event client.Event) error {
	switch event := event.(type) {
	case client.MessageChanged:
		if event.Message.Seq <= t.printed[event.Message.Room] {
			return nil
		}
	case client.RoomChanged:
	case client.AlertsChanged:
		t.alerted = t.c.sayAlerts(ctx, t.d, t.alerted)
		return nil
	case client.Resync:
		t.alerted = t.c.sayAlerts(ctx, t.d, t.alerted)
	case client.SignedOut:
		return &client.Error{Code: client.Refused, Message: event.Reason}
	default:
		return nil
	}
	rooms, err := t.rooms(ctx)
	if err != nil {
		if t.only.IsZero() && len(t.c.args) == 1 {
			return nil // the 1:1 room is not there yet
		}
		return err
	}
	for _, room := range rooms {
		if err := t.print(ctx, room); err != nil {
			return err
		}
	}
	return nil
}

// print prints what the room has after the last entry that was printed.
func (t *tail) print(ctx context.Context, room client.Room) error {
	after, begun := t.printed[room.ID]
	if !begun {
		after = t.begin(room)
		t.printed[room.ID] = after
	}
	name := ""
	if t.only.IsZero() {
		name = room.Name
	}
	for room.Seq > after {
		options := client.HistoryOptions{After: after, Limit: tailPage}
		if after == 0 {
			options.Before = tailPage + 1 // without After it would be the last ones
		}
		messages, err := t.d.History(ctx, room.ID, options)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Seq <= after {
				continue
			}
			if err := t.c.printMessage(m, name); err != nil {
				return err
			}
			after = m.End()
			t.printed[room.ID] = after
		}
		if options.Before > 0 {
			after = max(after, min(tailPage, room.Seq)) // more may have come than the room had
			t.printed[room.ID] = after
		} else if len(messages) < tailPage {
			break
		}
	}
	if t.mark && room.Read < after {
		return t.d.MarkRead(ctx, room.ID, after)
	}
	return nil
}

// begin is the seq after which a room is printed.
func (t *tail) begin(room client.Room) uint64 {
	switch {
	case t.since != nil:
		return *t.since
	case t.all:
		return 0
	}
	return room.Read
}
