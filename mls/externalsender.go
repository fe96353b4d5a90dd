package mls

import (
	"bytes"
	"crypto"
)

// An ExternalSender is a party outside of the group that may make proposals (RFC 9420, Section 12.1.8.1).
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// NewExternalSender describes the holder of a signature key of the suite.
func NewExternalSender(suite CipherSuite, signer crypto.Signer, credential Credential) (ExternalSender, error) {
	s, err := suite.suite()
	if err != nil {
		return ExternalSender{}, err
	}
	if err := credential.check(); err != nil {
		return ExternalSender{}, err
	}
	key, err := s.signerKey(signer)
	return ExternalSender{key, credential}, err
}

// Marshal returns one external sender, in the form in which it tells who it is to a group that is to list it.
func (x ExternalSender) Marshal() []byte {
	var w writer
	x.encode(&w)
	return w.b
}

// ParseExternalSender reads what Marshal wrote.
func ParseExternalSender(b []byte) (ExternalSender, error) {
	r := reader{b: bytes.Clone(b)}
	x := decodeExternalSender(&r)
	return x, r.end()
}

func (x *ExternalSender) encode(w *writer) {
	w.opaque(x.SignatureKey)
	x.Credential.encode(w)
}

func decodeExternalSender(r *reader) ExternalSender {
	return ExternalSender{r.opaque(), decodeCredential(r)}
}

// maxExternalSenders bounds the extension: who may propose is a short list.
const maxExternalSenders = 1 << 10

// MarshalExternalSenders returns the data of an extension of type ExtensionExternalSenders, for the GroupContext.
func MarshalExternalSenders(senders []ExternalSender) []byte {
	var w writer
	start := w.open()
	for _, s := range senders {
		s.encode(&w)
	}
	w.close(start)
	return w.b
}

// ParseExternalSenders reads what MarshalExternalSenders wrote.
func ParseExternalSenders(data []byte) ([]ExternalSender, error) {
	r := reader{b: bytes.Clone(data)}
	var senders []ExternalSender
	r.each(func(r *reader) { senders = append(senders, decodeExternalSender(r)) })
	if len(senders) > maxExternalSenders {
		r.fail("too many external senders")
	}
	return senders, r.end()
}

// externalSender returns the group's external sender of this number.
func (e *epoch) externalSender(i uint32) (ExternalSender, error) {
	data, ok := e.context.extensions.Get(ExtensionExternalSenders)
	if !ok {
		return ExternalSender{}, invalid("12.1.8", "a message of an external sender where there are none")
	}
	senders, err := ParseExternalSenders(data)
	if err != nil {
		return ExternalSender{}, err
	}
	if uint64(i) >= uint64(len(senders)) {
		return ExternalSender{}, invalid("12.1.8.1", "a message of an external sender that is not listed")
	}
	return senders[i], nil
}

// isForExternalSenders tells whether an external sender may propose the type (RFC 9420, Section 12.1.8). Types of the
// application are for members alone.
func (t ProposalType) isForExternalSenders() bool {
	switch t {
	case ProposalAdd, ProposalRemove, ProposalPreSharedKey, ProposalReInit, ProposalGroupContextExtensions:
		return true
	}
	return false
}

// ProposeExternally makes the message by which an external sender proposes an Add, Remove, PreSharedKey, ReInit or
// GroupContextExtensions (RFC 9420, Section 12.1.8). index is its place in the group's external senders, and signer holds
// the key that is there, which is not checked: of the group no more than place is known. Nor is whether a Remove is of a member.
func ProposeExternally(place Place, index uint32, signer crypto.Signer, p Proposal) ([]byte, error) {
	if err := checkGiven(p); err != nil {
		return nil, err
	}
	if !p.Type().isForExternalSenders() {
		return nil, invalid("12.1.8", "a proposal that external senders do not make")
	}
	return proposeFromOutside(place, sender{SenderExternal, index}, signer, p)
}

// ProposeOwnAdd makes the message by which the owner of a key package proposes to be added to a group (RFC 9420, Section
// 12.1.8). signer holds the key of the key package's leaf.
func ProposeOwnAdd(place Place, kp *KeyPackage, signer crypto.Signer) ([]byte, error) {
	if kp == nil || kp.LeafNode == nil || kp.Suite != place.Suite {
		return nil, invalid("12.1.1", "an add without a key package of the group's suite")
	}
	s, err := place.Suite.suite()
	if err != nil {
		return nil, err
	}
	key, err := s.signerKey(signer)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(key, kp.LeafNode.SignatureKey) {
		return nil, ErrSigner
	}
	return proposeFromOutside(place, sender{kind: SenderNewMemberProposal}, signer, &Add{kp})
}

func proposeFromOutside(place Place, from sender, signer crypto.Signer, p Proposal) ([]byte, error) {
	s, err := place.Suite.suite()
	if err != nil {
		return nil, err
	}
	p = s.filled(p)
	if _, err := s.signerKey(signer); err != nil {
		return nil, err
	}
	if err := s.checkProposal(p); err != nil {
		return nil, err
	}
	m := &publicMessage{authenticatedContent: authenticatedContent{wireFormat: wirePublicMessage, content: &framedContent{
		groupID: place.GroupID, epoch: place.Epoch, sender: from, contentType: ContentProposal, proposal: p,
	}}}
	if err := m.sign(s, signer, nil); err != nil {
		return nil, err
	}
	w := newMessage(wirePublicMessage)
	m.encode(w)
	return w.b, nil
}

// processOutside acts on a message whose sender is no member.
func (g *Group) processOutside(m *publicMessage) (Result, error) {
	c := m.content
	if c.sender.kind == SenderNewMemberCommit {
		return g.processExternalCommit(m)
	}
	if c.contentType != ContentProposal {
		return nil, invalid("12.1.8", "a message from outside of the group that is no proposal")
	}
	key, err := g.outsiderKey(c)
	if err != nil {
		return nil, err
	}
	if err := m.verify(g.suite, key, nil); err != nil {
		return nil, err
	}
	if err := g.checkProposal(c.proposal, c.sender); err != nil {
		return nil, err
	}
	p, err := g.epoch.pendingProposal(&m.authenticatedContent, nil)
	if err != nil {
		return nil, err
	}
	if err := g.checkRoom(p); err != nil {
		return nil, err
	}
	if known := g.findPending(p.ref); known == nil {
		if g.cfg.Admit == nil {
			return nil, refused("admitting a proposal from outside of the group", errNobodyAdmits)
		}
		shown := p.ReceivedProposal
		if err := g.cfg.Admit(&shown); err != nil {
			return nil, refused("admitting a proposal from outside of the group", err)
		}
	}
	return g.addPending(p), nil
}

// outsiderKey finds the key with which a proposal from outside must be signed.
func (g *Group) outsiderKey(c *framedContent) ([]byte, error) {
	if c.sender.kind == SenderExternal {
		x, err := g.externalSender(c.sender.index)
		return x.SignatureKey, err
	}
	add, ok := c.proposal.(*Add)
	if !ok {
		return nil, invalid("12.1.8", "a new member proposes something else than its own add")
	}
	return add.KeyPackage.LeafNode.SignatureKey, nil
}
