package client

import (
	"context"

	"snug/internal/ident"
	"snug/internal/wire"
)

// historyLimit is how many messages History gives where nothing else is said: a few screens.
const historyLimit = 100

// History gives a stretch of a room's messages, ascending by seq; those that are not yet in the log (pending, failed)
// follow at the end where Before is 0. What is not stored here it reads on the server: of open rooms in the log, of sealed
// ones in the account's archive. What cannot be shown is a Gap, of one place or of many.
func (c *Client) History(ctx context.Context, room ident.RoomID, options HistoryOptions) ([]Message, error) {
	if options.Limit <= 0 {
		options.Limit = historyLimit
	}
	return call[[]Message](ctx, c, func(c *Core, call uint64) {
		r := c.mem.rooms[room]
		switch {
		case r != nil && r.kind == Sealed:
			c.archivedHistory(call, room, options)
		case r != nil && r.since == 0:
			c.reply(call, c.local(r, options), nil)
		case r != nil && options.After >= r.since:
			c.reply(call, c.local(r, options), nil)
		case r != nil:
			c.mixedHistory(call, r, options)
		case c.vol.logs[room].kind == Sealed:
			c.reply(call, nil, c.noRoom(room)) // the server hands it out already, and the Welcome is still to come
		default:
			c.fetchHistory(call, room, options)
		}
	})
}

// forward reports whether the first messages of the stretch are wanted rather than the last.
func (o HistoryOptions) forward() bool { return o.After > 0 && o.Before == 0 }

// local gives what this device has stored, and which places of the log it has nothing of.
func (c *Core) local(r *room, options HistoryOptions) []Message {
	messages := c.newPassage(r, options).read()
	if options.Before == 0 {
		messages = append(messages, c.undelivered(r)...)
	}
	return messages
}

// undelivered gives the messages that are not in the log yet.
func (c *Core) undelivered(r *room) (messages []Message) {
	for _, w := range r.rows {
		if w.kind == rowText {
			messages = append(messages, c.viewRow(r, w))
		}
	}
	return messages
}

// mixedHistory gives an open room's messages of which the older part is on the server only.
func (c *Core) mixedHistory(call uint64, r *room, options HistoryOptions) {
	var here []Message
	if !options.forward() {
		here = c.local(r, options)
		stored := 0
		for _, m := range here {
			if m.Seq > 0 {
				stored++
			}
		}
		if stored >= options.Limit {
			c.reply(call, here, nil)
			return
		}
		options.Limit -= stored
	}
	older := options
	if older.Before == 0 || older.Before > r.since+1 {
		older.Before = r.since + 1
	}
	id := r.id
	c.fetchStretch(call, older, options.forward(), id, nil, func(c *Core, there []Message) {
		r := c.mem.rooms[id]
		if options.forward() && r != nil && len(there) < options.Limit {
			rest := options
			rest.After, rest.Limit = max(options.After, r.since), options.Limit-len(there)
			here = c.local(r, rest)
		}
		c.reply(call, append(there, here...), nil)
	})
}

// fetchHistory gives the messages of a room that is not stored here at all.
func (c *Core) fetchHistory(call uint64, room ident.RoomID, options HistoryOptions) {
	c.fetchStretch(call, options, options.forward(), room, nil, func(c *Core, messages []Message) { c.reply(call, messages, nil) })
}

// fetchStretch reads entries of an open room from the server, page by page, and goes on with then.
func (c *Core) fetchStretch(call uint64, options HistoryOptions, forward bool, room ident.RoomID, got []*wire.Entry, then func(*Core, []Message)) {
	body := &wire.Fetch{Room: room.Bytes(), After: options.After, Before: options.Before,
		Limit: uint32(min(options.Limit-len(got), wire.MaxPage)), Last: !forward}
	c.ask(request{call: call, needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_Fetch{Fetch: body}},
		then: func(c *Core, reply *wire.ServerFrame) {
			fetched := reply.GetFetched()
			page := fetched.GetEntries()
			if forward {
				page = append(got[:len(got):len(got)], page...)
			} else {
				page = append(page[:len(page):len(page)], got...)
			}
			if !consecutive(room, page) {
				c.reply(call, nil, refuse(Refused, "", "the server's history of the room does not add up"))
				return
			}
			if fetched.GetMore() && len(page) < options.Limit && len(fetched.Entries) > 0 {
				next := options
				if forward {
					next.After = page[len(page)-1].Seq
				} else {
					next.Before = page[0].Seq
				}
				c.fetchStretch(call, next, forward, room, page, then)
				return
			}
			c.readEntries(room, page, true, then)
		}})
}

// consecutive reports whether entries follow one another, each with the head that the one before leads to.
func consecutive(room ident.RoomID, entries []*wire.Entry) bool {
	for i, entry := range entries {
		if i == 0 {
			continue
		}
		prev, err := ident.HashFromBytes(entries[i-1].Head)
		if err != nil || entry.Seq != entries[i-1].Seq+1 {
			return false
		}
		head, err := entryHead(room, prev, entry)
		if err != nil || string(head[:]) != string(entry.Head) {
			return false
		}
	}
	return true
}

// readEntries verifies an open room's entries, after their senders' chains have been fetched.
func (c *Core) readEntries(room ident.RoomID, entries []*wire.Entry, mayFetch bool, then func(*Core, []Message)) {
	c.missing = nil
	r := c.mem.rooms[room]
	if r == nil {
		r = emptyOpen(room)
	}
	messages := make([]Message, 0, len(entries))
	said := make(map[string]bool)
	for _, entry := range entries {
		m := c.envelope(r, entry)
		if entry.Kind == wire.EntryKind_ENTRY_KIND_OPEN {
			c.openEntry(r, entry, m)
			key := keySaidMessage(room, m.Device, m.ID)
			if m.Kind == Text && said[key] {
				m.gap(gapSaidBefore)
			}
			said[key] = said[key] || m.Kind == Text
		} else {
			m.gap(gapForeign)
		}
		c.name(m)
		messages = append(messages, *m)
	}
	if len(c.missing) > 0 && mayFetch {
		c.fetchChains("", c.missing, func(c *Core) { c.readEntries(room, entries, false, then) })
		return
	}
	then(c, messages)
}

// emptyOpen stands for an open room that this device has no record of.
func emptyOpen(id ident.RoomID) *room { return &room{id: id, kind: OpenToAll} }
