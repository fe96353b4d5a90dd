package mls

import "crypto"

// A framedContent is FramedContent of RFC 9420, Section 6. Of the last three fields, contentType says which is set.
type framedContent struct {
	groupID           []byte
	epoch             uint64
	sender            sender
	authenticatedData []byte
	contentType       ContentType

	application []byte
	proposal    Proposal
	commit      *commit
	// body is the encoding of the one of the three that is set, where it was decrypted and so is at hand.
	body []byte
}

func (c *framedContent) encode(w *writer) {
	w.opaque(c.groupID)
	w.uint64(c.epoch)
	c.sender.encode(w)
	w.opaque(c.authenticatedData)
	w.uint8(uint8(c.contentType))
	c.encodeBody(w)
}

func (c *framedContent) encodeBody(w *writer) {
	if c.body != nil {
		w.raw(c.body)
		return
	}
	switch c.contentType {
	case ContentApplication:
		w.opaque(c.application)
	case ContentProposal:
		encodeProposal(w, c.proposal)
	case ContentCommit:
		c.commit.encode(w)
	}
}

func decodeFramedContent(r *reader) *framedContent {
	c := &framedContent{
		groupID:           r.opaque(),
		epoch:             r.uint64(),
		sender:            decodeSender(r),
		authenticatedData: r.opaque(),
		contentType:       ContentType(r.uint8()),
	}
	c.decodeBody(r)
	return c
}

func (c *framedContent) decodeBody(r *reader) {
	switch c.contentType {
	case ContentApplication:
		c.application = r.opaque()
	case ContentProposal:
		c.proposal = decodeProposal(r)
	case ContentCommit:
		c.commit = decodeCommit(r)
	default:
		r.fail("content of an unknown type")
	}
}

// An authenticatedContent is AuthenticatedContent of RFC 9420, Section 6: content with its proofs, before it is protected for the wire.
type authenticatedContent struct {
	wireFormat wireFormat
	content    *framedContent
	signature  []byte
	// confirmationTag is set for commits only.
	confirmationTag []byte
}

func (a *authenticatedContent) encode(w *writer) {
	w.uint16(uint16(a.wireFormat))
	a.content.encode(w)
	a.encodeAuth(w)
}

func (a *authenticatedContent) encodeAuth(w *writer) {
	w.opaque(a.signature)
	if a.content.contentType == ContentCommit {
		w.opaque(a.confirmationTag)
	}
}

func (a *authenticatedContent) decodeAuth(r *reader) {
	a.signature = r.opaque()
	if a.content.contentType == ContentCommit {
		a.confirmationTag = r.opaque()
	}
}

func decodeAuthenticatedContent(r *reader) *authenticatedContent {
	a := &authenticatedContent{wireFormat: wireFormat(r.uint16())}
	if a.wireFormat != wirePublicMessage && a.wireFormat != wirePrivateMessage {
		r.fail("content of an unknown wire format")
	}
	a.content = decodeFramedContent(r)
	a.decodeAuth(r)
	return a
}

// encodeToBeSigned writes FramedContentTBS of RFC 9420, Section 6.1.
func (a *authenticatedContent) encodeToBeSigned(w *writer, context []byte) {
	w.uint16(uint16(MLS10))
	w.uint16(uint16(a.wireFormat))
	a.content.encode(w)
	switch a.content.sender.kind {
	case SenderMember, SenderNewMemberCommit:
		w.raw(context)
	}
}

// signContent writes the SignContent of what is to be signed.
func (a *authenticatedContent) signContent(w *writer, context []byte) {
	w.grow(256 + a.content.sizeHint() + len(context))
	w.label("FramedContentTBS")
	start := w.open()
	a.encodeToBeSigned(w, context)
	w.close(start)
}

func (a *authenticatedContent) sign(s *suite, signer crypto.Signer, context []byte) error {
	c := takeScratch()
	defer c.release()
	a.signContent(&c.signed, context)
	signature, err := s.signMessage(signer, c.signed.b)
	a.signature = signature
	return err
}

func (a *authenticatedContent) verify(s *suite, key, context []byte) error {
	c := takeScratch()
	defer c.release()
	a.signContent(&c.signed, context)
	if !s.verifyMessage(key, c.signed.b, a.signature) {
		return ErrVerify
	}
	return nil
}

// proposalRef names the proposal in an encoded authenticatedContent (RFC 9420, Section 5.2).
func (s *suite) proposalRef(encoded []byte) []byte {
	return s.refHash("MLS 1.0 Proposal Reference", encoded)
}

// A commit is Commit of RFC 9420, Section 12.4.
type commit struct {
	proposals []proposalOrRef
	path      *updatePath
}

// A proposalOrRef is a proposal, or the reference to one that was sent before.
type proposalOrRef struct {
	proposal Proposal
	ref      []byte
}

// sizeHint is about how long the encoding is. A commit in a tree of blank nodes has a ciphertext for each member.
func (c *framedContent) sizeHint() int {
	size := 256 + len(c.authenticatedData) + len(c.application)
	if c.commit != nil {
		size += c.commit.sizeHint()
	}
	return size
}

func (c *commit) sizeHint() int {
	size := 0
	for _, p := range c.proposals {
		size += 64
		if add, ok := p.proposal.(*Add); ok {
			size += len(add.KeyPackage.InitKey) + len(add.KeyPackage.LeafNode.EncryptionKey) + 512
		}
	}
	if c.path == nil {
		return size
	}
	size += len(c.path.leaf.EncryptionKey) + 512
	for _, n := range c.path.nodes {
		size += len(n.key) + 16
		for _, x := range n.secrets {
			size += len(x.kemOutput) + len(x.ciphertext) + 8
		}
	}
	return size
}

func (c *commit) encode(w *writer) {
	start := w.open()
	for _, p := range c.proposals {
		if p.proposal != nil {
			w.uint8(1)
			encodeProposal(w, p.proposal)
			continue
		}
		w.uint8(2)
		w.opaque(p.ref)
	}
	w.close(start)
	w.present(c.path != nil)
	if c.path != nil {
		c.path.encode(w)
	}
}

func decodeCommit(r *reader) *commit {
	c := &commit{}
	r.each(func(r *reader) {
		switch r.uint8() {
		case 1:
			c.proposals = append(c.proposals, proposalOrRef{proposal: decodeProposal(r)})
		case 2:
			c.proposals = append(c.proposals, proposalOrRef{ref: r.opaque()})
		default:
			r.fail("neither a proposal nor a reference")
		}
	})
	if r.present() {
		c.path = decodeUpdatePath(r)
	}
	return c
}
