package client

import (
	"snug/internal/ident"
	"snug/internal/wire"
)

// maxRequests is how many rooms this device follows that wait to be accepted: half of what a connection may follow, so that
// those that were are followed in any case. The server lets strangers make fewer.
const maxRequests = 5000

// advanceRooms does the next thing in each room: first where this account is known, or has accepted.
func (c *Core) advanceRooms() {
	var requests []ident.RoomID
	for _, id := range c.mem.order {
		if _, asked := c.mem.admissions[id]; asked {
			requests = append(requests, id)
			continue
		}
		if c.vol.logs[id].follow == putOff {
			c.setFollow(id, unfollowed) // it was accepted, maybe by another process
		}
		c.advanceAll(id)
	}
	most, followed := c.cfg.requests, 0
	if most == 0 {
		most = maxRequests
	}
	for _, id := range requests {
		if r := c.mem.rooms[id]; r != nil && r.status == joined && c.vol.logs[id].follow == unfollowed && followed >= most {
			c.setFollow(id, putOff)
		}
		c.advanceAll(id)
		if follow := c.vol.logs[id].follow; follow == asked || follow == following {
			followed++
		}
	}
}

func (c *Core) setFollow(id ident.RoomID, f follow) {
	log := c.vol.logs[id]
	log.follow = f
	c.vol.logs[id] = log
}

func (c *Core) advanceAll(id ident.RoomID) {
	if r := c.mem.rooms[id]; r != nil {
		c.advanceRoom(r)
		c.advanceArchive(r)
	}
}

// advanceRoom does the next thing that a room needs. It is called after every input, and looks at the state only.
func (c *Core) advanceRoom(r *room) {
	if !c.online() {
		return
	}
	switch r.status {
	case making:
		c.advanceMaking(r)
		return
	case restarting:
		c.submitRestart(r)
		return
	case awaited, left, refused:
		c.knock(r)
		if c.vol.welcomes[r.id] != nil {
			c.tryWelcome(r.id)
		}
		return
	}
	switch c.vol.logs[r.id].follow {
	case unfollowed:
		if r.placeless() {
			return
		}
		c.followRoom(r)
		return
	case halted, putOff:
		return
	}
	if !c.vol.connection.listed || !c.caughtUp(r) {
		return
	}
	if r.leaving && r.kind == OpenToAll {
		c.leaveOnServer(r.id) // it was asked for before, perhaps by a process that has ended
		return
	}
	c.submitSealed(r)
	c.refuseReader(r)
	c.refuseStranger(r)
	c.advanceKnocks(r)
	if r.kind == Sealed && c.advanceSealed(r) {
		return
	}
	c.sealQueued(r)
}

// advanceSealed commits what must be committed before anything is said. True: the outbox waits.
func (c *Core) advanceSealed(r *room) bool {
	if c.keyless(r) {
		if r.pending == nil {
			c.advanceRejoin(r)
		}
		if r.fault != nil {
			c.advanceFault(r)
		}
		return true
	}
	if r.pending != nil {
		c.submitCommit(r)
		return true
	}
	if c.advanceCommit(r) {
		return true
	}
	if r.leaving && !r.hasRows(rowQueued) && !r.hasRows(rowSealed) {
		c.advanceLeaving(r)
	}
	return false
}

// advanceMaking makes the room on the server. The id is this device's choice, so it may be said any number of times.
func (c *Core) advanceMaking(r *room) {
	id := r.id
	if c.redirect(r) {
		return
	}
	if refused := c.refusal(id); refused != nil && (refused.conflict || !r.hasRows(rowQueued)) {
		return // what was written waits for the pair's room, or for a person
	}
	body := &wire.CreateRoom{Room: id.Bytes(), Kind: wire.RoomKind_ROOM_KIND_SEALED}
	if r.kind == OpenToAll {
		body.Kind, body.Name = wire.RoomKind_ROOM_KIND_OPEN, r.name
	} else if !r.direct.IsZero() {
		body.DirectWith = r.direct.Bytes()
	}
	c.ask(request{name: "create " + id.String(), needs: ready,
		frame:   &wire.ClientFrame{Body: &wire.ClientFrame_CreateRoom{CreateRoom: body}},
		then:    func(c *Core, reply *wire.ServerFrame) { c.made(id, reply.GetRoom()) },
		refused: func(c *Core, e *wire.Error) { c.notMade(id, e) }})
}

// made begins a room that the server has now.
func (c *Core) made(id ident.RoomID, answer *wire.Room) {
	r := c.mem.rooms[id]
	if r == nil || r.status != making || answer == nil {
		return
	}
	r.status, r.dirty, r.replan = joined, true, true
	log := c.vol.logs[id]
	log.joined, log.listed, log.kind = true, true, r.kind
	c.vol.logs[id] = log
	if r.kind == OpenToAll {
		r.members = 1
		return
	}
	c.newGroup(r)
	r.heal.at = c.now
}

// notMade gives up a room that the server refuses. A 1:1 room that exists already is used instead.
func (c *Core) notMade(id ident.RoomID, e *wire.Error) {
	r := c.mem.rooms[id]
	if r == nil || r.status != making || transient(e.Code) {
		return
	}
	conflict := e.Code == wire.ErrorCode_ERROR_CODE_CONFLICT
	if conflict && !r.direct.IsZero() {
		c.listRooms(nil)
	}
	switch {
	case !r.promised():
		c.removeRoom(r)
	case !conflict:
		for _, w := range r.rows {
			c.failRow(r, w, e.Message)
		}
	}
	c.vol.refusedRooms = append(c.vol.refusedRooms[:len(c.vol.refusedRooms):len(c.vol.refusedRooms)],
		refusedRoom{id, serverError(e), conflict})
}

// refusedRoom is a room that the server would not make, kept for who waits for it.
type refusedRoom struct {
	id       ident.RoomID
	err      *Error
	conflict bool
}

// refusal gives why the server would not make a room; nil if it has not refused.
func (c *Core) refusal(id ident.RoomID) *refusedRoom {
	for _, refused := range c.vol.refusedRooms {
		if refused.id == id {
			return &refused
		}
	}
	return nil
}

// removeRoom forgets a room that never was.
func (c *Core) removeRoom(r *room) {
	delete(c.mem.rooms, r.id)
	order := c.mem.order[:0:0]
	for _, id := range c.mem.order {
		if id != r.id {
			order = append(order, id)
		}
	}
	c.mem.order = order
	c.delete(keyRoom(r.id))
}

// advanceLeaving asks to be let go: by proposals that another member's device commits, or of the server where this device
// is alone. Proposals end with their epoch, so they are made again in the next one.
func (c *Core) advanceLeaving(r *room) {
	group, me := c.group(r), c.mem.account.me
	if len(c.roster(r).members) == 1 {
		alone := true
		for m := range group.Members() {
			alone = alone && leafOf(m).device == me.Device
		}
		if alone {
			c.leaveOnServer(r.id)
		}
		return
	}
	if r.leaveAsked == group.Epoch()+1 {
		return
	}
	r.leaveAsked, r.dirty = group.Epoch()+1, true
	for m := range group.Members() {
		if leafOf(m).account != me.Account {
			continue
		}
		payload, err := group.ProposeRemove(m.Index)
		if err != nil {
			r.setProblem("leaving: " + err.Error())
			return
		}
		c.propose(r, rowProposal, group.Epoch(), payload)
	}
	c.submitSealed(r)
}

// leaveOnServer ends a room in which this device is alone, or membership of an open one.
func (c *Core) leaveOnServer(id ident.RoomID) {
	c.ask(request{name: "leave " + id.String(), needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_LeaveRoom{LeaveRoom: &wire.LeaveRoom{Room: id.Bytes()}}},
		then:  func(c *Core, _ *wire.ServerFrame) { c.goneFrom(id) },
		refused: func(c *Core, e *wire.Error) {
			if e.Code == wire.ErrorCode_ERROR_CODE_NOT_FOUND || e.Code == wire.ErrorCode_ERROR_CODE_FORBIDDEN {
				c.goneFrom(id)
			} else if r := c.mem.rooms[id]; r != nil {
				r.leaving, r.dirty = false, true
				r.setProblem("leaving: " + e.Message)
			}
		}})
}

func (c *Core) goneFrom(id ident.RoomID) {
	r := c.mem.rooms[id]
	if r == nil || r.status == left {
		return
	}
	r.dirty = true
	c.accountLeft(id)
	c.removedFrom(r)
	log := c.vol.logs[id]
	log.joined, log.follow = false, unfollowed
	c.vol.logs[id] = log
}
