package mls

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// The groups that are measured. They are made inside the package: a tree in which each of 10,000 members has committed is
// built node by node, as those commits would have left it, instead of by 10,000 commits that each member follows.

// A benchGroup is a group as two of its members see it: the first, and the last.
type benchGroup struct {
	suite       *suite
	n           int
	first, last *Group
}

// party is a member-to-be of the group, with the secret half of its key package.
func (bg *benchGroup) party(tb testing.TB, name string) (Config, *KeyPackage, *KeyPackagePrivate) {
	tb.Helper()
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	kp, private, err := NewKeyPackage(KeyPackageOptions{
		Suite: bg.suite.id, Credential: BasicCredential([]byte(name)), Signer: signer, Lifetime: always,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return Config{Verifier: acceptAnyone{}, Policy: AllowAll, Signer: signer}, kp, private
}

// createdGroup is one whose creator has added all others in one commit.
func createdGroup(tb testing.TB, id CipherSuite, n int) *benchGroup {
	tb.Helper()
	bg := newBenchGroup(tb, id, n)
	cfg, _, _ := bg.party(tb, "creator")
	g, err := NewGroup(cfg, CreateOptions{Suite: id, Credential: BasicCredential([]byte("creator"))})
	if err != nil {
		tb.Fatal(err)
	}
	opts := CommitOptions{NoTree: true}
	var private *KeyPackagePrivate
	for i := range n - 1 {
		var kp *KeyPackage
		cfg, kp, private = bg.party(tb, fmt.Sprint("member ", i+1))
		opts.ByValue = append(opts.ByValue, &Add{kp})
	}
	c, err := g.Commit(opts)
	if err != nil {
		tb.Fatal(err)
	}
	if err := g.Merge(c); err != nil {
		tb.Fatal(err)
	}
	bg.first = g
	bg.last, err = Join(cfg, c.Welcome(), func(ref KeyPackageRef) *KeyPackagePrivate {
		if ref == private.keyPackage.Ref() {
			return private
		}
		return nil
	}, JoinOptions{RatchetTree: g.RatchetTree()})
	if err != nil {
		tb.Fatal(err)
	}
	return bg
}

func newBenchGroup(tb testing.TB, id CipherSuite, n int) *benchGroup {
	tb.Helper()
	s, err := id.suite()
	if err != nil {
		tb.Fatal(err)
	}
	return &benchGroup{suite: s, n: n}
}

// A filler builds the tree in which each member has committed, from the left to the right.
type filler struct {
	tb      testing.TB
	tree    *ratchetTree
	groupID []byte
	keys    map[nodeIndex]*privateKey
	signers []crypto.Signer
}

// filledGroup is one in which each member has committed, so that no node above two members is blank.
func filledGroup(tb testing.TB, id CipherSuite, n int) *benchGroup {
	tb.Helper()
	bg := newBenchGroup(tb, id, n)
	f := filler{tb: tb, groupID: []byte("filled"), keys: make(map[nodeIndex]*privateKey)}
	f.tree = newRatchetTree(bg.suite, f.leaf(bg.suite, 0))
	for i := range n - 1 {
		f.tree.add(f.leaf(bg.suite, i+1))
	}
	f.fill(f.tree.root(), nil)
	context := groupContext{suite: id, groupID: f.groupID, epoch: 1, treeHash: f.tree.rootHash(), confirmedTranscriptHash: random(bg.suite.nh)}
	if err := f.tree.check(f.groupID, nil); err != nil {
		tb.Fatal(err)
	}
	secret := random(bg.suite.nh)
	bg.first = f.group(context, 0, secret)
	bg.last = f.group(context, LeafIndex(n-1), secret)
	return bg
}

// leaf makes a member's leaf, still to be bound to its parent and signed.
func (f *filler) leaf(s *suite, i int) *LeafNode {
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.signers = append(f.signers, signer)
	credential := BasicCredential([]byte(fmt.Sprint("member ", i)))
	leaf := &LeafNode{Credential: credential, Capabilities: Capabilities{}.completed(credential.Type), Source: LeafCommit}
	if f.keys[LeafIndex(i).node()], err = leaf.renew(s, signer, f.groupID, LeafIndex(i)); err != nil {
		f.tb.Fatal(err)
	}
	return leaf
}

// fill sets the nodes from x down to its rightmost member, whose commit was the last there, and what hangs to the left of them.
func (f *filler) fill(x nodeIndex, parentHash []byte) {
	t := f.tree
	for !x.isLeaf() {
		if t.empty(x.right()) {
			x = x.left()
			continue
		}
		key, err := t.suite.generateKey()
		if err != nil {
			f.tb.Fatal(err)
		}
		public, err := key.public(t.suite)
		if err != nil {
			f.tb.Fatal(err)
		}
		p := &parentNode{encryptionKey: public, parentHash: parentHash}
		t.set(x, &node{parent: p})
		f.keys[x] = key
		f.fill(x.left(), nil)
		parentHash = t.suite.parentHashOf(p, t.hash(x.left()))
		x = x.right()
	}
	i := x.leafIndex()
	leaf := *t.leaf(i)
	leaf.ParentHash = parentHash
	if err := leaf.sign(t.suite, f.signers[i], f.groupID, i); err != nil {
		f.tb.Fatal(err)
	}
	t.set(x, &node{leaf: &leaf})
}

// group is the group as the member at i sees it.
func (f *filler) group(context groupContext, i LeafIndex, epochSecret Secret) *Group {
	s := f.tree.suite
	e := &epoch{suite: s, context: context, tree: f.tree, own: i, keys: privateKeys{i.node(): f.keys[i.node()]}}
	for _, x := range directPath(i.node(), f.tree.size()) {
		if key := f.keys[x]; key != nil {
			e.keys[x] = key
		}
	}
	e.encoded = e.context.marshal()
	e.begin(slices.Clone(epochSecret))
	return &Group{cfg: Config{Verifier: acceptAnyone{}, Policy: AllowAll, Signer: f.signers[i]}, epoch: e}
}

// benchGroups keeps what was built, as benchmarks are run several times over.
var benchGroups struct {
	sync.Mutex
	built map[string]*benchGroup
}

func builtGroup(tb testing.TB, kind string, id CipherSuite, n int) *benchGroup {
	tb.Helper()
	benchGroups.Lock()
	defer benchGroups.Unlock()
	name := fmt.Sprintf("%s %#x %d", kind, uint16(id), n)
	if bg := benchGroups.built[name]; bg != nil {
		return bg
	}
	build := filledGroup
	if kind == "created" {
		build = createdGroup
	}
	// The groups of one size at a time: those of 10,000 take some 100 MB.
	benchGroups.built = map[string]*benchGroup{name: build(tb, id, n)}
	return benchGroups.built[name]
}

// TestFilledGroup holds the groups that are measured against the protocol: a commit made in one view is followed in the other, a
// member joins, and all agree.
func TestFilledGroup(t *testing.T) {
	for _, kind := range []string{"filled", "created"} {
		for _, n := range []int{2, 3, 7, 33} {
			t.Run(fmt.Sprintf("%s %d", kind, n), func(t *testing.T) {
				bg := builtGroup(t, kind, 1, n)
				first, last := bg.first.Clone(), bg.last.Clone()
				cfg, kp, private := bg.party(t, "eve")
				c, err := first.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
				if err != nil {
					t.Fatal(err)
				}
				follow(t, []*Group{first, last}, c)
				eve, err := Join(cfg, c.Welcome(), func(KeyPackageRef) *KeyPackagePrivate { return private }, JoinOptions{})
				if err != nil {
					t.Fatal(err)
				}
				members := []*Group{first, last, eve}
				for _, g := range members {
					if c, err = g.Commit(CommitOptions{}); err != nil {
						t.Fatal(err)
					}
					follow(t, members, c)
				}
				for _, g := range members {
					if string(g.EpochAuthenticator()) != string(first.EpochAuthenticator()) {
						t.Errorf("member %d disagrees", g.own)
					}
				}
			})
		}
	}
}
