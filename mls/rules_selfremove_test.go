package mls

import "testing"

// TestSelfRemoveRules has a member break the rules for leaving of draft-ietf-mls-extensions.
func TestSelfRemoveRules(t *testing.T) {
	members := groupOf(t, 4)
	evil, good := members[0], members[1]
	const another, exclusive = "a self-remove that another member does not commit by reference", "two proposals of which a list can hold one"
	for _, row := range []struct {
		name, rule string
		list       func(good *Group) []listedProposal
	}{
		{"of another", "", func(good *Group) []listedProposal { return []listedProposal{heard(t, good, members[2], &SelfRemove{})} }},
		{"of the committer", another, func(good *Group) []listedProposal { return []listedProposal{heard(t, good, evil, &SelfRemove{})} }},
		{"by value", another, func(*Group) []listedProposal { return committed(evil, &SelfRemove{}) }},
		{"with a removal", exclusive, func(good *Group) []listedProposal {
			return append(committed(evil, &Remove{2}), heard(t, good, members[2], &SelfRemove{}))
		}},
		{"with an update", exclusive, func(good *Group) []listedProposal {
			return []listedProposal{heard(t, good, members[2], ownUpdate(t, members[2])), heard(t, good, members[2], &SelfRemove{})}
		}},
	} {
		receiver := good.Clone()
		list := row.list(receiver)
		c := &commit{}
		for _, p := range list {
			c.proposals = append(c.proposals, proposalOrRef{proposal: p.proposal})
			if p.ref != nil {
				c.proposals[len(c.proposals)-1] = proposalOrRef{ref: p.ref}
			}
		}
		if row.rule != "" {
			refuses(t, row.name, receiver, forge(t, evil, c), row.rule, nil)
			continue
		}
		accepts(t, receiver, careless{t: t, g: evil.Clone(), list: list}.commit())
		refuses(t, "without a path", receiver, forge(t, evil, c), "a commit without the path that it needs", nil)
	}
	a := evil.frame(ContentProposal, nil, false)
	a.content.proposal = &SelfRemove{}
	if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
		t.Fatal(err)
	}
	message, _, err := evil.protect(a)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, "a private leaving", good, message, "a self-remove that those outside cannot read", nil)
}

// TestUnsupportedProposals checks that what only some members support is committed by nobody (RFC 9420, Section 12.2).
func TestUnsupportedProposals(t *testing.T) {
	members := ruledGroup(t, 3)
	cfg, kp, private := ruledParty(t, func(l *LeafNode) { l.Capabilities.Proposals = []ProposalType{ruledProposal} }, nil)
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, members, c)
	members = append(members, enter(t, cfg, c, private))
	const unknown = "a proposal of a type that a member does not support"
	good := members[1]
	known, unsupported := &CustomProposal{ruledProposal, []byte("x")}, &CustomProposal{ruledProposal + 1, []byte("x")}
	accepts(t, good.Clone(), careless{t: t, g: members[0].Clone(), list: committed(members[0], known)}.commit())
	refuses(t, "a type that nobody supports", good, forge(t, members[0], byValue(unsupported)), unknown, nil)
	if _, err := members[2].ProposeSelfRemove(); err == nil {
		t.Error("proposed to leave where not all can follow")
	}
	receiver := good.Clone()
	ref := heard(t, receiver, members[2], &SelfRemove{}).ref
	refuses(t, "a self-remove that one does not support", receiver, forge(t, members[0], &commit{proposals: []proposalOrRef{{ref: ref}}}), unknown, nil)
	// Unless the one goes by the same commit.
	receiver = good.Clone()
	list := append(committed(members[0], &Remove{3}), heard(t, receiver, members[2], &SelfRemove{}))
	accepts(t, receiver, careless{t: t, g: members[0].Clone(), list: list}.commit())
	err = good.checkProposal(&CustomProposal{0x0F00, nil}, memberAt(0))
	isBroken(t, "a number of the registry", err, "a proposal of the application outside of the range for private use", nil)
	isBroken(t, "an update by nobody", good.checkUpdate(&Update{good.tree.leaf(0)}, 7), "an update by somebody who is no member", nil)
}
