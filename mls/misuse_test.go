package mls_test

import (
	"bytes"
	"errors"
	"testing"

	"snug/mls"
)

// TestNilProposals gives nil pointers where proposals are wanted, as a caller does that forgot to look at an error.
func TestNilProposals(t *testing.T) {
	w := newWorld(t, 1, 2)
	alice := w.members[0]
	for _, p := range []mls.Proposal{
		nil, (*mls.Add)(nil), (*mls.Update)(nil), (*mls.Remove)(nil), (*mls.PreSharedKey)(nil), (*mls.ReInit)(nil), (*mls.ExternalInit)(nil),
		(*mls.GroupContextExtensions)(nil), (*mls.SelfRemove)(nil), (*mls.CustomProposal)(nil),
	} {
		var rule *mls.ValidationError
		if _, err := alice.group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{p}}); !errors.As(err, &rule) || rule.Rule != "a proposal that is nil" {
			t.Errorf("committing %T: %v", p, err)
		}
		_, err := mls.ProposeExternally(mls.Place{Suite: 1, GroupID: alice.group.GroupID()}, 0, alice.signer, p)
		if !errors.As(err, &rule) || rule.Rule != "a proposal that is nil" {
			t.Errorf("proposing %T from outside: %v", p, err)
		}
	}
}

// TestNoKeyPackages joins without a secret half to join by.
func TestNoKeyPackages(t *testing.T) {
	w := newWorld(t, 1, 1)
	eve := newDevice(t, 1, "eve")
	c := w.members[0].commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: eve.keyPackage()}}})
	for name, keys := range map[string]func(mls.KeyPackageRef) *mls.KeyPackagePrivate{
		"no function":  nil,
		"none of them": func(mls.KeyPackageRef) *mls.KeyPackagePrivate { return nil },
		"an empty one": func(mls.KeyPackageRef) *mls.KeyPackagePrivate { return &mls.KeyPackagePrivate{} },
	} {
		if _, err := mls.Join(eve.config(), c.Welcome(), keys, mls.JoinOptions{}); !errors.Is(err, mls.ErrNoKeyPackage) {
			t.Errorf("%s: %v, want %v", name, err, mls.ErrNoKeyPackage)
		}
	}
}

// TestOptionsAreCopied writes over what options pointed to, once they were used: the group and its messages stay as they are.
func TestOptionsAreCopied(t *testing.T) {
	eve := newDevice(t, 1, "eve")
	var lent [][]byte
	lend := func(s string) []byte {
		lent = append(lent, []byte(s))
		return lent[len(lent)-1]
	}
	credential := func() mls.Credential { return mls.Credential{Type: mls.CredentialBasic, Identity: lend("eve")} }
	list := func(kind mls.ExtensionType) mls.Extensions {
		return mls.Extensions{{Type: kind, Data: lend("of the application")}}
	}
	versions := []mls.ProtocolVersion{mls.MLS10}
	suites := []mls.CipherSuite{1, 2, 3}
	spoil := func() {
		for _, b := range lent {
			clear(b)
		}
		versions[0], suites[0] = 7, 7
	}
	restore := func() { versions[0], suites[0] = mls.MLS10, 1 }
	caps := mls.Capabilities{Versions: versions, CipherSuites: suites, Extensions: capabilities.Extensions}

	kp, private, err := mls.NewKeyPackage(mls.KeyPackageOptions{Suite: 1, Credential: credential(), Signer: eve.signer, Lifetime: lifetime,
		LeafExtensions: list(deviceExtension), Extensions: list(roomExtension), Capabilities: caps})
	if err != nil {
		t.Fatal(err)
	}
	published, saved := kp.Marshal(), private.Save()
	spoil()
	if !bytes.Equal(kp.Marshal(), published) || !bytes.Equal(private.Save(), saved) {
		t.Error("a key package changes with the options that it was made by")
	}

	restore()
	g, err := mls.NewGroup(eve.config(), mls.CreateOptions{Suite: 1, Credential: credential(), LeafExtensions: list(deviceExtension),
		Extensions: list(roomExtension), Capabilities: caps})
	if err != nil {
		t.Fatal(err)
	}
	tree := g.RatchetTree()
	spoil()
	if got, _ := g.Extensions().Get(roomExtension); !bytes.Equal(g.RatchetTree(), tree) || string(got) != "of the application" {
		t.Error("a group changes with the options that it was made by")
	}

	restore()
	who := credential()
	c, err := g.Commit(mls.CommitOptions{AuthenticatedData: lend("aad"),
		Leaf: mls.LeafOptions{Credential: &who, Extensions: list(deviceExtension), Capabilities: &caps}})
	if err != nil {
		t.Fatal(err)
	}
	tree, candidate := c.RatchetTree(), c.Save()
	spoil()
	if !bytes.Equal(c.RatchetTree(), tree) || !bytes.Equal(c.Save(), candidate) {
		t.Error("a candidate changes with the options that it was made by")
	}
}

// TestOwnMemory writes over what a group returned.
func TestOwnMemory(t *testing.T) {
	g := newWorld(t, 1, 2).members[0].group
	c, err := g.Commit(mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, get := range map[string]func() []byte{
		"the epoch authenticator":       g.EpochAuthenticator,
		"the candidate's authenticator": c.EpochAuthenticator,
		"the resumption secret":         func() []byte { return g.ResumptionPSK() },
		"the candidate's ratchet tree":  c.RatchetTree,
		"the saved form of a candidate": func() []byte { return c.Save() },
		"the ratchet tree of the epoch": g.RatchetTree,
	} {
		first := get()
		want := bytes.Clone(first)
		clear(first)
		if got := get(); !bytes.Equal(got, want) {
			t.Errorf("%s is the group's own memory", name)
		}
	}
}

// TestUncommittableUpdate proposes a leaf that nobody could commit.
func TestUncommittableUpdate(t *testing.T) {
	w := newWorld(t, 1, 2)
	alice := w.members[0]
	for name, opts := range map[string]mls.LeafOptions{
		"without the group's extension": {Capabilities: &mls.Capabilities{}},
		"without a credential":          {Credential: &mls.Credential{}},
	} {
		var rule *mls.ValidationError
		if _, err := alice.group.ProposeUpdate(opts); !errors.As(err, &rule) {
			t.Errorf("%s: %v, want a *ValidationError", name, err)
		}
	}
	if len(alice.group.Pending()) > 0 {
		t.Errorf("%d proposals are pending", len(alice.group.Pending()))
	}
	if _, err := alice.group.Seal([]byte("hello"), nil); err != nil {
		t.Errorf("sealing: %v", err)
	}
}

// TestExternalSenderCredential describes an external sender whose credential nobody could read.
func TestExternalSenderCredential(t *testing.T) {
	var rule *mls.ValidationError
	if _, err := mls.NewExternalSender(1, newSigner(t, 1), mls.Credential{}); !errors.As(err, &rule) {
		t.Errorf("got %v, want a *ValidationError", err)
	}
}
