package client

import (
	"cmp"
	"errors"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// reading is how far reading the newest chunks has come, where older ones were read before: next counts down from the end
// of the list, hash is that of the chunk before it.
type reading struct {
	born uint64
	next uint32
	hash ident.Hash
}

// archivedHistory answers with a stretch of a sealed room's messages, after it has read in the archive what of it this
// device does not have: the newest chunks first, and no more than it takes. Where that cannot be done, a gap says why.
func (c *Core) archivedHistory(call uint64, room ident.RoomID, options HistoryOptions) {
	c.await(call, func(c *Core) (bool, any, error) {
		r := c.mem.rooms[room]
		if r == nil {
			return true, nil, c.noRoom(room)
		}
		messages := c.local(r, options)
		if c.lacksArchive(r, options, messages) && c.readArchive(r) {
			return false, nil, nil
		}
		return true, messages, nil
	})
}

// lacksArchive reports whether the archive may have something of what was asked for that this device does not have.
func (c *Core) lacksArchive(r *room, options HistoryOptions, messages []Message) bool {
	if !c.online() {
		return false
	}
	first, last := window(options, messages)
	if !c.vol.archive.known {
		return len(c.unread(r).within(first, last)) > 0
	}
	return len(c.archived(r).within(first, last)) > 0
}

// window gives the part of the log that messages are an answer for. Those that are not in the log do not count.
func window(options HistoryOptions, messages []Message) (first, last uint64) {
	first, last = options.After+1, maxArchivedSeq
	if options.Before > 0 {
		last = options.Before - 1
	}
	for len(messages) > 0 && messages[len(messages)-1].Seq == 0 {
		messages = messages[:len(messages)-1]
	}
	if len(messages) < options.Limit {
		return first, last
	}
	if options.forward() {
		return first, messages[len(messages)-1].End()
	}
	return messages[0].Seq, last
}

// unread gives what this device has not read of a room's log: what was there before it came in, and what it has lost.
func (c *Core) unread(r *room) spans {
	a := c.archiveOf(r.id)
	unread := spans(nil).add(span{1, max(r.since, 1) - 1}).minus(a.earlier)
	for _, part := range a.lost {
		unread = unread.add(part)
	}
	return unread
}

// archived gives what of that is in the archive.
func (c *Core) archived(r *room) spans {
	covered := c.archiveHead().room(r.id).covered
	return covered.minus(covered.minus(c.unread(r)))
}

// readArchive sees to it that the next chunks are on their way; false: there is nothing to wait for.
func (c *Core) readArchive(r *room) bool {
	a := &c.vol.archive
	if !a.known {
		return c.asking("archive head")
	}
	if a.unreadable[r.id] != "" || a.problem == foreignArchive {
		return false
	}
	name := "archive of " + r.id.String()
	if c.asking(name) {
		return true
	}
	next, _, ok := c.nextChunk(r)
	if !ok {
		c.unreadable(r, errors.New("it lacks what its head promises"))
		return false
	}
	id := r.id
	c.ask(request{name: name, needs: ready,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_FetchArchive{FetchArchive: &wire.FetchArchive{Room: id.Bytes(), Before: next}}},
		then: func(c *Core, reply *wire.ServerFrame) {
			if r := c.mem.rooms[id]; r != nil {
				c.takeChunks(r, next, reply.GetArchiveChunks().GetChunks())
			}
		},
		refused: func(c *Core, e *wire.Error) {
			if r := c.mem.rooms[id]; r != nil {
				c.unreadable(r, errors.New(e.Message))
			}
		}})
	return true
}

func (c *Core) unreadable(r *room, err error) {
	c.vol.archive.unreadable[r.id] = err.Error()
	c.cfg.log.Warn("a room's archive cannot be read", "room", r.id, "problem", err)
}

// nextChunk gives the index after the next chunk to read, and its hash; false: all were read. What was added to the list
// since it was last read comes first.
func (c *Core) nextChunk(r *room) (next uint32, hash ident.Hash, ok bool) {
	a, listed := c.archiveOf(r.id), c.archiveHead().room(r.id)
	if a.born != listed.born || a.top > listed.chunks {
		// Another list: of the former one nothing is left.
		a.born, a.bottom, a.top, a.below, a.above, a.dirty = listed.born, listed.chunks, listed.chunks, listed.last, listed.last, true
	}
	if listed.chunks > a.top {
		p, begun := c.vol.archive.reading[r.id]
		if !begun || p.born != a.born || p.next <= a.top || p.next > listed.chunks {
			p = reading{a.born, listed.chunks, listed.last}
			c.vol.archive.reading[r.id] = p
		}
		return p.next, p.hash, true
	}
	return a.bottom, a.below, a.bottom > 0
}

// takeChunks reads chunks from the one before next on. The first one that is not the right one ends it.
func (c *Core) takeChunks(r *room, next uint32, chunks [][]byte) {
	if len(chunks) == 0 {
		c.unreadable(r, errors.New("the server has left out a part of it"))
		return
	}
	for _, sealed := range chunks {
		at, hash, ok := c.nextChunk(r)
		if !ok || at != next {
			return // the list is another one by now
		}
		if err := c.takeChunk(r, at-1, hash, sealed); err != nil {
			c.unreadable(r, err)
			return
		}
		next--
	}
}

// takeChunk verifies one chunk by its hash, which the head or the chunk after it has said, and keeps what is in it and not
// here.
func (c *Core) takeChunk(r *room, index uint32, hash ident.Hash, sealed []byte) error {
	key, err := c.vaultKey()
	if err != nil {
		return err
	}
	if ident.ArchiveChunkHash(sealed) != hash {
		return errors.New("the server shows another part of it than this account's devices have stored")
	}
	place := ident.ArchivePlace{Account: c.mem.account.me.Account, Room: r.id, Index: index}
	chunk, err := ident.OpenArchiveChunk(key, place, sealed)
	if err != nil {
		return errors.New("a part of it does not open")
	}
	covers := span{chunk.First, chunk.Last}
	messages, err := decodeChunk(r.id, covers, chunk.Contents)
	if err != nil || !c.archiveHead().room(r.id).covered.covers(covers) || chunk.Previous.IsZero() != (index == 0) {
		return errors.New("a part of it is malformed")
	}
	if err := c.passChunk(r, index, chunk.Previous); err != nil {
		return err
	}
	c.keepArchived(r, covers, messages)
	return nil
}

// passChunk notes that a chunk was read, and by which hash the one before it is known.
func (c *Core) passChunk(r *room, index uint32, previous ident.Hash) error {
	a, listed := c.archiveOf(r.id), c.archiveHead().room(r.id)
	a.dirty = true
	if listed.chunks == a.top {
		a.bottom, a.below = index, previous
		return nil
	}
	if index > a.top {
		c.vol.archive.reading[r.id] = reading{a.born, index, previous}
		return nil
	}
	// Those that were read before follow: the list has grown, and is no other one.
	delete(c.vol.archive.reading, r.id)
	if a.top > 0 && previous != a.above {
		return errors.New("its parts do not follow one another")
	}
	a.top, a.above = listed.chunks, listed.last
	return nil
}

// keepArchived stores what this device does not have itself, of the time before it came in.
func (c *Core) keepArchived(r *room, covers span, messages []Message) {
	a, unread := c.archiveOf(r.id), c.unread(r).within(covers.first, covers.last)
	for _, part := range unread {
		c.deleteGaps(r, part)
	}
	for _, m := range messages {
		if unread.has(m.Seq) && c.get(keyMessage(r.id, m.Seq)) == nil {
			c.put(keyMessage(r.id, m.Seq), m.encode())
		}
	}
	a.earlier = a.earlier.add(span{covers.first, min(covers.last, max(r.since, 1)-1)})
	a.lost, a.dirty = a.lost.minus(spans{covers}), true
}

// deleteGaps deletes the gaps that stand for a part of the log.
func (c *Core) deleteGaps(r *room, part span) {
	scan := ScanOptions{Prefix: keyMessagesOf(r.id), From: keyMessage(r.id, part.last), Reverse: true, Limit: maxChunkMessages}
	for more := true; more; {
		records := c.scan(scan)
		more = len(records) == scan.Limit
		for _, record := range records {
			seq := seqOfKey(record.Key)
			if seq < part.first {
				return
			}
			if m, err := decodeMessage(r.id, seq, record.Value); err == nil && m.Kind == Gap {
				c.delete(record.Key)
			}
			scan.From = keyMessage(r.id, seq-1)
		}
	}
}

// nothingOf gives what is missing of a stretch of which nothing is stored, in parts that each have one cause: what was read in
// the archive, or before, is there, and has nothing to show.
func (c *Core) nothingOf(r *room, stretch span) (missing spans) {
	missing = spans{stretch}
	if r.kind != Sealed {
		return missing
	}
	missing = missing.minus(c.archiveOf(r.id).earlier)
	if listed := c.archived(r); len(listed) > 0 {
		missing = append(missing.minus(listed), missing.minus(missing.minus(listed))...)
		slices.SortFunc(missing, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	}
	return missing
}

// whyHole says why a part of the log is missing here that the account's devices may have, and what helps; false where
// that is not the reason.
func (c *Core) whyHole(r *room, hole span, why absence) (cause, try string, ok bool) {
	a := c.vol.archive
	listed := len(c.archived(r).within(hole.first, hole.last)) > 0
	switch {
	case listed && a.unreadable[r.id] != "":
		return "what was said before is in the archive, which cannot be read: " + a.unreadable[r.id], otherDevice, true
	case listed && a.problem != "":
		return "what was said before cannot be read in the archive: " + a.problem, a.remedy, true
	case listed && !c.online():
		return "what was said before is in the archive on the server, which cannot be reached now", "it is read as soon as there is a connection", true
	case listed:
		return "what was said before is in the archive, and is not read yet", "open the room again", true
	case why != absentBefore || !c.archiveOf(r.id).before || hole.last+1 < r.since:
		return "", "", false
	case a.problem != "":
		return "what was said before cannot be read in the archive: " + a.problem, a.remedy, true
	case !c.archiveHead().archives(r.id):
		return "what was said before is on the account's other devices: the archive is off", otherDevice, true
	}
	return "what was said before is on the account's other devices, which archive it when they have been online for about a minute", otherDevice, true
}
