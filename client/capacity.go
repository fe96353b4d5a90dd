package client

import (
	"fmt"
	"slices"

	"snug/internal/ident"
)

const (
	// maxDevices is how many devices a sealed room has at most; all clients must agree on it. It bounds what everybody
	// keeps and is sent: the tree of 1,000 hybrid leaves has 3 MiB, and so has a Welcome.
	maxDevices = 1000
	// maxAdded is how many devices one commit adds: with 3 KiB for the key package and 1.3 for the Welcome's secrets of each
	// it fits wire.MaxCommit beside the tree, and one request claims the packages.
	maxAdded = 100
)

// givePlaces gives those of the accounts that are to be added whose devices the next commit takes; the others wait for the one
// after. Those for whose devices the room has no place are refused.
func (c *Core) givePlaces(r *room, accounts, removed []ident.AccountID) (admitted []ident.AccountID) {
	free := maxDevices
	for m := range c.group(r).Members() {
		if !slices.Contains(removed, leafOf(m).account) {
			free--
		}
	}
	room := maxAdded
	for _, account := range accounts {
		n := 0
		if chain := c.chain(account); chain != nil && !c.roster(r).has(account) {
			n = len(chain.Devices())
		}
		if n > free {
			c.refuseWant(r, account, n, maxDevices-free)
			continue
		}
		free -= n
		if n <= room || room == maxAdded {
			admitted = append(admitted, account)
		}
		room = max(0, room-n)
	}
	return admitted
}

// refuseWant gives up adding an account.
func (c *Core) refuseWant(r *room, account ident.AccountID, devices, taken int) {
	for i := range r.wanted {
		if w := &r.wanted[i]; (w.kind == wantAdd || w.kind == wantLetIn) && w.account == account && w.problem == "" {
			r.dirty = true
			w.problem = fmt.Sprintf("the room is full: it has %d devices of at most %d, and @%s brings %d; remove somebody, or have devices that are not used revoked",
				taken, maxDevices, c.handle(account), devices)
		}
	}
}

// fit leaves of the devices that a plan adds as many as one commit takes and the room has places for, those of accounts
// that come first.
func (c *Core) fit(r *room, p *plan) {
	before, leaves := c.roster(r), 0
	for range c.group(r).Members() {
		leaves++
	}
	slices.SortStableFunc(p.add, func(a, b leaf) int {
		switch comesA, comesB := !before.has(a.account), !before.has(b.account); {
		case comesA == comesB:
			return 0
		case comesA:
			return -1
		}
		return 1
	})
	places := max(0, maxDevices-leaves+len(p.remove))
	if leftOut := max(0, len(p.add)-places); leftOut != r.leftOut {
		r.leftOut, r.dirty = leftOut, true
	}
	p.add = p.add[:min(len(p.add), places, maxAdded)]
}

// fullRoom says that devices of members have no place; empty where all have.
func (r *room) fullRoom() string {
	if r.leftOut == 0 {
		return ""
	}
	return fmt.Sprintf("the room is full: it has %d devices, and %d more of its members have no place", maxDevices, r.leftOut)
}
