package mls

import (
	"errors"
	"fmt"
)

// The errors that a caller can branch on. Cryptographic failures are opaque on purpose: which byte was wrong is of use
// to an attacker only.
var (
	// ErrDecrypt says that a ciphertext did not open.
	ErrDecrypt = errors.New("mls: the message does not decrypt")
	// ErrVerify says that a signature, MAC or hash did not verify.
	ErrVerify = errors.New("mls: the message does not verify")
	// ErrConfig says that a mandatory field of Config is missing.
	ErrConfig = errors.New("mls: the configuration is incomplete")
	// ErrUnsupported says that the message is well-formed RFC 9420 that this version does not act upon.
	ErrUnsupported = errors.New("mls: not supported")
	// ErrMalformed says that bytes do not parse, or parse but not in their only encoding.
	ErrMalformed = errors.New("mls: malformed")
	// ErrRemoved says that this member is no longer in the group.
	ErrRemoved = errors.New("mls: this member was removed from the group")
	// ErrNoKeyPackage says that a Welcome is for none of the caller's key packages.
	ErrNoKeyPackage = errors.New("mls: the welcome is for none of these key packages")
	// ErrSigner says that the signer does not hold the key of the member's leaf.
	ErrSigner = errors.New("mls: the signer's key is not the leaf's")
	// ErrStale says that a staged commit was made for another epoch than the group's.
	ErrStale = errors.New("mls: the staged commit is not for this epoch")
	// ErrPendingProposals says that application data must wait until the pending proposals are committed
	// (RFC 9420, Section 12.4).
	ErrPendingProposals = errors.New("mls: proposals wait for a commit")
	// ErrTooManyProposals says that of one sender, or of all, as many proposals are pending as a group keeps in an epoch: 512 or
	// 4 MiB of each sender, and 4,096 or 32 MiB of all. A commit makes room.
	ErrTooManyProposals = errors.New("mls: too many proposals are pending")
	// ErrReinitialized says that the group has ended in favour of another (RFC 9420, Section 11.2): make it with
	// Group.Reinitialize, or join it by the Welcome of who does.
	ErrReinitialized = errors.New("mls: the group was reinitialized")
)

// errNobodyAdmits is why something from outside is refused where Config does not ask for it.
var errNobodyAdmits = errors.New("the configuration does not allow it")

// A ValidationError is input that parses and breaks a rule of RFC 9420 or of the application.
type ValidationError struct {
	// Rule names the broken rule in a few constant words.
	Rule string
	// Section is where RFC 9420 states it, such as "12.2"; empty for rules of the application.
	Section string
	// Err is the cause, if there is one: what the verifier or the policy said.
	Err error
}

func (e *ValidationError) Error() string {
	s := "mls: " + e.Rule
	if e.Section != "" {
		s += " (RFC 9420, Section " + e.Section + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ValidationError) Unwrap() error { return e.Err }

// An EpochError is a message of another epoch than the group's. A message of a later epoch can be kept and tried again
// after the commits that lead there; one of an earlier epoch cannot be opened any more.
type EpochError struct {
	Message, Group uint64
}

func (e *EpochError) Error() string {
	return fmt.Sprintf("mls: the message is of epoch %d, the group in epoch %d", e.Message, e.Group)
}

// Future tells whether the group has yet to reach the message's epoch.
func (e *EpochError) Future() bool { return e.Message > e.Group }

// A GenerationError is a message whose key is not to be had: used or dropped already, or further ahead than
// MaxForward allows.
type GenerationError struct {
	Sender     LeafIndex
	Generation uint32
	// Next is the first generation of this sender that has not been seen.
	Next uint32
}

func (e *GenerationError) Error() string {
	what := "was used or dropped"
	if e.Generation >= e.Next {
		what = "is too far ahead"
	}
	return fmt.Sprintf("mls: the key of generation %d of sender %d %s", e.Generation, e.Sender, what)
}

// Replayed tells whether the generation lies behind the sender's next one.
func (e *GenerationError) Replayed() bool { return e.Generation < e.Next }

// A CommitError is a commit that its sender has signed, in this group and epoch, and that cannot be taken all the same. A
// commit that refers to a proposal which is not here is none: that can be the delivery's doing.
type CommitError struct {
	Sender Member
	Err    error
}

func (e *CommitError) Error() string { return e.Err.Error() }

func (e *CommitError) Unwrap() error { return e.Err }

// invalid builds the error for a broken rule.
func invalid(section, rule string) error {
	return &ValidationError{Rule: rule, Section: section}
}

// refused builds the error for something that the application refused.
func refused(rule string, err error) error {
	return &ValidationError{Rule: rule, Err: err}
}

func malformed(what string) error {
	return fmt.Errorf("%w: %s", ErrMalformed, what)
}
