package client

import (
	"errors"

	"snug/internal/ident"
)

// authorizeRestart judges a device that begins a room anew, whether it is about to say so or was read in the log. before is
// the last roster that is known of the room: of recovery data, or of the group. statements is how long a chain the device
// goes by. It may where its account is the only one, and has enrolled it by a chain that is not shorter than the one that
// the room goes by.
func authorizeRestart(before roster, by leaf, statements uint64, enrolled func(leaf, uint64) (bool, error)) error {
	switch {
	case before.direct:
		return errors.New("client: a 1:1 room is begun anew")
	case len(before.members) != 1 || before.members[0].account != by.account:
		return errors.New("client: a room is begun anew in which another account is")
	case statements < before.members[0].statements || statements > ident.MaxStatements:
		return errors.New("client: an account's chain would be shorter than the room knows it")
	}
	ok, err := enrolled(by, statements)
	if err == nil && !ok {
		err = errors.New("client: a room is begun anew by a device that its account has not enrolled, or has revoked")
	}
	return err
}
