package mls

// A StagedCommit is a commit that follows the rules, was verified and authorized, and waits for Merge: the next epoch,
// computed. One made here also has the messages to send.
type StagedCommit struct {
	message []byte
	welcome []byte
}

// Message is the commit to send to the group; nil for a received one.
func (c *StagedCommit) Message() []byte { return c.message }

// Welcome is the message for the members that were added; nil if there are none, or the commit was received.
func (c *StagedCommit) Welcome() []byte { return c.welcome }

// WelcomeRefs returns the key packages that the Welcome is for.
func (c *StagedCommit) WelcomeRefs() []KeyPackageRef { return nil }

// GroupInfo returns the signed description of the epoch that the commit begins, tree included, as an MLSMessage; nil
// for a received commit.
func (c *StagedCommit) GroupInfo() []byte { return nil }

// Epoch is the epoch that the commit begins.
func (c *StagedCommit) Epoch() uint64 { return 0 }

// Sender is the committer, with the leaf that it had before.
func (c *StagedCommit) Sender() Member { return Member{} }

// Own says that the commit was made here.
func (c *StagedCommit) Own() bool { return false }

// AuthenticatedData is what travelled with the commit.
func (c *StagedCommit) AuthenticatedData() []byte { return nil }

// Proposals are what the commit commits, in its order.
func (c *StagedCommit) Proposals() []CommittedProposal { return nil }

// Extensions are the GroupContext extensions of the epoch that the commit begins.
func (c *StagedCommit) Extensions() Extensions { return nil }

// Added are the members that the commit adds, with their leaves.
func (c *StagedCommit) Added() []Member { return nil }

// Removed are the members that the commit removes, as they were.
func (c *StagedCommit) Removed() []Member { return nil }

// Updated are the members whose leaf the commit replaces, the committer included, as they will be.
func (c *StagedCommit) Updated() []Member { return nil }

// RemovesSelf says that this member is among Removed. Such a commit cannot be merged: the group is over for us.
func (c *StagedCommit) RemovesSelf() bool { return false }

// EpochAuthenticator is that of the epoch that the commit begins; nil when it removes this member.
func (c *StagedCommit) EpochAuthenticator() []byte { return nil }

// Save returns the candidate in a form that LoadStagedCommit reads. It holds the secrets of the next epoch: keep it sealed, and
// delete it when it was merged or has lost.
func (c *StagedCommit) Save() []byte { return nil }

// LoadStagedCommit reads what Save wrote; g must be in the epoch in which the commit was made, or ErrStale is returned.
func LoadStagedCommit(g *Group, b []byte) (*StagedCommit, error) { return nil, ErrUnsupported }
