package mls

import (
	"bytes"
	"errors"
	"maps"
	"testing"
)

// savedGroup is a group with records of every kind, and what it is loaded with.
func savedGroup(t *testing.T) (Config, map[string][]byte) {
	t.Helper()
	members := groupOf(t, 4)
	g := members[2]
	var sent [][]byte
	for range 3 {
		m, err := members[0].Seal([]byte("hello"), nil)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, m)
	}
	if _, err := g.Process(sent[2]); err != nil {
		t.Fatal(err)
	}
	if _, err := g.ProposeUpdate(LeafOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.ProposeRemove(1); err != nil {
		t.Fatal(err)
	}
	return g.cfg, stateOf(g)
}

// TestSavedStateRules changes what was saved, as a broken disk or a stranger with access to it would. None of it loads.
func TestSavedStateRules(t *testing.T) {
	cfg, honest := savedGroup(t)
	versioned := func(fill func(w *writer)) []byte {
		w := writer{[]byte{stateVersion}}
		fill(&w)
		return w.b
	}
	header := func(change func(e *epoch)) []byte {
		r := reader{b: bytes.Clone(honest["e"][1:])}
		e := decodeHeader(&r)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		change(e)
		return versioned(e.encodeHeader)
	}
	drop := func(key string) func(map[string][]byte) { return func(m map[string][]byte) { delete(m, key) } }
	put := func(key string, value []byte) func(map[string][]byte) {
		return func(m map[string][]byte) { m[key] = value }
	}
	secret := versioned(func(w *writer) { w.opaque(random(32)) })
	for _, row := range []struct {
		name   string
		want   error
		change func(map[string][]byte)
	}{
		{"nothing", ErrMalformed, func(m map[string][]byte) { clear(m) }},
		{"no header", ErrMalformed, drop("e")},
		{"a record without a key", ErrMalformed, put("", secret)},
		{"a record with half a key", ErrMalformed, put("k0000", secret)},
		{"a record with a key in capitals", ErrMalformed, put("k0000000A", secret)},
		{"a record of an unknown kind", ErrMalformed, put("z00000000", secret)},
		{"no tree", ErrMalformed, func(m map[string][]byte) {
			maps.DeleteFunc(m, func(key string, _ []byte) bool { return key[0] == recordNode })
		}},
		{"a tree without a node", ErrMalformed, drop(recordKey(recordNode, 2))},
		{"a node far outside of the tree", ErrMalformed, put(recordKey(recordNode, 1<<31), honest[recordKey(recordNode, 0)])},
		{"a node at the end of the largest tree", ErrMalformed, put(recordKey(recordNode, uint32(widthOf(maxLeaves))), honest[recordKey(recordNode, 0)])},
		{"a leaf in the place of a parent", ErrMalformed, put(recordKey(recordNode, 1), honest[recordKey(recordNode, 0)])},
		{"two leaves in each other's place", ErrMalformed, func(m map[string][]byte) {
			a, b := recordKey(recordNode, 0), recordKey(recordNode, 2)
			m[a], m[b] = m[b], m[a]
		}},
		{"a later version", ErrUnsupported, put("e", append([]byte{9}, honest["e"][1:]...))},
		{"a suite that is not known", ErrUnsupported, put("e", header(func(e *epoch) { e.context.suite = 4 }))},
		{"another suite", ErrMalformed, put("e", header(func(e *epoch) { e.context.suite = 0xF002 }))},
		{"a secret of another length", ErrMalformed, put("e", header(func(e *epoch) { e.secrets.exporter = random(31) }))},
		{"another tree hash", ErrMalformed, put("e", header(func(e *epoch) { e.context.treeHash = random(32) }))},
		{"an own leaf outside of the tree", ErrMalformed, put("e", header(func(e *epoch) { e.own = 1 << 30 }))},
		{"an own leaf without its key", ErrMalformed, put("e", header(func(e *epoch) { e.own = 3 }))},
		{"no own key", ErrMalformed, drop(recordKey(recordPrivateKey, 4))},
		{"a key for a node outside of the tree", ErrMalformed, put(recordKey(recordPrivateKey, 99), secret)},
		{"a secret for a node outside of the tree", ErrMalformed, put(recordKey(recordSecretNode, 99), secret)},
		{"a secret node of another length", ErrMalformed, put(recordKey(recordSecretNode, 0), versioned(func(w *writer) { w.opaque(random(31)) }))},
		{"a ratchet outside of the tree", ErrMalformed, put(recordKey(recordApplication, 99), honest[recordKey(recordApplication, 0)])},
		{"a ratchet with a short secret", ErrMalformed, put(recordKey(recordApplication, 0), versioned((&ratchet{next: 1, secret: random(31)}).encode))},
		{"a skipped key of another length", ErrMalformed, put(recordKey(recordApplication, 0), versioned((&ratchet{
			next: 9, secret: random(32), skipped: []messageKey{{generation: 1, key: random(15), nonce: random(12)}},
		}).encode))},
		{"a skipped key of the future", ErrMalformed, put(recordKey(recordApplication, 0), versioned((&ratchet{
			next: 9, secret: random(32), skipped: []messageKey{{generation: 9, key: random(16), nonce: random(12)}},
		}).encode))},
		{"a skipped key twice", ErrMalformed, put(recordKey(recordApplication, 0), versioned((&ratchet{
			next: 9, secret: random(32), skipped: []messageKey{{generation: 2, key: random(16), nonce: random(12)}, {generation: 2, key: random(16), nonce: random(12)}},
		}).encode))},
		{"a reinit that is not the only one", ErrMalformed, put(recordKey(recordReInit, 1), versioned((&ReInit{Version: MLS10, Suite: 1}).encode))},
		{"a gap in the proposals", ErrMalformed, drop(recordKey(recordPending, 0))},
		{"a proposal of nobody", ErrMalformed, put(recordKey(recordPending, 0), pendingRecord(t, func(a *authenticatedContent) { a.content.sender.index = 77 }))},
		{"a pending message", ErrMalformed, put(recordKey(recordPending, 0), pendingRecord(t, func(a *authenticatedContent) {
			a.content.contentType, a.content.application = ContentApplication, []byte("hello")
		}))},
	} {
		changed := maps.Clone(honest)
		row.change(changed)
		if _, err := LoadGroup(cfg, maps.All(changed)); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, err, row.want)
		}
	}
	for key, value := range honest {
		for _, wrong := range [][]byte{nil, value[:1], value[:len(value)-1], append(bytes.Clone(value), 0)} {
			changed := maps.Clone(honest)
			changed[key] = wrong
			if _, err := LoadGroup(cfg, maps.All(changed)); !errors.Is(err, ErrMalformed) {
				t.Errorf("record %s of %d bytes with %d: got %v, want %v", key, len(value), len(wrong), err, ErrMalformed)
			}
		}
	}
	if _, err := LoadGroup(cfg, maps.All(honest)); err != nil {
		t.Errorf("the honest state: %v", err)
	}
}

// pendingRecord is a saved proposal.
func pendingRecord(t *testing.T, change func(*authenticatedContent)) []byte {
	t.Helper()
	a := groupOf(t, 1)[0].frame(ContentProposal, nil, false)
	a.content.proposal = &Remove{1}
	change(a)
	w := writer{[]byte{stateVersion}}
	(&pendingProposal{content: a}).encode(&w)
	return w.b
}

// TestSavedCandidateRules cuts and changes a candidate that was saved.
func TestSavedCandidateRules(t *testing.T) {
	members := groupOf(t, 3)
	g := members[0]
	_, kp, _ := party(t, "eve")
	c, err := g.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}, &Remove{1}}})
	if err != nil {
		t.Fatal(err)
	}
	saved := c.Save()
	for n := range saved {
		if _, err := LoadStagedCommit(g.Clone(), saved[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d of %d bytes: got %v, want %v", n, len(saved), err, ErrMalformed)
		}
	}
	if _, err := LoadStagedCommit(g.Clone(), append(bytes.Clone(saved), 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("with a byte more: %v", err)
	}
	if _, err := LoadStagedCommit(g.Clone(), append([]byte{9}, saved[1:]...)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("of a later version: %v", err)
	}
	for name, change := range map[string]func(c *StagedCommit){
		"another suite": func(c *StagedCommit) { c.next.suite, c.next.context.suite = suites[2], suites[2].id },
		"no own leaf":   func(c *StagedCommit) { c.next.own = 9 },
		"another tree":  func(c *StagedCommit) { c.next.context.treeHash = random(32) },
		"a short root secret": func(c *StagedCommit) {
			c.next.ratchets.nodes[c.next.tree.root()] = random(31)
		},
		"a key for no node": func(c *StagedCommit) { c.next.keys[77] = c.next.keys[0] },
	} {
		spoiled := *c
		spoiled.next = c.next.clone()
		spoiled.next.keys = maps.Clone(c.next.keys)
		change(&spoiled)
		if _, err := LoadStagedCommit(g.Clone(), spoiled.Save()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMalformed)
		}
	}
	if _, err := LoadStagedCommit(groupOf(t, 2)[0], saved); !errors.Is(err, ErrStale) {
		t.Errorf("in another group: %v", err)
	}
	if _, err := LoadStagedCommit(g.Clone(), saved); err != nil {
		t.Errorf("the honest candidate: %v", err)
	}
}

// TestSavedChangesRules reads how the tree of a candidate differs from the group's, and the keys beside it, in forms in which they are never
// written.
func TestSavedChangesRules(t *testing.T) {
	g := groupOf(t, 3)[0]
	changes := func(size uint32, places ...nodeIndex) func(*reader) {
		w := &writer{}
		w.uint32(size)
		start := w.open()
		for _, x := range places {
			w.uint32(uint32(x))
			w.present(false)
		}
		w.close(start)
		return func(r *reader) { r.b = w.b; decodeChanges(r, g.tree) }
	}
	keys := func(places ...nodeIndex) func(*reader) {
		w := &writer{}
		start := w.open()
		for _, x := range places {
			w.uint32(uint32(x))
			w.opaque(random(32))
		}
		w.close(start)
		return func(r *reader) { r.b = w.b; new(epoch).decodeKeys(r) }
	}
	for _, row := range []struct {
		name   string
		want   error
		decode func(*reader)
	}{
		{"no changes", nil, changes(4)},
		{"two leaves that are gone", nil, changes(4, 0, 4)},
		{"a tree of no leaves", ErrMalformed, changes(0)},
		{"a tree of three leaves", ErrMalformed, changes(3)},
		{"a tree that is too large", ErrMalformed, changes(2 * maxLeaves)},
		{"a node outside of the tree", ErrMalformed, changes(4, 8)},
		{"nodes out of order", ErrMalformed, changes(4, 4, 0)},
		{"a node that is gone and was not there", ErrMalformed, changes(4, 6)},
		{"keys in order", nil, keys(0, 3)},
		{"keys out of order", ErrMalformed, keys(3, 0)},
		{"a key twice", ErrMalformed, keys(3, 3)},
	} {
		var r reader
		row.decode(&r)
		if err := r.end(); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, err, row.want)
		}
	}
}

// TestSavedJoinRules cuts a saved join, and writes its records twice.
func TestSavedJoinRules(t *testing.T) {
	info, err := groupOf(t, 3)[0].GroupInfo()
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, _ := party(t, "eve")
	j, err := JoinExternally(cfg, info, ExternalOptions{Credential: BasicCredential([]byte("eve"))})
	if err != nil {
		t.Fatal(err)
	}
	saved := j.Save()
	if _, err := LoadExternalJoin(cfg, saved); err != nil {
		t.Fatal(err)
	}
	for n := range saved {
		if _, err := LoadExternalJoin(cfg, saved[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d of %d bytes: got %v, want %v", n, len(saved), err, ErrMalformed)
		}
	}
	var w writer
	w.uint8(stateVersion)
	w.opaque(j.message)
	start := w.open()
	puts := j.group.Clone().Delta().Puts
	for range 2 {
		for _, r := range puts {
			w.text(r.Key)
			w.opaque(r.Value)
		}
	}
	w.close(start)
	if _, err := LoadExternalJoin(cfg, w.b); !errors.Is(err, ErrMalformed) {
		t.Errorf("each record twice: got %v, want %v", err, ErrMalformed)
	}
}

// TestSavedKeyPackageRules changes the secret half of a key package.
func TestSavedKeyPackageRules(t *testing.T) {
	_, _, private := party(t, "alice")
	_, _, other := party(t, "bob")
	saved := private.Save()
	for n := range saved {
		if _, err := LoadKeyPackagePrivate(saved[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d of %d bytes: got %v, want %v", n, len(saved), err, ErrMalformed)
		}
	}
	for name, wrong := range map[string]*KeyPackagePrivate{
		"another init key": {keyPackage: private.keyPackage, initKey: other.initKey, leafKey: private.leafKey},
		"another leaf key": {keyPackage: private.keyPackage, initKey: private.initKey, leafKey: other.leafKey},
		"a short init key": {keyPackage: private.keyPackage, initKey: private.initKey[1:], leafKey: private.leafKey},
		"no leaf key":      {keyPackage: private.keyPackage, initKey: private.initKey},
		"swapped keys":     {keyPackage: private.keyPackage, initKey: private.leafKey, leafKey: private.initKey},
	} {
		if _, err := LoadKeyPackagePrivate(wrong.Save()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMalformed)
		}
	}
}

// TestMessageEpochRules asks for the epoch of what has none.
func TestMessageEpochRules(t *testing.T) {
	want := map[string]error{"PublicMessage": nil, "PrivateMessage": nil, "KeyPackage": ErrMalformed, "Welcome": ErrMalformed, "GroupInfo": ErrMalformed}
	for _, s := range structures(t) {
		want, ok := want[s.name]
		if _, _, err := MessageEpoch(s.encoded); ok && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", s.name, err, want)
		}
	}
}
