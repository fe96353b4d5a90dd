package mls

import (
	"crypto"
	"slices"
)

// LeafOptions says what to change in the own leaf when it is renewed. Nil fields keep what the leaf has.
type LeafOptions struct {
	unprintable
	Credential   *Credential
	Extensions   Extensions
	Capabilities *Capabilities
	// Signer replaces the leaf's signature key. From the merge on it is the group's signer. A group that is loaded from the
	// records of after the merge must be given it in Config; one whose commit is loaded by LoadStagedCommit and then merged
	// answers ErrSigner until then.
	Signer crypto.Signer
}

// set tells whether anything is to change.
func (o *LeafOptions) set() bool {
	return o.Credential != nil || o.Extensions != nil || o.Capabilities != nil || o.Signer != nil
}

// apply returns a copy of the leaf with the changes, still to be given its source, key and signature.
func (o *LeafOptions) apply(old *LeafNode) (*LeafNode, error) {
	l := *old
	l.Lifetime, l.ParentHash, l.Signature = Lifetime{}, nil, nil
	if o.Credential != nil {
		l.Credential = *o.Credential
	}
	if o.Extensions != nil {
		l.Extensions = o.Extensions
	}
	if o.Capabilities != nil {
		l.Capabilities = *o.Capabilities
	}
	if l.Extensions.repeats() {
		return nil, invalid("13.4", "an extension type occurs twice")
	}
	l.Capabilities = l.Capabilities.completed(l.Credential.Type, l.Extensions)
	return l.detached(), nil
}

// ProposeAdd returns the message that proposes to add the owner of the key package. Like all proposals, it is
// pending here too, and uses up a key of the own ratchet: save Delta before sending.
func (g *Group) ProposeAdd(kp *KeyPackage) ([]byte, error) {
	return g.propose(&Add{kp}, nil)
}

// ProposeRemove returns the message that proposes to remove a member.
func (g *Group) ProposeRemove(i LeafIndex) ([]byte, error) {
	return g.propose(&Remove{i}, nil)
}

// ProposeLeave returns the message that proposes to remove this member itself. Another member has to commit it
// (RFC 9420, Section 12.2). Where all members support it, who joins by an external commit can commit a
// ProposeSelfRemove too.
func (g *Group) ProposeLeave() ([]byte, error) {
	return g.propose(&Remove{g.own}, nil)
}

// ProposeUpdate returns the message that proposes a fresh leaf for this member. opts.Signer is not for proposals: renew
// the signature key with a commit.
func (g *Group) ProposeUpdate(opts LeafOptions) ([]byte, error) {
	if opts.Signer != nil {
		return nil, invalid("", "a new signature key in a proposal")
	}
	leaf, err := opts.apply(g.tree.leaf(g.own))
	if err != nil {
		return nil, err
	}
	leaf.Source = LeafUpdate
	required, err := g.context.extensions.requiredCapabilities()
	if err != nil {
		return nil, err
	}
	// Nobody could commit another, and until the epoch ends it would keep all members from sealing.
	if err := leaf.check(g.suite, required, g.context.extensions); err != nil {
		return nil, err
	}
	key, err := leaf.renew(g.suite, g.cfg.Signer, g.context.groupID, g.own)
	if err != nil {
		return nil, err
	}
	return g.propose(&Update{leaf}, key)
}

// ProposeGroupContextExtensions returns the message that proposes to replace the GroupContext extensions, all of them.
func (g *Group) ProposeGroupContextExtensions(x Extensions) ([]byte, error) {
	return g.propose(&GroupContextExtensions{x}, nil)
}

// ProposePreSharedKey returns the message that proposes to mix a pre-shared key into the next epoch.
func (g *Group) ProposePreSharedKey(id PreSharedKeyID) ([]byte, error) {
	return g.propose(&PreSharedKey{id}, nil)
}

// ProposeReInit returns the message that proposes to end the group in favour of another (RFC 9420, Section 12.1.5).
// The version and the suite must be ones that this package has.
func (g *Group) ProposeReInit(p ReInit) ([]byte, error) {
	if err := p.checkSent(); err != nil {
		return nil, err
	}
	return g.propose(&p, nil)
}

// ProposeSelfRemove returns the message by which this member leaves: another member has to commit it, or somebody who joins
// by an external commit, for whose sake it is always public (draft-ietf-mls-extensions). All members must support
// ProposalSelfRemove. One is enough in an epoch, and a second is refused.
func (g *Group) ProposeSelfRemove() ([]byte, error) {
	p := &SelfRemove{}
	if slices.ContainsFunc(g.pending, func(q *pendingProposal) bool { return q.Own && q.Proposal.Type() == ProposalSelfRemove }) {
		return nil, invalid("", "a second self-remove of a member in an epoch")
	}
	if err := g.checkKnown([]listedProposal{{proposal: p, sender: memberAt(g.own)}}); err != nil {
		return nil, err
	}
	return g.propose(p, nil)
}

// ProposeCustom returns the message of a proposal whose meaning is the application's.
func (g *Group) ProposeCustom(p CustomProposal) ([]byte, error) {
	if err := g.checkKnown([]listedProposal{{proposal: &p, sender: memberAt(g.own)}}); err != nil {
		return nil, err
	}
	return g.propose(&p, nil)
}

// filled returns the proposal with what its maker has left to chance: the nonce of a pre-shared key, the id of the group to come.
func (s *suite) filled(p Proposal) Proposal {
	switch v := p.(type) {
	case *PreSharedKey:
		if fresh := *v; len(v.PSK.Nonce) == 0 {
			fresh.PSK.Nonce = random(s.nh)
			return &fresh
		}
	case *ReInit:
		if fresh := *v; len(v.GroupID) == 0 {
			fresh.GroupID = random(32)
			return &fresh
		}
	}
	return p
}

// propose seals a proposal and makes it pending.
func (g *Group) propose(p Proposal, leafKey *privateKey) ([]byte, error) {
	if err := g.checkSigner(); err != nil {
		return nil, err
	}
	if g.reinit != nil {
		return nil, ErrReinitialized
	}
	p = g.suite.filled(p)
	if err := g.checkProposal(p, memberAt(g.own)); err != nil {
		return nil, err
	}
	a := g.frame(ContentProposal, nil, g.cfg.PublicProposals || p.Type() == ProposalSelfRemove)
	a.content.proposal = p
	if err := a.sign(g.suite, g.cfg.Signer, g.encoded); err != nil {
		return nil, err
	}
	pending, err := g.epoch.pendingProposal(a, leafKey)
	if err != nil {
		return nil, err
	}
	if err := g.checkRoom(pending); err != nil {
		return nil, err
	}
	message, use, err := g.protect(a)
	if err != nil {
		return nil, err
	}
	if use != nil {
		use.spend()
	}
	g.addPending(pending)
	return message, nil
}
