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
	t.nodes[rootOf(leaves)] = encryptionSecret
	t.dirtyNodes[rootOf(leaves)] = struct{}{}
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
	room     keyRoom
	tree     *secretTree
	id       ratchetID
	after    *ratchet
	consumed []nodeIndex
	derived  map[nodeIndex]Secret
	other    *ratchet
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

// spend forgets the key, and all that it was derived from.
func (u *keyUse) spend() {
	t := u.tree
	for _, x := range u.consumed {
		delete(t.nodes, x)
		t.dirtyNodes[x] = struct{}{}
	}
	for x, secret := range u.derived {
		t.nodes[x] = secret
		t.dirtyNodes[x] = struct{}{}
	}
	if u.other != nil {
		other := ratchetID{u.id.leaf, 1 - u.id.kind}
		t.ratchets[other] = u.other
		t.dirtyRatchets[other] = struct{}{}
	}
	t.ratchets[u.id] = u.after
	t.dirtyRatchets[u.id] = struct{}{}
}

// begin returns the ratchet that a key is to be taken from, derived from the tree if need be, without changing the tree.
func (u *keyUse) begin(t *secretTree, id ratchetID) (*ratchet, error) {
	*u = keyUse{tree: t, id: id}
	if r := t.ratchets[id]; r != nil {
		return r, nil
	}
	leaf, ok := t.descend(u, id.leaf.node())
	if !ok {
		return nil, ErrDecrypt
	}
	handshake := &ratchet{secret: t.suite.expandWithLabel(leaf, "handshake", nil, t.suite.nh)}
	application := &ratchet{secret: t.suite.expandWithLabel(leaf, "application", nil, t.suite.nh)}
	if id.kind == handshakeRatchet {
		u.other = application
		return handshake, nil
	}
	u.other = handshake
	return application, nil
}

// descend derives the secret of a leaf from its nearest ancestor that has one. In u it notes the nodes on the way as consumed,
// and the secrets of their other children, which are to be kept.
func (t *secretTree) descend(u *keyUse, leaf nodeIndex) (Secret, bool) {
	x := leaf
	for t.nodes[x] == nil {
		if x == rootOf(t.leaves) {
			return nil, false
		}
		x = x.parent()
	}
	secret := t.nodes[x]
	u.consumed = append(u.consumed, x)
	u.derived = make(map[nodeIndex]Secret)
	for x != leaf {
		left := t.suite.expandWithLabel(secret, "tree", []byte("left"), t.suite.nh)
		right := t.suite.expandWithLabel(secret, "tree", []byte("right"), t.suite.nh)
		if leaf < x {
			u.derived[x.right()] = right
			x, secret = x.left(), left
		} else {
			u.derived[x.left()] = left
			x, secret = x.right(), right
		}
	}
	return secret, true
}
