package client

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"snug/internal/ident"
	"snug/mls"
)

// TestAuthorize has each rule as a row: a room of an owner, an admin and two members, one device each, and a commit.
func TestAuthorize(t *testing.T) {
	owner, admin, bob, carol, dave := who(1), who(2), who(3), who(4), who(5)
	before := roomState{leaves: []leaf{owner, admin, bob, carol}, roster: roster{name: "room", adds: roleAdmin, edits: roleAdmin,
		members: []rosterMember{{owner.account, roleOwner, 2}, {admin.account, roleAdmin, 2}, {bob.account, roleMember, 2}, {carol.account, roleMember, 2}}}}
	with := func(added, removed []leaf) roomState {
		var add, remove []ident.AccountID
		after := roomState{}
		for _, l := range added {
			add = append(add, l.account)
		}
		for _, l := range removed {
			remove = append(remove, l.account)
		}
		after.roster = before.roster.with(add, remove)
		for _, account := range add {
			after.roster = after.roster.change(account, func(m *rosterMember) { m.statements = 2 })
		}
		for _, l := range append(append([]leaf{}, before.leaves...), added...) {
			if after.roster.has(l.account) {
				after.leaves = append(after.leaves, l)
			}
		}
		return after
	}
	by := func(l, sender leaf) []removal { return []removal{{target: l, sender: sender}} }
	second := leaf{index: 9, account: bob.account, device: ident.DeviceID{99}}
	set := func(how func(*roster)) roomState {
		after := with(nil, nil)
		how(&after.roster)
		return after
	}
	role := func(l leaf, r role) roomState {
		return set(func(now *roster) { *now = now.change(l.account, func(m *rosterMember) { m.role = r }) })
	}
	chain := func(l leaf, statements uint64) roomState {
		return set(func(now *roster) { *now = now.change(l.account, func(m *rosterMember) { m.statements = statements }) })
	}
	with2 := func(state roomState, l leaf) roomState {
		state.leaves = append(state.leaves[:len(state.leaves):len(state.leaves)], l)
		return state
	}
	ghost := with([]leaf{dave}, nil)
	ghost.leaves = ghost.leaves[:4]
	boss := with([]leaf{dave}, nil)
	boss.roster = boss.roster.change(dave.account, func(m *rosterMember) { m.role = roleAdmin })
	unchecked := with([]leaf{dave}, nil)
	unchecked.roster = unchecked.roster.change(dave.account, func(m *rosterMember) { m.statements = 0 })
	handedOver := role(admin, roleOwner)
	handedOver.roster = handedOver.roster.change(owner.account, func(m *rosterMember) { m.role = roleMember })
	settings := func(now *roster) { now.name, now.topic = "other", "about" }
	fresh := invite{keys: ident.RoomInviteKeys{Letter: ident.PublicKey{1}}, maker: admin.account, role: roleReader, expires: 1, limit: 1}
	before.roster = before.roster.withInvite(fresh)
	inviting := func(how func(*invite)) roomState {
		return set(func(now *roster) {
			i := invite{keys: ident.RoomInviteKeys{Letter: ident.PublicKey{2}}, maker: admin.account, role: roleMember, expires: 1, limit: 1}
			how(&i)
			*now = now.withInvite(i)
		})
	}
	cameBy := with([]leaf{dave}, nil)
	cameBy.roster = cameBy.roster.cameBy(fresh.id(), dave.account)
	promoted := with([]leaf{dave}, nil)
	promoted.roster.invites = cameBy.roster.invites
	nobodyCame := set(func(now *roster) { now.invites = cameBy.roster.invites })
	outlived := with(nil, []leaf{admin})
	outlived.roster.invites = before.roster.invites
	altered := func(how func(*invite)) roomState {
		return set(func(now *roster) { *now = now.changeInvites(named(fresh.id()), how) })
	}
	for _, row := range []struct {
		name    string
		commit  change
		allowed bool
	}{
		{"anybody renews", change{committer: bob, after: with(nil, nil)}, true},
		{"owner adds", change{committer: owner, after: with([]leaf{dave}, nil)}, true},
		{"admin adds", change{committer: admin, after: with([]leaf{dave}, nil)}, true},
		{"member adds", change{committer: bob, after: with([]leaf{dave}, nil)}, false},
		{"admin adds two accounts", change{committer: admin, after: with([]leaf{dave, who(6)}, nil)}, true},
		{"member adds two accounts", change{committer: bob, after: with([]leaf{dave, who(6)}, nil)}, false},
		{"stranger adds", change{committer: dave, after: with([]leaf{dave}, nil)}, false},
		{"an account without a device", change{committer: owner, after: ghost}, false},
		{"owner removes a member", change{committer: owner, after: with(nil, []leaf{bob}), removals: by(bob, owner)}, true},
		{"owner removes an admin", change{committer: owner, after: with(nil, []leaf{admin}), removals: by(admin, owner)}, true},
		{"admin removes a member", change{committer: admin, after: with(nil, []leaf{bob}), removals: by(bob, admin)}, true},
		{"admin removes the owner", change{committer: admin, after: with(nil, []leaf{owner}), removals: by(owner, admin)}, false},
		{"member removes", change{committer: bob, after: with(nil, []leaf{carol}), removals: by(carol, bob)}, false},
		{"member carries out a leave", change{committer: bob, after: with(nil, []leaf{carol}), removals: by(carol, carol)}, true},
		{"member carries out the owner's leave", change{committer: bob, after: with(nil, []leaf{owner}), removals: by(owner, owner)}, true},
		{"a leave that somebody else asked for", change{committer: bob, after: with(nil, []leaf{carol}), removals: by(carol, owner)}, false},
		{"one's own removal", change{committer: bob, after: with(nil, []leaf{bob}), removals: by(bob, bob)}, false},
		{"a device that the chain enrols later", change{committer: carol, after: with2(with(nil, nil), second)}, false},
		{"a device of a member", change{committer: carol, after: with2(chain(bob, 3), second)}, true},
		{"a chain that nobody has", change{committer: carol, after: chain(bob, 9)}, false},
		{"a chain that grows", change{committer: carol, after: chain(bob, 3)}, true},
		{"a chain that shrinks", change{committer: owner, after: chain(bob, 1)}, false},
		{"a revoked device stays", change{committer: carol, after: with2(chain(bob, 4), second)}, false},
		{"a device of nobody", change{committer: owner, after: with2(with(nil, nil), dave)}, false},
		{"a device twice", change{committer: owner, after: with2(with(nil, nil), bob)}, false},
		{"a device that is not revoked", change{committer: carol, after: with(nil, nil), removals: by(bob, carol)}, false},
		{"a device revoked later than the room knows", change{committer: carol, after: chain(bob, 3), removals: by(second, carol)}, false},
		{"a revoked device", change{committer: carol, after: chain(bob, 4), removals: by(second, carol)}, true},
		{"owner lets a device in anew", change{committer: owner, after: with(nil, nil), removals: by(bob, owner), requested: []leaf{bob}}, true},
		{"admin lets the owner in anew", change{committer: admin, after: with(nil, nil), removals: by(owner, admin), requested: []leaf{owner}}, true},
		{"member lets a device in anew", change{committer: carol, after: with(nil, nil), removals: by(bob, carol), requested: []leaf{bob}}, false},
		{"member lets the owner in, where there is an admin", change{committer: carol, after: with(nil, nil), removals: by(owner, carol), requested: []leaf{owner}}, false},
		{"another device than the one that asks", change{committer: owner, after: with(nil, nil), removals: by(carol, owner), requested: []leaf{bob}}, false},
		{"a stranger that asks", change{committer: owner, after: with2(with(nil, nil), dave), requested: []leaf{dave}}, false},
		{"a stranger that asks and is added", change{committer: owner, after: with([]leaf{dave}, nil), requested: []leaf{dave}}, false},
		{"who asks is removed", change{committer: owner, after: with(nil, []leaf{bob}), removals: by(bob, owner), requested: []leaf{bob}}, false},
		{"a revoked device that asks", change{committer: owner, after: with2(chain(bob, 4), second), requested: []leaf{second}}, false},
		{"who asks lets itself in", change{committer: owner, after: with(nil, nil), requested: []leaf{owner}}, false},
		{"a device comes back from outside", change{committer: bob, external: true, after: with(nil, nil), removals: by(bob, bob)}, true},
		{"from outside in another's place", change{committer: bob, external: true, after: with(nil, nil), removals: by(carol, bob)}, false},
		{"from outside with settings", change{committer: owner, external: true, after: set(settings)}, false},
		{"from outside with a friend", change{committer: owner, external: true, after: with([]leaf{dave}, nil), added: []leaf{dave}}, false},
		{"a stranger from outside", change{committer: dave, external: true, after: with2(with(nil, nil), dave)}, false},
		{"who comes as an admin", change{committer: owner, after: boss}, false},
		{"who comes unchecked", change{committer: owner, after: unchecked}, false},
		{"owner makes an admin", change{committer: owner, after: role(bob, roleAdmin)}, true},
		{"owner makes an owner", change{committer: owner, after: role(bob, roleOwner)}, true},
		{"owner hands over", change{committer: owner, after: handedOver}, true},
		{"the last owner steps down", change{committer: owner, after: role(owner, roleMember)}, false},
		{"admin makes a reader", change{committer: admin, after: role(bob, roleReader)}, true},
		{"admin makes an admin", change{committer: admin, after: role(bob, roleAdmin)}, false},
		{"admin unmakes the owner", change{committer: admin, after: handedOver}, false},
		{"admin makes itself owner", change{committer: admin, after: role(admin, roleOwner)}, false},
		{"admin steps down", change{committer: admin, after: role(admin, roleReader)}, true},
		{"member makes itself admin", change{committer: bob, after: role(bob, roleAdmin)}, false},
		{"member makes a reader", change{committer: bob, after: role(carol, roleReader)}, false},
		{"admin sets name and topic", change{committer: admin, after: set(settings)}, true},
		{"member sets name and topic", change{committer: bob, after: set(settings)}, false},
		{"a name too long", change{committer: owner, after: set(func(r *roster) { r.name = strings.Repeat("x", 65) })}, false},
		{"owner lets members add", change{committer: owner, after: set(func(r *roster) { r.adds = roleMember })}, true},
		{"owner lets readers add", change{committer: owner, after: set(func(r *roster) { r.adds = roleReader })}, false},
		{"admin lets members add", change{committer: admin, after: set(func(r *roster) { r.adds = roleMember })}, false},
		{"admin lets members edit", change{committer: admin, after: set(func(r *roster) { r.edits = roleMember })}, false},
		{"a group becomes a room of two", change{committer: owner, after: set(func(r *roster) { r.direct = true })}, false},
		{"admin invites", changeBy(admin, inviting(func(*invite) {})), true},
		{"member invites", changeBy(bob, inviting(func(i *invite) { i.maker = bob.account })), false},
		{"an invite in another's name", changeBy(owner, inviting(func(*invite) {})), false},
		{"an invite for admins", changeBy(admin, inviting(func(i *invite) { i.role = roleAdmin })), false},
		{"an invite that is used already", changeBy(admin, inviting(func(i *invite) { i.used = []ident.AccountID{bob.account} })), false},
		{"an invite without end", changeBy(admin, inviting(func(i *invite) { i.expires = 0 })), false},
		{"an invite for too many", changeBy(admin, inviting(func(i *invite) { i.limit = maxInviteUses + 1 })), false},
		{"owner withdraws an invite", changeBy(owner, altered(func(i *invite) { i.revoked = true })), true},
		{"member withdraws an invite", changeBy(bob, altered(func(i *invite) { i.revoked = true })), false},
		{"member takes an invite away", changeBy(bob, set(func(now *roster) { now.invites = nil })), false},
		{"an invite that lasts longer", changeBy(admin, altered(func(i *invite) { i.expires = 9 })), false},
		{"an invite that lets more in", changeBy(admin, altered(func(i *invite) { i.limit = 2 })), false},
		{"an invite with another key", changeBy(admin, altered(func(i *invite) { i.keys.Answer[0] = 1 })), false},
		{"admin lets in by an invite", changeBy(admin, cameBy), true},
		{"member lets in by an invite", changeBy(bob, cameBy), false},
		{"who comes by an invite as more than it gives", changeBy(admin, promoted), false},
		{"an invite that nobody has come by", changeBy(admin, nobodyCame), false},
		{"an invite outlives its maker's membership", change{committer: owner, after: outlived, removals: by(admin, owner)}, false},
		{"an unknown proposal", change{committer: owner, after: with(nil, nil), kinds: []mls.ProposalType{4}}, false},
		{"foreign settings", change{committer: owner, after: with(nil, nil), foreign: true}, false},
	} {
		row.commit.enrolled = func(l leaf, statements uint64) (bool, error) {
			if statements > 4 {
				return false, errors.New("unknown")
			}
			// second is enrolled by the third statement, and revoked by the fourth.
			return l.device != second.device || statements == 3, nil
		}
		row.commit.added = arrived(before, row.commit)
		if err := Authorize(before, row.commit); (err == nil) != row.allowed {
			t.Errorf("%s: got %v, want allowed=%v", row.name, err, row.allowed)
		}
	}
}

// arrived gives whom a commit has added if the room is as it says afterwards.
func arrived(before roomState, c change) (added []leaf) {
	for _, l := range c.after.leaves {
		removed := slices.ContainsFunc(c.removals, func(r removal) bool { return r.target == l })
		if (removed || !slices.Contains(before.leaves, l)) && !(c.external && l.device == c.committer.device) {
			added = append(added, l)
		}
	}
	return added
}

// TestAuthorizeLeaves has commits that leave other devices in a room than those that they add and remove.
func TestAuthorizeLeaves(t *testing.T) {
	owner, bob, carol := who(1), who(2), who(3)
	phone := leaf{index: 8, account: bob.account, device: ident.DeviceID{88}}
	before := roomState{newRoster("room", false, owner.account, 2).with([]ident.AccountID{bob.account, carol.account}, nil), []leaf{owner, bob, carol}}
	at := func(l leaf, index mls.LeafIndex) leaf { l.index = index; return l }
	for _, row := range []struct {
		name           string
		leaves, added  []leaf
		removed        []leaf
		external, fits bool
	}{
		{"as it was", []leaf{owner, bob, carol}, nil, nil, false, true},
		{"a device that is added", []leaf{owner, bob, carol, phone}, []leaf{phone}, nil, false, true},
		{"a device that nobody has added", []leaf{owner, bob, carol, phone}, nil, nil, false, false},
		{"a device that does not come", []leaf{owner, bob, carol}, []leaf{phone}, nil, false, false},
		{"a device that comes twice", []leaf{owner, bob, carol, phone, at(phone, 9)}, []leaf{phone}, nil, false, false},
		{"a device that nobody has removed", []leaf{owner, carol}, nil, nil, false, false},
		{"an Update to the account's other device", []leaf{owner, at(phone, bob.index), carol}, nil, nil, false, false},
		{"an Update to another account's device", []leaf{owner, at(carol, bob.index), at(bob, carol.index)}, nil, nil, false, false},
		{"a device let in anew elsewhere", []leaf{owner, at(bob, 9), carol}, []leaf{bob}, []leaf{bob}, false, true},
		{"a device that moves", []leaf{owner, at(bob, 9), carol}, nil, nil, false, false},
		{"another's device let in anew", []leaf{owner, at(phone, bob.index), carol}, []leaf{bob}, []leaf{bob}, false, false},
		{"an external commit", []leaf{owner, bob, carol, phone}, nil, nil, true, true},
		{"an external commit that lets in another", []leaf{owner, bob, carol, at(bob, 9)}, nil, nil, true, false},
	} {
		commit := change{committer: phone, external: row.external, added: row.added, after: roomState{before.roster, row.leaves},
			enrolled: func(leaf, uint64) (bool, error) { return true, nil }}
		if !row.external {
			commit.committer, commit.requested = owner, row.added
		}
		for _, l := range row.removed {
			commit.removals = append(commit.removals, removal{l, owner})
		}
		if err := Authorize(before, commit); (err == nil) != row.fits {
			t.Errorf("%s: got %v, want allowed: %v", row.name, err, row.fits)
		}
	}
}

// TestAuthorizeRequest has who may let a device in anew, in rooms where that is nobody's office.
func TestAuthorizeRequest(t *testing.T) {
	owner, bob, carol := who(1), who(2), who(3)
	phone := leaf{index: 8, account: owner.account, device: ident.DeviceID{88}}
	three := newRoster("room", false, owner.account, 2).with([]ident.AccountID{bob.account, carol.account}, nil)
	two := newRoster("", true, owner.account, 2).with([]ident.AccountID{bob.account}, nil)
	for _, row := range []struct {
		name       string
		roster     roster
		leaves     []leaf
		committer  leaf
		asks       leaf
		wantLetsIn bool
	}{
		{"the only owner, by a member", three, []leaf{owner, bob, carol}, bob, owner, true},
		{"the only owner beside its other device, by a member", three, []leaf{owner, phone, bob, carol}, bob, owner, true},
		{"by one's own other device", three, []leaf{owner, phone, bob, carol}, phone, owner, true},
		{"a member, by a member", three, []leaf{owner, bob, carol}, bob, carol, false},
		{"in a 1:1 room, the owner", two, []leaf{owner, bob}, bob, owner, true},
		{"in a 1:1 room, the other", two, []leaf{owner, bob}, owner, bob, true},
		{"in a 1:1 room, beside one's own other device", two, []leaf{owner, phone, bob}, bob, owner, true},
		{"by a stranger", three, []leaf{owner, bob, carol}, who(9), owner, false},
	} {
		before := roomState{row.roster, row.leaves}
		commit := change{committer: row.committer, after: before, added: []leaf{row.asks}, requested: []leaf{row.asks}, removals: []removal{{row.asks, row.committer}},
			enrolled: func(leaf, uint64) (bool, error) { return true, nil }}
		if err := Authorize(before, commit); (err == nil) != row.wantLetsIn {
			t.Errorf("%s: got %v, want allowed=%v", row.name, err, row.wantLetsIn)
		}
	}
}

func changeBy(committer leaf, after roomState) change {
	return change{committer: committer, after: after}
}

func who(n byte) leaf {
	return leaf{index: mls.LeafIndex(n), account: ident.AccountID{n}, device: ident.DeviceID{n}}
}

// TestDirectIsForTwo keeps the two accounts of a 1:1 room.
func TestDirectIsForTwo(t *testing.T) {
	a, b, c := who(1), who(2), who(3)
	both := roomState{roster{direct: true, adds: roleAdmin, edits: roleAdmin, members: []rosterMember{
		{a.account, roleOwner, 2}, {b.account, roleMember, 2}}}, []leaf{a, b}}
	three := roomState{both.roster.with([]ident.AccountID{c.account}, nil), []leaf{a, b, c}}
	three.roster = three.roster.change(c.account, func(m *rosterMember) { m.statements = 2 })
	named, adding, promoted, inviting := both, both, both, both
	inviting.roster.invites = []invite{{keys: ident.RoomInviteKeys{Letter: ident.PublicKey{1}}, maker: a.account, role: roleMember, expires: 1, limit: 1}}
	named.roster.name, adding.roster.adds = "name", roleMember
	promoted.roster = both.roster.change(b.account, func(m *rosterMember) { m.role = roleOwner })
	one := roomState{both.roster.with(nil, []ident.AccountID{b.account}), []leaf{a}}
	for name, commit := range map[string]change{
		"a third":  {committer: a, after: three},
		"only one": {committer: a, after: one, removals: []removal{{target: b, sender: a}}},
		"a name":   {committer: a, after: named},
		"a policy": {committer: a, after: adding},
		"a role":   {committer: a, after: promoted},
		"a guest":  {committer: a, after: inviting},
	} {
		commit.enrolled = func(leaf, uint64) (bool, error) { return true, nil }
		if Authorize(both, commit) == nil {
			t.Errorf("%s: allowed", name)
		}
	}
}

// TestAuthorizeFull has a room grow to as many devices as it may have, and by one more.
func TestAuthorizeFull(t *testing.T) {
	me := who(1)
	crowd := func(n int) roomState {
		state := roomState{roster: newRoster("room", false, me.account, 2)}
		for i := range n {
			l := leaf{index: mls.LeafIndex(i), account: me.account}
			l.device[0], l.device[1], l.device[2] = byte(i), byte(i>>8), 1
			state.leaves = append(state.leaves, l)
		}
		return state
	}
	for _, row := range []struct {
		leaves  int
		allowed bool
	}{{maxDevices, true}, {maxDevices + 1, false}} {
		before, after := crowd(maxDevices-1), crowd(row.leaves)
		err := Authorize(before, change{committer: before.leaves[0], added: after.leaves[maxDevices-1:], after: after,
			enrolled: func(leaf, uint64) (bool, error) { return true, nil }})
		if (err == nil) != row.allowed {
			t.Errorf("%d devices: got %v, want allowed: %v", row.leaves, err, row.allowed)
		}
	}
}
