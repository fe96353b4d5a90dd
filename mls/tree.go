package mls

import (
	"crypto/hpke"
	"iter"
	"slices"
	"sync/atomic"
)

// maxLeaves bounds the tree: far above any group that is workable, and low enough that a false index in a saved state cannot
// cost more than the hashes of as many blank leaves, a second's work.
const maxLeaves = 1 << maxLevels

// maxLevels is how many nodes are above a leaf of the greatest tree.
const maxLevels = 20

// A parentNode is a node above leaves (RFC 9420, Section 7.1).
type parentNode struct {
	encryptionKey []byte
	parentHash    []byte
	unmerged      []LeafIndex
}

func (p *parentNode) encode(w *writer) {
	w.opaque(p.encryptionKey)
	w.opaque(p.parentHash)
	w.length(4 * len(p.unmerged))
	for _, i := range p.unmerged {
		w.uint32(uint32(i))
	}
}

func decodeParentNode(r *reader) *parentNode {
	p := &parentNode{encryptionKey: r.opaque(), parentHash: r.opaque()}
	b := r.opaque()
	if len(b)%4 != 0 {
		r.fail("half a number")
		return p
	}
	for sub := (reader{b: b}); len(sub.b) > 0; {
		i := LeafIndex(sub.uint32())
		if n := len(p.unmerged); n > 0 && p.unmerged[n-1] >= i {
			r.fail("unmerged leaves out of order")
			return p
		}
		p.unmerged = append(p.unmerged, i)
	}
	return p
}

// A node is a leaf or a parent; a blank node is a nil pointer. A node that stands in a tree is never changed, because
// several trees share it: a change puts another one in its place.
type node struct {
	leaf   *LeafNode
	parent *parentNode

	// parsed is the encryption key, once it was needed. Clones of a group may race to fill it in.
	parsed atomic.Pointer[hpke.PublicKey]
	// hashed is the keyHash of the encryption key, once it was needed.
	hashed atomic.Uint64
}

// newParent makes a parent node without unmerged leaves, in one piece of memory.
func newParent(key, parentHash []byte) *node {
	var both struct {
		node
		of parentNode
	}
	both.of = parentNode{encryptionKey: key, parentHash: parentHash}
	both.parent = &both.of
	return &both.node
}

func (n *node) encryptionKey() []byte {
	if n.leaf != nil {
		return n.leaf.EncryptionKey
	}
	return n.parent.encryptionKey
}

func (n *node) publicKey(s *suite) (hpke.PublicKey, error) {
	if p := n.parsed.Load(); p != nil {
		return *p, nil
	}
	key, err := s.publicKey(n.encryptionKey())
	if err != nil {
		return nil, err
	}
	n.parsed.Store(&key)
	return key, nil
}

func (n *node) encode(w *writer) {
	if n.leaf != nil {
		w.uint8(1)
		n.leaf.encode(w)
		return
	}
	w.uint8(2)
	n.parent.encode(w)
}

// decodeNode reads the node for this place.
func decodeNode(r *reader, x nodeIndex) *node {
	n := &node{}
	switch kind := r.uint8(); {
	case kind == 1 && x.isLeaf():
		n.leaf = decodeLeafNode(r)
	case kind == 2 && !x.isLeaf():
		n.parent = decodeParentNode(r)
	default:
		r.fail("a node in the place of another kind")
	}
	return n
}

// A ratchetTree is the public half of the tree (RFC 9420, Section 7). Its number of leaves is a power of two. A clone shares all
// of it, and either is changed without the other.
type ratchetTree struct {
	suite *suite
	top   *subtree
	// width is the number of leaves, blank ones included.
	width uint32
	edit  atomic.Pointer[edit]
	// census is of the tree as it was counted last; nil before the first time.
	census *census
}

func newRatchetTree(s *suite, leaf *LeafNode) *ratchetTree {
	t := &ratchetTree{suite: s, width: 1}
	t.set(0, &node{leaf: leaf})
	return t
}

func (t *ratchetTree) clone() *ratchetTree {
	t.edit.Store(nil)
	return &ratchetTree{suite: t.suite, top: t.top, width: t.width, census: t.census}
}

// size is the number of leaves, blank ones included.
func (t *ratchetTree) size() uint32 { return t.width }

func (t *ratchetTree) root() nodeIndex { return rootOf(t.size()) }

// has tells whether x is a place of the tree.
func (t *ratchetTree) has(x nodeIndex) bool { return uint64(x) < uint64(widthOf(t.width)) }

// at returns the node in place x; nil if it is blank or outside of the tree.
func (t *ratchetTree) at(x nodeIndex) *node {
	if !t.has(x) {
		return nil
	}
	if s := t.subtreeAt(x); s != nil {
		return s.node
	}
	return nil
}

// leaf returns the leaf at i; nil if it is blank or outside of the tree.
func (t *ratchetTree) leaf(i LeafIndex) *LeafNode {
	if uint32(i) >= t.size() {
		return nil
	}
	if n := t.at(i.node()); n != nil {
		return n.leaf
	}
	return nil
}

func (t *ratchetTree) member(i LeafIndex) (Member, bool) {
	l := t.leaf(i)
	if l == nil {
		return Member{}, false
	}
	return l.member(i), true
}

func (t *ratchetTree) leaves() iter.Seq2[LeafIndex, *LeafNode] {
	return func(yield func(LeafIndex, *LeafNode) bool) {
		t.top.each(t.root(), func(x nodeIndex, n *node) bool { return n.leaf == nil || yield(x.leafIndex(), n.leaf) })
	}
}

func (t *ratchetTree) members() iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for i, l := range t.leaves() {
			if !yield(l.member(i)) {
				return
			}
		}
	}
}

// set puts n in place x, and forgets the hashes that cover it.
func (t *ratchetTree) set(x nodeIndex, n *node) { t.top = t.put(t.top, t.root(), x, n) }

// blankPath blanks the ancestors of a leaf, and forgets their hashes.
func (t *ratchetTree) blankPath(i LeafIndex) {
	for _, x := range directPath(i.node(), t.size()) {
		t.set(x, nil)
	}
}

// place finds the leftmost blank leaf, for which the tree grows if there is none.
func (t *ratchetTree) place() LeafIndex {
	if t.top.members() == t.size() {
		t.resize(2 * t.size())
	}
	x, s := t.root(), t.top
	for !x.isLeaf() {
		if half := uint32(1) << (x.level() - 1); s != nil && s.left.members() == half {
			x, s = x.right(), s.right
			continue
		}
		x = x.left()
		if s != nil {
			s = s.left
		}
	}
	return x.leafIndex()
}

// add puts a leaf into the leftmost blank place (RFC 9420, Section 12.1.1).
func (t *ratchetTree) add(leaf *LeafNode) LeafIndex {
	i := t.place()
	for _, x := range directPath(i.node(), t.size()) {
		if n := t.at(x); n != nil {
			p := *n.parent
			at, _ := slices.BinarySearch(p.unmerged, i)
			p.unmerged = slices.Insert(slices.Clip(p.unmerged), at, i)
			t.set(x, &node{parent: &p})
		}
	}
	t.set(i.node(), &node{leaf: leaf})
	return i
}

// update replaces a leaf (RFC 9420, Section 12.1.2).
func (t *ratchetTree) update(i LeafIndex, leaf *LeafNode) {
	t.blankPath(i)
	t.set(i.node(), &node{leaf: leaf})
}

// remove blanks a leaf and truncates the tree (RFC 9420, Section 12.1.3).
func (t *ratchetTree) remove(i LeafIndex) {
	t.blankPath(i)
	t.set(i.node(), nil)
	// The tree is halved while its right half has no leaf.
	for t.width > 1 && (t.top == nil || t.top.right.members() == 0) {
		t.resize(t.width / 2)
	}
}

// resize makes the tree one of n leaves, a power of two. Places and the hashes of the subtrees that stay keep their value.
func (t *ratchetTree) resize(n uint32) {
	for t.width > n {
		if t.top != nil {
			t.top = t.top.left
		}
		t.width /= 2
	}
	for t.width < n {
		left := t.top
		t.top = t.own(nil)
		t.top.left, t.top.leaves = left, left.members()
		t.width *= 2
	}
}

// resolution lists the nodes that together cover the members under x (RFC 9420, Section 4.1.1).
func (t *ratchetTree) resolution(x nodeIndex) []nodeIndex {
	return t.subtreeAt(x).appendResolution(nil, x)
}

// appendResolution appends the resolution of s, which is at x.
func (s *subtree) appendResolution(out []nodeIndex, x nodeIndex) []nodeIndex {
	switch {
	case s == nil:
		return out
	case s.node != nil:
		out = append(out, x)
		if s.node.parent != nil {
			for _, i := range s.node.parent.unmerged {
				out = append(out, i.node())
			}
		}
		return out
	case x.isLeaf():
		return out
	}
	return s.right.appendResolution(s.left.appendResolution(out, x.left()), x.right())
}

// empty tells whether there is no member under x.
func (t *ratchetTree) empty(x nodeIndex) bool { return t.subtreeAt(x).members() == 0 }

// encode writes the tree as in the ratchet_tree extension (RFC 9420, Section 12.4.3.3), without the blank nodes at the right end.
func (t *ratchetTree) encode(w *writer) {
	start := w.open()
	next := nodeIndex(0)
	for x, n := range t.all() {
		for ; next < x; next++ {
			w.present(false)
		}
		w.present(true)
		n.encode(w)
		next++
	}
	w.close(start)
}

func (t *ratchetTree) marshal() []byte {
	w := writer{make([]byte, 0, t.sizeHint())}
	t.encode(&w)
	return w.b
}

// sizeHint is about how long the tree's encoding is, rather more than less.
func (t *ratchetTree) sizeHint() int {
	size := 4
	for _, n := range t.all() {
		size += n.sizeHint()
	}
	return size + int(t.width) // a byte for each blank node
}

// sizeHint is about how long the node's encoding is, rather more than less: a tree is encoded into memory that is taken once.
func (n *node) sizeHint() int {
	const rest = 64 // numbers and the lengths of vectors
	if n.parent != nil {
		return len(n.parent.encryptionKey) + len(n.parent.parentHash) + 4*len(n.parent.unmerged) + rest
	}
	l, c := n.leaf, &n.leaf.Capabilities
	size := len(l.EncryptionKey) + len(l.SignatureKey) + len(l.Credential.Identity) + len(l.ParentHash) + len(l.Signature) + rest
	size += 2 * (len(c.Versions) + len(c.CipherSuites) + len(c.Extensions) + len(c.Proposals) + len(c.Credentials))
	return size + l.Extensions.sizeHint()
}

// decodeRatchetTree reads a tree; whether it is a valid one is for check to say.
func decodeRatchetTree(s *suite, r *reader) *ratchetTree {
	var nodes []*node
	r.each(func(r *reader) {
		var n *node
		if r.present() {
			n = decodeNode(r, nodeIndex(len(nodes)))
		}
		nodes = append(nodes, n)
	})
	// Above a blank leaf at the right end every node is blank, so that a tree ends in a leaf.
	if r.err == nil && (len(nodes)%2 == 0 || nodes[len(nodes)-1] == nil) {
		r.fail("a tree that does not end in a leaf")
	}
	if len(nodes) > widthOf(maxLeaves) {
		r.fail("a tree that is too large")
	}
	if r.err != nil {
		return nil
	}
	t := &ratchetTree{suite: s, width: fullSize(uint32(len(nodes)+2) / 2)}
	for x, n := range nodes {
		if n != nil {
			t.set(nodeIndex(x), n)
		}
	}
	return t
}

func parseRatchetTree(s *suite, b []byte) (*ratchetTree, error) {
	r := reader{b: b}
	t := decodeRatchetTree(s, &r)
	if err := r.end(); err != nil {
		return nil, err
	}
	return t, nil
}
