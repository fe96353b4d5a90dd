package mls

import (
	"bytes"
	"crypto"
	"testing"
)

// outside makes a public message of somebody who is no member.
func outside(t *testing.T, g *Group, from sender, signer crypto.Signer, change func(*framedContent)) []byte {
	t.Helper()
	m := &publicMessage{authenticatedContent: authenticatedContent{wireFormat: wirePublicMessage, content: &framedContent{
		groupID: g.GroupID(), epoch: g.Epoch(), sender: from, contentType: ContentProposal, proposal: &Remove{1},
	}}}
	change(m.content)
	if err := m.sign(g.suite, signer, g.encoded); err != nil {
		t.Fatal(err)
	}
	w := newMessage(wirePublicMessage)
	m.encode(w)
	return w.b
}

// withSender adds an external sender to a group of n members.
func withSender(t testing.TB, n int) (members []*Group, signer crypto.Signer) {
	t.Helper()
	members = groupOf(t, n)
	openTo(members)
	signer = newSignerOf(t, suites[0])
	key, err := suites[0].signerKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	x := Extensions{{ExtensionExternalSenders, MarshalExternalSenders([]ExternalSender{{key, BasicCredential([]byte("service"))}})}}
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&GroupContextExtensions{x}}})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, members, c)
	return members, signer
}

// TestOutsiderRules has outsiders send what RFC 9420, Sections 6.1 and 12.1.8 do not let them.
func TestOutsiderRules(t *testing.T) {
	members, signer := withSender(t, 3)
	good := members[1]
	cfg, eve, _ := party(t, "eve")
	service, newcomer := sender{SenderExternal, 0}, sender{kind: SenderNewMemberProposal}
	propose := func(p Proposal) func(*framedContent) { return func(c *framedContent) { c.proposal = p } }
	bad := *eve
	bad.Signature = bytes.Clone(eve.Signature)
	bad.Signature[0]++
	short := PreSharedKeyID{Type: PSKExternal, ID: []byte("x"), Nonce: random(31)}
	for _, row := range []struct {
		name, rule string
		want       error
		from       sender
		signer     crypto.Signer
		change     func(*framedContent)
	}{
		{"a removal", "", nil, service, signer, func(*framedContent) {}},
		{"an add of oneself", "", nil, newcomer, cfg.Signer, propose(&Add{eve})},
		{"a service that is not listed", "a message of an external sender that is not listed", nil, sender{SenderExternal, 1}, signer, func(*framedContent) {}},
		{"a service at the end of numbers", "a message of an external sender that is not listed", nil, sender{SenderExternal, 1<<32 - 1}, signer, func(*framedContent) {}},
		{"another's signature", "", ErrVerify, service, cfg.Signer, func(*framedContent) {}},
		{"an update", "a proposal that external senders do not make", nil, service, signer, propose(&Update{members[2].tree.leaf(2)})},
		{"an init", "a proposal that external senders do not make", nil, service, signer, propose(&ExternalInit{random(32)})},
		{"a self-remove", "a proposal that external senders do not make", nil, service, signer, propose(&SelfRemove{})},
		{"a proposal of the application", "a proposal that external senders do not make", nil, service, signer, propose(&CustomProposal{ruledProposal, nil})},
		{"a removal of nobody", "a remove of a leaf that is not a member's", nil, service, signer, propose(&Remove{3})},
		{"a key package that is not signed", "", ErrVerify, service, signer, propose(&Add{&bad})},
		{"a key with a short nonce", "a pre-shared key's nonce has the wrong length", nil, service, signer, propose(&PreSharedKey{short})},
		{"an earlier version", "a reinit to an earlier version", nil, service, signer, propose(&ReInit{GroupID: []byte("x"), Suite: 1})},
		{"required capabilities that do not parse", "", ErrMalformed, service, signer, propose(&GroupContextExtensions{Extensions{{ExtensionRequiredCapabilities, []byte{1}}}})},
		{"external senders that do not parse", "", ErrMalformed, service, signer, propose(&GroupContextExtensions{Extensions{{ExtensionExternalSenders, []byte{1}}}})},
		{"a commit", "a message from outside of the group that is no proposal", nil, service, signer, func(c *framedContent) {
			c.contentType, c.commit = ContentCommit, byValue(&Remove{2})
		}},
		{"application data", "a message from outside of the group that is no proposal", nil, service, signer, func(c *framedContent) {
			c.contentType, c.application = ContentApplication, []byte("hello")
		}},
		{"a newcomer's removal", "a new member proposes something else than its own add", nil, newcomer, cfg.Signer, func(*framedContent) {}},
		{"a newcomer's commit", "a message from outside of the group that is no proposal", nil, newcomer, cfg.Signer, func(c *framedContent) {
			c.contentType, c.commit = ContentCommit, byValue(&Add{eve})
		}},
		{"a newcomer's add of another", "", ErrVerify, newcomer, signer, propose(&Add{eve})},
		{"another group", "a message of another group", nil, service, signer, func(c *framedContent) { c.groupID = []byte("another") }},
	} {
		g := good.Clone()
		message := outside(t, g, row.from, row.signer, row.change)
		if row.rule == "" && row.want == nil {
			if _, err := g.Process(message); err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		refuses(t, row.name, g, message, row.rule, row.want)
	}
	bare := groupOf(t, 2)
	openTo(bare)
	refuses(t, "a service where there is none", bare[1], outside(t, bare[1], service, signer, func(*framedContent) {}),
		"a message of an external sender where there are none", nil)
}

// TestOutsiderArguments asks outsiders' functions for messages that no member could verify or would take.
func TestOutsiderArguments(t *testing.T) {
	place := Place{1, []byte("group"), 1}
	cfg, eve, _ := party(t, "eve")
	_, other, _ := partyOf(t, 2, "of another suite")
	ecdsa := newSignerOf(t, suites[len(suites)-1])
	if _, err := suites[0].signerKey(ecdsa); err == nil {
		t.Fatal("the signer is not one of another algorithm")
	}
	bad := *eve
	bad.Signature = bytes.Clone(eve.Signature)
	bad.Signature[0]++
	twice := Extensions{{0xF001, nil}, {0xF001, nil}}
	external := func(signer crypto.Signer, p Proposal) error {
		_, err := ProposeExternally(place, 0, signer, p)
		return err
	}
	own := func(signer crypto.Signer, kp *KeyPackage) error {
		_, err := ProposeOwnAdd(place, kp, signer)
		return err
	}
	for _, row := range []struct {
		name, rule string
		want, got  error
	}{
		{"a removal", "", nil, external(cfg.Signer, &Remove{1})},
		{"an add", "", nil, external(cfg.Signer, &Add{eve})},
		{"a key without a nonce", "", nil, external(cfg.Signer, &PreSharedKey{PreSharedKeyID{Type: PSKExternal}})},
		{"no signer", "", ErrConfig, external(nil, &Remove{1})},
		{"a signer of another algorithm", "", ErrSigner, external(ecdsa, &Remove{1})},
		{"an add of nothing", "an add without a key package", nil, external(cfg.Signer, &Add{})},
		{"an add of half a key package", "an add without a key package", nil, external(cfg.Signer, &Add{&KeyPackage{}})},
		{"an add to another suite", "a key package is for another version or cipher suite", nil, external(cfg.Signer, &Add{other})},
		{"an add that is not signed", "", ErrVerify, external(cfg.Signer, &Add{&bad})},
		{"a context with an extension twice", "an extension type occurs twice", nil, external(cfg.Signer, &GroupContextExtensions{twice})},
		{"a reinit to an earlier version", "a reinit to an earlier version", nil, external(cfg.Signer, &ReInit{Suite: 1})},
		{"a key with a short nonce", "a pre-shared key's nonce has the wrong length", nil,
			external(cfg.Signer, &PreSharedKey{PreSharedKeyID{Type: PSKExternal, Nonce: []byte{1}}})},
		{"a key for a branch", "a resumption key for reinit or branch outside of one", nil,
			external(cfg.Signer, &PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: UsageBranch}})},
		{"an own add", "", nil, own(cfg.Signer, eve)},
		{"an own add without a signer", "", ErrConfig, own(nil, eve)},
		{"an own add with a signer of another algorithm", "", ErrSigner, own(ecdsa, eve)},
		{"an own add that is not signed", "", ErrVerify, own(cfg.Signer, &bad)},
	} {
		if row.rule == "" && row.want == nil {
			if row.got != nil {
				t.Errorf("%s: %v", row.name, row.got)
			}
			continue
		}
		isBroken(t, row.name, row.got, row.rule, row.want)
	}
}

// TestOutsiderFlips changes every byte of an outsider's proposal.
func TestOutsiderFlips(t *testing.T) {
	members, signer := withSender(t, 2)
	message, err := ProposeExternally(Place{1, members[0].GroupID(), members[0].Epoch()}, 0, signer, &Remove{1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range message {
		wrong := bytes.Clone(message)
		wrong[i] ^= 1 << (i % 8)
		if _, err := members[0].Clone().Process(wrong); err == nil {
			t.Fatalf("took a proposal with byte %d of %d changed", i, len(message))
		}
	}
}

// TestOutsiderLists checks how the proposals of outsiders go together with others, whoever commits them.
func TestOutsiderLists(t *testing.T) {
	members, signer := withSender(t, 4)
	place := Place{1, members[0].GroupID(), members[0].Epoch()}
	tell := func(p Proposal) {
		message, err := ProposeExternally(place, 0, signer, p)
		hearAll(t, members, -1, message, err)
	}
	tell(&Remove{0})
	tell(&Remove{3})
	tell(&Remove{3})
	update, err := members[3].ProposeUpdate(LeafOptions{})
	hearAll(t, members, 3, update, err)
	update, err = members[0].ProposeUpdate(LeafOptions{})
	hearAll(t, members, 0, update, err)
	tell(&ReInit{GroupID: []byte("next"), Version: MLS10, Suite: 1})
	for i, want := range []int{1, 2, 2} {
		c, err := members[i].Clone().Commit(CommitOptions{})
		if err != nil {
			t.Fatalf("member %d: %v", i, err)
		}
		if got := len(c.Proposals()); got != want {
			t.Errorf("member %d commits %d proposals, want %d", i, got, want)
		}
		accepts(t, members[1+(i&1)].Clone(), c)
	}
}
