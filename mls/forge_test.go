package mls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"maps"
	"testing"
)

// A careless member commits what it likes: nothing is checked, and everything is derived, sealed and signed as it should
// be. So what a receiver refuses is refused for the one rule that the test broke.
type careless struct {
	t *testing.T
	g *Group
	// list is what it commits.
	list []listedProposal
	// noPath leaves the path out, whether it is needed or not.
	noPath bool
	// private seals the commit, and signer signs it, if it is not the member's own.
	private bool
	signer  crypto.Signer
	// leaf changes the path's leaf, which leafSigner, or else the member's own, then signs.
	leaf       func(*LeafNode)
	leafSigner crypto.Signer
	// tree changes the tree of the next epoch.
	tree func(*ratchetTree)
}

// commit makes the commit, as a public message unless private is set.
func (c careless) commit() *StagedCommit {
	c.t.Helper()
	g := c.g
	tr := &transition{tree: g.tree.clone(), extensions: g.context.extensions, by: memberAt(g.own), committer: g.own, proposals: c.list}
	for _, kind := range inOrder {
		for _, p := range c.list {
			if p.proposal.Type() == kind {
				tr.applyOne(p)
			}
		}
	}
	tr.keys = g.keys.stillIn(tr.tree, g.tree)
	var err error
	if tr.found, err = g.cfg.findPSKs(tr.psks, g.ownPSK); err != nil {
		c.t.Fatal(err)
	}
	b := &committing{g: g, opts: CommitOptions{Public: !c.private}, tr: tr, signer: g.cfg.Signer}
	if !c.noPath {
		if err := b.renewPath(); err != nil {
			c.t.Fatal(err)
		}
	}
	if c.leaf != nil {
		c.spoilLeaf(b)
	}
	if c.tree != nil {
		c.tree(tr.tree)
	}
	if c.signer != nil {
		g.cfg.Signer = c.signer
	}
	staged, err := b.stage()
	if err != nil {
		c.t.Fatal(err)
	}
	return staged
}

func (c careless) spoilLeaf(b *committing) {
	c.t.Helper()
	c.leaf(b.leaf)
	signer := c.leafSigner
	if signer == nil {
		signer = c.g.cfg.Signer
	}
	if err := b.leaf.sign(c.g.suite, signer, c.g.context.groupID, c.g.own); err != nil {
		c.t.Fatal(err)
	}
	b.tr.tree.set(c.g.own.node(), &node{leaf: b.leaf})
}

// committed lists proposals of the committer's own.
func committed(g *Group, list ...Proposal) []listedProposal {
	var out []listedProposal
	for _, p := range list {
		out = append(out, listedProposal{proposal: p, sender: memberAt(g.own)})
	}
	return out
}

// A ruledGroup is one that requires what a member can lack: an extension, a proposal type and a credential type.
const (
	ruledExtension ExtensionType = 0xF00A
	ruledProposal  ProposalType  = 0xF00B
)

var ruledCapabilities = Capabilities{
	Extensions: []ExtensionType{ruledExtension}, Proposals: []ProposalType{ruledProposal},
}

// ruledGroup makes a group of n members with all of that.
func ruledGroup(t testing.TB, n int) []*Group {
	t.Helper()
	required := RequiredCapabilities{
		Extensions: []ExtensionType{ruledExtension}, Proposals: []ProposalType{ruledProposal}, Credentials: []CredentialType{CredentialBasic},
	}
	cfg, _, _ := party(t, "0")
	first, err := NewGroup(cfg, CreateOptions{
		Suite: 1, Credential: BasicCredential([]byte("0")), Capabilities: ruledCapabilities, Extensions: Extensions{
			{ruledExtension, []byte("rule")}, {ExtensionRequiredCapabilities, required.Marshal()},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	members := []*Group{first}
	for range n - 1 {
		cfg, kp, private := ruledParty(t, nil, nil)
		c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		members = append(members, enter(t, cfg, c, private))
	}
	return members
}

// always is the lifetime of key packages that no test is about.
var always = Lifetime{NotAfter: 1<<40 - 1}

// ruledParty makes a member-to-be. leaf and kp, if given, spoil its leaf and its key package before each is signed.
func ruledParty(t testing.TB, leaf func(*LeafNode), kp func(*KeyPackage)) (Config, *KeyPackage, *KeyPackagePrivate) {
	t.Helper()
	cfg, _, _ := party(t, "more")
	made, private, err := NewKeyPackage(KeyPackageOptions{
		Suite: 1, Credential: BasicCredential([]byte("more")), Signer: cfg.Signer, Lifetime: always, Capabilities: ruledCapabilities,
	})
	if err != nil {
		t.Fatal(err)
	}
	resign(t, made, cfg.Signer, leaf, kp)
	private.keyPackage = made
	return cfg, made, private
}

// resign spoils a key package and signs what it was spoiled to.
func resign(t testing.TB, made *KeyPackage, signer crypto.Signer, leaf func(*LeafNode), kp func(*KeyPackage)) {
	t.Helper()
	s := suites[0]
	if leaf != nil {
		leaf(made.LeafNode)
	}
	if err := made.LeafNode.sign(s, signer, nil, 0); err != nil {
		t.Fatal(err)
	}
	if kp != nil {
		kp(made)
	}
	var err error
	if made.Signature, err = s.sign(signer, "KeyPackageTBS", made.toBeSigned()); err != nil {
		t.Fatal(err)
	}
}

// enter joins by the Welcome of a commit.
func enter(t testing.TB, cfg Config, c *StagedCommit, private *KeyPackagePrivate) *Group {
	t.Helper()
	g, err := joinBy(cfg, c.Welcome(), private)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func joinBy(cfg Config, welcome []byte, private *KeyPackagePrivate) (*Group, error) {
	return Join(cfg, welcome, func(ref KeyPackageRef) *KeyPackagePrivate {
		if ref != private.keyPackage.Ref() {
			return nil
		}
		return private
	}, JoinOptions{})
}

// stateOf is all that would be saved of a group.
func stateOf(g *Group) map[string][]byte {
	records := make(map[string][]byte)
	recordsOf(g.Clone(), records)
	return records
}

// refuses checks that a message is refused for this rule, or with this error if the rule is empty, and that nothing of the group has
// changed.
func refuses(t testing.TB, what string, g *Group, message []byte, rule string, want error) {
	t.Helper()
	before := stateOf(g)
	_, err := g.Process(message)
	isBroken(t, what, err, rule, want)
	if !maps.EqualFunc(stateOf(g), before, bytes.Equal) {
		t.Errorf("%s: a refusal has changed the group", what)
	}
}

// isBroken checks that the error is the broken rule, or this error if the rule is empty.
func isBroken(t testing.TB, what string, err error, rule string, want error) {
	t.Helper()
	if rule == "" {
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
		return
	}
	var broken *ValidationError
	if !errors.As(err, &broken) || broken.Rule != rule {
		t.Errorf("%s: got %v, want the rule %q", what, err, rule)
	}
}

// accepts checks that a commit is followed to the end: what the tests spoil is otherwise sound.
func accepts(t testing.TB, g *Group, c *StagedCommit) {
	t.Helper()
	r, err := g.Process(c.Message())
	if err != nil {
		t.Fatalf("an honest commit: %v", err)
	}
	equal(t, "epoch authenticator", r.(*StagedCommit).EpochAuthenticator(), c.EpochAuthenticator())
}

// newSignerOf makes a signature key of the suite.
func newSignerOf(t testing.TB, s *suite) crypto.Signer {
	t.Helper()
	if scheme, ok := s.scheme.(ecdsaScheme); ok {
		key, err := ecdsa.GenerateKey(scheme.curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// refOf is the reference of a proposal.
func refOf(s *suite, a *authenticatedContent) []byte {
	var w writer
	a.encode(&w)
	return s.proposalRef(w.b)
}
