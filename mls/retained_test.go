package mls

import (
	"fmt"
	"runtime"
	"testing"
)

// retained is how many bytes of the heap are in use once nothing is left that nobody holds.
func retained() int {
	var m runtime.MemStats
	for range 3 { // what lies in a sync.Pool takes two
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestPaddingIsNotKept has members pad all that they send to a MiB. Of it the others keep the proposals that wait, and the leaves, keys and
// extensions that the group has from then on: not the messages in which these came.
func TestPaddingIsNotKept(t *testing.T) {
	const n, size = 12, 1 << 20
	for _, row := range []struct {
		name string
		send func(t *testing.T, members []*Group, i int)
	}{
		{"proposals that wait", func(t *testing.T, members []*Group, i int) {
			id := PreSharedKeyID{Type: PSKExternal, ID: fmt.Append(nil, i)}
			message, err := members[0].ProposePreSharedKey(id)
			hearAll(t, members, 0, message, err)
		}},
		{"leaves that are added", func(t *testing.T, members []*Group, i int) {
			commitPadded(t, members, 0, freshAdds(t, 1)...)
		}},
		{"leaves that are updated", func(t *testing.T, members []*Group, i int) {
			by := 1 + i%(len(members)-1)
			message, err := members[by].ProposeUpdate(LeafOptions{})
			hearAll(t, members, by, message, err)
			commitPadded(t, members, 0)
		}},
		{"leaves and keys of paths", func(t *testing.T, members []*Group, i int) {
			commitPadded(t, members, i%len(members))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			members := groupOf(t, n)
			for _, g := range members {
				g.cfg.Padding = func(int) int { return size }
			}
			before := retained()
			for i := range n {
				row.send(t, members, i)
			}
			if kept := retained() - before; kept > n*size/4 {
				t.Errorf("of %d messages of %d bytes %d members keep %d bytes", n, size, len(members), kept)
			}
			runtime.KeepAlive(members)
		})
	}
}

// commitPadded has a member commit what is pending, and these.
func commitPadded(t *testing.T, members []*Group, by int, list ...Proposal) {
	t.Helper()
	c, err := members[by].Commit(CommitOptions{ByValue: list})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, members, c)
}
