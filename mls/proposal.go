package mls

import "reflect"

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
// *PreSharedKey, *ReInit, *ExternalInit, *GroupContextExtensions, *SelfRemove and *CustomProposal.
type Proposal interface {
	Type() ProposalType
	encode(*writer)
}

// checkGiven tells whether there is a proposal, and not a nil pointer in the place of one.
func checkGiven(p Proposal) error {
	if p == nil || reflect.ValueOf(p).IsNil() {
		return invalid("12.4", "a proposal that is nil")
	}
	return nil
}

// Add brings the owner of a key package into the group.
type Add struct{ KeyPackage *KeyPackage }

// Update replaces the leaf of its sender. Make one with Group.ProposeUpdate, which keeps the new private key.
type Update struct{ LeafNode *LeafNode }

// Remove takes the member at this leaf out of the group.
type Remove struct{ Removed LeafIndex }

// PreSharedKey mixes a key that all members know into the next epoch.
type PreSharedKey struct{ PSK PreSharedKeyID }

// ReInit ends the group in favour of one with other parameters, which Group.Reinitialize makes. The GroupID is that of the
// group to come; 32 random bytes are filled in when the proposal is made with an empty one.
type ReInit struct {
	GroupID    []byte
	Version    ProtocolVersion
	Suite      CipherSuite
	Extensions Extensions
}

// ExternalInit belongs to external commits, which JoinExternally makes.
type ExternalInit struct{ KEMOutput []byte }

// GroupContextExtensions replaces the whole list of extensions in the GroupContext.
type GroupContextExtensions struct{ Extensions Extensions }

// SelfRemove takes its sender out of the group. Make one with Group.ProposeSelfRemove.
type SelfRemove struct{}

// CustomProposal is a proposal whose meaning is the application's, with a type of the range for private use. The package sees
// to it that all members list the type in their capabilities, and that its commit has a path; what it does is for the Policy
// to judge and for the application to carry out once the commit is merged. On the wire its data is a vector.
type CustomProposal struct {
	ProposalType ProposalType
	Data         []byte
}

func (*Add) Type() ProposalType                    { return ProposalAdd }
func (*Update) Type() ProposalType                 { return ProposalUpdate }
func (*Remove) Type() ProposalType                 { return ProposalRemove }
func (*PreSharedKey) Type() ProposalType           { return ProposalPreSharedKey }
func (*ReInit) Type() ProposalType                 { return ProposalReInit }
func (*ExternalInit) Type() ProposalType           { return ProposalExternalInit }
func (*GroupContextExtensions) Type() ProposalType { return ProposalGroupContextExtensions }
func (*SelfRemove) Type() ProposalType             { return ProposalSelfRemove }
func (p *CustomProposal) Type() ProposalType       { return p.ProposalType }

// isDefault tells whether every client supports the type, so that capabilities do not list it (RFC 9420, Section 7.2).
func (t ProposalType) isDefault() bool { return t >= 1 && t <= 7 }

// needsPath tells whether a commit of such a proposal must renew the committer's path (RFC 9420, Section 12.4).
func (t ProposalType) needsPath() bool {
	switch t {
	case ProposalAdd, ProposalPreSharedKey, ProposalReInit:
		return false
	}
	return true
}

func encodeProposal(w *writer, p Proposal) {
	w.uint16(uint16(p.Type()))
	p.encode(w)
}

func decodeProposal(r *reader) Proposal {
	t := ProposalType(r.uint16())
	switch t {
	case ProposalAdd:
		return &Add{decodeKeyPackage(r)}
	case ProposalUpdate:
		return &Update{decodeLeafNode(r)}
	case ProposalRemove:
		return &Remove{LeafIndex(r.uint32())}
	case ProposalPreSharedKey:
		return &PreSharedKey{decodePreSharedKeyID(r)}
	case ProposalReInit:
		return decodeReInit(r)
	case ProposalExternalInit:
		return &ExternalInit{r.opaque()}
	case ProposalGroupContextExtensions:
		return &GroupContextExtensions{decodeExtensions(r)}
	case ProposalSelfRemove:
		return &SelfRemove{}
	}
	if t >= firstPrivateUse {
		return &CustomProposal{t, r.opaque()}
	}
	r.fail("a proposal of an unknown type")
	return nil
}

func (p *Add) encode(w *writer)                    { p.KeyPackage.encode(w) }
func (p *Update) encode(w *writer)                 { p.LeafNode.encode(w) }
func (p *Remove) encode(w *writer)                 { w.uint32(uint32(p.Removed)) }
func (p *PreSharedKey) encode(w *writer)           { p.PSK.encode(w) }
func (p *ExternalInit) encode(w *writer)           { w.opaque(p.KEMOutput) }
func (p *GroupContextExtensions) encode(w *writer) { p.Extensions.encode(w) }
func (p *SelfRemove) encode(*writer)               {}
func (p *CustomProposal) encode(w *writer)         { w.opaque(p.Data) }

func (p *ReInit) encode(w *writer) {
	w.opaque(p.GroupID)
	w.uint16(uint16(p.Version))
	w.uint16(uint16(p.Suite))
	p.Extensions.encode(w)
}

func decodeReInit(r *reader) *ReInit {
	return &ReInit{
		GroupID:    r.opaque(),
		Version:    ProtocolVersion(r.uint16()),
		Suite:      CipherSuite(r.uint16()),
		Extensions: decodeExtensions(r),
	}
}
