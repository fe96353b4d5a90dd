package mls

import (
	"fmt"
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
