package mls

import (
	"bytes"
)

// A Result is what a message turned out to be: *ApplicationMessage, *ReceivedProposal, *StagedCommit or *OwnMessage.
type Result interface{ result() }

// An ApplicationMessage is data that a member sealed. Its key is gone from the group: save Delta with what becomes of the data.
type ApplicationMessage struct {
	Sender            Member
	AuthenticatedData []byte
	Data              []byte
	Generation        uint32
}

// A ReceivedProposal is a proposal by another member, or by this one. It is pending until the epoch ends.
type ReceivedProposal struct {
	// Sender has an Index if From is SenderMember; an external sender has a credential and a key alone.
	Sender            Member
	From              SenderType
	Proposal          Proposal
	AuthenticatedData []byte
	// Own says that this member made it.
	Own bool

	ref []byte
}

// A ProposalRef is the hash by which a commit names a proposal (RFC 9420, Section 5.2).
type ProposalRef string

// Ref is the proposal's name within its epoch.
func (p *ReceivedProposal) Ref() ProposalRef { return ProposalRef(p.ref) }

// An OwnMessage is a message that this member sent, come back. The key was gone when it was sent, so nothing of it
// was verified: compare the bytes with what was sent, if that matters, and merge the StagedCommit that was saved.
type OwnMessage struct {
	Epoch             uint64
	Content           ContentType
	AuthenticatedData []byte
	// Generation is that of a PrivateMessage.
	Generation uint32
}

func (*ApplicationMessage) result() {}
func (*ReceivedProposal) result()   {}
func (*StagedCommit) result()       {}
func (*OwnMessage) result()         {}

// ContentType is what a message carries (RFC 9420, Section 6).
type ContentType uint8

const (
	ContentApplication ContentType = 1
	ContentProposal    ContentType = 2
	ContentCommit      ContentType = 3
)

// Process opens a PublicMessage or PrivateMessage of the group. A message of another epoch is an *EpochError; used and
// far-off generations are a *GenerationError. On any error g is as it was, and so it is after a commit, which can
// be processed again until it is merged.
func (g *Group) Process(message []byte) (Result, error) {
	r := reader{b: message}
	switch readFormat(&r) {
	case wirePublicMessage:
		r := reader{b: bytes.Clone(r.b)}
		m := decodePublicMessage(&r)
		if err := r.end(); err != nil {
			return nil, err
		}
		return g.processPublic(m)
	case wirePrivateMessage:
		var m privateMessage
		m.decode(&r)
		if err := r.end(); err != nil {
			return nil, err
		}
		return g.processPrivate(&m)
	}
	r.fail("neither a public nor a private message")
	return nil, r.err
}

// checkEpoch tells whether a message is one of this group and epoch.
func (e *epoch) checkEpoch(groupID []byte, n uint64) error {
	if !bytes.Equal(groupID, e.context.groupID) {
		return invalid("", "a message of another group")
	}
	if n != e.context.epoch {
		return &EpochError{n, e.context.epoch}
	}
	if e.reinit != nil {
		return ErrReinitialized
	}
	return nil
}

func (g *Group) processPublic(m *publicMessage) (Result, error) {
	c := m.content
	if err := g.checkEpoch(c.groupID, c.epoch); err != nil {
		return nil, err
	}
	if c.sender.kind != SenderMember {
		return g.processOutside(m)
	}
	if c.contentType == ContentApplication {
		return nil, invalid("6", "application data in a public message")
	}
	leaf := g.tree.leaf(LeafIndex(c.sender.index))
	if leaf == nil {
		return nil, invalid("6", "a message from a leaf that is not a member's")
	}
	if err := m.checkMembership(g.suite, g.secrets.membership, g.encoded); err != nil {
		return nil, err
	}
	if err := m.verify(g.suite, leaf.SignatureKey, g.encoded); err != nil {
		return nil, err
	}
	if LeafIndex(c.sender.index) == g.own {
		return &OwnMessage{Epoch: c.epoch, Content: c.contentType, AuthenticatedData: c.authenticatedData}, nil
	}
	return g.receive(&m.authenticatedContent)
}

func (g *Group) processPrivate(m *privateMessage) (Result, error) {
	if err := g.checkEpoch(m.groupID, m.epoch); err != nil {
		return nil, err
	}
	data, err := g.suite.openSenderData(m, g.secrets.senderData)
	if err != nil {
		return nil, err
	}
	leaf := g.tree.leaf(data.leaf)
	if leaf == nil {
		return nil, invalid("6.3.2", "a message from a leaf that is not a member's")
	}
	// What is kept of the message must not lie in the caller's memory.
	m.groupID = g.context.groupID
	switch {
	case data.leaf == g.own:
		return &OwnMessage{m.epoch, m.contentType, bytes.Clone(m.authenticatedData), data.generation}, nil
	case m.contentType == ContentApplication:
		return g.openApplication(m, data, leaf)
	}
	use, err := g.ratchets.find(ratchetID{data.leaf, kindOf(m.contentType)}, data.generation)
	if err != nil {
		return nil, err
	}
	a, err := g.suite.openContent(m, data, use.messageKey)
	if err != nil {
		return nil, err
	}
	if err := a.verify(g.suite, leaf.SignatureKey, g.encoded); err != nil {
		return nil, err
	}
	result, err := g.receive(a)
	if err == nil && a.content.contentType != ContentCommit {
		use.spend()
	}
	return result, err
}

// openApplication opens application data. It does without what a handshake message leaves behind, and so without most
// allocations: of those that are left, four are the two ciphers.
func (g *Group) openApplication(m *privateMessage, data senderData, leaf *LeafNode) (Result, error) {
	if err := g.use.find(g.ratchets, ratchetID{data.leaf, applicationRatchet}, data.generation); err != nil {
		return nil, err
	}
	defer g.forgetMessage()
	a := authenticatedContent{content: &g.content}
	if err := g.suite.openInto(&a, m, data, g.use.messageKey); err != nil {
		return nil, err
	}
	if err := a.verify(g.suite, leaf.SignatureKey, g.encoded); err != nil {
		return nil, err
	}
	g.use.spend()
	return &ApplicationMessage{leaf.member(data.leaf), g.content.authenticatedData, g.content.application, data.generation}, nil
}

// forgetMessage overwrites the key of an application message, and lets go of what it was.
func (g *Group) forgetMessage() { g.use, g.content = keyUse{}, framedContent{} }

// receive acts on content whose sender is verified.
func (g *Group) receive(a *authenticatedContent) (Result, error) {
	c := a.content
	switch c.contentType {
	case ContentProposal:
		if err := g.checkProposal(c.proposal, c.sender); err != nil {
			return nil, err
		}
		if c.proposal.Type() == ProposalSelfRemove && a.wireFormat != wirePublicMessage {
			return nil, invalid("", "a self-remove that those outside cannot read")
		}
		p, err := g.epoch.pendingProposal(a, nil)
		if err != nil {
			return nil, err
		}
		if err := g.checkRoom(p); err != nil {
			return nil, err
		}
		return g.addPending(p), nil
	}
	staged, err := g.receiveCommit(a)
	if err != nil {
		return nil, err
	}
	return staged, nil
}

// maxPlaintext keeps a sealed message, padding and framing included, below the 2^30 bytes that a vector can hold. It is far above
// what the delivery of messages allows, and far below what AES-GCM does.
const maxPlaintext = 1 << 28

// Seal encrypts and signs plaintext for the group. The key is used up: save Delta before the message leaves the device.
// authenticatedData is readable by the delivery service, and protected by the signature.
// It returns ErrPendingProposals while proposals wait for a commit.
func (g *Group) Seal(plaintext, authenticatedData []byte) (message []byte, err error) {
	if g.reinit != nil {
		return nil, ErrReinitialized
	}
	for _, p := range g.pending {
		if !p.ignored {
			return nil, ErrPendingProposals
		}
	}
	if len(plaintext) > maxPlaintext || len(authenticatedData) > maxPlaintext {
		return nil, invalid("6", "a message that is too long")
	}
	if err := g.checkSigner(); err != nil {
		return nil, err
	}
	defer g.forgetMessage()
	g.content = g.frameContent(ContentApplication, authenticatedData)
	g.content.application = plaintext
	a := authenticatedContent{wireFormat: wirePrivateMessage, content: &g.content}
	if err := a.sign(g.suite, g.cfg.Signer, g.encoded); err != nil {
		return nil, err
	}
	if err := g.use.take(g.ratchets, ratchetID{g.own, applicationRatchet}, nil); err != nil {
		return nil, err
	}
	message = g.suite.sealPrivate(&a, g.use.messageKey, g.secrets.senderData, g.padding())
	g.use.spend()
	return message, nil
}

func (g *Group) padding() func(int) int {
	if g.cfg.Padding == nil {
		return padTo
	}
	return g.cfg.Padding
}

// frame begins content of this member. Its body is still to be set.
func (g *Group) frame(t ContentType, authenticatedData []byte, public bool) *authenticatedContent {
	content := g.frameContent(t, authenticatedData)
	a := &authenticatedContent{wireFormat: wirePrivateMessage, content: &content}
	if public {
		a.wireFormat = wirePublicMessage
	}
	return a
}

func (g *Group) frameContent(t ContentType, authenticatedData []byte) framedContent {
	return framedContent{
		groupID:           g.context.groupID,
		epoch:             g.context.epoch,
		sender:            sender{SenderMember, uint32(g.own)},
		authenticatedData: authenticatedData,
		contentType:       t,
	}
}

// protect makes the message for signed content. For a private one it returns the key's use, which the caller spends unless
// the message is a mere candidate.
func (g *Group) protect(a *authenticatedContent) ([]byte, *keyUse, error) {
	if a.wireFormat == wirePublicMessage {
		message, err := g.suite.sealPublic(a, g.secrets.membership, g.encoded)
		return message, nil, err
	}
	id := ratchetID{g.own, kindOf(a.content.contentType)}
	var reserved map[uint32]struct{}
	if id.kind == handshakeRatchet {
		reserved = g.reserved
	}
	use, err := g.ratchets.take(id, reserved)
	if err != nil {
		return nil, nil, err
	}
	return g.suite.sealPrivate(a, use.messageKey, g.secrets.senderData, g.padding()), use, nil
}
