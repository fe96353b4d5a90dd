package mls

// ProposalType names a kind of proposal (RFC 9420, Section 12.1).
type ProposalType uint16

const (
	ProposalAdd                    ProposalType = 1
	ProposalUpdate                 ProposalType = 2
	ProposalRemove                 ProposalType = 3
	ProposalPreSharedKey           ProposalType = 4
	ProposalReInit                 ProposalType = 5
	ProposalExternalInit           ProposalType = 6
	ProposalGroupContextExtensions ProposalType = 7
)

// A Proposal is a change to the group that takes effect when it is committed. The kinds are *Add, *Update, *Remove,
// *PreSharedKey, *ReInit, *ExternalInit and *GroupContextExtensions.
type Proposal interface {
	Type() ProposalType
	encode(*writer)
}

// Add brings the owner of a key package into the group.
type Add struct{ KeyPackage *KeyPackage }

// Update replaces the leaf of its sender. Make one with Group.ProposeUpdate, which keeps the new private key.
type Update struct{ LeafNode *LeafNode }

// Remove takes the member at this leaf out of the group.
type Remove struct{ Removed LeafIndex }

// PreSharedKey mixes a key that all members know into the next epoch.
type PreSharedKey struct{ PSK PreSharedKeyID }

// ReInit ends the group in favour of one with other parameters. It is decoded, and refused.
type ReInit struct {
	GroupID    []byte
	Version    ProtocolVersion
	Suite      CipherSuite
	Extensions Extensions
}

// ExternalInit belongs to external commits. It is decoded, and refused.
type ExternalInit struct{ KEMOutput []byte }

// GroupContextExtensions replaces the whole list of extensions in the GroupContext.
type GroupContextExtensions struct{ Extensions Extensions }

func (*Add) Type() ProposalType                    { return ProposalAdd }
func (*Update) Type() ProposalType                 { return ProposalUpdate }
func (*Remove) Type() ProposalType                 { return ProposalRemove }
func (*PreSharedKey) Type() ProposalType           { return ProposalPreSharedKey }
func (*ReInit) Type() ProposalType                 { return ProposalReInit }
func (*ExternalInit) Type() ProposalType           { return ProposalExternalInit }
func (*GroupContextExtensions) Type() ProposalType { return ProposalGroupContextExtensions }
