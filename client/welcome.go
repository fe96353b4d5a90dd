package client

import (
	"errors"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// receivedWelcome keeps a Welcome until the room can be joined by it.
func (c *Core) receivedWelcome(event *wire.WelcomeEvent) {
	id, err := ident.RoomIDFromBytes(event.Room)
	if err != nil || !isPlace(event.Seq) {
		return
	}
	if known := c.vol.welcomes[id]; known == nil || known.Seq < event.Seq {
		c.vol.welcomes[id] = event
		delete(c.vol.blocked, id)
	}
	c.tryWelcome(id)
}

// tryWelcome joins the room, if all that is needed to judge the Welcome is known.
func (c *Core) tryWelcome(id ident.RoomID) {
	event := c.vol.welcomes[id]
	r := c.mem.rooms[id]
	if event == nil || !c.online() {
		return
	}
	if r != nil && (r.status == joined && r.rejoin == nil || r.status == left) && r.seq >= event.Seq {
		// It was dealt with, by this process or by another one.
		c.takeWelcome(id, event.Seq)
		return
	}
	c.missing = nil
	group, used, err := c.join(id, event)
	if len(c.missing) > 0 && c.fetchForWelcome(id, event.Seq) {
		return
	}
	if r == nil {
		r = c.newRoom(id, Sealed, refused)
	}
	if err == nil {
		err = c.checkReturn(r, group, event, used)
	}
	switch {
	case err != nil && r.rejoin != nil:
		c.cfg.log.Warn("refused an answer", "room", id, "error", err)
		c.answerRefused(r, used, err)
	case err == errByMember:
		// Nothing is handed to this device any more but what follows the Welcome: it asks who may let it in.
		c.cfg.log.Warn("refused a welcome", "room", id, "error", err)
		c.startRejoin(r, causeByMember)
	case err != nil:
		c.cfg.log.Warn("refused a welcome", "room", id, "error", err)
		if r.status != joined && r.status != making && r.status != restarting {
			r.status = refused
		}
		r.setProblem(problemLetIn + err.Error())
	default:
		c.enter(r, group, event, used)
	}
	c.takeWelcome(id, event.Seq)
}

// fetchForWelcome asks for the chains that a Welcome needs; false: they were asked for already.
func (c *Core) fetchForWelcome(id ident.RoomID, seq uint64) bool {
	b := c.vol.blocked[id]
	if b.seq == seq && b.asked != nil && covers(b.asked, c.missing) {
		return c.asking("chains " + id.String())
	}
	asked := make(map[ident.AccountID]bool)
	for _, account := range c.missing {
		asked[account] = true
	}
	c.vol.blocked[id] = blocked{seq: seq, asked: asked}
	c.fetchChains("chains "+id.String(), c.missing, func(c *Core) { c.tryWelcome(id) })
	return true
}

func covers(asked map[ident.AccountID]bool, accounts []ident.AccountID) bool {
	for _, account := range accounts {
		if !asked[account] {
			return false
		}
	}
	return true
}

// join computes the group of a Welcome and checks all of it: every leaf by mls's verifier, the roster here.
func (c *Core) join(id ident.RoomID, event *wire.WelcomeEvent) (group *mls.Group, used *mls.KeyPackagePrivate, err error) {
	find := func(ref mls.KeyPackageRef) *mls.KeyPackagePrivate {
		b := c.get(keyPackagePrivate(string(ref)))
		if b == nil {
			return nil
		}
		private, err := mls.LoadKeyPackagePrivate(b)
		if err != nil {
			return nil
		}
		used = private
		return private
	}
	group, err = mls.Join(c.groupConfig(id), event.Welcome, find, mls.JoinOptions{})
	if err != nil {
		return nil, nil, err
	}
	if string(group.GroupID()) != string(id[:]) {
		return nil, nil, errors.New("client: the group is another room's")
	}
	roster, err := rosterOf(group.Extensions())
	if err != nil {
		return nil, nil, err
	}
	if err := checkRoom(roomState{roster, leavesOf(group.Members())}, nil, c.enrolledAt); err != nil {
		return nil, nil, err
	}
	return group, used, c.checkJoined(id, roster)
}

// checkReturn says what is wrong with a Welcome into a room that this device makes or is in, as far as it knows. It has
// been removed and added again then, which the log does not show it; or a server lets a group of somebody else's pass for
// the room. Only who could have done the former is believed: an owner or admin of the room as it was, and never in a room
// of two, which nobody is removed from, or in one that nobody else can have heard of.
func (c *Core) checkReturn(r *room, group *mls.Group, event *wire.WelcomeEvent, used *mls.KeyPackagePrivate) error {
	if r.status == making {
		return errors.New("client: let into a room that this device is making")
	}
	if r.status != joined {
		return c.checkPast(r, group)
	}
	if c.keyless(r) {
		return c.checkAnswer(r, group, event, used)
	}
	last := c.roster(r)
	inviter, known := group.Inviter()
	rank, member := last.role(leafOf(inviter).account)
	switch {
	case group.Epoch() <= c.group(r).Epoch():
		return errors.New("client: the room was further already")
	case last.direct:
		return errors.New("client: nobody is let into a 1:1 room again")
	case known && member && rank > roleAdmin && !c.revokedNow(leafOf(inviter)):
		return errByMember
	case !known || !member || c.revokedNow(leafOf(inviter)):
		return errors.New("client: let into a known room by somebody who could not have done so")
	}
	now, err := rosterOf(group.Extensions())
	return firstError(err, checkLengths(last, now))
}

// errByMember is of a Welcome by a member who could not have signed it as far as this device knows. They may have become an owner
// since: where this account's other device left, say, which was the only owner's. Or they are in league with the server.
var errByMember = errors.New("client: let into a known room by a member, who could not have done so")

// checkLengths refuses a roster by which an account's chain is shorter than by the last one that was known: a device that was
// revoked since could be in the room.
func checkLengths(last, now roster) error {
	for _, m := range last.members {
		if there, stays := now.member(m.account); stays && there.statements < m.statements {
			return errors.New("client: an account's chain would be shorter than the room knows it")
		}
	}
	return nil
}

// checkPast refuses a Welcome into a state of the room that this device has been in or past. A last-resort key package opens
// its Welcomes for as long as it lives: a server could let a device that went out into the room as it was then.
func (c *Core) checkPast(r *room, group *mls.Group) error {
	b := c.get(keyPastEpoch(r.id))
	if b == nil {
		return nil
	}
	past, err := decodePast(b)
	if err == nil && group.Epoch() <= past {
		err = errors.New("client: the room was further when this device went out of it")
	}
	return err
}

const pastVersion = 1

func encodePast(epoch uint64) []byte {
	e := newEncoder(pastVersion)
	e.uint(epoch)
	return e.b
}

func decodePast(b []byte) (uint64, error) {
	d := newDecoder(b, pastVersion)
	epoch := d.uint()
	return epoch, d.end()
}

// checkJoined says what is wrong with a roster for who is about to join by it.
func (c *Core) checkJoined(id ident.RoomID, roster roster) error {
	me := c.mem.account.me.Account
	if !roster.has(me) {
		return errors.New("client: this account is not on the roster")
	}
	if !roster.direct {
		return nil
	}
	if len(roster.members) != 2 {
		return errors.New("client: a 1:1 room of another number of accounts than two")
	}
	other := otherMember(roster, me)
	for _, known := range c.mem.order {
		if r := c.mem.rooms[known]; known != id && r.direct == other && r.status == joined {
			return errors.New("client: a second 1:1 room with the same account")
		}
	}
	return nil
}

func otherMember(roster roster, me ident.AccountID) ident.AccountID {
	for _, m := range roster.members {
		if m.account != me {
			return m.account
		}
	}
	return ident.AccountID{}
}

// deviceAdded and letInAnew are the notices of a device whose account was in the room before.
const (
	deviceAdded = "this device was added"
	letInAnew   = " let this device in anew"
)

// enter makes this device a member. Where it was one already it has been out of the room in between, or could not follow
// it. What it was asked to do there stays to be done.
func (c *Core) enter(r *room, group *mls.Group, event *wire.WelcomeEvent, used *mls.KeyPackagePrivate) {
	head, err := ident.HashFromBytes(event.Head)
	if err != nil {
		head = ident.EmptyHead(r.id) // the next entry will tell that the server is wrong
	}
	was := r.status
	m := &Message{Room: r.id, Seq: event.Seq, At: c.now, Kind: Notice, State: Delivered}
	// Who has signed the Welcome, whatever the server says who it was.
	if inviter, known := group.Inviter(); known {
		by := leafOf(inviter)
		m.Account, m.Device = by.account, by.device
	}
	m.Text = "@" + c.handle(m.Account) + " added you" + c.strangeTo(m.Account)
	switch {
	case r.rejoin != nil:
		m.Text = "@" + c.handle(m.Account) + letInAnew
		c.passStretch(r, event.Seq)
	case m.Account == c.mem.account.me.Account:
		m.Text = deviceAdded
		fallthrough
	default:
		c.noteAbsence(r, event.Seq)
		r.leaving, r.wanted = false, nil
	}
	c.cameIn(r, event.Seq)
	c.dropGroup(r)
	r.kind, r.status, r.group = Sealed, joined, group
	c.keepRoster(r)
	log := c.vol.logs[r.id]
	log.follow = unfollowed
	c.vol.logs[r.id] = log
	r.seq, r.since, r.head, r.problem = event.Seq, event.Seq, head, ""
	r.leaveAsked, r.replan, r.dirty = 0, true, true
	r.heal = heal{due: true, at: c.now}
	roster := c.roster(r)
	c.settleWants(r, roster)
	r.direct = ident.AccountID{}
	if roster.direct {
		r.direct = otherMember(roster, c.mem.account.me.Account)
	}
	c.vol.shown[r.id] = event.Seq - 1
	if used != nil && !used.KeyPackage().LastResort() {
		c.delete(keyPackagePrivate(string(used.KeyPackage().Ref())))
		c.countKeyPackages()
	}
	if c.letIn(r) {
		m.Text = "you came by an invite"
		c.acceptRoom(r)
	} else {
		c.admits(r, was)
	}
	c.keep(r, m)
}

// passStretch accounts for the entries between the last one that this device has processed and end: they are not handed
// out to it any more. Its own messages among them it knows by their acknowledgements.
func (c *Core) passStretch(r *room, end uint64) {
	c.noteAbsence(r, end)
	c.lose(r, span{r.seq + 1, end - 1})
	for _, w := range slices.Clone(r.rows) {
		if w.state == rowAcked && w.seq < end {
			c.arrived(r, w)
		}
	}
}

// problemLetIn begins the problem of a room into which this device would not come.
const problemLetIn = "this device was let into a room that does not stand up to the checks: "

// takeWelcome tells the server that the Welcome is dealt with, once that is durable.
func (c *Core) takeWelcome(id ident.RoomID, seq uint64) {
	delete(c.vol.welcomes, id)
	delete(c.vol.blocked, id)
	body := &wire.TakeWelcome{Room: id.Bytes(), Seq: seq}
	c.ask(request{needs: ready, refused: func(*Core, *wire.Error) {}, then: func(*Core, *wire.ServerFrame) {},
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_TakeWelcome{TakeWelcome: body}}})
}
