package mls

import (
	"bytes"
	"slices"
	"time"
)

// JoinOptions says how to read a Welcome.
type JoinOptions struct {
	// RatchetTree is the tree, for a Welcome that does not carry it.
	RatchetTree []byte
	// Predecessor is the group, in its current epoch, that the one to join succeeds or branches from (RFC 9420, Sections 11.2
	// and 11.3). A Welcome to such a group is refused without it, and one to another group with it.
	Predecessor *Group
	// Now, when given, is when every leaf that was added from a key package must be within its lifetime. RFC 9420, Section 7.3
	// recommends it; a member that has not renewed its leaf in time is then a reason not to join.
	Now time.Time
}

// Join enters the group that a Welcome is for (RFC 9420, Section 12.4.3.1). keys finds the secret half of one of the own key
// packages by its ref, or returns nil; it is called for the recipients of the Welcome in their order. cfg.Signer
// must hold the key of that key package's leaf. That the group is none that this device is in already is for the caller to
// check. Delete the secret half once the new group's first Delta is saved.
func Join(cfg Config, welcome []byte, keys func(KeyPackageRef) *KeyPackagePrivate, opts JoinOptions) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m, err := parseWelcome(welcome)
	if err != nil {
		return nil, err
	}
	s, err := m.suite.suite()
	if err != nil {
		return nil, err
	}
	entry, private := m.find(keys)
	if private == nil {
		return nil, ErrNoKeyPackage
	}
	j := joining{cfg: cfg, opts: opts, suite: s, private: private}
	if j.secrets, err = s.openGroupSecrets(private, entry, m.groupInfo); err != nil {
		return nil, err
	}
	return j.join(m)
}

// find returns the entry for one of our key packages.
func (m *welcome) find(keys func(KeyPackageRef) *KeyPackagePrivate) (encryptedGroupSecrets, *KeyPackagePrivate) {
	if keys == nil {
		return encryptedGroupSecrets{}, nil
	}
	for _, entry := range m.secrets {
		if p := keys(KeyPackageRef(entry.newMember)); p != nil && p.keyPackage != nil && p.keyPackage.Suite == m.suite {
			return entry, p
		}
	}
	return encryptedGroupSecrets{}, nil
}

// A joining is a Welcome on its way to being a group.
type joining struct {
	unprintable
	cfg     Config
	opts    JoinOptions
	suite   *suite
	private *KeyPackagePrivate
	secrets *groupSecrets
	info    *groupInfo
	tree    *ratchetTree
	own     LeafIndex
	// link is the key that ties the group to its predecessor; nil where it has none.
	link *PreSharedKeyID
}

func (j *joining) join(m *welcome) (*Group, error) {
	if err := j.checkPSKs(); err != nil {
		return nil, err
	}
	psks, err := j.cfg.findPSKs(j.secrets.psks, j.linkKey)
	if err != nil {
		return nil, err
	}
	member := j.suite.member(j.secrets.joiner, j.suite.pskSecret(psks))
	if j.info, err = j.suite.openGroupInfo(m, member); err != nil {
		return nil, err
	}
	if j.info.context.suite != j.suite.id {
		return nil, invalid("12.4.3.1", "a welcome for another cipher suite than its group's")
	}
	if j.tree, err = j.info.readTree(j.suite, j.opts.RatchetTree); err != nil {
		return nil, err
	}
	if err := j.findOwnLeaf(); err != nil {
		return nil, err
	}
	if err := j.cfg.verifyTree(j.tree, j.opts.Now); err != nil {
		return nil, err
	}
	if err := j.checkPredecessor(); err != nil {
		return nil, err
	}
	return j.enter(member)
}

// readTree finds and verifies the tree, and the signature on the GroupInfo. given is the tree where the GroupInfo lacks it.
func (i *groupInfo) readTree(s *suite, given []byte) (*ratchetTree, error) {
	encoded, ok := i.extensions.Get(ExtensionRatchetTree)
	if !ok {
		encoded = bytes.Clone(given)
	}
	if len(encoded) == 0 {
		return nil, invalid("12.4.3.1", "a welcome without a ratchet tree")
	}
	tree, err := parseRatchetTree(s, encoded)
	if err != nil {
		return nil, err
	}
	signer := tree.leaf(i.signer)
	if signer == nil {
		return nil, invalid("12.4.3.1", "a welcome signed by no member")
	}
	if err := i.verify(s, signer.SignatureKey); err != nil {
		return nil, err
	}
	if !bytes.Equal(tree.rootHash(), i.context.treeHash) {
		return nil, invalid("12.4.3.1", "the ratchet tree is not the one of the group")
	}
	return tree, tree.check(i.context.groupID, i.context.extensions)
}

// findOwnLeaf looks for the leaf of our key package.
func (j *joining) findOwnLeaf() error {
	want := writer{}
	j.private.keyPackage.LeafNode.encode(&want)
	for i, l := range j.tree.leaves() {
		if !bytes.Equal(l.EncryptionKey, j.private.keyPackage.LeafNode.EncryptionKey) {
			continue
		}
		got := writer{}
		l.encode(&got)
		if bytes.Equal(got.b, want.b) {
			j.own = i
			return l.checkOwn(j.suite, j.info.context.extensions)
		}
	}
	return invalid("12.4.3.1", "a welcome to a group without our leaf")
}

// verifyTree asks the application about every leaf.
func (c *Config) verifyTree(t *ratchetTree, now time.Time) error {
	for i, l := range t.leaves() {
		if l.Source == LeafKeyPackage && !l.Lifetime.valid(now) {
			return invalid("7.3", "a leaf is not within its lifetime")
		}
		if err := c.Verifier.VerifyMember(l.member(i)); err != nil {
			return refused("verifying a member of the group to join", err)
		}
	}
	return nil
}

// enter derives the epoch and verifies that the group confirmed it.
func (j *joining) enter(member memberSecret) (*Group, error) {
	e := &epoch{suite: j.suite, context: j.info.context, tree: j.tree, own: j.own}
	e.keys = privateKeys{j.own.node(): {secret: j.private.leafKey}}
	if err := j.adoptPathSecret(e.keys); err != nil {
		return nil, err
	}
	e.encoded = e.context.marshal()
	e.begin(j.suite.epochSecret(member, e.encoded))
	if !j.suite.checkMAC(e.secrets.confirmation, e.context.confirmedTranscriptHash, j.info.confirmationTag) {
		return nil, ErrVerify
	}
	inviter, _ := j.tree.member(j.info.signer)
	g := &Group{cfg: j.cfg, epoch: e, inviter: &inviter}
	if err := g.checkSigner(); err != nil {
		return nil, err
	}
	return g, nil
}

// adoptPathSecret derives the keys that the commit set above both the committer and us. Of the nodes above our leaf these are all whose
// keys we have: where one is left of which the tree says that we know it, we could not follow the commit of somebody who relies
// on that, and would hold it against the wrong member.
func (j *joining) adoptPathSecret(keys privateKeys) error {
	if err := j.derivePath(keys); err != nil {
		return err
	}
	for _, x := range directPath(j.own.node(), j.tree.size()) {
		if n := j.tree.at(x); n != nil && keys[x] == nil && !n.parent.lacks(j.own) {
			return invalid("12.4.3.1", "a welcome without the path secret that its tree asks for")
		}
	}
	return nil
}

// derivePath derives the keys of the path from the path secret, where there is one.
func (j *joining) derivePath(keys privateKeys) error {
	if j.secrets.path == nil {
		return nil
	}
	if j.info.signer == j.own {
		return invalid("12.4.3.1", "a welcome signed by its receiver")
	}
	steps := j.tree.filteredPath(j.info.signer)
	// Our leaf is not blank, so that the path has a node above both of us.
	ancestor := commonAncestor(j.own, j.info.signer)
	at := slices.IndexFunc(steps, func(s pathStep) bool { return s.node == ancestor })
	_, err := j.tree.adoptPath(keys, steps[at:], j.secrets.path)
	return err
}
