package mls

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// A leafRule is a rule for leaves that a leaf can break alone. Where rule is empty, the error is want.
type leafRule struct {
	name  string
	rule  string
	want  error
	spoil func(*LeafNode)
}

var leafRules = []leafRule{
	{"another version", "a leaf does not support the group's version", nil,
		func(l *LeafNode) { l.Capabilities.Versions = []ProtocolVersion{2} }},
	{"another suite", "a leaf does not support the group's cipher suite", nil,
		func(l *LeafNode) { l.Capabilities.CipherSuites = []CipherSuite{2} }},
	{"a credential type that it does not list", "a leaf does not list its own credential type", nil,
		func(l *LeafNode) { l.Capabilities.Credentials = []CredentialType{CredentialX509} }},
	{"an extension that it does not list", "a leaf does not list one of its own extensions", nil,
		func(l *LeafNode) { l.Extensions = Extensions{{0xF00F, nil}} }},
	{"no required extension", "a leaf lacks required capabilities", nil,
		func(l *LeafNode) { l.Capabilities.Extensions = nil }},
	{"no required proposal", "a leaf lacks required capabilities", nil,
		func(l *LeafNode) { l.Capabilities.Proposals = nil }},
	{"a credential that others do not support", "a member does not support a credential type that is in use", nil,
		func(l *LeafNode) {
			l.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}
			l.Capabilities.Credentials = []CredentialType{CredentialBasic, CredentialX509}
		}},
	{"an extension twice", "", ErrMalformed,
		func(l *LeafNode) { l.Extensions = Extensions{{ruledExtension, nil}, {ruledExtension, nil}} }},
	{"a key of 31 bytes", "an encryption key is not one of the cipher suite", nil,
		func(l *LeafNode) { l.EncryptionKey = l.EncryptionKey[1:] }},
	{"no key", "an encryption key is not one of the cipher suite", nil,
		func(l *LeafNode) { l.EncryptionKey = nil }},
	{"a key to which nothing can be sealed", "an encryption key cannot be used", nil,
		func(l *LeafNode) { l.EncryptionKey = make([]byte, 32) }},
}

// A leafPlace is a way for a leaf to come into the group. It lets one in and returns what the receiver says.
type leafPlace struct {
	name  string
	offer func(t *testing.T, members []*Group, spoil func(*LeafNode)) error
}

var leafPlaces = []leafPlace{
	{"add", func(t *testing.T, members []*Group, spoil func(*LeafNode)) error {
		_, kp, _ := ruledParty(t, spoil, nil)
		evil := members[0]
		return processed(t, members[1], careless{t: t, g: evil, list: committed(evil, &Add{kp})}.commit().Message())
	}},
	{"update", func(t *testing.T, members []*Group, spoil func(*LeafNode)) error {
		message, listed := spoiledUpdate(t, members[2], spoil)
		if err := processed(t, members[1], message); err != nil {
			return err
		}
		return processed(t, members[1], careless{t: t, g: members[0], list: listed}.commit().Message())
	}},
	{"path", func(t *testing.T, members []*Group, spoil func(*LeafNode)) error {
		return processed(t, members[1], careless{t: t, g: members[0], leaf: spoil}.commit().Message())
	}},
	{"join", func(t *testing.T, members []*Group, spoil func(*LeafNode)) error {
		_, bad, _ := ruledParty(t, spoil, nil)
		cfg, kp, private := ruledParty(t, nil, nil)
		evil := members[0]
		c := careless{t: t, g: evil, list: committed(evil, &Add{bad}, &Add{kp})}.commit()
		_, err := joinBy(cfg, c.Welcome(), private)
		return err
	}},
}

// processed offers a message to a group, and checks that a refusal leaves it as it was.
func processed(t *testing.T, g *Group, message []byte) error {
	t.Helper()
	before := stateOf(g)
	_, err := g.Process(message)
	if err != nil && !maps.EqualFunc(stateOf(g), before, bytes.Equal) {
		t.Error("a refusal has changed the group")
	}
	return err
}

// spoiledUpdate makes a member propose a leaf, and lists the proposal as a committer would.
func spoiledUpdate(t *testing.T, g *Group, spoil func(*LeafNode)) ([]byte, []listedProposal) {
	t.Helper()
	leaf := *g.tree.leaf(g.own)
	leaf.Source, leaf.EncryptionKey, leaf.Lifetime = LeafUpdate, honestKey(t), Lifetime{}
	spoil(&leaf)
	if err := leaf.sign(g.suite, g.cfg.Signer, g.context.groupID, g.own); err != nil {
		t.Fatal(err)
	}
	a := g.frame(ContentProposal, nil, true)
	a.content.proposal = &Update{&leaf}
	if err := a.sign(g.suite, g.cfg.Signer, g.encoded); err != nil {
		t.Fatal(err)
	}
	message, _, err := g.protect(a)
	if err != nil {
		t.Fatal(err)
	}
	return message, []listedProposal{{proposal: &Update{&leaf}, sender: g.own, ref: a.ref(g.suite)}}
}

func honestKey(t *testing.T) []byte {
	t.Helper()
	key, err := suites[0].generateKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.public(suites[0])
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// TestLeafRules has each rule for leaves broken in each place where a leaf comes in.
func TestLeafRules(t *testing.T) {
	members := ruledGroup(t, 6)
	// A path of the last member fills a node above it that none of the others' paths goes through.
	c, err := members[5].Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, members, c)
	copies := func() []*Group {
		var out []*Group
		for _, g := range members {
			out = append(out, g.Clone())
		}
		return out
	}
	for _, place := range leafPlaces {
		t.Run(place.name, func(t *testing.T) {
			if err := place.offer(t, copies(), func(*LeafNode) {}); err != nil {
				t.Fatalf("an honest leaf: %v", err)
			}
			for _, row := range leafRules {
				isBroken(t, row.name, place.offer(t, copies(), row.spoil), row.rule, row.want)
			}
			isBroken(t, "the key of another leaf", place.offer(t, copies(), func(l *LeafNode) {
				l.EncryptionKey = members[3].tree.leaf(3).EncryptionKey
			}), "two nodes have the same encryption key", nil)
			isBroken(t, "the key of a node", place.offer(t, copies(), func(l *LeafNode) {
				l.EncryptionKey = members[0].tree.nodes[9].encryptionKey()
			}), "two nodes have the same encryption key", nil)
		})
	}
}

// TestCapabilitiesListed checks what a leaf of our own lists: all that it uses and supports, and nothing that goes without saying.
func TestCapabilitiesListed(t *testing.T) {
	cfg, _, _ := party(t, "alice")
	kp, _, err := NewKeyPackage(KeyPackageOptions{
		Suite: 1, Credential: BasicCredential(nil), Signer: cfg.Signer,
		LeafExtensions: Extensions{{0xF001, nil}, {ExtensionApplicationID, []byte("id")}}, Extensions: Extensions{{0xF002, nil}},
		Capabilities: Capabilities{
			Extensions: []ExtensionType{ExtensionRatchetTree, 0xF003, ExtensionExternalSenders},
			Proposals:  []ProposalType{ProposalAdd, 0xF004, ProposalGroupContextExtensions},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := kp.LeafNode.Capabilities
	if want := []ExtensionType{0xF003, 0xF001, 0xF002}; !slices.Equal(c.Extensions, want) {
		t.Errorf("extensions %#x, want %#x", c.Extensions, want)
	}
	if want := []ProposalType{0xF004}; !slices.Equal(c.Proposals, want) {
		t.Errorf("proposals %#x, want %#x", c.Proposals, want)
	}
	if !slices.Equal(c.Credentials, []CredentialType{CredentialBasic}) || !slices.Equal(c.Versions, []ProtocolVersion{MLS10}) ||
		!slices.Equal(c.CipherSuites, supportedSuites()) {
		t.Errorf("credentials %v, versions %v, suites %v", c.Credentials, c.Versions, c.CipherSuites)
	}
}
