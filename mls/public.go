package mls

// A publicMessage is PublicMessage of RFC 9420, Section 6.2: signed, and readable by everyone.
type publicMessage struct {
	authenticatedContent
	// membershipTag is set for messages of members only.
	membershipTag []byte
}

// toBeMACed is AuthenticatedContentTBM of RFC 9420, Section 6.2.
func (m *publicMessage) toBeMACed(context []byte) []byte {
	var w writer
	m.encodeToBeSigned(&w, context)
	m.encodeAuth(&w)
	return w.b
}

func (m *publicMessage) encode(w *writer) {
	m.content.encode(w)
	m.encodeAuth(w)
	if m.content.sender.kind == SenderMember {
		w.opaque(m.membershipTag)
	}
}

func decodePublicMessage(r *reader) *publicMessage {
	m := &publicMessage{}
	m.wireFormat = wirePublicMessage
	m.content = decodeFramedContent(r)
	m.decodeAuth(r)
	if m.content.sender.kind == SenderMember {
		m.membershipTag = r.opaque()
	}
	return m
}

// sealPublic makes the message for content of a member, or of somebody who joins by it. Application data is never sent this
// way.
func (s *suite) sealPublic(a *authenticatedContent, membershipKey Secret, context []byte) ([]byte, error) {
	if a.content.contentType == ContentApplication {
		return nil, invalid("6", "application data in a public message")
	}
	m := &publicMessage{authenticatedContent: *a}
	if a.content.sender.kind == SenderMember {
		m.membershipTag = s.mac(membershipKey, m.toBeMACed(context))
	}
	w := newMessage(wirePublicMessage)
	m.encode(w)
	return w.b, nil
}

// checkMembership verifies that a member of the epoch sent the message.
func (m *publicMessage) checkMembership(s *suite, membershipKey Secret, context []byte) error {
	if !s.checkMAC(membershipKey, m.toBeMACed(context), m.membershipTag) {
		return ErrVerify
	}
	return nil
}
