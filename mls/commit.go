package mls

import "time"

// CommitOptions says what to commit. The zero value commits the pending proposals, and renews the own leaf and path.
type CommitOptions struct {
	// ByValue are proposals of the committer. Update is not allowed among them: the path renews the own leaf.
	ByValue []Proposal
	// Pending chooses among the pending proposals. Nil takes all that go together: a Remove wins over an Update of the
	// same leaf, a later proposal over an earlier one, and the own Updates are left out.
	Pending func(*ReceivedProposal) bool
	// NoPath leaves the path out where RFC 9420, Section 12.4 allows it: when there are Adds and pre-shared keys only. The commit is
	// cheaper and heals nothing.
	NoPath bool
	// Leaf changes the own leaf on the way. It needs a path.
	Leaf LeafOptions
	// Now, when given, is when the key packages that are added must be valid.
	Now time.Time
	// AuthenticatedData travels with the commit, readable by the delivery service, protected by the signature.
	AuthenticatedData []byte
	// Public sends the commit as a PublicMessage: signed, and readable by everyone.
	Public bool
	// NoTree leaves the ratchet tree out of the Welcome; the joiner then needs it in JoinOptions.
	NoTree bool
}

// Commit computes the commit of the proposals that opts names. It does not change g, and any number of candidates may exist
// at once: at most one of them can be merged. Save it, send its Message, and Merge it when it has won.
func (g *Group) Commit(opts CommitOptions) (*StagedCommit, error) { return nil, ErrUnsupported }

// Merge takes the group into the epoch that the commit begins; c must have been made or received in the current one, or
// ErrStale is returned. Afterwards save Delta. It returns ErrRemoved, with g unchanged, when the commit removes this member.
func (g *Group) Merge(c *StagedCommit) error { return ErrUnsupported }
