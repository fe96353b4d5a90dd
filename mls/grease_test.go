package mls

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
)

// TestGREASE checks where the reserved values are sent: in the capabilities of leaves, in the lists of extensions where the
// application asks for it, and nowhere else.
func TestGREASE(t *testing.T) {
	seen := make(map[uint16]bool)
	for range 300 {
		v := greaseValue()
		if !isGREASE(v) {
			t.Fatalf("%#x is not reserved", v)
		}
		seen[v] = true
	}
	reserved := 0
	for v := range 1 << 16 {
		if isGREASE(uint16(v)) {
			reserved++
		}
	}
	if len(seen) != 15 || reserved != 15 || isGREASE(uint16(0xFAFA)) {
		t.Errorf("%d values sent, %d known, want 15", len(seen), reserved)
	}
	members := groupOf(t, 2)
	_, kp, _ := party(t, "eve")
	for name, leaf := range map[string]*LeafNode{"creator": members[0].tree.leaf(0), "joiner": members[1].tree.leaf(1), "key package": kp.LeafNode} {
		c := &leaf.Capabilities
		if !slices.ContainsFunc(c.CipherSuites, isGREASE[CipherSuite]) || !slices.ContainsFunc(c.Extensions, isGREASE[ExtensionType]) ||
			!slices.ContainsFunc(c.Proposals, isGREASE[ProposalType]) || !slices.ContainsFunc(c.Credentials, isGREASE[CredentialType]) {
			t.Errorf("%s: %+v", name, c)
		}
		if slices.ContainsFunc(leaf.Extensions, func(x Extension) bool { return isGREASE(x.Type) }) {
			t.Errorf("%s: the leaf has %v", name, leaf.Extensions)
		}
		if slices.ContainsFunc(c.Versions, isGREASE[ProtocolVersion]) || isGREASE(leaf.Credential.Type) {
			t.Errorf("%s: a reserved value where it is refused", name)
		}
	}
	if len(kp.Extensions) > 0 {
		t.Errorf("the key package has %v", kp.Extensions)
	}
}

// TestGREASEExtension puts extensions that nobody knows wherever they may be, and has another member add and join by them.
func TestGREASEExtension(t *testing.T) {
	members := groupOf(t, 2)
	_, signer, _ := ed25519.GenerateKey(nil)
	kp, private, err := NewKeyPackage(KeyPackageOptions{
		Suite: 1, Credential: BasicCredential([]byte("eve")), Signer: signer, Lifetime: Lifetime{0, 1 << 40},
		LeafExtensions: Extensions{GREASEExtension()}, Extensions: Extensions{GREASEExtension()},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Verifier: acceptAnyone{}, Policy: AllowAll, Signer: signer}
	if _, err := Join(cfg, c.Welcome(), func(KeyPackageRef) *KeyPackagePrivate { return private }, JoinOptions{}); err != nil {
		t.Errorf("joining: %v", err)
	}
	message, err := members[0].GroupInfoWith(GroupInfoOptions{Extensions: Extensions{GREASEExtension()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := JoinExternally(cfg, message, ExternalOptions{Credential: BasicCredential([]byte("eve")), LeafExtensions: Extensions{GREASEExtension()}}); err != nil {
		t.Errorf("joining from outside: %v", err)
	}
}

// TestGREASEIsNotSupport checks that what a member says for others to ignore is no support: not of an extension, not in what a group
// requires.
func TestGREASEIsNotSupport(t *testing.T) {
	members := groupOf(t, 2)
	var all []ExtensionType
	for v := range 1 << 16 {
		if isGREASE(ExtensionType(v)) {
			all = append(all, ExtensionType(v))
		}
	}
	// All say that they support all reserved values.
	for _, g := range members {
		caps := g.OwnLeaf().Capabilities
		caps.Extensions = all
		c, err := g.Commit(CommitOptions{Leaf: LeafOptions{Capabilities: &caps, Extensions: Extensions{}}})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
	}
	context := Extensions{{all[3], []byte("x")}}
	required := Extensions{{ExtensionRequiredCapabilities, RequiredCapabilities{Extensions: all[:1]}.Marshal()}}
	for rule, x := range map[string]Extensions{
		"a leaf does not support one of the group's extensions": context, "a leaf lacks required capabilities": required,
	} {
		refuses(t, "in a context", members[1], forge(t, members[0], byValue(&GroupContextExtensions{x})), rule, nil)
		_, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&GroupContextExtensions{x}}})
		isBroken(t, "sent in a context", err, rule, nil)
		cfg, _, _ := party(t, "0")
		_, err = NewGroup(cfg, CreateOptions{
			Suite: 1, Credential: BasicCredential([]byte("0")), Capabilities: Capabilities{Extensions: all}, Extensions: x,
		})
		isBroken(t, "in a new group", err, rule, nil)
	}
	cfg, _, _ := party(t, "0")
	bad := Extensions{{ExtensionExternalSenders, []byte{1}}}
	if _, err := NewGroup(cfg, CreateOptions{Suite: 1, Credential: BasicCredential([]byte("0")), Extensions: bad}); !errors.Is(err, ErrMalformed) {
		t.Errorf("external senders that do not parse: %v", err)
	}
}
