package mls

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestWelcomeRules spoils one thing of a Welcome, and makes tags, signatures and encryption fit again.
func TestWelcomeRules(t *testing.T) {
	members := groupOf(t, 4)
	cfg, kp, private := party(t, "eve")
	c, err := members[2].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	honest := openWelcomeOf(t, c, private, members[2].cfg.Signer)
	psk := PreSharedKeyID{Type: PSKExternal, ID: []byte("x"), Nonce: random(32)}
	short, reinit, branch := psk, PreSharedKeyID{Type: PSKResumption, Usage: UsageReInit, Nonce: random(32)}, PreSharedKeyID{Type: PSKResumption, Usage: UsageBranch, Nonce: random(32)}
	short.Nonce = short.Nonce[1:]
	otherTree := members[0].RatchetTree()
	for _, row := range []struct {
		name  string
		rule  string
		want  error
		spoil func(o *openWelcome)
	}{
		{"another suite", "a welcome for another cipher suite than its group's", nil, func(o *openWelcome) { o.info.context.suite = 3; o.confirm() }},
		{"no tree", "a welcome without a ratchet tree", nil, func(o *openWelcome) { o.info.extensions = o.info.extensions.Without(ExtensionRatchetTree) }},
		{"an empty tree", "a welcome without a ratchet tree", nil, func(o *openWelcome) { o.setTree(nil) }},
		{"the tree of before", "the ratchet tree is not the one of the group", nil, func(o *openWelcome) { o.setTree(otherTree) }},
		{"the tree of before, and its hash", "a welcome to a group without our leaf", nil, func(o *openWelcome) {
			o.setTree(otherTree)
			o.info.context.treeHash = members[0].tree.rootHash()
			o.confirm()
		}},
		{"another tree hash", "the ratchet tree is not the one of the group", nil, func(o *openWelcome) { o.info.context.treeHash = random(32); o.confirm() }},
		{"a signer outside of the tree", "a welcome signed by no member", nil, func(o *openWelcome) { o.info.signer = 99 }},
		{"a signer at a blank leaf", "a welcome signed by no member", nil, func(o *openWelcome) { o.info.signer = 5 }},
		{"another member as signer", "", ErrVerify, func(o *openWelcome) { o.info.signer = 1 }},
		{"the receiver as signer", "a welcome signed by its receiver", nil, func(o *openWelcome) { o.info.signer = 4; o.signer = cfg.Signer }},
		{"another epoch", "", ErrVerify, func(o *openWelcome) { o.info.context.epoch++ }},
		{"another transcript", "", ErrVerify, func(o *openWelcome) { o.info.context.confirmedTranscriptHash = random(32) }},
		{"another joiner secret", "", ErrVerify, func(o *openWelcome) {
			o.secrets.joiner = joinerSecret{random(32)}
			o.member = o.suite.member(o.secrets.joiner, o.suite.pskSecret(nil))
		}},
		{"a joiner secret that the GroupInfo was not sealed under", "", ErrDecrypt, func(o *openWelcome) { o.secrets.joiner = joinerSecret{random(32)} }},
		{"another path secret", "a path secret does not match the path's public key", nil, func(o *openWelcome) { o.secrets.path = random(32) }},
		{"no path secret", "a welcome without the path secret that its tree asks for", nil, func(o *openWelcome) { o.secrets.path = nil }},
		{"an extension of the group that the joiner does not support", "a leaf does not support one of the group's extensions", nil, func(o *openWelcome) {
			o.info.context.extensions = Extensions{{0xF00A, nil}}
			o.confirm()
		}},
		{"required capabilities that the joiner lacks", "a leaf lacks required capabilities", nil, func(o *openWelcome) {
			required := RequiredCapabilities{Proposals: []ProposalType{0xF00A}}
			o.info.context.extensions = Extensions{{ExtensionRequiredCapabilities, required.Marshal()}}
			o.confirm()
		}},
		{"required capabilities that are cut", "", ErrMalformed, func(o *openWelcome) {
			o.info.context.extensions = Extensions{{ExtensionRequiredCapabilities, []byte{0, 0}}}
			o.confirm()
		}},
		{"an extension of the group twice", "", ErrMalformed, func(o *openWelcome) {
			o.info.context.extensions = Extensions{{0xF00A, nil}, {0xF00A, nil}}
			o.confirm()
		}},
		{"a key that is not known", "a pre-shared key is not known here", nil, func(o *openWelcome) { o.secrets.psks = []PreSharedKeyID{psk} }},
		{"a key with a short nonce", "a pre-shared key's nonce has the wrong length", nil, func(o *openWelcome) { o.secrets.psks = []PreSharedKeyID{short} }},
	} {
		o := honest.clone()
		row.spoil(o)
		_, err := joinBy(cfg, o.seal(), private)
		isBroken(t, row.name, err, row.rule, row.want)
	}
	for _, id := range []PreSharedKeyID{reinit, branch} {
		o := honest.clone()
		o.secrets.psks = []PreSharedKeyID{id}
		if _, err := joinBy(cfg, o.seal(), private); err == nil {
			t.Errorf("joined with a resumption key of usage %d of a group that is not known", id.Usage)
		}
	}
	if _, err := joinBy(cfg, honest.seal(), private); err != nil {
		t.Errorf("the honest welcome: %v", err)
	}
}

// TestWelcomeAddressing offers a Welcome to those whom it is not for.
func TestWelcomeAddressing(t *testing.T) {
	members := groupOf(t, 2)
	cfg, kp, private := party(t, "eve")
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, other := party(t, "other")
	if _, err := joinBy(cfg, c.Welcome(), other); !errors.Is(err, ErrNoKeyPackage) {
		t.Errorf("with another key package: %v", err)
	}
	m, err := parseWelcome(c.Welcome())
	if err != nil {
		t.Fatal(err)
	}
	m.suite = 3
	w := newMessage(wireWelcome)
	m.encode(w)
	if _, err := joinBy(cfg, w.b, private); !errors.Is(err, ErrNoKeyPackage) {
		t.Errorf("for another suite than the key package's: %v", err)
	}
	m.suite = 4
	w = newMessage(wireWelcome)
	m.encode(w)
	if _, err := joinBy(cfg, w.b, private); !errors.Is(err, ErrUnsupported) {
		t.Errorf("for a suite that is not known: %v", err)
	}
	wrong := cfg
	wrong.Signer = members[0].cfg.Signer
	if _, err := joinBy(wrong, c.Welcome(), private); !errors.Is(err, ErrSigner) {
		t.Errorf("with another signer: %v", err)
	}
	late := JoinOptions{Now: time.Unix(1<<40, 0)}
	_, err = Join(cfg, c.Welcome(), func(KeyPackageRef) *KeyPackagePrivate { return private }, late)
	isBroken(t, "after the end of the leaves", err, "a leaf is not within its lifetime", nil)
	_, err = members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}, Now: late.Now})
	isBroken(t, "adding after the end", err, "a key package is not within its lifetime", nil)
}

// TestTreeRules has a committer who lies about the tree: its own path allows lists of unmerged leaves and keys that no leaf signed for.
// Tree hash, confirmation tag and signatures are right, so the joiner has the rules of Section 12.4.3.1 alone.
func TestTreeRules(t *testing.T) {
	members := groupOf(t, 4)
	parent := func(tree *ratchetTree, x nodeIndex, change func(p *parentNode)) {
		p := *tree.at(x).parent
		p.unmerged = slices.Clone(p.unmerged)
		change(&p)
		tree.set(x, &node{parent: &p})
	}
	for _, row := range []struct {
		name, rule string
		spoil      func(tree *ratchetTree)
	}{
		{"an unmerged leaf outside of the tree", "an unmerged leaf is not a member below its node",
			func(tree *ratchetTree) { parent(tree, 7, func(p *parentNode) { p.unmerged = []LeafIndex{9} }) }},
		{"an unmerged leaf at the end of numbers", "an unmerged leaf is not a member below its node",
			func(tree *ratchetTree) { parent(tree, 7, func(p *parentNode) { p.unmerged = []LeafIndex{1<<32 - 1} }) }},
		{"an unmerged leaf that is blank", "an unmerged leaf is not a member below its node",
			func(tree *ratchetTree) { parent(tree, 7, func(p *parentNode) { p.unmerged = []LeafIndex{6} }) }},
		{"an unmerged leaf beside its node", "an unmerged leaf is not a member below its node",
			func(tree *ratchetTree) { parent(tree, 1, func(p *parentNode) { p.unmerged = []LeafIndex{2} }) }},
		{"an unmerged leaf that is missing below", "an unmerged leaf is missing in a node between",
			func(tree *ratchetTree) { parent(tree, 3, func(p *parentNode) { p.unmerged = []LeafIndex{1} }) }},
		{"another parent hash", "a parent node is not parent-hash valid",
			func(tree *ratchetTree) { parent(tree, 1, func(p *parentNode) { p.parentHash = random(32) }) }},
		{"another key", "a parent node is not parent-hash valid",
			func(tree *ratchetTree) { parent(tree, 3, func(p *parentNode) { p.encryptionKey = random(32) }) }},
		{"a parent that nobody set", "a parent node is not parent-hash valid",
			func(tree *ratchetTree) { tree.set(5, &node{parent: &parentNode{encryptionKey: random(32)}}) }},
		{"a parent that is taken away", "a parent node is not parent-hash valid",
			func(tree *ratchetTree) { tree.set(1, nil) }},
		{"two leaves in each other's place", "a parent node is not parent-hash valid", func(tree *ratchetTree) {
			a, b := tree.at(4), tree.at(6)
			tree.set(4, b)
			tree.set(6, a)
		}},
	} {
		cfg, kp, private := party(t, "eve")
		evil := members[0].Clone()
		c := careless{t: t, g: evil, list: committed(evil, &Add{kp}), tree: row.spoil}.commit()
		_, err := joinBy(cfg, c.Welcome(), private)
		isBroken(t, row.name, err, row.rule, nil)
	}
	cfg, kp, private := party(t, "eve")
	evil := members[0].Clone()
	c := careless{t: t, g: evil, list: committed(evil, &Add{kp})}.commit()
	if _, err := joinBy(cfg, c.Welcome(), private); err != nil {
		t.Errorf("the honest tree: %v", err)
	}
}

// TestParentKeyTwice has a committer set the key of another's node on its own path: parent hashes, being its own, are right.
func TestParentKeyTwice(t *testing.T) {
	members := groupOf(t, 6)
	g := members[0]
	tree := g.tree.clone()
	steps := tree.filteredPath(0)
	keys := make([][]byte, len(steps))
	for k := range keys {
		keys[k] = honestKey(t)
	}
	keys[0] = tree.at(9).encryptionKey()
	leaf := *tree.leaf(0)
	leaf.Source, leaf.EncryptionKey = LeafCommit, honestKey(t)
	leaf.ParentHash = tree.mergePath(0, steps, keys)
	if err := leaf.sign(g.suite, g.cfg.Signer, g.context.groupID, 0); err != nil {
		t.Fatal(err)
	}
	tree.set(0, &node{leaf: &leaf})
	isBroken(t, "a key of two nodes", tree.check(g.context.groupID, nil), "two nodes have the same encryption key", nil)
}

// TestSkippedParent has a committer leave out the node between it and the root, so that its neighbour is under the root and does not
// know the root's key. Signature and parent hash are right: only that the neighbour is not listed as unmerged gives it away.
func TestSkippedParent(t *testing.T) {
	g := groupOf(t, 4)[0]
	tree := g.tree.clone()
	steps := tree.filteredPath(0)
	root := steps[len(steps)-1:]
	leaf := *tree.leaf(0)
	leaf.Source, leaf.EncryptionKey = LeafCommit, honestKey(t)
	leaf.ParentHash = tree.mergePath(0, root, [][]byte{honestKey(t)})
	if err := leaf.sign(g.suite, g.cfg.Signer, g.context.groupID, 0); err != nil {
		t.Fatal(err)
	}
	tree.set(0, &node{leaf: &leaf})
	if len(steps) != 2 || tree.resolution(1) == nil {
		t.Fatal("not the tree that was meant")
	}
	isBroken(t, "a path with a gap", tree.check(g.context.groupID, nil), "a parent node is not parent-hash valid", nil)
}

// TestOpenPathRules gives a member a path that is not for it.
func TestOpenPathRules(t *testing.T) {
	g := groupOf(t, 3)[0]
	steps := g.tree.filteredPath(0)
	nodes := make([]pathNode, len(steps))
	_, err := g.tree.openPath(0, g.keys, steps, nodes, nil, nil)
	isBroken(t, "the own path", err, "an update path does not reach this member", nil)
	_, err = g.tree.openPath(1, privateKeys{}, steps, nodes, nil, nil)
	isBroken(t, "a path to keys that are not held", err, "an update path is not sealed to this member", nil)
}

// TestDecryptRules opens what was sealed to a key after each part of it was cut, replaced or meant for something else. Both path secrets
// and the secrets of a Welcome come this way.
func TestDecryptRules(t *testing.T) {
	for _, s := range suites {
		key, err := s.generateKey()
		if err != nil {
			t.Fatal(err)
		}
		private, err := key.hpkeKey(s)
		if err != nil {
			t.Fatal(err)
		}
		honest, err := s.encrypt(private.PublicKey(), "label", []byte("context"), []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.decrypt(private, "label", []byte("context"), honest); err != nil || string(got) != "secret" {
			t.Errorf("suite %#x: the honest one: %q, %v", uint16(s.id), []byte(got), err)
		}
		kem, ct := honest.kemOutput, honest.ciphertext
		for _, row := range []struct {
			name, label, context string
			sealed               hpkeCiphertext
		}{
			{"no KEM output", "label", "context", hpkeCiphertext{nil, ct}},
			{"a short KEM output", "label", "context", hpkeCiphertext{kem[:len(kem)-1], ct}},
			{"a long KEM output", "label", "context", hpkeCiphertext{append(kem[:len(kem):len(kem)], 0), ct}},
			{"a KEM output of zeros", "label", "context", hpkeCiphertext{make([]byte, len(kem)), ct}},
			{"no ciphertext", "label", "context", hpkeCiphertext{kem, nil}},
			{"a short ciphertext", "label", "context", hpkeCiphertext{kem, ct[:len(ct)-1]}},
			{"a long ciphertext", "label", "context", hpkeCiphertext{kem, append(ct[:len(ct):len(ct)], 0)}},
			{"another label", "lable", "context", honest},
			{"another context", "label", "contents", honest},
		} {
			_, err := s.decrypt(private, row.label, []byte(row.context), row.sealed)
			isBroken(t, fmt.Sprintf("suite %#x: %s", uint16(s.id), row.name), err, "", ErrDecrypt)
		}
	}
}

// TestPathSecretRule has a committer seal another secret to a member than the one that the path's key comes from.
func TestPathSecretRule(t *testing.T) {
	members := groupOf(t, 4)
	evil, good := members[0], members[3]
	tr, err := evil.apply(nil, memberAt(evil.own))
	if err != nil {
		t.Fatal(err)
	}
	b := &committing{g: evil, opts: CommitOptions{Public: true}, tr: tr, signer: evil.cfg.Signer}
	if err := b.renewPath(); err != nil {
		t.Fatal(err)
	}
	for k := range b.path.secrets {
		b.path.secrets[k] = random(32)
	}
	c, err := b.stage()
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, "other path secrets", good, c.Message(), "a path secret does not match the path's public key", nil)
}
