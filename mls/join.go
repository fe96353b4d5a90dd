package mls

import "time"

// JoinOptions says how to read a Welcome.
type JoinOptions struct {
	// RatchetTree is the tree, for a Welcome that does not carry it.
	RatchetTree []byte
	// Now, when given, is when every leaf that was added from a key package must be within its lifetime
	// (RFC 9420, Section 7.3 recommends it; members that are slow to update are then a reason not to join).
	Now time.Time
}

// Join enters the group that a Welcome is for (RFC 9420, Section 12.4.3.1). keys finds the secret half of one of the own key
// packages by its ref, or returns nil; it is called for the recipients of the Welcome in their order. cfg.Signer
// must hold the key of that key package's leaf. Delete the secret half once the new group's first Delta is saved.
func Join(cfg Config, welcome []byte, keys func(KeyPackageRef) *KeyPackagePrivate, opts JoinOptions) (*Group, error) {
	return nil, ErrUnsupported
}

// WelcomeRefs returns the key packages that a Welcome is for, so that the secret halves can be looked up beforehand.
func WelcomeRefs(welcome []byte) ([]KeyPackageRef, error) { return nil, ErrUnsupported }
