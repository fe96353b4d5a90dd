package mls

import (
	"bytes"
	"iter"
)

// A Group is one member's view of one group in its current epoch. It is not safe for use from several goroutines at once.
type Group struct {
	unprintable
	cfg Config
	*epoch
	saved savedState
	// use and content are the key and the content of the application message that is being sealed or opened, and empty
	// in between.
	use     keyUse
	content framedContent
	// signs is the own leaf whose key the signer was seen to hold.
	signs *LeafNode
	// inviter is who signed the Welcome that this value was joined by; nil otherwise.
	inviter *Member
}

// CreateOptions says what a new group is like.
type CreateOptions struct {
	// Suite is DefaultSuite when zero.
	Suite CipherSuite
	// GroupID names the group; 32 random bytes when empty. It should never be used again (RFC 9420, Section 11).
	GroupID []byte
	// Credential, LeafExtensions and Capabilities describe the creator's leaf, as in KeyPackageOptions.
	Credential     Credential
	LeafExtensions Extensions
	Capabilities   Capabilities
	// Lifetime goes into the creator's first leaf, which its first commit with a path replaces. Without one nobody can be added by a
	// commit without a path until then, and who joins by a GroupInfo and gives the time is refused.
	Lifetime Lifetime
	// Extensions go into the GroupContext: what all members agree upon, such as the name of the room and its roles. Their types
	// are added to the creator's capabilities; all who join must list them in theirs.
	Extensions Extensions
	// Epoch is what the group counts its epochs from: 0, unless it takes the place of a group whose keys are lost, so that no
	// epoch comes twice for who orders its messages. Who joins cannot tell the difference.
	Epoch uint64
}

// NewGroup makes a group with its creator as the only member (RFC 9420, Section 11).
func NewGroup(cfg Config, opts CreateOptions) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if opts.Suite == 0 {
		opts.Suite = DefaultSuite
	}
	if len(opts.GroupID) == 0 {
		opts.GroupID = random(32)
	}
	return newGroup(cfg, opts)
}

// newGroup makes a group as opts say, with what may be left open there filled in.
func newGroup(cfg Config, opts CreateOptions) (*Group, error) {
	s, err := opts.Suite.suite()
	if err != nil {
		return nil, err
	}
	leaf := &LeafNode{
		Credential:   opts.Credential,
		Capabilities: opts.Capabilities.completed(opts.Credential.Type, opts.LeafExtensions, opts.Extensions),
		Source:       LeafKeyPackage,
		Lifetime:     opts.Lifetime,
		Extensions:   opts.LeafExtensions,
	}
	leaf = leaf.detached()
	leaf.grease()
	key, err := leaf.renew(s, cfg.Signer, nil, 0)
	if err != nil {
		return nil, err
	}
	tree := newRatchetTree(s, leaf)
	if err := opts.Extensions.checkContext(); err != nil {
		return nil, err
	}
	if err := tree.checkContext(opts.Extensions); err != nil {
		return nil, err
	}
	if err := leaf.checkOwn(s, opts.Extensions); err != nil {
		return nil, err
	}
	if err := cfg.Verifier.VerifyMember(leaf.member(0)); err != nil {
		return nil, refused("verifying the creator", err)
	}
	e := &epoch{suite: s, tree: tree, keys: privateKeys{0: key}}
	e.context = groupContext{
		suite: s.id, groupID: bytes.Clone(opts.GroupID), treeHash: tree.rootHash(), extensions: opts.Extensions.detached(), epoch: opts.Epoch,
	}
	e.encoded = e.context.marshal()
	e.begin(random(s.nh))
	return &Group{cfg: cfg, epoch: e}, nil
}

// checkSigner tells whether the signer holds the key of the own leaf.
func (g *Group) checkSigner() error {
	own := g.tree.leaf(g.own)
	if g.signs == own {
		return nil
	}
	key, err := g.suite.signerKey(g.cfg.Signer)
	if err != nil {
		return err
	}
	if !bytes.Equal(key, own.SignatureKey) {
		return ErrSigner
	}
	g.signs = own
	return nil
}

// GroupID returns the group's id. Do not change it.
func (g *Group) GroupID() []byte { return g.context.groupID }

// Epoch returns the number of the current epoch.
func (g *Group) Epoch() uint64 { return g.context.epoch }

// Suite returns the group's cipher suite.
func (g *Group) Suite() CipherSuite { return g.suite.id }

// Extensions returns the GroupContext extensions.
func (g *Group) Extensions() Extensions { return g.context.extensions }

// Members yields the members in the order of their leaves.
func (g *Group) Members() iter.Seq[Member] { return g.tree.members() }

// Member returns the member at this leaf.
func (g *Group) Member(i LeafIndex) (Member, bool) { return g.tree.member(i) }

// OwnLeaf returns this member's leaf.
func (g *Group) OwnLeaf() Member {
	m, _ := g.tree.member(g.own)
	return m
}

// Inviter returns the member that signed the Welcome of this Group, as its leaf was then: whoever is asked to replace a
// group by another under the same id wants to know on whose word. It is known of the value that Join returned, and not
// saved.
func (g *Group) Inviter() (Member, bool) {
	if g.inviter == nil {
		return Member{}, false
	}
	return *g.inviter, true
}

// EpochAuthenticator is a value that is equal for all members that are in the same state (RFC 9420, Section 8.7).
func (g *Group) EpochAuthenticator() []byte { return bytes.Clone(g.secrets.authenticator) }

// Export derives n bytes for the application from the epoch (RFC 9420, Section 8.5).
func (g *Group) Export(label string, context []byte, n int) (Secret, error) {
	if n < 0 || n > 255*g.suite.nh {
		return nil, invalid("8.5", "an export of a length that the KDF does not have")
	}
	return g.suite.export(g.secrets.exporter, label, context, n), nil
}

// ResumptionPSK is the epoch's secret for resumption in a later epoch or another group (RFC 9420, Section 8.6). A caller that
// keeps it weakens the promise that past epochs are gone.
func (g *Group) ResumptionPSK() Secret { return bytes.Clone(g.secrets.resumption) }

// RatchetTree returns the public tree, for joiners whose Welcome does not carry it.
func (g *Group) RatchetTree() []byte { return g.tree.marshal() }

// GroupInfo returns the signed description of the epoch as an MLSMessage (RFC 9420, Section 12.4.3), with the ratchet tree
// and the key for external commits: whoever has it can join, if the members' configurations let it.
func (g *Group) GroupInfo() ([]byte, error) { return g.GroupInfoWith(GroupInfoOptions{}) }

// GroupInfoWith is GroupInfo with less in it, or more.
func (g *Group) GroupInfoWith(opts GroupInfoOptions) ([]byte, error) {
	if err := g.checkSigner(); err != nil {
		return nil, err
	}
	return g.publicInfo(g.cfg.Signer, opts)
}

// Pending returns the proposals that were received or made in this epoch, are not committed yet, and are not ignored.
func (g *Group) Pending() []*ReceivedProposal {
	var out []*ReceivedProposal
	for _, p := range g.pending {
		if !p.ignored {
			shown := p.ReceivedProposal
			out = append(out, &shown)
		}
	}
	return out
}

// Ignore takes a proposal that the application does not want out of what Commit takes by itself and out of the way of Seal.
// Another member can still commit it, if the policy lets it.
func (g *Group) Ignore(p *ReceivedProposal) {
	for i, q := range g.pending {
		if bytes.Equal(q.ref, p.ref) {
			ignored := *q
			ignored.ignored = true
			g.pending[i] = &ignored
		}
	}
}

// Clone returns an independent copy. The tree is shared until one of the two changes it. The copy's first Delta is a full one. Let one
// of the two speak: they have the same message keys, and members read one message of each.
func (g *Group) Clone() *Group { return &Group{cfg: g.cfg, epoch: g.epoch.clone()} }
