package client

import (
	"errors"
	"testing"

	"snug/internal/ident"
)

// TestAuthorizeRestart has who may begin which room anew.
func TestAuthorizeRestart(t *testing.T) {
	me, other := who(1), who(2)
	own := newRoster("room", false, me.account, 3)
	shared := own.with([]ident.AccountID{other.account}, nil)
	pair := newRoster("", true, me.account, 3)
	for _, row := range []struct {
		name       string
		before     roster
		by         leaf
		statements uint64
		ok         bool
	}{
		{"the only account", own, me, 3, true},
		{"with a longer chain", own, me, 4, true},
		{"of a room that goes by no chain", newRoster("room", false, me.account, 0), me, 3, true},
		{"with a shorter chain", own, me, 2, false},
		{"with a chain that nobody knows", own, me, 6, false},
		{"with a chain longer than chains are", own, me, ident.MaxStatements + 1, false},
		{"after it was revoked", own, me, 5, false},
		{"another account", own, other, 3, false},
		{"where others are", shared, me, 3, false},
		{"where others are, as one of them", shared, other, 3, false},
		{"a 1:1 room", pair, me, 3, false},
		{"a room that is not known", roster{}, me, 3, false},
	} {
		enrolled := func(l leaf, statements uint64) (bool, error) {
			if statements > 5 {
				return false, errors.New("unknown")
			}
			return l.device == me.device && statements < 5, nil // the fifth one revokes it
		}
		if err := authorizeRestart(row.before, row.by, row.statements, enrolled); (err == nil) != row.ok {
			t.Errorf("%s: got %v, want allowed=%v", row.name, err, row.ok)
		}
	}
}
