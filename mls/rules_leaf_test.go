package mls

import (
	"bytes"
	"errors"
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
		func(l *LeafNode) { l.Capabilities.Extensions, l.Extensions = nil, nil }},
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
	return message, []listedProposal{{proposal: &Update{&leaf}, sender: memberAt(g.own), ref: refOf(g.suite, a)}}
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
				l.EncryptionKey = members[0].tree.at(9).encryptionKey()
			}), "two nodes have the same encryption key", nil)
		})
	}
}

// TestLeafSignatures lets leaves in that somebody else has signed, or that were signed for another place.
func TestLeafSignatures(t *testing.T) {
	members := ruledGroup(t, 3)
	evil, good := members[0], members[1]
	unsigned := func(kp *KeyPackage) { kp.LeafNode.Signature = random(64) }
	_, bad, _ := ruledParty(t, nil, unsigned)
	cfg, kp, private := ruledParty(t, nil, nil)
	c := careless{t: t, g: evil, list: committed(evil, &Add{bad}, &Add{kp})}.commit()
	refuses(t, "an add", good, c.Message(), "", ErrVerify)
	if _, err := joinBy(cfg, c.Welcome(), private); !errors.Is(err, ErrVerify) {
		t.Errorf("joining: got %v, want %v", err, ErrVerify)
	}
	c = careless{t: t, g: evil, leaf: func(*LeafNode) {}, leafSigner: members[2].cfg.Signer}.commit()
	refuses(t, "a path", good, c.Message(), "", ErrVerify)
	for name, place := range map[string]struct {
		group []byte
		leaf  LeafIndex
	}{"another leaf": {evil.context.groupID, 1}, "another group": {[]byte("another"), 0}, "a key package": {nil, 0}} {
		leaf := *evil.tree.leaf(0)
		leaf.Source, leaf.EncryptionKey = LeafUpdate, honestKey(t)
		if err := leaf.sign(evil.suite, evil.cfg.Signer, place.group, place.leaf); err != nil {
			t.Fatal(err)
		}
		refuses(t, "an update signed for "+name, good, forgeProposal(t, evil, &Update{&leaf}), "", ErrVerify)
	}
}

// TestKeyPackageRules has each rule for key packages broken by one that is added.
func TestKeyPackageRules(t *testing.T) {
	members := ruledGroup(t, 2)
	evil, good := members[0], members[1]
	for _, row := range []struct {
		name, rule string
		want       error
		leaf       func(*LeafNode)
		kp         func(*KeyPackage)
	}{
		{"another version", "a key package is for another version or cipher suite", nil, nil, func(kp *KeyPackage) { kp.Version = 2 }},
		{"another suite", "a key package is for another version or cipher suite", nil, nil, func(kp *KeyPackage) { kp.Suite = 3 }},
		{"a leaf from an update", "a key package's leaf does not come from a key package", nil, func(l *LeafNode) { l.Source = LeafUpdate }, nil},
		{"a leaf from a commit", "a key package's leaf does not come from a key package", nil, func(l *LeafNode) { l.Source = LeafCommit }, nil},
		{"one key for two uses", "a key package has one key for two uses", nil, nil, func(kp *KeyPackage) { kp.InitKey = kp.LeafNode.EncryptionKey }},
		{"an init key of 31 bytes", "an encryption key is not one of the cipher suite", nil, nil, func(kp *KeyPackage) { kp.InitKey = kp.InitKey[1:] }},
		{"an init key of small order", "an encryption key cannot be used", nil, nil, func(kp *KeyPackage) { kp.InitKey = make([]byte, 32) }},
		{"an extension twice", "", ErrMalformed, nil, func(kp *KeyPackage) { kp.Extensions = Extensions{{0xF00F, nil}, {0xF00F, nil}} }},
	} {
		_, kp, _ := ruledParty(t, row.leaf, row.kp)
		message := forge(t, evil, byValue(&Add{kp}))
		refuses(t, row.name, good, message, row.rule, row.want)
		refuses(t, row.name+", proposed", good, forgeProposal(t, evil, &Add{kp}), row.rule, row.want)
		if _, err := ParseKeyPackage(kp.Marshal()); err == nil && row.name != "another suite" {
			t.Errorf("%s: ParseKeyPackage takes it", row.name)
		}
		if _, err := evil.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}}); err == nil {
			t.Errorf("%s: the sender commits it", row.name)
		}
	}
	_, kp, _ := ruledParty(t, nil, func(kp *KeyPackage) { kp.Extensions = Extensions{{0xF0F1, []byte("unknown")}} })
	if _, err := ParseKeyPackage(kp.Marshal()); err != nil {
		t.Errorf("an extension that is not known: %v", err)
	}
	accepts(t, good, careless{t: t, g: evil, list: committed(evil, &Add{kp})}.commit())
}

// TestCapabilitiesListed checks what a leaf of our own lists: all that it uses and supports, and nothing that goes without saying.
func TestCapabilitiesListed(t *testing.T) {
	cfg, _, _ := party(t, "alice")
	kp, _, err := NewKeyPackage(KeyPackageOptions{
		Suite: 1, Credential: BasicCredential(nil), Signer: cfg.Signer, Lifetime: always,
		LeafExtensions: Extensions{{0xF001, nil}, {ExtensionApplicationID, []byte("id")}}, Extensions: Extensions{{0xF002, nil}},
		Capabilities: Capabilities{
			Extensions: []ExtensionType{ExtensionRatchetTree, 0xF003, ExtensionExternalSenders},
			Proposals:  []ProposalType{ProposalAdd, 0xF004, ProposalGroupContextExtensions},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := kp.LeafNode.Capabilities.withoutGREASE()
	if want := []ExtensionType{0xF003, 0xF001, 0xF002}; !slices.Equal(c.Extensions, want) {
		t.Errorf("extensions %#x, want %#x", c.Extensions, want)
	}
	if want := []ProposalType{0xF004, ProposalSelfRemove}; !slices.Equal(c.Proposals, want) {
		t.Errorf("proposals %#x, want %#x", c.Proposals, want)
	}
	if !slices.Equal(c.Credentials, []CredentialType{CredentialBasic}) || !slices.Equal(c.Versions, []ProtocolVersion{MLS10}) ||
		!slices.Equal(c.CipherSuites, supportedSuites()) {
		t.Errorf("credentials %v, versions %v, suites %v", c.Credentials, c.Versions, c.CipherSuites)
	}
}
