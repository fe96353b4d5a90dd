package client

import (
	"errors"

	"snug/internal/ident"
)

// mayLetIn reports whether a device of account by may let in a device of account whom anew: a device of the same account, an
// owner or admin, and in a 1:1 room the other account.
func mayLetIn(now roster, by, whom ident.AccountID) bool {
	rank, member := now.role(by)
	return member && (by == whom || rank <= roleAdmin || now.direct)
}

// authorizeRequest lets a device that is in the room in anew on its own word, if its account was a member all along. Where
// there is nobody else who may, because the only owner has lost the keys, any member does.
func authorizeRequest(before roomState, commit change, device leaf) error {
	if !before.roster.has(device.account) || !commit.after.roster.has(device.account) {
		return errors.New("client: a device asks to be let in whose account is no member")
	}
	if commit.committer.device == device.device {
		return errors.New("client: a device lets itself in")
	}
	if mayLetIn(before.roster, commit.committer.account, device.account) {
		return nil
	}
	there := false
	for _, l := range before.leaves {
		if l.device == device.device && l.account == device.account {
			there = true
		} else if mayLetIn(before.roster, l.account, device.account) {
			return errors.New("client: a device is let in anew by who may not, and others may")
		}
	}
	if !there {
		return errors.New("client: a device is let in anew that was not in the room")
	}
	return nil
}
