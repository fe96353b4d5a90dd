package mls

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"
)

// A decoder reads one structure, and returns how to write what it read.
type decoder struct {
	name   string
	decode func(*reader) func(*writer)
}

// decoders are all of the package, in an order that the corpus relies on: new ones come last.
var decoders = []decoder{
	{"KeyPackage", message(wireKeyPackage)},
	{"Welcome", message(wireWelcome)},
	{"GroupInfo", message(wireGroupInfo)},
	{"PublicMessage", message(wirePublicMessage)},
	{"PrivateMessage", message(wirePrivateMessage)},
	{"GroupSecrets", func(r *reader) func(*writer) { return encoderOf(decodeGroupSecrets(r)) }},
	{"AuthenticatedContent", func(r *reader) func(*writer) { return encoderOf(decodeAuthenticatedContent(r)) }},
	{"Commit", func(r *reader) func(*writer) { return encoderOf(decodeCommit(r)) }},
	{"ratchet_tree", func(r *reader) func(*writer) { return encoderOf(decodeRatchetTree(suites[0], r)) }},
	{"GroupContext", func(r *reader) func(*writer) { c := decodeGroupContext(r); return c.encode }},
	{"LeafNode", func(r *reader) func(*writer) { return encoderOf(decodeLeafNode(r)) }},
	{"ParentNode", func(r *reader) func(*writer) { return encoderOf(decodeParentNode(r)) }},
	{"UpdatePath", func(r *reader) func(*writer) { return encoderOf(decodeUpdatePath(r)) }},
	{"Proposal", func(r *reader) func(*writer) {
		p := decodeProposal(r)
		return func(w *writer) { encodeProposal(w, p) }
	}},
	{"Credential", func(r *reader) func(*writer) { c := decodeCredential(r); return c.encode }},
	{"Capabilities", func(r *reader) func(*writer) { c := decodeCapabilities(r); return c.encode }},
	{"extensions", func(r *reader) func(*writer) { e := decodeExtensions(r); return e.encode }},
	{"PreSharedKeyID", func(r *reader) func(*writer) { id := decodePreSharedKeyID(r); return id.encode }},
	{"HPKECiphertext", func(r *reader) func(*writer) { c := decodeHPKECiphertext(r); return c.encode }},
	{"Sender", func(r *reader) func(*writer) { s := decodeSender(r); return s.encode }},
	{"RequiredCapabilities", func(r *reader) func(*writer) {
		b := bytes.Clone(r.b)
		rc, err := ParseRequiredCapabilities(b)
		if err != nil {
			r.err = err
		}
		r.b = nil
		return func(w *writer) { w.raw(rc.Marshal()) }
	}},
	{"saved ratchet", func(r *reader) func(*writer) { return encoderOf(decodeRatchet(suites[0], r)) }},
	{"saved header", func(r *reader) func(*writer) {
		e := decodeHeader(r)
		return func(w *writer) { e.encodeHeader(w) }
	}},
	{"saved keys", func(r *reader) func(*writer) {
		e := &epoch{}
		e.decodeKeys(r)
		return e.encodeKeys
	}},
	{"external_senders", func(r *reader) func(*writer) {
		b := bytes.Clone(r.b)
		list, err := ParseExternalSenders(b)
		if err != nil {
			r.err = err
		}
		r.b = nil
		return func(w *writer) { w.raw(MarshalExternalSenders(list)) }
	}},
}

// samples are encodings to begin with: one of each structure of a group's life, and those of the vectors where they are.
func samples(t testing.TB) map[string][][]byte {
	t.Helper()
	out := make(map[string][][]byte)
	for _, s := range structures(t) {
		out[s.name] = append(out[s.name], s.encoded)
	}
	members := groupOf(t, 3)
	g := members[1]
	message, err := members[0].Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Process(message); err != nil {
		t.Fatal(err)
	}
	var w writer
	add := func(name string, encode func(*writer)) {
		w = writer{}
		encode(&w)
		out[name] = append(out[name], w.b)
	}
	leaf := g.tree.leaf(0)
	add("LeafNode", leaf.encode)
	add("Credential", leaf.Credential.encode)
	add("Capabilities", leaf.Capabilities.encode)
	add("extensions", Extensions{{0xF001, []byte("data")}, {ExtensionExternalPub, nil}}.encode)
	add("ParentNode", (&parentNode{encryptionKey: random(32), unmerged: []LeafIndex{1, 3}}).encode)
	add("PreSharedKeyID", (&PreSharedKeyID{Type: PSKResumption, Usage: UsageReInit, GroupID: []byte("g"), Nonce: random(32)}).encode)
	add("PreSharedKeyID", (&PreSharedKeyID{Type: PSKExternal, ID: []byte("g"), Nonce: random(32)}).encode)
	add("HPKECiphertext", (&hpkeCiphertext{random(32), random(48)}).encode)
	add("Sender", sender{SenderMember, 7}.encode)
	add("Sender", sender{SenderNewMemberCommit, 0}.encode)
	add("Sender", sender{SenderExternal, 7}.encode)
	services := []ExternalSender{{leaf.SignatureKey, leaf.Credential}, {random(32), Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}}}
	add("external_senders", func(w *writer) { w.raw(MarshalExternalSenders(services)) })
	add("RequiredCapabilities", func(w *writer) { w.raw(RequiredCapabilities{Proposals: []ProposalType{1}}.Marshal()) })
	add("saved header", g.encodeHeader)
	add("saved keys", g.encodeKeys)
	for _, r := range g.ratchets.ratchets {
		add("saved ratchet", r.encode)
	}
	for _, p := range []Proposal{&Remove{3}, &Update{leaf}, &ReInit{GroupID: []byte("g"), Version: 1, Suite: 1}, &ExternalInit{random(32)}, &GroupContextExtensions{},
		&SelfRemove{}, &CustomProposal{ruledProposal, []byte("data")}} {
		add("Proposal", func(w *writer) { encodeProposal(w, p) })
	}
	c, err := members[0].Commit(CommitOptions{Public: true})
	if err != nil {
		t.Fatal(err)
	}
	add("UpdatePath", commitOf(t, c).path.encode)
	return out
}

// FuzzDecoder has one of the decoders read anything: it does not panic, and what parses encodes to the same bytes.
func FuzzDecoder(f *testing.F) {
	for name, encoded := range samples(f) {
		at := slices.IndexFunc(decoders, func(d decoder) bool { return d.name == name })
		if at < 0 {
			f.Fatalf("no decoder of %s", name)
		}
		for _, b := range encoded {
			f.Add(uint8(at), b)
		}
	}
	for _, v := range fuzzVectors(f) {
		f.Add(v.decoder, v.encoded)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		d := decoders[int(which)%len(decoders)]
		r := reader{b: b}
		encode := d.decode(&r)
		if r.end() == nil {
			reencodes(t, d.name, b, encode)
		}
	})
}

type fuzzVector struct {
	decoder uint8
	encoded []byte
}

// fuzzVectors takes some of the working group's messages, if they are there.
func fuzzVectors(f *testing.F) (out []fuzzVector) {
	if !haveVectors() {
		return nil
	}
	names := map[string]string{
		"mls_welcome": "Welcome", "mls_group_info": "GroupInfo", "mls_key_package": "KeyPackage", "ratchet_tree": "ratchet_tree",
		"group_secrets": "GroupSecrets", "commit": "Commit", "public_message_application": "PublicMessage",
		"public_message_proposal": "PublicMessage", "public_message_commit": "PublicMessage", "private_message": "PrivateMessage",
	}
	for _, v := range readVectors[map[string]hexBytes](f, "messages.json")[:5] {
		for key, name := range names {
			at := slices.IndexFunc(decoders, func(d decoder) bool { return d.name == name })
			out = append(out, fuzzVector{uint8(at), v[key]})
		}
	}
	return out
}

// FuzzPublicAPI offers anything to the functions that take bytes and have no group.
func FuzzPublicAPI(f *testing.F) {
	cfg, kp, private := party(f, "eve")
	c, err := groupOf(f, 2)[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		f.Fatal(err)
	}
	info, err := c.GroupInfo()
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{c.Welcome(), c.Message(), kp.Marshal(), info, nil} {
		f.Add(b, c.RatchetTree())
	}
	f.Fuzz(func(t *testing.T, b, tree []byte) {
		before := bytes.Clone(b)
		if parsed, err := ParseKeyPackage(b); err == nil && !bytes.Equal(parsed.Marshal(), b) {
			t.Error("a key package marshals differently")
		}
		MessageEpoch(b)
		WelcomeRefs(b)
		ParseRequiredCapabilities(b)
		ParseExternalSender(b)
		if info, err := ParseGroupInfo(b); err == nil {
			info.Members(tree)
		}
		JoinExternally(cfg, b, ExternalOptions{RatchetTree: tree})
		joinBy(cfg, b, private)
		Join(cfg, b, func(KeyPackageRef) *KeyPackagePrivate { return private }, JoinOptions{RatchetTree: tree})
		if !bytes.Equal(b, before) {
			t.Error("the input was changed")
		}
	})
}

// FuzzWelcomeInside puts anything into the encrypted parts of a Welcome: what only its sender can do.
func FuzzWelcomeInside(f *testing.F) {
	members := groupOf(f, 3)
	cfg, kp, private := party(f, "eve")
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		f.Fatal(err)
	}
	o := openWelcomeOf(f, c, private, members[0].cfg.Signer)
	f.Add(o.tree(), []byte(nil), uint32(0))
	f.Add(o.tree()[:100], []byte(o.secrets.path), uint32(1))
	f.Fuzz(func(t *testing.T, tree, path []byte, signer uint32) {
		o := o.clone()
		o.t = t
		o.setTree(tree)
		o.info.signer = LeafIndex(signer)
		if len(path) > 0 {
			o.secrets.path = path
		}
		if parsed, err := parseRatchetTree(o.suite, tree); err == nil && parsed.checkUnmerged() == nil {
			o.info.context.treeHash = parsed.rootHash()
			o.confirm()
		}
		if g, err := joinBy(cfg, o.seal(), private); err == nil {
			g.Commit(CommitOptions{})
			g.Delta()
		}
	})
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBoundedMemory gives every decoder inputs that promise much: what is allocated stays in proportion to the input, whatever
// lengths are written in it.
func TestBoundedMemory(t *testing.T) {
	// The smallest elements are one byte, for a blank node of 24 bytes, and two, for a reference of 40; lists grow by doubling.
	const perByte, flat = 128, 1 << 14
	inputs := [][]byte{
		{0xbf, 0xff, 0xff, 0xff}, // the longest vector
		{0x7f, 0xff},
		append([]byte{0x80, 0x0f, 0x42, 0x40}, make([]byte, 1000)...), // a million of bytes, a thousand of them there
		vectorOf([]byte{2, 0}, 100_000),                               // references to proposals
		distinctExtensions(60_000),
		append([]byte{0}, vectorOf([]byte{0, 0}, 100_000)...), // ciphertexts of nothing
	}
	for _, fill := range []byte{0, 1, 2, 3, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xff} {
		for _, n := range []int{100, 10_000, 300_000} {
			inputs = append(inputs, bytes.Repeat([]byte{fill}, n), vectorOf([]byte{fill}, n))
		}
	}
	for _, encoded := range samples(t) {
		inputs = append(inputs, encoded...)
	}
	worst := 0.0
	for _, d := range decoders {
		for _, b := range inputs {
			n := allocated(func() {
				r := reader{b: b}
				d.decode(&r)
			})
			if n > uint64(perByte*len(b)+flat) {
				t.Errorf("%s: %d bytes allocated for %d, %.16x and so on", d.name, n, len(b), b)
			}
			if len(b) > 10_000 {
				worst = max(worst, float64(n)/float64(len(b)))
			}
		}
	}
	t.Logf("at worst %.1f bytes are allocated for each of an input of more than 10,000", worst)
}

// vectorOf is a vector of n equal elements.
func vectorOf(element []byte, n int) []byte {
	var w writer
	w.opaque(bytes.Repeat(element, n))
	return w.b
}

// distinctExtensions is a list of n extensions without data.
func distinctExtensions(n int) []byte {
	var list Extensions
	for i := range n {
		list = append(list, Extension{Type: ExtensionType(i)})
	}
	var w writer
	list.encode(&w)
	return w.b
}

// TestUnknownRecords checks that a record of a kind that nobody wrote is refused: a later version's state must not be half read.
func TestUnknownRecords(t *testing.T) {
	g := groupOf(t, 2)[0]
	records := stateOf(g)
	for _, key := range []string{"x00000000", "", "e0", "n0", "n0000000G", "n0000000A", "s1234567890", "é0000000"} {
		changed := make(map[string][]byte, len(records)+1)
		for k, v := range records {
			changed[k] = v
		}
		changed[key] = []byte{stateVersion}
		if _, err := LoadGroup(g.cfg, seqOf(changed)); !errors.Is(err, ErrMalformed) {
			t.Errorf("a record %q: got %v, want %v", key, err, ErrMalformed)
		}
	}
}

func seqOf(records map[string][]byte) func(func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for k, v := range records {
			if !yield(k, v) {
				return
			}
		}
	}
}
