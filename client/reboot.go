package client

import (
	"errors"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// reboots reports whether it is this device's to replace the room's fault.
func (c *Core) reboots(r *room) bool {
	me := c.mem.account.me
	return mayReboot(c.roster(r), leaf{account: me.Account, device: me.Device}, r.fault)
}

// mayReboot reports whether a device replaces a fault: an owner's or admin's, or in a 1:1 room the other account's; where
// nobody has such a role but the culprit's account, and the one that the server does not let, any member's.
func mayReboot(before roster, by leaf, f *fault) bool {
	if by.device == f.culprit.device || !before.has(by.account) {
		return false
	}
	held, others := false, false
	for _, m := range before.members {
		if m.account == f.culprit.account {
			continue
		}
		others = true
		held = held || holdsOffice(before, m.account) && (m.account != f.target || len(before.members) <= 2)
	}
	switch {
	case by.account == f.culprit.account:
		return !others
	case held:
		return holdsOffice(before, by.account)
	}
	return true
}

// mayRemove reports whether an account could remove another one from a room anyway.
func mayRemove(now roster, by, account ident.AccountID) bool {
	rank, member := now.role(by)
	target, there := now.role(account)
	return member && by != account && !now.direct && (rank == roleOwner || rank == roleAdmin && (!there || target >= roleMember))
}

// acceptsReboot reports whether who could take a commit goes along with its replacement: where its author could have been
// removed by the other one anyway. So nobody is thrown out by the false word of somebody who could not have done it.
func acceptsReboot(now roster, by, culprit ident.AccountID) bool {
	return now.has(by) && (now.direct || by == culprit) || mayRemove(now, by, culprit)
}

// without gives the roster that a reboot by an account leads to. The culprit's account goes if the fault is beyond doubt, and
// the other one could remove it anyway. Its device goes in any case, and comes back with keys of its own.
func (f *fault) without(before roster, by ident.AccountID) roster {
	if !f.broken || !mayRemove(before, by, f.culprit.account) {
		return before
	}
	return before.with(nil, []ident.AccountID{f.culprit.account})
}

// goes reports whether a leaf goes in a reboot that leads to a roster.
func (f *fault) goes(after roster, l leaf) bool {
	return l.device == f.culprit.device || l.account == f.culprit.account && !after.has(l.account)
}

// authorizeReboot judges a commit that replaces one which this device could not take. It does exactly that. Whether the
// fault is beyond doubt two devices can see differently, so that the committer has a say in it.
func authorizeReboot(before roomState, commit change, f *fault) error {
	by := commit.committer
	if !mayReboot(before.roster, by, f) {
		return errors.New("client: a change is replaced by a device that may not")
	}
	if commit.external || commit.foreign || len(commit.kinds) > 0 || len(commit.added) > 0 || len(commit.requested) > 0 {
		return errors.New("client: a change is replaced by more than the removal of who made it")
	}
	after, certain := commit.after.roster, &fault{culprit: f.culprit, broken: true}
	if !after.equal(before.roster) && !after.equal(certain.without(before.roster, by.account)) {
		return errors.New("client: a change is replaced by one of the room's members or settings")
	}
	stays := slices.DeleteFunc(slices.Clone(before.leaves), func(l leaf) bool { return f.goes(after, l) })
	if !slices.Equal(stays, commit.after.leaves) {
		return errors.New("client: a change is replaced by the removal of others than who made it")
	}
	return nil
}

// startReboot makes the commit that replaces the room's fault, and stores it.
func (c *Core) startReboot(r *room) {
	f, group := r.fault, c.formerGroup(r)
	if group == nil {
		f.passed = true
		c.saveFault(r)
		return
	}
	before, err := rosterOf(group.Extensions())
	after := f.without(before, c.mem.account.me.Account)
	options := mls.CommitOptions{Now: c.now, Pending: func(*mls.ReceivedProposal) bool { return false }}
	for m := range group.Members() {
		if f.goes(after, leafOf(m)) {
			options.ByValue = append(options.ByValue, &mls.Remove{Removed: m.Index})
		}
	}
	if !after.equal(before) {
		options.ByValue = append(options.ByValue,
			&mls.GroupContextExtensions{Extensions: group.Extensions().Set(extensionRoster, after.encode())})
	}
	id := c.messageID()
	options.AuthenticatedData = id.Bytes()
	var staged *mls.StagedCommit
	if err == nil {
		c.replaced = f
		staged, err = group.Commit(options)
		c.replaced = nil
	}
	if err != nil {
		c.cfg.log.Error("a commit cannot be replaced", "room", r.id, "seq", f.place.seq, "error", err)
		c.putOffReboot(r)
		return
	}
	c.savePending(r, group, id, staged, &wire.CommitEnvelope{Removed: refsOf(staged.Removed())}, f.place)
}

func (c *Core) putOffReboot(r *room) {
	r.fault.at = c.now.Add(c.jitter(rebootTime))
	c.saveFault(r)
}

// rebootRefused takes the server's refusal of a reboot: another one was faster, or others have gone on.
func (c *Core) rebootRefused(r *room, e *wire.Error) {
	c.grew(r.id, e.Seq)
	c.dropPending(r)
	r.fault.passed = r.fault.passed || e.Code == wire.ErrorCode_ERROR_CODE_CONFLICT || e.Code == wire.ErrorCode_ERROR_CODE_FORBIDDEN
	c.putOffReboot(r)
}

// rebootEntry takes a commit that replaces another one.
func (c *Core) rebootEntry(r *room, entry *wire.Entry, m *Message, signed signedCommit) error {
	m.Kind = Notice
	f := r.fault
	switch {
	case signed.replaces.seq >= entry.Seq:
		return errors.New("the server shows a change of the room that replaces a later one")
	case f != nil && signed.replaces == f.place:
		taken, err := c.takeReboot(r, entry, m, signed)
		if taken || err != nil {
			return err
		}
	case f != nil && signed.replaces.seq < f.place.seq:
		c.endFault(r) // what it stopped at is undone; the group of before it, too
	case !c.keyless(r):
		return c.overtaken(r, entry, m, signed)
	}
	c.passEntry(r, entry, m)
	r.rejoin.asked = 0
	c.saveRejoin(r)
	c.rewound(r, entry)
	return nil
}

// rewound notes the epoch that a reboot has led to, which may be an earlier one.
func (c *Core) rewound(r *room, entry *wire.Entry) {
	log := c.vol.logs[r.id]
	log.epoch = epochAfter(entry)
	c.vol.logs[r.id] = log
}

// takeReboot goes on from the group of before the fault; false if this device cannot take the reboot either.
func (c *Core) takeReboot(r *room, entry *wire.Entry, m *Message, signed signedCommit) (bool, error) {
	f, group := r.fault, c.formerGroup(r)
	if group == nil {
		return false, nil
	}
	c.replaced = f
	staged, err := c.stagedOf(r, group, entry, m, signed)
	c.replaced = nil
	if c.unasked(r, entry.Seq) {
		return false, errors.New("chains are missing")
	}
	var after roster
	if err == nil {
		after, err = rosterOf(staged.Extensions())
	}
	if err != nil {
		c.cfg.log.Warn("a reboot cannot be taken", "room", r.id, "seq", entry.Seq, "error", err)
		f.said, f.passed = false, m.Account != f.culprit.account && holdsOffice(c.roster(r), m.Account)
		c.dropPending(r)
		c.putOffReboot(r)
		return false, nil
	}
	m.Text = c.rebootNotice(f, after)
	c.dropPending(r)
	c.rewound(r, entry)
	r.replan, r.dirty = true, true
	if staged.RemovesSelf() {
		if !after.has(c.mem.account.me.Account) {
			c.accountLeft(r.id)
		}
		c.removedFrom(r)
		c.put(keyPastEpoch(r.id), encodePast(entry.Epoch))
		return true, nil
	}
	if err := group.Merge(staged); err != nil {
		return false, err
	}
	c.endRejoin(r)
	r.group, r.cachedRoster = group, &after
	c.keepRoster(r)
	c.settleWants(r, after)
	if staged.Own() {
		c.healed(r)
	}
	return true, nil
}

func (c *Core) rebootNotice(f *fault, after roster) string {
	culprit := Message{Account: f.culprit.account, Device: f.culprit.device}
	c.name(&culprit)
	if !after.has(f.culprit.account) {
		return "the room goes on without @" + culprit.From + ", whose device " + culprit.DeviceName + " sent a change that broke it"
	}
	return "the room goes on without @" + culprit.From + "'s device " + culprit.DeviceName + ", which sent a change that broke it"
}

// overtaken takes the replacement of a commit that this device could take. Where it goes along, it has to be let in anew:
// the keys of before are gone. Else the replacement is what it cannot take.
func (c *Core) overtaken(r *room, entry *wire.Entry, m *Message, signed signedCommit) error {
	replaced, err := c.message(r.id, signed.replaces.seq)
	if err != nil || replaced == nil {
		replaced = new(Message)
	}
	if !acceptsReboot(c.roster(r), m.Account, replaced.Account) {
		c.startFault(r, entry, m, errUngrounded)
		r.fault.target = replaced.Account
		c.saveFault(r)
		return nil
	}
	c.name(m)
	m.Text = "@" + m.From + "'s device " + m.DeviceName + " could not read a change of @" + replaced.From + "'s, and the room goes on without it"
	c.rewound(r, entry)
	if replaced.Device == c.mem.account.me.Device {
		c.removedFrom(r)
		c.put(keyPastEpoch(r.id), encodePast(entry.Epoch)) // what this device had after it is undone
		return nil
	}
	c.startRejoin(r, m.Text)
	return nil
}

// errUngrounded is why a reboot is refused by who could take the commit that it replaces.
var errUngrounded = errors.New("client: a change is replaced that could be read")
