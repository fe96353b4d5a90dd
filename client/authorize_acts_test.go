package client

import (
	"fmt"
	"math/bits"

	"snug/mls"
)

// act is a commit of a world: who commits, what happens to leaves, and what the roster becomes. A set of devices has a bit for
// each.
type act struct {
	committer int
	external  bool
	adds      uint8 // by value, or on their own request
	requested uint8 // of adds
	removes   uint8
	askers    [6]int // who proposed the removal of each device
	updated   int    // whose leaf an Update replaces by updated's own or by another's
	identity  int    // whose the new leaf says that it is
	kind      mls.ProposalType
	kinds     bool // kind is one of the commit's proposals
	foreign   bool
	after     world // leaves are computed
	roster    roster
}

func (a act) String() string {
	return fmt.Sprintf("device %d commits (external %v): adds %06b (requested %06b), removes %06b (asked by %v), updates %d to %d, kind %d (%v), foreign %v: %+v",
		a.committer, a.external, a.adds, a.requested, a.removes, a.askers, a.updated, a.identity, a.kind, a.kinds, a.foreign, a.after)
}

func has(set uint8, device int) bool { return set&(1<<device) != 0 }

// possible reports whether mls would let the commit come as far as Authorize: who commits is there, and so is who is removed, updated
// or asks; who is added is not.
func (a act) possible(before world) bool {
	if before.leaves[a.committer] == a.external && !(a.external && has(a.removes, a.committer)) || !before.leaves[a.updated] && a.identity != a.updated {
		return false
	}
	for d, present := range before.leaves {
		if has(a.removes, d) && (!present || a.askers[d] != a.committer && !before.leaves[a.askers[d]] || !a.external && d == a.committer) {
			return false
		}
		there := present && !has(a.removes, d) || a.external && d == a.committer
		if has(a.adds, d) && there {
			return false
		}
	}
	return true
}

// done gives the world that the commit leaves, and the commit. It puts leaves into a slice that is made once.
func (a act) done(before world, leaves []leaf) (world, change) {
	after := a.after
	c := change{committer: leafAt(a.committer), external: a.external, enrolled: enrolledIn, foreign: a.foreign}
	for d, present := range before.leaves {
		if has(a.removes, d) {
			c.removals = append(c.removals, removal{leafAt(d), leafAt(a.askers[d])})
			present = false
		}
		if has(a.adds, d) {
			c.added = append(c.added, leafAt(d))
		}
		if has(a.requested, d) {
			c.requested = append(c.requested, leafAt(d))
		}
		after.leaves[d] = present || has(a.adds, d) || a.external && d == a.committer
		if after.leaves[d] {
			l := leafAt(d)
			if d == a.updated {
				l = leafAt(a.identity)
				l.index = mls.LeafIndex(d)
			}
			leaves = append(leaves, l)
		}
	}
	if a.kinds {
		c.kinds = []mls.ProposalType{a.kind}
	}
	c.after = roomState{a.roster, leaves}
	return after, c
}

// rosters gives what a committer may try to make of a roster: everything that differs in the role and the chain of one
// account, and with its role any policy and name.
func (w world) rosters(yield func(world)) {
	for _, policy := range [][2]role{{w.adds, w.edits}, {roleOwner, w.edits}, {roleMember, w.edits}, {w.adds, roleMember}, {roleReader, w.edits}} {
		for _, named := range []bool{w.named, !w.named} {
			next := w
			next.adds, next.edits, next.named = policy[0], policy[1], named
			yield(next)
			lengths := []uint64{0, 2, 3, 4, 5}
			if next != w {
				lengths = []uint64{3}
			}
			for i := range w.roles {
				for r := role(0); r <= roleReader+1; r++ {
					for _, length := range lengths {
						if r == w.roles[i] && length == w.length[i] {
							continue
						}
						changed := next
						changed.roles[i], changed.length[i] = r, length
						if r == 0 {
							changed.length[i] = 0
						}
						yield(changed)
					}
				}
			}
		}
	}
}

// swaps gives the rosters in which two accounts change roles at once, as in handing a room over.
func (w world) swaps(yield func(world)) {
	for i := range w.roles {
		for j := range i {
			for a := role(0); a <= roleReader; a++ {
				for b := role(0); b <= roleReader; b++ {
					changed := w
					changed.roles[i], changed.roles[j] = a, b
					yield(changed)
				}
			}
		}
	}
}

// invites gives the rosters in which the invite is another one, or another account has come by it, and one account comes,
// goes or stays.
func (w world) invites(yield func(world)) {
	changes := []inviteWorld{{}, {limit: 1, role: roleMember}, {limit: 2, role: roleReader}, {limit: 1, role: roleAdmin}}
	for used := range 8 {
		if w.invite.limit == 0 {
			break
		}
		i := w.invite
		i.used = [3]bool{used&1 != 0, used&2 != 0, used&4 != 0}
		changes = append(changes, i)
		i.revoked = !i.revoked
		changes = append(changes, i)
	}
	for _, i := range changes {
		next := w
		next.invite = i
		yield(next)
		for account := range w.roles {
			for _, r := range []role{0, roleMember, roleReader} {
				changed := next
				changed.roles[account], changed.length[account] = r, max(w.length[account], 3)
				if r == 0 {
					changed.length[account] = 0
				}
				yield(changed)
			}
		}
	}
}

// comings gives the rosters in which any accounts come and go at once, with chains of any length, and somebody becomes the
// owner or nobody; or in which a chain grows.
func (w world) comings(yield func(world)) {
	for toggled := range uint8(8) {
		for _, comer := range []struct {
			role   role
			length uint64
		}{{roleMember, 3}, {roleMember, 2}, {roleReader, 4}, {roleAdmin, 3}} {
			next, comes := w, false
			for i := range w.roles {
				switch {
				case !has(toggled, i):
				case w.roles[i] == 0:
					next.roles[i], next.length[i], comes = comer.role, comer.length, true
				default:
					next.roles[i], next.length[i] = 0, 0
				}
			}
			yield(next)
			for i, r := range next.roles {
				if toggled != 0 && r > roleOwner {
					heir := next
					heir.roles[i] = roleOwner
					yield(heir)
				}
			}
			if !comes {
				break
			}
		}
	}
	for i := range w.roles {
		if w.roles[i] != 0 && w.length[i] < chainLength {
			grown := w
			grown.length[i] = chainLength
			yield(grown)
		}
	}
}

// fewOps are commits that do one thing to leaves or nothing: an Add, or a Remove by the committer or by the account itself.
func (w world) fewOps(committers []int) (ops []act) {
	w.ops(committers, func(a act) {
		asker := a.askers[bits.TrailingZeros8(a.removes)%8%6]
		if bits.OnesCount8(a.adds)+bits.OnesCount8(a.removes) <= 1 && (a.removes == 0 || asker == a.committer || asker/2 == bits.TrailingZeros8(a.removes)/2) {
			ops = append(ops, a)
		}
	})
	return ops
}

// manyOps are commits with up to two Adds and two Removes, so that an account comes or goes with both its devices, another takes
// its place, or a device comes back anew. Everybody there asks for the removals, or each device for its own.
func (w world) manyOps(committers []int) (ops []act) {
	w.ops(committers, func(a act) { ops = append(ops, a) })
	return ops
}

func (w world) ops(committers []int, yield func(act)) {
	pairs := make([]uint8, 0, 22)
	for set := range uint8(1 << 6) {
		if bits.OnesCount8(set) <= 2 {
			pairs = append(pairs, set)
		}
	}
	for _, committer := range committers {
		for _, external := range []bool{false, true} {
			for _, removes := range pairs {
				for _, askers := range askersOf(committer, external, removes) {
					for _, adds := range pairs {
						a := act{committer: committer, external: external, adds: adds, removes: removes, askers: askers}
						if !a.possible(w) || external && adds&^(adds-1) != adds {
							continue
						}
						yield(a)
						if adds != 0 {
							a.requested = adds
							yield(a)
						}
						if a.requested = adds & (adds - 1); a.requested != 0 && removes&(removes-1) == 0 {
							yield(a)
						}
					}
				}
			}
		}
	}
}

// askersOf gives who may have proposed the removals. From outside only the committer does.
func askersOf(committer int, external bool, removes uint8) [][6]int {
	same := func(d int) [6]int { return [6]int{d, d, d, d, d, d} }
	if removes == 0 || external {
		return [][6]int{same(committer)}
	}
	var list [][6]int
	if removes&(removes-1) != 0 {
		list = [][6]int{{0, 1, 2, 3, 4, 5}, {1, 0, 3, 2, 5, 4}}
	}
	for d := range 6 {
		list = append(list, same(d))
	}
	return list
}

// acts gives every commit that the devices could try in a world.
func (w world) acts(committers []int, yield func(act)) {
	try := func(ops []act) func(world) {
		return func(after world) {
			roster := after.state().roster
			for _, a := range ops {
				a.after, a.roster = after, roster
				yield(a)
			}
		}
	}
	few := w.fewOps(committers)
	w.rosters(try(few))
	w.swaps(try(few))
	w.invites(try(few))
	w.comings(try(w.manyOps(committers)))
	w.rosters(try(w.updates(committers)))
	try(w.kinds(committers))(w)
}

// updates are Updates of every device, by value where it commits itself and by reference elsewhere, which say that it is itself or
// any other one, alone or with a Remove.
func (w world) updates(committers []int) (ops []act) {
	for _, committer := range committers {
		for updated := range 6 {
			for identity := range 6 {
				for _, removes := range []uint8{0, 1 << identity} {
					a := act{committer: committer, updated: updated, identity: identity, removes: removes, askers: [6]int{committer, committer, committer, committer, committer, committer}}
					if a.possible(w) && (updated != identity || removes == 0) {
						ops = append(ops, a)
					}
				}
			}
		}
	}
	return ops
}

// kinds are the kinds of proposals that have no place in a room, of which Authorize is handed the number, and what only a
// committer proposes, from somebody else; alone and with a Remove.
func (w world) kinds(committers []int) (ops []act) {
	all := []mls.ProposalType{0, mls.ProposalPreSharedKey, mls.ProposalReInit, mls.ProposalExternalInit, mls.ProposalSelfRemove, 8, 9, 0x0A0A, 0xF000, 0xFFFF}
	for _, committer := range committers {
		for _, external := range []bool{false, true} {
			for removes := range uint8(1 << 3) {
				a := act{committer: committer, external: external, removes: removes &^ 1 << (committer & 1), foreign: true}
				if a.possible(w) {
					ops = append(ops, a)
				}
				for _, kind := range all {
					if a.kind, a.kinds, a.foreign = kind, true, false; a.possible(w) {
						ops = append(ops, a)
					}
				}
			}
		}
	}
	return ops
}
