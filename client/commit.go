package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// pendingCommit is a commit of this device of which it is not known yet whether it wins. It is durable before it is sent,
// and merged only when it is seen in the log.
type pendingCommit struct {
	id     ident.MessageID
	epoch  uint64 // that it ends
	submit []byte // the wire.Submit
	staged []byte // mls's record of the candidate
	acked  bool   // not stored: to say it again does no harm
}

const pendingVersion = 1

func (p *pendingCommit) encode() []byte {
	e := newEncoder(pendingVersion)
	e.bytes(p.id[:])
	e.uint(p.epoch)
	e.bytes(p.submit)
	e.bytes(p.staged)
	return e.b
}

func decodePending(b []byte) (*pendingCommit, error) {
	d := newDecoder(b, pendingVersion)
	p := &pendingCommit{id: d.id(), epoch: d.uint(), submit: d.bytes(), staged: d.bytes()}
	return p, d.end()
}

func (c *Core) loadPending() {
	for _, record := range c.scan(ScanOptions{Prefix: keyPending}) {
		id, err := ident.ParseRoomID(strings.TrimPrefix(record.Key, keyPending))
		p, pendingErr := decodePending(record.Value)
		r := c.mem.rooms[id]
		if err != nil || r == nil {
			continue
		}
		if pendingErr != nil {
			// It may have won, and could not be merged.
			c.delete(record.Key)
			c.startRejoin(r, causeDamaged)
			continue
		}
		r.pending = p
	}
}

func (c *Core) dropPending(r *room) {
	if r.pending != nil {
		r.pending = nil
		c.delete(keyPendingCommit(r.id))
	}
}

// problemChange begins the problem of a room in which this device says nothing, as it cannot make a commit that has to come first.
const problemChange = "the room has to be changed before anything is said in it, which cannot be done: "

// startCommit makes the planned commit and stores it. It is sent once it is durable.
func (c *Core) startCommit(r *room, p *plan) {
	group, id := c.group(r), c.messageID()
	options := c.commitOptions(r, p, p.add, p.after)
	options.AuthenticatedData = id.Bytes()
	staged, err := group.Commit(options)
	if err != nil && c.dropUnaddable(r, p) {
		return
	}
	if err != nil {
		c.ignoreRequests(r)
		if !c.changes(r) { // nobody has asked for it who could be told
			r.setProblem(problemChange + err.Error())
		}
		c.retryCommit(r, "it cannot be done: "+err.Error())
		return
	}
	envelope := &wire.CommitEnvelope{Added: refsOf(staged.Added()), Removed: refsOf(staged.Removed()), Welcome: staged.Welcome()}
	for _, l := range p.add {
		delete(c.vol.packages, l.device)
	}
	c.savePending(r, group, id, staged, envelope, place{})
}

// commitOptions puts what a plan does into mls's terms, with these devices added and this roster.
func (c *Core) commitOptions(r *room, p *plan, add []leaf, after roster) mls.CommitOptions {
	group := c.group(r)
	options := mls.CommitOptions{Now: c.now, Pending: c.chosen(group, p)}
	for _, l := range add {
		keyPackage, err := mls.ParseKeyPackage(c.vol.packages[l.device].keyPackage)
		if err != nil {
			continue
		}
		options.ByValue = append(options.ByValue, &mls.Add{KeyPackage: keyPackage})
	}
	for _, l := range p.remove {
		options.ByValue = append(options.ByValue, &mls.Remove{Removed: l.index})
	}
	if !after.equal(c.roster(r)) {
		options.ByValue = append(options.ByValue,
			&mls.GroupContextExtensions{Extensions: group.Extensions().Set(extensionRoster, after.encode())})
	}
	return options
}

func refsOf(members []mls.Member) (refs []*wire.DeviceRef) {
	for _, m := range members {
		l := leafOf(m)
		refs = append(refs, &wire.DeviceRef{Account: l.account.Bytes(), Device: l.device.Bytes()})
	}
	return refs
}

// chosen gives the pending proposals that the plan carries out: its requests, and those by which its accounts go. Two
// devices of one account may have asked for the same removal.
func (c *Core) chosen(group *mls.Group, p *plan) func(*mls.ReceivedProposal) bool {
	taken := make(map[mls.LeafIndex]*mls.ReceivedProposal)
	return func(proposal *mls.ReceivedProposal) bool {
		if proposal.From == mls.SenderNewMemberProposal {
			return p.requests[leafOf(proposal.Sender).device] == proposal.Proposal
		}
		account, ok := c.leaveProposal(group, proposal)
		if !ok || !slices.Contains(p.leaving, account) {
			return false
		}
		target := proposal.Proposal.(*mls.Remove).Removed
		if taken[target] == nil {
			taken[target] = proposal
		}
		return taken[target] == proposal
	}
}

// savePending stores a candidate as what is said to the server; replaces is zero but for a reboot.
func (c *Core) savePending(r *room, group *mls.Group, id ident.MessageID, staged *mls.StagedCommit, envelope *wire.CommitEnvelope, replaces place) {
	epoch := group.Epoch()
	submit := &wire.Submit{Room: r.id.Bytes(), Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Id: id.Bytes(), Epoch: epoch,
		Payload: staged.Message(), Commit: envelope}
	err := c.signCommit(submit, replaces)
	b, encodingErr := submit.MarshalVT()
	if err = errors.Join(err, encodingErr); err != nil {
		c.fail(failed("encoding a commit", err))
		return
	}
	if len(b) > wire.MaxCommit && replaces.seq > 0 {
		c.putOffReboot(r)
		return
	}
	if len(b) > wire.MaxCommit {
		c.ignoreRequests(r)
		c.retryCommit(r, "the room is too large for this change")
		return
	}
	r.pending = &pendingCommit{id: id, epoch: epoch, submit: b, staged: staged.Save()}
	c.put(keyPendingCommit(r.id), r.pending.encode())
	delete(c.vol.commitAt, r.id)
	c.submitCommit(r)
}

// submitCommit says the pending commit to the server, unless that is under way.
func (c *Core) submitCommit(r *room) {
	if r.pending.acked || c.now.Before(c.vol.submitAt[r.id]) {
		return
	}
	submit := new(wire.Submit)
	if err := submit.UnmarshalVT(r.pending.submit); err != nil {
		c.fail(failed("reading a pending commit", err))
		return
	}
	room, id := r.id, r.pending.id
	c.ask(request{name: submitName(room, id), needs: ready,
		frame:   &wire.ClientFrame{Body: &wire.ClientFrame_Submit{Submit: submit}},
		then:    func(c *Core, reply *wire.ServerFrame) { c.commitAcked(room, id, reply.GetAck()) },
		refused: func(c *Core, e *wire.Error) { c.commitRefused(room, id, e) }})
}

func (c *Core) commitAcked(room ident.RoomID, id ident.MessageID, ack *wire.Ack) {
	c.grew(room, ack.GetSeq())
	if r := c.mem.rooms[room]; r != nil && r.pending != nil && r.pending.id == id {
		r.pending.acked = true
	}
}

func (c *Core) commitRefused(room ident.RoomID, id ident.MessageID, e *wire.Error) {
	r := c.mem.rooms[room]
	if r == nil || r.pending == nil || r.pending.id != id {
		return
	}
	switch {
	case r.fault != nil && !transient(e.Code) && e.Code != wire.ErrorCode_ERROR_CODE_RATE_LIMITED:
		c.rebootRefused(r, e)
	case e.Code == wire.ErrorCode_ERROR_CODE_EPOCH:
		c.grew(room, e.Seq)
		c.dropPending(r)
		c.lostRace(r)
		r.replan = true
		if e.Seq <= r.seq && c.caughtUp(r) && c.elsewhere(r, e.Epoch) {
			c.halt(r, "the server is at another state of the room than its history leads to")
		}
	case transient(e.Code) || e.Code == wire.ErrorCode_ERROR_CODE_RATE_LIMITED:
		c.vol.submitAt[room] = c.now.Add(retryAfter(e))
	default:
		c.dropPending(r)
		c.ignoreRequests(r)
		c.retryCommit(r, e.Message)
	}
}

// commitEntry takes a commit that has won. An error means that the log does not go on, because the server does not
// deliver what a device has signed: the state stays as it was.
func (c *Core) commitEntry(r *room, entry *wire.Entry, m *Message) error {
	signed, err := c.openCommit(entry, m)
	switch {
	case err != nil:
		return err
	case signed.replaces.seq > 0:
		return c.rebootEntry(r, entry, m, signed)
	case c.keyless(r):
		c.witness(r, entry, m)
		c.passEntry(r, entry, m)
		return nil
	case entry.Epoch != c.group(r).Epoch():
		return errors.New("the server shows a change of the room that belongs to another state of it")
	}
	err = c.takeCommit(r, entry, m, signed)
	// A chain that is not handed out is the server's doing: nothing is undone for it, or a revocation could be.
	if err == nil || !signed.signed || len(c.missing) > 0 {
		return err
	}
	c.startFault(r, entry, m, err)
	return nil
}

// takeCommit merges a commit. On an error the room is as it was.
func (c *Core) takeCommit(r *room, entry *wire.Entry, m *Message, signed signedCommit) error {
	m.Kind = Notice
	group := c.group(r)
	staged, err := c.stagedOf(r, group, entry, m, signed)
	if err != nil {
		return fmt.Errorf("a change of the room cannot be carried out: %w", err)
	}
	before := c.roster(r)
	after, err := rosterOf(staged.Extensions())
	if err != nil {
		return fmt.Errorf("%w: %v", errBroken, err)
	}
	m.Text = c.noticeOf(before, after, staged)
	if r.pending != nil && !staged.Own() {
		c.lostRace(r)
	}
	c.dropPending(r)
	r.replan, r.dirty = true, true
	if staged.RemovesSelf() {
		if slices.ContainsFunc(staged.Added(), func(m mls.Member) bool { return leafOf(m).device == c.mem.account.me.Device }) {
			c.startRejoin(r, causeAnew)
			return nil
		}
		if !after.has(c.mem.account.me.Account) {
			c.accountLeft(r.id)
		}
		c.removedFrom(r)
		return nil
	}
	if err := group.Merge(staged); err != nil {
		return fmt.Errorf("a change of the room cannot be carried out: %w", err)
	}
	r.cachedRoster = &after
	if !after.equal(before) {
		c.keepRoster(r)
	}
	c.settleWants(r, after)
	if slices.ContainsFunc(staged.Added(), func(added mls.Member) bool { return leafOf(added).account == c.mem.account.me.Account }) {
		c.deviceCame(r, entry.Seq)
	}
	if staged.Own() {
		c.healed(r)
	}
	return nil
}

// stagedOf gives the candidate that a commit entry stands for: the stored one for this device's own.
func (c *Core) stagedOf(r *room, group *mls.Group, entry *wire.Entry, m *Message, signed signedCommit) (*mls.StagedCommit, error) {
	if r.pending != nil && r.pending.id == m.ID && c.own(m) {
		submit := new(wire.Submit)
		if err := submit.UnmarshalVT(r.pending.submit); err != nil || string(submit.Payload) != string(entry.Payload) {
			return nil, errors.New("it is not what this device sent")
		}
		return mls.LoadStagedCommit(group, r.pending.staged)
	}
	result, err := group.Process(signed.message)
	if err != nil {
		return nil, err
	}
	staged, ok := result.(*mls.StagedCommit)
	if !ok {
		return nil, errors.New("it is not what the server says it is")
	}
	if l := leafOf(staged.Sender()); l.device != m.Device || l.account != m.Account {
		return nil, errors.New("it was made by another device than the one that has sent it")
	}
	if signed.signed && signed.devices != devicesHash(staged) {
		return nil, fmt.Errorf("%w: the server was told of other devices that come and go", errBroken)
	}
	return staged, nil
}

// causeAnew is why a device that could follow the room is let in anew all the same: it has asked earlier, and its store was
// put back since.
const causeAnew = "this device was let in anew"

// removedFrom ends the room for this device.
func (c *Core) removedFrom(r *room) {
	if group := c.group(r); group != nil {
		c.put(keyPastEpoch(r.id), encodePast(group.Epoch()))
	}
	// The group takes its name with it, and people find by that what was said.
	if name := c.roster(r).name; name != "" {
		r.name = name
	}
	r.status, r.wanted = left, nil
	c.dropGroup(r)
	for _, w := range slices.Clone(r.rows) {
		if w.kind != rowText {
			c.finishRow(r, w.id)
		} else if w.state != rowFailed {
			c.failRow(r, w, "you are no longer in this room")
		}
	}
}
