package mls

import (
	"crypto"
	"iter"
)

// Config is what a Group needs from its application. Verifier, Policy and Signer are mandatory: without one of them every
// function that takes a Config returns ErrConfig.
type Config struct {
	// An ed25519.PrivateKey prints as what it is.
	unprintable

	// Verifier is the authentication service of RFC 9420, Section 5.3.1.
	Verifier MemberVerifier

	// Policy judges every commit, sent or received, before it can be staged.
	Policy Policy

	// Signer holds the private key of this device's leaf: ed25519.PrivateKey, *ecdsa.PrivateKey, or anything that signs
	// like them. It is used for every message that is sent, and is never saved.
	Signer crypto.Signer

	// PSK finds a pre-shared key: an external one by its id, or the resumption secret of a past epoch or another group.
	// The current epoch's own is known without it. Nil knows none; a message that needs one is then refused.
	PSK func(PreSharedKeyID) (Secret, error)

	// ExternalCommits says that newcomers may join by a commit of their own (RFC 9420, Section 12.4.3.2), where Verifier and
	// Policy agree. Otherwise such commits are refused.
	ExternalCommits bool

	// Admit judges each proposal from outside of the group, of an external sender or of somebody who wants to be added
	// (RFC 9420, Section 12.1.8), before it becomes pending: until it is committed or ignored nobody can say anything, so
	// not everybody's wish should get that far. It is also where an external sender's credential is validated, each time
	// that it speaks. All members should come to the same answer, or some cannot follow a commit of it. Nil refuses
	// them all. Committing it is for Policy to judge, and for Verifier whom it adds.
	Admit func(*ReceivedProposal) error

	// PublicProposals sends proposals as PublicMessages: signed, and readable by everyone. CommitOptions.Public does so for
	// a commit.
	PublicProposals bool

	// Padding returns to which length a plaintext of n bytes is padded with zeros (RFC 9420, Section 15.1). Nil pads to
	// buckets: 128 bytes, and above that steps of at most 1/8 of the length, so that a length says little. An answer below n
	// means n.
	Padding func(n int) int
}

// A MemberVerifier knows who the keys and credentials in leaves belong to. It is asked about every leaf at Join, every
// Add, and for every leaf that replaces one, whether the commit is received or is being made here. An error refuses
// the whole commit or Welcome. It must answer from what it has: it is called inside Join, Commit and Process. It must not
// call back into the group, nor change or keep what it is shown. RFC 9420, Section 5.3.1.
type MemberVerifier interface {
	// VerifyMember says whether the leaf's credential is real and belongs to the leaf's signature key.
	VerifyMember(Member) error
	// VerifySuccession says whether next may take the place of old, in an Update proposal or the leaf of a
	// commit's path: a device keeps being itself. It is called instead of VerifyMember, and so must also
	// check all that VerifyMember does.
	VerifySuccession(old, next Member) error
}

// A Policy says which commits are allowed.
type Policy interface {
	// Authorize returns nil when the commit is allowed; an error refuses it. It is called for commits whose proposals and
	// leaves follow the rules of RFC 9420 and whose members are verified, more than once if Commit has to choose among pending
	// proposals. It must be a pure function of what it is shown, or the members will disagree about the group.
	Authorize(*CommitContext) error
}

// PolicyFunc is a Policy that is one function.
type PolicyFunc func(*CommitContext) error

// Authorize calls f.
func (f PolicyFunc) Authorize(c *CommitContext) error { return f(c) }

// AllowAll is the policy of a group in which every member may do everything that RFC 9420 allows.
var AllowAll Policy = PolicyFunc(func(*CommitContext) error { return nil })

// A CommitContext is a commit as a Policy sees it: the group before, the proposals, the group after.
type CommitContext struct {
	// Committer is the member that made the commit, with the leaf that it had before.
	Committer Member
	// External says that the committer was not in the group, or had lost it: Committer is then as it will be, and MemberBefore
	// does not know it.
	External bool
	// Replaced is the member whose leaf an external commit removes as the committer's own, as it was. Verifier has
	// agreed that the committer succeeds to it. Nil where nobody is replaced.
	Replaced *Member
	// Sent says that the commit is being made here, rather than received.
	Sent bool
	// Epoch is the epoch that the commit ends.
	Epoch uint64
	// Proposals are in the order of the commit, those by reference and by value alike.
	Proposals []CommittedProposal
	// Before and After are the GroupContext extensions.
	Before, After Extensions

	treeBefore, treeAfter *ratchetTree
}

// A CommittedProposal is a proposal in a commit, with who made it: the committer, unless it is by reference.
type CommittedProposal struct {
	Proposal Proposal
	// Sender has an Index if From is SenderMember; an external sender has a credential and a key alone.
	Sender      Member
	From        SenderType
	ByReference bool
}

// MembersBefore yields the members of the epoch that the commit ends.
func (c *CommitContext) MembersBefore() iter.Seq[Member] { return c.treeBefore.members() }

// MembersAfter yields the members of the epoch that the commit begins.
func (c *CommitContext) MembersAfter() iter.Seq[Member] { return c.treeAfter.members() }

// MemberBefore returns the member at this leaf before the commit.
func (c *CommitContext) MemberBefore(i LeafIndex) (Member, bool) { return c.treeBefore.member(i) }

// MemberAfter returns the member at this leaf after the commit.
func (c *CommitContext) MemberAfter(i LeafIndex) (Member, bool) { return c.treeAfter.member(i) }

func (c *Config) check() error {
	if c.Verifier == nil || c.Policy == nil || c.Signer == nil {
		return ErrConfig
	}
	return nil
}
