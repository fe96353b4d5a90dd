package mls

import (
	"bytes"
	"testing"
)

// TestMessageRules sends messages that are wrong as a whole, each made by a member who has the keys to make them.
func TestMessageRules(t *testing.T) {
	members := groupOf(t, 3)
	evil, good := members[0], members[1]
	public := func(change func(a *authenticatedContent)) []byte {
		a := evil.frame(ContentProposal, nil, true)
		a.content.proposal = &Remove{2}
		change(a)
		if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
			t.Fatal(err)
		}
		m := &publicMessage{authenticatedContent: *a}
		m.membershipTag = evil.suite.mac(evil.secrets.membership, m.toBeMACed(evil.encoded))
		w := newMessage(wirePublicMessage)
		m.encode(w)
		return w.b
	}
	none := func(*authenticatedContent) {}
	for _, row := range []struct {
		name, rule string
		want       error
		message    []byte
	}{
		{"another group", "a message of another group", nil, public(func(a *authenticatedContent) { a.content.groupID = []byte("another") })},
		{"no group", "a message of another group", nil, public(func(a *authenticatedContent) { a.content.groupID = nil })},
		{"a leaf outside of the tree", "a message from a leaf that is not a member's", nil, public(func(a *authenticatedContent) { a.content.sender.index = 1 << 31 })},
		{"a blank leaf", "a message from a leaf that is not a member's", nil, public(func(a *authenticatedContent) { a.content.sender.index = 3 })},
		{"another member", "", ErrVerify, public(func(a *authenticatedContent) { a.content.sender.index = 2 })},
		{"ourselves", "", ErrVerify, public(func(a *authenticatedContent) { a.content.sender.index = 1 })},
		{"application data", "application data in a public message", nil, public(func(a *authenticatedContent) {
			a.content.contentType, a.content.application = ContentApplication, []byte("for all to read")
		})},
		{"a signature over another wire format", "", ErrVerify, resigned(t, evil, wirePrivateMessage)},
		{"no membership tag", "", ErrMalformed, withoutTag(t, public(none))},
		{"another version", "", ErrMalformed, append([]byte{0, 2}, public(none)[2:]...)},
		{"a wire format that is not known", "", ErrMalformed, append([]byte{0, 1, 0, 9}, public(none)[4:]...)},
		{"a key package", "", ErrMalformed, append([]byte{0, 1, 0, 5}, public(none)[4:]...)},
		{"a proposal of an unknown type", "", ErrMalformed, bytes.Replace(public(none), []byte{0, 3, 0, 0, 0, 2}, []byte{0x0c, 3, 0, 0, 0, 2}, 1)},
		{"nothing", "", ErrMalformed, nil},
	} {
		refuses(t, row.name, good, row.message, row.rule, row.want)
	}
	for _, kind := range []SenderType{SenderExternal, SenderNewMemberProposal, SenderNewMemberCommit} {
		m := public(func(a *authenticatedContent) { a.content.sender = sender{kind, 0} })
		if err := processed(t, good, m); err == nil {
			t.Errorf("a member's removal comes from outside as sender type %d", kind)
		}
	}
	for _, epoch := range []uint64{0, evil.Epoch() - 1, evil.Epoch() + 1, 1<<64 - 1} {
		m := public(func(a *authenticatedContent) { a.content.epoch = epoch })
		want := "past"
		if epoch > good.Epoch() {
			want = "future"
		}
		if got := outcome(second(good.Process(m))); got != want {
			t.Errorf("epoch %d: %s, want %s", epoch, got, want)
		}
	}
	if _, err := good.Process(public(none)); err != nil {
		t.Errorf("an honest proposal: %v", err)
	}
}

// resigned is a public proposal whose signature is over another wire format.
func resigned(t *testing.T, g *Group, f wireFormat) []byte {
	t.Helper()
	a := g.frame(ContentProposal, nil, true)
	a.content.proposal, a.wireFormat = &Remove{2}, f
	if err := a.sign(g.suite, g.cfg.Signer, g.encoded); err != nil {
		t.Fatal(err)
	}
	a.wireFormat = wirePublicMessage
	message, err := g.suite.sealPublic(a, g.secrets.membership, g.encoded)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// withoutTag takes the membership tag off a public message of a suite with SHA-256.
func withoutTag(t *testing.T, message []byte) []byte {
	t.Helper()
	if message[len(message)-33] != 32 {
		t.Fatal("not a tag of 32 bytes")
	}
	return message[:len(message)-33]
}

// TestPrivateRules seals what a member with the keys of the epoch can and must not.
func TestPrivateRules(t *testing.T) {
	members := groupOf(t, 3)
	evil, good := members[0], members[1]
	a := evil.frame(ContentApplication, []byte("data"), false)
	a.content.application = []byte("hello")
	if err := a.sign(evil.suite, evil.cfg.Signer, evil.encoded); err != nil {
		t.Fatal(err)
	}
	use, err := evil.ratchets.take(ratchetID{evil.own, applicationRatchet}, nil)
	if err != nil {
		t.Fatal(err)
	}
	honest := evil.suite.sealPrivate(a, use.messageKey, evil.secrets.senderData, padTo)
	parse := func() *privateMessage {
		r := reader{b: honest}
		readHeader(&r, wirePrivateMessage)
		return decodePrivateMessage(&r)
	}
	encode := func(m *privateMessage) []byte {
		w := newMessage(wirePrivateMessage)
		m.encode(w)
		return w.b
	}
	spoiled := func(change func(m *privateMessage)) []byte {
		m := parse()
		change(m)
		return encode(m)
	}
	another := func(leaf LeafIndex, generation uint32) []byte {
		m := parse()
		m.encryptedSenderData = nil // not over the honest one
		evil.suite.sealSenderData(m, senderData{leaf: leaf, generation: generation}, evil.secrets.senderData)
		return encode(m)
	}
	for _, row := range []struct {
		name, rule string
		want       error
		message    []byte
	}{
		{"other authenticated data", "", ErrDecrypt, spoiled(func(m *privateMessage) { m.authenticatedData = []byte("dato") })},
		{"another content type", "", ErrDecrypt, spoiled(func(m *privateMessage) { m.contentType = ContentProposal })},
		{"another group", "a message of another group", nil, spoiled(func(m *privateMessage) { m.groupID = []byte("another") })},
		{"no sender data", "", ErrDecrypt, spoiled(func(m *privateMessage) { m.encryptedSenderData = nil })},
		{"no ciphertext", "", ErrDecrypt, spoiled(func(m *privateMessage) { m.ciphertext = nil })},
		{"a short ciphertext", "", ErrDecrypt, spoiled(func(m *privateMessage) { m.ciphertext = m.ciphertext[:15] })},
		{"a blank leaf", "a message from a leaf that is not a member's", nil, another(3, 0)},
		{"a leaf outside of the tree", "a message from a leaf that is not a member's", nil, another(1<<32-1, 0)},
		{"another member", "", ErrDecrypt, another(2, 0)},
		{"another generation", "", ErrDecrypt, another(0, 1)},
		{"another guard", "", ErrDecrypt, another(0, 0)},
	} {
		refuses(t, row.name, good, row.message, row.rule, row.want)
	}
	if _, err := good.Process(honest); err != nil {
		t.Errorf("the honest message: %v", err)
	}
}

// TestLargestTree checks that a group of the largest size refuses to grow.
func TestLargestTree(t *testing.T) {
	g := groupOf(t, 1)[0]
	g.tree.resize(maxLeaves)
	_, kp, _ := party(t, "fresh")
	err := g.checkList(committed(g, &Add{kp}), memberAt(g.own))
	isBroken(t, "a tree of 2^20 leaves", err, "a group that is too large", nil)
	g.tree.resize(2 * maxLeaves)
	g.tree.set(nodeIndex(2*maxLeaves), &node{leaf: g.tree.leaf(0)})
	_, err = parseRatchetTree(g.suite, g.tree.marshal())
	isBroken(t, "a tree with a member beyond them, in a Welcome", err, "", ErrMalformed)
}
