package client

import (
	"slices"

	"snug/internal/ident"
)

// dropUnaddable finds the devices that keep a planned commit from being made: what is wrong with a key package may show only
// in the group, and whoever published it must not keep the others from speaking. They count as having none for a while.
// False: they are not what is wrong.
func (c *Core) dropUnaddable(r *room, p *plan) bool {
	var added []leaf
	if len(p.add) == 0 || c.tryCommit(r, p, added) != nil {
		return false
	}
	for _, l := range p.add {
		tried := append(slices.Clone(added), l)
		err := c.tryCommit(r, p, tried)
		if err == nil {
			added = tried
			continue
		}
		c.cfg.log.Warn("a device cannot be added", "room", r.id, "device", l.device, "error", err)
		c.vol.packages[l.device] = claimed{at: c.now}
	}
	r.replan = true
	return len(added) < len(p.add)
}

// tryCommit makes what a plan does with these devices alone, and forgets it.
func (c *Core) tryCommit(r *room, p *plan, add []leaf) error {
	options := c.commitOptions(r, p, add, p.part(c.roster(r), add))
	options.Public = true // which takes no key of the group's
	_, err := c.group(r).Commit(options)
	return err
}

// part gives the roster that a plan leads to where no other devices are added than these.
func (p *plan) part(before roster, add []leaf) roster {
	var come []ident.AccountID
	for _, l := range add {
		come = append(come, l.account)
	}
	next := before.with(come, missingFrom(p.after, before))
	changed := slices.Concat(add, p.remove)
	for i, m := range next.members {
		planned, stays := p.after.member(m.account)
		if stays && slices.ContainsFunc(changed, func(l leaf) bool { return l.account == m.account }) {
			next.members[i].statements = planned.statements
		}
	}
	return next
}
