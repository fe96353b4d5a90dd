package client

import (
	"errors"

	"snug/internal/ident"
)

// mayLetIn reports whether a device of account by may let in a device of account whom anew: one of the same account, of an
// owner or admin, and in a 1:1 room of the other account. Where nobody else has such a role any member may, or the only owner
// could not come back.
func mayLetIn(now roster, by, whom ident.AccountID) bool {
	return now.has(by) && (by == whom || holdsOffice(now, by) || standsIn(now, whom))
}

// holdsOffice reports whether the account lets in devices of other accounts by its role.
func holdsOffice(now roster, account ident.AccountID) bool {
	rank, member := now.role(account)
	return member && (rank <= roleAdmin || now.direct)
}

// standsIn reports whether any member lets in a device of the account: there is no other one whose office it would be.
func standsIn(now roster, whom ident.AccountID) bool {
	for _, m := range now.members {
		if m.account != whom && holdsOffice(now, m.account) {
			return false
		}
	}
	return true
}

// authorizeRequest lets a device in anew on its own word, if its account was a member all along.
func authorizeRequest(before roomState, commit change, device leaf) error {
	switch {
	case !before.roster.has(device.account) || !commit.after.roster.has(device.account):
		return errors.New("client: a device asks to be let in whose account is no member")
	case commit.committer.device == device.device:
		return errors.New("client: a device lets itself in")
	case !mayLetIn(before.roster, commit.committer.account, device.account):
		return errors.New("client: a device is let in anew by who may not")
	}
	return nil
}
