package mls_test

import (
	"fmt"
	"testing"

	"snug/mls"
)

func forSuites(t *testing.T, f func(t *testing.T, suite mls.CipherSuite)) {
	for _, suite := range groupSuites {
		t.Run(fmt.Sprintf("suite %#x", uint16(suite)), func(t *testing.T) { f(t, suite) })
	}
}

// TestLife takes a group through adds, updates, removes and departures, with every state saved and loaded in between.
func TestLife(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 2)
		w.add(w.members[1], 3)
		w.commit(w.members[2], mls.CommitOptions{})
		w.add(w.members[4], 1)
		gone := w.members[1]
		w.commit(w.members[3], mls.CommitOptions{ByValue: []mls.Proposal{&mls.Remove{Removed: gone.group.OwnLeaf().Index}}})
		if len(w.members) != 5 {
			t.Fatalf("%d members, want 5", len(w.members))
		}
		w.add(w.members[0], 2)
		for _, d := range w.members {
			w.commit(d, mls.CommitOptions{})
		}
	})
}
