package mls

import "math/bits"

// The tree is a full binary tree in an array (RFC 9420, Appendix C): leaves at even places, and every parent between its
// subtrees. Places do not change when the tree grows or shrinks on its right.

// A nodeIndex is a node's place in the array.
type nodeIndex uint32

// node returns the leaf's place in the array. The index must be one of the tree.
func (i LeafIndex) node() nodeIndex { return 2 * nodeIndex(i) }

func (x nodeIndex) isLeaf() bool { return x&1 == 0 }

// leafIndex is the inverse of LeafIndex.node.
func (x nodeIndex) leafIndex() LeafIndex { return LeafIndex(x / 2) }

// level is a node's height above the leaves.
func (x nodeIndex) level() int { return bits.TrailingZeros32(^uint32(x)) }

// left and right are the children of a parent node.
func (x nodeIndex) left() nodeIndex  { return x ^ 1<<(x.level()-1) }
func (x nodeIndex) right() nodeIndex { return x ^ 3<<(x.level()-1) }

// parent is the node above x, which must not be the root.
func (x nodeIndex) parent() nodeIndex {
	k := x.level()
	return (x | 1<<k) &^ (1 << (k + 1))
}

// sibling is the other child of the parent of x, which must not be the root.
func (x nodeIndex) sibling() nodeIndex {
	p := x.parent()
	if x < p {
		return p.right()
	}
	return p.left()
}

// under tells whether y is x or one of its ancestors.
func (x nodeIndex) under(y nodeIndex) bool {
	k := y.level()
	return x>>(k+1) == y>>(k+1) && x.level() <= k
}

// rootOf is the root of a tree with n leaves, a power of two.
func rootOf(n uint32) nodeIndex { return nodeIndex(n - 1) }

// widthOf is the number of nodes of a tree with n leaves.
func widthOf(n uint32) int { return int(2*n - 1) }

// fullSize is the number of leaves of the smallest full tree with at least n leaves, for 0 < n <= 2^31.
func fullSize(n uint32) uint32 { return 1 << bits.Len32(n-1) }

// directPath lists the ancestors of x, the nearest first, in a tree with n leaves.
func directPath(x nodeIndex, n uint32) []nodeIndex {
	root := rootOf(n)
	path := make([]nodeIndex, 0, bits.Len32(n))
	for x != root {
		x = x.parent()
		path = append(path, x)
	}
	return path
}

// commonAncestor is the lowest node above both leaves; they must differ.
func commonAncestor(a, b LeafIndex) nodeIndex {
	x, y := a.node(), b.node()
	for !y.under(x) {
		x = x.parent()
	}
	return x
}
