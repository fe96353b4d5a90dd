package mls

// A SenderType says what kind of party sent a proposal or a commit (RFC 9420, Section 6).
type SenderType uint8

const (
	// SenderMember is a member of the group.
	SenderMember SenderType = 1
	// SenderExternal is one of those that the group's external_senders name (RFC 9420, Section 12.1.8.1).
	SenderExternal SenderType = 2
	// SenderNewMemberProposal is somebody who proposes to be added (RFC 9420, Section 12.1.8).
	SenderNewMemberProposal SenderType = 3
	// SenderNewMemberCommit is somebody who joins by an external commit (RFC 9420, Section 12.4.3.2).
	SenderNewMemberCommit SenderType = 4
)

// A sender is a member by its leaf, or an external sender by its place in external_senders, or a new member.
type sender struct {
	kind  SenderType
	index uint32
}

// memberAt is the sender at a leaf.
func memberAt(i LeafIndex) sender { return sender{SenderMember, uint32(i)} }

// is tells whether the sender is the member at this leaf.
func (s sender) is(i LeafIndex) bool { return s == memberAt(i) }

// leaf is the place of a sender that is a member.
func (s sender) leaf() LeafIndex { return LeafIndex(s.index) }

func (s sender) encode(w *writer) {
	w.uint8(uint8(s.kind))
	if s.kind == SenderMember || s.kind == SenderExternal {
		w.uint32(s.index)
	}
}

func decodeSender(r *reader) sender {
	s := sender{kind: SenderType(r.uint8())}
	switch s.kind {
	case SenderMember, SenderExternal:
		s.index = r.uint32()
	case SenderNewMemberProposal, SenderNewMemberCommit:
	default:
		r.fail("a sender of an unknown type")
	}
	return s
}

// packed is the sender in the four bytes that saved state has for it: the kind above the index, which is smaller than
// maxLeaves for members and than maxExternalSenders for external senders. Members are their index.
func (s sender) packed() uint32 { return uint32(s.kind-SenderMember)<<30 | s.index }

func unpackSender(v uint32) sender { return sender{SenderType(v>>30) + SenderMember, v & (1<<30 - 1)} }

// party says who sent a proposal of the epoch. Only members have an Index.
func (e *epoch) party(s sender, p Proposal) Member {
	switch s.kind {
	case SenderMember:
		m, _ := e.tree.member(s.leaf())
		return m
	case SenderExternal:
		if x, err := e.externalSender(s.index); err == nil {
			return Member{Credential: x.Credential, SignatureKey: x.SignatureKey}
		}
	case SenderNewMemberProposal:
		if add, ok := p.(*Add); ok {
			return add.KeyPackage.Member()
		}
	}
	return Member{}
}
