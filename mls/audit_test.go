package mls

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A proposalKind makes proposals of one kind for the audit of the sender.
type proposalKind struct {
	name string
	// path says that a commit of it needs a path (RFC 9420, Section 12.4 and 17.4).
	path bool
	// make makes the n-th of its kind: as a value for the committer, member 0, or, if byRef, as the message of another member
	// that all have heard. It returns nil where the kind has no such form.
	make func(t *testing.T, members []*Group, n int, byRef bool) Proposal
}

// propose has a member propose, and all hear it.
func propose(t *testing.T, members []*Group, by int, p Proposal) {
	t.Helper()
	g := members[by]
	message, err := g.propose(p, nil)
	hearAll(t, members, by, message, err)
}

func hearAll(t *testing.T, members []*Group, by int, message []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for i, other := range members {
		if i != by {
			if _, err := other.Process(message); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// oneOf makes a kind of which a value is the same whoever proposes it.
func oneOf(value func(t *testing.T, g *Group, n int) Proposal) func(*testing.T, []*Group, int, bool) Proposal {
	return func(t *testing.T, members []*Group, n int, byRef bool) Proposal {
		p := value(t, members[0], n)
		if byRef {
			propose(t, members, 1+n, p)
			return nil
		}
		return p
	}
}

var proposalKinds = []proposalKind{
	{"add", false, oneOf(func(t *testing.T, g *Group, n int) Proposal {
		_, kp, _ := ruledParty(t, nil, nil)
		return &Add{kp}
	})},
	{"psk", false, oneOf(func(t *testing.T, g *Group, n int) Proposal {
		return &PreSharedKey{PreSharedKeyID{
			Type: PSKResumption, Usage: UsageApplication, GroupID: g.GroupID(), Epoch: g.Epoch(), Nonce: random(g.suite.nh),
		}}
	})},
	{"update", true, func(t *testing.T, members []*Group, n int, byRef bool) Proposal {
		message, err := members[1+n].ProposeUpdate(LeafOptions{})
		hearAll(t, members, 1+n, message, err)
		return nil
	}},
	{"remove", true, oneOf(func(t *testing.T, g *Group, n int) Proposal { return &Remove{LeafIndex(4 + n)} })},
	{"group_context_extensions", true, oneOf(func(t *testing.T, g *Group, n int) Proposal {
		return &GroupContextExtensions{Extensions{{ExtensionApplicationID, []byte{byte(n)}}}}
	})},
	{"reinit", false, oneOf(func(t *testing.T, g *Group, n int) Proposal {
		return &ReInit{GroupID: []byte{byte(n)}, Version: MLS10, Suite: 1}
	})},
	{"self_remove", true, func(t *testing.T, members []*Group, n int, byRef bool) Proposal {
		message, err := members[1+n].ProposeSelfRemove()
		hearAll(t, members, 1+n, message, err)
		return nil
	}},
	{"custom", true, oneOf(func(t *testing.T, g *Group, n int) Proposal { return &CustomProposal{ruledProposal, []byte{byte(n)}} })},
}

// together tells whether a list may hold these kinds; what it says otherwise.
func together(kinds []proposalKind) string {
	for i, kind := range kinds {
		switch {
		case kind.name == "reinit" && len(kinds) > 1:
			return "a reinit together with other proposals"
		case kind.name == "group_context_extensions" && i > 0 && kinds[0].name == kind.name:
			return "two proposals of which a list can hold one"
		}
	}
	return ""
}

// TestPathAudit has the sender commit every kind of proposal, alone and with every other, by value and by reference, with and without
// asking for no path: the path is there exactly where Section 12.4 demands it or nothing speaks against it.
func TestPathAudit(t *testing.T) {
	members := ruledGroup(t, 7)
	for _, g := range members[1:] {
		c, err := g.Commit(CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
	}
	commits := 0
	for i, first := range proposalKinds {
		for j := -1; j <= i; j++ {
			kinds := []proposalKind{first}
			if j >= 0 {
				kinds = append(kinds, proposalKinds[j])
			}
			for form := range 1 << len(kinds) {
				for _, noPath := range []bool{false, true} {
					auditCommit(t, members, kinds, form, noPath)
					commits++
				}
			}
		}
	}
	t.Logf("%d commits", commits)
	if want := 2*2*8 + 2*4*8*9/2; commits != want {
		t.Errorf("%d commits, want %d", commits, want)
	}
	for _, noPath := range []bool{false, true} {
		auditCommit(t, members, nil, 0, noPath)
	}
}

// auditCommit commits one list; bit k of form says that the k-th kind comes by reference.
func auditCommit(t *testing.T, members []*Group, kinds []proposalKind, form int, noPath bool) {
	t.Helper()
	var copies []*Group
	for _, g := range members {
		copies = append(copies, g.Clone())
	}
	opts := CommitOptions{NoPath: noPath, Public: true, Pending: func(*ReceivedProposal) bool { return true }}
	need := len(kinds) == 0
	name := fmt.Sprintf("no path %v:", noPath)
	for k, kind := range kinds {
		if p := kind.make(t, copies, k, form>>k&1 == 1); p != nil {
			opts.ByValue = append(opts.ByValue, p)
		}
		need = need || kind.path
		name += " " + kind.name
	}
	c, err := copies[0].Commit(opts)
	if rule := together(kinds); rule != "" {
		isBroken(t, name, err, rule, nil)
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	body := commitOf(t, c)
	if got, want := body.path != nil, need || !noPath; got != want {
		t.Errorf("%s: a path: %v, want %v", name, got, want)
	}
	if len(body.proposals) != len(kinds) {
		t.Errorf("%s: %d proposals, want %d", name, len(body.proposals), len(kinds))
	}
	accepts(t, copies[3], c)
	if !need {
		return
	}
	// The receiver asks for the path as well.
	bare := careless{t: t, g: copies[0], list: c.proposals, noPath: true}.commit()
	refuses(t, name, copies[3], bare.Message(), "a commit without the path that it needs", nil)
}

// commitOf reads the commit out of a public message.
func commitOf(t testing.TB, c *StagedCommit) *commit {
	t.Helper()
	r := reader{b: c.Message()}
	readHeader(&r, wirePublicMessage)
	m := decodePublicMessage(&r)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	return m.content.commit
}

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
