package mls

import (
	"bytes"
	"crypto/subtle"
	"slices"
)

// receiveCommit validates another member's commit and derives the epoch that it begins (RFC 9420, Section 12.4.2).
func (g *Group) receiveCommit(a *authenticatedContent) (*StagedCommit, error) {
	list, err := g.resolve(a.content.commit.proposals, a.content.sender)
	if err != nil {
		return nil, err
	}
	staged, err := g.stageReceived(a, list)
	if by := a.content.sender; err != nil && by.kind == SenderMember {
		m, _ := g.tree.member(LeafIndex(by.index))
		err = &CommitError{m, err}
	}
	return staged, err
}

// stageReceived is receiveCommit for a commit of which all proposals are here.
func (g *Group) stageReceived(a *authenticatedContent, list []listedProposal) (*StagedCommit, error) {
	by := a.content.sender
	tr, err := g.apply(list, by)
	if err != nil {
		return nil, err
	}
	path := a.content.commit.path
	var steps []pathStep
	if path != nil {
		if steps, err = g.mergeReceived(tr, path); err != nil {
			return nil, err
		}
	} else if tr.needsPath() {
		return nil, invalid("12.4", "a commit without the path that it needs")
	}
	if err := tr.finish(); err != nil {
		return nil, err
	}
	if err := g.authorize(tr, false); err != nil {
		return nil, err
	}
	if tr.tree.leaf(g.own) == nil || tr.removes(g.own) {
		return g.newStagedCommit(tr, a, nil), nil
	}
	return g.follow(tr, a, path, steps)
}

// resolve looks up the proposals that a commit names by reference.
func (g *Group) resolve(list []proposalOrRef, by sender) ([]listedProposal, error) {
	out := make([]listedProposal, 0, len(list))
	for _, p := range list {
		if p.proposal != nil {
			out = append(out, listedProposal{proposal: p.proposal, sender: by})
			continue
		}
		known := g.findPending(p.ref)
		if known == nil {
			return nil, invalid("12.4.2", "a commit refers to a proposal that is not here")
		}
		out = append(out, known.listed())
	}
	return out, nil
}

// removes tells whether the member that was at leaf i is removed; another may have been added in its place.
func (tr *transition) removes(i LeafIndex) bool {
	for _, r := range tr.removed {
		if r == i {
			return true
		}
	}
	return false
}

// mergeReceived validates the path of another member's commit and merges it into the tree.
func (g *Group) mergeReceived(tr *transition, path *updatePath) ([]pathStep, error) {
	tree, committer := tr.tree, tr.committer
	steps := tree.filteredPath(committer)
	if err := tree.checkPathShape(steps, path.nodes, tr.added); err != nil {
		return nil, err
	}
	if path.leaf.Source != LeafCommit {
		return nil, invalid("7.3", "a path's leaf does not come from a commit")
	}
	if err := g.suite.checkUsable(path.leaf.EncryptionKey); err != nil {
		return nil, err
	}
	if err := tree.checkFresh(committer, path); err != nil {
		return nil, err
	}
	if err := g.checkReplaced(tr, path.leaf); err != nil {
		return nil, err
	}
	keys := path.keys()
	for i, key := range keys {
		keys[i] = bytes.Clone(key) // as in LeafNode.detached
	}
	parentHash := tree.mergePath(committer, steps, keys)
	if !bytes.Equal(parentHash, path.leaf.ParentHash) {
		return nil, invalid("7.9.2", "a path's leaf has the wrong parent hash")
	}
	if err := path.leaf.verify(g.suite, g.context.groupID, committer); err != nil {
		return nil, err
	}
	return steps, tr.setPath(path.leaf.detached())
}

// checkReplaced holds the leaf of who joins again against the one that it leaves, as an Update's (RFC 9420, Section 12.2).
func (g *Group) checkReplaced(tr *transition, leaf *LeafNode) error {
	old, resync := tr.replaced(g.tree)
	if resync && bytes.Equal(g.tree.leaf(old.Index).EncryptionKey, leaf.EncryptionKey) {
		return invalid("7.3", "an update keeps the encryption key")
	}
	return nil
}

// checkFresh verifies that a path's keys are none of those that it replaces. Against all others, finish holds them.
func (t *ratchetTree) checkFresh(committer LeafIndex, path *updatePath) error {
	var old [][]byte
	for _, x := range append(directPath(committer.node(), t.size()), committer.node()) {
		if n := t.at(x); n != nil {
			old = append(old, n.encryptionKey())
		}
	}
	for _, key := range append(path.keys(), path.leaf.EncryptionKey) {
		if slices.ContainsFunc(old, func(k []byte) bool { return bytes.Equal(k, key) }) {
			return invalid("12.4.2", "a path keeps an encryption key")
		}
	}
	return nil
}

// follow opens the path and derives the next epoch.
func (g *Group) follow(tr *transition, a *authenticatedContent, path *updatePath, steps []pathStep) (*StagedCommit, error) {
	secret := g.suite.noCommitSecret()
	if path != nil {
		provisional := tr.context(&g.context)
		opened, err := tr.tree.openPath(g.own, tr.keys, steps, path.nodes, tr.added, provisional.marshal())
		if err != nil {
			return nil, err
		}
		secret = commitSecret{opened}
	}
	psks, err := g.cfg.findPSKs(tr.psks, g.ownPSK)
	if err != nil {
		return nil, err
	}
	if tr.external() {
		if tr.init, err = g.suite.receiveExternalInit(g.secrets.external, tr.kemOutput); err != nil {
			return nil, err
		}
	}
	next := g.advance(tr, a, secret, psks)
	if subtle.ConstantTimeCompare(next.confirmationTag, a.confirmationTag) != 1 {
		return nil, ErrVerify
	}
	return g.newStagedCommit(tr, a, next.epoch), nil
}
