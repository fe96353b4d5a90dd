package client

import (
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// advanceArchive appends to the archive what this device has and no device of the account has archived, and takes out of
// it what is of a room that the account has left. One change is under way at a time.
func (c *Core) advanceArchive(r *room) {
	if !c.online() || !c.vol.archive.known || c.vol.archive.problem != "" || r.kind != Sealed || c.asking(changeArchiveName) {
		return
	}
	if c.archiveOf(r.id).gone == gone {
		c.dropArchive(r)
		return
	}
	if c.owesRecovery(r) {
		c.writeRecovery(r)
		return
	}
	owed := c.owed(r)
	if len(owed) == 0 {
		delete(c.vol.archive.at, r.id)
		return
	}
	at, set := c.vol.archive.at[r.id]
	if !set {
		at = c.now.Add(c.jitter(c.patience(r)))
		c.vol.archive.at[r.id] = at
	}
	if c.now.Before(at) {
		return
	}
	delete(c.vol.archive.at, r.id)
	c.appendChunk(r, owed[0])
}

// owed gives what of the room's log is to be archived: nothing while the log goes on, or where this is not wanted. What
// nobody would be shown at the end of the log waits for what comes after it.
func (c *Core) owed(r *room) spans {
	head := c.archiveHead()
	if r.status != joined || !c.caughtUp(r) || !head.archives(r.id) {
		return nil
	}
	a := c.archiveOf(r.id)
	return c.has(r).within(1, max(r.lastSeq, a.through)).minus(head.room(r.id).covered)
}

// patience is how long the room's archive waits for more to be said. A program that runs for a moment archives what was
// said before.
func (c *Core) patience(r *room) time.Duration {
	if c.archiveOf(r.id).through > 0 && !c.archiveHead().room(r.id).covered.has(c.archiveOf(r.id).through) {
		return archiveSoon
	}
	if m, err := c.message(r.id, r.lastSeq); err != nil || m == nil || c.now.Sub(m.At) >= archiveIdle {
		return archiveSoon
	}
	return archiveIdle
}

// deviceCame notes that a device of this account was added: it is to find in the archive what was before.
func (c *Core) deviceCame(r *room, seq uint64) {
	a := c.archiveOf(r.id)
	a.through, a.dirty = max(a.through, seq), true
	c.vol.archive.at[r.id] = c.now.Add(c.jitter(archiveSoon))
}

// appendChunk archives the beginning of a stretch, as much of it as a chunk holds.
func (c *Core) appendChunk(r *room, owed span) {
	key, err := c.vaultKey()
	if err != nil {
		return
	}
	head := c.archiveHead()
	listed := head.room(r.id)
	covers, contents := c.chunkOf(r, owed)
	covers.first = joinTo(listed.covered, covers).first
	place := ident.ArchivePlace{Account: c.mem.account.me.Account, Room: r.id, Index: listed.chunks}
	sealed, err := ident.SealArchiveChunk(c.cfg.rand, key, place,
		ident.ArchiveChunk{Previous: listed.last, First: covers.first, Last: covers.last, Contents: contents})
	if err != nil {
		c.fail(failed("sealing a chunk", err))
		return
	}
	hash := ident.ArchiveChunkHash(sealed)
	next := head.append(r.id, covers, hash)
	id := r.id
	c.changeArchive(0, key, next, &wire.ChangeArchive{Room: id.Bytes(), Index: listed.chunks, Chunk: sealed},
		func(c *Core) { c.appended(id, listed, next.room(id)) }, nil)
}

// joinTo gives what a chunk covers: where the room has as many stretches as it may have, also what lies between it and the
// one before. What is not known of that is not archived any more, and the chunk says so.
func joinTo(covered spans, covers span) span {
	if len(covered.add(covers)) <= maxCovered {
		return covers
	}
	for _, part := range covered {
		if part.last < covers.first {
			covers = span{part.last + 1, covers.last}
		}
	}
	return covers
}

// chunkOf reads messages from the beginning of a stretch on, and gives what of it they stand for.
func (c *Core) chunkOf(r *room, owed span) (span, []byte) {
	b := newChunkBuilder()
	if joined := joinTo(c.archiveHead().room(r.id).covered, owed); joined.first < owed.first {
		b.add(&Message{Seq: joined.first, At: c.now, Kind: Gap, Gap: "none of the account's devices was there to archive it"})
	}
	scan := ScanOptions{Prefix: keyMessagesOf(r.id), From: keyMessage(r.id, owed.first), Limit: maxChunkMessages}
	covers := span{owed.first, owed.last}
	records := c.scan(scan)
	for _, record := range records {
		seq := seqOfKey(record.Key)
		if seq > owed.last {
			return covers, b.contents()
		}
		m, err := decodeMessage(r.id, seq, record.Value)
		if err != nil || m.hidden() || c.aboutThisDevice(r, m) {
			continue
		}
		if !b.add(m) {
			covers.last = seq - 1
			return covers, b.contents()
		}
	}
	if len(records) == scan.Limit {
		covers.last = min(owed.last, seqOfKey(records[len(records)-1].Key))
	}
	return covers, b.contents()
}

// aboutThisDevice reports whether a notice says nothing to any other device of the account: that this one has come to it.
func (c *Core) aboutThisDevice(r *room, m *Message) bool {
	return m.Kind == Notice && (m.Text == deviceAdded || strings.HasSuffix(m.Text, letInAnew) || m.Seq == r.since && c.archiveOf(r.id).before)
}

// appended notes that this device knows the chunk that it has written.
func (c *Core) appended(id ident.RoomID, before, after archivedRoom) {
	a := c.archiveOf(id)
	if before.chunks == 0 || a.born == before.born && a.top == before.chunks {
		a.born, a.top, a.above, a.dirty = after.born, after.chunks, after.last, true
		if before.chunks == 0 {
			a.bottom, a.below = 0, ident.Hash{}
		}
	}
}

// archiveRefused leaves a room's archive alone for a while. Where another device was quicker, the newest head says what is
// left to do.
func (c *Core) archiveRefused(change *wire.ChangeArchive, e *wire.Error) {
	id, err := ident.RoomIDFromBytes(change.Room)
	at := c.now.Add(archiveRest)
	switch {
	case e.Code == wire.ErrorCode_ERROR_CODE_CONFLICT:
		c.followArchive()
		at = c.now.Add(c.jitter(archiveSoon))
	case transient(e.Code), e.Code == wire.ErrorCode_ERROR_CODE_RATE_LIMITED:
		at = c.now.Add(retryAfter(e))
	case e.Code == wire.ErrorCode_ERROR_CODE_TOO_LARGE, e.Code == wire.ErrorCode_ERROR_CODE_STORAGE_FULL:
		c.vol.archive.problem, c.vol.archive.remedy = e.Message, e.Hint
		c.emit(ArchiveChanged{})
	}
	if err != nil {
		id = recoveryRest
	}
	c.vol.archive.at[id] = at
}

// dropArchive deletes what the server has of a room that the account is in no more.
func (c *Core) dropArchive(r *room) {
	key, err := c.vaultKey()
	head := c.archiveHead()
	if err != nil || c.now.Before(c.vol.archive.at[r.id]) {
		return
	}
	id := r.id
	deleted := func(c *Core) {
		a := c.archiveOf(id)
		a.gone, a.dirty = goneDeleted, true
	}
	if listed := head.room(id); listed.chunks == 0 && !listed.off && listed.recovery == nil {
		deleted(c)
		return
	}
	c.vol.archive.at[id] = c.now.Add(archiveRest)
	next := head.with(archivedRoom{room: r.id})
	next.revision++
	c.changeArchive(0, key, next, &wire.ChangeArchive{Drop: [][]byte{id.Bytes()}}, deleted, nil)
}
