package mls

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"testing"
)

// party is a member whose code can break the rules.
func party(t testing.TB, name string) (Config, *KeyPackage, *KeyPackagePrivate) {
	t.Helper()
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	kp, private, err := NewKeyPackage(KeyPackageOptions{Suite: 1, Credential: BasicCredential([]byte(name)), Signer: signer, Lifetime: always})
	if err != nil {
		t.Fatal(err)
	}
	return Config{Verifier: acceptAnyone{}, Policy: AllowAll, Signer: signer}, kp, private
}

// groupOf makes a group of n members, all of which have renewed their path.
func groupOf(t testing.TB, n int) []*Group {
	t.Helper()
	cfg, _, _ := party(t, "0")
	first, err := NewGroup(cfg, CreateOptions{Suite: 1, Credential: BasicCredential([]byte("0"))})
	if err != nil {
		t.Fatal(err)
	}
	members := []*Group{first}
	for range n - 1 {
		cfg, kp, private := party(t, "more")
		c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		g, err := Join(cfg, c.Welcome(), func(KeyPackageRef) *KeyPackagePrivate { return private }, JoinOptions{})
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, g)
	}
	for _, g := range members[1:] {
		c, err := g.Commit(CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
	}
	return members
}

// follow takes all members into the next epoch.
func follow(t testing.TB, members []*Group, c *StagedCommit) {
	t.Helper()
	for _, g := range members {
		if g.own == c.committer {
			if err := g.Merge(c); err != nil {
				t.Fatal(err)
			}
			continue
		}
		r, err := g.Process(c.Message())
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Merge(r.(*StagedCommit)); err != nil {
			t.Fatal(err)
		}
	}
}

// forge signs a commit of any content in a member's name.
func forge(t *testing.T, g *Group, c *commit) []byte {
	t.Helper()
	a := g.frame(ContentCommit, nil, false)
	a.content.commit = c
	if err := a.sign(g.suite, g.cfg.Signer, g.encoded); err != nil {
		t.Fatal(err)
	}
	a.confirmationTag = random(g.suite.nh)
	message, _, err := g.protect(a)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// breaks checks that processing fails for this rule, and changes nothing.
func breaks(t *testing.T, g *Group, message []byte, rule string) {
	t.Helper()
	refuses(t, rule, g, message, rule, nil)
}

func byValue(list ...Proposal) *commit {
	c := &commit{}
	for _, p := range list {
		c.proposals = append(c.proposals, proposalOrRef{proposal: p})
	}
	return c
}

// TestProposalListRules has a member commit lists that RFC 9420, Section 12.2 forbids.
func TestProposalListRules(t *testing.T) {
	members := groupOf(t, 4)
	evil, good := members[0], members[1]
	cfg, eve, _ := party(t, "eve")
	twin, _, err := NewKeyPackage(KeyPackageOptions{Suite: 1, Credential: BasicCredential([]byte("eve")), Signer: cfg.Signer, Lifetime: always})
	if err != nil {
		t.Fatal(err)
	}
	used := *evil.tree.leaf(2)
	again := *eve
	again.LeafNode = &used
	psk := PreSharedKeyID{Type: PSKExternal, ID: []byte("x"), Nonce: random(32)}
	short, reinit := psk, PreSharedKeyID{Type: PSKResumption, Usage: UsageReInit, Nonce: random(32)}
	short.Nonce = short.Nonce[:31]
	leaf := *evil.tree.leaf(0)
	leaf.Source = LeafUpdate
	if _, err := leaf.renew(evil.suite, evil.cfg.Signer, evil.context.groupID, 0); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		rule   string
		commit *commit
	}{
		{"a commit without the path that it needs", byValue()},
		{"a commit without the path that it needs", byValue(&Remove{2})},
		{"a commit without the path that it needs", byValue(&GroupContextExtensions{})},
		{"a commit removes its committer", byValue(&Remove{0})},
		{"two proposals of which a list can hold one", byValue(&Remove{2}, &Remove{2})},
		{"a remove of a leaf that is not a member's", byValue(&Remove{4})},
		{"a remove of a leaf that is not a member's", byValue(&Remove{1<<32 - 1})},
		{"a commit contains the committer's own update", byValue(&Update{&leaf})},
		{"two members have the same signature key", byValue(&Add{eve}, &Add{twin})},
		{"two proposals of which a list can hold one", byValue(&GroupContextExtensions{}, &GroupContextExtensions{})},
		{"two proposals of which a list can hold one", byValue(&PreSharedKey{psk}, &PreSharedKey{psk})},
		{"a pre-shared key's nonce has the wrong length", byValue(&PreSharedKey{short})},
		{"a resumption key for reinit or branch outside of one", byValue(&PreSharedKey{reinit})},
		{"a pre-shared key is not known here", byValue(&PreSharedKey{psk})},
		{"an external init outside of an external commit", byValue(&ExternalInit{random(32)})},
		{"a key package's leaf does not come from a key package", byValue(&Add{&again})},
		{"a commit refers to a proposal that is not here", &commit{proposals: []proposalOrRef{{ref: random(32)}}}},
	} {
		breaks(t, good, forge(t, evil, row.commit), row.rule)
	}
}

// TestPathRules has a member spoil the path of a commit, sign it again, and send it.
func TestPathRules(t *testing.T) {
	members := groupOf(t, 4)
	evil, good := members[0], members[3]
	for _, row := range []struct {
		rule  string
		spoil func(p *updatePath)
	}{
		{"a path's leaf does not come from a commit", func(p *updatePath) { p.leaf.Source = LeafUpdate }},
		{"an update path has the wrong number of nodes", func(p *updatePath) { p.nodes = p.nodes[:1] }},
		{"an update path has the wrong number of nodes", func(p *updatePath) { p.nodes = append(p.nodes, p.nodes[0]) }},
		{"an update path has the wrong number of ciphertexts", func(p *updatePath) { p.nodes[1].secrets = nil }},
		{"an encryption key is not one of the cipher suite", func(p *updatePath) { p.nodes[0].key = random(31) }},
		{"an encryption key is not one of the cipher suite", func(p *updatePath) { p.leaf.EncryptionKey = nil }},
		{"a path keeps an encryption key", func(p *updatePath) { p.leaf.EncryptionKey = evil.tree.leaf(0).EncryptionKey }},
		{"a path keeps an encryption key", func(p *updatePath) { p.nodes[1].key = evil.tree.at(3).encryptionKey() }},
		{"a path's leaf has the wrong parent hash", func(p *updatePath) { p.leaf.ParentHash = random(32) }},
		{"a path's leaf has the wrong parent hash", func(p *updatePath) { p.nodes[1].key = random(32) }},
		{"two nodes have the same encryption key", func(p *updatePath) { p.leaf.EncryptionKey = evil.tree.leaf(2).EncryptionKey }},
		{"two members have the same signature key", func(p *updatePath) { p.leaf.SignatureKey = evil.tree.leaf(2).SignatureKey }},
		{"a leaf does not list one of its own extensions", func(p *updatePath) { p.leaf.Extensions = Extensions{{0xF00F, nil}} }},
		{"a leaf does not support the group's cipher suite", func(p *updatePath) { p.leaf.Capabilities.CipherSuites = nil }},
		{"a leaf does not support the group's version", func(p *updatePath) { p.leaf.Capabilities.Versions = nil }},
		{"a leaf does not list its own credential type", func(p *updatePath) { p.leaf.Capabilities.Credentials = nil }},
	} {
		signer := evil.cfg.Signer
		if row.rule == "two members have the same signature key" {
			signer = members[2].cfg.Signer
		}
		breaks(t, good, spoiled(t, evil, signer, row.spoil), row.rule)
	}
	unsigned := spoiled(t, evil, nil, func(p *updatePath) { p.leaf.Signature = random(64) })
	if _, err := good.Process(unsigned); !errors.Is(err, ErrVerify) {
		t.Errorf("a leaf with a wrong signature: %v", err)
	}
	wrong := spoiled(t, evil, nil, func(p *updatePath) { p.nodes[1].secrets[0].ciphertext[0]++ })
	if _, err := good.Process(wrong); !errors.Is(err, ErrDecrypt) {
		t.Errorf("a path secret that does not decrypt: %v", err)
	}
}

// spoiled makes a commit, changes its path, signs the leaf again unless leafSigner is nil, and then the commit.
func spoiled(t *testing.T, g *Group, leafSigner crypto.Signer, spoil func(*updatePath)) []byte {
	t.Helper()
	c, err := g.Commit(CommitOptions{Public: true})
	if err != nil {
		t.Fatal(err)
	}
	r := reader{b: c.Message()}
	readHeader(&r, wirePublicMessage)
	m := decodePublicMessage(&r)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	path := m.content.commit.path
	spoil(path)
	if leafSigner != nil {
		if err := path.leaf.sign(g.suite, leafSigner, g.context.groupID, g.own); err != nil {
			t.Fatal(err)
		}
	}
	return forge(t, g, m.content.commit)
}

// TestFramingRules sends messages that no member would.
func TestFramingRules(t *testing.T) {
	members := groupOf(t, 2)
	evil, good := members[0], members[1]
	use, err := evil.ratchets.take(ratchetID{0, applicationRatchet}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(index uint32) *authenticatedContent {
		a := evil.frame(ContentApplication, nil, false)
		a.content.sender.index = index
		if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
			t.Fatal(err)
		}
		return a
	}
	seal := func(a *authenticatedContent, key messageKey) []byte {
		return evil.suite.sealPrivate(a, key, evil.secrets.senderData, padTo)
	}
	breaks(t, good, seal(signed(7), use.messageKey), "a message from a leaf that is not a member's")
	last := use.messageKey
	last.generation = 1<<32 - 1
	var generation *GenerationError
	if _, err := good.Process(seal(signed(0), last)); !errors.As(err, &generation) || len(good.ratchets.ratchets) != 0 {
		t.Errorf("the last generation: %v", err)
	}
	other := signed(0)
	other.signature = other.signature[:63]
	if _, err := good.Process(seal(other, use.messageKey)); !errors.Is(err, ErrVerify) {
		t.Errorf("a signature that is cut: %v", err)
	}
	public := signed(0)
	public.wireFormat = wirePublicMessage
	m := &publicMessage{authenticatedContent: *public}
	w := newMessage(wirePublicMessage)
	m.encode(w)
	breaks(t, good, w.b, "application data in a public message")
	if _, err := good.Process(seal(signed(0), use.messageKey)); err != nil {
		t.Errorf("an honest message: %v", err)
	}
}

// TestPadding checks that padding is zeros, and hides small differences.
func TestPadding(t *testing.T) {
	members := groupOf(t, 2)
	evil, good := members[0], members[1]
	a := evil.frame(ContentApplication, nil, false)
	if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
		t.Fatal(err)
	}
	// A signature followed by something is what padding that is not zero looks like.
	a.signature = append(a.signature, 1)
	var plain writer
	a.content.encodeBody(&plain)
	plain.opaque(a.signature[:64])
	plain.raw([]byte{0, 0, 1, 0})
	breaks(t, good, sealRaw(t, evil, a, plain.b), "padding that is not zero")
	for n := range 5000 {
		if p := padTo(n); p < n || n > 128 && p > n+n/8 || p > 128 && p%16 != 0 {
			t.Fatalf("%d is padded to %d", n, p)
		}
	}
	short, _ := evil.Seal([]byte("yes"), nil)
	long, _ := evil.Seal([]byte("not at all"), nil)
	if len(short) != len(long) {
		t.Errorf("%d and %d bytes tell two answers apart", len(short), len(long))
	}
}

// sealRaw encrypts a plaintext as it is.
func sealRaw(t *testing.T, g *Group, a *authenticatedContent, plain []byte) []byte {
	t.Helper()
	use, err := g.ratchets.take(ratchetID{g.own, applicationRatchet}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &privateMessage{groupID: a.content.groupID, epoch: a.content.epoch, contentType: ContentApplication}
	var aad writer
	m.encodeAAD(&aad)
	m.ciphertext = g.suite.cipher(use.key).Seal(nil, use.nonce, plain, aad.b)
	g.suite.sealSenderData(m, senderData{leaf: g.own, generation: use.generation}, g.secrets.senderData)
	w := newMessage(wirePrivateMessage)
	m.encode(w)
	return w.b
}

// TestUpdateRules has a member propose leaves that RFC 9420, Section 7.3 forbids.
func TestUpdateRules(t *testing.T) {
	members := groupOf(t, 3)
	evil, good := members[0], members[1]
	for _, row := range []struct {
		rule  string
		spoil func(l *LeafNode)
	}{
		{"an update's leaf does not come from an update", func(l *LeafNode) { l.Source = LeafCommit }},
		{"an update keeps the encryption key", func(l *LeafNode) { l.EncryptionKey = evil.tree.leaf(0).EncryptionKey }},
		{"an encryption key is not one of the cipher suite", func(l *LeafNode) { l.EncryptionKey = l.EncryptionKey[1:] }},
	} {
		leaf := *evil.tree.leaf(0)
		leaf.Source, leaf.EncryptionKey = LeafUpdate, random(32)
		row.spoil(&leaf)
		if err := leaf.sign(evil.suite, evil.cfg.Signer, evil.context.groupID, 0); err != nil {
			t.Fatal(err)
		}
		breaks(t, good, forgeProposal(t, evil, &Update{&leaf}), row.rule)
	}
	leaf := *evil.tree.leaf(0)
	leaf.Source, leaf.EncryptionKey = LeafUpdate, random(32)
	if err := leaf.sign(evil.suite, evil.cfg.Signer, evil.context.groupID, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := good.Process(forgeProposal(t, evil, &Update{&leaf})); !errors.Is(err, ErrVerify) {
		t.Errorf("an update signed for another leaf: %v", err)
	}
	breaks(t, good, forgeProposal(t, evil, &Remove{3}), "a remove of a leaf that is not a member's")
	if len(good.pending) != 0 {
		t.Error("a proposal that breaks a rule is pending")
	}
}

func forgeProposal(t *testing.T, g *Group, p Proposal) []byte {
	t.Helper()
	a := g.frame(ContentProposal, nil, true)
	a.content.proposal = p
	if err := a.sign(g.suite, g.cfg.Signer, g.encoded); err != nil {
		t.Fatal(err)
	}
	message, _, err := g.protect(a)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// TestTreeFlips flips a bit in every byte of a tree with blanks and unmerged leaves. No tree hash is there to help: the leaves' signatures
// and the parent hashes alone have to notice, as they must when it is the committer who lies.
func TestTreeFlips(t *testing.T) {
	members := groupOf(t, 9)
	var proposals []Proposal
	for range 3 {
		_, kp, _ := party(t, "unmerged")
		proposals = append(proposals, &Add{kp})
	}
	for _, opts := range []CommitOptions{
		{ByValue: []Proposal{&Remove{2}, &Remove{5}}},
		{ByValue: proposals, NoPath: true},
	} {
		c, err := members[0].Commit(opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := members[0].Merge(c); err != nil {
			t.Fatal(err)
		}
	}
	g := members[0]
	encoded := g.RatchetTree()
	check := func(b []byte) error {
		tree, err := parseRatchetTree(g.suite, b)
		if err != nil {
			return err
		}
		return tree.check(g.context.groupID, nil)
	}
	if err := check(encoded); err != nil {
		t.Fatal(err)
	}
	for i := range encoded {
		encoded[i] ^= 1 << (i % 8)
		if check(encoded) == nil {
			t.Fatalf("a tree with byte %d of %d changed is valid", i, len(encoded))
		}
		encoded[i] ^= 1 << (i % 8)
	}
}

// TestUnmergedRules gives a tree lists of unmerged leaves that RFC 9420, Section 12.4.3.1 forbids.
func TestUnmergedRules(t *testing.T) {
	tree := groupOf(t, 4)[0].tree
	for name, list := range map[string][]LeafIndex{
		"outside of the tree": {9}, "not below": {2}, "at the end of numbers": {1<<32 - 1},
	} {
		wrong := tree.clone()
		p := *wrong.at(1).parent
		p.unmerged = list
		wrong.set(1, &node{parent: &p})
		if wrong.check(nil, nil) == nil {
			t.Errorf("an unmerged leaf %s", name)
		}
	}
	wrong := tree.clone()
	p := *wrong.at(3).parent
	p.unmerged = []LeafIndex{1}
	wrong.set(3, &node{parent: &p})
	if wrong.checkUnmerged() == nil {
		t.Error("an unmerged leaf that is missing in a node between")
	}
}
