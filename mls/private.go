package mls

import "math/bits"

// A privateMessage is PrivateMessage of RFC 9420, Section 6.3.
type privateMessage struct {
	groupID             []byte
	epoch               uint64
	contentType         ContentType
	authenticatedData   []byte
	encryptedSenderData []byte
	ciphertext          []byte
}

func (m *privateMessage) encode(w *writer) {
	m.encodeAAD(w)
	w.opaque(m.encryptedSenderData)
	w.opaque(m.ciphertext)
}

func decodePrivateMessage(r *reader) *privateMessage {
	m := &privateMessage{
		groupID:           r.opaque(),
		epoch:             r.uint64(),
		contentType:       ContentType(r.uint8()),
		authenticatedData: r.opaque(),
	}
	if m.contentType < ContentApplication || m.contentType > ContentCommit {
		r.fail("content of an unknown type")
	}
	m.encryptedSenderData = r.opaque()
	m.ciphertext = r.opaque()
	return m
}

// encodeSenderAAD writes SenderDataAAD, and encodeAAD PrivateContentAAD, of RFC 9420, Section 6.3.
func (m *privateMessage) encodeSenderAAD(w *writer) {
	w.opaque(m.groupID)
	w.uint64(m.epoch)
	w.uint8(uint8(m.contentType))
}

func (m *privateMessage) encodeAAD(w *writer) {
	m.encodeSenderAAD(w)
	w.opaque(m.authenticatedData)
}

// senderData is what hides who sent the message, and which key opens it.
type senderData struct {
	leaf       LeafIndex
	generation uint32
	reuseGuard [4]byte
}

// senderDataKey derives the key of a message's sender data from a sample of its ciphertext (RFC 9420, Section 6.3.2).
func (s *suite) senderDataKey(secret Secret, ciphertext []byte) messageKey {
	sample := ciphertext[:min(len(ciphertext), s.nh)]
	return messageKey{
		key:   s.expandWithLabel(secret, "key", sample, s.nk),
		nonce: s.expandWithLabel(secret, "nonce", sample, nonceSize),
	}
}

// guarded returns the nonce with the reuse guard in it (RFC 9420, Section 6.3.1).
func (k *messageKey) guarded(guard [4]byte) []byte {
	nonce := [nonceSize]byte(k.nonce)
	for i := range guard {
		nonce[i] ^= guard[i]
	}
	return nonce[:]
}

// padTo is the default for Config.Padding: at least 128 bytes, and beyond that steps of 1/16 to 1/8 of the length.
func padTo(n int) int {
	if n <= 128 {
		return 128
	}
	step := 1 << (bits.Len(uint(n-1)) - 4)
	return (n + step - 1) &^ (step - 1)
}

// sealPrivate encrypts content of a member under a key of its ratchet.
func (s *suite) sealPrivate(a *authenticatedContent, key messageKey, senderSecret Secret, padding func(int) int) []byte {
	c := a.content
	m := &privateMessage{groupID: c.groupID, epoch: c.epoch, contentType: c.contentType, authenticatedData: c.authenticatedData}
	w := writer{make([]byte, 0, 256+len(c.application))}
	c.encodeBody(&w)
	a.encodeAuth(&w)
	if n := padding(len(w.b)); n > len(w.b) {
		w.b = append(w.b, make([]byte, n-len(w.b))...)
	}
	data := senderData{leaf: LeafIndex(c.sender.index), generation: key.generation, reuseGuard: [4]byte(random(4))}
	var aad writer
	m.encodeAAD(&aad)
	m.ciphertext = s.cipher(key.key).Seal(nil, key.guarded(data.reuseGuard), w.b, aad.b)
	s.sealSenderData(m, data, senderSecret)
	out := newMessage(wirePrivateMessage)
	m.encode(out)
	return out.b
}

func (s *suite) sealSenderData(m *privateMessage, data senderData, secret Secret) {
	var plain, aad writer
	plain.uint32(uint32(data.leaf))
	plain.uint32(data.generation)
	plain.raw(data.reuseGuard[:])
	m.encodeSenderAAD(&aad)
	key := s.senderDataKey(secret, m.ciphertext)
	m.encryptedSenderData = s.cipher(key.key).Seal(nil, key.nonce, plain.b, aad.b)
}

func (s *suite) openSenderData(m *privateMessage, secret Secret) (senderData, error) {
	key := s.senderDataKey(secret, m.ciphertext)
	var aad writer
	m.encodeSenderAAD(&aad)
	plain, err := s.cipher(key.key).Open(nil, key.nonce, m.encryptedSenderData, aad.b)
	if err != nil {
		return senderData{}, ErrDecrypt
	}
	r := reader{b: plain}
	data := senderData{leaf: LeafIndex(r.uint32()), generation: r.uint32()}
	copy(data.reuseGuard[:], r.take(4))
	return data, r.end()
}

// openContent decrypts the content of a message whose key was found.
func (s *suite) openContent(m *privateMessage, data senderData, key messageKey) (*authenticatedContent, error) {
	var aad writer
	m.encodeAAD(&aad)
	plain, err := s.cipher(key.key).Open(nil, key.guarded(data.reuseGuard), m.ciphertext, aad.b)
	if err != nil {
		return nil, ErrDecrypt
	}
	a := &authenticatedContent{wireFormat: wirePrivateMessage, content: &framedContent{
		groupID:           m.groupID,
		epoch:             m.epoch,
		sender:            sender{SenderMember, uint32(data.leaf)},
		authenticatedData: m.authenticatedData,
		contentType:       m.contentType,
	}}
	r := reader{b: plain}
	a.content.decodeBody(&r)
	a.decodeAuth(&r)
	for _, b := range r.b {
		if b != 0 {
			return nil, invalid("6.3.1", "padding that is not zero")
		}
	}
	return a, r.err
}
