package mls

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// modelLeaf is a leaf that no other has the keys of. It is not signed: these tests do not ask.
func modelLeaf(r *rand.Rand, kind CredentialType) *LeafNode {
	return &LeafNode{
		EncryptionKey: modelKey(r), SignatureKey: modelKey(r),
		Credential:   Credential{Type: kind},
		Capabilities: Capabilities{}.completed(CredentialBasic), Source: LeafUpdate,
	}
}

func modelKey(r *rand.Rand) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	return key
}

// rebuilt is the tree made anew from its nodes, without a hash or a count that was kept.
func rebuilt(t *ratchetTree) *ratchetTree {
	fresh := &ratchetTree{suite: t.suite, width: t.width}
	for x, n := range t.all() {
		c := &node{leaf: n.leaf, parent: n.parent}
		fresh.set(x, c)
	}
	return fresh
}

// changeAtRandom does to a tree what a proposal or a path does, and says what.
func changeAtRandom(r *rand.Rand, t *ratchetTree) string {
	members := slices.Collect(maps.Keys(maps.Collect(t.leaves())))
	slices.Sort(members)
	some := members[r.IntN(len(members))]
	switch kind := r.IntN(10); {
	case kind < 3 || len(members) == 1:
		return fmt.Sprint("add at ", t.add(modelLeaf(r, CredentialBasic)))
	case kind < 5:
		t.remove(some)
		return fmt.Sprint("remove of ", some)
	case kind < 6:
		t.update(some, modelLeaf(r, CredentialBasic))
		return fmt.Sprint("update of ", some)
	}
	steps := t.filteredPath(some)
	keys := make([][]byte, len(steps))
	for k := range keys {
		keys[k] = modelKey(r)
	}
	leaf := modelLeaf(r, CredentialBasic)
	leaf.Source, leaf.ParentHash = LeafCommit, t.mergePath(some, steps, keys)
	t.set(some.node(), &node{leaf: leaf})
	return fmt.Sprint("path of ", some)
}

// TestTreeIncremental changes trees at random: adds, removes, updates, paths, in clones that are kept or dropped. After each
// change hash, census and resolutions are those of a tree made anew, and the original of a clone is as it was.
func TestTreeIncremental(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		tree := newRatchetTree(suites[0], modelLeaf(r, CredentialBasic))
		for step := range 150 {
			before, hash, members := tree.marshal(), tree.rootHash(), tree.top.members()
			next := tree.clone()
			var what []string
			for range 1 + r.IntN(3) {
				what = append(what, changeAtRandom(r, next))
				if r.IntN(2) == 0 {
					next.rootHash()
				}
			}
			if err := next.count(); err != nil {
				t.Fatalf("seed %d, step %d, %v: %v", seed, step, what, err)
			}
			sameAsRebuilt(t, fmt.Sprintf("seed %d, step %d, %v", seed, step, what), next)
			if !bytes.Equal(tree.marshal(), before) || !bytes.Equal(tree.rootHash(), hash) || tree.top.members() != members ||
				!bytes.Equal(rebuilt(tree).rootHash(), hash) {
				t.Fatalf("seed %d, step %d, %v: the original has changed", seed, step, what)
			}
			if r.IntN(4) > 0 {
				tree = next
			}
		}
	}
}

func sameAsRebuilt(t *testing.T, what string, tree *ratchetTree) {
	t.Helper()
	fresh := rebuilt(tree)
	if got, want := tree.rootHash(), fresh.rootHash(); !bytes.Equal(got, want) {
		t.Fatalf("%s: tree hash %x, from scratch %x", what, got, want)
	}
	if err := fresh.count(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got, want := tree.census.encryption.size(), fresh.census.encryption.size(); got != want {
		t.Fatalf("%s: %d encryption keys counted, from scratch %d", what, got, want)
	}
	if got, want := tree.census.signatures.size(), int(fresh.top.members()); got != want || int(tree.top.members()) != want {
		t.Fatalf("%s: %d signature keys, %d members, from scratch %d", what, got, tree.top.members(), want)
	}
	parsed, err := parseRatchetTree(tree.suite, tree.marshal())
	if err != nil || !bytes.Equal(parsed.rootHash(), tree.rootHash()) {
		t.Fatalf("%s: the tree reads back differently: %v", what, err)
	}
	changes := 0
	tree.changesSince(fresh, func(x nodeIndex, was, is *node) {
		changes++
		if is != tree.at(x) || was != fresh.at(x) {
			t.Fatalf("%s: a change at %d that is none", what, x)
		}
	})
	if nodes := len(maps.Collect(tree.all())); changes != nodes {
		t.Fatalf("%s: %d changes to a tree with other nodes, want %d", what, changes, nodes)
	}
}

// size counts the nodes in the set.
func (s *keySet) size() int {
	var count func(keySlot) int
	count = func(at keySlot) int {
		n := 0
		if at.node != nil {
			n++
		}
		if at.fork != nil {
			for _, slot := range at.fork.slots {
				n += count(slot)
			}
		}
		return n
	}
	return count(s.top)
}

// TestCensus takes twice the same keys and unsupported credentials through the census, beside what is allowed: a key that moves on
// from a member that leaves in the same commit.
func TestCensus(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	first := modelLeaf(r, CredentialBasic)
	tree := newRatchetTree(suites[0], first)
	for range 40 {
		tree.add(modelLeaf(r, CredentialBasic))
	}
	if err := tree.count(); err != nil {
		t.Fatal(err)
	}
	twin := func(change func(l *LeafNode)) *LeafNode {
		l := modelLeaf(r, CredentialBasic)
		change(l)
		return l
	}
	sameSignature := twin(func(l *LeafNode) { l.SignatureKey = slices.Clone(first.SignatureKey) })
	certified := twin(func(l *LeafNode) {
		l.Credential.Type = CredentialX509
		l.Capabilities.Credentials = []CredentialType{CredentialBasic, CredentialX509}
	})
	for _, row := range []struct {
		name, rule string
		change     func(c *ratchetTree)
	}{
		{"an encryption key twice", "two nodes have the same encryption key", func(c *ratchetTree) {
			c.add(twin(func(l *LeafNode) { l.EncryptionKey = slices.Clone(first.EncryptionKey) }))
		}},
		{"a leaf's key in a parent", "two nodes have the same encryption key", func(c *ratchetTree) {
			c.set(3, &node{parent: &parentNode{encryptionKey: first.EncryptionKey}})
		}},
		{"a signature key twice", "two members have the same signature key", func(c *ratchetTree) { c.add(sameSignature) }},
		{"a signature key that moves", "", func(c *ratchetTree) { c.add(sameSignature); c.remove(0) }},
		{"two new nodes with one key", "two nodes have the same encryption key", func(c *ratchetTree) {
			l := modelLeaf(r, CredentialBasic)
			c.add(l)
			c.update(3, twin(func(m *LeafNode) { m.EncryptionKey = l.EncryptionKey }))
		}},
		{"a credential that others do not support", "a member does not support a credential type that is in use",
			func(c *ratchetTree) { c.add(certified) }},
	} {
		next := tree.clone()
		row.change(next)
		for _, c := range []*ratchetTree{next, rebuilt(next)} {
			err := c.count()
			if row.rule == "" && err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			if row.rule != "" {
				isBroken(t, row.name, err, row.rule, nil)
			}
		}
	}
	if err := tree.count(); err != nil {
		t.Errorf("the original after all that: %v", err)
	}
}

// TestCensusCredentials lets a credential type come into use and go out of it.
func TestCensusCredentials(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	able := func(kind CredentialType) *LeafNode {
		l := modelLeaf(r, kind)
		l.Capabilities.Credentials = []CredentialType{CredentialBasic, CredentialX509}
		return l
	}
	tree := newRatchetTree(suites[0], able(CredentialBasic))
	for i, step := range []struct {
		change func()
		fine   bool
	}{
		{func() { tree.add(able(CredentialX509)) }, true},
		{func() { tree.add(modelLeaf(r, CredentialBasic)) }, false},
		{func() { tree.remove(1) }, true},
		{func() { tree.add(able(CredentialX509)) }, false},
		{func() { tree.remove(2) }, true},
	} {
		step.change()
		if err := tree.count(); (err == nil) != step.fine {
			t.Errorf("step %d: %v", i, err)
		}
	}
}

// TestKeySet gives a set keys whose hashes are all equal, or agree in most bits: they are told apart all the same.
func TestKeySet(t *testing.T) {
	for name, hash := range map[string]func(*node) uint64{
		"equal":   func(*node) uint64 { return 7 },
		"similar": func(n *node) uint64 { return uint64(n.parent.encryptionKey[0]&3) << 60 },
	} {
		r := rand.New(rand.NewPCG(5, 6))
		set := keySet{of: (*node).encryptionKey, hash: hash, edit: new(edit)}
		var nodes []*node
		for range 300 {
			n := &node{parent: &parentNode{encryptionKey: modelKey(r)}}
			nodes = append(nodes, n)
			if !set.add(n) {
				t.Fatalf("%s: a new key is there already", name)
			}
		}
		before := set
		set.edit = new(edit)
		for i, n := range nodes {
			if set.add(n) {
				t.Fatalf("%s: key %d is not there", name, i)
			}
			set.remove(n)
			if got := set.size(); got != len(nodes)-1-i {
				t.Fatalf("%s: %d keys are left, want %d", name, got, len(nodes)-1-i)
			}
		}
		if set.top != (keySlot{}) {
			t.Errorf("%s: a set without keys has forks", name)
		}
		if before.size() != len(nodes) {
			t.Errorf("%s: the set before was changed", name)
		}
	}
}
