package mls

import (
	"bytes"
	"slices"
)

// A census is what RFC 9420, Section 7.3 demands of all nodes together: that no encryption key and no signature key occurs twice, and
// that each member supports the credential types that are in use. It is carried from tree to tree, so that a
// commit counts what it changed.
type census struct {
	tree                   *ratchetTree
	encryption, signatures keySet
	credentials            []credentialCount
}

// A credentialCount is how many members have a credential of a type.
type credentialCount struct {
	kind    CredentialType
	members int
}

// count brings the tree's census up to date, and returns an error if the tree does not pass.
func (t *ratchetTree) count() error {
	next := census{
		encryption: keySet{of: (*node).encryptionKey, hash: (*node).keyHash},
		signatures: keySet{of: (*node).signatureKey, hash: func(n *node) uint64 { return keyHash(n.leaf.SignatureKey) }},
	}
	var base *ratchetTree
	if t.census != nil {
		next, base = *t.census, t.census.tree
		next.credentials = slices.Clone(next.credentials)
	}
	next.encryption.edit, next.signatures.edit = new(edit), new(edit)
	var gone, come = make([]*node, 0, maxLevels+1), make([]*node, 0, maxLevels+1) // those of a path
	t.changesSince(base, func(_ nodeIndex, was, is *node) {
		if was != nil {
			gone = append(gone, was)
		}
		if is != nil {
			come = append(come, is)
		}
	})
	for _, n := range gone {
		next.leave(n)
	}
	if err := next.enter(come); err != nil {
		return err
	}
	if err := next.checkCredentials(t, come); err != nil {
		return err
	}
	next.tree = t.clone()
	next.tree.census = nil
	t.census = &next
	return nil
}

// leave takes a node out of the census.
func (c *census) leave(n *node) {
	c.encryption.remove(n)
	if n.leaf != nil {
		c.signatures.remove(n)
		c.countCredential(n.leaf.Credential.Type, -1)
	}
}

// enter takes new nodes into the census.
func (c *census) enter(nodes []*node) error {
	for _, n := range nodes {
		if !c.encryption.add(n) {
			return invalid("7.3", "two nodes have the same encryption key")
		}
	}
	for _, n := range nodes {
		if n.leaf == nil {
			continue
		}
		if !c.signatures.add(n) {
			return invalid("7.3", "two members have the same signature key")
		}
		c.countCredential(n.leaf.Credential.Type, 1)
	}
	return nil
}

func (c *census) countCredential(kind CredentialType, n int) {
	i := slices.IndexFunc(c.credentials, func(k credentialCount) bool { return k.kind == kind })
	if i < 0 {
		i = len(c.credentials)
		c.credentials = append(c.credentials, credentialCount{kind: kind})
	}
	c.credentials[i].members += n
}

// checkCredentials verifies that the new members support what is in use; and if a type has come into use, that all do.
func (c *census) checkCredentials(t *ratchetTree, come []*node) error {
	for _, n := range come {
		if n.leaf != nil && !c.supported(n.leaf) {
			return invalid("7.3", "a member does not support a credential type that is in use")
		}
	}
	if t.census == nil || !slices.ContainsFunc(c.credentials, func(k credentialCount) bool {
		return k.members > 0 && !t.census.inUse(k.kind)
	}) {
		return nil
	}
	for _, l := range t.leaves() {
		if !c.supported(l) {
			return invalid("7.3", "a member does not support a credential type that is in use")
		}
	}
	return nil
}

func (c *census) inUse(kind CredentialType) bool {
	return slices.ContainsFunc(c.credentials, func(k credentialCount) bool { return k.kind == kind && k.members > 0 })
}

func (c *census) supported(l *LeafNode) bool {
	for _, k := range c.credentials {
		if k.members > 0 && !l.Capabilities.supportsCredential(k.kind) {
			return false
		}
	}
	return true
}

// signatureKey is that of a leaf.
func (n *node) signatureKey() []byte { return n.leaf.SignatureKey }

// A keySet is a set of nodes by one of their keys: a trie over the bits of the key's hash, whose inner nodes are shared and copied like
// subtrees.
type keySet struct {
	of   func(*node) []byte
	hash func(*node) uint64
	top  keySlot
	edit *edit
}

// A keySlot is empty, or has one node, or the slots of the next three bits.
type keySlot struct {
	node *node
	fork *keyFork
}

type keyFork struct {
	slots [8]keySlot
	owner *edit
}

// turn is which slot of the fork at this depth leads to the node. Keys whose hashes are equal are told apart by their own
// bits: all keys of a set have the length that the suite gives them.
func (s *keySet) turn(n *node, depth int) int {
	const hashed = 64 / 3
	if depth < hashed {
		return int(s.hash(n)>>(3*depth)) & 7
	}
	key, depth := s.of(n), depth-hashed
	if at := depth / 4; at < len(key) {
		return int(key[at]>>(2*(depth&3))) & 3
	}
	return 0
}

func (s *keySet) own(f *keyFork) *keyFork {
	if f.owner == s.edit {
		return f
	}
	c := *f
	c.owner = s.edit
	return &c
}

// add reports whether the key is new.
func (s *keySet) add(n *node) (fresh bool) {
	s.top, fresh = s.addTo(s.top, n, 0)
	return fresh
}

func (s *keySet) addTo(at keySlot, n *node, depth int) (keySlot, bool) {
	switch {
	case at.node == nil && at.fork == nil:
		return keySlot{node: n}, true
	case at.node != nil && bytes.Equal(s.of(at.node), s.of(n)):
		return at, false
	case at.node != nil:
		fork := &keyFork{owner: s.edit}
		fork.slots[s.turn(at.node, depth)] = at
		at = keySlot{fork: fork}
	}
	at.fork = s.own(at.fork)
	slot := &at.fork.slots[s.turn(n, depth)]
	var fresh bool
	*slot, fresh = s.addTo(*slot, n, depth+1)
	return at, fresh
}

// remove takes the node's key out of the set.
func (s *keySet) remove(n *node) { s.top = s.removeFrom(s.top, n, 0) }

func (s *keySet) removeFrom(at keySlot, n *node, depth int) keySlot {
	switch {
	case at.node != nil && bytes.Equal(s.of(at.node), s.of(n)):
		return keySlot{}
	case at.fork == nil:
		return at
	}
	at.fork = s.own(at.fork)
	slot := &at.fork.slots[s.turn(n, depth)]
	*slot = s.removeFrom(*slot, n, depth+1)
	// A fork of one node is that node.
	var only keySlot
	for _, slot := range at.fork.slots {
		if slot.fork != nil || slot.node != nil && only.node != nil {
			return at
		}
		if slot.node != nil {
			only = slot
		}
	}
	return only
}
