package mls_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"snug/mls"
)

// open lets outsiders join, and their proposals in, at all members.
func (w *world) open() {
	for _, d := range w.members {
		d.openTo()
	}
}

// openTo changes the device's configuration so that outsiders get in.
func (d *device) openTo() {
	d.t.Helper()
	d.outside = func(c *mls.Config) {
		c.ExternalCommits, c.Admit = true, func(*mls.ReceivedProposal) error { return nil }
	}
	if d.group == nil {
		return
	}
	g, err := mls.LoadGroup(d.config(), maps.All(d.store))
	if err != nil {
		d.t.Fatal(err)
	}
	d.group = g
}

// outsider is a device that is in no group yet.
func (w *world) outsider(name string) *device {
	d := newDevice(w.t, w.suite, name)
	d.openTo()
	return d
}

func (d *device) externalOptions() mls.ExternalOptions {
	return mls.ExternalOptions{
		Credential: mls.BasicCredential([]byte(d.name)), LeafExtensions: leafExtensions, Capabilities: capabilities,
	}
}

func (d *device) groupInfo() []byte {
	d.t.Helper()
	info, err := d.group.GroupInfo()
	if err != nil {
		d.t.Fatal(err)
	}
	return info
}

// joinExternally makes the candidate, and has it saved and loaded, as a device does that speaks after it has saved.
func (d *device) joinExternally(info []byte, opts mls.ExternalOptions) *mls.ExternalJoin {
	d.t.Helper()
	made, err := mls.JoinExternally(d.config(), info, opts)
	if err != nil {
		d.t.Fatalf("%s joining by a commit: %v", d.name, err)
	}
	j, err := mls.LoadExternalJoin(d.config(), made.Save())
	if err != nil {
		d.t.Fatalf("%s loading its candidate: %v", d.name, err)
	}
	if !bytes.Equal(j.Save(), made.Save()) || !bytes.Equal(j.Message(), made.Message()) {
		d.t.Fatalf("%s: the candidate loads as another", d.name)
	}
	return j
}

// take lets all members follow a commit from outside, and its maker enter. Those whom it removes leave the world.
func (w *world) take(by *device, j *mls.ExternalJoin) (last *mls.StagedCommit) {
	w.t.Helper()
	var stay []*device
	for _, d := range w.members {
		if d == by {
			continue
		}
		c, ok := d.process(j.Message()).(*mls.StagedCommit)
		if !ok {
			w.t.Fatalf("%s: not a commit", d.name)
		}
		last = c
		if c.RemovesSelf() {
			continue
		}
		saved, err := mls.LoadStagedCommit(d.group, c.Save())
		if err != nil || !saved.External() || saved.Sender().Index != c.Sender().Index {
			w.t.Fatalf("%s: the commit loads as another: %v", d.name, err)
		}
		d.merge(saved)
		stay = append(stay, d)
	}
	by.group, by.store = j.Group(), store{}
	by.save()
	w.members = append(stay, by)
	w.agree()
	return last
}

// TestExternalCommit has devices join by commits of their own, in trees that are full, that have blanks, and that have one leaf.
func TestExternalCommit(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		for n := 1; n <= 5; n++ {
			w := newWorld(t, suite, n)
			w.open()
			eve := w.outsider("eve")
			c := w.take(eve, eve.joinExternally(w.members[n/2].groupInfo(), eve.externalOptions()))
			if !c.External() || c.Own() || len(c.Added()) != 1 || len(c.Updated()) != 0 || len(c.Removed()) != 0 {
				t.Errorf("%d members: %d added, %d updated, %d removed", n, len(c.Added()), len(c.Updated()), len(c.Removed()))
			}
			if got := c.Sender(); string(got.Credential.Identity) != "eve" || got.Index != mls.LeafIndex(n) {
				t.Errorf("%d members: the sender is %q at %d", n, got.Credential.Identity, got.Index)
			}
			w.commit(eve, mls.CommitOptions{})
			for _, d := range w.add(eve, 2) {
				d.openTo()
			}
			w.commit(eve, mls.CommitOptions{ByValue: []mls.Proposal{&mls.Remove{Removed: 0}}})
		}
	})
}

// TestExternalIntoBlank has a device take the leftmost leaf that is free.
func TestExternalIntoBlank(t *testing.T) {
	w := newWorld(t, 1, 7)
	w.open()
	w.commit(w.members[0], mls.CommitOptions{ByValue: []mls.Proposal{&mls.Remove{Removed: 2}, &mls.Remove{Removed: 6}, &mls.Remove{Removed: 5}}})
	for _, want := range []mls.LeafIndex{2, 5, 6, 7, 8} {
		eve := w.outsider(fmt.Sprint("outsider ", want))
		w.take(eve, eve.joinExternally(w.members[0].groupInfo(), eve.externalOptions()))
		if got := eve.group.OwnLeaf().Index; got != want {
			t.Errorf("took leaf %d, want %d", got, want)
		}
	}
}

// TestResync has each member of a group lose its state and come back by a commit that removes its old leaf, the only member included.
func TestResync(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		for n := 1; n <= 4; n++ {
			w := newWorld(t, suite, n)
			w.open()
			for range 2 * n {
				lost := w.members[0]
				old := lost.group.OwnLeaf()
				helper := w.members[len(w.members)-1]
				opts := lost.externalOptions()
				opts.Replaces = func(m mls.Member) bool { return string(m.Credential.Identity) == lost.name }
				before := lost.verifier.successions
				j := lost.joinExternally(helper.groupInfo(), opts)
				if lost.verifier.successions != before+1 {
					t.Errorf("the one who returns asked for %d successions", lost.verifier.successions-before)
				}
				if c := lost.process(j.Message()).(*mls.StagedCommit); !c.RemovesSelf() || c.Removed()[0].Index != old.Index {
					t.Errorf("the state that was lost is not told that it is over")
				}
				before = helper.verifier.successions
				helper.policy = func(c *mls.CommitContext) error {
					if c.Replaced == nil || c.Replaced.Index != old.Index || !c.External {
						t.Errorf("the policy sees %v replaced", c.Replaced)
					}
					return nil
				}
				w.take(lost, j)
				helper.policy = nil
				if helper != lost && helper.verifier.successions != before+1 {
					t.Errorf("a member asked for %d successions", helper.verifier.successions-before)
				}
				if lost.group.OwnLeaf().Index != old.Index || bytes.Equal(lost.group.OwnLeaf().SignatureKey, nil) {
					t.Errorf("came back at %d, was at %d", lost.group.OwnLeaf().Index, old.Index)
				}
			}
		}
	})
}

// TestResyncByAnother has somebody take the place of a member that it is not.
func TestResyncByAnother(t *testing.T) {
	w := newWorld(t, 1, 3)
	w.open()
	eve := w.outsider("eve")
	opts := eve.externalOptions()
	opts.Replaces = func(m mls.Member) bool { return m.Index == 1 }
	var rule *mls.ValidationError
	if _, err := mls.JoinExternally(eve.config(), w.members[0].groupInfo(), opts); !errors.As(err, &rule) {
		t.Errorf("the one who takes the place: %v", err)
	}
	// Who cheats asks nobody.
	cfg := eve.config()
	cfg.Verifier = anyone{}
	j, err := mls.JoinExternally(cfg, w.members[0].groupInfo(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range w.members {
		before := d.snapshot()
		if _, err := d.group.Process(j.Message()); !errors.As(err, &rule) || rule.Rule != "verifying who joins again" {
			t.Errorf("%s: %v", d.name, err)
		}
		if !maps.EqualFunc(before, d.snapshot(), bytes.Equal) {
			t.Errorf("%s: a refusal has changed the group", d.name)
		}
	}
	opts.Replaces = func(mls.Member) bool { return false }
	if _, err := mls.JoinExternally(cfg, w.members[0].groupInfo(), opts); !errors.As(err, &rule) || rule.Rule != "no member is the one to be replaced" {
		t.Errorf("nobody to replace: %v", err)
	}
}

// TestExternalRefusals checks who is asked before an outsider gets in, and that nobody is in a configuration that says nothing.
func TestExternalRefusals(t *testing.T) {
	w := newWorld(t, 1, 2)
	alice, bob := w.members[0], w.members[1]
	eve := w.outsider("eve")
	j := eve.joinExternally(alice.groupInfo(), eve.externalOptions())
	refused := func(d *device, want string) {
		t.Helper()
		before := d.snapshot()
		_, err := d.group.Process(j.Message())
		var rule *mls.ValidationError
		if !errors.As(err, &rule) || rule.Rule != want {
			t.Errorf("got %v, want the rule %q", err, want)
		}
		if !maps.EqualFunc(before, d.snapshot(), bytes.Equal) {
			t.Error("a refusal has changed the group")
		}
	}
	refused(bob, "taking an external commit")
	bob.openTo()
	bob.verifier.refuse = "eve"
	refused(bob, "verifying who joins")
	bob.verifier.refuse = ""
	seen := 0
	bob.policy = func(c *mls.CommitContext) error {
		seen++
		if !c.External || c.Sent || c.Replaced != nil || string(c.Committer.Credential.Identity) != "eve" || c.Committer.Index != 2 {
			t.Errorf("the policy sees %+v", c)
		}
		if _, ok := c.MemberBefore(2); ok {
			t.Error("the committer was there before")
		}
		return errRefused
	}
	refused(bob, "authorizing a commit")
	if seen != 1 {
		t.Errorf("the policy was asked %d times", seen)
	}
	eve.policy = func(c *mls.CommitContext) error {
		if !c.External || !c.Sent {
			t.Errorf("the policy of the sender sees %+v", c)
		}
		return errRefused
	}
	if _, err := mls.JoinExternally(eve.config(), alice.groupInfo(), eve.externalOptions()); !errors.Is(err, errRefused) {
		t.Errorf("the sender's own policy: %v", err)
	}
	eve.policy = nil
	eve.verifier.refuse = "device 1"
	if _, err := mls.JoinExternally(eve.config(), alice.groupInfo(), eve.externalOptions()); !errors.Is(err, errRefused) {
		t.Errorf("a member that the sender does not believe: %v", err)
	}
	bob.policy = nil
	if _, err := bob.group.Process(j.Message()); err != nil {
		t.Errorf("a commit that was refused before: %v", err)
	}
}

// TestExternalLoser has two join at once: one wins, the other tries again.
func TestExternalLoser(t *testing.T) {
	w := newWorld(t, 1, 3)
	w.open()
	info := w.members[0].groupInfo()
	first, second := w.outsider("first"), w.outsider("second")
	loser := second.joinExternally(info, second.externalOptions())
	w.take(first, first.joinExternally(info, first.externalOptions()))
	var late *mls.EpochError
	if _, err := w.members[0].group.Process(loser.Message()); !errors.As(err, &late) || late.Future() {
		t.Errorf("the loser's commit: %v", err)
	}
	w.take(second, second.joinExternally(w.members[0].groupInfo(), second.externalOptions()))
}

// TestExternalKeys mixes pre-shared keys into an external commit.
func TestExternalKeys(t *testing.T) {
	w := newWorld(t, 1, 2)
	known := func(id mls.PreSharedKeyID) (mls.Secret, error) {
		if string(id.ID) == "shared" {
			return mls.Secret("known to all"), nil
		}
		return nil, nil
	}
	eve := w.outsider("eve")
	opts := eve.externalOptions()
	opts.PSKs = []mls.PreSharedKeyID{{Type: mls.PSKExternal, ID: []byte("shared")}}
	info := w.members[0].groupInfo()
	if _, err := mls.JoinExternally(eve.config(), info, opts); err == nil {
		t.Error("joined by a key that is not known")
	}
	share := func(c *mls.Config) { c.ExternalCommits, c.PSK = true, known }
	eve.outside = share
	j := eve.joinExternally(info, opts)
	w.open()
	if _, err := w.members[1].group.Process(j.Message()); err == nil {
		t.Error("followed by a key that is not known")
	}
	for _, d := range w.members {
		d.outside = share
		d.reloadGroup()
	}
	c := w.take(eve, j)
	if kinds := len(c.Proposals()); kinds != 2 {
		t.Errorf("%d proposals", kinds)
	}
	for _, usage := range []mls.PSKUsage{mls.UsageBranch, mls.UsageReInit} {
		opts.PSKs = []mls.PreSharedKeyID{{Type: mls.PSKResumption, Usage: usage, GroupID: eve.group.GroupID(), Epoch: 1}}
		if _, err := mls.JoinExternally(eve.config(), eve.groupInfo(), opts); err == nil {
			t.Errorf("joined by a key of usage %d", usage)
		}
	}
}

func (d *device) reloadGroup() {
	d.t.Helper()
	g, err := mls.LoadGroup(d.config(), maps.All(d.store))
	if err != nil {
		d.t.Fatal(err)
	}
	d.group = g
}

// TestExternalTree gives the ratchet tree apart from the GroupInfo, and spoils both.
func TestExternalTree(t *testing.T) {
	w := newWorld(t, 1, 3)
	w.open()
	alice := w.members[0]
	info, err := alice.group.GroupInfoWith(mls.GroupInfoOptions{NoTree: true})
	if err != nil {
		t.Fatal(err)
	}
	eve := w.outsider("eve")
	opts := eve.externalOptions()
	fails := func(what string, info []byte, opts mls.ExternalOptions) {
		t.Helper()
		if _, err := mls.JoinExternally(eve.config(), info, opts); err == nil {
			t.Errorf("joined %s", what)
		}
	}
	fails("without a tree", info, opts)
	opts.RatchetTree = alice.group.RatchetTree()[1:]
	fails("with a tree that is cut", info, opts)
	old := alice.group.RatchetTree()
	w.commit(alice, mls.CommitOptions{})
	opts.RatchetTree = alice.group.RatchetTree()
	fails("with a tree of another epoch", info, opts)
	opts.RatchetTree = old
	opts.Now = time.Unix(5000, 0)
	fails("after a leaf has expired", info, opts)
	opts.Now = time.Time{}
	if _, err := mls.JoinExternally(eve.config(), info, opts); err != nil {
		t.Errorf("an honest GroupInfo: %v", err)
	}
	closed, err := alice.group.GroupInfoWith(mls.GroupInfoOptions{NoExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	var rule *mls.ValidationError
	_, err = mls.JoinExternally(eve.config(), closed, eve.externalOptions())
	if !errors.As(err, &rule) || rule.Rule != "a group info without the key for external commits" {
		t.Errorf("a group that gives no key for it: %v", err)
	}
	full := alice.groupInfo()
	fails("by a GroupInfo that is cut", full[:len(full)-1], eve.externalOptions())
	for i := range full {
		wrong := bytes.Clone(full)
		wrong[i] ^= 1 << (i % 8)
		if _, err := mls.JoinExternally(eve.config(), wrong, eve.externalOptions()); err == nil {
			t.Fatalf("joined by a GroupInfo with byte %d of %d changed", i, len(full))
		}
	}
	opts = eve.externalOptions()
	opts.Capabilities = mls.Capabilities{}
	fails("without the group's capabilities", full, opts)
	cfg := eve.config()
	cfg.Signer = newSigner(t, 2)
	if _, err := mls.JoinExternally(cfg, full, eve.externalOptions()); !errors.Is(err, mls.ErrSigner) {
		t.Errorf("a key of another suite: %v", err)
	}
	if _, err := mls.JoinExternally(mls.Config{}, full, eve.externalOptions()); !errors.Is(err, mls.ErrConfig) {
		t.Errorf("no configuration: %v", err)
	}
}

// TestExternalFlips changes every byte of an external commit.
func TestExternalFlips(t *testing.T) {
	w := newWorld(t, 1, 3)
	w.open()
	eve := w.outsider("eve")
	message := eve.joinExternally(w.members[0].groupInfo(), eve.externalOptions()).Message()
	bob := w.members[1]
	before := bob.snapshot()
	for i := range message {
		wrong := bytes.Clone(message)
		wrong[i] ^= 1 << (i % 8)
		if _, err := bob.group.Process(wrong); err == nil {
			t.Fatalf("took a commit with byte %d of %d changed", i, len(message))
		}
	}
	if !maps.EqualFunc(before, bob.snapshot(), bytes.Equal) {
		t.Error("refusals have changed the group")
	}
}

// TestRandomLifeWithOutsiders mixes all ways in and out of a group: by others' commits, by one's own, by asking, by coming back, and by
// leaving.
func TestRandomLifeWithOutsiders(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		r := rand.New(rand.NewPCG(9, uint64(suite)))
		w := newWorld(t, suite, 3)
		w.open()
		for n := range 30 {
			w.stepOutside(r, fmt.Sprint("outsider ", n))
		}
	})
}

func (w *world) stepOutside(r *rand.Rand, name string) {
	w.t.Helper()
	var leaving [][]byte
	info := w.members[r.IntN(len(w.members))].groupInfo()
	for _, d := range w.members[1:] {
		if len(w.members)-len(leaving) > 3 && r.IntN(5) == 0 {
			m, err := d.group.ProposeSelfRemove()
			w.hear(d, m, err)
			leaving = append(leaving, m)
		}
	}
	d := w.outsider(name)
	opts := d.externalOptions()
	opts.SelfRemoves = leaving
	switch kind := r.IntN(4); {
	case kind == 0 && len(w.members) < 12:
		w.take(d, d.joinExternally(info, opts))
	case kind == 1 && len(w.members) < 12:
		w.receive(mls.ProposeOwnAdd(w.place(), d.keyPackage(), d.signer))
		c := w.members[0].commit(mls.CommitOptions{NoPath: r.IntN(2) == 0})
		w.deliver(w.members[0], c)
		d.join(c.Welcome())
		w.members = append(w.members, d)
		w.agree()
	case kind == 2 && len(leaving) == 0:
		back := w.members[r.IntN(len(w.members))]
		opts = back.externalOptions()
		opts.Replaces = func(m mls.Member) bool { return string(m.Credential.Identity) == back.name }
		w.take(back, back.joinExternally(info, opts))
	default:
		w.step(r)
		w.open()
	}
}
