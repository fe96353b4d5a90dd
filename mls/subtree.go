package mls

import "iter"

// A subtree is a place of the tree and all below it. Trees share subtrees: one is changed in place only by the edit that made it,
// and copied by others. So a commit copies the path from its leaf to the root and nothing beside it, and what
// two trees have in common is seen by comparing pointers. A nil subtree, and one without children, is blank below.
type subtree struct {
	node        *node // nil where the place is blank
	left, right *subtree
	// hash is the tree hash (RFC 9420, Section 7.8); empty until it is computed, which it is before a tree is shared.
	hash string
	// leaves is the number of members.
	leaves uint32
	owner  *edit
}

// An edit is a tree's right to change the subtrees that were made since its last clone.
type edit struct{ _ byte }

// members is s.leaves for a subtree that may be nil.
func (s *subtree) members() uint32 {
	if s == nil {
		return 0
	}
	return s.leaves
}

// own returns a subtree of which t may change everything but what is below.
func (t *ratchetTree) own(s *subtree) *subtree {
	e := t.edit.Load()
	if e == nil {
		e = new(edit)
		t.edit.Store(e)
	}
	switch {
	case s == nil:
		return &subtree{owner: e}
	case s.owner == e:
		return s
	}
	c := *s
	c.owner = e
	return &c
}

// put returns s, which is at y, with n in the place x.
func (t *ratchetTree) put(s *subtree, y, x nodeIndex, n *node) *subtree {
	s = t.own(s)
	s.hash = ""
	switch {
	case x < y:
		s.left = t.put(s.left, y.left(), x, n)
	case x > y:
		s.right = t.put(s.right, y.right(), x, n)
	default:
		s.node = n
	}
	if !y.isLeaf() {
		s.leaves = s.left.members() + s.right.members()
	} else if s.leaves = 0; s.node != nil {
		s.leaves = 1
	}
	return s
}

// subtreeAt returns the subtree at x, which must be a place of the tree.
func (t *ratchetTree) subtreeAt(x nodeIndex) *subtree {
	s := t.top
	for y := t.root(); s != nil && y != x; {
		if x < y {
			s, y = s.left, y.left()
		} else {
			s, y = s.right, y.right()
		}
	}
	return s
}

// each calls yield for the nodes of s, which is at y, from the left to the right, until it returns false.
func (s *subtree) each(y nodeIndex, yield func(nodeIndex, *node) bool) bool {
	if s == nil {
		return true
	}
	return (s.left == nil || s.left.each(y.left(), yield)) &&
		(s.node == nil || yield(y, s.node)) &&
		(s.right == nil || s.right.each(y.right(), yield))
}

// all yields the nodes that are not blank, with their places, from the left to the right.
func (t *ratchetTree) all() iter.Seq2[nodeIndex, *node] {
	return func(yield func(nodeIndex, *node) bool) { t.top.each(t.root(), yield) }
}

// changesSince calls change for each place whose node in t is not the one in base, from the left to the right; base may be nil.
// Its cost is that of the difference.
func (t *ratchetTree) changesSince(base *ratchetTree, change func(x nodeIndex, was, is *node)) {
	if base == nil {
		base = &ratchetTree{width: t.width}
	}
	width := max(base.width, t.width)
	compare(rootOf(width), base.lifted(width), t.lifted(width), change)
}

// lifted is the tree as the left end of one of n leaves.
func (t *ratchetTree) lifted(n uint32) *subtree {
	s := t.top
	for width := t.width; width < n; width *= 2 {
		s = &subtree{left: s}
	}
	return s
}

func compare(y nodeIndex, a, b *subtree, change func(x nodeIndex, was, is *node)) {
	if a == b {
		return
	}
	var none subtree
	if a == nil {
		a = &none
	}
	if b == nil {
		b = &none
	}
	if !y.isLeaf() {
		compare(y.left(), a.left, b.left, change)
	}
	if a.node != b.node {
		change(y, a.node, b.node)
	}
	if !y.isLeaf() {
		compare(y.right(), a.right, b.right, change)
	}
}
