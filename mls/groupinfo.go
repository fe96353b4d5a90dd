package mls

import "crypto"

// A groupInfo is GroupInfo of RFC 9420, Section 12.4.3: an epoch, described and signed by one of its members.
type groupInfo struct {
	context groupContext
	// tree is encoded as the extension of that name, before the others; nil if they have it, or nobody does.
	tree            *ratchetTree
	extensions      Extensions
	confirmationTag []byte
	signer          LeafIndex
	signature       []byte
}

func (i *groupInfo) encodeUnsigned(w *writer) {
	i.context.encode(w)
	start := w.open()
	if i.tree != nil {
		w.uint16(uint16(ExtensionRatchetTree))
		data := w.open()
		i.tree.encode(w)
		w.close(data)
	}
	i.extensions.encodeEach(w)
	w.close(start)
	w.opaque(i.confirmationTag)
	w.uint32(uint32(i.signer))
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

// signContent is the SignContent of the GroupInfo, and where in it the GroupInfo begins. The memory is taken once, with room
// for a signature: of a large group all copies are costly, the tree being part of it.
func (i *groupInfo) signContent() (w writer, start int) {
	size := 1024 + i.context.extensions.sizeHint() + i.extensions.sizeHint()
	if i.tree != nil {
		size += i.tree.sizeHint()
	}
	w.grow(size)
	w.label("GroupInfoTBS")
	start = w.open()
	i.encodeUnsigned(&w)
	return w, w.close(start)
}

// marshal signs the GroupInfo and returns its encoding.
func (i *groupInfo) marshal(s *suite, signer crypto.Signer) ([]byte, error) {
	w, start := i.signContent()
	signature, err := s.signMessage(signer, w.b)
	if err != nil {
		return nil, err
	}
	i.signature = signature
	w.opaque(signature)
	return w.b[start:], nil
}

func (i *groupInfo) verify(s *suite, key []byte) error {
	w, _ := i.signContent()
	if !s.verifyMessage(key, w.b, i.signature) {
		return ErrVerify
	}
	return nil
}

// info describes the epoch, still unsigned.
func (e *epoch) info() *groupInfo {
	return &groupInfo{context: e.context, confirmationTag: e.confirmationTag, signer: e.own}
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
	info, extensions := e.info(), opts.Extensions
	if !opts.NoTree {
		info.tree, extensions = e.tree, extensions.Without(ExtensionRatchetTree)
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
	info.extensions = extensions
	encoded, err := info.marshal(e.suite, signer)
	if err != nil {
		return nil, err
	}
	w := newMessage(wireGroupInfo)
	w.grow(len(encoded))
	w.raw(encoded)
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
