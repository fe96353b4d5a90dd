package mls

import (
	"fmt"
	"maps"
	"math/bits"
	"testing"
)

var benchSizes = []int{2, 10, 100, 1000, 10000}

// A benchOperation is measured in every group. It returns the operation, and the primitives that the protocol demands for it;
// nil for one that demands none. It may report metrics of its own.
type benchOperation struct {
	name  string
	setUp func(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func())
}

var benchOperations = []benchOperation{
	{"update", benchUpdate}, {"process", benchProcess}, {"add-one", benchAddOne}, {"add-all", benchAddAll}, {"join", benchJoin},
	{"seal", benchSeal}, {"open", benchOpen}, {"save-message", benchSaveMessage}, {"save-commit", benchSaveCommit}, {"load", benchLoad},
}

// BenchmarkMLS prints for each operation its time, bytes and allocations, and as x-primitives the multiple of what its
// primitives take in the same run. With -short the groups of 10,000 are left out.
func BenchmarkMLS(b *testing.B) {
	for _, id := range []CipherSuite{1, DefaultSuite} {
		for _, kind := range []string{"filled", "created"} {
			for _, n := range benchSizes {
				if n > 1000 && testing.Short() {
					continue
				}
				for _, o := range benchOperations {
					b.Run(fmt.Sprintf("suite=%#x/%s/n=%d/%s", uint16(id), kind, n, o.name), func(b *testing.B) {
						bg := builtGroup(b, kind, id, n)
						operation, demand := o.setUp(b, bg, newPrimitives(b, bg.suite))
						b.ReportAllocs()
						for b.Loop() {
							operation()
						}
						if demand != nil {
							b.ReportMetric(multiple(operation, demand), "x-primitives")
						}
					})
				}
			}
		}
	}
}

// levels is the length of the first member's path in a group of n.
func levels(n int) int { return bits.Len(uint(n - 1)) }

// seals is how many encryptions a renewed path of the first member takes: one for each node in a filled tree, and one for
// each other member in one that was just created, where the nodes beside the path are blank.
func (bg *benchGroup) seals() int {
	n := 0
	for _, step := range bg.first.tree.filteredPath(0) {
		n += len(bg.first.tree.resolution(step.copath))
	}
	return n
}

func mustStage(b *testing.B, c *StagedCommit, err error) *StagedCommit {
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// leafSize is how much is signed for a leaf.
func (bg *benchGroup) leafSize() int {
	const place = 1 + 4 // the group's id, empty, and the leaf's index
	var w writer
	leaf := bg.first.tree.leaf(0)
	if leaf.encodeUnsigned(&w); leaf.Source != LeafKeyPackage {
		return len(w.b) + place
	}
	return len(w.b)
}

func benchUpdate(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	g := bg.first.Clone()
	commit := func() *StagedCommit {
		clear(g.reserved)
		c, err := g.Commit(CommitOptions{})
		return mustStage(b, c, err)
	}
	size, context := len(commit().Message()), len(g.encoded)
	return func() { commit() }, func() {
		p.derive(levels(bg.n) + 1)
		p.seal(bg.seals(), context)
		p.sign(1, bg.leafSize())
		p.sign(1, size)
		bg.bulk(p, size)
	}
}

// bulk is the encryption and hashing of a commit's bytes. In a tree that was just created there are many of them: a ciphertext
// for every member. In a filled one they are not counted.
func (bg *benchGroup) bulk(p *primitives, size int) {
	if bg.seals() > 2*levels(bg.n) {
		p.aead(size)
		p.hash(1, size)
	}
}

// followed is how many secrets are derived to follow a commit of a member across the tree: one child of each node above its
// leaf, as the other is for later messages of an epoch that the commit ends; the ratchet; key and nonce (9.1), key and
// nonce of the sender's data (6.3.2); the path's node and commit secrets (7.4, 8); and the key schedule with the
// secrets of the epoch (8), its two extractions and the confirmation among them.
func followed(n int) int {
	const ratchet, message, sender, path, schedule = 1, 2, 2, 2, 14
	return levels(n) + ratchet + message + sender + path + schedule
}

// benchProcess follows an update of the first member as the last one, who has to open one ciphertext and, below the root, nothing to derive.
func benchProcess(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	c, err := bg.first.Clone().Commit(CommitOptions{})
	message := mustStage(b, c, err).Message()
	context := len(bg.last.encoded)
	return func() {
			if _, err := bg.last.Process(message); err != nil {
				b.Fatal(err)
			}
		}, func() {
			p.verify(1, bg.leafSize())
			p.verify(1, len(message))
			p.open(1, context)
			p.derive(1)
			p.expand(followed(bg.n))
			bg.bulk(p, len(message))
		}
}

// benchAddOne adds a member and makes the Welcome, tree included, which is signed, encrypted, and part of what the new member's
// secrets are sealed with.
func benchAddOne(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	g := bg.first.Clone()
	_, kp, _ := bg.party(b, "eve")
	add := func() *StagedCommit {
		clear(g.reserved)
		c, err := g.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
		return mustStage(b, c, err)
	}
	c := add()
	info := len(c.Welcome())
	return func() { add() }, func() {
		p.verify(2, bg.leafSize())
		p.derive(levels(bg.n+1) + 1)
		p.seal(bg.seals(), len(g.encoded))
		p.sign(1, bg.leafSize())
		p.sign(1, len(c.Message()))
		p.sign(1, info)
		p.aead(info)
		p.seal(1, info)
		bg.bulk(p, len(c.Message()))
	}
}

// benchAddAll makes the group of n out of its creator, in one commit. The Welcome is without the tree: with it, every
// one of the n encryptions would hash all of the tree.
func benchAddAll(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	if bg.n == 10000 && bg.seals() < bg.n-1 {
		b.Skip("the same as in a group that was just created")
	}
	cfg, _, _ := bg.party(b, "creator")
	g, err := NewGroup(cfg, CreateOptions{Suite: bg.suite.id, Credential: BasicCredential([]byte("creator"))})
	if err != nil {
		b.Fatal(err)
	}
	opts := CommitOptions{NoTree: true}
	for i := range bg.n - 1 {
		_, kp, _ := bg.party(b, fmt.Sprint("member ", i))
		opts.ByValue = append(opts.ByValue, &Add{kp})
	}
	var c *StagedCommit
	add := func() {
		clear(g.reserved)
		c, err = g.Commit(opts)
		mustStage(b, c, err)
	}
	add()
	message, info := len(c.Message()), len(c.Welcome())/bg.n
	return add, func() {
		p.verify(2*(bg.n-1), bg.leafSize())
		p.derive(levels(bg.n) + 1)
		p.seal(bg.n-1, info)
		p.sign(1, bg.leafSize())
		p.sign(1, message)
		p.sign(1, info)
		p.hash(2*bg.n, bg.leafSize())
		p.hash(bg.n, bg.leafSize()) // the references by which the Welcome names the key packages
		p.aead(message)
		p.hash(1, message)
	}
}

func benchJoin(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	cfg, kp, private := bg.party(b, "eve")
	c, err := bg.first.Clone().Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	welcome := mustStage(b, c, err).Welcome()
	find := func(KeyPackageRef) *KeyPackagePrivate { return private }
	return func() {
			if _, err := Join(cfg, welcome, find, JoinOptions{}); err != nil {
				b.Fatal(err)
			}
		}, func() {
			p.open(1, len(welcome))
			p.aead(len(welcome))
			p.verify(1, len(welcome))
			p.verify(bg.n+1, bg.leafSize())
			p.hash(3*(bg.n+1), bg.leafSize())
			p.derive(1)
		}
}

func benchSeal(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	g, text := bg.first.Clone(), make([]byte, 1024)
	return func() {
			if _, err := g.Seal(text, nil); err != nil {
				b.Fatal(err)
			}
		}, func() {
			p.sign(1, len(text)+len(g.encoded)+64)
		}
}

// benchOpen opens as many messages as may be skipped, and begins anew.
func benchOpen(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	sender, text := bg.first.Clone(), make([]byte, 1024)
	messages := make([][]byte, MaxForward)
	for i := range messages {
		var err error
		if messages[i], err = sender.Seal(text, nil); err != nil {
			b.Fatal(err)
		}
	}
	next, g := 0, bg.last.Clone()
	return func() {
			if next == len(messages) {
				next, g = 0, bg.last.Clone()
			}
			if _, err := g.Process(messages[next]); err != nil {
				b.Fatal(err)
			}
			next++
		}, func() {
			p.verify(1, len(text)+len(g.encoded)+64)
		}
}

// benchSaveMessage asks for the delta after each of many messages, sealing not included.
func benchSaveMessage(b *testing.B, bg *benchGroup, _ *primitives) (operation, demand func()) {
	g := bg.first.Clone()
	if _, err := g.Seal(nil, nil); err != nil {
		b.Fatal(err)
	}
	g.Delta()
	id := ratchetID{g.own, applicationRatchet}
	var rows, size int
	operation = func() {
		g.ratchets.dirtyRatchets[id] = struct{}{}
		rows, size = measureDelta(g.Delta())
	}
	operation()
	reportRows(b, rows, size)
	return operation, nil
}

func measureDelta(d Delta) (rows, size int) {
	for _, r := range d.Puts {
		size += len(r.Key) + len(r.Value)
	}
	return len(d.Puts) + len(d.Deletes), size
}

func reportRows(b *testing.B, rows, size int) {
	b.Cleanup(func() {
		b.ReportMetric(float64(rows), "rows")
		b.ReportMetric(float64(size), "row-bytes")
	})
}

// benchSaveCommit merges an update and asks for the delta.
func benchSaveCommit(b *testing.B, bg *benchGroup, _ *primitives) (operation, demand func()) {
	g := bg.first.Clone()
	g.Delta()
	before, saved := g.epoch, g.saved
	c, err := g.Commit(CommitOptions{})
	mustStage(b, c, err)
	var rows, size int
	operation = func() {
		g.epoch, g.saved = before, saved
		g.saved.keys = maps.Clone(saved.keys)
		if err := g.Merge(c); err != nil {
			b.Fatal(err)
		}
		rows, size = measureDelta(g.Delta())
	}
	operation()
	reportRows(b, rows, size)
	return operation, nil
}

func benchLoad(b *testing.B, bg *benchGroup, p *primitives) (operation, demand func()) {
	records := make(map[string][]byte)
	for _, r := range bg.first.Clone().Delta().Puts {
		records[r.Key] = r.Value
	}
	return func() {
			if _, err := LoadGroup(bg.first.cfg, maps.All(records)); err != nil {
				b.Fatal(err)
			}
		}, func() {
			p.hash(3*bg.n, bg.leafSize())
		}
}
