package client

import (
	"context"
	"maps"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// The archive is what the account's devices have read of its sealed rooms, on the server, sealed under a key from the vault
// key: a device that signs in reads there what was said before it came.
//
// The limits and delays of it.
const (
	// archiveIdle is within what time what was said is archived; half of it at least, so that what is said together is
	// sealed together, and the account's devices do not all write at once.
	archiveIdle = time.Minute
	// archiveSoon is the same where somebody waits for it: a device of the account has come into the room.
	archiveSoon = 2 * time.Second
	// archiveRest is how long a room's archive is left alone after the server has refused it.
	archiveRest = 10 * time.Minute
	// maxChunkMessages bounds the messages of one chunk.
	maxChunkMessages = 512
	// maxArchiveTries bounds how often a change begins anew because another device was quicker.
	maxArchiveTries = 5
)

// Archive is how the account's history is kept for its devices to come.
type Archive struct {
	// On is the account's switch.
	On bool
	// Off are the rooms that are left out.
	Off []ident.RoomID
	// Problem says why the archive cannot be used; empty while it can. Try is what a person can do about it.
	Problem, Try string
}

// Archive tells what the account has decided. It waits for the server's answer, unless that cannot be reached.
func (c *Client) Archive(ctx context.Context) (Archive, error) {
	return call[Archive](ctx, c, func(c *Core, call uint64) {
		c.await(call, func(c *Core) (bool, any, error) {
			if !c.settled() || c.online() && !c.vol.archive.known {
				return false, nil, nil
			}
			return true, c.viewArchive(), nil
		})
	})
}

func (c *Core) viewArchive() Archive {
	head := c.archiveHead()
	v := Archive{On: head.on, Problem: c.vol.archive.problem, Try: c.vol.archive.remedy}
	for _, r := range head.rooms {
		if r.off {
			v.Off = append(v.Off, r.room)
		}
	}
	return v
}

// SetArchive turns the account's archive on or off, for all its devices. Off deletes what the server has of it; on begins
// with what the devices have, also where the archive had a problem.
func (c *Client) SetArchive(ctx context.Context, on bool) error {
	return c.editArchive(ctx, true, func(head *archiveHead) (*archiveHead, *wire.ChangeArchive) {
		next := head.emptied()
		next.on = on
		return next, &wire.ChangeArchive{DropAll: true}
	})
}

// SetRoomArchive leaves a sealed room out of the archive, or takes it in again. Out deletes what the server has of it.
func (c *Client) SetRoomArchive(ctx context.Context, room ident.RoomID, on bool) error {
	if _, err := call[ident.RoomID](ctx, c, func(c *Core, call uint64) {
		if r := c.mem.rooms[room]; r == nil {
			c.reply(call, nil, errNoRoom)
		} else if r.kind != Sealed {
			c.reply(call, nil, refuse(Usage, "", "an open room's history is on the server for everybody"))
		} else {
			c.reply(call, room, nil)
		}
	}); err != nil {
		return err
	}
	return c.editArchive(ctx, false, func(head *archiveHead) (*archiveHead, *wire.ChangeArchive) {
		listed := head.room(room).without()
		if listed.off == !on {
			return head, nil
		}
		listed.off = !on
		return head.with(listed), &wire.ChangeArchive{Drop: [][]byte{room.Bytes()}}
	})
}

// archiveEdit gives another head and what goes with it; nil where nothing is to be done.
type archiveEdit func(head *archiveHead) (*archiveHead, *wire.ChangeArchive)

func (c *Client) editArchive(ctx context.Context, anew bool, edit archiveEdit) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) { c.editArchive(call, anew, edit, maxArchiveTries) })
	return err
}

// editArchive reads the newest head, changes it and has the server store it; again, where another device was quicker. anew
// makes a new beginning of an archive that cannot be used.
func (c *Core) editArchive(call uint64, anew bool, edit archiveEdit, tries int) {
	c.askArchive(call, func(c *Core) {
		a := &c.vol.archive
		if a.problem != "" && !anew {
			c.reply(call, nil, refuse(Refused, a.remedy, "%s", a.problem))
			return
		}
		key, err := c.vaultKey()
		if err != nil {
			c.reply(call, nil, err)
			return
		}
		head := c.archiveHead()
		next, change := edit(head)
		if change == nil {
			c.reply(call, struct{}{}, nil)
			return
		}
		// After an old head was shown the next one is newer than all that were ever seen.
		next.revision = max(head.revision, a.served) + 1
		again := func(c *Core) bool {
			if tries > 0 {
				c.editArchive(call, anew, edit, tries-1)
			}
			return tries > 0
		}
		c.changeArchive(call, key, next, change, func(*Core) {}, again)
	})
}

// roomArchive is what this device knows of a room's archive beside the head. It is stored, and loaded with the rooms.
type roomArchive struct {
	// earlier is what this device has of the log from before it last came in: what it read then, or in the archive.
	earlier spans
	// lost is what it has passed since then without being able to read it: the account's other devices may have it.
	lost spans
	// read are the chunks that it has read, of the list that was born with this revision: from bottom to before top. below
	// is the hash of the chunk before bottom, above that of the last one that was read.
	born         uint64
	bottom, top  uint32
	below, above ident.Hash
	// through is up to where the log is archived even though nothing is shown there: a device of the account has come.
	through uint64
	// before says that the account was in the room before this device.
	before bool
	gone   departure

	dirty bool
}

// departure is whether the account has gone out of the room, and what the server had of it was deleted since. That is done once: what is
// there later is of another device of the account, by which it is in the room again.
type departure uint64

const (
	notGone departure = iota
	gone
	goneDeleted
)

const roomArchiveVersion = 1

// maxEarlier bounds what is stored of the parts of a log that a device has: more than anybody comes into a room anew. What
// is forgotten is read in the archive again.
const maxEarlier = 1024

func (a *roomArchive) encode() []byte {
	e := newEncoder(roomArchiveVersion)
	a.earlier.newest(maxEarlier).encode(e)
	a.lost.newest(maxEarlier).encode(e)
	e.uint(a.born)
	e.uint(uint64(a.bottom))
	e.uint(uint64(a.top))
	e.bytes(a.below[:])
	e.bytes(a.above[:])
	e.uint(a.through)
	e.bool(a.before)
	e.uint(uint64(a.gone))
	return e.b
}

func decodeRoomArchive(b []byte) (*roomArchive, error) {
	d := newDecoder(b, roomArchiveVersion)
	a := &roomArchive{earlier: decodeSpans(d, maxEarlier), lost: decodeSpans(d, maxEarlier), born: d.uint(), bottom: uint32(d.uint()), top: uint32(d.uint()),
		below: d.hash(), above: d.hash(), through: d.uint(), before: d.bool(), gone: departure(d.uint())}
	if a.gone > goneDeleted {
		return nil, errRecord
	}
	return a, d.end()
}

// loadArchive reads the head that was last seen, and what is known of the rooms.
func (c *Core) loadArchive() {
	c.mem.archives = make(map[ident.RoomID]*roomArchive)
	for _, record := range c.scan(ScanOptions{Prefix: keyArchives}) {
		id, err := ident.ParseRoomID(strings.TrimPrefix(record.Key, keyArchives))
		a, archiveErr := decodeRoomArchive(record.Value)
		if err != nil || archiveErr != nil {
			c.damagedArchive(record.Key)
			continue
		}
		c.mem.archives[id] = a
	}
	if b := c.get(keyArchive); b != nil {
		d := newDecoder(b, archiveHeadRecord)
		head, err := decodeArchiveHead(d.uint(), d.bytes())
		if err != nil || d.end() != nil {
			c.damagedArchive(keyArchive)
			return
		}
		c.mem.head = head
	}
}

// damagedArchive goes on without a record: what it said is read in the archive again.
func (c *Core) damagedArchive(key string) {
	c.cfg.log.Error("a record of the archive is damaged", "record", key)
	c.delete(key)
}

// archiveHead gives the newest head that this device has seen.
func (c *Core) archiveHead() *archiveHead {
	if c.mem.head == nil {
		return &archiveHead{on: true}
	}
	return c.mem.head
}

// archiveHeadRecord is the version of the record that holds a head.
const archiveHeadRecord = 1

// keepArchiveHead stores a head: from here on an older one is known for what it is.
func (c *Core) keepArchiveHead(head *archiveHead) {
	before := c.archiveHead()
	c.mem.head = head
	e := newEncoder(archiveHeadRecord)
	e.uint(head.revision)
	e.bytes(head.encode())
	c.put(keyArchive, e.b)
	news := before.on != head.on
	for _, id := range c.mem.order {
		was, is := before.room(id), head.room(id)
		news = news || was.off != is.off
		if r := c.mem.rooms[id]; r.kind == Sealed && len(is.covered.minus(was.covered).minus(c.has(r))) > 0 {
			news = true
		}
	}
	if news {
		c.emit(ArchiveChanged{})
	}
}

// archiveOf gives what this device knows of a room's archive, to be changed with dirty set.
func (c *Core) archiveOf(id ident.RoomID) *roomArchive {
	a := c.mem.archives[id]
	if a == nil {
		a = &roomArchive{}
		c.mem.archives[id] = a
	}
	return a
}

func (c *Core) flushArchives() {
	for id, a := range c.mem.archives {
		if a.dirty {
			a.dirty = false
			c.put(keyArchiveOf(id), a.encode())
		}
	}
}

// stint is what this device has processed of the log since it last came in.
func (r *room) stint() span { return span{max(r.since, 1), r.seq} }

// has gives what this device has of a room's log.
func (c *Core) has(r *room) spans {
	a := c.archiveOf(r.id)
	if r.placeless() {
		return a.earlier
	}
	return a.earlier.add(r.stint()).minus(a.lost)
}

// hasStored notes what this device has of a room whose record is lost, by what is stored of its log.
func (c *Core) hasStored(r *room) {
	for _, record := range c.scan(ScanOptions{Prefix: keyMessagesOf(r.id), Limit: 1}) {
		a := c.archiveOf(r.id)
		r.since = seqOfKey(record.Key)
		a.earlier, a.dirty = a.earlier.add(r.stint()), true
	}
}

// lose notes that this device passes a part of the log without reading it.
func (c *Core) lose(r *room, part span) {
	a := c.archiveOf(r.id)
	a.lost, a.dirty = a.lost.add(part), true
}

// noteKept notes what stands at a place of the log: a gap only because this device cannot read it is none for the others.
func (c *Core) noteKept(r *room, m *Message) {
	a := c.archiveOf(r.id)
	switch {
	case r.kind != Sealed:
	case m.Kind == Gap && (r.rejoin != nil || m.Gap == causeForgotten):
		c.lose(r, span{m.Seq, m.Seq})
	case m.Seq < r.since || r.placeless():
		// A message of this device that the log took while it could not read there. It has come in anew since.
		a.earlier, a.dirty = a.earlier.add(span{m.Seq, m.Seq}), true
	case a.lost.has(m.Seq):
		a.lost, a.dirty = a.lost.minus(spans{{m.Seq, m.Seq}}), true
	}
}

// noteBefore notes that the account is in a room that this device is not in: the server lists it. There is something to be
// read of it then; where not even the archive has it, a gap says so.
func (c *Core) noteBefore(r *room, listed *wire.Room, log serverLog) {
	if log.kind != Sealed || listed.Joined || log.halfMade() || r != nil && r.status != refused && r.status != awaited {
		return
	}
	id, _ := ident.RoomIDFromBytes(listed.Room)
	if a := c.archiveOf(id); !a.before {
		a.before, a.dirty = true, true
	}
}

// cameIn notes that this device comes, with the entry at seq, into a room in which it may have been before.
func (c *Core) cameIn(r *room, seq uint64) {
	a, stint := c.archiveOf(r.id), r.stint()
	switch {
	case r.placeless():
		stint = span{r.seq + 1, seq - 1}
	case r.rejoin != nil:
		stint.last = seq - 1 // what of it was lost is noted
	}
	// A room without a place begins with what was passed last: that stays lost.
	a.earlier, a.lost = a.earlier.add(stint).minus(a.lost), a.lost.within(seq-1, seq-1)
	a.gone, a.dirty = notGone, true
}

// accountLeft notes that the account is in the room no more: what the server has of it is of no use to anybody.
func (c *Core) accountLeft(id ident.RoomID) {
	a := c.archiveOf(id)
	a.gone, a.dirty = gone, true
}

// archiveState is what is not stored of the archive.
type archiveState struct {
	// known says that the server has shown its head on this connection, served which revision.
	known  bool
	served uint64
	// told is the newest revision that the server has spoken of.
	told uint64
	// problem says why the archive is not used, and remedy what to do.
	problem, remedy string
	// at is when a room is next written to.
	at map[ident.RoomID]time.Time
	// reading is how far reading the newest chunks of a room has come, where older ones were read before.
	reading map[ident.RoomID]reading
	// unreadable says why a room's chunks cannot be read, on this connection.
	unreadable map[ident.RoomID]string
}

func newArchiveState() archiveState {
	return archiveState{at: make(map[ident.RoomID]time.Time), reading: make(map[ident.RoomID]reading), unreadable: make(map[ident.RoomID]string)}
}

func (a archiveState) clone() archiveState {
	a.at, a.reading, a.unreadable = maps.Clone(a.at), maps.Clone(a.reading), maps.Clone(a.unreadable)
	return a
}

// vaultKey gives the key that the archive's are derived from.
func (c *Core) vaultKey() (ident.VaultKey, error) {
	key, err := ident.VaultKeyFromSecret(c.get(keyVaultKey))
	if err != nil {
		return key, refuse(Refused, "sign out and in again with the passphrase of now", "this device does not hold the vault's key").run("snug logout, then snug login")
	}
	return key, nil
}
