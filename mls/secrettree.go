package mls

import "maps"

// A ratchetKind tells a sender's two ratchets apart (RFC 9420, Section 9.1).
type ratchetKind uint8

const (
	handshakeRatchet ratchetKind = iota
	applicationRatchet
)

func kindOf(c ContentType) ratchetKind {
	if c == ContentApplication {
		return applicationRatchet
	}
	return handshakeRatchet
}

type ratchetID struct {
	leaf LeafIndex
	kind ratchetKind
}

// A secretTree holds the unused secrets of an epoch's messages (RFC 9420, Section 9). It begins as its root alone; the nodes down to a
// sender's leaf are derived when that sender is first heard, and their parents forgotten.
type secretTree struct {
	unprintable
	suite *suite
	// leaves is the number of leaves, a power of two.
	leaves   uint32
	nodes    map[nodeIndex]Secret
	ratchets map[ratchetID]*ratchet

	// dirty are the places whose records are to be written or deleted.
	dirtyNodes    map[nodeIndex]struct{}
	dirtyRatchets map[ratchetID]struct{}
}

func newSecretTree(s *suite, leaves uint32, encryptionSecret Secret) *secretTree {
	t := emptySecretTree(s, leaves)
	t.putNode(rootOf(leaves), encryptionSecret)
	return t
}

func emptySecretTree(s *suite, leaves uint32) *secretTree {
	return &secretTree{
		suite: s, leaves: leaves,
		nodes:         make(map[nodeIndex]Secret),
		ratchets:      make(map[ratchetID]*ratchet),
		dirtyNodes:    make(map[nodeIndex]struct{}),
		dirtyRatchets: make(map[ratchetID]struct{}),
	}
}

func (t *secretTree) clone() *secretTree {
	c := *t
	c.nodes, c.ratchets = maps.Clone(t.nodes), maps.Clone(t.ratchets)
	c.dirtyNodes, c.dirtyRatchets = maps.Clone(t.dirtyNodes), maps.Clone(t.dirtyRatchets)
	return &c
}

// A keyUse is a key that was taken from the tree for one message. The tree is as before until spend is called.
type keyUse struct {
	unprintable
	messageKey
	room keyRoom
	tree *secretTree
	id   ratchetID
	// after is the ratchet without the key.
	after *ratchet
	// way leads from the nearest node that had a secret down to the sender's leaf, where the ratchet was not there yet.
	way []secretNode
}

// A secretNode is a node of the tree with its secret.
type secretNode struct {
	unprintable
	place  nodeIndex
	secret Secret
}

// take finds the key for the next message of a ratchet, past the generations that are reserved. Past more than MaxForward of them
// nobody would follow.
func (t *secretTree) take(id ratchetID, reserved map[uint32]struct{}) (*keyUse, error) {
	u := new(keyUse)
	return u, u.take(t, id, reserved)
}

// take is secretTree.take into a keyUse that is there.
func (u *keyUse) take(t *secretTree, id ratchetID, reserved map[uint32]struct{}) error {
	r, err := u.begin(t, id)
	if err != nil {
		return err
	}
	first := r.next
	for r.next-first <= MaxForward {
		if _, ok := reserved[r.next]; !ok {
			break
		}
		r = r.skip(t.suite)
	}
	// As in ratchet.open, the last generation is never used.
	if r.next-first > MaxForward || r.next == 1<<32-1 {
		return &GenerationError{id.leaf, r.next, first}
	}
	u.messageKey, u.after = r.key(t.suite, &u.room), r.skip(t.suite)
	return nil
}

// find finds the key for a message of this generation.
func (t *secretTree) find(id ratchetID, generation uint32) (*keyUse, error) {
	u := new(keyUse)
	return u, u.find(t, id, generation)
}

// find is secretTree.find into a keyUse that is there.
func (u *keyUse) find(t *secretTree, id ratchetID, generation uint32) error {
	if t.ratchets[id] == nil && generation > MaxForward {
		return &GenerationError{id.leaf, generation, 0}
	}
	r, err := u.begin(t, id)
	if err != nil {
		return err
	}
	u.messageKey, u.after, err = r.open(t.suite, &u.room, id.leaf, generation)
	return err
}

// spend forgets the key, and all that it was derived from. What that was there for besides is derived first: not before, because the
// key of a commit is never spent, but ends with its epoch.
func (u *keyUse) spend() {
	t := u.tree
	if n := len(u.way); n > 0 {
		t.putNode(u.way[0].place, nil)
		for i, below := range u.way[1:] {
			other := below.place.sibling()
			t.putNode(other, t.child(u.way[i].secret, other))
		}
		kind := 1 - u.id.kind
		t.putRatchet(ratchetID{u.id.leaf, kind}, t.newRatchet(u.way[n-1].secret, kind))
	}
	t.putRatchet(u.id, u.after)
}

// putNode sets the secret of a node; nil deletes it.
func (t *secretTree) putNode(x nodeIndex, secret Secret) {
	t.dirtyNodes[x] = struct{}{}
	if secret == nil {
		delete(t.nodes, x)
		return
	}
	t.nodes[x] = secret
}

func (t *secretTree) putRatchet(id ratchetID, r *ratchet) {
	t.ratchets[id] = r
	t.dirtyRatchets[id] = struct{}{}
}

// begin returns the ratchet that a key is to be taken from, derived from the tree if need be, without changing the tree.
func (u *keyUse) begin(t *secretTree, id ratchetID) (*ratchet, error) {
	*u = keyUse{tree: t, id: id}
	if r := t.ratchets[id]; r != nil {
		return r, nil
	}
	if !u.descend() {
		return nil, ErrDecrypt
	}
	return t.newRatchet(u.way[len(u.way)-1].secret, id.kind), nil
}

// newRatchet begins one of the ratchets of a leaf.
func (t *secretTree) newRatchet(leaf Secret, kind ratchetKind) *ratchet {
	label := "handshake"
	if kind == applicationRatchet {
		label = "application"
	}
	return &ratchet{secret: t.suite.expandWithLabel(leaf, label, nil, t.suite.nh)}
}

// descend derives the secrets from the nearest ancestor of the sender's leaf that has one down to the leaf.
func (u *keyUse) descend() bool {
	t, leaf := u.tree, u.id.leaf.node()
	x := leaf
	for t.nodes[x] == nil {
		if x == rootOf(t.leaves) {
			return false
		}
		x = x.parent()
	}
	u.way = make([]secretNode, 0, x.level()+1)
	for secret := t.nodes[x]; ; secret = t.child(secret, x) {
		u.way = append(u.way, secretNode{place: x, secret: secret})
		if x == leaf {
			return true
		}
		if leaf < x {
			x = x.left()
		} else {
			x = x.right()
		}
	}
}

// child derives the secret of the node x from that of its parent (RFC 9420, Section 9).
func (t *secretTree) child(parent Secret, x nodeIndex) Secret {
	side := "left"
	if x > x.parent() {
		side = "right"
	}
	return t.suite.expandWithLabel(parent, "tree", []byte(side), t.suite.nh)
}
