package mls_test

import (
	"bytes"
	"errors"
	"maps"
	"testing"

	"snug/mls"
)

// end commits a ReInit, which all follow. Nobody can talk afterwards.
func (w *world) end(by *device, reinit *mls.ReInit) {
	w.t.Helper()
	c := by.commit(mls.CommitOptions{ByValue: []mls.Proposal{reinit}, NoPath: true})
	for _, d := range w.members {
		got := c
		if d != by {
			got = d.process(c.Message()).(*mls.StagedCommit)
		}
		if got.ReInit() == nil || string(got.ReInit().GroupID) != string(reinit.GroupID) {
			w.t.Fatalf("%s: the commit does not end the group", d.name)
		}
		saved, err := mls.LoadStagedCommit(d.group, got.Save())
		if err != nil || saved.ReInit() == nil {
			w.t.Fatalf("%s: the commit loads as another: %v", d.name, err)
		}
		d.merge(saved)
	}
}

// successor makes the devices of the next group: the same names, with keys of its suite.
func (w *world) successor(suite mls.CipherSuite) *world {
	next := &world{t: w.t, suite: suite}
	for _, d := range w.members {
		fresh := newDevice(w.t, suite, d.name)
		if suite == w.suite {
			fresh.signer = d.signer
		}
		next.members = append(next.members, fresh)
	}
	return next
}

func (d *device) successorOptions() mls.SuccessorOptions {
	return mls.SuccessorOptions{
		Credential: mls.BasicCredential([]byte(d.name)), LeafExtensions: leafExtensions, Capabilities: capabilities, Lifetime: lifetime,
	}
}

// found takes a new group and its first commit, after saving and loading both.
func (d *device) found(g *mls.Group, c *mls.StagedCommit) {
	d.t.Helper()
	d.group, d.store = g, store{}
	d.save()
	saved, err := mls.LoadStagedCommit(d.group, c.Save())
	if err != nil {
		d.t.Fatal(err)
	}
	d.merge(saved)
	if d.group.Epoch() != 1 {
		d.t.Fatalf("the new group is in epoch %d", d.group.Epoch())
	}
}

func (d *device) joinSuccessor(welcome []byte, predecessor *mls.Group) error {
	g, err := mls.Join(d.config(), welcome, d.find, mls.JoinOptions{Predecessor: predecessor})
	if err != nil {
		return err
	}
	d.group, d.store = g, store{}
	d.save()
	return nil
}

// TestReInit ends a group in favour of one of another suite, which another member than the committer makes.
func TestReInit(t *testing.T) {
	for _, suite := range []mls.CipherSuite{1, 2, mls.DefaultSuite} {
		w := newWorld(t, 1, 3)
		reinit := &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: suite, Extensions: mls.Extensions{{Type: roomExtension, Data: []byte("renewed")}}}
		w.end(w.members[0], reinit)
		next := w.successor(suite)
		maker := next.members[1]
		opts := maker.successorOptions()
		for _, d := range []*device{next.members[2], next.members[0]} {
			opts.KeyPackages = append(opts.KeyPackages, d.keyPackage())
		}
		g, c, err := w.members[1].group.Reinitialize(maker.config(), opts)
		if err != nil {
			t.Fatal(err)
		}
		maker.found(g, c)
		for _, i := range []int{0, 2} {
			d := next.members[i]
			if err := d.joinSuccessor(c.Welcome(), nil); err == nil {
				t.Error("joined without the group that has ended")
			}
			if err := d.joinSuccessor(c.Welcome(), w.members[i].group); err != nil {
				t.Fatalf("%s: %v", d.name, err)
			}
		}
		next.agree()
		if got := maker.group; string(got.GroupID()) != "next" || got.Suite() != suite || !got.Extensions().Equal(reinit.Extensions) {
			t.Errorf("the next group is %q of suite %d", got.GroupID(), got.Suite())
		}
		next.commit(next.members[2], mls.CommitOptions{})
	}
}

// TestReInitByReference has one propose and another commit, beside other proposals, which come first.
func TestReInitByReference(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice, bob, carol := w.members[0], w.members[1], w.members[2]
	reinit := mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: 1}
	m, err := bob.group.ProposeReInit(reinit)
	w.hear(bob, m, err)
	m, err = carol.group.ProposeUpdate(mls.LeafOptions{})
	w.hear(carol, m, err)
	c := w.commit(alice, mls.CommitOptions{})
	if len(c.Proposals()) != 1 || c.ReInit() != nil || c.Proposals()[0].Proposal.Type() != mls.ProposalUpdate {
		t.Errorf("committed %v", c.Proposals())
	}
	for _, d := range []*device{bob, carol} {
		m, err = d.group.ProposeReInit(reinit)
		w.hear(d, m, err)
	}
	if c := alice.commit(mls.CommitOptions{}); len(c.Proposals()) != 1 || c.ReInit() == nil {
		t.Errorf("committed %v", c.Proposals())
	}
	var rule *mls.ValidationError
	both := mls.CommitOptions{Pending: func(*mls.ReceivedProposal) bool { return true }}
	if _, err := alice.group.Commit(both); !errors.As(err, &rule) || rule.Rule != "a reinit together with other proposals" {
		t.Errorf("two at once: %v", err)
	}
	for _, p := range []mls.ReInit{{GroupID: []byte("x"), Version: 2, Suite: 1}, {GroupID: []byte("x"), Version: mls.MLS10, Suite: 99}} {
		if _, err := bob.group.ProposeReInit(p); !errors.Is(err, mls.ErrUnsupported) {
			t.Errorf("proposed %v: %v", p, err)
		}
		if _, err := bob.group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&p}}); !errors.Is(err, mls.ErrUnsupported) {
			t.Errorf("committed %v: %v", p, err)
		}
	}
}

// TestReinitializedIsOver checks that a group that has ended does nothing more, after a restart as before.
func TestReinitializedIsOver(t *testing.T) {
	w := newWorld(t, 1, 3)
	w.open()
	alice, bob, eve := w.members[0], w.members[1], w.outsider("eve")
	info := alice.groupInfo()
	last := bob.group.Epoch()
	early := bob.seal("before")
	w.end(alice, &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: 1})
	if r, ok := bob.group.Reinitialized(); !ok || string(r.GroupID) != "next" {
		t.Errorf("bob has %v", r)
	}
	before := bob.snapshot()
	psk := mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("x")}
	for name, do := range map[string]func() error{
		"seal":           func() error { _, err := bob.group.Seal(nil, nil); return err },
		"commit":         func() error { _, err := bob.group.Commit(mls.CommitOptions{}); return err },
		"propose update": func() error { _, err := bob.group.ProposeUpdate(mls.LeafOptions{}); return err },
		"propose remove": func() error { _, err := bob.group.ProposeRemove(0); return err },
		"propose leave":  func() error { _, err := bob.group.ProposeSelfRemove(); return err },
		"propose key":    func() error { _, err := bob.group.ProposePreSharedKey(psk); return err },
		"propose reinit": func() error { _, err := bob.group.ProposeReInit(mls.ReInit{Version: mls.MLS10, Suite: 1}); return err },
		"group info":     func() error { _, err := bob.group.GroupInfo(); return err },
		"branch":         func() error { _, _, err := bob.group.Branch(bob.config(), bob.successorOptions()); return err },
		"process add": func() error {
			return w.offer(bob, func(p mls.Place) ([]byte, error) { return mls.ProposeOwnAdd(p, eve.keyPackage(), eve.signer) })
		},
	} {
		if err := do(); !errors.Is(err, mls.ErrReinitialized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var epoch *mls.EpochError
	if _, err := bob.group.Process(early); !errors.As(err, &epoch) {
		t.Errorf("a message of epoch %d: %v", last, err)
	}
	late := eve.joinExternally(info, eve.externalOptions())
	if _, err := bob.group.Process(late.Message()); !errors.As(err, &epoch) {
		t.Errorf("a newcomer of epoch %d: %v", last, err)
	}
	if !maps.EqualFunc(before, bob.snapshot(), bytes.Equal) {
		t.Error("what is refused has changed the group")
	}
	if len(bob.group.EpochAuthenticator()) == 0 {
		t.Error("the last epoch has no authenticator")
	}
}

// offer makes a message for the group's current place.
func (w *world) offer(d *device, make func(mls.Place) ([]byte, error)) error {
	w.t.Helper()
	g := d.group
	m, err := make(mls.Place{Suite: g.Suite(), GroupID: g.GroupID(), Epoch: g.Epoch()})
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = g.Process(m)
	return err
}

// TestBranch makes a group of some members of another.
func TestBranch(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 4)
		next := w.successor(suite)
		maker := next.members[2]
		opts := maker.successorOptions()
		opts.Extensions = mls.Extensions{{Type: roomExtension, Data: []byte("aside")}}
		opts.KeyPackages = []*mls.KeyPackage{next.members[0].keyPackage(), next.members[3].keyPackage()}
		opts.NoPath = true
		g, c, err := w.members[2].group.Branch(maker.config(), opts)
		if err != nil {
			t.Fatal(err)
		}
		maker.found(g, c)
		for _, i := range []int{0, 3} {
			if err := next.members[i].joinSuccessor(c.Welcome(), w.members[i].group); err != nil {
				t.Fatal(err)
			}
		}
		next.members = []*device{next.members[0], maker, next.members[3]}
		next.agree()
		w.agree()
		next.commit(maker, mls.CommitOptions{})
		opts.GroupID = w.members[2].group.GroupID()
		var rule *mls.ValidationError
		if _, _, err := w.members[2].group.Branch(maker.config(), opts); !errors.As(err, &rule) || rule.Rule != "a branch has the group's own id" {
			t.Errorf("a branch with its group's id: %v", err)
		}
	})
}

// TestSuccessorMembers checks who may be in a group that comes from another: before it is made, and before it is joined.
func TestSuccessorMembers(t *testing.T) {
	w := newWorld(t, 1, 3)
	next := w.successor(1)
	eve := newDevice(t, 1, "eve")
	maker := next.members[0]
	branch := func(packages ...*mls.KeyPackage) error {
		opts := maker.successorOptions()
		opts.KeyPackages = packages
		_, _, err := w.members[0].group.Branch(maker.config(), opts)
		return err
	}
	breaks := func(what string, err error, want string) {
		t.Helper()
		var rule *mls.ValidationError
		if !errors.As(err, &rule) || rule.Rule != want {
			t.Errorf("%s: got %v, want the rule %q", what, err, want)
		}
	}
	const stranger = "a group has a member that the one that it comes from has not"
	if err := branch(next.members[1].keyPackage()); err != nil {
		t.Error(err)
	}
	breaks("a stranger", branch(eve.keyPackage()), stranger)
	breaks("a member and a stranger", branch(next.members[1].keyPackage(), eve.keyPackage()), stranger)
	twin := newDevice(t, 1, next.members[1].name)
	breaks("a member twice", branch(next.members[1].keyPackage(), twin.keyPackage()), stranger)
	maker.verifier.refuseNext = next.members[1].name
	breaks("a member that does not succeed to itself", branch(next.members[1].keyPackage()), stranger)
	maker.verifier.refuseNext = ""
	_, _, err := w.members[0].group.Reinitialize(maker.config(), maker.successorOptions())
	breaks("a group that goes on", err, "a successor of a group that goes on")

	w.end(w.members[1], &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: 1})
	opts := maker.successorOptions()
	opts.KeyPackages = []*mls.KeyPackage{next.members[1].keyPackage()}
	_, _, err = w.members[0].group.Reinitialize(maker.config(), opts)
	breaks("a member less", err, "a reinitialized group lacks members")
	opts.KeyPackages = append(opts.KeyPackages, eve.keyPackage())
	_, _, err = w.members[0].group.Reinitialize(maker.config(), opts)
	breaks("another member", err, stranger)
}
