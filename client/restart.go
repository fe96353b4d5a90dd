package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// restart is how this device begins a room anew: with a group of its own, of which the server is told in one entry of the
// log. Group and restart are stored before that; the same entry is said again until there is an answer.
type restart struct {
	id         ident.MessageID
	epoch      uint64 // that it ends
	statements uint64
	invited    bool
}

// restartTime is how long the account's other devices have to let a new one in, before it takes them for lost. They do so
// within seconds.
const restartTime = time.Minute

const restartVersion = 1

func (s *restart) encode() []byte {
	e := newEncoder(restartVersion)
	e.bytes(s.id[:])
	e.uint(s.epoch)
	e.uint(s.statements)
	e.bool(s.invited)
	return e.b
}

func decodeRestart(b []byte) (*restart, error) {
	d := newDecoder(b, restartVersion)
	s := &restart{id: d.id(), epoch: d.uint(), statements: d.uint(), invited: d.bool()}
	return s, d.end()
}

// loadRestarts reads what is under way. A room without its record is given up, and begun anew with another group.
func (c *Core) loadRestarts() {
	for _, record := range c.scan(ScanOptions{Prefix: keyRestarts}) {
		id, err := ident.ParseRoomID(strings.TrimPrefix(record.Key, keyRestarts))
		s, restartErr := decodeRestart(record.Value)
		if r := c.mem.rooms[id]; err == nil && restartErr == nil && r != nil && r.status == restarting {
			r.restart = s
			continue
		}
		c.delete(record.Key)
	}
}

// advanceRestarts begins those rooms anew of which there are recovery data, and that nobody can let this device into.
func (c *Core) advanceRestarts() {
	if c.mem.account == nil || !c.online() || !c.vol.connection.listed || !c.vol.archive.known || c.vol.archive.problem != "" {
		return
	}
	for _, listed := range c.archiveHead().rooms {
		if listed.recovery != nil && c.restartDue(listed.room) {
			c.startRestart(listed.room, listed.recovery)
		}
	}
}

// lockedOut reports whether the server lists a room in which devices of one account are, and this one is not.
func (c *Core) lockedOut(id ident.RoomID) bool {
	log, r := c.vol.logs[id], c.mem.rooms[id]
	there := r == nil || r.status == left && c.archiveOf(id).gone == notGone || r.status == refused
	return there && log.listed && !log.joined && log.kind == Sealed && log.members == 1 && log.direct.IsZero() && c.vol.welcomes[id] == nil
}

// restartDue reports whether it is time to begin a room anew: at once where the account has no other device, and else when
// none of them has let this one in for a while.
func (c *Core) restartDue(id ident.RoomID) bool {
	if !c.lockedOut(id) {
		return false
	}
	at, set := c.vol.commitAt[id]
	if !set {
		at = c.now
		chain, me := c.chain(c.mem.account.me.Account), c.mem.account.me.Device
		if d, _ := chain.Device(me); len(chain.Devices()) > 1 {
			at = c.now.Add(restartTime)
			if from := d.Enrolled.Add(restartTime); c.mem.rooms[id] == nil && from.Before(at) {
				at = from
			}
		}
		c.vol.commitAt[id] = at
	}
	return !c.now.Before(at)
}

// restartsPending reports whether a room is to be begun anew now, so that who lists rooms waits for it.
func (c *Core) restartsPending() bool {
	if !c.vol.archive.known {
		return true
	}
	for _, listed := range c.archiveHead().rooms {
		if r := c.mem.rooms[listed.room]; r != nil && r.status == restarting {
			return true
		}
	}
	return false
}

// startRestart makes the room's new group, with this device alone in it, and stores it. What the room's epoch is the server
// says when it refuses another one; this device has none to compare it with.
func (c *Core) startRestart(id ident.RoomID, v *recovery) {
	me := c.mem.account.me
	epoch, statements := c.vol.logs[id].epoch, uint64(c.chain(me.Account).Len())
	first := v.roster(me.Account)
	delete(c.vol.commitAt, id)
	r := c.mem.rooms[id]
	if r == nil {
		r = c.newRoom(id, Sealed, refused)
	}
	err := authorizeRestart(first, leaf{account: me.Account, device: me.Device}, statements, c.enrolledAt)
	if err == nil && epoch >= maxEpoch {
		err = errors.New("client: the server is at an epoch that no room comes to")
	}
	if err != nil {
		c.cfg.log.Warn("a room is not begun anew", "room", id, "error", err)
		c.vol.commitAt[id] = c.now.Add(archiveRest)
		r.setProblem(problemRestart + err.Error())
		return
	}
	first.members[0].statements = statements
	c.dropGroup(r)
	r.status, r.dirty = restarting, true
	r.restart = &restart{id: c.messageID(), epoch: epoch, statements: statements, invited: v.invited}
	c.put(keyRestart(id), r.restart.encode())
	c.makeGroup(r, first, epoch+1)
}

// problemRestart begins the problem of a room that this device would begin anew.
const problemRestart = "this device could begin the room anew, but for this: "

// maxEpoch keeps what a server says of a room's epoch from running over.
const maxEpoch = 1 << 62

// submitRestart says to the server that this device begins the room anew, unless that is under way.
func (c *Core) submitRestart(r *room) {
	s := r.restart
	if s == nil {
		c.giveUpRestart(r)
		return
	}
	if c.now.Before(c.vol.submitAt[r.id]) {
		return
	}
	signed := &ident.Restart{Room: r.id, Message: s.id, Epoch: s.epoch, Statements: s.statements}
	payload, err := (&wire.RestartPayload{Statements: s.statements, Signature: ident.SignRestart(c.mem.key, signed)}).MarshalVT()
	if err != nil {
		c.fail(failed("encoding a restart", err))
		return
	}
	room, id := r.id, s.id
	c.ask(request{name: submitName(room, id), needs: ready,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_Submit{Submit: &wire.Submit{Room: room.Bytes(),
			Kind: wire.EntryKind_ENTRY_KIND_RESTART, Id: id.Bytes(), Epoch: s.epoch, Payload: payload}}},
		then:    func(c *Core, reply *wire.ServerFrame) { c.restarted(room, id, reply.GetAck()) },
		refused: func(c *Core, e *wire.Error) { c.restartRefused(room, id, e) }})
}

// restarted makes this device the one member of the room that it has begun anew. It goes on from there as after a Welcome:
// with the next commit it lets the account's other devices in.
func (c *Core) restarted(room ident.RoomID, id ident.MessageID, ack *wire.Ack) {
	r := c.mem.rooms[room]
	head, err := ident.HashFromBytes(ack.GetHead())
	switch {
	case r == nil || r.restart == nil || r.restart.id != id:
		return
	case err != nil || !isPlace(ack.GetSeq()) || !isTime(ack.GetAt()):
		c.restartRefused(room, id, &wire.Error{Code: wire.ErrorCode_ERROR_CODE_BAD_REQUEST, Message: errProtocol.Message})
		return
	}
	s, me := r.restart, c.mem.account.me
	r.restart = nil
	c.delete(keyRestart(room))
	c.acceptRoom(r)
	c.noteAbsence(r, ack.Seq)
	c.cameIn(r, ack.Seq)
	r.status, r.seq, r.since, r.head, r.problem = joined, ack.Seq, ack.Seq, head, ""
	r.leaving, r.leaveAsked, r.wanted, r.replan, r.dirty = false, 0, nil, true, true
	r.heal = heal{at: c.now}
	log := c.vol.logs[room]
	log.joined, log.follow, log.seq, log.epoch = true, unfollowed, max(log.seq, ack.Seq), s.epoch+1
	c.vol.logs[room] = log
	c.vol.shown[room] = ack.Seq - 1
	m := &Message{Room: room, Seq: ack.Seq, ID: id, Account: me.Account, Device: me.Device, At: time.UnixMilli(ack.At).UTC(), Kind: Notice,
		State: Delivered, Text: "this device began the room anew because no device was left that had its keys"}
	if s.invited {
		m.Text += "; invites of before are not good any more"
	}
	c.keep(r, m)
}

// restartRefused takes the server's refusal: the room is at another epoch than this device took it to be in, or others are
// in it, who let this device in.
func (c *Core) restartRefused(room ident.RoomID, id ident.MessageID, e *wire.Error) {
	r := c.mem.rooms[room]
	if r == nil || r.restart == nil || r.restart.id != id {
		return
	}
	if transient(e.Code) || e.Code == wire.ErrorCode_ERROR_CODE_RATE_LIMITED {
		c.vol.submitAt[room] = c.now.Add(retryAfter(e))
		return
	}
	at := c.now.Add(archiveRest)
	if e.Code == wire.ErrorCode_ERROR_CODE_EPOCH {
		at = c.now.Add(c.jitter(restartTime)) // another device may have been quicker, and lets this one in
		if r.restart.epoch == 0 && e.Epoch > 0 {
			at = c.now // it was a guess
		}
		log := c.vol.logs[room]
		log.epoch = e.Epoch
		c.vol.logs[room] = log
	}
	c.cfg.log.Warn("a room is not begun anew", "room", room, "problem", e.Message)
	c.giveUpRestart(r)
	c.vol.commitAt[room] = at
}

// giveUpRestart has this device outside of the room again.
func (c *Core) giveUpRestart(r *room) {
	c.dropGroup(r)
	if r.seq == 0 {
		c.removeRoom(r)
		return
	}
	r.status, r.dirty = left, true
}

// restartEntry takes the word of a device that has begun the room anew. This device is out of the room by it, and is let in
// again by the other one. An error means that the log does not go on: an honest server would not have taken it.
func (c *Core) restartEntry(r *room, entry *wire.Entry, m *Message) error {
	payload, device, known := new(wire.RestartPayload), ident.Device{}, false
	if err := payload.UnmarshalVT(entry.Payload); err == nil {
		device, known = c.deviceOf(m)
	}
	c.name(m)
	signed := &ident.Restart{Room: r.id, Message: m.ID, Epoch: entry.Epoch, Statements: payload.Statements}
	if !known || ident.VerifyRestart(device.Key, signed, payload.Signature) != nil {
		return fmt.Errorf("the server shows that @%s's device began the room anew, which it has not", m.From)
	}
	if err := authorizeRestart(c.roster(r), leaf{account: m.Account, device: m.Device}, payload.Statements, c.enrolledAt); err != nil {
		return fmt.Errorf("the server lets @%s's device begin the room anew: %w", m.From, err)
	}
	if group := c.group(r); group != nil && group.Epoch() != entry.Epoch {
		return errors.New("the server shows that the room was begun anew in another state of it")
	}
	if c.own(m) { // and the store was put back since
		c.startRejoin(r, causeLost)
		c.passEntry(r, entry, m)
		return nil
	}
	m.Kind, m.Text = Notice, "@"+m.From+"'s device "+m.DeviceName+" began the room anew"
	c.removedFrom(r)
	c.put(keyPastEpoch(r.id), encodePast(entry.Epoch))
	log := c.vol.logs[r.id]
	log.joined, log.members = false, 1
	c.vol.logs[r.id] = log
	c.vol.commitAt[r.id] = c.now.Add(restartTime)
	return nil
}

// makeGroup makes a group with this device alone in it.
func (c *Core) makeGroup(r *room, first roster, epoch uint64) {
	me := c.mem.account.me
	group, err := mls.NewGroup(c.groupConfig(r.id), mls.CreateOptions{
		GroupID:        r.id.Bytes(),
		Credential:     mls.BasicCredential(ident.Credential{Account: me.Account, Device: me.Device}.Marshal()),
		LeafExtensions: c.leafExtensions(),
		Lifetime:       c.packageLifetime(),
		Extensions:     mls.Extensions{{Type: extensionRoster, Data: first.encode()}},
		Epoch:          epoch,
	})
	if err != nil {
		c.fail(failed("making a group", err))
		return
	}
	r.group, r.cachedRoster = group, nil
	c.keepRoster(r)
}
