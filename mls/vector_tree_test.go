package mls

import (
	"slices"
	"testing"
)

func TestVectorsTreeOperations(t *testing.T) {
	type vector struct {
		Suite      CipherSuite `json:"cipher_suite"`
		TreeBefore hexBytes    `json:"tree_before"`
		Proposal   hexBytes    `json:"proposal"`
		Sender     LeafIndex   `json:"proposal_sender"`
		HashBefore hexBytes    `json:"tree_hash_before"`
		TreeAfter  hexBytes    `json:"tree_after"`
		HashAfter  hexBytes    `json:"tree_hash_after"`
	}
	used := 0
	for _, v := range readVectors[vector](t, "tree-operations.json") {
		s := vectorSuite(t, v.Suite)
		tree, err := parseRatchetTree(s, v.TreeBefore)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tree before", tree.marshal(), v.TreeBefore)
		equal(t, "hash before", tree.rootHash(), v.HashBefore)
		r := reader{b: v.Proposal}
		p := decodeProposal(&r)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		reencodes(t, "proposal", v.Proposal, func(w *writer) { encodeProposal(w, p) })
		tr := &transition{tree: tree.clone()}
		tr.applyOne(listedProposal{proposal: p, sender: memberAt(v.Sender)})
		equal(t, "tree after", tr.tree.marshal(), v.TreeAfter)
		equal(t, "hash after", tr.tree.rootHash(), v.HashAfter)
		equal(t, "the tree that was cloned", tree.rootHash(), v.HashBefore)
		used++
	}
	counted(t, "tree-operations.json", used, 5)
}

func TestVectorsTreeValidation(t *testing.T) {
	type vector struct {
		Suite       CipherSuite `json:"cipher_suite"`
		Tree        hexBytes
		GroupID     hexBytes `json:"group_id"`
		Resolutions [][]nodeIndex
		TreeHashes  []hexBytes `json:"tree_hashes"`
	}
	used, nodes := 0, 0
	for _, v := range readVectors[vector](t, "tree-validation.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		used++
		tree, err := parseRatchetTree(s, v.Tree)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tree", tree.marshal(), v.Tree)
		if err := tree.check(v.GroupID, nil); err != nil {
			t.Fatal(err)
		}
		for i, want := range v.TreeHashes {
			x := nodeIndex(i)
			equal(t, "tree hash", []byte(tree.hash(x)), want)
			if got := tree.resolution(x); !slices.Equal(got, v.Resolutions[i]) {
				t.Fatalf("resolution of %d: %v, want %v", x, got, v.Resolutions[i])
			}
			nodes++
		}
	}
	counted(t, "tree-validation.json trees", used, 70)
	counted(t, "tree-validation.json nodes", nodes, 2270)
}

type treeKEMVector struct {
	Suite         CipherSuite `json:"cipher_suite"`
	GroupID       hexBytes    `json:"group_id"`
	Epoch         uint64
	ConfirmedHash hexBytes        `json:"confirmed_transcript_hash"`
	Tree          hexBytes        `json:"ratchet_tree"`
	LeavesPrivate []treeKEMLeaf   `json:"leaves_private"`
	UpdatePaths   []treeKEMUpdate `json:"update_paths"`
}

type treeKEMLeaf struct {
	Index          LeafIndex
	EncryptionPriv hexBytes `json:"encryption_priv"`
	SignaturePriv  hexBytes `json:"signature_priv"`
	PathSecrets    []struct {
		Node       nodeIndex
		PathSecret hexBytes `json:"path_secret"`
	} `json:"path_secrets"`
}

type treeKEMUpdate struct {
	Sender        LeafIndex
	UpdatePath    hexBytes   `json:"update_path"`
	PathSecrets   []hexBytes `json:"path_secrets"`
	CommitSecret  hexBytes   `json:"commit_secret"`
	TreeHashAfter hexBytes   `json:"tree_hash_after"`
}

func TestVectorsTreeKEM(t *testing.T) {
	used, paths, opened := 0, 0, 0
	for _, v := range readVectors[treeKEMVector](t, "treekem.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		used++
		tree, err := parseRatchetTree(s, v.Tree)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tree", tree.marshal(), v.Tree)
		private := treeKEMKeys(t, s, tree, v.LeavesPrivate)
		for _, u := range v.UpdatePaths {
			paths++
			opened += checkTreeKEM(t, s, &v, tree, private, &u)
		}
	}
	counted(t, "treekem.json trees", used, 55)
	counted(t, "treekem.json paths", paths, 310)
	counted(t, "treekem.json paths opened", opened, 1640)
}

// treeKEMKeys makes the private state of every leaf, and checks that it fits the tree.
func treeKEMKeys(t *testing.T, s *suite, tree *ratchetTree, leaves []treeKEMLeaf) map[LeafIndex]privateKeys {
	out := make(map[LeafIndex]privateKeys)
	for _, l := range leaves {
		keys := privateKeys{l.Index.node(): hpkeFrom(t, s, l.EncryptionPriv)}
		for _, p := range l.PathSecrets {
			key, err := s.deriveKey(s.deriveSecret(Secret(p.PathSecret), "node"))
			if err != nil {
				t.Fatal(err)
			}
			keys[p.Node] = key
		}
		for x, key := range keys {
			public, err := key.public(s)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "public key", public, tree.at(x).encryptionKey())
		}
		out[l.Index] = keys
	}
	return out
}

// checkTreeKEM merges a path, opens it as every other leaf, and makes a new one in its place.
func checkTreeKEM(t *testing.T, s *suite, v *treeKEMVector, before *ratchetTree, private map[LeafIndex]privateKeys, u *treeKEMUpdate) int {
	r := reader{b: u.UpdatePath}
	path := decodeUpdatePath(&r)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	reencodes(t, "update path", u.UpdatePath, path.encode)
	tree := before.clone()
	steps := tree.filteredPath(u.Sender)
	if err := tree.checkPathShape(steps, path.nodes, nil); err != nil {
		t.Fatal(err)
	}
	if err := tree.checkFresh(u.Sender, path); err != nil {
		t.Fatal(err)
	}
	equal(t, "parent hash", tree.mergePath(u.Sender, steps, path.keys()), path.leaf.ParentHash)
	if err := path.leaf.verify(s, v.GroupID, u.Sender); err != nil {
		t.Fatal(err)
	}
	tree.set(u.Sender.node(), &node{leaf: path.leaf})
	equal(t, "tree hash after", tree.rootHash(), u.TreeHashAfter)
	context := groupContext{suite: v.Suite, groupID: v.GroupID, epoch: v.Epoch, treeHash: u.TreeHashAfter, confirmedTranscriptHash: v.ConfirmedHash}
	opened := openTreeKEM(t, tree, private, u, steps, path.nodes, context.marshal(), Secret(u.CommitSecret), u.PathSecrets)

	fresh, err := s.derivePath(random(s.nh), len(steps))
	if err != nil {
		t.Fatal(err)
	}
	public, _ := fresh.publicKeys(s)
	tree = before.clone()
	leaf := *path.leaf
	leaf.ParentHash = tree.mergePath(u.Sender, steps, public)
	for _, l := range v.LeavesPrivate {
		if l.Index == u.Sender {
			if _, err := leaf.renew(s, signerFrom(t, s, l.SignaturePriv), v.GroupID, u.Sender); err != nil {
				t.Fatal(err)
			}
		}
	}
	tree.set(u.Sender.node(), &node{leaf: &leaf})
	context.treeHash = tree.rootHash()
	nodes, err := tree.sealPath(steps, fresh, nil, context.marshal())
	if err != nil {
		t.Fatal(err)
	}
	openTreeKEM(t, tree, private, u, steps, nodes, context.marshal(), fresh.commit, nil)
	return opened
}

func openTreeKEM(t *testing.T, tree *ratchetTree, private map[LeafIndex]privateKeys, u *treeKEMUpdate, steps []pathStep, nodes []pathNode, context []byte, commit Secret, secrets []hexBytes) int {
	opened := 0
	for i := range tree.leaves() {
		if i == u.Sender {
			continue
		}
		keys := make(privateKeys)
		for x, k := range private[i] {
			if !u.Sender.node().under(x) {
				keys[x] = k
			}
		}
		got, err := tree.openPath(i, keys, steps, nodes, nil, context)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "commit secret", got, commit)
		if secrets != nil {
			ancestor := commonAncestor(i, u.Sender)
			key, err := tree.suite.deriveKey(tree.suite.deriveSecret(Secret(secrets[i]), "node"))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "key of the path secret", keys[ancestor].secret, key.secret)
		}
		opened++
	}
	return opened
}
