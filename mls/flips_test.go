package mls

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// mangled yields b with every bit flipped, cut to every shorter length, none included, and with a byte more.
func mangled(b []byte, yield func(what string, at int, wrong []byte)) {
	for n := range b {
		yield("cut to bytes:", n, b[:n])
	}
	for i := range 8 * len(b) {
		wrong := bytes.Clone(b)
		wrong[i/8] ^= 1 << (i % 8)
		yield("with another bit:", i, wrong)
	}
	yield("with a byte more:", len(b), append(bytes.Clone(b), 0))
}

// TestMangledProofs spoils a signature and a tag of every suite in every small way.
func TestMangledProofs(t *testing.T) {
	t.Parallel()
	for _, s := range suites {
		cfg, _, _ := partyOf(t, s.id, "alice")
		key, err := s.signerKey(cfg.Signer)
		if err != nil {
			t.Fatal(err)
		}
		content := []byte("what is signed")
		signature, err := s.sign(cfg.Signer, "label", content)
		if err != nil || !s.verify(key, "label", content, signature) {
			t.Fatal("an honest signature does not verify", err)
		}
		mangled(signature, func(what string, at int, wrong []byte) {
			if s.verify(key, "label", content, wrong) {
				t.Errorf("suite %#x: a signature %s %d verifies", uint16(s.id), what, at)
			}
		})
		for what, wrong := range map[string]bool{
			"another label":   s.verify(key, "labels", content, signature),
			"another content": s.verify(key, "label", content[1:], signature),
			"a key cut":       s.verify(key[1:], "label", content, signature),
			"no key":          s.verify(nil, "label", content, signature),
		} {
			if wrong {
				t.Errorf("suite %#x: a signature verifies with %s", uint16(s.id), what)
			}
		}
		tag := s.mac(Secret("a key"), content)
		if !s.checkMAC(Secret("a key"), content, tag) {
			t.Fatal("an honest tag does not verify")
		}
		mangled(tag, func(what string, at int, wrong []byte) {
			if s.checkMAC(Secret("a key"), content, wrong) {
				t.Errorf("suite %#x: a tag %s %d verifies", uint16(s.id), what, at)
			}
		})
	}
}

// partyOf is party for any suite.
func partyOf(t testing.TB, id CipherSuite, name string) (Config, *KeyPackage, *KeyPackagePrivate) {
	t.Helper()
	s, err := id.suite()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Verifier: acceptAnyone{}, Policy: AllowAll, Signer: newSignerOf(t, s)}
	kp, private, err := NewKeyPackage(KeyPackageOptions{Suite: id, Credential: BasicCredential([]byte(name)), Signer: cfg.Signer, Lifetime: always})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, kp, private
}

// TestMangledMessages spoils each proof of each kind of message, and makes all others anew, so that the receiver has that one to
// refuse it by.
func TestMangledMessages(t *testing.T) {
	members := groupOf(t, 3)
	evil, good := members[0], members[1]
	before := stateOf(good)
	refused := func(kind, what string, at int, message []byte) {
		if _, err := good.Process(message); !errors.Is(err, ErrVerify) {
			t.Errorf("%s %s %d: got %v, want %v", kind, what, at, err, ErrVerify)
		}
	}
	c, err := evil.Commit(CommitOptions{Public: true})
	if err != nil {
		t.Fatal(err)
	}
	parse := func() *publicMessage {
		r := reader{b: c.Message()}
		readHeader(&r, wirePublicMessage)
		return decodePublicMessage(&r)
	}
	mangled(parse().membershipTag, func(what string, at int, wrong []byte) {
		m := parse()
		m.membershipTag = wrong
		w := newMessage(wirePublicMessage)
		m.encode(w)
		refused("a membership tag", what, at, w.b)
	})
	public := func(a *authenticatedContent) []byte {
		b, err := evil.suite.sealPublic(a, evil.secrets.membership, evil.encoded)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mangled(parse().confirmationTag, func(what string, at int, wrong []byte) {
		m := parse()
		m.confirmationTag = wrong
		refused("a confirmation tag", what, at, public(&m.authenticatedContent))
	})
	mangled(parse().signature, func(what string, at int, wrong []byte) {
		m := parse()
		m.signature = wrong
		refused("the signature of a public message", what, at, public(&m.authenticatedContent))
	})
	a := evil.frame(ContentApplication, nil, false)
	if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
		t.Fatal(err)
	}
	use, err := evil.ratchets.take(ratchetID{evil.own, applicationRatchet}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mangled(a.signature, func(what string, at int, wrong []byte) {
		spoiled := *a
		spoiled.signature = wrong
		refused("the signature of a private message", what, at, evil.suite.sealPrivate(&spoiled, use.messageKey, evil.secrets.senderData, padTo))
	})
	for key, value := range stateOf(good) {
		if !bytes.Equal(before[key], value) {
			t.Errorf("a refusal has changed record %s", key)
		}
	}
	accepts(t, good, c)
}

// TestMangledObjects does the same with key packages, and with what a joiner is given.
func TestMangledObjects(t *testing.T) {
	members := groupOf(t, 3)
	cfg, kp, private := party(t, "eve")
	mangled(kp.Signature, func(what string, at int, wrong []byte) {
		spoiled := *kp
		spoiled.Signature = wrong
		if _, err := ParseKeyPackage(spoiled.Marshal()); !errors.Is(err, ErrVerify) {
			t.Errorf("the signature of a key package %s %d: %v", what, at, err)
		}
	})
	mangled(kp.LeafNode.Signature, func(what string, at int, wrong []byte) {
		spoiled, leaf := *kp, *kp.LeafNode
		leaf.Signature, spoiled.LeafNode = wrong, &leaf
		var err error
		if spoiled.Signature, err = suites[0].sign(cfg.Signer, "KeyPackageTBS", spoiled.toBeSigned()); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseKeyPackage(spoiled.Marshal()); !errors.Is(err, ErrVerify) {
			t.Errorf("the signature of a leaf %s %d: %v", what, at, err)
		}
	})
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	o := openWelcomeOf(t, c, private, members[0].cfg.Signer)
	if _, err := joinBy(cfg, o.seal(), private); err != nil {
		t.Fatalf("an honest welcome: %v", err)
	}
	mangled(o.info.confirmationTag, func(what string, at int, wrong []byte) {
		spoiled := o.clone()
		spoiled.info.confirmationTag = wrong
		if _, err := joinBy(cfg, spoiled.seal(), private); !errors.Is(err, ErrVerify) {
			t.Errorf("the confirmation tag of a GroupInfo %s %d: %v", what, at, err)
		}
	})
	mangled(o.info.signature, func(what string, at int, wrong []byte) {
		spoiled := o.clone()
		spoiled.info.signature, spoiled.signer = wrong, nil
		if _, err := joinBy(cfg, spoiled.seal(), private); !errors.Is(err, ErrVerify) {
			t.Errorf("the signature of a GroupInfo %s %d: %v", what, at, err)
		}
	})
}

// A bigTree is a Welcome to a group of 33 with blanks and unmerged leaves.
func bigTree(t *testing.T) (*openWelcome, Config) {
	t.Helper()
	g := groupOf(t, 1)[0]
	cfg, kp, private := party(t, "joiner")
	var c *StagedCommit
	for _, opts := range []CommitOptions{
		{ByValue: freshAdds(t, 34)},
		{},
		{ByValue: []Proposal{&Remove{5}, &Remove{6}, &Remove{20}, &Remove{17}, &Remove{23}}},
		{ByValue: freshAdds(t, 1), NoPath: true},
		{ByValue: append(freshAdds(t, 1), &Add{kp}), NoPath: true},
	} {
		var err error
		if c, err = g.Commit(opts); err != nil {
			t.Fatal(err)
		}
		if err := g.Merge(c); err != nil {
			t.Fatal(err)
		}
	}
	leaves, blanks, unmerged := 0, 0, 0
	for x := range nodeIndex(widthOf(c.next.tree.size())) {
		switch n := c.next.tree.at(x); {
		case n == nil:
			blanks++
		case x.isLeaf():
			leaves++
		default:
			unmerged += len(n.parent.unmerged)
		}
	}
	t.Logf("%d leaves, %d blank nodes, %d entries of unmerged leaves", leaves, blanks, unmerged)
	if leaves != 33 || blanks == 0 || unmerged == 0 {
		t.Fatal("not the tree that was meant")
	}
	return openWelcomeOf(t, c, private, g.cfg.Signer), cfg
}

func freshAdds(t *testing.T, n int) (list []Proposal) {
	t.Helper()
	for range n {
		_, kp, _ := party(t, "fresh")
		list = append(list, &Add{kp})
	}
	return list
}

// TestBigTreeFlips flips a bit of every byte of a tree of 33 leaves in a Welcome whose signer is the liar: the GroupInfo is signed
// anew, with the tree hash, epoch and confirmation tag that follow from the lie. The parent hashes and the leaves' own
// signatures have to notice.
func TestBigTreeFlips(t *testing.T) {
	t.Parallel()
	o, cfg := bigTree(t)
	tree := o.tree()
	start := time.Now()
	for i := range tree {
		wrong := bytes.Clone(tree)
		wrong[i] ^= 1 << (i % 8)
		spoiled := o.clone()
		spoiled.setTree(wrong)
		// Of a tree that does not parse there is no hash.
		if parsed, err := parseRatchetTree(o.suite, wrong); err == nil && parsed.checkUnmerged() == nil {
			spoiled.info.context.treeHash = parsed.rootHash()
			spoiled.confirm()
		}
		if _, err := joinBy(cfg, spoiled.seal(), o.private); err == nil {
			t.Fatalf("joined with byte %d of %d changed and all else made to fit", i, len(tree))
		}
	}
	t.Logf("%d bytes in %v", len(tree), time.Since(start))
}

// TestGroupInfoFlips flips a bit of every byte of a GroupInfo: nothing of it is not signed.
func TestGroupInfoFlips(t *testing.T) {
	t.Parallel()
	o, cfg := bigTree(t)
	var plain writer
	o.info.encode(&plain)
	for i := range plain.b {
		wrong := bytes.Clone(plain.b)
		wrong[i] ^= 1 << (i % 8)
		if _, err := joinBy(cfg, o.sealRaw(wrong), o.private); err == nil {
			t.Fatalf("joined with byte %d of %d of the GroupInfo changed", i, len(plain.b))
		}
	}
	if _, err := joinBy(cfg, o.seal(), o.private); err != nil {
		t.Fatalf("an honest welcome: %v", err)
	}
}
