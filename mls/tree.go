package mls

import (
	"crypto/hpke"
	"iter"
	"slices"
	"sync/atomic"
)

// maxLeaves bounds the tree: far above any group that is workable, and low enough that a false index in a saved state cannot
// exhaust memory (two arrays of 2^21 pointers and strings are 48 MiB).
const maxLeaves = 1 << 20

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

// A ratchetTree is the public half of the tree (RFC 9420, Section 7). Its number of leaves is a power of two. A clone
// shares the nodes and copies the two arrays of pointers.
type ratchetTree struct {
	suite *suite
	nodes []*node
	// hashes caches tree hashes by place; the empty string is one to be computed.
	hashes []string
	// noBlankBelow is a leaf such that no leaf on its left is blank.
	noBlankBelow LeafIndex
}

func newRatchetTree(s *suite, leaf *LeafNode) *ratchetTree {
	return &ratchetTree{suite: s, nodes: []*node{{leaf: leaf}}, hashes: make([]string, 1)}
}

func (t *ratchetTree) clone() *ratchetTree {
	return &ratchetTree{t.suite, slices.Clone(t.nodes), slices.Clone(t.hashes), t.noBlankBelow}
}

// size is the number of leaves, blank ones included.
func (t *ratchetTree) size() uint32 { return uint32(len(t.nodes)+1) / 2 }

func (t *ratchetTree) root() nodeIndex { return rootOf(t.size()) }

// leaf returns the leaf at i; nil if it is blank or outside of the tree.
func (t *ratchetTree) leaf(i LeafIndex) *LeafNode {
	if uint32(i) >= t.size() || t.nodes[i.node()] == nil {
		return nil
	}
	return t.nodes[i.node()].leaf
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
		for x := 0; x < len(t.nodes); x += 2 {
			if n := t.nodes[x]; n != nil && !yield(LeafIndex(x/2), n.leaf) {
				return
			}
		}
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
func (t *ratchetTree) set(x nodeIndex, n *node) {
	t.nodes[x] = n
	for root := t.root(); ; x = x.parent() {
		t.hashes[x] = ""
		if x == root {
			return
		}
	}
}

// blankPath blanks the ancestors of a leaf.
func (t *ratchetTree) blankPath(i LeafIndex) {
	for _, x := range directPath(i.node(), t.size()) {
		t.nodes[x], t.hashes[x] = nil, ""
	}
}

// place finds the leftmost blank leaf, for which the tree grows if there is none.
func (t *ratchetTree) place() LeafIndex {
	i := t.noBlankBelow
	for t.leaf(i) != nil {
		i++
	}
	t.noBlankBelow = i + 1
	if uint32(i) == t.size() {
		t.resize(2 * t.size())
	}
	return i
}

// add puts a leaf into the leftmost blank place (RFC 9420, Section 12.1.1).
func (t *ratchetTree) add(leaf *LeafNode) LeafIndex {
	i := t.place()
	for _, x := range directPath(i.node(), t.size()) {
		if n := t.nodes[x]; n != nil {
			p := *n.parent
			at, _ := slices.BinarySearch(p.unmerged, i)
			p.unmerged = slices.Insert(slices.Clip(p.unmerged), at, i)
			t.nodes[x] = &node{parent: &p}
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
	t.noBlankBelow = min(t.noBlankBelow, i)
	t.truncate()
}

// truncate halves the tree while its right half has no leaf.
func (t *ratchetTree) truncate() {
	n := t.size()
	for n > 1 && !t.anyLeaf(n/2, n) {
		n /= 2
	}
	if n != t.size() {
		t.resize(n)
	}
}

func (t *ratchetTree) anyLeaf(from, to uint32) bool {
	for i := from; i < to; i++ {
		if t.leaf(LeafIndex(i)) != nil {
			return true
		}
	}
	return false
}

// resize makes the tree one of n leaves, a power of two. Places and the hashes of the subtrees that stay keep their value.
func (t *ratchetTree) resize(n uint32) {
	width := widthOf(n)
	if width < len(t.nodes) {
		t.nodes, t.hashes = slices.Clip(t.nodes[:width]), slices.Clip(t.hashes[:width])
		return
	}
	t.nodes = append(t.nodes, make([]*node, width-len(t.nodes))...)
	t.hashes = append(t.hashes, make([]string, width-len(t.hashes))...)
}

// resolution lists the nodes that together cover the members under x (RFC 9420, Section 4.1.1).
func (t *ratchetTree) resolution(x nodeIndex) []nodeIndex {
	return t.appendResolution(nil, x)
}

func (t *ratchetTree) appendResolution(out []nodeIndex, x nodeIndex) []nodeIndex {
	n := t.nodes[x]
	switch {
	case n != nil && n.parent != nil:
		out = append(out, x)
		for _, i := range n.parent.unmerged {
			out = append(out, i.node())
		}
		return out
	case n != nil:
		return append(out, x)
	case x.isLeaf():
		return out
	}
	return t.appendResolution(t.appendResolution(out, x.left()), x.right())
}

// empty tells whether the resolution of x is.
func (t *ratchetTree) empty(x nodeIndex) bool {
	switch {
	case t.nodes[x] != nil:
		return false
	case x.isLeaf():
		return true
	}
	return t.empty(x.left()) && t.empty(x.right())
}

// encode writes the tree as in the ratchet_tree extension (RFC 9420, Section 12.4.3.3), without the blank nodes at the right end.
func (t *ratchetTree) encode(w *writer) {
	last := len(t.nodes) - 1
	for t.nodes[last] == nil {
		last--
	}
	start := w.open()
	for _, n := range t.nodes[:last+1] {
		w.present(n != nil)
		if n != nil {
			n.encode(w)
		}
	}
	w.close(start)
}

func (t *ratchetTree) marshal() []byte {
	var w writer
	t.encode(&w)
	return w.b
}

// decodeRatchetTree reads a tree; whether it is a valid one is for check to say.
func decodeRatchetTree(s *suite, r *reader) *ratchetTree {
	t := &ratchetTree{suite: s}
	r.each(func(r *reader) {
		var n *node
		if r.present() {
			n = decodeNode(r, nodeIndex(len(t.nodes)))
		}
		t.nodes = append(t.nodes, n)
	})
	// Above a blank leaf at the right end every node is blank, so that a tree ends in a leaf.
	if r.err == nil && (len(t.nodes)%2 == 0 || t.nodes[len(t.nodes)-1] == nil) {
		r.fail("a tree that does not end in a leaf")
	}
	if len(t.nodes) > widthOf(maxLeaves) {
		r.fail("a tree that is too large")
	}
	if r.err != nil {
		return nil
	}
	t.resize(fullSize(uint32(len(t.nodes)+2) / 2))
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
