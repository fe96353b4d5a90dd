package mls

import (
	"bytes"
	"crypto"
)

// A StagedCommit is a commit that follows the rules, was verified and authorized, and waits for Merge: the next epoch,
// computed. One made here also has the messages to send.
type StagedCommit struct {
	unprintable
	base     epochName
	baseTree *ratchetTree
	// next is nil when the commit removes this member.
	next *epoch
	own  bool
	// signer is the one of the next epoch; nil for a received or loaded commit, which does not change it.
	signer crypto.Signer

	message, welcome []byte
	refs             []KeyPackageRef
	// reserved is the generation that an own private message is sealed under.
	reserved *uint32

	by                sender
	committer         LeafIndex
	authenticatedData []byte
	proposals         []listedProposal
	extensions        Extensions
	added             []placedLeaf
	removed           []placedLeaf
	updated           []placedLeaf
	// described and sender speak of members of the base epoch.
	described []CommittedProposal
	sender    Member
}

// A placedLeaf is a leaf with its place.
type placedLeaf struct {
	index LeafIndex
	leaf  *LeafNode
}

// An epochName tells apart all states that a group ever had, forks included.
type epochName struct {
	groupID []byte
	epoch   uint64
	interim []byte
}

func (e *epoch) name() epochName { return epochName{e.context.groupID, e.context.epoch, e.interim} }

func (n epochName) is(e *epoch) bool {
	return n.epoch == e.context.epoch && bytes.Equal(n.groupID, e.context.groupID) && bytes.Equal(n.interim, e.interim)
}

// newStagedCommit describes the transition that a commit makes.
func (g *Group) newStagedCommit(tr *transition, a *authenticatedContent, next *epoch) *StagedCommit {
	c := &StagedCommit{
		base:              g.name(),
		baseTree:          g.tree,
		next:              next,
		by:                tr.by,
		committer:         tr.committer,
		authenticatedData: a.content.authenticatedData,
		proposals:         tr.proposals,
		extensions:        tr.extensions,
	}
	added := tr.added
	if tr.external() {
		added = []LeafIndex{tr.committer}
	}
	for _, i := range added {
		c.added = append(c.added, placedLeaf{i, tr.tree.leaf(i)})
	}
	for _, i := range tr.removed {
		c.removed = append(c.removed, placedLeaf{i, g.tree.leaf(i)})
	}
	for _, i := range tr.updated {
		c.updated = append(c.updated, placedLeaf{i, tr.tree.leaf(i)})
	}
	c.describeIn(g)
	return c
}

// describeIn fills in what the application sees of members of the base epoch, and of who joins by the commit.
func (c *StagedCommit) describeIn(g *Group) {
	if c.by.kind == SenderNewMemberCommit {
		if len(c.added) > 0 {
			c.sender = c.added[0].leaf.member(c.added[0].index)
		}
	} else {
		c.sender, _ = g.tree.member(c.committer)
	}
	c.described = g.describe(c.proposals, c.sender)
}

// Message is the commit to send to the group; nil for a received one.
func (c *StagedCommit) Message() []byte { return c.message }

// Welcome is the message for the members that were added; nil if there are none, or the commit was received.
func (c *StagedCommit) Welcome() []byte { return c.welcome }

// WelcomeRefs returns the key packages that the Welcome is for, in the order of Added.
func (c *StagedCommit) WelcomeRefs() []KeyPackageRef { return c.refs }

// RatchetTree is the public tree of the epoch that the commit begins, for a Welcome made with NoTree; nil when the commit removes
// this member.
func (c *StagedCommit) RatchetTree() []byte {
	if c.next == nil {
		return nil
	}
	return c.next.tree.marshal()
}

// GroupInfo returns the signed description of the epoch that the commit begins, tree included, as an MLSMessage. Only
// for a commit that was made here, and not for one that was loaded: merge that and ask the group.
func (c *StagedCommit) GroupInfo() ([]byte, error) {
	if c.next == nil || c.signer == nil {
		return nil, ErrSigner
	}
	return c.next.publicInfo(c.signer, GroupInfoOptions{})
}

// Epoch is the epoch that the commit begins.
func (c *StagedCommit) Epoch() uint64 { return c.base.epoch + 1 }

// Sender is the committer, with the leaf that it had before; of an external commit with the one that it takes.
func (c *StagedCommit) Sender() Member { return c.sender }

// Own says that the commit was made here.
func (c *StagedCommit) Own() bool { return c.own }

// External says that the committer joins by the commit, for the first time or again.
func (c *StagedCommit) External() bool { return c.by.kind == SenderNewMemberCommit }

// ReInit is the group that is to come after this one, which ends with the commit; nil if it goes on.
func (c *StagedCommit) ReInit() *ReInit {
	if c.next == nil {
		return nil
	}
	return c.next.reinit
}

// AuthenticatedData is what travelled with the commit.
func (c *StagedCommit) AuthenticatedData() []byte { return c.authenticatedData }

// Proposals are what the commit commits, in its order.
func (c *StagedCommit) Proposals() []CommittedProposal { return c.described }

// Extensions are the GroupContext extensions of the epoch that the commit begins.
func (c *StagedCommit) Extensions() Extensions { return c.extensions }

// Added are the members that the commit adds, with their leaves.
func (c *StagedCommit) Added() []Member { return membersOf(c.added) }

// Removed are the members that the commit removes, as they were.
func (c *StagedCommit) Removed() []Member { return membersOf(c.removed) }

// Updated are the members whose leaf the commit replaces, as they will be; the committer is the last of them if the commit
// has a path.
func (c *StagedCommit) Updated() []Member { return membersOf(c.updated) }

func membersOf(leaves []placedLeaf) []Member {
	out := make([]Member, len(leaves))
	for i, p := range leaves {
		out[i] = p.leaf.member(p.index)
	}
	return out
}

// RemovesSelf says that this member is among Removed. Such a commit cannot be merged: the group is over for us.
func (c *StagedCommit) RemovesSelf() bool { return c.next == nil }

// EpochAuthenticator is that of the epoch that the commit begins; nil when it removes this member.
func (c *StagedCommit) EpochAuthenticator() []byte {
	if c.next == nil {
		return nil
	}
	return bytes.Clone(c.next.secrets.authenticator)
}

// Save returns the candidate in a form that LoadStagedCommit reads. It holds the secrets of the next epoch: keep it sealed, and
// delete it when it was merged or has lost. Of the tree it holds what the commit changes.
func (c *StagedCommit) Save() Secret {
	var w writer
	w.uint8(stateVersion)
	w.opaque(c.base.groupID)
	w.uint64(c.base.epoch)
	w.opaque(c.base.interim)
	w.present(c.own)
	w.present(c.reserved != nil)
	if c.reserved != nil {
		w.uint32(*c.reserved)
	}
	w.opaque(c.message)
	w.opaque(c.welcome)
	start := w.open()
	for _, ref := range c.refs {
		w.text(string(ref))
	}
	w.close(start)
	c.encodeDescription(&w)
	w.present(c.next != nil)
	if c.next != nil {
		c.next.encodeHeader(&w)
		c.next.encodeKeys(&w)
		w.opaque(c.next.ratchets.nodes[c.next.tree.root()])
		c.next.tree.encodeChanges(&w, c.baseTree)
	}
	return w.b
}

// encodeDescription writes what the application sees of the commit.
func (c *StagedCommit) encodeDescription(w *writer) {
	w.uint32(sender{c.by.kind, uint32(c.committer)}.packed())
	w.opaque(c.authenticatedData)
	c.extensions.encode(w)
	start := w.open()
	for _, p := range c.proposals {
		w.uint32(p.sender.packed())
		w.opaque(p.ref)
		encodeProposal(w, p.proposal)
	}
	w.close(start)
	for _, list := range [][]placedLeaf{c.added, c.removed, c.updated} {
		start := w.open()
		for _, p := range list {
			w.uint32(uint32(p.index))
			p.leaf.encode(w)
		}
		w.close(start)
	}
}

func (c *StagedCommit) decodeDescription(r *reader) {
	committer := unpackSender(r.uint32())
	c.by, c.committer = sender{kind: committer.kind}, LeafIndex(committer.index)
	if c.by.kind == SenderMember {
		c.by = committer
	}
	c.authenticatedData = r.opaque()
	c.extensions = decodeExtensions(r)
	r.each(func(r *reader) {
		p := listedProposal{sender: unpackSender(r.uint32()), ref: r.opaque()}
		if len(p.ref) == 0 {
			p.ref = nil
		}
		p.proposal = decodeProposal(r)
		if r.err == nil && p.sender.mayPropose(p.proposal) != nil {
			r.fail("a saved proposal that nobody makes")
		}
		c.proposals = append(c.proposals, p)
	})
	for _, list := range []*[]placedLeaf{&c.added, &c.removed, &c.updated} {
		r.each(func(r *reader) {
			*list = append(*list, placedLeaf{LeafIndex(r.uint32()), decodeLeafNode(r)})
		})
	}
}

// LoadStagedCommit reads what Save wrote. After a restart load all candidates that may have been sent before proposing anything,
// so that no proposal takes the key that a candidate is sealed under. g must be in the epoch in which the commit was made, or ErrStale is returned.
func LoadStagedCommit(g *Group, b []byte) (*StagedCommit, error) {
	r := reader{b: bytes.Clone(b)}
	readVersion(&r)
	c := &StagedCommit{base: epochName{r.opaque(), r.uint64(), r.opaque()}, baseTree: g.tree}
	if r.err == nil && !c.base.is(g.epoch) {
		return nil, ErrStale
	}
	c.own = r.present()
	if r.present() {
		generation := r.uint32()
		c.reserved = &generation
	}
	c.message, c.welcome = r.optionalOpaque(), r.optionalOpaque()
	r.each(func(r *reader) { c.refs = append(c.refs, KeyPackageRef(r.opaque())) })
	c.decodeDescription(&r)
	if r.present() {
		c.next = decodeNextEpoch(&r, g.epoch)
	}
	if c.next != nil {
		for _, p := range c.proposals {
			if reinit, ok := p.proposal.(*ReInit); ok {
				c.next.reinit = reinit
			}
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	c.describeIn(g)
	if c.reserved != nil {
		g.reserve(*c.reserved)
	}
	return c, nil
}

// optionalOpaque is opaque for what is nil when it is empty.
func (r *reader) optionalOpaque() []byte {
	if b := r.opaque(); len(b) > 0 {
		return b
	}
	return nil
}

// decodeNextEpoch reads the epoch of a candidate whose tree was saved as changes to base's.
func decodeNextEpoch(r *reader, base *epoch) *epoch {
	e := decodeHeader(r)
	if e == nil {
		return nil
	}
	e.decodeKeys(r)
	encryption := Secret(r.opaque())
	e.tree = decodeChanges(r, base.tree)
	if r.err != nil {
		return nil
	}
	if len(encryption) != e.suite.nh || e.suite != base.suite {
		r.fail("a saved epoch that is none")
		return nil
	}
	e.ratchets = newSecretTree(e.suite, e.tree.size(), encryption)
	if err := e.complete(); err != nil {
		r.fail("a saved epoch that is none")
	}
	return e
}
