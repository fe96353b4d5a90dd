package mls

import "iter"

// A Group is one member's view of one group in its current epoch. It is not safe for use from several goroutines at once.
type Group struct {
	cfg Config
}

// CreateOptions says what a new group is like.
type CreateOptions struct {
	// Suite is DefaultSuite when zero.
	Suite CipherSuite
	// GroupID names the group; 32 random bytes when empty. It should never be used again (RFC 9420, Section 11).
	GroupID []byte
	// Credential, LeafExtensions and Capabilities describe the creator's leaf, as in KeyPackageOptions.
	Credential     Credential
	LeafExtensions Extensions
	Capabilities   Capabilities
	// Lifetime goes into the creator's first leaf.
	Lifetime Lifetime
	// Extensions go into the GroupContext: what all members agree upon, such as the name of the room and its roles. Their types
	// are added to the creator's capabilities.
	Extensions Extensions
}

// NewGroup makes a group with its creator as the only member (RFC 9420, Section 11).
func NewGroup(cfg Config, opts CreateOptions) (*Group, error) { return nil, ErrUnsupported }

// GroupID returns the group's id. Do not change it.
func (g *Group) GroupID() []byte { return nil }

// Epoch returns the number of the current epoch.
func (g *Group) Epoch() uint64 { return 0 }

// Suite returns the group's cipher suite.
func (g *Group) Suite() CipherSuite { return 0 }

// Extensions returns the GroupContext extensions.
func (g *Group) Extensions() Extensions { return nil }

// Members yields the members in the order of their leaves.
func (g *Group) Members() iter.Seq[Member] { return func(func(Member) bool) {} }

// Member returns the member at this leaf.
func (g *Group) Member(i LeafIndex) (Member, bool) { return Member{}, false }

// OwnLeaf returns this member's leaf.
func (g *Group) OwnLeaf() Member { return Member{} }

// EpochAuthenticator is a value that is equal for all members that are in the same state (RFC 9420, Section 8.7).
func (g *Group) EpochAuthenticator() []byte { return nil }

// Export derives n bytes for the application from the epoch (RFC 9420, Section 8.5).
func (g *Group) Export(label string, context []byte, n int) (Secret, error) {
	return nil, ErrUnsupported
}

// ResumptionPSK is the epoch's secret for resumption in a later epoch or another group (RFC 9420, Section 8.6). A caller that
// keeps it weakens the promise that past epochs are gone.
func (g *Group) ResumptionPSK() Secret { return nil }

// Pending returns the proposals that were received or made in this epoch and not committed yet.
func (g *Group) Pending() []*ReceivedProposal { return nil }

// Clone returns an independent copy. The tree is shared until one of the two changes it.
func (g *Group) Clone() *Group { return nil }
