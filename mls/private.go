package mls

import (
	"crypto/rand"
	"math/bits"
)

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
	m := new(privateMessage)
	m.decode(r)
	return m
}

func (m *privateMessage) decode(r *reader) {
	*m = privateMessage{
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
func (s *suite) senderDataKey(room *keyRoom, secret Secret, ciphertext []byte) messageKey {
	sample := ciphertext[:min(len(ciphertext), s.nh)]
	key := messageKey{key: room.key[:s.nk], nonce: room.nonce[:]}
	s.expandInto(key.key, secret, "key", sample)
	s.expandInto(key.nonce, secret, "nonce", sample)
	return key
}

// guarded is a nonce with the reuse guard in it (RFC 9420, Section 6.3.1).
func (c *scratch) guarded(nonce Secret, guard [4]byte) []byte {
	copy(c.nonce[:], nonce)
	for i := range guard {
		c.nonce[i] ^= guard[i]
	}
	return c.nonce[:]
}

// padTo is the default for Config.Padding: at least 128 bytes, and beyond that steps of 1/16 to 1/8 of the length.
func padTo(n int) int {
	if n <= 128 {
		return 128
	}
	step := 1 << (bits.Len(uint(n-1)) - 4)
	return (n + step - 1) &^ (step - 1)
}

// The lengths of encoded sender data, and of the tag that every AEAD of the suites adds.
const senderDataSize, tagSize = 12, 16

// sealPrivate encrypts content of a member under a key of its ratchet. The message is one allocation: what is encrypted is
// gathered in a scratch, and what it becomes is written where it goes.
func (s *suite) sealPrivate(a *authenticatedContent, key messageKey, senderSecret Secret, padding func(int) int) []byte {
	scratch := takeScratch()
	defer scratch.release()
	c, plain, aad := a.content, &scratch.plain, &scratch.aad
	m := privateMessage{groupID: c.groupID, epoch: c.epoch, contentType: c.contentType, authenticatedData: c.authenticatedData}
	plain.grow(256 + c.sizeHint())
	c.encodeBody(plain)
	a.encodeAuth(plain)
	if n := padding(len(plain.b)) - len(plain.b); n > 0 {
		plain.grow(n)
		plain.b = append(plain.b, make([]byte, n)...)
	}
	data := senderData{leaf: LeafIndex(c.sender.index), generation: key.generation}
	rand.Read(data.reuseGuard[:])
	m.encodeAAD(aad)
	// The additional data is also how the message begins. After it two headers follow, of at most 4 bytes.
	w := writer{make([]byte, 0, 4+len(aad.b)+senderDataSize+tagSize+len(plain.b)+tagSize+2*4)}
	w.uint16(uint16(MLS10))
	w.uint16(uint16(wirePrivateMessage))
	w.raw(aad.b)
	w.length(senderDataSize + tagSize)
	at := len(w.b)
	w.b = w.b[:at+senderDataSize+tagSize]
	m.encryptedSenderData = w.b[at:at:len(w.b)]
	w.length(len(plain.b) + tagSize)
	start := len(w.b)
	w.b = s.cipher(key.key).Seal(w.b, scratch.guarded(key.nonce, data.reuseGuard), plain.b, aad.b)
	m.ciphertext = w.b[start:]
	s.sealSenderData(&m, data, senderSecret)
	return w.b
}

// sealSenderData encrypts the sender data of a message whose content is encrypted, into the memory that m has for it.
func (s *suite) sealSenderData(m *privateMessage, data senderData, secret Secret) {
	c := takeScratch()
	defer c.release()
	c.plain.uint32(uint32(data.leaf))
	c.plain.uint32(data.generation)
	c.plain.raw(data.reuseGuard[:])
	m.encodeSenderAAD(&c.aad)
	key := s.senderDataKey(&c.room, secret, m.ciphertext)
	m.encryptedSenderData = s.cipher(key.key).Seal(m.encryptedSenderData[:0], key.nonce, c.plain.b, c.aad.b)
}

func (s *suite) openSenderData(m *privateMessage, secret Secret) (senderData, error) {
	c := takeScratch()
	defer c.release()
	key := s.senderDataKey(&c.room, secret, m.ciphertext)
	m.encodeSenderAAD(&c.aad)
	c.plain.grow(len(m.encryptedSenderData))
	plain, err := s.cipher(key.key).Open(c.plain.b, key.nonce, m.encryptedSenderData, c.aad.b)
	if err != nil {
		return senderData{}, ErrDecrypt
	}
	c.plain.b = plain
	r := reader{b: plain}
	data := senderData{leaf: LeafIndex(r.uint32()), generation: r.uint32()}
	copy(data.reuseGuard[:], r.take(4))
	return data, r.end()
}

// openContent decrypts the content of a message whose key was found.
func (s *suite) openContent(m *privateMessage, data senderData, key messageKey) (*authenticatedContent, error) {
	a := &authenticatedContent{content: new(framedContent)}
	return a, s.openInto(a, m, data, key)
}

// openInto is openContent for memory that is there. What it fills in lies in memory of its own but for the group's id,
// which is still m's.
func (s *suite) openInto(a *authenticatedContent, m *privateMessage, data senderData, key messageKey) error {
	c := takeScratch()
	defer c.release()
	m.encodeAAD(&c.aad)
	// In place, in memory that begins at a word: where no processor helps with AES, it is done byte by byte otherwise.
	out := make([]byte, len(m.ciphertext), len(m.ciphertext)+len(m.authenticatedData))
	copy(out, m.ciphertext)
	plain, err := s.cipher(key.key).Open(out[:0], c.guarded(key.nonce, data.reuseGuard), out, c.aad.b)
	if err != nil {
		return ErrDecrypt
	}
	a.wireFormat = wirePrivateMessage
	*a.content = framedContent{
		groupID:           m.groupID,
		epoch:             m.epoch,
		sender:            sender{SenderMember, uint32(data.leaf)},
		authenticatedData: append(plain[len(plain):], m.authenticatedData...),
		contentType:       m.contentType,
	}
	r := reader{b: plain}
	a.content.decodeBody(&r)
	a.content.body = plain[:len(plain)-len(r.b)]
	a.decodeAuth(&r)
	for _, b := range r.b {
		if b != 0 {
			return invalid("6.3.1", "padding that is not zero")
		}
	}
	return r.err
}
