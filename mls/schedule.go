package mls

// A groupContext is GroupContext of RFC 9420, Section 8.1: what the members of an epoch agree upon.
type groupContext struct {
	suite                   CipherSuite
	groupID                 []byte
	epoch                   uint64
	treeHash                []byte
	confirmedTranscriptHash []byte
	extensions              Extensions
}

func (c *groupContext) encode(w *writer) {
	w.uint16(uint16(MLS10))
	w.uint16(uint16(c.suite))
	w.opaque(c.groupID)
	w.uint64(c.epoch)
	w.opaque(c.treeHash)
	w.opaque(c.confirmedTranscriptHash)
	c.extensions.encode(w)
}

func (c *groupContext) marshal() []byte {
	var w writer
	c.encode(&w)
	return w.b
}

func decodeGroupContext(r *reader) groupContext {
	if ProtocolVersion(r.uint16()) != MLS10 {
		r.fail("another version of MLS")
	}
	return groupContext{
		suite:                   CipherSuite(r.uint16()),
		groupID:                 r.opaque(),
		epoch:                   r.uint64(),
		treeHash:                r.opaque(),
		confirmedTranscriptHash: r.opaque(),
		extensions:              decodeExtensions(r),
	}
}

// confirmedHash continues the transcript with a commit, up to its signature (RFC 9420, Section 8.2).
func (s *suite) confirmedHash(interim []byte, c *authenticatedContent) []byte {
	scratch := takeScratch()
	defer scratch.release()
	w := &scratch.signed
	w.grow(c.content.sizeHint() + len(c.signature))
	w.uint16(uint16(c.wireFormat))
	c.content.encode(w)
	w.opaque(c.signature)
	return s.digest(interim, w.b)
}

// interimHash continues the transcript with the commit's confirmation tag (RFC 9420, Section 8.2).
func (s *suite) interimHash(confirmed, tag []byte) []byte {
	var w writer
	w.opaque(tag)
	return s.digest(confirmed, w.b)
}

// The stages of the key schedule are types of their own, so that a secret of one cannot be put into the place of another's.
type (
	initSecret   struct{ Secret }
	commitSecret struct{ Secret }
	joinerSecret struct{ Secret }
	// memberSecret is what joiner and pre-shared keys make, from which both the Welcome's key and the epoch come.
	memberSecret struct{ Secret }
)

// epochSecrets are what a member keeps of the key schedule for one epoch (RFC 9420, Section 8, Table 4), and the init
// secret for the next. encryption_secret is not among them: the secret tree takes it.
type epochSecrets struct {
	unprintable
	senderData    Secret
	exporter      Secret
	external      Secret
	confirmation  Secret
	membership    Secret
	resumption    Secret
	authenticator Secret
	init          initSecret
}

// all lists the secrets in the order in which they are saved.
func (e *epochSecrets) all() []*Secret {
	return []*Secret{&e.senderData, &e.exporter, &e.external, &e.confirmation, &e.membership, &e.resumption,
		&e.authenticator, &e.init.Secret}
}

// joiner is the first half of the key schedule. context is that of the new epoch.
func (s *suite) joiner(init initSecret, commit commitSecret, context []byte) joinerSecret {
	return joinerSecret{s.expandWithLabel(s.extract(init.Secret, commit.Secret), "joiner", context, s.nh)}
}

func (s *suite) member(joiner joinerSecret, psk Secret) memberSecret {
	return memberSecret{s.extract(joiner.Secret, psk)}
}

// welcomeKey derives what GroupInfo is sealed with in a Welcome (RFC 9420, Section 12.4.3.1).
func (s *suite) welcomeKey(member memberSecret) messageKey {
	welcome := s.deriveSecret(member.Secret, "welcome")
	return messageKey{
		key:   s.expandWithLabel(welcome, "key", nil, s.nk),
		nonce: s.expandWithLabel(welcome, "nonce", nil, nonceSize),
	}
}

// epochSecret is the last stage before the epoch's secrets.
func (s *suite) epochSecret(member memberSecret, context []byte) Secret {
	return s.expandWithLabel(member.Secret, "epoch", context, s.nh)
}

// deriveEpoch derives the secrets of an epoch, and apart from them the root of its secret tree.
func (s *suite) deriveEpoch(epoch Secret) (*epochSecrets, Secret) {
	return &epochSecrets{
		senderData:    s.deriveSecret(epoch, "sender data"),
		exporter:      s.deriveSecret(epoch, "exporter"),
		external:      s.deriveSecret(epoch, "external"),
		confirmation:  s.deriveSecret(epoch, "confirm"),
		membership:    s.deriveSecret(epoch, "membership"),
		resumption:    s.deriveSecret(epoch, "resumption"),
		authenticator: s.deriveSecret(epoch, "authentication"),
		init:          initSecret{s.deriveSecret(epoch, "init")},
	}, s.deriveSecret(epoch, "encryption")
}

// export is MLS-Exporter of RFC 9420, Section 8.5.
func (s *suite) export(exporter Secret, label string, context []byte, n int) Secret {
	return s.expandWithLabel(s.deriveSecret(exporter, label), "exported", s.digest(context), n)
}
