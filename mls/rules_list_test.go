package mls

import (
	"bytes"
	"testing"
)

// heard makes a proposal by reference: it is sent by its member, and heard by who is to receive the commit.
func heard(t *testing.T, receiver *Group, by *Group, p Proposal) listedProposal {
	t.Helper()
	a := by.frame(ContentProposal, nil, true)
	a.content.proposal = p
	if err := a.sign(by.suite, by.cfg.Signer, by.encoded); err != nil {
		t.Fatal(err)
	}
	message, _, err := by.protect(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receiver.Process(message); err != nil {
		t.Fatal(err)
	}
	return listedProposal{proposal: p, sender: memberAt(by.own), ref: refOf(by.suite, a)}
}

// TestListRules commits lists each part of which is good, and of which Section 12.2 says that they do not go together. The commits are
// sound in all else: a path, keys, tags and signatures.
func TestListRules(t *testing.T) {
	members := groupOf(t, 5)
	evil := members[0]
	_, eve, _ := party(t, "eve")
	again := func(g *Group, i LeafIndex) *Add {
		// The client at leaf i once more, with new encryption keys.
		signer := members[i].cfg.Signer
		kp, _, err := NewKeyPackage(KeyPackageOptions{Suite: 1, Credential: BasicCredential([]byte("again")), Signer: signer, Lifetime: always})
		if err != nil {
			t.Fatal(err)
		}
		return &Add{kp}
	}
	psk := PreSharedKeyID{Type: PSKResumption, Usage: UsageApplication, GroupID: evil.GroupID(), Epoch: evil.Epoch(), Nonce: random(32)}
	other := psk
	other.Nonce = random(32)
	required := RequiredCapabilities{Proposals: []ProposalType{ruledProposal}}
	for _, row := range []struct {
		name, rule string
		// bare says that the commit cannot be had whole: it has no path and no tag, and is refused before they are missed.
		bare bool
		list func(good *Group) []listedProposal
	}{
		{"nothing", "", false, func(*Group) []listedProposal { return nil }},
		{"an update and a removal of one leaf", "two proposals of which a list can hold one", false, func(good *Group) []listedProposal {
			return append(committed(evil, &Remove{2}), heard(t, good, members[2], ownUpdate(t, members[2])))
		}},
		{"two updates of one leaf", "two proposals of which a list can hold one", false, func(good *Group) []listedProposal {
			return []listedProposal{heard(t, good, members[2], ownUpdate(t, members[2])), heard(t, good, members[2], ownUpdate(t, members[2]))}
		}},
		{"two removals of one leaf", "two proposals of which a list can hold one", false, func(good *Group) []listedProposal {
			return append(committed(evil, &Remove{2}), heard(t, good, members[3], &Remove{2}))
		}},
		{"two contexts", "two proposals of which a list can hold one", false, func(good *Group) []listedProposal {
			return append(committed(evil, &GroupContextExtensions{}), heard(t, good, members[3], &GroupContextExtensions{}))
		}},
		{"a pre-shared key twice", "two proposals of which a list can hold one", false, func(good *Group) []listedProposal {
			return append(committed(evil, &PreSharedKey{psk}), heard(t, good, members[3], &PreSharedKey{psk}))
		}},
		{"a pre-shared key with two nonces", "", false, func(good *Group) []listedProposal {
			return append(committed(evil, &PreSharedKey{psk}), heard(t, good, members[3], &PreSharedKey{other}))
		}},
		{"one proposal by reference twice", "two proposals of which a list can hold one", false, func(good *Group) []listedProposal {
			p := heard(t, good, members[3], &Add{eve})
			return []listedProposal{p, p}
		}},
		{"the committer's update by reference", "a commit contains the committer's own update", false, func(good *Group) []listedProposal {
			return []listedProposal{heard(t, good, evil, ownUpdate(t, evil))}
		}},
		{"the committer's removal by reference", "a commit removes its committer", true, func(good *Group) []listedProposal {
			return []listedProposal{heard(t, good, members[3], &Remove{0})}
		}},
		{"a client twice", "two nodes have the same encryption key", false, func(*Group) []listedProposal {
			return committed(evil, &Add{eve}, &Add{eve})
		}},
		{"a client that is there", "two members have the same signature key", false, func(good *Group) []listedProposal {
			return committed(evil, again(good, 2))
		}},
		{"a client that is there, and its removal", "", false, func(good *Group) []listedProposal {
			return committed(evil, again(good, 2), &Remove{2})
		}},
		{"a new context that an add does not meet", "a leaf lacks required capabilities", true, func(*Group) []listedProposal {
			return committed(evil, &Add{eve}, &GroupContextExtensions{Extensions{{ExtensionRequiredCapabilities, required.Marshal()}}})
		}},
		{"an extension that a member does not support", "a leaf does not support one of the group's extensions", true, func(*Group) []listedProposal {
			return committed(evil, &GroupContextExtensions{Extensions{{0xF00F, nil}}})
		}},
		{"required capabilities that are cut", "", true, func(*Group) []listedProposal {
			return committed(evil, &GroupContextExtensions{Extensions{{ExtensionRequiredCapabilities, []byte{1}}}})
		}},
	} {
		good := members[1].Clone()
		list := row.list(good)
		if row.bare {
			c := &commit{}
			for _, p := range list {
				c.proposals = append(c.proposals, proposalOrRef{proposal: p.proposal})
				if p.ref != nil {
					c.proposals[len(c.proposals)-1] = proposalOrRef{ref: p.ref}
				}
			}
			refuses(t, row.name, good, forge(t, evil, c), row.rule, ErrMalformed)
			continue
		}
		c := careless{t: t, g: evil.Clone(), list: list}.commit()
		if row.rule == "" {
			accepts(t, good, c)
			continue
		}
		refuses(t, row.name, good, c.Message(), row.rule, nil)
	}
}

// TestProposalAlone has a member propose what only stands by value in the commit of somebody who joins: it is refused when it comes,
// and not only when somebody commits it.
func TestProposalAlone(t *testing.T) {
	members := groupOf(t, 2)
	evil, good := members[0], members[1]
	const rule = "an external init outside of an external commit"
	for _, public := range []bool{true, false} {
		a := evil.frame(ContentProposal, nil, public)
		a.content.proposal = &ExternalInit{random(32)}
		if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
			t.Fatal(err)
		}
		message, _, err := evil.protect(a)
		if err != nil {
			t.Fatal(err)
		}
		breaks(t, good, message, rule)
	}
	_, err := evil.propose(&ExternalInit{random(32)}, nil)
	isBroken(t, "sent", err, rule, nil)
}

// TestListOrder writes a list in the wrong order: it takes effect in the order of Section 12.3, so that who is added finds the places free
// that others leave, and must meet the context that the commit sets.
func TestListOrder(t *testing.T) {
	members := ruledGroup(t, 4)
	evil, good := members[0], members[1]
	_, first, _ := party(t, "first") // without what the group requires
	cfg, second, private := ruledParty(t, nil, nil)
	c, err := evil.Commit(CommitOptions{Public: true, ByValue: []Proposal{
		&Add{first}, &Add{second}, &Remove{3}, &Remove{2}, &GroupContextExtensions{},
	}})
	if err != nil {
		t.Fatal(err)
	}
	accepts(t, good, c)
	added := c.Added()
	if len(added) != 2 || added[0].Index != 2 || added[1].Index != 3 || !bytes.Equal(added[0].SignatureKey, first.LeafNode.SignatureKey) {
		t.Errorf("added %v, want the first at leaf 2 and the second at leaf 3", added)
	}
	g := enter(t, cfg, c, private)
	equal(t, "epoch authenticator", g.EpochAuthenticator(), c.EpochAuthenticator())
	if len(g.Extensions()) != 0 {
		t.Errorf("the context has %d extensions, want none", len(g.Extensions()))
	}
}

// TestUnknownValues lets values in that nobody knows, wherever there may be some: they change nothing.
func TestUnknownValues(t *testing.T) {
	members := groupOf(t, 2)
	cfg, kp, private := party(t, "eve")
	resign(t, kp, cfg.Signer, func(l *LeafNode) {
		l.Capabilities.Versions = append(l.Capabilities.Versions, 0x0A0A)
		l.Capabilities.CipherSuites = append(l.Capabilities.CipherSuites, 0x1A1A)
		l.Capabilities.Extensions = append(l.Capabilities.Extensions, 0x2A2A, 0x7A7A, 0xF0F1)
		l.Capabilities.Proposals = append(l.Capabilities.Proposals, 0x3A3A)
		l.Capabilities.Credentials = append(l.Capabilities.Credentials, 0x4A4A)
		l.Extensions = Extensions{{0x2A2A, []byte("who knows")}}
	}, func(kp *KeyPackage) { kp.Extensions = Extensions{{0x7A7A, nil}} })
	parsed, err := ParseKeyPackage(kp.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	private.keyPackage = parsed
	c, err := members[0].Commit(CommitOptions{Public: true, ByValue: []Proposal{&Add{parsed}}})
	if err != nil {
		t.Fatal(err)
	}
	accepts(t, members[1], c)
	o := openWelcomeOf(t, c, private, members[0].cfg.Signer)
	o.info.extensions = append(o.info.extensions, Extension{0xF0F1, []byte("who knows")})
	if _, err := joinBy(cfg, o.seal(), private); err != nil {
		t.Errorf("an extension of the GroupInfo that is not known: %v", err)
	}
}

// TestFreshValues makes things twice: keys, nonces and ids are new each time.
func TestFreshValues(t *testing.T) {
	cfg, _, _ := party(t, "alice")
	opts := KeyPackageOptions{Suite: 1, Credential: BasicCredential(nil), Signer: cfg.Signer, Lifetime: always}
	seen := make(map[string]string)
	fresh := func(what string, value []byte) {
		if len(value) < 32 {
			t.Errorf("%s has %d bytes", what, len(value))
		}
		if before, ok := seen[string(value)]; ok {
			t.Errorf("%s is that of %s", what, before)
		}
		seen[string(value)] = what
	}
	g := groupOf(t, 2)[0]
	psk := &PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: UsageApplication, GroupID: g.GroupID(), Epoch: g.Epoch()}}
	for range 2 {
		kp, _, err := NewKeyPackage(opts)
		if err != nil {
			t.Fatal(err)
		}
		fresh("an init key", kp.InitKey)
		fresh("an encryption key", kp.LeafNode.EncryptionKey)
		other, err := NewGroup(cfg, CreateOptions{Suite: 1, Credential: BasicCredential(nil)})
		if err != nil {
			t.Fatal(err)
		}
		fresh("a group id", other.GroupID())
		fresh("an epoch secret", other.secrets.exporter)
		fresh("a creator's key", other.tree.leaf(0).EncryptionKey)
		c, err := g.Commit(CommitOptions{ByValue: []Proposal{psk, psk}, Public: true, Pending: func(*ReceivedProposal) bool { return false }})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range commitOf(t, c).proposals {
			fresh("a nonce", p.proposal.(*PreSharedKey).PSK.Nonce)
		}
		for _, key := range commitOf(t, c).path.keys() {
			fresh("a path key", key)
		}
		if _, err := g.ProposePreSharedKey(psk.PSK); err != nil {
			t.Fatal(err)
		}
		fresh("a proposed nonce", g.pending[len(g.pending)-1].Proposal.(*PreSharedKey).PSK.Nonce)
	}
}
