package mls

import "slices"

// A choice is Commit making a list of what is pending, where not all of it goes together.
type choice struct {
	unprintable
	g    *Group
	opts CommitOptions
	list []listedProposal
	// kept are those of list that are taken so far; those by value always are.
	kept []bool
}

// maxTries bounds how often the proposals of one sender are divided in search of those that do not go with the rest: enough to
// judge each of 32 by itself, or to find two or three in hundreds.
const maxTries = 64

// acceptable keeps, beside the proposals by value, those by reference that go together. RFC 9420, Section 12.4 asks for all that are
// valid; a member that proposes nonsense must not keep the others from committing, nor make it long. So what cannot be
// committed alone is left out first. What remains is tried together, and where that fails in halves: sender by sender, those with
// few proposals before those with many, and for each sender maxTries times at most. The rest of what such a sender has
// proposed is left out, and the others' is not. Signatures are not verified again: the list has been through checkEach.
func (g *Group) acceptable(opts CommitOptions, list []listedProposal) []listedProposal {
	c := &choice{g: g, opts: opts, list: list, kept: make([]bool, len(list))}
	for i, p := range list {
		c.kept[i] = p.ref == nil
	}
	c.take(c.bySender(c.fit()))
	return c.with(nil)
}

// with lists what is kept, and what is at these places, in the order of the list.
func (c *choice) with(more []int) (out []listedProposal) {
	for i, p := range c.list {
		if _, ok := slices.BinarySearch(more, i); ok || c.kept[i] {
			out = append(out, p)
		}
	}
	return out
}

// passes tells whether what is kept can be committed with what is at these places.
func (c *choice) passes(more []int) bool {
	tr, err := c.g.judge(c.opts, c.with(more))
	return err == nil && tr.finish() == nil && c.g.authorize(tr, true) == nil
}

// fit gives the places of what can be committed alone, beside what is by value.
func (c *choice) fit() (out []int) {
	for i, p := range c.list {
		if p.ref != nil && p.wrong == nil && c.passes([]int{i}) {
			out = append(out, i)
		}
	}
	return out
}

// bySender divides places by who has sent what is there. Who has sent less comes first.
func (c *choice) bySender(places []int) [][]int {
	at := make(map[sender]int)
	var blocks [][]int
	for _, i := range places {
		from := c.list[i].sender
		if _, ok := at[from]; !ok {
			at[from] = len(blocks)
			blocks = append(blocks, nil)
		}
		blocks[at[from]] = append(blocks[at[from]], i)
	}
	slices.SortStableFunc(blocks, func(a, b []int) int { return len(a) - len(b) })
	return blocks
}

// take keeps of these senders' proposals what goes together.
func (c *choice) take(blocks [][]int) {
	all := slices.Sorted(slices.Values(slices.Concat(blocks...)))
	switch {
	case len(all) == 0 || c.keep(all):
	case len(blocks) == 1:
		tries := maxTries
		c.halve(all, &tries)
	default:
		half := len(blocks) / 2
		c.take(blocks[:half])
		c.take(blocks[half:])
	}
}

// keep keeps what is at these places, if it passes.
func (c *choice) keep(places []int) bool {
	if !c.passes(places) {
		return false
	}
	for _, i := range places {
		c.kept[i] = true
	}
	return true
}

// halve keeps what it can of one sender's proposals, which do not pass together.
func (c *choice) halve(places []int, tries *int) {
	if len(places) < 2 {
		return
	}
	half := len(places) / 2
	for _, part := range [][]int{places[:half], places[half:]} {
		if *tries == 0 {
			return
		}
		if *tries--; !c.keep(part) {
			c.halve(part, tries)
		}
	}
}
