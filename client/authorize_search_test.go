package client

import (
	"cmp"
	"errors"
	"fmt"
	"testing"

	"snug/internal/ident"
	"snug/mls"
)

// world is a room of at most three accounts with two devices each, small enough to try everything. Every account's chain
// is the same: the first device is enrolled by its second statement, the second by its third, and revoked by its fourth.
type world struct {
	roles  [3]role // 0: no member
	length [3]uint64
	leaves [6]bool // device d is account d/2's
	adds   role
	edits  role
	named  bool
	invite inviteWorld
}

// inviteWorld is the one invite that the room may have, which account 1 has made.
type inviteWorld struct {
	limit   uint64 // 0: there is none
	role    role
	revoked bool
	used    [3]bool
}

func (i inviteWorld) count() (n uint64) {
	for _, used := range i.used {
		if used {
			n++
		}
	}
	return n
}

const chainLength = 4

func (w world) state() roomState {
	state := roomState{roster: roster{name: "old", adds: w.adds, edits: w.edits}}
	if w.named {
		state.roster.name = "new"
	}
	for i, r := range w.roles {
		if r != 0 {
			state.roster.members = append(state.roster.members, rosterMember{accountOf(2 * i), r, w.length[i]})
		}
	}
	if w.invite.limit > 0 {
		i := invite{keys: ident.RoomInviteKeys{Letter: ident.PublicKey{1}}, maker: accountOf(2), role: w.invite.role, expires: 1,
			limit: w.invite.limit, revoked: w.invite.revoked}
		for n, used := range w.invite.used {
			if used {
				i.used = append(i.used, accountOf(2*n))
			}
		}
		state.roster.invites = []invite{i}
	}
	for d, present := range w.leaves {
		if present {
			state.leaves = append(state.leaves, leafAt(d))
		}
	}
	return state
}

func accountOf(d int) ident.AccountID { return ident.AccountID{byte(d/2) + 1} }

func leafAt(d int) leaf {
	return leaf{index: mls.LeafIndex(d), account: accountOf(d), device: ident.DeviceID{byte(d) + 1}}
}

// enrolledIn is what the chains say.
func enrolledIn(l leaf, statements uint64) (bool, error) {
	if statements > chainLength {
		return false, errors.New("unknown")
	}
	if second := (l.device[0]-1)%2 == 1; second {
		return statements == 3, nil
	}
	return statements >= 2, nil
}

// act is a commit of a world: who commits, what happens to leaves, and what the roster becomes.
type act struct {
	committer int
	external  bool
	add       int // a device, or -1
	requested bool
	remove    int // a device, or -1
	asker     int // who proposed the removal
	kind      mls.ProposalType
	foreign   bool
	after     world // leaves are computed
}

func (a act) String() string {
	return fmt.Sprintf("device %d commits (external %v): adds %d (requested %v), removes %d (asked by %d), kind %d, foreign %v: %+v",
		a.committer, a.external, a.add, a.requested, a.remove, a.asker, a.kind, a.foreign, a.after)
}

// done gives the world that the commit leaves, and the commit; false: mls would not let it come this far.
func (a act) done(before world) (world, change, bool) {
	after := a.after
	after.leaves = before.leaves
	c := change{committer: leafAt(a.committer), external: a.external, enrolled: enrolledIn, foreign: a.foreign}
	if before.leaves[a.committer] == a.external && a.remove != a.committer {
		return after, c, false
	}
	if a.remove >= 0 {
		if !before.leaves[a.remove] || !a.external && (a.remove == a.committer || !before.leaves[a.asker]) {
			return after, c, false
		}
		after.leaves[a.remove] = false
		c.removals = []removal{{leafAt(a.remove), leafAt(a.asker)}}
	}
	if a.external {
		after.leaves[a.committer] = true
	}
	if a.add >= 0 {
		if after.leaves[a.add] {
			return after, c, false
		}
		after.leaves[a.add] = true
		c.added = []leaf{leafAt(a.add)}
		if a.requested {
			c.requested = c.added
		}
	}
	if a.kind != 0 {
		c.kinds = []mls.ProposalType{a.kind}
	}
	c.after = after.state()
	return after, c, true
}

// rosters gives what a committer may try to make of a roster: everything that differs in the role and the chain of one
// account, and any policy and name.
func (w world) rosters(yield func(world)) {
	for _, policy := range [][2]role{{w.adds, w.edits}, {roleOwner, w.edits}, {roleMember, w.edits}, {w.adds, roleMember}, {roleReader, w.edits}} {
		for _, named := range []bool{w.named, !w.named} {
			next := w
			next.adds, next.edits, next.named = policy[0], policy[1], named
			yield(next)
			for i := range w.roles {
				for r := role(0); r <= roleReader+1; r++ {
					for _, length := range []uint64{0, 2, 3, 4, 5} {
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

// acts gives every commit that somebody could try in a world.
func (w world) acts(yield func(act)) {
	try := func(after world) {
		for committer := range w.leaves {
			for _, external := range []bool{false, true} {
				a := act{committer: committer, external: external, add: -1, remove: -1, after: after}
				yield(a)
				for d := range w.leaves {
					a.add, a.remove = d, -1
					yield(a)
					a.requested = true
					yield(a)
					for a.remove = range w.leaves {
						if a.asker = committer; a.remove == d || !external {
							yield(a)
						}
					}
					a.remove, a.add, a.requested = d, -1, false
					for a.asker = range w.leaves {
						yield(a)
					}
				}
			}
		}
	}
	w.rosters(try)
	w.swaps(try)
	w.invites(try)
	for _, a := range []act{{kind: mls.ProposalPreSharedKey}, {kind: mls.ProposalReInit}, {kind: mls.ProposalExternalInit}, {kind: 0xF000}, {foreign: true}} {
		for committer := range w.leaves {
			a.committer, a.add, a.remove, a.after = committer, -1, -1, w
			yield(a)
		}
	}
}

// TestNobodyGainsBySequence tries every sequence of commits by devices whose account is neither owner nor admin, and of
// requests by the same: it goes on from every room that comes of it until there are no new ones, which covers sequences of
// any length. Whatever they do, no account is added, nobody's role grows, no name or policy changes, and no owner or
// admin goes.
func TestNobodyGainsBySequence(t *testing.T) {
	t.Parallel()
	starts := []world{
		{roles: [3]role{roleOwner, roleMember, 0}, length: [3]uint64{3, 3, 0}, leaves: [6]bool{true, true, true, true}, adds: roleAdmin, edits: roleAdmin, invite: inviteWorld{limit: 2, role: roleMember}},
		{roles: [3]role{roleOwner, roleMember, roleReader}, length: [3]uint64{3, 2, 4}, leaves: [6]bool{true, false, true, false, true, false}, adds: roleOwner, edits: roleAdmin},
		{roles: [3]role{roleAdmin, roleMember, roleOwner}, length: [3]uint64{3, 3, 3}, leaves: [6]bool{true, true, true, true, true, true}, adds: roleAdmin, edits: roleOwner, invite: inviteWorld{limit: 1, role: roleReader}},
	}
	for _, start := range starts {
		seen, frontier, tried, depth := map[world]bool{start: true}, []world{start}, 0, 0
		for ; len(frontier) > 0; depth++ {
			var next []world
			for _, w := range frontier {
				before := w.state()
				w.acts(func(a act) {
					if start.roles[a.committer/2] <= roleAdmin && start.roles[a.committer/2] != 0 ||
						a.remove >= 0 && start.roles[a.asker/2] != 0 && start.roles[a.asker/2] <= roleAdmin {
						return
					}
					after, c, possible := a.done(w)
					if !possible {
						return
					}
					tried++
					if Authorize(before, c) != nil || seen[after] {
						return
					}
					seen[after] = true
					next = append(next, after)
					if gain := gained(start, after); gain != "" {
						t.Fatalf("after %d commits %s: from %+v by %s", depth+1, gain, w, a)
					}
				})
			}
			frontier = next
		}
		t.Logf("%d commits tried in %d rooms; nothing new comes after the first %d", tried, len(seen), depth-1)
		if len(seen) < 8 {
			t.Errorf("the search ended in %d rooms: members can do less than they may", len(seen))
		}
	}
}

// gained says what somebody has got out of it, or nothing.
func gained(start, now world) string {
	if start.adds != now.adds || start.edits != now.edits || start.named != now.named {
		return "the settings have changed"
	}
	if withdrawn := start.invite; start.invite != now.invite {
		// With whoever made it an invite is withdrawn.
		if withdrawn.revoked = true; now.invite != withdrawn || now.roles[1] != 0 {
			return "an invite has changed"
		}
	}
	for i, r := range now.roles {
		switch {
		case r != 0 && start.roles[i] == 0:
			return "an account was added"
		case r != 0 && r < start.roles[i]:
			return "a role has grown"
		case r == 0 && start.roles[i] != 0 && start.roles[i] <= roleAdmin:
			return "an owner or admin was removed"
		case start.roles[i] != 0 && start.roles[i] <= roleAdmin && r != start.roles[i]:
			return "an owner or admin was demoted"
		}
	}
	return ""
}

// TestEveryCommitByEverybody tries every commit in rooms of all roles, by all of them, and holds what Authorize lets
// through against the rules said another way. A rule that holds for each commit holds for every sequence of them.
func TestEveryCommitByEverybody(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("millions of commits")
	}
	rooms, tried, allowed := 0, 0, 0
	for i := range 5 * 5 * 5 {
		w := world{roles: [3]role{role(i % 5), role(i / 5 % 5), role(i / 25)}, adds: roleAdmin, edits: roleMember}
		if i%3 > 0 {
			w.invite = inviteWorld{limit: 2, role: roleMember + role(i%2), revoked: i%4 == 0, used: [3]bool{i%5 == 0}}
		}
		if i%2 == 0 {
			w.adds, w.edits = roleMember, roleAdmin
		}
		for d := range w.leaves {
			if w.roles[d/2] != 0 {
				w.length[d/2] = 3 + uint64(i%2)
				w.leaves[d] = d%2 == 0 || i%2 == 0
			}
		}
		if w.state().roster.check() != nil {
			continue
		}
		rooms++
		before := w.state()
		w.acts(func(a act) {
			after, c, possible := a.done(w)
			if !possible {
				return
			}
			tried++
			if Authorize(before, c) != nil {
				return
			}
			allowed++
			if wrong := a.wrong(w, after); wrong != "" {
				t.Fatalf("%s: in %+v %s", wrong, w, a)
			}
		})
	}
	t.Logf("%d of %d commits allowed in %d rooms", allowed, tried, rooms)
	if allowed < 1000 {
		t.Errorf("%d commits were allowed: the rules let nobody do anything", allowed)
	}
}

// wrong says which promise a commit breaks, or nothing.
func (a act) wrong(before, after world) string {
	by := before.roles[a.committer/2]
	switch {
	case by == 0:
		return "a stranger commits"
	case a.kind != 0 || a.foreign:
		return "a kind of proposal that has no place in a room"
	case (before.adds != after.adds || before.edits != after.edits) && by != roleOwner:
		return "the policy is changed by who is no owner"
	case before.named != after.named && by > before.edits:
		return "the name is changed by who may not"
	case after.adds == roleReader || after.edits == roleReader:
		return "readers may do something"
	}
	if wrong := cmp.Or(a.wrongInvite(before, after), a.wrongRequest(before, after)); wrong != "" {
		return wrong
	}
	owners := 0
	for i := range after.roles {
		if after.roles[i] == roleOwner {
			owners++
		}
		if wrong := a.wrongAccount(i, before, after); wrong != "" {
			return wrong
		}
	}
	if owners == 0 {
		return "nobody owns the room"
	}
	for d, present := range after.leaves {
		enrolled, _ := enrolledIn(leafAt(d), after.length[d/2])
		stays := before.leaves[d] && !present && after.roles[d/2] != 0
		last := len(before.state().roster.members) == 1
		switch {
		case present && after.roles[d/2] == 0:
			return "a device of a stranger is in the room"
		case present && !enrolled:
			return "a device is in the room that is not enrolled"
		case stays && enrolled && !last:
			return "an enrolled device of a member is put out"
		}
	}
	return ""
}

// wrongRequest is wrong for a device that comes on its own word.
func (a act) wrongRequest(before, after world) string {
	if a.add < 0 || !a.requested {
		return ""
	}
	office := func(i int) bool { return before.roles[i] != 0 && before.roles[i] <= roleAdmin }
	vacant := true
	for i := range before.roles {
		vacant = vacant && (i == a.add/2 || !office(i))
	}
	switch {
	case before.roles[a.add/2] == 0 || after.roles[a.add/2] == 0:
		return "a stranger comes on its own word"
	case a.committer == a.add || a.external:
		return "a device lets itself in"
	case a.committer/2 != a.add/2 && !office(a.committer/2) && !vacant:
		return "a device is let in by who may not"
	}
	return ""
}

// wrongAccount is wrong for one account's membership.
func (a act) wrongAccount(i int, before, after world) string {
	by, from, to := before.roles[a.committer/2], before.roles[i], after.roles[i]
	asked := a.remove >= 0 && a.remove/2 == i && a.asker/2 == i
	heir := true // whoever becomes owner where none is left
	for j := range before.roles {
		heir = heir && (before.roles[j] != roleOwner || after.roles[j] == 0)
	}
	switch {
	case after.length[i] < before.length[i] && to != 0:
		return "a chain shrinks"
	case after.length[i] > chainLength:
		return "a chain is relied upon that nobody has"
	case from == 0 && to != 0 && (by > before.adds || to < roleMember || a.external):
		return "an account comes in that may not, or as what it may not"
	case from != 0 && to == 0 && (i == a.committer/2 || !asked && (by > roleAdmin || by == roleAdmin && from <= roleAdmin)):
		return "an account is removed by who may not"
	case to != 0 && from != 0 && to < from && by != roleOwner && !(by == roleAdmin && to == roleMember) && !(heir && to == roleOwner):
		return "a role grows"
	case to != 0 && to > from && from != 0 && by != roleOwner && i != a.committer/2 && !(by == roleAdmin && from == roleMember):
		return "somebody is demoted by who may not"
	}
	return ""
}

// wrongInvite is wrong for the room's invite.
func (a act) wrongInvite(before, after world) string {
	old, now, may := before.invite, after.invite, before.roles[a.committer/2] <= before.adds
	switch {
	case old == now && (now.revoked || now.limit == 0 || before.roles[1] == 0 || after.roles[1] != 0):
		return ""
	case old == now:
		return "an invite outlives the membership of its maker"
	case old.limit == 0:
		if !may || a.committer/2 != 1 || now.revoked || now.count() > 0 || now.role < roleMember {
			return "an invite is made that may not be"
		}
		return ""
	case now.limit == 0:
		if !may {
			return "an invite is taken away by who may not"
		}
		return ""
	case old.limit != now.limit || old.role != now.role || old.revoked && !now.revoked || now.count() > now.limit:
		return "an invite is changed"
	case now.revoked && !old.revoked && !may && (before.roles[1] == 0 || after.roles[1] != 0):
		return "an invite is withdrawn by who may not"
	}
	for i := range now.used {
		switch {
		case old.used[i] && !now.used[i]:
			return "somebody may come by an invite again"
		case now.used[i] && !old.used[i] && (!may || old.revoked || before.roles[i] != 0 || after.roles[i] != now.role):
			return "somebody counts as come by an invite who has not"
		}
	}
	return ""
}
