package mls

import (
	"bytes"
	"maps"
	"slices"
)

// An updatePath is UpdatePath of RFC 9420, Section 7.6: the committer's new leaf, and for each node above it the new key and
// its secret, sealed to those who do not know it.
type updatePath struct {
	leaf  *LeafNode
	nodes []pathNode
}

type pathNode struct {
	key     []byte
	secrets []hpkeCiphertext
}

func (p *updatePath) encode(w *writer) {
	p.leaf.encode(w)
	start := w.open()
	for _, n := range p.nodes {
		w.opaque(n.key)
		inner := w.open()
		for i := range n.secrets {
			n.secrets[i].encode(w)
		}
		w.close(inner)
	}
	w.close(start)
}

// decodeUpdatePath does without reader.each, whose closures a long path would pay for at every node, and begins with room for the
// path in a filled tree: a node for each level, and a ciphertext for each node.
func decodeUpdatePath(r *reader) *updatePath {
	p := &updatePath{leaf: decodeLeafNode(r), nodes: make([]pathNode, 0, maxLevels)}
	secrets := make([]hpkeCiphertext, 0, maxLevels)
	nodes := reader{b: r.opaque()}
	for len(nodes.b) > 0 {
		n := pathNode{key: nodes.opaque()}
		first := len(secrets)
		sealed := reader{b: nodes.opaque()}
		for len(sealed.b) > 0 {
			secrets = append(secrets, decodeHPKECiphertext(&sealed))
		}
		nodes.adopt(&sealed)
		n.secrets = secrets[first:len(secrets):len(secrets)]
		p.nodes = append(p.nodes, n)
	}
	r.adopt(&nodes)
	return p
}

func (p *updatePath) keys() [][]byte {
	keys := make([][]byte, len(p.nodes))
	for i, n := range p.nodes {
		keys[i] = n.key
	}
	return keys
}

// A pathStep is a node of a filtered direct path, with its child that the path does not go through.
type pathStep struct{ node, copath nodeIndex }

// filteredPath lists the ancestors of a leaf whose other child covers members, the lowest first (RFC 9420, Section 4.1.2).
func (t *ratchetTree) filteredPath(i LeafIndex) []pathStep {
	var steps []pathStep
	for x := i.node(); x != t.root(); x = x.parent() {
		if copath := x.sibling(); !t.empty(copath) {
			steps = append(steps, pathStep{x.parent(), copath})
		}
	}
	return steps
}

// mergePath sets the keys along a leaf's path and the parent hashes between them, and returns the parent hash for the leaf, which is
// still to be set (RFC 9420, Section 7.5). From the root down, each hash covers the ones above it.
func (t *ratchetTree) mergePath(i LeafIndex, steps []pathStep, keys [][]byte) []byte {
	set := 0
	for _, x := range directPath(i.node(), t.size()) {
		if set < len(steps) && steps[set].node == x {
			set++ // below
			continue
		}
		t.set(x, nil)
	}
	var parentHash []byte
	for k := len(steps) - 1; k >= 0; k-- {
		n := newParent(keys[k], parentHash)
		t.set(steps[k].node, n)
		parentHash = t.suite.parentHashOf(n.parent, t.hash(steps[k].copath))
	}
	return parentHash
}

// pathSecrets are the secrets of a path from some step upward.
type pathSecrets struct {
	unprintable
	secrets []Secret
	keys    []*privateKey
	// commit is commit_secret, the one after the root's.
	commit Secret
}

// derivePath derives n path secrets and their key pairs from the first one (RFC 9420, Section 7.4).
func (s *suite) derivePath(first Secret, n int) (*pathSecrets, error) {
	p := &pathSecrets{}
	secret := first
	for range n {
		key, err := s.deriveKey(s.deriveSecret(secret, "node"))
		if err != nil {
			return nil, err
		}
		p.secrets, p.keys = append(p.secrets, secret), append(p.keys, key)
		secret = s.deriveSecret(secret, "path")
	}
	p.commit = secret
	return p, nil
}

func (p *pathSecrets) publicKeys(s *suite) ([][]byte, error) {
	keys := make([][]byte, len(p.keys))
	for i, k := range p.keys {
		public, err := k.public(s)
		if err != nil {
			return nil, err
		}
		keys[i] = public
	}
	return keys, nil
}

// copathResolution is the resolution of a copath node without the leaves that this commit adds: they get the secrets
// in the Welcome (RFC 9420, Section 7.5). Leaves are added from the left to the right, so that added is in order.
func (t *ratchetTree) copathResolution(copath nodeIndex, added []LeafIndex) []nodeIndex {
	return slices.DeleteFunc(t.resolution(copath), func(x nodeIndex) bool {
		_, found := slices.BinarySearch(added, x.leafIndex())
		return x.isLeaf() && found
	})
}

// sealPath encrypts the path secrets to the rest of the group.
func (t *ratchetTree) sealPath(steps []pathStep, p *pathSecrets, added []LeafIndex, context []byte) ([]pathNode, error) {
	keys, err := p.publicKeys(t.suite)
	if err != nil {
		return nil, err
	}
	nodes := make([]pathNode, len(steps))
	for k, step := range steps {
		nodes[k].key = keys[k]
		for _, x := range t.copathResolution(step.copath, added) {
			key, err := t.at(x).publicKey(t.suite)
			if err != nil {
				return nil, err
			}
			c, err := t.suite.encrypt(key, "UpdatePathNode", context, p.secrets[k])
			if err != nil {
				return nil, err
			}
			nodes[k].secrets = append(nodes[k].secrets, c)
		}
	}
	return nodes, nil
}

// checkPathShape verifies that an UpdatePath has the nodes and the ciphertexts that the tree asks for (RFC 9420, Section 7.6).
func (t *ratchetTree) checkPathShape(steps []pathStep, nodes []pathNode, added []LeafIndex) error {
	if len(nodes) != len(steps) {
		return invalid("7.6", "an update path has the wrong number of nodes")
	}
	for k, step := range steps {
		if len(nodes[k].secrets) != len(t.copathResolution(step.copath, added)) {
			return invalid("7.6", "an update path has the wrong number of ciphertexts")
		}
		if err := t.suite.checkUsable(nodes[k].key); err != nil {
			return err
		}
	}
	return nil
}

// privateKeys are the private keys that a member holds, by place: its leaf's and some above it.
type privateKeys map[nodeIndex]*privateKey

// openPath decrypts the one path secret that is sealed to a key we hold, and derives the ones above it. It adds the new
// keys to keys, and returns commit_secret. The path must be merged into the tree already.
func (t *ratchetTree) openPath(own LeafIndex, keys privateKeys, steps []pathStep, nodes []pathNode, added []LeafIndex, context []byte) (Secret, error) {
	at := slices.IndexFunc(steps, func(s pathStep) bool { return own.node().under(s.copath) })
	if at < 0 {
		return nil, invalid("7.6", "an update path does not reach this member")
	}
	for j, x := range t.copathResolution(steps[at].copath, added) {
		key, ok := keys[x]
		if !ok {
			continue
		}
		parsed, err := key.hpkeKey(t.suite)
		if err != nil {
			return nil, err
		}
		secret, err := t.suite.decrypt(parsed, "UpdatePathNode", context, nodes[at].secrets[j])
		if err != nil {
			return nil, err
		}
		return t.adoptPath(keys, steps[at:], secret)
	}
	return nil, invalid("7.6", "an update path is not sealed to this member")
}

// adoptPath derives the keys of these steps from the first one's path secret, verifies that they are those in the tree, and
// adds them to keys (RFC 9420, Section 7.5).
func (t *ratchetTree) adoptPath(keys privateKeys, steps []pathStep, secret Secret) (Secret, error) {
	p, err := t.suite.derivePath(secret, len(steps))
	if err != nil {
		return nil, err
	}
	public, err := p.publicKeys(t.suite)
	if err != nil {
		return nil, err
	}
	for k, step := range steps {
		if n := t.at(step.node); n == nil || !bytes.Equal(n.encryptionKey(), public[k]) {
			return nil, invalid("7.5", "a path secret does not match the path's public key")
		}
		keys[step.node] = p.keys[k]
	}
	return p.commit, nil
}

// stillIn returns those of the keys whose node has the same key in next as in t: keys of nodes that were blanked or replaced are
// dropped.
func (k privateKeys) stillIn(next, t *ratchetTree) privateKeys {
	if next.top == t.top {
		return maps.Clone(k)
	}
	kept := make(privateKeys, len(k)+4)
	for x, key := range k {
		a, b := next.at(x), t.at(x)
		if a != nil && b != nil && (a == b || bytes.Equal(a.encryptionKey(), b.encryptionKey())) {
			kept[x] = key
		}
	}
	return kept
}
