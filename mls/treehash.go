package mls

import (
	"bytes"
	"slices"
)

// hash returns the tree hash of the subtree at x (RFC 9420, Section 7.8). It recomputes only what changed since the
// last time: set forgets the hashes above a change.
func (t *ratchetTree) hash(x nodeIndex) string { return t.hashOf(t.subtreeAt(x), x) }

// hashOf is the hash of s, which is at x.
func (t *ratchetTree) hashOf(s *subtree, x nodeIndex) string {
	switch {
	case s == nil:
		return t.blankHash(x)
	case s.hash != "":
		return s.hash
	case x.isLeaf():
		s.hash = t.hashNode(x, s.node, "", "")
	case s.node == nil && s.left == nil && s.right == nil:
		s.hash = t.blankHash(x)
	default:
		// The hash of what is blank is kept too: it may be that of half of the tree.
		if s.left == nil {
			s.left = &subtree{owner: s.owner}
		}
		if s.right == nil {
			s.right = &subtree{owner: s.owner}
		}
		s.hash = t.hashNode(x, s.node, t.hashOf(s.left, x.left()), t.hashOf(s.right, x.right()))
	}
	return s.hash
}

// blankHash is the hash of a subtree at x without any node.
func (t *ratchetTree) blankHash(x nodeIndex) string {
	if x.isLeaf() {
		return t.hashNode(x, nil, "", "")
	}
	return t.hashNode(x, nil, t.blankHash(x.left()), t.blankHash(x.right()))
}

func (t *ratchetTree) rootHash() []byte {
	if t.top == nil {
		t.top = t.own(nil)
	}
	return []byte(t.hash(t.root()))
}

// hashNode hashes TreeHashInput for the place x with this content.
func (t *ratchetTree) hashNode(x nodeIndex, n *node, left, right string) string {
	c := takeScratch()
	defer c.release()
	w := &c.plain
	w.uint8(2)
	if x.isLeaf() {
		w.b[0] = 1
		w.uint32(uint32(x.leafIndex()))
	}
	w.present(n != nil)
	switch {
	case n != nil && n.leaf != nil:
		n.leaf.encode(w)
	case n != nil:
		n.parent.encode(w)
	}
	if !x.isLeaf() {
		w.text(left)
		w.text(right)
	}
	var sum [maxHash]byte
	t.suite.sum(&sum, w.b)
	return string(sum[:t.suite.nh])
}

// hashWithout returns the tree hash that the subtree at x has when these leaves, in increasing order, are blanked and taken from
// all lists of unmerged leaves. Below a node under which none of them lies, the cached hashes serve.
func (t *ratchetTree) hashWithout(x nodeIndex, leaves []LeafIndex) string {
	leaves = within(x, leaves)
	if len(leaves) == 0 {
		return t.hash(x)
	}
	if x.isLeaf() {
		return t.hashNode(x, nil, "", "")
	}
	n := t.at(x)
	if n != nil {
		p := *n.parent
		p.unmerged = slices.DeleteFunc(slices.Clone(p.unmerged), func(i LeafIndex) bool {
			_, found := slices.BinarySearch(leaves, i)
			return found
		})
		n = &node{parent: &p}
	}
	return t.hashNode(x, n, t.hashWithout(x.left(), leaves), t.hashWithout(x.right(), leaves))
}

// within returns those of the leaves, given in increasing order, that lie under x.
func within(x nodeIndex, leaves []LeafIndex) []LeafIndex {
	half := nodeIndex(1)<<x.level() - 1
	from, _ := slices.BinarySearch(leaves, (x - half).leafIndex())
	to, found := slices.BinarySearch(leaves, (x + half).leafIndex())
	if found {
		to++
	}
	return leaves[from:to]
}

// parentHashOf is the parent hash of p, given its sibling's original tree hash (RFC 9420, Section 7.9).
func (s *suite) parentHashOf(p *parentNode, siblingHash string) []byte {
	c := takeScratch()
	defer c.release()
	w := &c.plain
	w.opaque(p.encryptionKey)
	w.opaque(p.parentHash)
	w.text(siblingHash)
	var sum [maxHash]byte
	s.sum(&sum, w.b)
	return bytes.Clone(sum[:s.nh])
}

// checkParentHashes verifies that each parent node was set together with exactly one node below it, down to a leaf
// that signed for it (RFC 9420, Section 7.9.2).
func (t *ratchetTree) checkParentHashes() error {
	for p, n := range t.all() {
		if n.parent == nil {
			continue
		}
		links := t.parentHashLinks(n.parent, p.left(), p.right()) + t.parentHashLinks(n.parent, p.right(), p.left())
		if links != 1 {
			return invalid("7.9.2", "a parent node is not parent-hash valid")
		}
	}
	return nil
}

// parentHashLinks counts the nodes under child whose parent hash is valid with respect to p.
func (t *ratchetTree) parentHashLinks(p *parentNode, child, sibling nodeIndex) int {
	want := t.suite.parentHashOf(p, t.hashWithout(sibling, p.unmerged))
	unmerged := within(child, p.unmerged)
	resolution := t.resolution(child)
	links := 0
	for _, x := range resolution {
		if bytes.Equal(t.at(x).parentHash(), want) && coversBut(resolution, x, unmerged) {
			links++
		}
	}
	return links
}

// parentHash returns the node's parent hash; nil for leaves that do not have one.
func (n *node) parentHash() []byte {
	if n.leaf != nil {
		return n.leaf.ParentHash
	}
	return n.parent.parentHash
}

// coversBut tells whether the resolution without x is exactly these leaves.
func coversBut(resolution []nodeIndex, x nodeIndex, leaves []LeafIndex) bool {
	if len(resolution) != len(leaves)+1 {
		return false
	}
	for _, y := range resolution {
		if y == x {
			continue
		}
		if _, found := slices.BinarySearch(leaves, y.leafIndex()); !y.isLeaf() || !found {
			return false
		}
	}
	return true
}
