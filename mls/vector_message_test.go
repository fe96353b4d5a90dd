package mls

import (
	"bytes"
	"testing"
)

type protectionVector struct {
	Suite            CipherSuite `json:"cipher_suite"`
	GroupID          hexBytes    `json:"group_id"`
	Epoch            uint64
	TreeHash         hexBytes `json:"tree_hash"`
	ConfirmedHash    hexBytes `json:"confirmed_transcript_hash"`
	SignaturePriv    hexBytes `json:"signature_priv"`
	SignaturePub     hexBytes `json:"signature_pub"`
	EncryptionSecret hexBytes `json:"encryption_secret"`
	SenderDataSecret hexBytes `json:"sender_data_secret"`
	MembershipKey    hexBytes `json:"membership_key"`
	Proposal         hexBytes
	ProposalPriv     hexBytes `json:"proposal_priv"`
	ProposalPub      hexBytes `json:"proposal_pub"`
	Commit           hexBytes
	CommitPriv       hexBytes `json:"commit_priv"`
	CommitPub        hexBytes `json:"commit_pub"`
	Application      hexBytes
	ApplicationPriv  hexBytes `json:"application_priv"`
}

func TestVectorsMessageProtection(t *testing.T) {
	used, messages := 0, 0
	for _, v := range readVectors[protectionVector](t, "message-protection.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		used++
		context := groupContext{suite: v.Suite, groupID: v.GroupID, epoch: v.Epoch, treeHash: v.TreeHash, confirmedTranscriptHash: v.ConfirmedHash}
		p := protection{t, s, &v, context.marshal()}
		for _, c := range []struct {
			kind            ContentType
			raw, priv, publ hexBytes
		}{
			{ContentProposal, v.Proposal, v.ProposalPriv, v.ProposalPub},
			{ContentCommit, v.Commit, v.CommitPriv, v.CommitPub},
			{ContentApplication, v.Application, v.ApplicationPriv, nil},
		} {
			private := p.openPrivate(c.priv)
			p.is(private, c.kind, c.raw)
			p.is(p.openPrivate(p.sealPrivate(private)), c.kind, c.raw)
			messages += 2
			private.wireFormat = wirePublicMessage
			if c.publ == nil {
				if _, err := s.sealPublic(private, Secret(v.MembershipKey), p.context); err == nil {
					t.Error("application data in a public message")
				}
				continue
			}
			public := p.openPublic(c.publ)
			p.is(public, c.kind, c.raw)
			p.is(p.openPublic(p.sealPublic(public)), c.kind, c.raw)
			messages += 2
		}
	}
	counted(t, "message-protection.json suites", used, 5)
	counted(t, "message-protection.json messages", messages, 50)
}

// protection opens and seals the messages of one vector.
type protection struct {
	t       *testing.T
	s       *suite
	v       *protectionVector
	context []byte
}

func (p *protection) is(a *authenticatedContent, kind ContentType, raw []byte) {
	p.t.Helper()
	if a.content.contentType != kind || a.content.sender != (sender{SenderMember, 1}) {
		p.t.Fatal("another content or sender")
	}
	if kind == ContentApplication {
		equal(p.t, "application data", a.content.application, raw)
		return
	}
	reencodes(p.t, "content", raw, a.content.encodeBody)
}

func (p *protection) tree() *secretTree {
	return newSecretTree(p.s, 2, Secret(p.v.EncryptionSecret))
}

func (p *protection) openPrivate(message []byte) *authenticatedContent {
	p.t.Helper()
	r := reader{b: message}
	readHeader(&r, wirePrivateMessage)
	m := decodePrivateMessage(&r)
	if err := r.end(); err != nil {
		p.t.Fatal(err)
	}
	w := newMessage(wirePrivateMessage)
	m.encode(w)
	equal(p.t, "private message", w.b, message)
	data, err := p.s.openSenderData(m, Secret(p.v.SenderDataSecret))
	if err != nil {
		p.t.Fatal(err)
	}
	use, err := p.tree().find(ratchetID{data.leaf, kindOf(m.contentType)}, data.generation)
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := p.s.openContent(m, data, use.messageKey)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := a.verify(p.s, p.v.SignaturePub, p.context); err != nil {
		p.t.Fatal(err)
	}
	// What was decrypted is what the fields encode to, so that from here on they speak for themselves.
	body := a.content.body
	a.content.body = nil
	reencodes(p.t, "decrypted content", body, a.content.encodeBody)
	return a
}

func (p *protection) openPublic(message []byte) *authenticatedContent {
	p.t.Helper()
	r := reader{b: message}
	readHeader(&r, wirePublicMessage)
	m := decodePublicMessage(&r)
	if err := r.end(); err != nil {
		p.t.Fatal(err)
	}
	w := newMessage(wirePublicMessage)
	m.encode(w)
	equal(p.t, "public message", w.b, message)
	if err := m.checkMembership(p.s, Secret(p.v.MembershipKey), p.context); err != nil {
		p.t.Fatal(err)
	}
	for n := range len(m.membershipTag) {
		cut := *m
		cut.membershipTag = m.membershipTag[:n]
		if cut.checkMembership(p.s, Secret(p.v.MembershipKey), p.context) == nil {
			p.t.Fatalf("a membership tag cut to %d bytes verifies", n)
		}
	}
	if err := m.verify(p.s, p.v.SignaturePub, p.context); err != nil {
		p.t.Fatal(err)
	}
	return &m.authenticatedContent
}

// sign signs the content anew.
func (p *protection) sign(a *authenticatedContent) *authenticatedContent {
	fresh := *a
	if err := fresh.sign(p.s, signerFrom(p.t, p.s, p.v.SignaturePriv), p.context); err != nil {
		p.t.Fatal(err)
	}
	return &fresh
}

func (p *protection) sealPrivate(a *authenticatedContent) []byte {
	use, err := p.tree().take(ratchetID{1, kindOf(a.content.contentType)}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.s.sealPrivate(p.sign(a), use.messageKey, Secret(p.v.SenderDataSecret), padTo)
}

func (p *protection) sealPublic(a *authenticatedContent) []byte {
	m, err := p.s.sealPublic(p.sign(a), Secret(p.v.MembershipKey), p.context)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func TestVectorsMessages(t *testing.T) {
	type vector map[string]hexBytes
	decoders := map[string]func(r *reader) func(*writer){
		"mls_welcome":                       message(wireWelcome),
		"mls_group_info":                    message(wireGroupInfo),
		"mls_key_package":                   message(wireKeyPackage),
		"ratchet_tree":                      func(r *reader) func(*writer) { return encoderOf(decodeRatchetTree(suites[0], r)) },
		"group_secrets":                     func(r *reader) func(*writer) { return encoderOf(decodeGroupSecrets(r)) },
		"add_proposal":                      proposal(ProposalAdd),
		"update_proposal":                   proposal(ProposalUpdate),
		"remove_proposal":                   proposal(ProposalRemove),
		"pre_shared_key_proposal":           proposal(ProposalPreSharedKey),
		"re_init_proposal":                  proposal(ProposalReInit),
		"external_init_proposal":            proposal(ProposalExternalInit),
		"group_context_extensions_proposal": proposal(ProposalGroupContextExtensions),
		"commit":                            func(r *reader) func(*writer) { return encoderOf(decodeCommit(r)) },
		"public_message_application":        message(wirePublicMessage),
		"public_message_proposal":           message(wirePublicMessage),
		"public_message_commit":             message(wirePublicMessage),
		"private_message":                   message(wirePrivateMessage),
	}
	vectors := readVectors[vector](t, "messages.json")
	used := 0
	for _, v := range vectors {
		for name, decode := range decoders {
			want, ok := v[name]
			if !ok {
				t.Fatalf("no %s", name)
			}
			r := reader{b: want}
			encode := decode(&r)
			if err := r.end(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			reencodes(t, name, want, encode)
			refusesTrailing(t, name, want, decode)
			used++
		}
	}
	counted(t, "messages.json", len(vectors), 300)
	counted(t, "messages.json structures", used, 5100)
}

// refusesTrailing checks that neither a byte more nor a byte less is read.
func refusesTrailing(t *testing.T, name string, want []byte, decode func(*reader) func(*writer)) {
	for _, wrong := range [][]byte{append(bytes.Clone(want), 0), want[:len(want)-1]} {
		r := reader{b: wrong}
		decode(&r)
		if r.end() == nil {
			t.Fatalf("%s of %d bytes parses with %d", name, len(want), len(wrong))
		}
	}
}

type encoder interface{ encode(*writer) }

func encoderOf(e encoder) func(*writer) { return e.encode }

// message decodes an MLSMessage of a format.
func message(f wireFormat) func(r *reader) func(*writer) {
	return func(r *reader) func(*writer) {
		readHeader(r, f)
		var body encoder
		switch f {
		case wirePublicMessage:
			body = decodePublicMessage(r)
		case wirePrivateMessage:
			body = decodePrivateMessage(r)
		case wireWelcome:
			body = decodeWelcome(r)
		case wireGroupInfo:
			body = decodeGroupInfo(r)
		case wireKeyPackage:
			body = decodeKeyPackage(r)
		}
		return func(w *writer) {
			w.raw(newMessage(f).b)
			body.encode(w)
		}
	}
}

// proposal decodes the body of a proposal: the vectors leave its type out.
func proposal(kind ProposalType) func(r *reader) func(*writer) {
	return func(r *reader) func(*writer) {
		typed := writer{}
		typed.uint16(uint16(kind))
		*r = reader{b: append(typed.b, r.b...)}
		p := decodeProposal(r)
		return func(w *writer) { p.encode(w) }
	}
}
