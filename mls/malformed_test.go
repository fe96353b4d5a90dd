package mls

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// TestMalformed offers bytes that are almost an encoding: each decoder takes one form and no other.
func TestMalformed(t *testing.T) {
	opaque := func(r *reader) { r.opaque() }
	parent := func(r *reader) { decodeParentNode(r) }
	tree := func(r *reader) { decodeRatchetTree(suites[0], r) }
	for _, row := range []struct {
		name, hex string
		decode    func(*reader)
	}{
		{"nothing for a vector", "", opaque},
		{"63 bytes with a header of two", "403f" + zeros(63), opaque},
		{"0 bytes with a header of two", "4000", opaque},
		{"16383 bytes with a header of four", "80003fff" + zeros(16383), opaque},
		{"0 bytes with a header of four", "80000000", opaque},
		{"a header of eight bytes", "c000000000000001" + zeros(1), opaque},
		{"the header of an undefined form", "ff", opaque},
		{"half a header of two", "40", opaque},
		{"three quarters of a header of four", "800040", opaque},
		{"a vector longer than the input", "05" + zeros(4), opaque},
		{"the longest vector of all", "bfffffff" + zeros(4), opaque},
		{"a presence of 2", "02", func(r *reader) { r.present() }},
		{"a presence of 255", "ff", func(r *reader) { r.present() }},
		{"half a number in a list of numbers", "03000100", func(r *reader) { decodeUint16s[ExtensionType](r) }},
		{"an extension type twice", "06" + "f00100" + "f00100", func(r *reader) { decodeExtensions(r) }},
		{"half an extension", "02f001", func(r *reader) { decodeExtensions(r) }},
		{"unmerged leaves out of order", "0000" + "08" + "00000002" + "00000001", parent},
		{"an unmerged leaf twice", "0000" + "08" + "00000001" + "00000001", parent},
		{"half an unmerged leaf", "0000" + "02" + "0000", parent},
		{"a tree of no nodes", "00", tree},
		{"a tree of a blank node", "0100", tree},
		{"a tree that ends in a parent", hexTree(t, true, false), tree},
		{"a tree that ends in a blank", hexTree(t, false, true), tree},
		{"a leaf in the place of a parent", hexLeaves(t), tree},
		{"a parent in the place of a leaf", "05" + "01" + "02" + "000000", tree},
		{"a leaf of source 0", "0000" + "000100" + "0000000000" + "00" + "0000", func(r *reader) { decodeLeafNode(r) }},
		{"a leaf of source 4", "0000" + "000100" + "0000000000" + "04" + "0000", func(r *reader) { decodeLeafNode(r) }},
		{"a credential of an unknown type", "000300", func(r *reader) { decodeCredential(r) }},
		{"a sender of type 0", "0000000000", func(r *reader) { decodeSender(r) }},
		{"a sender of type 5", "0500000000", func(r *reader) { decodeSender(r) }},
		{"content of type 0", "00" + zeros(8) + "0100000000" + "00" + "00", func(r *reader) { decodeFramedContent(r) }},
		{"content of type 4", "00" + zeros(8) + "0100000000" + "00" + "04", func(r *reader) { decodeFramedContent(r) }},
		{"private content of type 0", "00" + zeros(8) + "00" + "000000", func(r *reader) { decodePrivateMessage(r) }},
		{"private content of type 4", "00" + zeros(8) + "04" + "000000", func(r *reader) { decodePrivateMessage(r) }},
		{"neither a proposal nor a reference", "020300" + "00", func(r *reader) { decodeCommit(r) }},
		{"a pre-shared key of type 0", "000000", func(r *reader) { decodePreSharedKeyID(r) }},
		{"a pre-shared key of type 3", "030000", func(r *reader) { decodePreSharedKeyID(r) }},
		{"a resumption key of usage 0", "020000" + zeros(8) + "00", func(r *reader) { decodePreSharedKeyID(r) }},
		{"a resumption key of usage 4", "020400" + zeros(8) + "00", func(r *reader) { decodePreSharedKeyID(r) }},
		{"content of the wire format of a welcome", "0003" + "00" + zeros(8) + "0100000000" + "00" + "0100" + "00", func(r *reader) { decodeAuthenticatedContent(r) }},
		{"a GroupContext of another version", "0002" + "0001" + "00" + zeros(8) + "000000", func(r *reader) { decodeGroupContext(r) }},
	} {
		b, err := hex.DecodeString(row.hex)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		r := reader{b: b}
		row.decode(&r)
		// What is wrong is found where it stands, and not by what is left over after it.
		if !errors.Is(r.err, ErrMalformed) {
			t.Errorf("%s: got %v, want %v", row.name, r.err, ErrMalformed)
		}
	}
}

func zeros(n int) string { return hex.EncodeToString(make([]byte, n)) }

// hexTree is a tree of one leaf, and then a parent or a blank.
func hexTree(t *testing.T, parent, blank bool) string {
	t.Helper()
	_, kp, _ := party(t, "alice")
	var w writer
	start := w.open()
	w.present(true)
	(&node{leaf: kp.LeafNode}).encode(&w)
	if parent {
		w.present(true)
		(&node{parent: &parentNode{encryptionKey: random(32)}}).encode(&w)
	}
	if blank {
		w.present(false)
		w.present(false)
	}
	w.close(start)
	return hex.EncodeToString(w.b)
}

// hexLeaves is a tree that has a leaf where a parent should be.
func hexLeaves(t *testing.T) string {
	t.Helper()
	_, kp, _ := party(t, "alice")
	var w writer
	start := w.open()
	for range 3 {
		w.present(true)
		(&node{leaf: kp.LeafNode}).encode(&w)
	}
	w.close(start)
	return hex.EncodeToString(w.b)
}

// TestCutStructures cuts one of each structure of a group's life at every length, and adds a byte to it.
func TestCutStructures(t *testing.T) {
	for _, s := range structures(t) {
		r := reader{b: s.encoded}
		encode := s.decode(&r)
		if err := r.end(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		reencodes(t, s.name, s.encoded, encode)
		for n := range s.encoded {
			r := reader{b: s.encoded[:n]}
			s.decode(&r)
			if err := r.end(); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s cut to %d of %d bytes: got %v, want %v", s.name, n, len(s.encoded), err, ErrMalformed)
			}
		}
		r = reader{b: append(bytes.Clone(s.encoded), 0)}
		s.decode(&r)
		if err := r.end(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s with a byte more: got %v, want %v", s.name, err, ErrMalformed)
		}
	}
}

// A structure is an encoding with its decoder.
type structure struct {
	name    string
	encoded []byte
	decode  func(*reader) func(*writer)
}

// structures makes one of each.
func structures(t testing.TB) []structure {
	t.Helper()
	members := groupOf(t, 4)
	_, fresh, private := party(t, "fresh")
	psk := PreSharedKeyID{Type: PSKResumption, Usage: UsageApplication, GroupID: members[0].GroupID(), Epoch: members[0].Epoch()}
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{fresh}, &Remove{1}, &PreSharedKey{psk}}, Public: true})
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := members[0].Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := members[0].GroupInfo()
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseWelcome(c.Welcome())
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := members[0].suite.openGroupSecrets(private, m.secrets[0], m.groupInfo)
	if err != nil {
		t.Fatal(err)
	}
	var group writer
	secrets.encode(&group)
	r := reader{b: c.Message()}
	readHeader(&r, wirePublicMessage)
	var content, body writer
	public := decodePublicMessage(&r)
	public.authenticatedContent.encode(&content)
	public.content.commit.encode(&body)
	return []structure{
		{"KeyPackage", fresh.Marshal(), message(wireKeyPackage)},
		{"Welcome", c.Welcome(), message(wireWelcome)},
		{"GroupInfo", info, message(wireGroupInfo)},
		{"PublicMessage", c.Message(), message(wirePublicMessage)},
		{"PrivateMessage", hidden.Message(), message(wirePrivateMessage)},
		{"GroupSecrets", group.b, func(r *reader) func(*writer) { return encoderOf(decodeGroupSecrets(r)) }},
		{"AuthenticatedContent", content.b, func(r *reader) func(*writer) { return encoderOf(decodeAuthenticatedContent(r)) }},
		{"Commit", body.b, func(r *reader) func(*writer) { return encoderOf(decodeCommit(r)) }},
		{"ratchet_tree", c.RatchetTree(), func(r *reader) func(*writer) { return encoderOf(decodeRatchetTree(members[0].suite, r)) }},
		{"GroupContext", members[0].encoded, func(r *reader) func(*writer) { c := decodeGroupContext(r); return c.encode }},
	}
}

// TestEndsInParent gives a joiner a tree whose only unusual thing is that it ends in a parent node. Its one leaf has signed for that
// parent, so that all of the tree's hashes and signatures are right.
func TestEndsInParent(t *testing.T) {
	g := groupOf(t, 1)[0]
	tree := g.tree.clone()
	tree.resize(2)
	p := &parentNode{encryptionKey: random(32)}
	tree.set(1, &node{parent: p})
	leaf := *tree.leaf(0)
	leaf.Source, leaf.ParentHash = LeafCommit, g.suite.parentHashOf(p, tree.hash(2))
	if err := leaf.sign(g.suite, g.cfg.Signer, g.context.groupID, 0); err != nil {
		t.Fatal(err)
	}
	tree.set(0, &node{leaf: &leaf})
	if err := tree.check(g.context.groupID, nil); err != nil {
		t.Fatalf("the tree itself: %v", err)
	}
	if _, err := parseRatchetTree(g.suite, tree.marshal()); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want %v", err, ErrMalformed)
	}
}
