package mls

import (
	"bytes"
	"crypto"
	"testing"
)

// openTo lets outsiders in.
func openTo(members []*Group) {
	for _, g := range members {
		g.cfg.ExternalCommits, g.cfg.Admit = true, func(*ReceivedProposal) error { return nil }
	}
}

// A stranger joins by a commit of which nothing is checked here: all of it is derived, sealed and signed as it should be, so that
// what a member refuses is refused for the one rule that the test broke.
type stranger struct {
	t *testing.T
	// info is a GroupInfo by one of the members.
	info []byte
	// signer holds the key of the new leaf; a fresh one when nil.
	signer crypto.Signer
	// list returns what it commits beside the external init, which is first.
	list func(g *Group) []listedProposal
	// noInit leaves the external init out, and badInit spoils it after it was used.
	noInit  bool
	badInit func([]byte) []byte
	// leaf changes the path's leaf, which leafSigner, or else signer, then signs.
	leaf       func(*LeafNode)
	leafSigner crypto.Signer
	// content changes the commit before it is signed by signer.
	content func(*framedContent)
	// noPath leaves the path out.
	noPath bool
}

// commit makes the message.
func (x stranger) commit() []byte {
	x.t.Helper()
	cfg, _, _ := party(x.t, "stranger")
	cfg.PSK = func(PreSharedKeyID) (Secret, error) { return Secret("known"), nil }
	if x.signer != nil {
		cfg.Signer = x.signer
	}
	g, pub, err := openPublicInfo(cfg, x.info, ExternalOptions{})
	if err != nil {
		x.t.Fatal(err)
	}
	list := x.proposals(g)
	tr := &transition{
		tree: g.tree.clone(), extensions: g.context.extensions, by: sender{kind: SenderNewMemberCommit}, proposals: list, keys: privateKeys{},
	}
	for _, kind := range inOrder {
		for _, p := range list {
			if p.proposal.Type() == kind && !(kind == ProposalRemove && g.tree.leaf(p.proposal.(*Remove).Removed) == nil) {
				tr.applyOne(p)
			}
		}
	}
	tr.committer = tr.tree.place()
	if tr.init, err = g.suite.sendExternalInit(pub, tr); err != nil {
		x.t.Fatal(err)
	}
	if tr.found, err = cfg.findPSKs(tr.psks, g.ownPSK); err != nil {
		x.t.Fatal(err)
	}
	g.own = tr.committer
	leaf := &LeafNode{Credential: BasicCredential([]byte("stranger"))}
	leaf.Capabilities = leaf.Capabilities.completed(CredentialBasic)
	b := &committing{g: g, tr: tr, signer: g.cfg.Signer, leaf: leaf, opts: CommitOptions{Public: true}}
	if err := b.renewPath(); err != nil {
		x.t.Fatal(err)
	}
	x.spoilLeaf(b)
	return x.seal(b)
}

func (x stranger) proposals(g *Group) (list []listedProposal) {
	by := sender{kind: SenderNewMemberCommit}
	if !x.noInit {
		list = append(list, listedProposal{proposal: &ExternalInit{}, sender: by})
	}
	if x.list != nil {
		list = append(list, x.list(g)...)
	}
	for i := range list {
		if list[i].ref == nil {
			list[i].sender = by
		}
	}
	return list
}

func (x stranger) spoilLeaf(b *committing) {
	x.t.Helper()
	if x.leaf == nil {
		return
	}
	x.leaf(b.leaf)
	signer := x.leafSigner
	if signer == nil {
		signer = b.signer
	}
	if err := b.leaf.sign(b.g.suite, signer, b.g.context.groupID, b.g.own); err != nil {
		x.t.Fatal(err)
	}
	b.tr.tree.set(b.g.own.node(), &node{leaf: b.leaf})
}

// seal derives the epoch and signs the message, which is taken apart and signed again if its content is to change.
func (x stranger) seal(b *committing) []byte {
	x.t.Helper()
	staged, err := b.stage()
	if err != nil {
		x.t.Fatal(err)
	}
	r := reader{b: bytes.Clone(staged.message)}
	readHeader(&r, wirePublicMessage)
	m := decodePublicMessage(&r)
	if err := r.end(); err != nil {
		x.t.Fatal(err)
	}
	for _, p := range m.content.commit.proposals {
		if init, ok := p.proposal.(*ExternalInit); ok && x.badInit != nil {
			init.KEMOutput = x.badInit(init.KEMOutput)
		}
	}
	if x.noPath {
		m.content.commit.path = nil
	}
	if x.content != nil {
		x.content(m.content)
	}
	if err := m.sign(b.g.suite, b.signer, b.g.encoded); err != nil {
		x.t.Fatal(err)
	}
	w := newMessage(wirePublicMessage)
	m.encode(w)
	return w.b
}

// TestExternalListRules has a stranger commit what RFC 9420, Section 12.2 forbids in an external commit.
func TestExternalListRules(t *testing.T) {
	members := groupOf(t, 5)
	openTo(members)
	good := members[1]
	info, err := members[0].GroupInfo()
	if err != nil {
		t.Fatal(err)
	}
	_, eve, _ := party(t, "eve")
	psk := PreSharedKeyID{Type: PSKExternal, ID: []byte("x"), Nonce: random(32)}
	short := psk
	short.Nonce = psk.Nonce[:31]
	branch := PreSharedKeyID{Type: PSKResumption, Usage: UsageBranch, GroupID: good.GroupID(), Epoch: good.Epoch(), Nonce: random(32)}
	values := func(list ...Proposal) func(*Group) []listedProposal {
		return func(*Group) (out []listedProposal) {
			for _, p := range list {
				out = append(out, listedProposal{proposal: p})
			}
			return out
		}
	}
	byRef := func(p Proposal) func(*Group) []listedProposal {
		return func(*Group) []listedProposal { return []listedProposal{heard(t, good, members[3], p)} }
	}
	for _, row := range []struct {
		name, rule string
		stranger   stranger
	}{
		{"nothing wrong", "", stranger{}},
		{"the removal of its own leaf", "", stranger{list: values(&Remove{2})}},
		{"no external init", "an external commit without an external init", stranger{noInit: true}},
		{"two external inits", "two proposals of which a list can hold one", stranger{list: values(&ExternalInit{random(32)})}},
		{"two removals", "two proposals of which a list can hold one", stranger{list: values(&Remove{2}, &Remove{3})}},
		{"one removal twice", "two proposals of which a list can hold one", stranger{list: values(&Remove{2}, &Remove{2})}},
		{"a removal of nobody", "a remove of a leaf that is not a member's", stranger{list: values(&Remove{6})}},
		{"an add", "a proposal that does not belong in an external commit", stranger{list: values(&Add{eve})}},
		{"a context", "a proposal that does not belong in an external commit", stranger{list: values(&GroupContextExtensions{})}},
		{"a reinit", "a proposal that does not belong in an external commit", stranger{list: values(&ReInit{GroupID: []byte("x"), Version: MLS10, Suite: 1})}},
		{"an update", "a proposal that does not belong in an external commit", stranger{list: values(&Update{members[2].tree.leaf(2)})}},
		{"a proposal of the application", "a proposal that does not belong in an external commit", stranger{list: values(&CustomProposal{ruledProposal, nil})}},
		{"a self-remove by value", "a self-remove that another member does not commit by reference", stranger{list: values(&SelfRemove{})}},
		{"a removal by reference", "an external commit with a proposal by reference", stranger{list: byRef(&Remove{2})}},
		{"an add by reference", "a proposal that does not belong in an external commit", stranger{list: byRef(&Add{eve})}},
		{"a key twice", "two proposals of which a list can hold one", stranger{list: values(&PreSharedKey{psk}, &PreSharedKey{psk})}},
		{"a key with a short nonce", "a pre-shared key's nonce has the wrong length", stranger{list: values(&PreSharedKey{short})}},
		{"a key for a branch", "a resumption key for reinit or branch outside of one", stranger{list: values(&PreSharedKey{branch})}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.stranger.t = t
			row.stranger.info = info
			message := row.stranger.commit()
			if row.rule != "" {
				refuses(t, row.name, good, message, row.rule, nil)
				return
			}
			if _, err := good.Process(message); err != nil {
				t.Errorf("an honest commit: %v", err)
			}
		})
	}
}

// TestExternalPathRules has a stranger spoil its leaf, its path, the external init, and the frame around them.
func TestExternalPathRules(t *testing.T) {
	members := groupOf(t, 4)
	openTo(members)
	good := members[1]
	info, err := members[0].GroupInfo()
	if err != nil {
		t.Fatal(err)
	}
	fresh := newSignerOf(t, suites[0])
	resync := func(*Group) []listedProposal { return []listedProposal{{proposal: &Remove{2}}} }
	kept := good.tree.leaf(2).EncryptionKey
	for _, row := range []struct {
		name, rule string
		want       error
		stranger   stranger
	}{
		{"no path", "a newcomer's message that is no commit with a path", nil, stranger{noPath: true}},
		{"a proposal", "a newcomer's message that is no commit with a path", nil, stranger{content: func(c *framedContent) {
			c.contentType, c.proposal = ContentProposal, &Remove{2}
		}}},
		{"application data", "a newcomer's message that is no commit with a path", nil, stranger{content: func(c *framedContent) {
			c.contentType, c.application = ContentApplication, []byte("hello")
		}}},
		{"more than was confirmed", "", ErrVerify, stranger{content: func(c *framedContent) { c.authenticatedData = []byte("not what was confirmed") }}},
		{"another key than its leaf's", "", ErrVerify, stranger{leaf: func(l *LeafNode) {
			key, _ := suites[0].signerKey(fresh)
			l.SignatureKey = key
		}, leafSigner: fresh}},
		{"a leaf that another key signed", "", ErrVerify, stranger{leaf: func(*LeafNode) {}, leafSigner: fresh}},
		{"a leaf from a key package", "a path's leaf does not come from a commit", nil, stranger{leaf: func(l *LeafNode) { l.Source = LeafKeyPackage }}},
		{"a leaf from an update", "a path's leaf does not come from a commit", nil, stranger{leaf: func(l *LeafNode) { l.Source = LeafUpdate }}},
		{"a leaf with the wrong parent hash", "a path's leaf has the wrong parent hash", nil, stranger{leaf: func(l *LeafNode) { l.ParentHash = random(32) }}},
		{"a leaf without the suite", "a leaf does not support the group's cipher suite", nil, stranger{leaf: func(l *LeafNode) { l.Capabilities.CipherSuites = nil }}},
		{"a leaf without its credential type", "a leaf does not list its own credential type", nil, stranger{leaf: func(l *LeafNode) { l.Capabilities.Credentials = nil }}},
		{"a leaf with an encryption key of a member", "two nodes have the same encryption key", nil, stranger{leaf: func(l *LeafNode) { l.EncryptionKey = kept }}},
		{"a leaf with the encryption key that it had", "an update keeps the encryption key", nil, stranger{list: resync, leaf: func(l *LeafNode) { l.EncryptionKey = kept }}},
		{"a member's signature key", "two members have the same signature key", nil, stranger{signer: members[2].cfg.Signer}},
		{"a signature key that was its own", "", nil, stranger{signer: members[2].cfg.Signer, list: resync}},
		{"another external init", "", ErrVerify, stranger{badInit: func([]byte) []byte { return random(32) }}},
		{"an external init that is cut", "", ErrDecrypt, stranger{badInit: func(b []byte) []byte { return b[:31] }}},
		{"no external init to speak of", "", ErrDecrypt, stranger{badInit: func([]byte) []byte { return nil }}},
		{"an external init to a point of small order", "", ErrDecrypt, stranger{badInit: func([]byte) []byte { return make([]byte, 32) }}},
		{"a member of the group as its sender", "", ErrVerify, stranger{content: func(c *framedContent) { c.sender = sender{SenderMember, 0} }}},
		{"an external sender", "a message from outside of the group that is no proposal", nil, stranger{content: func(c *framedContent) { c.sender = sender{SenderExternal, 0} }}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.stranger.t, row.stranger.info = t, info
			message := row.stranger.commit()
			if row.rule == "" && row.want == nil {
				if _, err := good.Process(message); err != nil {
					t.Errorf("an honest commit: %v", err)
				}
				return
			}
			refuses(t, row.name, good, message, row.rule, row.want)
		})
	}
}

// TestExternalCommitIsPublic checks that no member passes an external commit off as its own private message, and that the commit of a
// member is none from outside.
func TestExternalCommitIsPublic(t *testing.T) {
	members := groupOf(t, 3)
	openTo(members)
	evil, good := members[0], members[1]
	info, err := evil.GroupInfo()
	if err != nil {
		t.Fatal(err)
	}
	r := reader{b: stranger{t: t, info: info}.commit()}
	readHeader(&r, wirePublicMessage)
	c := decodePublicMessage(&r).content.commit
	refuses(t, "an external commit in a member's name", good, forge(t, evil, c), "an external init outside of an external commit", nil)
}

// TestExternalKeyRule has a group ask for external commits to a key with which every exchange gives zero.
func TestExternalKeyRule(t *testing.T) {
	s := suites[0]
	key, err := s.kem.NewPublicKey(make([]byte, x25519Size))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.sendExternalInit(key, &transition{})
	isBroken(t, "a key of small order", err, "the key for external commits cannot be used", nil)
}
