package client

import (
	"slices"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/mls"
)

// plan is the commit that a room needs.
type plan struct {
	// after is the roster that it leads to.
	after roster
	// add are devices without a leaf, by value; remove are leaves, by value. Leaves that asked to go are not among them.
	add    []leaf
	remove []leaf
	// leaving are accounts that asked to go.
	leaving []ident.AccountID
	// requests are devices that asked to be let in anew; their leaves are among those to remove.
	requests map[ident.DeviceID]mls.Proposal
	// wanted says that this device was asked for the change; renew that the keys are to be renewed in any case.
	wanted, renew bool
}

// needed reports whether there is anything to commit.
func (p *plan) needed(before roster) bool {
	return p.renew || len(p.add) > 0 || len(p.remove) > 0 || len(p.leaving) > 0 || !p.after.equal(before)
}

// makePlan compares the room as it is with how it should be: every enrolled device of every member account, and nobody
// else. It looks at nothing but the state, so any member's device comes to the same plan.
func (c *Core) makePlan(r *room) *plan {
	group, before := c.group(r), c.roster(r)
	p := new(plan)
	var added, removed []ident.AccountID
	for _, w := range r.wanted {
		switch {
		case w.problem != "":
			continue
		case w.kind == wantRemove:
			removed = append(removed, w.account)
		case w.kind == wantAdd:
			added = append(added, w.account)
		case w.kind == wantLetIn:
			// Several devices have been asked the same: the first one spares the others.
			added = append(added, w.account)
			continue
		}
		p.wanted = true
	}
	p.leaving = c.accountsLeaving(group)
	for _, account := range p.leaving {
		if !slices.Contains(removed, account) {
			removed = append(removed, account)
		}
	}
	p.after = before.with(c.givePlaces(r, added, removed), removed)
	for _, w := range r.wanted {
		if w.problem == "" {
			p.after = w.applied(p.after)
		}
	}
	c.planRequests(r, p)
	c.planDevices(r, p)
	c.fit(r, p)
	c.planChains(p)
	queued := r.hasRows(rowQueued)
	p.renew = c.healDue(r, queued) || queued && len(group.Pending()) > 0
	p.wanted = p.wanted || queued && p.needed(before)
	return p
}

// accountsLeaving gives the accounts whose own devices have proposed their removal, save this one's: nobody commits that
// of their own.
func (c *Core) accountsLeaving(group *mls.Group) (accounts []ident.AccountID) {
	for _, p := range group.Pending() {
		if account, ok := c.leaveProposal(group, p); ok && !slices.Contains(accounts, account) {
			accounts = append(accounts, account)
		}
	}
	return accounts
}

// leaveProposal gives the account that a proposal lets go.
func (c *Core) leaveProposal(group *mls.Group, p *mls.ReceivedProposal) (ident.AccountID, bool) {
	remove, ok := p.Proposal.(*mls.Remove)
	if !ok {
		return ident.AccountID{}, false
	}
	target, ok := group.Member(remove.Removed)
	sender := leafOf(p.Sender)
	if !ok || leafOf(target).account != sender.account || sender.account == c.mem.account.me.Account {
		return ident.AccountID{}, false
	}
	return sender.account, true
}

// planDevices fills in the devices to add and the leaves to remove.
func (c *Core) planDevices(r *room, p *plan) {
	group := c.group(r)
	asked := make(map[mls.LeafIndex]bool)
	for _, proposal := range group.Pending() {
		if _, ok := c.leaveProposal(group, proposal); ok {
			asked[proposal.Proposal.(*mls.Remove).Removed] = true
		}
	}
	me := c.mem.account.me
	alone := r.leaving && len(p.after.members) == 1
	present := make(map[ident.DeviceID]bool)
	for m := range group.Members() {
		l := leafOf(m)
		present[l.device] = true
		gone := !p.after.has(l.account) || c.revokedNow(l) || p.requests[l.device] != nil || alone && l.account == me.Account
		if gone && !asked[l.index] && l.device != me.Device {
			p.remove = append(p.remove, l)
		}
	}
	if alone {
		return
	}
	for _, m := range p.after.members {
		chain := c.chain(m.account)
		if chain == nil {
			continue
		}
		for _, d := range chain.Devices() {
			if !present[d.ID] && !c.packageless(d.ID) {
				p.add = append(p.add, leaf{account: m.account, device: d.ID})
			}
		}
	}
}

// planChains brings the roster to the length of the chains by which devices come and go. Where none do, it stays: a new
// handle is no reason for a commit.
func (c *Core) planChains(p *plan) {
	changed := slices.Concat(p.add, p.remove)
	for i, m := range p.after.members {
		chain := c.chain(m.account)
		if chain == nil || !slices.ContainsFunc(changed, func(l leaf) bool { return l.account == m.account }) {
			continue
		}
		p.after.members[i].statements = max(m.statements, uint64(chain.Len()))
	}
}

// revokedNow reports whether the chain that is known here revokes the device.
func (c *Core) revokedNow(l leaf) bool {
	chain := c.chain(l.account)
	if chain == nil {
		return false
	}
	d, ok := chain.EverEnrolled(l.device)
	return ok && d.Revoked
}

// advanceCommit makes the commit that the room needs, if it is due. True: the outbox has to wait for it.
func (c *Core) advanceCommit(r *room) bool {
	if c.awaitsOther(r) {
		return true
	}
	queued := r.hasRows(rowQueued)
	at, set := c.vol.commitAt[r.id]
	c.planRenewal(r)
	if !r.replan && !queued && !(set && !c.now.Before(at)) && !c.healDue(r, false) {
		return false
	}
	p := c.makePlan(r)
	if !p.needed(c.roster(r)) {
		delete(c.vol.commitAt, r.id)
		r.replan = false
		if strings.HasPrefix(r.problem, problemChange) {
			r.setProblem("")
		}
		return false
	}
	if !set {
		at = c.now.Add(c.jitter(commitJitter))
		c.vol.commitAt[r.id] = at
	}
	// Who has asked to go leaves commits to the others, unless all of them have asked as well, or may have lost their keys.
	asked := r.leaveAsked == c.group(r).Epoch()+1 && len(p.leaving)+1 < len(c.roster(r).members) && len(p.requests) == 0
	if asked || !p.wanted && c.now.Before(at) {
		return false
	}
	if c.now.Before(c.vol.submitAt[r.id]) || r.hasRows(rowSealed) {
		return true
	}
	if c.havePackages(r, p) {
		c.startCommit(r, p)
	}
	return true
}

// retryCommit puts the next attempt off after one that was refused for good.
func (c *Core) retryCommit(r *room, problem string) {
	for i := range r.wanted {
		if r.wanted[i].problem == "" {
			r.wanted[i].problem, r.dirty = problem, true
		}
	}
	c.vol.submitAt[r.id] = c.now.Add(backoffMost)
	c.cfg.log.Warn("a commit was refused", "room", r.id, "problem", problem)
}

// packageRetry is how long a device that had no usable key package is left alone.
const packageRetry = time.Minute
