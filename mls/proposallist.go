package mls

import (
	"bytes"
	"slices"
	"strconv"
)

// A listedProposal is a proposal in a commit.
type listedProposal struct {
	unprintable
	proposal Proposal
	sender   LeafIndex
	ref      []byte
	// leafKey is the private half of an own Update's leaf.
	leafKey *privateKey
}

// A transition is the group as a commit's proposals leave it, and then its path.
type transition struct {
	unprintable
	tree       *ratchetTree
	extensions Extensions
	committer  LeafIndex
	proposals  []listedProposal
	added      []LeafIndex
	packages   []*KeyPackage
	removed    []LeafIndex
	updated    []LeafIndex
	psks       []PreSharedKeyID
	// found are the keys of psks, for a commit that is made here.
	found []preSharedKey
	// keys are the private keys that this member still has.
	keys privateKeys
	// changed are the places of new nodes, whose keys must be new.
	changed []nodeIndex
}

// apply validates a list of proposals (RFC 9420, Section 12.2) and applies it in the order of Section 12.3. What only
// holds after the path is merged is checked by finish.
func (e *epoch) apply(list []listedProposal, committer LeafIndex) (*transition, error) {
	if err := e.checkList(list, committer); err != nil {
		return nil, err
	}
	tr := &transition{tree: e.tree.clone(), extensions: e.context.extensions, committer: committer, proposals: list}
	var ownLeafKey *privateKey
	for _, kind := range []ProposalType{ProposalGroupContextExtensions, ProposalUpdate, ProposalRemove, ProposalAdd, ProposalPreSharedKey} {
		for _, p := range list {
			if p.proposal.Type() == kind {
				tr.applyOne(p)
			}
			if p.leafKey != nil {
				ownLeafKey = p.leafKey
			}
		}
	}
	tr.keys = e.keys.stillIn(tr.tree, e.tree)
	if ownLeafKey != nil {
		tr.keys[e.own.node()] = ownLeafKey
	}
	return tr, tr.checkLeaves(!tr.extensions.Equal(e.context.extensions))
}

func (tr *transition) applyOne(p listedProposal) {
	switch v := p.proposal.(type) {
	case *GroupContextExtensions:
		tr.extensions = v.Extensions
	case *Update:
		tr.tree.update(p.sender, v.LeafNode)
		tr.updated = append(tr.updated, p.sender)
		tr.changed = append(tr.changed, p.sender.node())
	case *Remove:
		tr.tree.remove(v.Removed)
		tr.removed = append(tr.removed, v.Removed)
	case *Add:
		i := tr.tree.add(v.KeyPackage.LeafNode)
		tr.added, tr.packages = append(tr.added, i), append(tr.packages, v.KeyPackage)
		tr.changed = append(tr.changed, i.node())
	case *PreSharedKey:
		tr.psks = append(tr.psks, v.PSK)
	}
}

// checkLeaves holds the new leaves against the extensions of the new epoch, and all leaves if these changed
// (RFC 9420, Section 12.3).
func (tr *transition) checkLeaves(contextChanged bool) error {
	if contextChanged {
		return tr.tree.checkContext(tr.extensions)
	}
	for _, x := range tr.changed {
		if err := tr.checkLeaf(tr.tree.at(x).leaf); err != nil {
			return err
		}
	}
	return nil
}

func (tr *transition) checkLeaf(leaf *LeafNode) error {
	required, err := tr.extensions.requiredCapabilities()
	if err != nil {
		return err
	}
	return leaf.check(tr.tree.suite, required, tr.extensions)
}

// finish checks what concerns the tree as a whole.
func (tr *transition) finish() error {
	return tr.tree.count()
}

// context is the GroupContext of the next epoch, with the confirmed transcript hash of this one: the provisional context of RFC
// 9420, Section 12.4.1.
func (tr *transition) context(old *groupContext) groupContext {
	return groupContext{
		suite:                   old.suite,
		groupID:                 old.groupID,
		epoch:                   old.epoch + 1,
		treeHash:                tr.tree.rootHash(),
		confirmedTranscriptHash: old.confirmedTranscriptHash,
		extensions:              tr.extensions,
	}
}

// needsPath tells whether the commit must have a path (RFC 9420, Section 12.4).
func (tr *transition) needsPath() bool {
	return len(tr.proposals) == 0 || slices.ContainsFunc(tr.proposals, func(p listedProposal) bool {
		return p.proposal.Type().needsPath()
	})
}

// checkList holds the list against RFC 9420, Section 12.2.
func (e *epoch) checkList(list []listedProposal, committer LeafIndex) error {
	if len(list) > maxLeaves-int(e.tree.size()) {
		return invalid("", "a group that is too large")
	}
	seen := make(map[string]bool)
	for _, p := range list {
		if err := e.checkProposal(p.proposal, p.sender); err != nil {
			return err
		}
		if update, ok := p.proposal.(*Update); ok && update != nil && p.sender == committer {
			return invalid("12.2", "a commit contains the committer's own update")
		}
		if remove, ok := p.proposal.(*Remove); ok && remove.Removed == committer {
			return invalid("12.2", "a commit removes its committer")
		}
		name := p.exclusive()
		if name != "" && seen[name] {
			return invalid("12.2", "two proposals of which a list can hold one")
		}
		seen[name] = true
	}
	return nil
}

// exclusive names what a list can hold only one proposal about, and is empty for others. Whether two Adds are of the same client
// is seen in the tree.
func (p *listedProposal) exclusive() string {
	switch v := p.proposal.(type) {
	case *Update:
		return "leaf " + strconv.Itoa(int(p.sender))
	case *Remove:
		return "leaf " + strconv.Itoa(int(v.Removed))
	case *GroupContextExtensions:
		return "context"
	case *PreSharedKey:
		var w writer
		v.PSK.encode(&w)
		return "psk " + string(w.b)
	}
	return ""
}

// checkProposal holds one proposal against the part of RFC 9420, Section 12.1 that concerns it alone.
func (e *epoch) checkProposal(p Proposal, sender LeafIndex) error {
	switch v := p.(type) {
	case *Add:
		if v.KeyPackage == nil || v.KeyPackage.LeafNode == nil {
			return invalid("12.1.1", "an add without a key package")
		}
		return v.KeyPackage.check(e.suite)
	case *Update:
		return e.checkUpdate(v, sender)
	case *Remove:
		if e.tree.leaf(v.Removed) == nil {
			return invalid("12.1.3", "a remove of a leaf that is not a member's")
		}
		return nil
	case *PreSharedKey:
		return v.PSK.check(e.suite)
	case *GroupContextExtensions:
		if v.Extensions.repeats() {
			return invalid("13.4", "an extension type occurs twice")
		}
		return nil
	case *ExternalInit:
		return invalid("12.2", "an external init outside of an external commit")
	}
	return ErrUnsupported
}

// checkUpdate verifies the leaf of an Update (RFC 9420, Section 12.1.2).
func (e *epoch) checkUpdate(u *Update, sender LeafIndex) error {
	old := e.tree.leaf(sender)
	switch {
	case u.LeafNode == nil || u.LeafNode.Source != LeafUpdate:
		return invalid("7.3", "an update's leaf does not come from an update")
	case bytes.Equal(u.LeafNode.EncryptionKey, old.EncryptionKey):
		return invalid("7.3", "an update keeps the encryption key")
	}
	if err := e.suite.checkUsable(u.LeafNode.EncryptionKey); err != nil {
		return err
	}
	return u.LeafNode.verify(e.suite, e.context.groupID, sender)
}

// authorize asks the application: the verifier about each new leaf, then the policy.
func (g *Group) authorize(tr *transition, sent bool) error {
	e := g.epoch
	for _, i := range tr.added {
		m, _ := tr.tree.member(i)
		if err := g.cfg.Verifier.VerifyMember(m); err != nil {
			return refused("verifying an added member", err)
		}
	}
	for _, i := range tr.updated {
		old, _ := e.tree.member(i)
		next, _ := tr.tree.member(i)
		if err := g.cfg.Verifier.VerifySuccession(old, next); err != nil {
			return refused("verifying an updated member", err)
		}
	}
	committer, _ := e.tree.member(tr.committer)
	c := &CommitContext{
		Committer: committer, Sent: sent, Epoch: e.context.epoch,
		Proposals: e.describe(tr.proposals),
		Before:    e.context.extensions, After: tr.extensions,
		treeBefore: e.tree, treeAfter: tr.tree,
	}
	if err := g.cfg.Policy.Authorize(c); err != nil {
		return refused("authorizing a commit", err)
	}
	return nil
}

// describe returns the proposals as the application sees them.
func (e *epoch) describe(list []listedProposal) []CommittedProposal {
	out := make([]CommittedProposal, len(list))
	for i, p := range list {
		m, _ := e.tree.member(p.sender)
		out[i] = CommittedProposal{p.proposal, m, p.ref != nil}
	}
	return out
}
