package client

import (
	"bytes"
	"fmt"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// status is where this device stands in a room.
type status uint64

const (
	// making rooms are not known to be on the server yet.
	making status = iota + 1
	// awaited rooms are those that this device has asked to be let into, by an invite.
	awaited
	joined
	// left rooms are over for this device; their messages stay.
	left
	// refused rooms are those whose Welcome did not stand up to the checks.
	refused
	// restarting rooms are those that this device begins anew, until the server has said that it does.
	restarting
)

// room is a room of this device. The first part is stored, the second is derived.
type room struct {
	id     ident.RoomID
	kind   RoomKind
	name   string // as chosen for a room that this device makes, and the server's of an open one
	direct ident.AccountID
	status status
	// seq and head are up to where the log is processed; entries up to since are not for this device.
	seq, since uint64
	head       ident.Hash
	problem    string
	unread     int
	read       uint64 // up to where the person has been shown the log
	lastSeq    uint64 // of the last message that is shown
	members    int    // of an open room, as the server says
	nextOrder  uint64 // of the outbox
	// wanted is what this device has been asked to change and has not changed yet.
	wanted  []want
	leaving bool
	// leaveAsked is 1 + the epoch in which this device has asked to be let go; 0 if it has not.
	leaveAsked uint64
	heal       heal

	group        *mls.Group
	fault        *fault // only with rejoin
	cachedRoster *roster
	rows         []*row
	pending      *pendingCommit
	// rejoin is not nil while this device cannot follow the room.
	rejoin *rejoin
	// restart is not nil while this device begins the room anew.
	restart *restart
	dirty   bool
	// leftOut is how many devices of members the full room has no place for.
	leftOut int
	// replan says that the group, a chain or a wish has changed since plan last found nothing to do.
	replan bool
}

// heal is what the cadence of healing commits is computed from.
type heal struct {
	due bool // before the next message, whatever else
	// sent is how many messages this device has sealed since it last healed, at when that was.
	sent uint64
	at   time.Time
	// spokeAt is when this device last sealed a message, othersSpoke whether somebody else has spoken since.
	spokeAt     time.Time
	othersSpoke bool
}

// roomVersion 1 knew wishes to add and to remove accounts only.
const roomVersion = 2

func (r *room) encode() []byte {
	e := newEncoder(roomVersion)
	e.bytes(r.id[:])
	e.string(string(r.kind))
	e.string(r.name)
	e.bytes(r.direct[:])
	e.uint(uint64(r.status))
	e.uint(r.seq)
	e.uint(r.since)
	e.bytes(r.head[:])
	e.string(r.problem)
	e.uint(uint64(r.unread))
	e.uint(r.read)
	e.uint(r.lastSeq)
	e.uint(uint64(r.members))
	e.uint(r.nextOrder)
	e.uint(uint64(len(r.wanted)))
	for _, w := range r.wanted {
		w.encode(e)
	}
	e.bool(r.leaving)
	e.uint(r.leaveAsked)
	e.bool(r.heal.due)
	e.uint(r.heal.sent)
	e.time(r.heal.at)
	e.time(r.heal.spokeAt)
	e.bool(r.heal.othersSpoke)
	return e.b
}

func decodeRoom(b []byte) (*room, error) {
	first := len(b) > 0 && b[0] == 1
	d := newDecoder(b, roomVersion)
	if first {
		d = newDecoder(b, 1)
	}
	r := &room{replan: true}
	r.id = d.id()
	r.kind = RoomKind(d.string())
	r.name = d.string()
	r.direct = d.id()
	r.status = status(d.uint())
	r.seq = d.uint()
	r.since = d.uint()
	r.head = d.hash()
	r.problem = d.string()
	r.unread = int(d.uint())
	r.read = d.uint()
	r.lastSeq = d.uint()
	r.members = int(d.uint())
	r.nextOrder = d.uint()
	for n := d.uint(); n > 0 && d.err == nil; n-- {
		r.wanted = append(r.wanted, decodeWant(d, first))
	}
	r.leaving = d.bool()
	r.leaveAsked = d.uint()
	r.heal = heal{due: d.bool(), sent: d.uint(), at: d.time(), spokeAt: d.time(), othersSpoke: d.bool()}
	return r, d.end()
}

// newRoom makes the record of a room that nothing has happened in.
func (c *Core) newRoom(id ident.RoomID, kind RoomKind, s status) *room {
	r := &room{id: id, kind: kind, status: s, head: ident.EmptyHead(id), nextOrder: 1, dirty: true, replan: true}
	c.adopt(r)
	return r
}

// setProblem says why the room does not go on. The state stays as it was: when the cause is gone, the room goes on.
func (r *room) setProblem(problem string) {
	if r.problem != problem {
		r.problem, r.dirty = problem, true
	}
}

// serverLog is what is known of the server's side of a room, on this connection.
type serverLog struct {
	seq    uint64
	joined bool
	// listed rooms were in the server's list; name, kind, direct and members are then the server's.
	listed  bool
	kind    RoomKind
	name    string
	direct  ident.AccountID
	members int
	head    ident.Hash
	// epoch is the room's, as the server and its log say.
	epoch   uint64
	follow  follow
	knocked knockState
}

// follow is how far following a room has come.
type follow int

const (
	unfollowed follow = iota
	asked
	following
	// halted logs are not processed further on this connection.
	halted
	// putOff are those of requests beyond as many as are followed.
	putOff
)

// grew notes that the server has entries up to seq.
func (c *Core) grew(id ident.RoomID, seq uint64) {
	if log := c.vol.logs[id]; seq > log.seq {
		log.seq = seq
		c.vol.logs[id] = log
	}
}

// placeless rooms have lost their record; where their log goes on is the server's to say.
func (r *room) placeless() bool { return r.rejoin != nil && r.head == ident.Hash{} }

// reached notes that a sealed room is at least at this epoch.
func (c *Core) reached(id ident.RoomID, epoch uint64) {
	if log := c.vol.logs[id]; epoch > log.epoch {
		log.epoch = epoch
		c.vol.logs[id] = log
	}
}

// caughtUp reports whether everything that the server is known to have in the room is processed.
func (c *Core) caughtUp(r *room) bool {
	log := c.vol.logs[r.id]
	return log.follow == following && r.seq >= log.seq
}

// maxRoomPages bounds the pages of a list of rooms that are asked for, 1,000 rooms each: a server could go on for ever.
const maxRoomPages = 100

// roomList is a list of rooms on its way, page by page.
type roomList struct {
	ends  map[ident.RoomID]logEnd
	known map[ident.RoomID]bool
	then  func(c *Core) // may be nil
}

// listRooms asks for the rooms of this account and the open ones, and goes on with then, which may be nil.
func (c *Core) listRooms(then func(c *Core)) {
	c.listPage(1, nil, &roomList{ends: c.logEnds(), known: make(map[ident.RoomID]bool), then: then})
}

func (c *Core) listPage(page int, after []byte, list *roomList) {
	body := &wire.ListRooms{After: after, Limit: wire.MaxPage}
	c.ask(request{needs: ready, sticky: list.then != nil,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: body}},
		then: func(c *Core, reply *wire.ServerFrame) {
			rooms := reply.GetRooms()
			for _, listed := range rooms.GetRooms() {
				c.listedRoom(listed)
				c.checkEnd(listed, list.ends)
				id, _ := ident.RoomIDFromBytes(listed.GetRoom())
				list.known[id] = true
			}
			if next := rooms.GetNext(); bytes.Compare(next, after) > 0 && page < maxRoomPages {
				c.listPage(page+1, next, list)
				return
			}
			c.listedAgain(list.known)
			k := &c.vol.connection
			k.listed, k.settleBy = true, c.now.Add(settleTime)
			if list.then != nil {
				list.then(c)
			}
		}})
}

// logEnd is a place of a log with the head there.
type logEnd struct {
	seq  uint64
	head ident.Hash
}

// logEnds gives how far this device has come in each room. Whatever a server answers to what is asked after that must
// reach as far.
func (c *Core) logEnds() map[ident.RoomID]logEnd {
	ends := make(map[ident.RoomID]logEnd, len(c.mem.order))
	for _, id := range c.mem.order {
		if r := c.mem.rooms[id]; r.status == joined {
			ends[id] = logEnd{r.seq, r.head}
		}
	}
	return ends
}

// checkEnd halts a room whose log does not reach any more to where this device had come, or has another entry there: the
// server goes by an old copy of its database, or tells different people different things. New entries would take the
// places of those that are known, and never be seen.
func (c *Core) checkEnd(listed *wire.Room, ends map[ident.RoomID]logEnd) {
	id, err := ident.RoomIDFromBytes(listed.GetRoom())
	r, end := c.mem.rooms[id], ends[id]
	if err != nil || r == nil || r.status != joined || r.seq < end.seq || end.seq <= r.since {
		return
	}
	switch {
	case listed.Seq < end.seq:
		c.halt(r, fmt.Sprintf("the server's history has become shorter: it ends at %d, and %d was there already", listed.Seq, end.seq))
	case listed.Seq == end.seq && string(listed.Head) != string(end.head[:]):
		c.halt(r, fmt.Sprintf("the server's history has another message %d than it had", end.seq))
	}
}

// listedRoom takes what the server says of a room. It is trusted for open rooms' names and for what exists, no further.
func (c *Core) listedRoom(listed *wire.Room) {
	id, err := ident.RoomIDFromBytes(listed.GetRoom())
	if err != nil || listed.Seq > 0 && !isPlace(listed.Seq) {
		return
	}
	log := c.vol.logs[id]
	log.listed, log.joined = true, listed.Joined
	log.kind, log.name, log.members = Sealed, listed.Name, int(listed.Members)
	log.head, _ = ident.HashFromBytes(listed.Head)
	if listed.Kind == wire.RoomKind_ROOM_KIND_OPEN {
		log.kind = OpenToAll
	}
	if other, ok := c.otherOf(listed.Direct); ok {
		log.direct = other
	}
	c.vol.logs[id] = log
	c.grew(id, listed.Seq)
	c.reached(id, listed.Epoch)
	r := c.mem.rooms[id]
	c.noteBefore(r, listed, log)
	switch {
	case log.kind == OpenToAll && listed.Joined && (r == nil || r.status != joined):
		c.joinedOpen(id, listed)
	case r == nil:
		if log.kind == OpenToAll {
			c.emit(RoomChanged{c.viewListed(id, log)})
		} else if c.outside(id) && !listed.Joined {
			c.emit(RoomChanged{c.viewOutside(id, log)})
		}
	case r.placeless() && listed.Joined && listed.Seq >= r.seq:
		c.passStretch(r, listed.Seq+1)
		c.cameIn(r, listed.Seq+1)
		r.seq, r.since, r.head, r.dirty = listed.Seq, listed.Seq, log.head, true
	case log.kind == OpenToAll && r.status == joined && (r.name != log.name || r.members != log.members):
		r.name, r.members, r.dirty = log.name, log.members, true
	}
}

// otherOf gives the other account of a pair that this account is in.
func (c *Core) otherOf(pair [][]byte) (ident.AccountID, bool) {
	if len(pair) != 2 {
		return ident.AccountID{}, false
	}
	me := c.mem.account.me.Account
	for i, b := range pair {
		if string(b) == string(me[:]) {
			other, err := ident.AccountIDFromBytes(pair[1-i])
			return other, err == nil && other != me
		}
	}
	return ident.AccountID{}, false
}

// joinedOpen begins an open room at the end that its log has now; what came before is fetched when it is asked for.
func (c *Core) joinedOpen(id ident.RoomID, listed *wire.Room) {
	r := c.mem.rooms[id]
	if r == nil {
		r = c.newRoom(id, OpenToAll, joined)
	}
	head, err := ident.HashFromBytes(listed.Head)
	if listed.Seq == 0 || err != nil {
		head = ident.EmptyHead(id)
	}
	r.status, r.kind, r.name, r.members = joined, OpenToAll, listed.Name, int(listed.Members)
	r.seq, r.since, r.head, r.problem, r.dirty = listed.Seq, listed.Seq, head, "", true
	r.leaving, r.read = false, listed.SinceSeq
	c.vol.shown[id] = r.seq
}

// view gives the room as callers see it.
func (c *Core) view(r *room) Room {
	log := c.vol.logs[r.id]
	v := Room{ID: r.id, Kind: r.kind, Name: r.name, Joined: r.status == joined, Members: r.members,
		Seq: r.seq, ServerSeq: max(log.seq, r.seq), Unread: r.unread, Read: r.read, Problem: c.ailment(r), Try: c.remedy(r)}
	if r.kind == Sealed {
		roster := c.roster(r)
		v.Members = len(roster.members)
		if roster.name != "" {
			v.Name = roster.name
		}
		if rank, member := roster.role(c.mem.account.me.Account); member {
			v.Topic, v.Role, v.Adds, v.Edits = roster.topic, rank.String(), roster.adds.String(), roster.edits.String()
		}
	}
	if v.Name == "" && r.status == left {
		v.Name = placeholder(r.id)
	}
	if k := c.mem.knocking[r.id]; k != nil && r.status != joined {
		c.viewKnock(k, &v)
	}
	v.Waiting, v.Leaving = v.Waiting || r.promised(), r.leaving && v.Joined
	c.viewAdmission(r, &v)
	for _, s := range c.strangersIn(r) {
		if v.Stranger.Account.IsZero() || s.WasVerified && !v.Stranger.WasVerified {
			v.Stranger = s
		}
	}
	if !r.direct.IsZero() {
		v.Direct = c.handle(r.direct)
		v.Name = "@" + v.Direct
	}
	if r.lastSeq > 0 {
		if m, err := c.message(r.id, r.lastSeq); err == nil && m != nil {
			v.Last = m
		}
	}
	return v
}

// placeholder stands for the name of a room where none is known.
func placeholder(id ident.RoomID) string { return "room " + id.String()[:6] }

// viewListed gives an open room that this account is no member of.
func (c *Core) viewListed(id ident.RoomID, log serverLog) Room {
	return Room{ID: id, Kind: log.kind, Name: log.name, Members: log.members, ServerSeq: log.seq}
}
