package ident

import "fmt"

// ConflictKind says how two chains disagree.
type ConflictKind int

const (
	// Rollback: the chain shown is older than the one known.
	Rollback ConflictKind = iota + 1
	// Fork: the two differ in a statement that both have.
	Fork
	// OtherAccount: the two are of different accounts.
	OtherAccount
)

// String gives "rollback", "fork" or "other account".
func (k ConflictKind) String() string {
	switch k {
	case Rollback:
		return "rollback"
	case Fork:
		return "fork"
	case OtherAccount:
		return "other account"
	}
	return "unknown"
}

// ConflictError is the evidence that somebody showed a chain that does not
// continue the one known before: the server, or the holder of the identity key.
type ConflictError struct {
	Account  AccountID
	Kind     ConflictKind
	Len, Got int // statements known before, and in the chain shown
}

// Error names account, kind and both lengths.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("ident: chain of %s: %s (knew %d statements, shown %d)", e.Account, e.Kind, e.Len, e.Got)
}

// Extends reports whether c is older, or continues it: a chain may only grow. The
// error is nil or a *ConflictError. Ask before replacing a stored chain.
func (c *Chain) Extends(older *Chain) error {
	return c.ExtendsHead(older.account, older.Len(), older.Head())
}

// ExtendsHead is Extends for who stored only Account, Len and Head of the older.
func (c *Chain) ExtendsHead(account AccountID, n int, head Hash) error {
	conflict := &ConflictError{Account: account, Len: n, Got: c.Len()}
	switch {
	case c.account != account:
		conflict.Kind = OtherAccount
	case n > c.Len():
		// Shorter and different is a fork as well, but without the older
		// statements nobody can tell; both are refused.
		conflict.Kind = Rollback
	case n < 1 || c.heads[n-1] != head:
		conflict.Kind = Fork
	default:
		return nil
	}
	return conflict
}
