package mls

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A hoard is everything that a member ever held and should have forgotten.
type hoard struct {
	unprintable
	keys    map[string]*privateKey
	secrets map[string]Secret
}

// keep takes all that the group holds now.
func (h *hoard) keep(g *Group) {
	if h.keys == nil {
		h.keys, h.secrets = make(map[string]*privateKey), make(map[string]Secret)
	}
	for _, k := range g.keys {
		h.keys[string(k.secret)] = k
	}
	for _, s := range g.secrets.all() {
		h.secrets[string(*s)] = *s
	}
	for _, s := range g.ratchets.nodes {
		h.secrets[string(s)] = s
	}
}

// follow tries to get into the epoch that a commit begins: with every private key on every ciphertext of the path, and with
// every secret in the place of the commit secret.
func (h *hoard) follow(t *testing.T, old *Group, c *StagedCommit) bool {
	t.Helper()
	s, next := old.suite, c.next
	provisional := next.context
	provisional.confirmedTranscriptHash = old.context.confirmedTranscriptHash
	guesses := []Secret{make([]byte, s.nh)}
	for _, secret := range h.secrets {
		guesses = append(guesses, secret)
	}
	if path := commitOf(t, c).path; path != nil {
		for _, opened := range h.open(t, s, path, provisional.marshal()) {
			// The path goes on from here to one of the nodes above, or to none.
			for n := range len(path.nodes) + 1 {
				p, err := s.derivePath(opened, n)
				if err != nil {
					t.Fatal(err)
				}
				guesses = append(guesses, p.commit)
			}
		}
	}
	init := old.secrets.init
	for _, p := range commitOf(t, c).proposals {
		if x, ok := p.proposal.(*ExternalInit); ok {
			derived, err := s.receiveExternalInit(old.secrets.external, x.KEMOutput)
			if err != nil {
				t.Fatal(err)
			}
			init = *derived
		}
	}
	for _, guess := range guesses {
		joiner := s.joiner(init, commitSecret{guess}, next.encoded)
		secrets, _ := s.deriveEpoch(s.epochSecret(s.member(joiner, s.pskSecret(nil)), next.encoded))
		if s.checkMAC(secrets.confirmation, next.context.confirmedTranscriptHash, next.confirmationTag) {
			return true
		}
	}
	return false
}

// open tries every key on every ciphertext.
func (h *hoard) open(t *testing.T, s *suite, path *updatePath, context []byte) (opened []Secret) {
	t.Helper()
	for _, key := range h.keys {
		parsed, err := key.hpkeKey(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range path.nodes {
			for _, ciphertext := range n.secrets {
				if secret, err := s.decrypt(parsed, "UpdatePathNode", context, ciphertext); err == nil {
					opened = append(opened, secret)
				}
			}
		}
	}
	return opened
}

// TestRemovedCannotFollow removes one member of N, for N from 2 to 64, in a tree with blanks and unmerged leaves. Whoever is removed has all
// that it ever held and the whole traffic; it cannot derive the next epoch. By the same means who stays can, and so could the removed
// member if the commit had no path.
func TestRemovedCannotFollow(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 9))
	members := groupOf(t, 2)
	hoards := []*hoard{{}, {}}
	for n := 2; n <= 64; n++ {
		for i, g := range members {
			hoards[i].keep(g)
		}
		gone := random.IntN(n)
		by := (gone + 1 + random.IntN(n-1)) % n
		opts := CommitOptions{Public: true, ByValue: []Proposal{&Remove{members[gone].own}}}
		if n%3 == 0 { // another takes the place at once
			_, kp, _ := party(t, "fresh")
			opts.ByValue = append(opts.ByValue, &Add{kp})
		}
		c, err := members[by].Clone().Commit(opts)
		if err != nil {
			t.Fatal(err)
		}
		if hoards[gone].follow(t, members[gone], c) {
			t.Fatalf("%d members: a removed one follows", n)
		}
		r, err := members[gone].Clone().Process(c.Message())
		if err != nil || !r.(*StagedCommit).RemovesSelf() {
			t.Fatalf("%d members: the removed one is not told: %v", n, err)
		}
		if stays := (by + 1) % n; n%8 == 3 && stays != gone && !hoards[stays].follow(t, members[stays], c) {
			t.Fatalf("%d members: one who stays does not follow", n)
		}
		if n%8 == 0 {
			bare := careless{t: t, g: members[by].Clone(), list: committed(members[by], opts.ByValue...), noPath: true}.commit()
			if !hoards[gone].follow(t, members[gone], bare) {
				t.Errorf("%d members: a removal without a path keeps the removed one out", n)
			}
		}
		members, hoards = grow(t, random, members, hoards)
	}
}

// grow makes the group one larger: sometimes without a path, sometimes by two who come and one who goes before.
func grow(t *testing.T, random *rand.Rand, members []*Group, hoards []*hoard) ([]*Group, []*hoard) {
	t.Helper()
	fresh := 1
	if len(members) > 3 && random.IntN(3) == 0 {
		gone := random.IntN(len(members))
		leaf := members[gone].own
		members, hoards = slices.Delete(members, gone, gone+1), slices.Delete(hoards, gone, gone+1)
		c, err := members[random.IntN(len(members))].Commit(CommitOptions{ByValue: []Proposal{&Remove{leaf}}})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		fresh = 2
	}
	by := random.IntN(len(members))
	for i, g := range members {
		if i != by && random.IntN(len(members)) < 2 {
			message, err := g.ProposeUpdate(LeafOptions{})
			hearAll(t, members, i, message, err)
		}
	}
	opts := CommitOptions{NoPath: random.IntN(2) == 0}
	var configs []Config
	var privates []*KeyPackagePrivate
	for range fresh {
		cfg, kp, private := party(t, "fresh")
		opts.ByValue = append(opts.ByValue, &Add{kp})
		configs, privates = append(configs, cfg), append(privates, private)
	}
	c, err := members[by].Commit(opts)
	if err != nil {
		t.Fatal(err)
	}
	follow(t, members, c)
	for i := range fresh {
		members, hoards = append(members, enter(t, configs[i], c, privates[i])), append(hoards, &hoard{})
	}
	return members, hoards
}

// TestLeftCannotFollow is TestRemovedCannotFollow for those who leave by themselves, and for a device that comes back by an external
// commit: whoever has its state of before is out.
func TestLeftCannotFollow(t *testing.T) {
	for n := 2; n <= 9; n++ {
		members := groupOf(t, n)
		hoards := make([]hoard, n)
		for i, g := range members {
			hoards[i].keep(g)
		}
		gone := n / 2
		copies := make([]*Group, n)
		for i, g := range members {
			copies[i] = g.Clone()
		}
		message, err := copies[gone].ProposeSelfRemove()
		hearAll(t, copies, gone, message, err)
		left, err := copies[(gone+1)%n].Commit(CommitOptions{Public: true})
		if err != nil {
			t.Fatal(err)
		}
		back := comesBack(t, members[gone], members[(gone+1)%n])
		for name, c := range map[string]*StagedCommit{"left": left, "came back": back} {
			if hoards[gone].follow(t, members[gone], c) {
				t.Errorf("%d members: one who %s follows with what it had", n, name)
			}
			if stays := (gone + 2) % n; stays != gone && !hoards[stays].follow(t, members[stays], c) {
				t.Errorf("%d members: when one %s, one who stays does not follow", n, name)
			}
		}
	}
}

// comesBack is a device that joins again in its own place, as others receive it.
func comesBack(t *testing.T, lost, other *Group) *StagedCommit {
	t.Helper()
	info, err := other.GroupInfo()
	if err != nil {
		t.Fatal(err)
	}
	j, err := JoinExternally(lost.cfg, info, ExternalOptions{
		Credential: lost.OwnLeaf().Credential, Replaces: func(m Member) bool { return m.Index == lost.own },
	})
	if err != nil {
		t.Fatal(err)
	}
	receiver := other.Clone()
	receiver.cfg.ExternalCommits = true
	r, err := receiver.Process(j.Message())
	if err != nil {
		t.Fatal(err)
	}
	c := r.(*StagedCommit)
	c.message = j.Message()
	return c
}

// TestStaleKeys checks that a member forgets the private keys of a path that is replaced, in memory and in what is saved.
func TestStaleKeys(t *testing.T) {
	members := groupOf(t, 8)
	for _, by := range []int{0, 3, 7} {
		before := make([]map[string]Secret, len(members))
		for i, g := range members {
			before[i] = make(map[string]Secret)
			for _, x := range append(directPath(LeafIndex(by).node(), 8), LeafIndex(by).node()) {
				if k := g.keys[x]; k != nil {
					before[i][fmt.Sprint(x)] = k.secret
				}
			}
		}
		c, err := members[by].Commit(CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		for i, g := range members {
			if len(before[i]) == 0 {
				t.Fatalf("member %d had no key of the path of %d", i, by)
			}
			if left := holds(stateOf(g), before[i]); len(left) > 0 {
				t.Errorf("member %d still has %v, the keys of the old path of %d", i, left, by)
			}
		}
	}
}
