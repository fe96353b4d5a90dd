package mls_test

import (
	"bytes"
	"errors"
	"maps"
	"testing"

	"snug/mls"
)

// TestSelfRemove has members leave: one commits what others ask for.
func TestSelfRemove(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 4)
		alice, bob, carol, dave := w.members[0], w.members[1], w.members[2], w.members[3]
		for _, d := range []*device{bob, dave} {
			m, err := d.group.ProposeSelfRemove()
			w.hear(d, m, err)
		}
		// A Remove of who leaves anyhow gives way.
		m, err := carol.group.ProposeRemove(1)
		w.hear(carol, m, err)
		c := w.commit(alice, mls.CommitOptions{})
		if len(c.Removed()) != 2 || len(c.Proposals()) != 2 || len(w.members) != 2 {
			t.Errorf("removed %v with %d proposals", c.Removed(), len(c.Proposals()))
		}
		for _, p := range c.Proposals() {
			if p.Proposal.Type() != mls.ProposalSelfRemove || !p.ByReference {
				t.Errorf("committed %v", p)
			}
		}
		w.commit(carol, mls.CommitOptions{})
	})
}

// TestSelfRemoveOfCommitter checks that nobody commits its own leaving, and that it does not keep it from committing.
func TestSelfRemoveOfCommitter(t *testing.T) {
	w := newWorld(t, 1, 3)
	bob := w.members[1]
	m, err := bob.group.ProposeSelfRemove()
	w.hear(bob, m, err)
	var rule *mls.ValidationError
	if _, err := bob.group.ProposeSelfRemove(); !errors.As(err, &rule) || rule.Rule != "a second self-remove of a member in an epoch" {
		t.Errorf("proposed to leave twice: %v", err)
	}
	if n := len(bob.group.Pending()); n != 1 {
		t.Errorf("%d proposals are pending", n)
	}
	c := w.commit(bob, mls.CommitOptions{})
	if len(c.Proposals()) != 0 {
		t.Errorf("committed %v", c.Proposals())
	}
	m, err = bob.group.ProposeSelfRemove()
	w.hear(bob, m, err)
	all := mls.CommitOptions{Pending: func(*mls.ReceivedProposal) bool { return true }}
	if _, err := bob.group.Commit(all); !errors.As(err, &rule) || rule.Rule != "a self-remove that another member does not commit by reference" {
		t.Errorf("committed the own leaving: %v", err)
	}
	if _, err := w.members[0].group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.SelfRemove{}}}); !errors.As(err, &rule) {
		t.Errorf("committed a leaving by value: %v", err)
	}
}

// TestSelfRemoveByJoiner has somebody join by a commit that lets those go who want to.
func TestSelfRemoveByJoiner(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 4)
		w.open()
		info := w.members[0].groupInfo()
		var leaving [][]byte
		for _, d := range w.members[1:3] {
			m, err := d.group.ProposeSelfRemove()
			w.hear(d, m, err)
			leaving = append(leaving, m)
		}
		eve := w.outsider("eve")
		opts := eve.externalOptions()
		opts.SelfRemoves = leaving
		c := w.take(eve, eve.joinExternally(info, opts))
		if len(c.Removed()) != 2 || eve.group.OwnLeaf().Index != 1 || len(w.members) != 3 {
			t.Errorf("removed %v, joined at %d", c.Removed(), eve.group.OwnLeaf().Index)
		}
	})
}

// TestSelfRemoveFromOutside gives a joiner proposals that it must not take along.
func TestSelfRemoveFromOutside(t *testing.T) {
	w := newWorld(t, 1, 4)
	w.open()
	alice, bob := w.members[0], w.members[1]
	info := alice.groupInfo()
	leave, err := bob.group.ProposeSelfRemove()
	w.hear(bob, leave, err)
	cfg := w.members[2].config()
	cfg.PublicProposals = true
	carol, err := mls.LoadGroup(cfg, maps.All(w.members[2].store))
	if err != nil {
		t.Fatal(err)
	}
	remove, err := carol.ProposeRemove(3)
	if err != nil {
		t.Fatal(err)
	}
	private, err := alice.group.ProposeRemove(3)
	if err != nil {
		t.Fatal(err)
	}
	eve := w.outsider("eve")
	join := func(messages ...[]byte) error {
		opts := eve.externalOptions()
		opts.SelfRemoves = messages
		_, err := mls.JoinExternally(eve.config(), info, opts)
		return err
	}
	if err := join(leave); err != nil {
		t.Error(err)
	}
	for name, messages := range map[string][][]byte{
		"a removal of another": {remove}, "a private message": {private}, "nothing": {nil}, "one twice": {leave, leave},
		"a message that is cut": {leave[:len(leave)-1]},
	} {
		if join(messages...) == nil {
			t.Errorf("joined with %s", name)
		}
	}
	for i := range leave[:len(leave)-32] { // what follows is the membership tag, which is for members to judge
		wrong := bytes.Clone(leave)
		wrong[i] ^= 1 << (i % 8)
		if join(wrong) == nil {
			t.Fatalf("joined with byte %d of %d changed", i, len(leave))
		}
	}
	// Who comes back itself does not take its own leaving along.
	opts := bob.externalOptions()
	opts.SelfRemoves = [][]byte{leave}
	opts.Replaces = func(m mls.Member) bool { return m.Index == 1 }
	var rule *mls.ValidationError
	if _, err := mls.JoinExternally(bob.config(), info, opts); !errors.As(err, &rule) {
		t.Errorf("removed the own leaf twice: %v", err)
	}
	w.commit(alice, mls.CommitOptions{Pending: func(p *mls.ReceivedProposal) bool { return false }})
	info = w.members[0].groupInfo()
	var epoch *mls.EpochError
	if err := join(leave); !errors.As(err, &epoch) {
		t.Errorf("joined with a leaving of another epoch: %v", err)
	}
}

// TestCustomProposal has members agree on something of the application.
func TestCustomProposal(t *testing.T) {
	const topic mls.ProposalType = 0xF0AA
	w := &world{t: t, suite: 1}
	caps := mls.Capabilities{Extensions: []mls.ExtensionType{roomExtension}, Proposals: []mls.ProposalType{topic}}
	alice := newDevice(t, 1, "alice")
	g, err := mls.NewGroup(alice.config(), mls.CreateOptions{Suite: 1, Credential: mls.BasicCredential([]byte("alice")), Capabilities: caps})
	if err != nil {
		t.Fatal(err)
	}
	alice.group = g
	alice.save()
	w.members = []*device{alice}
	for _, name := range []string{"bob", "carol"} {
		d := newDevice(t, 1, name)
		kp, private, err := mls.NewKeyPackage(mls.KeyPackageOptions{
			Suite: 1, Credential: mls.BasicCredential([]byte(name)), Signer: d.signer, Lifetime: lifetime, Capabilities: caps,
		})
		if err != nil {
			t.Fatal(err)
		}
		d.packages[kp.Ref()] = private.Save()
		c := alice.commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: kp}}})
		w.deliver(alice, c)
		d.join(c.Welcome())
		w.members = append(w.members, d)
	}
	bob := w.members[1]
	m, err := bob.group.ProposeCustom(mls.CustomProposal{ProposalType: topic, Data: []byte("tea")})
	w.hear(bob, m, err)
	seen := 0
	w.members[2].policy = func(c *mls.CommitContext) error {
		for _, p := range c.Proposals {
			if custom, ok := p.Proposal.(*mls.CustomProposal); ok && string(custom.Data) == "tea" {
				seen++
			}
		}
		return nil
	}
	c := w.commit(alice, mls.CommitOptions{NoPath: true, ByValue: []mls.Proposal{&mls.CustomProposal{ProposalType: topic, Data: []byte("tea")}}})
	if seen != 2 || len(c.Proposals()) != 2 || len(c.Updated()) != 1 {
		t.Errorf("the policy saw %d, committed %d, updated %d", seen, len(c.Proposals()), len(c.Updated()))
	}
	w.members[2].policy = func(*mls.CommitContext) error { return errRefused }
	if _, err := w.members[2].group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.CustomProposal{ProposalType: topic}}}); !errors.Is(err, errRefused) {
		t.Errorf("the policy was not asked: %v", err)
	}
	w.members[2].policy = nil
	var rule *mls.ValidationError
	const unknown = "a proposal of a type that a member does not support"
	for _, kind := range []mls.ProposalType{0xF0AB, 0xFFFF} {
		p := mls.CustomProposal{ProposalType: kind}
		if _, err := bob.group.ProposeCustom(p); !errors.As(err, &rule) || rule.Rule != unknown {
			t.Errorf("proposed type %#x: %v", kind, err)
		}
		if _, err := bob.group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&p}}); !errors.As(err, &rule) || rule.Rule != unknown {
			t.Errorf("committed type %#x: %v", kind, err)
		}
	}
	// Who does not know the type may come with the commit, and from then on there is no such proposal.
	plain := newDevice(t, 1, "plain")
	c = alice.commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.CustomProposal{ProposalType: topic}, &mls.Add{KeyPackage: plain.keyPackage()}}})
	w.deliver(alice, c)
	plain.join(c.Welcome())
	w.members = append(w.members, plain)
	w.agree()
	if _, err := bob.group.ProposeCustom(mls.CustomProposal{ProposalType: topic}); !errors.As(err, &rule) || rule.Rule != unknown {
		t.Errorf("proposed what a member does not know: %v", err)
	}
}
