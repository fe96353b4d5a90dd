package mls

import (
	"bytes"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"testing"
)

// A countingScheme counts the signatures that it verifies.
type countingScheme struct {
	scheme
	verified *int
}

func (s countingScheme) verify(key, message, signature []byte) bool {
	*s.verified++
	return s.scheme.verify(key, message, signature)
}

// A countingVerifier counts the leaves that it is asked about.
type countingVerifier struct {
	acceptAnyone
	asked *int
}

func (v countingVerifier) VerifyMember(Member) error { *v.asked++; return nil }

// countedGroup gives a copy of g that counts what it verifies.
func countedGroup(g *Group) (c *Group, signatures, members *int) {
	signatures, members = new(int), new(int)
	c = g.Clone()
	s := *g.suite
	s.scheme = countingScheme{s.scheme, signatures}
	c.suite = &s
	c.cfg.Verifier = countingVerifier{asked: members}
	return c, signatures, members
}

// hears has evil propose a list, and good hear it.
func hears(t *testing.T, good, evil *Group, list []Proposal) {
	t.Helper()
	for _, p := range list {
		heard(t, good, evil, p)
	}
}

// TestFloodIsLinear has a member propose many adds, and a context that the added lack, which spoils the list as a whole: who commits
// verifies each signature once, and asks about members as often as halving takes. What another member has proposed is committed.
func TestFloodIsLinear(t *testing.T) {
	for _, n := range []int{50, 400} {
		adds := freshAdds(t, n)
		context := &GroupContextExtensions{Extensions{{ruledExtension, nil}}}
		for name, contextAt := range map[string]int{"the context last": n, "the context first": 0, "the context between": n / 3} {
			members := unevenGroup(t)
			c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Remove{2}}})
			if err != nil {
				t.Fatal(err)
			}
			follow(t, members[:2], c)
			good, evil := members[0], members[1]
			hears(t, good, evil, slices.Insert(slices.Clone(adds), contextAt, Proposal(context)))
			g, signatures, asked := countedGroup(good)
			c, err = g.Commit(CommitOptions{})
			if err != nil {
				t.Fatalf("%d adds, %s: %v", n, name, err)
			}
			if *signatures != 2*n {
				t.Errorf("%d adds, %s: %d signatures verified, want the two of each add", n, name, *signatures)
			}
			if most := n * (3 + bits.Len(uint(n))); *asked > most {
				t.Errorf("%d adds, %s: the verifier was asked %d times, want at most %d", n, name, *asked, most)
			}
			t.Logf("%d adds, %s: %d of %d proposals committed, %d signatures, %d questions", n, name, len(c.Proposals()), n+1, *signatures, *asked)
			if len(c.Proposals()) == 0 {
				t.Errorf("%d adds, %s: nothing is committed", n, name)
			}
		}
	}
}

// TestFloodHarmsItsSender has a member propose hundreds of adds, and a policy that lets one into a commit, and none into one that removes
// somebody. The trials are bounded, and what the others propose is committed, whether it came before the flood or after it.
func TestFloodHarmsItsSender(t *testing.T) {
	const n = 400
	members := groupOf(t, 5)
	good, evil := members[0], members[1]
	update := heard(t, good, members[2], ownUpdate(t, members[2]))
	hears(t, good, evil, freshAdds(t, n))
	removal := heard(t, good, members[3], &Remove{1})
	asked := 0
	kinds := make(map[ProposalType]int)
	good.cfg.Policy = PolicyFunc(func(c *CommitContext) error {
		asked++
		clear(kinds)
		for _, p := range c.Proposals {
			kinds[p.Proposal.Type()]++
		}
		if kinds[ProposalAdd] > 1 || kinds[ProposalAdd] > 0 && kinds[ProposalRemove] > 0 {
			return errors.New("one at a time")
		}
		return nil
	})
	c, err := good.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Each alone; and apart from the tries, all of them before and after that, four parts of them, and what is committed.
	if most := n + 2 + maxTries + 8; asked > most {
		t.Errorf("the policy was asked %d times, want at most %d", asked, most)
	}
	if want := map[ProposalType]int{ProposalUpdate: 1, ProposalRemove: 1}; !maps.Equal(kinds, want) {
		t.Fatalf("committed %v, want %v", kinds, want)
	}
	if !bytes.Equal(c.proposals[0].ref, update.ref) || !bytes.Equal(c.proposals[1].ref, removal.ref) {
		t.Errorf("the proposals are committed in another order than they came in")
	}
}

// TestRoomForProposals fills the room that a group has for pending proposals. The one too many is refused and changes nothing, where
// it is heard and where it is made; others still have room, and a commit makes room again. What is saved loads up to the same bound.
func TestRoomForProposals(t *testing.T) {
	members := groupOf(t, 3)
	alice, bob := members[0], members[1]
	context := func(n int) *GroupContextExtensions {
		return &GroupContextExtensions{Extensions{{ExtensionApplicationID, make([]byte, n)}}}
	}
	fill := func(n int) (message []byte) {
		t.Helper()
		for i := range n {
			message = forgeProposal(t, alice, context(i))
			if _, err := bob.Process(message); err != nil {
				t.Fatalf("proposal %d: %v", i, err)
			}
		}
		return message
	}
	last := fill(maxPendingOfOne)
	if _, err := bob.Process(last); err != nil || len(bob.pending) != maxPendingOfOne {
		t.Errorf("one that is there comes again: %v, %d pending", err, len(bob.pending))
	}
	records := stateOf(bob)
	if _, err := LoadGroup(bob.cfg, maps.All(records)); err != nil {
		t.Errorf("a full group: %v", err)
	}
	refuses(t, "one too many, public", bob, forgeProposal(t, alice, &Remove{2}), "", ErrTooManyProposals)
	private, err := alice.ProposeRemove(2)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, "one too many, private", bob, private, "", ErrTooManyProposals)
	update, err := members[2].ProposeUpdate(LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Process(update); err != nil {
		t.Errorf("another member's: %v", err)
	}
	for i := range maxPendingOfOne {
		if _, err := bob.ProposeGroupContextExtensions(context(i).Extensions); err != nil {
			t.Fatalf("own proposal %d: %v", i, err)
		}
	}
	before := stateOf(bob)
	if _, err := bob.ProposeRemove(2); !errors.Is(err, ErrTooManyProposals) || !maps.EqualFunc(stateOf(bob), before, bytes.Equal) {
		t.Errorf("one too many of the own: got %v, want %v and the group as it was", err, ErrTooManyProposals)
	}
	over := stateOf(bob)
	w := writer{[]byte{stateVersion}}
	a := alice.frame(ContentProposal, nil, true)
	a.content.proposal = &Remove{2}
	(&pendingProposal{content: a}).encode(&w)
	over[recordKey(recordPending, uint32(len(bob.pending)))] = w.b
	if _, err := LoadGroup(bob.cfg, maps.All(over)); !errors.Is(err, ErrMalformed) {
		t.Errorf("saved with one too many: got %v, want %v", err, ErrMalformed)
	}
	c, err := bob.Commit(CommitOptions{Pending: func(*ReceivedProposal) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.Merge(c); err != nil || len(bob.pending) != 0 {
		t.Errorf("after a commit %d are pending: %v", len(bob.pending), err)
	}
	if _, err := bob.ProposeRemove(2); err != nil {
		t.Errorf("after a commit: %v", err)
	}
}

// pendingOf is n proposals of a sender, as far as their room is concerned.
func pendingOf(from sender, size, n int) (list []*pendingProposal) {
	for k := range n {
		content := &authenticatedContent{content: &framedContent{sender: from}}
		ref := []byte{byte(from.index), byte(from.index >> 8), byte(k >> 8), byte(k)}
		list = append(list, &pendingProposal{content: content, size: size, ReceivedProposal: ReceivedProposal{ref: ref}})
	}
	return list
}

// TestRoomForOutsiders has outsiders propose where there is no more room for them: the application is not even asked.
func TestRoomForOutsiders(t *testing.T) {
	members, service := withSender(t, 2)
	g := members[0]
	g.cfg.Admit = func(*ReceivedProposal) error { t.Error("asked to admit what there is no room for"); return nil }
	place := Place{1, g.GroupID(), g.Epoch()}
	removal, err := ProposeExternally(place, 0, service, &Remove{1})
	if err != nil {
		t.Fatal(err)
	}
	cfg, kp, _ := party(t, "eve")
	add, err := ProposeOwnAdd(place, kp, cfg.Signer)
	if err != nil {
		t.Fatal(err)
	}
	for from, message := range map[sender][]byte{{SenderExternal, 0}: removal, {kind: SenderNewMemberProposal}: add} {
		g.pending = pendingOf(from, 1, maxPendingOfOne)
		if _, err := g.Process(message); !errors.Is(err, ErrTooManyProposals) || len(g.pending) != maxPendingOfOne {
			t.Errorf("sender type %d: got %v, want %v", from.kind, err, ErrTooManyProposals)
		}
	}
}

// TestRoomInBytes holds each of the four bounds at its last value, and one beyond.
func TestRoomInBytes(t *testing.T) {
	g := groupOf(t, 1)[0]
	from := func(i uint32, size, n int) []*pendingProposal { return pendingOf(sender{SenderMember, i}, size, n) }
	crowd := func(senders, size, n int) (list []*pendingProposal) {
		for i := range senders {
			list = append(list, from(uint32(i+1), size, n)...)
		}
		return list
	}
	for _, row := range []struct {
		name    string
		pending []*pendingProposal
		size    int
		want    error
	}{
		{"the last of a sender", from(0, 1, maxPendingOfOne-1), 1, nil},
		{"one more of a sender", from(0, 1, maxPendingOfOne), 1, ErrTooManyProposals},
		{"one of another", from(1, 1, maxPendingOfOne), 1, nil},
		{"all bytes of a sender", nil, maxPendingBytesOfOne, nil},
		{"a byte more of a sender", nil, maxPendingBytesOfOne + 1, ErrTooManyProposals},
		{"a byte more of a sender in two", from(0, 1, 1), maxPendingBytesOfOne, ErrTooManyProposals},
		{"the last of all", crowd(maxPending-1, 1, 1), 1, nil},
		{"one more of all", crowd(maxPending, 1, 1), 1, ErrTooManyProposals},
		{"all bytes of all", crowd(7, maxPendingBytesOfOne, 1), maxPendingBytesOfOne, nil},
		{"a byte more of all", crowd(8, maxPendingBytesOfOne, 1), 1, ErrTooManyProposals},
	} {
		g.pending = row.pending
		p := from(0, row.size, 1)[0]
		p.ref = []byte("new")
		if err := g.checkRoom(p); err != row.want {
			t.Errorf("%s: got %v, want %v", row.name, err, row.want)
		}
	}
}
