package client

import (
	"errors"
	"fmt"

	"snug/internal/ident"
	"snug/mls"
)

// leaf is a device in a room's tree.
type leaf struct {
	index   mls.LeafIndex
	account ident.AccountID
	device  ident.DeviceID
}

// roomState is a room as far as rules go.
type roomState struct {
	roster roster
	leaves []leaf
}

// change is a commit as far as rules go.
type change struct {
	committer leaf
	removals  []removal
	added     []leaf
	// after is the room that the commit would leave.
	after roomState
	// revoked reports whether the account's chain revokes the device.
	revoked func(leaf) bool
	// kinds has the proposals that are neither Add, Update, Remove nor our own change of the roster, by number.
	kinds []mls.ProposalType
	// foreign says that something was proposed by reference that only the committer may do, or that GroupContext
	// extensions other than the roster change.
	foreign bool
}

// removal is one Remove with who asked for it.
type removal struct {
	target, sender leaf
}

// Authorize judges a commit, whether it is about to be sent or was received, and whichever way. What it does not know it
// refuses.
func Authorize(before roomState, commit change) error {
	rank, member := before.roster.role(commit.committer.account)
	switch {
	case !member:
		return errors.New("client: the committer's account is no member")
	case len(commit.kinds) > 0:
		return fmt.Errorf("client: proposals of kind %d have no place in a room", commit.kinds[0])
	case commit.foreign:
		return errors.New("client: only the committer may add or change the room's settings, and only the roster")
	}
	added := missingFrom(before.roster, commit.after.roster)
	removed := missingFrom(commit.after.roster, before.roster)
	if err := authorizeAccounts(before, commit, rank, added, removed); err != nil {
		return err
	}
	if !commit.after.roster.equal(before.roster.with(added, removed)) {
		return errors.New("client: the roster changes by more than the accounts added and removed")
	}
	for _, r := range commit.removals {
		if !removalAllowed(before, commit, r) {
			return errors.New("client: a device is removed that is not revoked, from an account that stays")
		}
	}
	return checkRoom(commit.after, added)
}

// missingFrom gives the accounts of b that a does not have.
func missingFrom(a, b roster) (accounts []ident.AccountID) {
	for _, m := range b.members {
		if !a.has(m.account) {
			accounts = append(accounts, m.account)
		}
	}
	return accounts
}

func authorizeAccounts(before roomState, commit change, rank role, added, removed []ident.AccountID) error {
	if len(added) > 0 && rank > roleAdmin {
		return errors.New("client: only the owner and admins add accounts")
	}
	if before.roster.direct && (len(removed) > 0 || len(commit.after.roster.members) > 2) {
		return errors.New("client: the two accounts of a 1:1 room stay the same")
	}
	for _, account := range removed {
		targetRank, _ := before.roster.role(account)
		left := leaves(commit, account)
		switch {
		case account == commit.committer.account:
			return errors.New("client: nobody commits the removal of their own account")
		case left:
		case rank > roleAdmin:
			return errors.New("client: only the owner and admins remove accounts")
		case rank >= targetRank && rank != roleOwner:
			return errors.New("client: an admin removes members only")
		}
	}
	return nil
}

// leaves reports whether the account itself has asked to go: one of its devices proposed the removal of one of them.
func leaves(commit change, account ident.AccountID) bool {
	for _, r := range commit.removals {
		if r.target.account == account && r.sender.account == account {
			return true
		}
	}
	return false
}

func removalAllowed(before roomState, commit change, r removal) bool {
	account := r.target.account
	if !commit.after.roster.has(account) {
		return true // the account goes, which was judged already
	}
	if account == commit.committer.account && len(before.roster.members) == 1 {
		return true // the last account clears the room before it leaves
	}
	return commit.revoked(r.target)
}

// checkRoom says what is wrong with a room by itself: after a commit, and for who joins. Each device is there once, each
// device's account is on the roster, and each account that has just come has a device.
func checkRoom(room roomState, added []ident.AccountID) error {
	devices := make(map[ident.DeviceID]bool)
	accounts := make(map[ident.AccountID]bool)
	for _, l := range room.leaves {
		if devices[l.device] {
			return errors.New("client: a device is in the room twice")
		}
		devices[l.device] = true
		accounts[l.account] = true
		if !room.roster.has(l.account) {
			return errors.New("client: a device is in the room whose account is no member")
		}
	}
	for _, account := range added {
		if !accounts[account] {
			return errors.New("client: an account is added without a device")
		}
	}
	if len(room.roster.members) == 0 {
		return errors.New("client: a room without members")
	}
	return nil
}
