package mls

// authorize asks the application: the verifier about each new leaf, then the policy.
func (g *Group) authorize(tr *transition, sent bool) error {
	if tr.external() && !sent && !g.cfg.ExternalCommits {
		return refused("taking an external commit", errNobodyAdmits)
	}
	if err := g.verifyLeaves(tr); err != nil {
		return err
	}
	e := g.epoch
	committer := tr.sender(e)
	c := &CommitContext{
		Committer: committer, External: tr.external(), Sent: sent, Epoch: e.context.epoch,
		Proposals: e.describe(tr.proposals, committer),
		Before:    e.context.extensions, After: tr.extensions,
		treeBefore: e.tree, treeAfter: tr.tree,
	}
	if old, resync := tr.replaced(e.tree); resync {
		c.Replaced = &old
	}
	if err := g.cfg.Policy.Authorize(c); err != nil {
		return refused("authorizing a commit", err)
	}
	return nil
}

// sender is the committer: with the leaf that it had, or in an external commit with the one that it takes.
func (tr *transition) sender(e *epoch) Member {
	tree := e.tree
	if tr.external() {
		tree = tr.tree
	}
	m, _ := tree.member(tr.committer)
	return m
}

// verifyLeaves asks the verifier about those who come, and those who renew their leaf.
func (g *Group) verifyLeaves(tr *transition) error {
	for _, i := range tr.added {
		m, _ := tr.tree.member(i)
		if err := g.cfg.Verifier.VerifyMember(m); err != nil {
			return refused("verifying an added member", err)
		}
	}
	for _, i := range tr.updated {
		old, _ := g.tree.member(i)
		next, _ := tr.tree.member(i)
		if err := g.cfg.Verifier.VerifySuccession(old, next); err != nil {
			return refused("verifying an updated member", err)
		}
	}
	if tr.external() {
		return g.verifyJoiner(tr)
	}
	return nil
}

// verifyJoiner asks about who joins by its own commit: as itself, or as the one whose leaf it takes away (RFC 9420, Section
// 12.2).
func (g *Group) verifyJoiner(tr *transition) error {
	next, _ := tr.tree.member(tr.committer)
	old, resync := tr.replaced(g.tree)
	if !resync {
		if err := g.cfg.Verifier.VerifyMember(next); err != nil {
			return refused("verifying who joins", err)
		}
		return nil
	}
	if err := g.cfg.Verifier.VerifySuccession(old, next); err != nil {
		return refused("verifying who joins again", err)
	}
	return nil
}

// replaced gives the member whose leaf an external commit removes as the joiner's own.
func (tr *transition) replaced(before *ratchetTree) (Member, bool) {
	for _, p := range tr.proposals {
		if remove, ok := p.proposal.(*Remove); ok && tr.external() {
			return before.member(remove.Removed)
		}
	}
	return Member{}, false
}

// describe returns the proposals as the application sees them. joiner is who makes an external commit.
func (e *epoch) describe(list []listedProposal, joiner Member) []CommittedProposal {
	out := make([]CommittedProposal, len(list))
	for i, p := range list {
		out[i] = CommittedProposal{p.proposal, e.party(p.sender, p.proposal), p.sender.kind, p.ref != nil}
		if p.sender.kind == SenderNewMemberCommit {
			out[i].Sender = joiner
		}
	}
	return out
}
