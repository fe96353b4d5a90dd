package client

import (
	"testing"

	"snug/internal/ident"
	"snug/mls"
)

// TestAuthorize has each rule as a row: a room of an owner, an admin and two members, one device each, and a commit.
func TestAuthorize(t *testing.T) {
	owner, admin, bob, carol, dave := who(1), who(2), who(3), who(4), who(5)
	before := roomState{leaves: []leaf{owner, admin, bob, carol}, roster: roster{name: "room", members: []rosterMember{
		{owner.account, roleOwner}, {admin.account, roleAdmin}, {bob.account, roleMember}, {carol.account, roleMember}}}}
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
		for _, l := range append(append([]leaf{}, before.leaves...), added...) {
			if after.roster.has(l.account) {
				after.leaves = append(after.leaves, l)
			}
		}
		return after
	}
	by := func(l, sender leaf) []removal { return []removal{{target: l, sender: sender}} }
	second := leaf{index: 9, account: bob.account, device: ident.DeviceID{99}}
	extra := with(nil, nil)
	extra.leaves = append(extra.leaves, second)
	promoted, renamed, stray, twice := with(nil, nil), with(nil, nil), with(nil, nil), with(nil, nil)
	promoted.roster.members[2].role = roleAdmin
	renamed.roster.name = "other"
	stray.leaves = append(stray.leaves, dave)
	twice.leaves = append(twice.leaves, bob)
	ghost := with([]leaf{dave}, nil)
	ghost.leaves = ghost.leaves[:4]
	for _, row := range []struct {
		name    string
		commit  change
		allowed bool
	}{
		{"anybody renews", change{committer: bob, after: with(nil, nil)}, true},
		{"owner adds", change{committer: owner, after: with([]leaf{dave}, nil)}, true},
		{"admin adds", change{committer: admin, after: with([]leaf{dave}, nil)}, true},
		{"member adds", change{committer: bob, after: with([]leaf{dave}, nil)}, false},
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
		{"a device of a member", change{committer: carol, after: extra}, true},
		{"a device of nobody", change{committer: owner, after: stray}, false},
		{"a device twice", change{committer: owner, after: twice}, false},
		{"a device that is not revoked", change{committer: carol, after: with(nil, nil), removals: by(bob, carol)}, false},
		{"a revoked device", change{committer: carol, after: with(nil, nil), removals: by(second, carol)}, true},
		{"a promotion", change{committer: owner, after: promoted}, false},
		{"another name", change{committer: owner, after: renamed}, false},
		{"an unknown proposal", change{committer: owner, after: with(nil, nil), kinds: []mls.ProposalType{4}}, false},
		{"foreign settings", change{committer: owner, after: with(nil, nil), foreign: true}, false},
	} {
		row.commit.revoked = func(l leaf) bool { return l.device == second.device }
		if err := Authorize(before, row.commit); (err == nil) != row.allowed {
			t.Errorf("%s: got %v, want allowed=%v", row.name, err, row.allowed)
		}
	}
}

func who(n byte) leaf {
	return leaf{index: mls.LeafIndex(n), account: ident.AccountID{n}, device: ident.DeviceID{n}}
}

// TestDirectIsForTwo keeps the two accounts of a 1:1 room.
func TestDirectIsForTwo(t *testing.T) {
	a, b, c := who(1), who(2), who(3)
	both := roomState{roster{direct: true, members: []rosterMember{{a.account, roleOwner}, {b.account, roleMember}}}, []leaf{a, b}}
	three := roomState{both.roster.with([]ident.AccountID{c.account}, nil), []leaf{a, b, c}}
	one := roomState{both.roster.with(nil, []ident.AccountID{b.account}), []leaf{a}}
	for name, commit := range map[string]change{
		"a third":  {committer: a, after: three},
		"only one": {committer: a, after: one, removals: []removal{{target: b, sender: a}}},
	} {
		commit.revoked = func(leaf) bool { return false }
		if Authorize(both, commit) == nil {
			t.Errorf("%s: allowed", name)
		}
	}
}
