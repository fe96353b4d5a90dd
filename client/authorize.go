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
	// committer is the device that made it; of an external commit, as it will be in the room.
	committer leaf
	// external says that the committer was not in the group, or had lost its keys of it.
	external bool
	removals []removal
	added    []leaf
	// requested are the devices that are added on their own request, which they signed (RFC 9420, Section 12.1.8).
	requested []leaf
	// after is the room that the commit would leave.
	after roomState
	// enrolled reports whether the device was enrolled when its account's chain had this many statements. Unknown is an
	// error.
	enrolled func(l leaf, statements uint64) (bool, error)
	// kinds has the proposals that have no place in a room, by number.
	kinds []mls.ProposalType
	// foreign says that something was proposed by reference that only the committer may do, or that GroupContext
	// extensions other than the roster change.
	foreign bool
}

// removal is one Remove with who asked for it.
type removal struct {
	target, sender leaf
}

// Authorize judges a commit, whether it is about to be sent or was received, and whichever way. It looks at nothing but
// its arguments, so that all members come to the same answer. What it does not know it refuses.
func Authorize(before roomState, commit change) error {
	rank, member := before.roster.role(commit.committer.account)
	switch {
	case !member:
		return errors.New("client: the committer's account is no member")
	case len(commit.kinds) > 0:
		return fmt.Errorf("client: proposals of kind %d have no place in a room", commit.kinds[0])
	case commit.foreign:
		return errors.New("client: only the committer may add, remove others or change the room's settings, and only the roster")
	case commit.external:
		if err := authorizeExternal(before, commit); err != nil {
			return err
		}
	}
	j := judgement{before: before.roster, after: commit.after.roster, rank: rank, committer: commit.committer.account}
	if err := j.roster(commit); err != nil {
		return err
	}
	for _, r := range commit.removals {
		if err := authorizeRemoval(before, commit, r); err != nil {
			return err
		}
	}
	for _, l := range commit.requested {
		if err := authorizeRequest(before, commit, l); err != nil {
			return err
		}
	}
	if err := firstError(authorizeLeaves(before, commit), authorizeLengths(before, commit)); err != nil {
		return err
	}
	return checkRoom(commit.after, j.added, commit.enrolled)
}

// authorizeLeaves sees that nobody comes into the room or goes but whom the commit adds and removes, and that who stays is where
// it was: an Update changes keys, and never whose leaf it is.
func authorizeLeaves(before roomState, commit change) error {
	stay := make(map[mls.LeafIndex]leaf, len(before.leaves))
	for _, l := range before.leaves {
		stay[l.index] = l
	}
	for _, r := range commit.removals {
		delete(stay, r.target.index)
	}
	come := make(map[ident.DeviceID]ident.AccountID, len(commit.added)+1)
	for _, l := range commit.added {
		come[l.device] = l.account
	}
	if commit.external {
		come[commit.committer.device] = commit.committer.account
	}
	for _, l := range commit.after.leaves {
		switch account, comes := come[l.device]; {
		case stay[l.index] == l:
			delete(stay, l.index)
		case comes && account == l.account:
			delete(come, l.device)
		default:
			return errors.New("client: a device is in the room that nobody has added, or in another's place")
		}
	}
	if len(stay) > 0 || len(come) > 0 {
		return errors.New("client: a device is not in the room that stays there or has come")
	}
	return nil
}

// authorizeLengths sees that a room goes by more of an account's chain only where a device of the account shows that there is
// so much: one that is in the room afterwards, or that is removed for what the chain says. Otherwise any member could name a
// length that the chain of an account without devices never comes to, and no device of it could be added again.
func authorizeLengths(before roomState, commit change) error {
	shown := make(map[ident.AccountID]bool)
	for _, l := range commit.after.leaves {
		shown[l.account] = true
	}
	for _, r := range commit.removals {
		shown[r.target.account] = true
	}
	for _, m := range commit.after.roster.members {
		old, stays := before.roster.member(m.account)
		if stays && m.statements > old.statements && !shown[m.account] {
			return errors.New("client: an account's chain would be longer than any device of it shows")
		}
	}
	return nil
}

// authorizeExternal lets a device of a member account into the room by itself, in its own place if it had one, and does
// nothing else. No client makes such a commit, and none takes one: mls is not told to, and ExternalInit is no kind that has a
// place in a room. The rule stands for the day that one does.
func authorizeExternal(before roomState, commit change) error {
	if !commit.after.roster.equal(before.roster) || len(commit.added) > 0 {
		return errors.New("client: who comes from outside changes nothing but its own place")
	}
	for _, r := range commit.removals {
		if r.target.device != commit.committer.device || r.target.account != commit.committer.account {
			return errors.New("client: who comes from outside takes nobody's place but its own")
		}
	}
	return nil
}

// authorizeRemoval judges the removal of one device; that of accounts was judged with the roster.
func authorizeRemoval(before roomState, commit change, r removal) error {
	account := r.target.account
	now, stays := commit.after.roster.member(account)
	if !stays || commit.external || isRequested(commit, r.target) {
		return nil
	}
	if account == commit.committer.account && len(before.roster.members) == 1 {
		return nil // the last account clears the room before it leaves
	}
	enrolled, err := commit.enrolled(r.target, now.statements)
	if err == nil && (enrolled || now.statements == 0) {
		err = errors.New("client: a device is removed that is not revoked, from an account that stays")
	}
	return err
}

// isRequested reports whether the device itself has asked to be let in anew.
func isRequested(commit change, l leaf) bool {
	for _, r := range commit.requested {
		if r.device == l.device && r.account == l.account {
			return true
		}
	}
	return false
}

// checkRoom says what is wrong with a room by itself: after a commit, and for who joins. Each device is there once, its
// account is on the roster, and it was enrolled when the account's chain was as long as the roster says. Each account
// that has just come has a device.
func checkRoom(room roomState, added []ident.AccountID, enrolled func(leaf, uint64) (bool, error)) error {
	if len(room.leaves) > maxDevices {
		return errors.New("client: more devices than a room has places for")
	}
	devices := make(map[ident.DeviceID]bool, len(room.leaves))
	accounts := make(map[ident.AccountID]bool, len(room.roster.members))
	for _, l := range room.leaves {
		if devices[l.device] {
			return errors.New("client: a device is in the room twice")
		}
		devices[l.device] = true
		accounts[l.account] = true
		m, member := room.roster.member(l.account)
		if !member {
			return errors.New("client: a device is in the room whose account is no member")
		}
		if m.statements == 0 {
			continue
		}
		if ok, err := enrolled(l, m.statements); err != nil {
			return err
		} else if !ok {
			return errors.New("client: a device is in the room that its account has not enrolled, or has revoked")
		}
	}
	for _, account := range added {
		if !accounts[account] {
			return errors.New("client: an account is added without a device")
		}
	}
	return nil
}
