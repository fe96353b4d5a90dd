package client

import (
	"slices"
	"testing"

	"snug/internal/ident"
	"snug/mls"
)

// TestAuthorizeReboot has who may replace whose commit, and what such a commit does, a row each: an owner, two admins, two
// members, of whom one has two devices, and a 1:1 room.
func TestAuthorizeReboot(t *testing.T) {
	owner, admin, other, bob, carol := who(1), who(2), who(3), who(4), who(5)
	second := leaf{index: 9, account: bob.account, device: ident.DeviceID{99}}
	member := func(l leaf, r role) rosterMember { return rosterMember{l.account, r, 2} }
	room := roomState{leaves: []leaf{owner, admin, other, bob, carol, second}, roster: roster{name: "room", adds: roleAdmin, edits: roleAdmin,
		members: []rosterMember{member(owner, roleOwner), member(admin, roleAdmin), member(other, roleAdmin), member(bob, roleMember), member(carol, roleMember)}}}
	flat := room
	flat.roster.members = []rosterMember{member(owner, roleOwner), member(bob, roleMember), member(carol, roleMember)}
	flat.leaves = []leaf{owner, bob, carol}
	direct := roomState{leaves: []leaf{owner, bob, second}, roster: roster{direct: true, adds: roleOwner, edits: roleOwner,
		members: []rosterMember{member(owner, roleOwner), member(bob, roleMember)}}}
	alone := roomState{leaves: []leaf{bob, second}, roster: roster{members: []rosterMember{member(bob, roleOwner)}}}
	// less is a room without devices, and without the accounts of account.
	less := func(before roomState, account []leaf, devices ...leaf) roomState {
		var accounts []ident.AccountID
		for _, l := range account {
			accounts = append(accounts, l.account)
		}
		after := roomState{roster: before.roster.with(nil, accounts)}
		for _, l := range before.leaves {
			if !slices.Contains(devices, l) && after.roster.has(l.account) {
				after.leaves = append(after.leaves, l)
			}
		}
		return after
	}
	renamed := less(room, nil, bob)
	renamed.roster.name = "mine"
	added := less(room, nil, bob)
	added.leaves = append(added.leaves, who(6))
	for _, row := range []struct {
		name   string
		before roomState
		by     leaf
		after  roomState
		f      fault
		ok     bool
	}{
		{"an owner removes the account", room, owner, less(room, []leaf{bob}), fault{culprit: bob, broken: true}, true},
		{"an admin does", room, admin, less(room, []leaf{bob}), fault{culprit: bob, broken: true}, true},
		{"an admin does whose doubt was less", room, admin, less(room, []leaf{bob}), fault{culprit: bob}, true},
		{"an admin whose doubt was more spares the account", room, admin, less(room, nil, bob), fault{culprit: bob, broken: true}, true},
		{"a member does", room, carol, less(room, nil, bob), fault{culprit: bob}, false},
		{"the culprit does", room, owner, less(room, nil, owner), fault{culprit: owner}, false},
		{"the culprit's other device does", room, second, less(room, nil, bob), fault{culprit: bob}, false},
		{"the culprit's other device does, where there is nobody else", alone, second, less(alone, nil, bob), fault{culprit: bob}, true},
		{"a stranger does", room, who(6), less(room, nil, bob), fault{culprit: bob}, false},
		{"an admin removes the owner's device", room, admin, less(room, nil, owner), fault{culprit: owner, broken: true}, true},
		{"an admin removes the owner", room, admin, less(room, []leaf{owner}), fault{culprit: owner, broken: true}, false},
		{"an admin removes an admin", room, admin, less(room, []leaf{other}), fault{culprit: other, broken: true}, false},
		{"an owner removes an admin", room, owner, less(room, []leaf{admin}), fault{culprit: admin, broken: true}, true},
		{"a member removes the only owner's device", flat, carol, less(flat, nil, owner), fault{culprit: owner, broken: true}, true},
		{"a member removes the only owner", flat, carol, less(flat, []leaf{owner}), fault{culprit: owner, broken: true}, false},
		{"a member replaces the replacement of the only owner's", flat, carol, less(flat, nil, bob), fault{culprit: bob, target: owner.account}, true},
		{"a member replaces that of an admin's, where there are others", room, carol, less(room, nil, bob), fault{culprit: bob, target: admin.account}, false},
		{"a 1:1 room stays one", direct, owner, less(direct, nil, bob), fault{culprit: bob, broken: true}, true},
		{"a 1:1 room ends", direct, owner, less(direct, []leaf{bob}), fault{culprit: bob, broken: true}, false},
		{"who has gone already", room, owner, room, fault{culprit: who(6)}, true},
		{"nobody goes", room, owner, room, fault{culprit: bob}, false},
		{"another one goes", room, owner, less(room, nil, bob, carol), fault{culprit: bob}, false},
		{"another account goes", room, owner, less(room, []leaf{bob, carol}), fault{culprit: bob, broken: true}, false},
		{"a device stays of an account that goes", room, owner, roomState{less(room, []leaf{bob}).roster, less(room, nil, bob).leaves}, fault{culprit: bob, broken: true}, false},
		{"the room is renamed", room, owner, renamed, fault{culprit: bob}, false},
		{"somebody comes", room, owner, added, fault{culprit: bob}, false},
	} {
		err := authorizeReboot(row.before, change{committer: row.by, after: row.after}, &row.f)
		if (err == nil) != row.ok {
			t.Errorf("%s: got %v, want it allowed: %v", row.name, err, row.ok)
		}
	}
	for name, c := range map[string]change{
		"from outside": {external: true}, "foreign": {foreign: true}, "other proposals": {kinds: []mls.ProposalType{mls.ProposalReInit}},
		"an Add": {added: []leaf{bob}}, "a request": {requested: []leaf{bob}},
	} {
		c.committer, c.after = owner, less(room, nil, bob)
		if err := authorizeReboot(room, c, &fault{culprit: bob}); err == nil {
			t.Errorf("%s: got none, want an error", name)
		}
	}
}

// TestAcceptsReboot has who could take a commit go along with its replacement only where its author could have been removed
// anyway.
func TestAcceptsReboot(t *testing.T) {
	owner, admin, bob, carol := who(1), who(2), who(3), who(4)
	now := roster{members: []rosterMember{{owner.account, roleOwner, 2}, {admin.account, roleAdmin, 2}, {bob.account, roleMember, 2}, {carol.account, roleReader, 2}}}
	direct := roster{direct: true, members: now.members[:2]}
	for _, row := range []struct {
		name        string
		now         roster
		by, culprit leaf
		want        bool
	}{
		{"owner, of an admin's", now, owner, admin, true},
		{"admin, of a member's", now, admin, bob, true},
		{"admin, of the owner's", now, admin, owner, false},
		{"admin, of one who has gone", now, admin, who(9), true},
		{"member, of a reader's", now, bob, carol, false},
		{"member, of the owner's", now, bob, owner, false},
		{"one's own account's", now, bob, bob, true},
		{"stranger, of a member's", now, who(9), bob, false},
		{"stranger, of its own", now, who(9), who(9), false},
		{"in a 1:1 room", direct, admin, owner, true},
		{"stranger in a 1:1 room", direct, who(9), owner, false},
	} {
		if got := acceptsReboot(row.now, row.by.account, row.culprit.account); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

// TestFaultRecord: what is stored of a fault is read again, and nothing else is.
func TestFaultRecord(t *testing.T) {
	f := &fault{place: place{7, ident.Hash{1}}, culprit: who(3), target: who(4).account, broken: true, passed: true}
	b := f.encode()
	got, err := decodeFault(b)
	if err != nil || !slices.Equal(got.encode(), b) || got.culprit.device != f.culprit.device || got.place != f.place {
		t.Errorf("got %+v, %v, want %+v", got, err, f)
	}
	for n := range b {
		if _, err := decodeFault(b[:n]); err == nil {
			t.Errorf("the first %d bytes were read", n)
		}
	}
}
