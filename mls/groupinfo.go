package mls

import "crypto"

// A groupInfo is GroupInfo of RFC 9420, Section 12.4.3: an epoch, described and signed by one of its members.
type groupInfo struct {
	context         groupContext
	extensions      Extensions
	confirmationTag []byte
	signer          LeafIndex
	signature       []byte
}

func (i *groupInfo) encodeUnsigned(w *writer) {
	i.context.encode(w)
	i.extensions.encode(w)
	w.opaque(i.confirmationTag)
	w.uint32(uint32(i.signer))
}

func (i *groupInfo) encode(w *writer) {
	i.encodeUnsigned(w)
	w.opaque(i.signature)
}

func decodeGroupInfo(r *reader) *groupInfo {
	return &groupInfo{
		context:         decodeGroupContext(r),
		extensions:      decodeExtensions(r),
		confirmationTag: r.opaque(),
		signer:          LeafIndex(r.uint32()),
		signature:       r.opaque(),
	}
}

// begin takes the memory for an encoding, of which the tree is by far the most.
func (i *groupInfo) begin() writer {
	return writer{make([]byte, 0, 1024+i.context.extensions.sizeHint()+i.extensions.sizeHint())}
}

func (i *groupInfo) toBeSigned() []byte {
	w := i.begin()
	i.encodeUnsigned(&w)
	return w.b
}

func (i *groupInfo) sign(s *suite, signer crypto.Signer) error {
	signature, err := s.sign(signer, "GroupInfoTBS", i.toBeSigned())
	i.signature = signature
	return err
}

func (i *groupInfo) verify(s *suite, key []byte) error {
	if !s.verify(key, "GroupInfoTBS", i.toBeSigned(), i.signature) {
		return ErrVerify
	}
	return nil
}

// info describes the epoch, signed by this member.
func (e *epoch) info(signer crypto.Signer, extensions Extensions) (*groupInfo, error) {
	i := &groupInfo{context: e.context, extensions: extensions, confirmationTag: e.confirmationTag, signer: e.own}
	return i, i.sign(e.suite, signer)
}

// GroupInfoOptions says what a GroupInfo lacks and what it has besides. The zero value is one by which outsiders can join with
// nothing else at hand.
type GroupInfoOptions struct {
	// NoTree leaves the ratchet tree out; who reads the GroupInfo then needs it from elsewhere.
	NoTree bool
	// NoExternalPub leaves the key out to which an external commit is sealed, so that nobody joins by this GroupInfo.
	NoExternalPub bool
	// Extensions are added. Who does not know them ignores them.
	Extensions Extensions
}

// publicInfo is the GroupInfo that can be shown to those who are not members, as an MLSMessage: with the tree, and with
// the key to which an external commit is sealed (RFC 9420, Section 12.4.3.2).
func (e *epoch) publicInfo(signer crypto.Signer, opts GroupInfoOptions) ([]byte, error) {
	if e.reinit != nil {
		return nil, ErrReinitialized
	}
	extensions := opts.Extensions
	if !opts.NoTree {
		extensions = extensions.Set(ExtensionRatchetTree, e.tree.marshal())
	}
	if !opts.NoExternalPub {
		key, err := e.externalPub()
		if err != nil {
			return nil, err
		}
		extensions = extensions.Set(ExtensionExternalPub, key)
	}
	if extensions.repeats() {
		return nil, invalid("13.4", "an extension type occurs twice")
	}
	info, err := e.info(signer, extensions)
	if err != nil {
		return nil, err
	}
	w := newMessage(wireGroupInfo)
	info.encode(w)
	return w.b, nil
}

// externalPub is the data of the extension with the epoch's key for external commits (RFC 9420, Section 8).
func (e *epoch) externalPub() ([]byte, error) {
	external, err := e.suite.deriveKey(e.secrets.external)
	if err != nil {
		return nil, err
	}
	public, err := external.public(e.suite)
	if err != nil {
		return nil, err
	}
	var key writer
	key.opaque(public)
	return key.b, nil
}
