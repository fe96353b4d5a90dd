package mls

import (
	"bytes"
	"crypto"
	"maps"
	"slices"
	"time"
)

// CommitOptions says what to commit. The zero value commits the pending proposals, and renews the own leaf and path.
type CommitOptions struct {
	// ByValue are proposals of the committer. Update is not allowed among them: the path renews the own leaf.
	ByValue []Proposal
	// Pending chooses among the pending proposals. Nil takes all that go together, and that verifier and policy accept: a Remove wins
	// over an Update of the same leaf, a later proposal over an earlier one, and the own Updates are left out. Of a member that has
	// proposed much that does not go together, some of what would go may be left out too. A choice is committed as it is, or refused.
	Pending func(*ReceivedProposal) bool
	// NoPath leaves the path out where RFC 9420, Section 12.4 allows it: when there are Adds and pre-shared keys only. The commit is
	// cheaper and heals nothing.
	NoPath bool
	// Leaf changes the own leaf on the way. It needs a path.
	Leaf LeafOptions
	// Now is when the key packages that are added must be valid. The zero time checks none: whoever has a clock gives it.
	Now time.Time
	// AuthenticatedData travels with the commit, readable by the delivery service, protected by the signature.
	AuthenticatedData []byte
	// Public sends the commit as a PublicMessage: signed, and readable by everyone.
	Public bool
	// NoTree leaves the ratchet tree out of the Welcome; the joiner then needs it in JoinOptions.
	NoTree bool
}

// Commit computes the commit of the proposals that opts names. It does not change g, and any number of candidates may exist
// at once: at most one of them can be merged. Save it, send its Message, and Merge it when it has won. Each private candidate
// takes a generation of the own ratchet, and the others skip MaxForward of these at most: after as many in one epoch
// there is a *GenerationError, and public ones go on.
func (g *Group) Commit(opts CommitOptions) (*StagedCommit, error) {
	if err := g.checkSigner(); err != nil {
		return nil, err
	}
	if g.reinit != nil {
		return nil, ErrReinitialized
	}
	list, err := g.selectProposals(opts)
	if err != nil {
		return nil, err
	}
	g.checkEach(list)
	b, err := g.prepare(opts, list)
	if err != nil && opts.Pending == nil && slices.ContainsFunc(list, byReference) {
		b, err = g.prepare(opts, g.acceptable(opts, list))
	}
	if err != nil {
		return nil, err
	}
	return b.stage()
}

// judge validates a list of proposals as far as that goes before there is a path.
func (g *Group) judge(opts CommitOptions, list []listedProposal) (*transition, error) {
	tr, err := g.apply(list, memberAt(g.own))
	if err != nil {
		return nil, err
	}
	for _, kp := range tr.packages {
		if !kp.LeafNode.Lifetime.valid(opts.Now) {
			return nil, invalid("7.3", "a key package is not within its lifetime")
		}
	}
	if tr.reinit != nil {
		if err := tr.reinit.checkSent(); err != nil {
			return nil, err
		}
	}
	tr.found, err = g.cfg.findPSKs(tr.psks, g.ownPSK)
	return tr, err
}

// prepare validates a list of proposals and asks for it, path included.
func (g *Group) prepare(opts CommitOptions, list []listedProposal) (*committing, error) {
	tr, err := g.judge(opts, list)
	if err != nil {
		return nil, err
	}
	b := &committing{g: g, opts: opts, tr: tr, signer: g.cfg.Signer}
	if tr.needsPath() || !opts.NoPath {
		if err := b.renewPath(); err != nil {
			return nil, err
		}
	} else if opts.Leaf.set() {
		return nil, invalid("12.4", "a change of the own leaf in a commit without a path")
	} else if own := g.tree.leaf(g.own); own.Source == LeafKeyPackage && own.Lifetime.empty() && len(tr.added) > 0 {
		return nil, invalid("7.2", "a leaf without a lifetime is shown to those who join")
	}
	if err := tr.finish(); err != nil {
		return nil, err
	}
	return b, g.authorize(tr, true)
}

func byReference(p listedProposal) bool { return p.ref != nil }

// A committing is a commit on its way to being staged.
type committing struct {
	unprintable
	g      *Group
	opts   CommitOptions
	tr     *transition
	signer crypto.Signer

	// leaf is the new one of the committer, begun beforehand where there is none yet.
	leaf    *LeafNode
	leafKey *privateKey
	steps   []pathStep
	path    *pathSecrets
}

// renewPath gives the committer fresh keys from its leaf to the root (RFC 9420, Section 7.5).
func (b *committing) renewPath() error {
	g, tree, own := b.g, b.tr.tree, b.g.own
	s := g.suite
	b.steps = tree.filteredPath(own)
	var err error
	if b.path, err = s.derivePath(random(s.nh), len(b.steps)); err != nil {
		return err
	}
	public, err := b.path.publicKeys(s)
	if err != nil {
		return err
	}
	parentHash := tree.mergePath(own, b.steps, public)
	if b.leaf == nil {
		if b.leaf, err = b.opts.Leaf.apply(tree.leaf(own)); err != nil {
			return err
		}
	}
	if b.opts.Leaf.Signer != nil {
		b.signer = b.opts.Leaf.Signer
	}
	b.leaf.Source, b.leaf.ParentHash = LeafCommit, parentHash
	if b.leafKey, err = b.leaf.renew(s, b.signer, g.context.groupID, own); err != nil {
		return err
	}
	if err := b.tr.setPath(b.leaf); err != nil {
		return err
	}
	b.tr.keys[own.node()] = b.leafKey
	for k, step := range b.steps {
		b.tr.keys[step.node] = b.path.keys[k]
	}
	return nil
}

// setPath puts the committer's leaf into the tree, after mergePath has set the nodes above it. Private keys that were
// held for these places are void.
func (tr *transition) setPath(leaf *LeafNode) error {
	maps.DeleteFunc(tr.keys, func(x nodeIndex, _ *privateKey) bool { return tr.committer.node().under(x) })
	tr.tree.set(tr.committer.node(), &node{leaf: leaf})
	if !tr.external() {
		tr.updated = append(tr.updated, tr.committer)
	}
	tr.changed = append(tr.changed, tr.committer.node())
	return tr.checkLeaf(leaf)
}

// stage signs the commit, derives the next epoch and makes the messages (RFC 9420, Section 12.4.1).
func (b *committing) stage() (*StagedCommit, error) {
	g, s := b.g, b.g.suite
	c := &commit{}
	for _, p := range b.tr.proposals {
		if p.ref != nil {
			c.proposals = append(c.proposals, proposalOrRef{ref: p.ref})
		} else {
			c.proposals = append(c.proposals, proposalOrRef{proposal: p.proposal})
		}
	}
	secret := s.noCommitSecret()
	if b.path != nil {
		provisional := b.tr.context(&g.context)
		nodes, err := b.tr.tree.sealPath(b.steps, b.path, b.tr.added, provisional.marshal())
		if err != nil {
			return nil, err
		}
		c.path, secret = &updatePath{b.leaf, nodes}, commitSecret{b.path.commit}
	}
	a := g.frame(ContentCommit, bytes.Clone(b.opts.AuthenticatedData), b.opts.Public)
	a.content.commit, a.content.sender = c, b.tr.by
	if err := a.sign(s, g.cfg.Signer, g.encoded); err != nil {
		return nil, err
	}
	next := g.advance(b.tr, a, secret, b.tr.found)
	a.confirmationTag = next.confirmationTag
	return b.messages(a, next)
}

// messages makes the messages for the group and for those who join it.
func (b *committing) messages(a *authenticatedContent, next *nextEpoch) (*StagedCommit, error) {
	staged := b.g.newStagedCommit(b.tr, a, next.epoch)
	staged.own, staged.signer = true, b.signer
	message, use, err := b.g.protect(a)
	if err != nil {
		return nil, err
	}
	staged.message = message
	if len(b.tr.added) > 0 {
		for _, kp := range b.tr.packages {
			staged.refs = append(staged.refs, kp.Ref())
		}
		if staged.welcome, err = next.welcome(b.tr, b.signer, b.steps, b.path, !b.opts.NoTree); err != nil {
			return nil, err
		}
	}
	if use != nil {
		staged.reserved = &use.generation
		b.g.reserve(use.generation)
	}
	return staged, nil
}

// selectProposals lists what opts asks to commit.
func (g *Group) selectProposals(opts CommitOptions) ([]listedProposal, error) {
	var list []listedProposal
	for _, p := range opts.ByValue {
		if err := checkGiven(p); err != nil {
			return nil, err
		}
		list = append(list, listedProposal{proposal: g.suite.filled(p), sender: memberAt(g.own)})
	}
	for _, p := range g.pending {
		if opts.Pending != nil && !opts.Pending(&p.ReceivedProposal) || opts.Pending == nil && p.ignored {
			continue
		}
		list = append(list, p.listed())
	}
	if opts.Pending == nil {
		list = g.compatible(list)
	}
	return list, nil
}

// compatible drops the proposals by reference that do not go together with the rest of the list (RFC 9420, Section 12.2
// says which to prefer), so that no member can keep the others from committing.
func (g *Group) compatible(list []listedProposal) []listedProposal {
	keep := make([]bool, len(list))
	removed := g.keepRemovals(list, keep)
	taken := make(map[string]bool)
	for _, own := range []bool{true, false} {
		for i := len(list) - 1; i >= 0; i-- {
			p := list[i]
			if _, removes := p.removes(); removes || (p.ref == nil) != own {
				continue
			}
			name := p.subject()
			update := p.proposal.Type() == ProposalUpdate
			keep[i] = own || !taken[name] && !(update && (p.sender.is(g.own) || removed[p.sender.leaf()]))
			taken[name] = taken[name] || keep[i]
		}
	}
	var out []listedProposal
	for i, p := range list {
		if keep[i] {
			out = append(out, p)
		}
	}
	return withoutReInit(out)
}

// keepRemovals keeps one removal of each leaf: the committer's, else the member's own, else the first. The committer's own
// leaf stays. It returns the leaves that go.
func (g *Group) keepRemovals(list []listedProposal, keep []bool) map[LeafIndex]bool {
	removed := make(map[LeafIndex]bool)
	for _, kind := range []func(listedProposal) bool{
		func(p listedProposal) bool { return p.ref == nil },
		func(p listedProposal) bool { return p.ref != nil && p.proposal.Type() == ProposalSelfRemove },
		func(p listedProposal) bool { return p.ref != nil && p.proposal.Type() == ProposalRemove },
	} {
		for i, p := range list {
			target, ok := p.removes()
			if !ok || !kind(p) {
				continue
			}
			keep[i] = p.ref == nil || target != g.own && !removed[target]
			removed[target] = true
		}
	}
	return removed
}

// removes gives the leaf that a proposal removes.
func (p *listedProposal) removes() (LeafIndex, bool) {
	switch v := p.proposal.(type) {
	case *Remove:
		return v.Removed, true
	case *SelfRemove:
		return p.sender.leaf(), true
	}
	return 0, false
}

// withoutReInit resolves that a ReInit stands alone: one of the committer's sends away the proposals of others, and one of
// others waits for an epoch without any (RFC 9420, Section 12.2).
func withoutReInit(list []listedProposal) []listedProposal {
	isReInit := func(p listedProposal) bool { return p.proposal.Type() == ProposalReInit }
	if len(list) < 2 || !slices.ContainsFunc(list, isReInit) {
		return list
	}
	if slices.ContainsFunc(list, func(p listedProposal) bool { return p.ref == nil && isReInit(p) }) {
		return slices.DeleteFunc(list, byReference)
	}
	others := slices.DeleteFunc(slices.Clone(list), isReInit)
	if len(others) == 0 {
		return list[len(list)-1:]
	}
	return others
}

// subject is exclusive, for Adds too: of two with one signature key, a list can hold one.
func (p *listedProposal) subject() string {
	if add, ok := p.proposal.(*Add); ok && add.KeyPackage != nil && add.KeyPackage.LeafNode != nil {
		return "add " + string(add.KeyPackage.LeafNode.SignatureKey)
	}
	if names := p.exclusive(sender{}); len(names) > 0 {
		return names[0]
	}
	return "ref " + string(p.ref)
}

// Merge takes the group into the epoch that the commit begins; c must have been made or received in the current one, or
// ErrStale is returned. Afterwards save Delta. It returns ErrRemoved, with g unchanged, when the commit removes this member.
func (g *Group) Merge(c *StagedCommit) error {
	if !c.base.is(g.epoch) {
		return ErrStale
	}
	if c.next == nil {
		return ErrRemoved
	}
	g.epoch = c.next.clone()
	if c.signer != nil {
		g.cfg.Signer = c.signer
	}
	return nil
}
