package mls

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A sealed is a message on its way, with what is known of it.
type sealed struct {
	bytes      []byte
	id         int
	epoch      uint64
	sender     LeafIndex
	generation uint32
	isCommit   bool
}

// A senderModel is what a receiver should know of a sender in an epoch: the next generation, and which earlier ones still open.
type senderModel struct {
	next   uint32
	behind map[uint32]bool
}

// open says what becomes of a generation: "opened", "replayed" or "ahead".
func (m *senderModel) open(generation uint32) string {
	switch {
	case m.behind[generation]:
		delete(m.behind, generation)
		return "opened"
	case generation < m.next:
		return "replayed"
	case generation-m.next > MaxForward:
		return "ahead"
	}
	for ; m.next < generation; m.next++ {
		m.behind[m.next] = true
	}
	m.next = generation + 1
	maps.DeleteFunc(m.behind, func(g uint32, _ bool) bool { return g+MaxSkipped < generation })
	return "opened"
}

// traffic lets four members send 10,000 messages in 5 epochs, and end each with a commit; all but the last member follow.
func traffic(t *testing.T, members []*Group) []sealed {
	t.Helper()
	var out []sealed
	senders := members[:len(members)-1]
	for e := range 5 {
		sent := make([]uint32, len(senders))
		for i := range 2000 {
			// In the third epoch the first member sends most, so that the cap on skipping is met.
			from := i % len(senders)
			if e == 2 && i < 1400 {
				from = 0
			}
			g := senders[from]
			m, err := g.Seal(fmt.Append(nil, "message ", len(out)), nil)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, sealed{m, len(out), g.Epoch(), g.own, sent[from], false})
			sent[from]++
		}
		c, err := senders[e%len(senders)].Commit(CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sealed{c.Message(), len(out), c.Epoch() - 1, c.committer, 0, true})
		follow(t, senders, c)
	}
	return out
}

// disorder delivers each message twice, near to its place and in some other order. The first half of what the first member says in
// the third epoch comes at the end of it.
func disorder(list []sealed) []sealed {
	random := rand.New(rand.NewPCG(5, 10_000))
	type placed struct {
		at float64
		m  sealed
	}
	var all []placed
	for i, m := range list {
		at := float64(i)
		if m.epoch == list[0].epoch+2 && m.sender == 0 && m.generation < 1100 && !m.isCommit {
			at += 1100
		}
		for range 2 {
			all = append(all, placed{at + 250*random.Float64(), m})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	var out []sealed
	for _, p := range all {
		out = append(out, p.m)
	}
	return out
}

// A mailbox is the receiver as an application runs it: it keeps messages of later epochs, up to a bound, and tries them after
// each commit.
type mailbox struct {
	t       *testing.T
	g       *Group
	records map[string][]byte
	model   map[LeafIndex]*senderModel
	held    []sealed
	opened  map[int]int
	counts  map[string]int
}

const maxHeld = 100

// deliver processes one message, and compares what came of it with the model.
func (b *mailbox) deliver(m sealed) {
	b.t.Helper()
	want := "opened"
	switch {
	case m.epoch < b.g.Epoch():
		want = "past"
	case m.epoch > b.g.Epoch():
		want = "future"
	case !m.isCommit:
		if b.model[m.sender] == nil {
			b.model[m.sender] = &senderModel{behind: make(map[uint32]bool)}
		}
		want = b.model[m.sender].open(m.generation)
	}
	r, err := b.g.Process(m.bytes)
	got := outcome(err)
	if got != want {
		b.t.Fatalf("message %d, epoch %d, generation %d: %s (%v), want %s", m.id, m.epoch, m.generation, got, err, want)
	}
	b.counts[got]++
	switch {
	case got == "future" && len(b.held) < maxHeld:
		b.held = append(b.held, m)
	case got == "future":
		b.counts["not held"]++
	case got == "opened":
		b.take(m, r)
	case recordsOf(b.g, b.records) != 0:
		b.t.Fatalf("message %d: a refusal changes what is saved", m.id)
	}
}

// take notes what was opened. After a commit it goes through what is held.
func (b *mailbox) take(m sealed, r Result) {
	b.t.Helper()
	b.opened[m.id]++
	if a, ok := r.(*ApplicationMessage); ok {
		if want := fmt.Sprint("message ", m.id); string(a.Data) != want || a.Sender.Index != m.sender || a.Generation != m.generation {
			b.t.Fatalf("read %q of %d, want %q", a.Data, a.Sender.Index, want)
		}
		recordsOf(b.g, b.records)
		return
	}
	if err := b.g.Merge(r.(*StagedCommit)); err != nil {
		b.t.Fatal(err)
	}
	b.g = reload(b.t, b.g, b.records)
	clear(b.model)
	held := b.held
	b.held = nil
	for _, m := range held {
		b.deliver(m)
	}
}

// outcome names what a message came to.
func outcome(err error) string {
	var epoch *EpochError
	var generation *GenerationError
	switch {
	case err == nil:
		return "opened"
	case errors.As(err, &epoch) && epoch.Future():
		return "future"
	case errors.As(err, &epoch):
		return "past"
	case errors.As(err, &generation) && generation.Replayed():
		return "replayed"
	case errors.As(err, &generation):
		return "ahead"
	}
	return "another error"
}

// TestDisorderedEpochs delivers 10,000 messages of 5 epochs out of order and twice. Each is opened once, or is refused with the error that a
// model of window, cap and epochs foretells.
func TestDisorderedEpochs(t *testing.T) {
	t.Parallel()
	members := groupOf(t, 5)
	b := &mailbox{t: t, g: members[4], records: make(map[string][]byte), model: make(map[LeafIndex]*senderModel),
		opened: make(map[int]int), counts: make(map[string]int)}
	recordsOf(b.g, b.records)
	sent := traffic(t, members)
	for i, m := range disorder(sent) {
		b.deliver(m)
		if i%500 == 0 {
			b.g = reload(t, b.g, b.records)
		}
	}
	for id, n := range b.opened {
		if n != 1 {
			t.Errorf("message %d was opened %d times", id, n)
		}
	}
	t.Logf("%d messages, %d opened: %v", len(sent), len(b.opened), b.counts)
	if b.g.Epoch() != members[0].Epoch() {
		t.Errorf("in epoch %d, want %d", b.g.Epoch(), members[0].Epoch())
	}
	for _, kind := range []string{"opened", "replayed", "ahead", "past", "future", "not held"} {
		if b.counts[kind] == 0 {
			t.Errorf("no message was %s: the test does not test it", kind)
		}
	}
	if len(sent) != 10_005 || len(b.opened) < 7000 {
		t.Errorf("%d of %d messages opened", len(b.opened), len(sent))
	}
}

// TestFarGeneration offers the last generation of all, and others beyond the cap: they are refused before anything is derived but the
// key of the sender data.
func TestFarGeneration(t *testing.T) {
	members := groupOf(t, 2)
	evil, good := members[0], members[1]
	a := evil.frame(ContentApplication, nil, false)
	if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
		t.Fatal(err)
	}
	use, err := evil.ratchets.take(ratchetID{evil.own, applicationRatchet}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seal := func(generation uint32) []byte {
		key := use.messageKey
		key.generation = generation
		return evil.suite.sealPrivate(a, key, evil.secrets.senderData, padTo)
	}
	for _, heard := range []bool{false, true} {
		if heard {
			if _, err := good.Process(seal(0)); err != nil {
				t.Fatal(err)
			}
		}
		for _, generation := range []uint32{math.MaxUint32, math.MaxUint32 - 1, 1 << 31, MaxForward + 2} {
			m := seal(generation)
			// Without a suite the secret tree can derive nothing, or it panics.
			good.ratchets.suite = nil
			if got := outcome(second(good.Process(m))); got != "ahead" {
				t.Errorf("generation %d: %s, want ahead", generation, got)
			}
			good.ratchets.suite = good.suite
			if n := testing.AllocsPerRun(10, func() { good.Process(m) }); n > 100 {
				t.Errorf("generation %d: %.0f allocations to refuse it", generation, n)
			}
		}
	}
}

func second(_ Result, err error) error { return err }

// TestLastGeneration goes to the end of a ratchet: its last generation is neither sealed nor opened.
func TestLastGeneration(t *testing.T) {
	s := suites[0]
	r := &ratchet{next: math.MaxUint32 - 2, secret: random(s.nh)}
	for generation := r.next; generation < math.MaxUint32; generation++ {
		if _, _, err := r.open(s, new(keyRoom), 0, generation); err != nil {
			t.Errorf("generation %d: %v", generation, err)
		}
	}
	if _, _, err := r.open(s, new(keyRoom), 0, math.MaxUint32); outcome(err) != "ahead" {
		t.Errorf("the last generation: %v", err)
	}
	tree := newSecretTree(s, 1, random(s.nh))
	id := ratchetID{0, applicationRatchet}
	tree.ratchets[id] = r
	for sealed := 0; ; sealed++ {
		use, err := tree.take(id, nil)
		if err != nil {
			if sealed != 2 || outcome(err) != "ahead" {
				t.Errorf("%d messages sealed, then %v", sealed, err)
			}
			return
		}
		use.spend()
	}
}

// TestManyCandidates makes more candidates than a receiver skips: the last that is made can still be followed, and then there is
// an error instead of a commit that nobody follows.
func TestManyCandidates(t *testing.T) {
	members := groupOf(t, 2)
	alice, bob := members[0], members[1]
	psk := PreSharedKeyID{Type: PSKResumption, Usage: UsageApplication, GroupID: alice.GroupID(), Epoch: alice.Epoch()}
	opts := CommitOptions{ByValue: []Proposal{&PreSharedKey{psk}}, NoPath: true}
	var last *StagedCommit
	for n := 0; ; n++ {
		c, err := alice.Commit(opts)
		if err != nil {
			if outcome(err) != "ahead" || n != MaxForward+1 {
				t.Fatalf("after %d candidates: %v", n, err)
			}
			break
		}
		last = c
	}
	accepts(t, bob, last)
	opts.Public = true
	c, err := alice.Commit(opts)
	if err != nil {
		t.Fatal(err)
	}
	accepts(t, bob, c)
}
