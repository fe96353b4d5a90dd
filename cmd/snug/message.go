package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/wire"
)

func messageVerbs() []*verb {
	return []*verb{
		{
			name: "send", args: "@handle|ROOM [TEXT…]", least: 1, most: -1, flags: sendFlags,
			does:    "Say something, or what stands on standard input; returns when the server has it",
			example: "send @bob 'tea at four?'",
		},
		{
			name: "tail", args: "[@handle|ROOM]", least: 0, most: 1, flags: tailFlags,
			does:    "Print what you have not been shown yet and then what comes, in one room or in all of yours",
			example: "tail @bob --json",
		},
		{
			name: "history", args: "@handle|ROOM", least: 1, most: 1, flags: historyFlags,
			does:    "Print the last messages of a room",
			example: "history @bob --limit 20",
		},
		{
			name: "chat", args: "@handle|ROOM", least: 1, most: 1, flags: chatFlags,
			does:    "Talk line by line: what you type is said, what others say is printed; ctrl-D ends it",
			example: "chat @bob",
		},
	}
}

// messageObject is how scripts see an entry of a room: with Text it is a message, with Notice something that happened
// to the room, with Gap an entry that cannot be shown, or all up to Until: why, and what to try.
type messageObject struct {
	Room   string  `json:"room"`
	Seq    uint64  `json:"seq"`
	ID     string  `json:"id,omitempty"`
	From   string  `json:"from,omitempty"`
	Device string  `json:"device,omitempty"`
	At     string  `json:"at,omitempty"`
	Text   *string `json:"text,omitempty"`
	// Blocked says that the sender is blocked on this device: people are not shown the text.
	Blocked bool   `json:"blocked,omitempty"`
	Notice  string `json:"notice,omitempty"`
	Gap     string `json:"gap,omitempty"`
	Until   uint64 `json:"until,omitempty"`
	Try     string `json:"try,omitempty"`
	State   string `json:"state,omitempty"`
}

// printMessage prints one entry. The name of the room goes before it where several rooms are printed.
func (c *call) printMessage(m client.Message, room string) error {
	object := messageObject{Room: m.Room.String(), Seq: m.Seq, At: timeText(m.At)}
	line := ""
	switch m.Kind {
	case client.Gap:
		object.Gap, object.Until, object.Try = m.Gap, m.End(), m.Try
		line = c.style(faint, fmt.Sprintf("— %s cannot be shown: %s; %s", places(m), safe(m.Gap), safe(m.Try)))
	case client.Notice:
		object.Notice = m.Text
		line = c.style(faint, "— "+safe(m.Text))
	default:
		object.ID, object.From, object.Device, object.Text = m.ID.String(), m.From, m.Device.String(), &m.Text
		line = c.style(hue(m.From), "@"+m.From) + " " + safeLines(m.Text, "      ")
		if object.Blocked = m.Blocked; m.Blocked {
			line = c.style(faint, "— a message of @"+m.From+", who is blocked")
		}
	}
	if m.State != client.Delivered && m.Kind == client.Text {
		object.State = string(m.State)
		line += c.style(faint, "  ("+string(m.State)+")")
	}
	if room != "" {
		line = c.style(faint, "["+safe(room)+"]") + " " + line
	}
	return c.print(object, "%s %s", c.style(faint, m.At.Local().Format("15:04")), line)
}

// places says where in the log a gap is.
func places(m client.Message) string {
	if m.End() == m.Seq {
		return fmt.Sprint(m.Seq)
	}
	return fmt.Sprintf("%d to %d", m.Seq, m.End())
}

// findRoom is the room that an argument names. A 1:1 room is made where make is set and there is none.
func findRoom(ctx context.Context, d *device, name string, make bool) (ident.RoomID, error) {
	if handle, ok := strings.CutPrefix(name, "@"); ok && make {
		return d.Direct(ctx, handle)
	}
	return d.Resolve(ctx, name)
}

func sendFlags(set *flag.FlagSet) action {
	homeFlags(set)
	return withDevice(func(ctx context.Context, c *call, d *device) error {
		text, err := messageText(ctx, c)
		if err != nil {
			return err
		}
		// What is piped in takes the time that it takes.
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		sent, err := say(ctx, d, c.args[0], text)
		if err != nil {
			return err
		}
		// Who reads it on a terminal knows what was sent; everybody else is a script.
		c.json = c.json || !isTerminal(c.out)
		object := struct {
			Room string `json:"room"`
			Seq  uint64 `json:"seq"`
			ID   string `json:"id"`
		}{sent.Room.String(), sent.Seq, sent.ID.String()}
		return c.print(object, "sent")
	})
}

// say sends to the person or the room that an argument names.
func say(ctx context.Context, d *device, name, text string) (client.Sent, error) {
	if handle, ok := strings.CutPrefix(name, "@"); ok {
		return d.SendDirect(ctx, handle, text)
	}
	room, err := d.Resolve(ctx, name)
	if err != nil {
		return client.Sent{}, err
	}
	return d.Send(ctx, room, text)
}

// messageText is the arguments after the room, or standard input less its last line break.
func messageText(ctx context.Context, c *call) (string, error) {
	text := strings.Join(c.args[1:], " ")
	if len(c.args) == 1 {
		read, err := c.readText(ctx)
		if err != nil {
			return "", fmt.Errorf("reading the text: %w", err)
		}
		text = strings.TrimSuffix(strings.TrimSuffix(read, "\n"), "\r")
	}
	if strings.TrimSpace(text) == "" {
		return "", usageErrorf("snug send "+c.args[0]+" TEXT", "there is nothing to send")
	}
	if len(text) > wire.MaxText {
		return "", &client.Error{Code: client.Usage, Message: fmt.Sprintf("the text is longer than %d KiB", wire.MaxText>>10), Hint: "send it in parts"}
	}
	return text, nil
}

// readText reads standard input to its end, or to what is too long to be sent.
func (c *call) readText(ctx context.Context) (string, error) {
	if isTerminal(c.in) {
		c.say("type what to say; ctrl-D on a line of its own sends it")
	}
	return await(ctx, func() (string, error) {
		read, err := io.ReadAll(io.LimitReader(c.in, wire.MaxText+2))
		return string(read), err
	})
}

// isTerminal reports whether a person reads w.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width gives the columns of a terminal; 0 where nobody knows.
func width(w any) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

func historyFlags(set *flag.FlagSet) action {
	homeFlags(set)
	limit := set.Int("limit", 50, "print the last `N` entries")
	return withHome(func(ctx context.Context, c *call, d *device) error {
		if *limit < 1 {
			return usageErrorf("snug history "+c.args[0]+" --limit 50", "--limit %d prints nothing", *limit)
		}
		room, err := findRoom(ctx, d, c.args[0], false)
		if err != nil {
			return err
		}
		if err := catchUp(ctx, c, d, room); err != nil {
			return err
		}
		_, err = printLast(ctx, c, d, room, *limit)
		return err
	})
}

// catchUp fetches what the server has. Without the server what is stored here is shown all the same.
func catchUp(ctx context.Context, c *call, d *device, room ident.RoomID) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout/2)
	defer cancel()
	err := d.CatchUp(ctx, room)
	var refusal *client.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refusal) && refusal.Code == client.Unreachable {
		c.say("the server cannot be reached; this is what is stored here")
		return nil
	}
	return err
}

// catchUpRooms has all rooms be as they are on the server, before a verb that lives for a moment shows them. What it cannot
// ask for within half of the verb's time is shown as it is stored, and said to be so.
func catchUpRooms(ctx context.Context, c *call, d *device) error {
	half := c.timeout / 2
	if deadline, ok := ctx.Deadline(); ok {
		half = time.Until(deadline) / 2
	}
	catching, cancel := context.WithTimeout(ctx, half)
	defer cancel()
	err := d.CatchUpRooms(catching)
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Code != client.Unreachable {
		return err
	}
	at, err := d.CaughtUpAt(ctx)
	if err != nil {
		return err
	}
	if at.IsZero() {
		c.say("the server has not told all in time; this is what is stored here")
		return nil
	}
	c.say("the server has not told all in time; this is what is stored here, complete up to %s", at.Local().Format("2 January 2006 15:04"))
	return nil
}

// printLast prints the last entries of a room, the oldest of them first, and returns the seq of the last one.
func printLast(ctx context.Context, c *call, d *device, room ident.RoomID, limit int) (last uint64, err error) {
	messages, err := d.History(ctx, room, client.HistoryOptions{Limit: limit})
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		if err := c.printMessage(m, ""); err != nil {
			return 0, err
		}
		last = max(last, m.End())
	}
	return last, nil
}
