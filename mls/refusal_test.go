package mls_test

import (
	"errors"
	"testing"

	"snug/mls"
)

// TestZeroConfig checks that nothing works without verifier, policy and signer.
func TestZeroConfig(t *testing.T) {
	d := newDevice(t, 1, "alice")
	full := d.config()
	for name, cfg := range map[string]mls.Config{
		"zero":        {},
		"no verifier": {Policy: full.Policy, Signer: full.Signer},
		"no policy":   {Verifier: full.Verifier, Signer: full.Signer},
		"no signer":   {Verifier: full.Verifier, Policy: full.Policy},
	} {
		if _, err := mls.NewGroup(cfg, mls.CreateOptions{Credential: mls.BasicCredential(nil)}); !errors.Is(err, mls.ErrConfig) {
			t.Errorf("%s: NewGroup: %v", name, err)
		}
		if _, err := mls.Join(cfg, nil, nil, mls.JoinOptions{}); !errors.Is(err, mls.ErrConfig) {
			t.Errorf("%s: Join: %v", name, err)
		}
		if _, err := mls.LoadGroup(cfg, nil); !errors.Is(err, mls.ErrConfig) {
			t.Errorf("%s: LoadGroup: %v", name, err)
		}
	}
	if _, _, err := mls.NewKeyPackage(mls.KeyPackageOptions{Credential: mls.BasicCredential(nil), Lifetime: lifetime}); !errors.Is(err, mls.ErrConfig) {
		t.Errorf("NewKeyPackage: %v", err)
	}
}

// every chooses all pending proposals.
func every(*mls.ReceivedProposal) bool { return true }

// isRefused checks that the error is the application's refusal, as a ValidationError.
func isRefused(t *testing.T, what string, err error) {
	t.Helper()
	var rule *mls.ValidationError
	if !errors.Is(err, errRefused) || !errors.As(err, &rule) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestVerifier lets the verifier refuse a leaf wherever one comes in.
func TestVerifier(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice, bob := w.members[0], w.members[1]
	eve := newDevice(t, 1, "eve")
	add := mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: eve.keyPackage()}}}

	alice.verifier.refuse = "eve"
	_, err := alice.group.Commit(add)
	isRefused(t, "committing an add", err)
	alice.verifier.refuse = ""
	c := alice.commit(add)
	bob.verifier.refuse = "eve"
	before := bob.snapshot()
	_, err = bob.group.Process(c.Message())
	isRefused(t, "receiving an add", err)
	unchanged(t, bob, before)
	bob.verifier.refuse = ""

	for _, d := range w.members {
		eve.verifier.refuse = d.name
		_, err = mls.Join(eve.config(), c.Welcome(), eve.find, mls.JoinOptions{})
		isRefused(t, "joining with "+d.name, err)
	}
	eve.verifier.refuse = ""
	eve.verifier.members = 0
	eve.join(c.Welcome())
	if eve.verifier.members != 4 {
		t.Errorf("%d leaves verified when joining, want 4", eve.verifier.members)
	}
}

// TestSuccession lets the verifier refuse a renewed leaf, in a path and in an Update proposal, sent and received.
func TestSuccession(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice, bob, carol := w.members[0], w.members[1], w.members[2]

	alice.verifier.refuseNext = alice.name
	_, err := alice.group.Commit(mls.CommitOptions{})
	isRefused(t, "committing a path", err)
	alice.verifier.refuseNext = ""
	bob.verifier.refuseNext = alice.name
	_, err = bob.group.Process(alice.commit(mls.CommitOptions{}).Message())
	isRefused(t, "receiving a path", err)
	bob.verifier.refuseNext = ""

	update, err := carol.group.ProposeUpdate(mls.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alice.process(update)
	bob.process(update)
	alice.verifier.refuseNext = carol.name
	_, err = alice.group.Commit(mls.CommitOptions{Pending: every})
	isRefused(t, "committing an update", err)
	if c := alice.commit(mls.CommitOptions{}); len(c.Proposals()) != 0 {
		t.Error("a refused update was committed")
	}
	alice.verifier.refuseNext = ""
	bob.verifier.refuseNext = carol.name
	c := alice.commit(mls.CommitOptions{})
	_, err = bob.group.Process(c.Message())
	isRefused(t, "receiving an update", err)
	bob.verifier.refuseNext = ""

	mallory := mls.BasicCredential([]byte("device 0"))
	if _, err := carol.group.Commit(mls.CommitOptions{Leaf: mls.LeafOptions{Credential: &mallory}}); err == nil {
		t.Error("a leaf took another identity")
	}
}

// TestPolicy lets the policy refuse what it sees, on both sides.
func TestPolicy(t *testing.T) {
	w := newWorld(t, 1, 4)
	alice, bob, carol := w.members[0], w.members[1], w.members[2]
	var seen []*mls.CommitContext
	onlyAlice := func(c *mls.CommitContext) error {
		seen = append(seen, c)
		for _, p := range c.Proposals {
			if p.Sender.Index != 0 {
				return errRefused
			}
		}
		return nil
	}
	for _, d := range w.members {
		d.policy = onlyAlice
	}
	remove := mls.CommitOptions{ByValue: []mls.Proposal{&mls.Remove{Removed: 3}}}
	_, err := bob.group.Commit(remove)
	isRefused(t, "committing by value", err)
	bob.policy = nil
	_, err = carol.group.Process(bob.commit(remove).Message())
	isRefused(t, "receiving by value", err)

	proposal, err := bob.group.ProposeRemove(3)
	if err != nil {
		t.Fatal(err)
	}
	alice.process(proposal)
	carol.process(proposal)
	_, err = alice.group.Commit(mls.CommitOptions{Pending: every})
	isRefused(t, "committing by reference", err)
	if c := alice.commit(mls.CommitOptions{}); len(c.Proposals()) != 0 {
		t.Error("a refused proposal was committed")
	}
	alice.policy = nil
	_, err = carol.group.Process(alice.commit(mls.CommitOptions{}).Message())
	isRefused(t, "receiving by reference", err)
	checkContext(t, seen[len(seen)-1])
}

// checkContext looks at what a policy is shown of a commit that removes leaf 3.
func checkContext(t *testing.T, c *mls.CommitContext) {
	t.Helper()
	count := func(seq func(func(mls.Member) bool)) (n int) {
		for range seq {
			n++
		}
		return n
	}
	if c.Sent || c.Committer.Index != 0 || len(c.Proposals) != 1 || !c.Proposals[0].ByReference || c.Proposals[0].Sender.Index != 1 {
		t.Errorf("the policy is shown %+v", c)
	}
	if count(c.MembersBefore()) != 4 || count(c.MembersAfter()) != 3 {
		t.Error("the policy is shown other members")
	}
	if _, ok := c.MemberAfter(3); ok {
		t.Error("the removed member is still there")
	}
	if m, ok := c.MemberBefore(3); !ok || string(m.Credential.Identity) != "device 3" {
		t.Error("the removed member was not there")
	}
	if data, _ := c.After.Get(roomExtension); string(data) != "room" {
		t.Error("the policy is not shown the extensions")
	}
}

// TestIgnored checks that a proposal nobody may commit does not stop the conversation.
func TestIgnored(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice, bob := w.members[0], w.members[1]
	proposal, err := bob.group.ProposeRemove(2)
	if err != nil {
		t.Fatal(err)
	}
	p := alice.process(proposal).(*mls.ReceivedProposal)
	if _, err := alice.group.Seal(nil, nil); !errors.Is(err, mls.ErrPendingProposals) {
		t.Errorf("sealing with a proposal pending: %v", err)
	}
	alice.group.Ignore(p)
	alice.save()
	if n := len(alice.group.Pending()); n != 0 {
		t.Errorf("%d proposals pending, want 0", n)
	}
	alice.seal("still here")
	if c := alice.commit(mls.CommitOptions{}); len(c.Proposals()) != 0 {
		t.Error("an ignored proposal was committed")
	}
	w.members[2].process(proposal)
	bob.save()
	alice.merge(alice.process(w.members[2].commit(mls.CommitOptions{Pending: func(*mls.ReceivedProposal) bool { return false }}).Message()).(*mls.StagedCommit))
}
