package client

import (
	"cmp"
	"errors"
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

// TestNobodyGainsBySequence tries every sequence of commits by devices whose account is neither owner nor admin, and of
// requests by the same: it goes on from every room that comes of it until there are no new ones, which covers sequences of
// any length. Whatever they do, no account is added, nobody's role grows, no name or policy changes, no owner or
// admin goes, and no chain has to be longer than it is. How many rooms and commits there are is counted, so that neither the rules nor the search narrows unseen.
func TestNobodyGainsBySequence(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                  string
		start                 world
		rooms, edges, deepest int
	}{
		{"an owner and a member", world{roles: [3]role{roleOwner, roleMember, 0}, length: [3]uint64{3, 3, 0}, leaves: [6]bool{true, true, true, true}, adds: roleAdmin, edits: roleAdmin, invite: inviteWorld{limit: 2, role: roleMember}}, 8, 854, 2},
		{"an owner, a member and a reader", world{roles: [3]role{roleOwner, roleMember, roleReader}, length: [3]uint64{3, 2, 4}, leaves: [6]bool{true, false, true, false, true, false}, adds: roleOwner, edits: roleAdmin}, 84, 16346, 3},
		{"an admin, a member and an owner", world{roles: [3]role{roleAdmin, roleMember, roleOwner}, length: [3]uint64{3, 3, 3}, leaves: [6]bool{true, true, true, true, true, true}, adds: roleAdmin, edits: roleOwner, invite: inviteWorld{limit: 1, role: roleReader}}, 16, 768, 3},
		{"a member, and an owner without devices", world{roles: [3]role{roleMember, roleOwner, 0}, length: [3]uint64{3, 2, 0}, leaves: [6]bool{true, true, false, false, false, false}, adds: roleAdmin, edits: roleAdmin}, 28, 3864, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			rooms, edges, tried, deepest := sequences(t, row.start)
			t.Logf("%d of %d commits allowed in %d rooms; nothing new comes after the first %d", edges, tried, rooms, deepest)
			if rooms != row.rooms || edges != row.edges || deepest != row.deepest {
				t.Errorf("%d rooms, %d commits between them and depth %d, want %d, %d and %d", rooms, edges, deepest, row.rooms, row.edges, row.deepest)
			}
		})
	}
}

// sequences goes on from a room by the commits of those who hold no office in it until no room is new.
func sequences(t *testing.T, start world) (rooms, edges, tried, deepest int) {
	office := func(d int) bool { return start.roles[d/2] != 0 && start.roles[d/2] <= roleAdmin }
	var committers []int
	for d := range start.leaves {
		if !office(d) {
			committers = append(committers, d)
		}
	}
	seen, frontier, leaves := map[world]bool{start: true}, []world{start}, make([]leaf, 0, 6)
	for ; len(frontier) > 0; deepest++ {
		var next []world
		for _, w := range frontier {
			before := w.state()
			w.acts(committers, func(a act) {
				for d, asker := range a.askers {
					if has(a.removes, d) && office(asker) {
						return
					}
				}
				tried++
				after, c := a.done(w, leaves)
				if Authorize(before, c) != nil {
					return
				}
				edges++
				if a.updated != a.identity {
					t.Fatalf("an Update says that its leaf is another device's: from %+v by %s", w, a)
				}
				if seen[after] {
					return
				}
				seen[after] = true
				next = append(next, after)
				if gain := gained(start, after); gain != "" {
					t.Fatalf("after %d commits %s: from %+v by %s", deepest+1, gain, w, a)
				}
			})
		}
		frontier = next
	}
	return len(seen), edges, tried, deepest - 1
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
		case now.length[i] > chainLength:
			return "a chain is relied upon that nobody has"
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
	rooms, tried, allowed, leaves := 0, 0, 0, make([]leaf, 0, 6)
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
		w.acts([]int{0, 1, 2, 3, 4, 5}, func(a act) {
			after, c := a.done(w, leaves)
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
	if rooms != 61 || allowed != 88627 {
		t.Errorf("%d commits allowed in %d rooms, want 88627 in 61", allowed, rooms)
	}
}

// wrong says which promise a commit breaks, or nothing.
func (a act) wrong(before, after world) string {
	by := before.roles[a.committer/2]
	switch {
	case by == 0:
		return "a stranger commits"
	case a.updated != a.identity:
		return "an Update says that its leaf is another device's"
	case a.kinds || a.foreign:
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
	office := func(i int) bool { return before.roles[i] != 0 && before.roles[i] <= roleAdmin }
	for d := range before.leaves {
		if !has(a.requested, d) {
			continue
		}
		vacant := true
		for i := range before.roles {
			vacant = vacant && (i == d/2 || !office(i))
		}
		switch {
		case before.roles[d/2] == 0 || after.roles[d/2] == 0:
			return "a stranger comes on its own word"
		case a.committer == d || a.external:
			return "a device lets itself in"
		case a.committer/2 != d/2 && !office(a.committer/2) && !vacant:
			return "a device is let in by who may not"
		}
	}
	return ""
}

// wrongAccount is wrong for one account's membership.
func (a act) wrongAccount(i int, before, after world) string {
	by, from, to := before.roles[a.committer/2], before.roles[i], after.roles[i]
	asked := has(a.removes, 2*i) && a.askers[2*i]/2 == i || has(a.removes, 2*i+1) && a.askers[2*i+1]/2 == i
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
