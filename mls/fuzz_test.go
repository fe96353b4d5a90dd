package mls

import (
	"bytes"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
)

// fuzzStructure checks of a decoder that it does not panic and that what parses encodes to the same bytes.
func fuzzStructure(f *testing.F, decode func(*reader) func(*writer)) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{b: b}
		encode := decode(&r)
		if r.end() == nil {
			reencodes(t, "structure", b, encode)
		}
	})
}

// seeds adds one of each message of a group's life.
func seeds(f *testing.F) (kp, welcome, tree, commit, application []byte, members []*Group) {
	members = groupOf(f, 3)
	_, fresh, _ := party(f, "fresh")
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{fresh}, &Remove{1}}, Public: true})
	if err != nil {
		f.Fatal(err)
	}
	application, err = members[0].Seal([]byte("hello"), nil)
	if err != nil {
		f.Fatal(err)
	}
	return fresh.Marshal(), c.Welcome(), c.RatchetTree(), c.Message(), application, members
}

func FuzzTree(f *testing.F) {
	_, _, tree, _, _, members := seeds(f)
	f.Add(tree)
	groupID := members[0].GroupID()
	fuzzStructure(f, func(r *reader) func(*writer) {
		t := decodeRatchetTree(suites[0], r)
		if t == nil {
			return nil
		}
		t.check(groupID, nil)
		return t.encode
	})
}

func FuzzKeyPackagePrivate(f *testing.F) {
	_, _, private := party(f, "alice")
	f.Add([]byte(private.Save()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := LoadKeyPackagePrivate(b); err == nil && !bytes.Equal(p.Save(), b) {
			t.Error("what was loaded saves differently")
		}
	})
}

func FuzzProcess(f *testing.F) {
	_, _, _, commit, application, members := seeds(f)
	f.Add(commit)
	f.Add(application)
	f.Fuzz(func(t *testing.T, b []byte) { members[2].Clone().Process(b) })
}

// FuzzContent encrypts any content as a member would, so that what lies under the encryption is fuzzed too.
func FuzzContent(f *testing.F) {
	members := groupOf(f, 3)
	c, err := members[0].Commit(CommitOptions{Public: true})
	if err != nil {
		f.Fatal(err)
	}
	r := reader{b: c.Message()}
	readHeader(&r, wirePublicMessage)
	var w writer
	decodePublicMessage(&r).content.commit.encode(&w)
	f.Add(w.b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{b: b}
		c := decodeCommit(&r)
		if r.end() != nil {
			return
		}
		evil := members[0].Clone()
		a := evil.frame(ContentCommit, nil, true)
		a.content.commit, a.confirmationTag = c, random(32)
		if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
			t.Fatal(err)
		}
		m, _, err := evil.protect(a)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := members[1].Clone().Process(m); err == nil && !r.(*StagedCommit).RemovesSelf() {
			t.Error("a commit with a random confirmation tag was accepted")
		}
	})
}

// FuzzState replaces one record of a saved group.
func FuzzState(f *testing.F) {
	_, _, _, _, application, members := seeds(f)
	g := members[2]
	if _, err := g.Process(application); err != nil {
		f.Fatal(err)
	}
	if _, err := g.ProposeUpdate(LeafOptions{}); err != nil {
		f.Fatal(err)
	}
	records := make(map[string][]byte)
	recordsOf(g, records)
	for key, value := range records {
		f.Add(key, value)
	}
	f.Add("n000fffff", []byte{1})
	var reinit writer
	reinit.uint8(stateVersion)
	(&ReInit{GroupID: []byte("next"), Version: MLS10, Suite: 1}).encode(&reinit)
	f.Add("r00000000", reinit.b)
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		// A busy machine takes longer over the instrumented hashes of a large tree's blank leaves than fuzzing waits for. TestFalsePlace
		// has such a place.
		if n, err := strconv.ParseUint(strings.TrimPrefix(key, "n"), 16, 32); err == nil && n > 1<<14 {
			t.Skip("a place of a large tree")
		}
		changed := maps.Clone(records)
		changed[key] = value
		loaded, err := LoadGroup(g.cfg, maps.All(changed))
		if err != nil {
			return
		}
		if saved := stateOf(loaded); !maps.EqualFunc(saved, changed, bytes.Equal) {
			t.Error("what was loaded saves differently")
		}
		loaded.Process(application)
		loaded.Commit(CommitOptions{})
		loaded.Delta()
	})
}

// TestFalsePlace moves a leaf of a saved group far to the right: all blank leaves before it are hashed, and it is refused.
func TestFalsePlace(t *testing.T) {
	g := groupOf(t, 3)[0]
	for _, place := range []string{"n00007ffe", "n001fffff", "nffffffff"} {
		records := stateOf(g)
		records[place] = records["n00000004"]
		_, err := LoadGroup(g.cfg, maps.All(records))
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("a leaf at %s: %v, want %v", place, err, ErrMalformed)
		}
	}
}

func FuzzStagedCommit(f *testing.F) {
	members := groupOf(f, 3)
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Remove{1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(c.Save()))
	f.Fuzz(func(t *testing.T, b []byte) {
		g := members[0].Clone()
		c, err := LoadStagedCommit(g, b)
		if err == nil && !bytes.Equal(c.Save(), b) {
			t.Error("what was loaded saves differently")
		}
		if err == nil && g.Merge(c) == nil {
			g.Seal([]byte("hello"), nil)
			g.Commit(CommitOptions{})
		}
	})
}
