package mls

import (
	"maps"
	"sync"
	"testing"
)

// TestClonesApart has copies of one group, loaded as a device loads it, work at the same time: what they share is not written, or
// written in one step. The race detector looks on in `make race`.
func TestClonesApart(t *testing.T) {
	members := groupOf(t, 4)
	c, err := members[0].Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadGroup(members[1].cfg, maps.All(stateOf(members[1])))
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for range 4 {
		g := loaded.Clone()
		done.Go(func() {
			if _, err := g.Commit(CommitOptions{}); err != nil {
				t.Error(err)
			}
			r, err := g.Process(c.Message())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := g.Seal([]byte("hello"), nil); err != nil {
				t.Error(err)
			}
			if err := g.Merge(r.(*StagedCommit)); err != nil {
				t.Error(err)
			}
			g.Delta()
		})
	}
	done.Wait()
	// A tree of this size has its leaves verified on all processors.
	o, cfg := bigTree(t)
	if _, err := joinBy(cfg, o.seal(), o.private); err != nil {
		t.Error(err)
	}
}
