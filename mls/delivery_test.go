package mls_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"snug/mls"
)

// TestDisorder delivers messages shuffled and twice: each is opened once, and refused once with its typed error.
func TestDisorder(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 3)
		alice, bob := w.members[0], w.members[1]
		var sent [][]byte
		for i := range mls.MaxSkipped {
			sent = append(sent, alice.seal(fmt.Sprint(i)))
		}
		twice := append(append([][]byte{}, sent...), sent...)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
		opened, replayed := 0, 0
		for _, m := range twice {
			before := bob.snapshot()
			_, err := bob.group.Process(m)
			var generation *mls.GenerationError
			switch {
			case err == nil:
				opened++
				bob.save()
			case errors.As(err, &generation) && generation.Replayed():
				replayed++
				unchanged(t, bob, before)
			default:
				t.Fatal(err)
			}
		}
		if opened != len(sent) || replayed != len(sent) {
			t.Errorf("%d opened, %d replayed; want %d of each", opened, replayed, len(sent))
		}
	})
}

// unchanged checks that the device's state is what it was.
func unchanged(t *testing.T, d *device, before store) {
	t.Helper()
	if !maps.EqualFunc(d.snapshot(), before, bytes.Equal) {
		t.Fatalf("%s: a refusal has changed the state", d.name)
	}
	if !d.group.Clone().Delta().Empty() && !d.group.Delta().Empty() {
		t.Fatalf("%s: a refusal leaves something to be saved", d.name)
	}
}

// TestWindow checks how far behind the newest message others are opened.
func TestWindow(t *testing.T) {
	w := newWorld(t, 1, 2)
	alice, bob := w.members[0], w.members[1]
	var sent [][]byte
	for i := range mls.MaxSkipped + 2 {
		sent = append(sent, alice.seal(fmt.Sprint(i)))
	}
	bob.open(sent[len(sent)-1])
	var generation *mls.GenerationError
	if _, err := bob.group.Process(sent[0]); !errors.As(err, &generation) || !generation.Replayed() {
		t.Errorf("a message behind the window: %v", err)
	}
	for i, m := range sent[1 : len(sent)-1] {
		if got := bob.open(m); got != fmt.Sprint(i+1) {
			t.Fatalf("message %d reads %q", i+1, got)
		}
	}
}

// TestForward checks how far ahead a message may be.
func TestForward(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice := w.members[0]
	alice.reload = false
	next := w.talked()
	var last []byte
	for range mls.MaxForward + 1 {
		last = alice.seal("on")
	}
	w.members[1].open(last)
	farther := alice.seal("too far")
	before := w.members[2].snapshot()
	var generation *mls.GenerationError
	if _, err := w.members[2].group.Process(farther); !errors.As(err, &generation) || generation.Replayed() {
		t.Fatalf("a message %d ahead: %v", mls.MaxForward+1-next, err)
	}
	unchanged(t, w.members[2], before)
}

// talked is the number of messages that the first member has sent in this epoch.
func (w *world) talked() int {
	if int(w.members[0].group.Epoch())%len(w.members) == 0 {
		return 1
	}
	return 0
}

// TestEpochs checks that messages of other epochs are typed errors.
func TestEpochs(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice, bob, carol := w.members[0], w.members[1], w.members[2]
	past := alice.seal("past")
	c := alice.commit(mls.CommitOptions{})
	alice.merge(c)
	bob.merge(bob.process(c.Message()).(*mls.StagedCommit))
	future := alice.seal("future")
	var epoch *mls.EpochError
	if _, err := carol.group.Process(future); !errors.As(err, &epoch) || !epoch.Future() {
		t.Errorf("a message of a future epoch: %v", err)
	}
	if _, err := bob.group.Process(past); !errors.As(err, &epoch) || epoch.Future() {
		t.Errorf("a message of a past epoch: %v", err)
	}
	carol.open(past)
	carol.merge(carol.process(c.Message()).(*mls.StagedCommit))
	if got := carol.open(future); got != "future" {
		t.Errorf("read %q", got)
	}
	group, n, err := mls.MessageEpoch(future)
	if err != nil || n != carol.group.Epoch() || !bytes.Equal(group, carol.group.GroupID()) {
		t.Errorf("MessageEpoch: %x, %d, %v", group, n, err)
	}
}

// TestRace lets two members commit in the same epoch: one wins, the other drops its candidate and follows.
func TestRace(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 3)
		alice, bob := w.members[0], w.members[1]
		before := bob.snapshot()
		lost := bob.commit(mls.CommitOptions{})
		other := bob.commit(mls.CommitOptions{})
		unchanged(t, bob, before)
		saved := lost.Save()
		w.commit(alice, mls.CommitOptions{})
		for _, c := range []*mls.StagedCommit{lost, other} {
			if err := bob.group.Merge(c); !errors.Is(err, mls.ErrStale) {
				t.Errorf("merging a commit that lost: %v", err)
			}
		}
		if _, err := mls.LoadStagedCommit(bob.group, saved); !errors.Is(err, mls.ErrStale) {
			t.Errorf("loading a commit that lost: %v", err)
		}
		w.commit(bob, mls.CommitOptions{})
	})
}

// TestCandidateAndProposal sends proposals while a commit is under way, before and after a restart: whatever comes first, the commit
// can be opened.
func TestCandidateAndProposal(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice := w.members[0]
	first := alice.commit(mls.CommitOptions{})
	c := alice.commit(mls.CommitOptions{})
	alice.save()
	for _, saved := range []*mls.StagedCommit{first, c} {
		if _, err := mls.LoadStagedCommit(alice.group, saved.Save()); err != nil {
			t.Fatal(err)
		}
	}
	m, err := alice.group.ProposeRemove(2)
	w.hear(alice, m, err)
	for _, d := range w.members[1:] {
		d.process(first.Message())
	}
	w.deliver(alice, c)
	w.agree()
}

// TestRestart saves a commit, loads it after a restart, and merges it.
func TestRestart(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 4)
		alice := w.members[0]
		dave := newDevice(t, suite, "dave")
		c := alice.commit(mls.CommitOptions{ByValue: []mls.Proposal{
			&mls.Add{KeyPackage: dave.keyPackage()}, &mls.Remove{Removed: 2},
		}, AuthenticatedData: []byte("envelope")})
		alice.save()
		loaded, err := mls.LoadStagedCommit(alice.group, c.Save())
		if err != nil {
			t.Fatal(err)
		}
		same(t, loaded, c)
		if !bytes.Equal(loaded.Save(), c.Save()) {
			t.Error("a loaded commit saves differently")
		}
		got := w.members[1].process(c.Message()).(*mls.StagedCommit)
		if got.Own() || got.Welcome() != nil || string(got.AuthenticatedData()) != "envelope" {
			t.Error("the received commit differs")
		}
		same(t, got, c)
		w.deliver(alice, loaded)
		dave.join(loaded.Welcome())
		w.members = append(w.members, dave)
		w.agree()
	})
}

// same checks that both commits do the same.
func same(t *testing.T, got, want *mls.StagedCommit) {
	t.Helper()
	if got.Epoch() != want.Epoch() || !bytes.Equal(got.EpochAuthenticator(), want.EpochAuthenticator()) ||
		!got.Extensions().Equal(want.Extensions()) || got.Sender().Index != want.Sender().Index {
		t.Error("the commits lead to different epochs")
	}
	names := func(c *mls.StagedCommit) string {
		s := ""
		for _, list := range [][]mls.Member{c.Added(), c.Removed(), c.Updated()} {
			for _, m := range list {
				s += fmt.Sprintf("%d:%s ", m.Index, m.Credential.Identity)
			}
			s += "; "
		}
		return s + fmt.Sprint(len(c.Proposals()))
	}
	if names(got) != names(want) {
		t.Errorf("the commits do %s and %s", names(got), names(want))
	}
}

// TestRemoved lets a removed member keep all that it had: it follows no further.
func TestRemoved(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 5)
		gone := w.members[2]
		c := w.commit(w.members[0], mls.CommitOptions{ByValue: []mls.Proposal{&mls.Remove{Removed: 2}}})
		staged := gone.process(c.Message()).(*mls.StagedCommit)
		if !staged.RemovesSelf() || staged.EpochAuthenticator() != nil || len(staged.Removed()) != 1 {
			t.Error("the removal is not visible to the removed")
		}
		loaded, err := mls.LoadStagedCommit(gone.group, staged.Save())
		if err != nil || !loaded.RemovesSelf() {
			t.Error("the removal is not visible after a restart", err)
		}
		if err := gone.group.Merge(loaded); !errors.Is(err, mls.ErrRemoved) {
			t.Errorf("merging the own removal: %v", err)
		}
		var epoch *mls.EpochError
		if _, err := gone.group.Process(w.members[0].seal("without you")); !errors.As(err, &epoch) {
			t.Errorf("a removed member opens the next epoch: %v", err)
		}
	})
}
