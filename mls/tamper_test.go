package mls_test

import (
	"bytes"
	"errors"
	"testing"

	"snug/mls"
)

// messages of every kind, from the first member to the second, none of them processed yet.
func (w *world) messages(t *testing.T) map[string][]byte {
	t.Helper()
	alice := w.members[0]
	out := map[string][]byte{"application": alice.seal("hello")}
	out["commit"] = alice.commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Remove{Removed: 2}}}).Message()
	out["public commit"] = alice.commit(mls.CommitOptions{Public: true}).Message()
	proposal, err := alice.group.ProposeRemove(2)
	if err != nil {
		t.Fatal(err)
	}
	out["proposal"] = proposal
	return out
}

// TestFlips flips a bit in every byte of every kind of message: each is refused, and changes nothing.
func TestFlips(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 3)
		bob := w.members[1]
		for name, m := range w.messages(t) {
			before := bob.snapshot()
			for i := range m {
				wrong := bytes.Clone(m)
				wrong[i] ^= 1 << (i % 8)
				if r, err := bob.group.Process(wrong); err == nil {
					t.Fatalf("%s with byte %d changed is a %T", name, i, r)
				}
			}
			unchanged(t, bob, before)
		}
	})
}

// TestCuts offers every beginning of every kind of message, and one byte more than the whole.
func TestCuts(t *testing.T) {
	w := newWorld(t, 1, 3)
	bob := w.members[1]
	for name, m := range w.messages(t) {
		before := bob.snapshot()
		for n := range m {
			if _, err := bob.group.Process(m[:n]); !errors.Is(err, mls.ErrMalformed) {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		if _, err := bob.group.Process(append(bytes.Clone(m), 0)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s with a trailing byte: %v", name, err)
		}
		unchanged(t, bob, before)
		bob.process(m)
	}
}

// TestWelcomeFlips flips a bit in every byte of a Welcome, and of a tree that travels apart from it.
func TestWelcomeFlips(t *testing.T) {
	t.Parallel()
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 5)
		w.commit(w.members[1], mls.CommitOptions{ByValue: []mls.Proposal{&mls.Remove{Removed: 3}}})
		eve := newDevice(t, suite, "eve")
		c := w.members[0].commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: eve.keyPackage()}}, NoTree: true})
		tree := c.RatchetTree()
		if _, err := mls.Join(eve.config(), c.Welcome(), eve.find, mls.JoinOptions{}); err == nil {
			t.Fatal("joined without a tree")
		}
		// Loading the key package anew for each byte would take the most of the time.
		ref := c.WelcomeRefs()[0]
		private := eve.find(ref)
		find := func(r mls.KeyPackageRef) *mls.KeyPackagePrivate {
			if r != ref {
				return nil
			}
			return private
		}
		try := func(what string, i int, welcome, tree []byte) {
			if _, err := mls.Join(eve.config(), welcome, find, mls.JoinOptions{RatchetTree: tree}); err == nil {
				t.Fatalf("joined with byte %d of the %s changed", i, what)
			}
		}
		for i := range c.Welcome() {
			wrong := bytes.Clone(c.Welcome())
			wrong[i] ^= 1 << (i % 8)
			try("welcome", i, wrong, tree)
		}
		for i := range tree {
			wrong := bytes.Clone(tree)
			wrong[i] ^= 1 << (i % 8)
			try("tree", i, c.Welcome(), wrong)
		}
		if _, err := mls.Join(eve.config(), c.Welcome(), eve.find, mls.JoinOptions{RatchetTree: tree}); err != nil {
			t.Fatal(err)
		}
		other := newDevice(t, suite, "other")
		if _, err := mls.Join(other.config(), c.Welcome(), other.find, mls.JoinOptions{RatchetTree: tree}); !errors.Is(err, mls.ErrNoKeyPackage) {
			t.Errorf("joining as somebody else: %v", err)
		}
		if refs, err := mls.WelcomeRefs(c.Welcome()); err != nil || len(refs) != 1 || refs[0] != c.WelcomeRefs()[0] {
			t.Errorf("refs %v, %v", refs, err)
		}
	})
}

// TestKeyPackageFlips flips a bit in every byte of a key package.
func TestKeyPackageFlips(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		m := newDevice(t, suite, "alice").keyPackage().Marshal()
		for i := range m {
			wrong := bytes.Clone(m)
			wrong[i] ^= 1 << (i % 8)
			if _, err := mls.ParseKeyPackage(wrong); err == nil {
				t.Fatalf("a key package with byte %d changed parses", i)
			}
		}
	})
}
