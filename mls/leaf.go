package mls

import (
	"bytes"
	"crypto"
	"slices"
	"time"
)

// A LeafNode is a leaf of the ratchet tree: one client of the group (RFC 9420, Section 7.2).
type LeafNode struct {
	EncryptionKey []byte
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafSource
	// Lifetime is set in leaves from key packages, ParentHash in those from commits.
	Lifetime   Lifetime
	ParentHash []byte
	Extensions Extensions
	Signature  []byte
}

// LeafSource says where a leaf came from.
type LeafSource uint8

const (
	LeafKeyPackage LeafSource = 1
	LeafUpdate     LeafSource = 2
	LeafCommit     LeafSource = 3
)

// encodeUnsigned writes what stands before the signature.
func (l *LeafNode) encodeUnsigned(w *writer) {
	w.opaque(l.EncryptionKey)
	w.opaque(l.SignatureKey)
	l.Credential.encode(w)
	l.Capabilities.encode(w)
	w.uint8(uint8(l.Source))
	switch l.Source {
	case LeafKeyPackage:
		w.uint64(l.Lifetime.NotBefore)
		w.uint64(l.Lifetime.NotAfter)
	case LeafCommit:
		w.opaque(l.ParentHash)
	}
	l.Extensions.encode(w)
}

func (l *LeafNode) encode(w *writer) {
	l.encodeUnsigned(w)
	w.opaque(l.Signature)
}

func decodeLeafNode(r *reader) *LeafNode {
	l := &LeafNode{
		EncryptionKey: r.opaque(),
		SignatureKey:  r.opaque(),
		Credential:    decodeCredential(r),
		Capabilities:  decodeCapabilities(r),
		Source:        LeafSource(r.uint8()),
	}
	switch l.Source {
	case LeafKeyPackage:
		l.Lifetime = Lifetime{r.uint64(), r.uint64()}
	case LeafUpdate:
	case LeafCommit:
		l.ParentHash = r.opaque()
	default:
		r.fail("a leaf of an unknown source")
	}
	l.Extensions = decodeExtensions(r)
	l.Signature = r.opaque()
	return l
}

// signContent writes the SignContent of LeafNodeTBS (RFC 9420, Section 7.2): leaves that were made inside a group are bound to
// their place in it.
func (l *LeafNode) signContent(w *writer, groupID []byte, i LeafIndex) {
	w.label("LeafNodeTBS")
	start := w.open()
	l.encodeUnsigned(w)
	if l.Source != LeafKeyPackage {
		w.opaque(groupID)
		w.uint32(uint32(i))
	}
	w.close(start)
}

func (l *LeafNode) sign(s *suite, signer crypto.Signer, groupID []byte, i LeafIndex) error {
	c := takeScratch()
	defer c.release()
	l.signContent(&c.signed, groupID, i)
	signature, err := s.signMessage(signer, c.signed.b)
	l.Signature = signature
	return err
}

func (l *LeafNode) verify(s *suite, groupID []byte, i LeafIndex) error {
	c := takeScratch()
	defer c.release()
	l.signContent(&c.signed, groupID, i)
	if !s.verifyMessage(l.SignatureKey, c.signed.b, l.Signature) {
		return ErrVerify
	}
	return nil
}

// detached returns the leaf in memory of its own. A leaf that was decoded lies in the message that it came in, of whatever length its
// sender liked, and all of that would stay in memory as long as the leaf stands in a tree.
func (l *LeafNode) detached() *LeafNode {
	c := *l
	for _, field := range []*[]byte{&c.EncryptionKey, &c.SignatureKey, &c.Credential.Identity, &c.ParentHash, &c.Signature} {
		*field = bytes.Clone(*field)
	}
	c.Credential.Certificates = slices.Clone(c.Credential.Certificates)
	for i, der := range c.Credential.Certificates {
		c.Credential.Certificates[i] = bytes.Clone(der)
	}
	c.Extensions = c.Extensions.detached()
	return &c
}

// member returns what the leaf says, at this place.
func (l *LeafNode) member(i LeafIndex) Member {
	return Member{
		Index:         i,
		Credential:    l.Credential,
		SignatureKey:  l.SignatureKey,
		EncryptionKey: l.EncryptionKey,
		Extensions:    l.Extensions,
		Capabilities:  l.Capabilities,
		Lifetime:      l.Lifetime,
	}
}

// check holds the leaf against the rules of RFC 9420, Section 7.3 that concern it alone and the group's parameters. Those that
// concern other leaves are the tree's.
func (l *LeafNode) check(s *suite, required RequiredCapabilities, context Extensions) error {
	if err := l.Credential.check(); err != nil {
		return err
	}
	c := &l.Capabilities
	switch {
	case l.Extensions.repeats():
		return invalid("13.4", "an extension type occurs twice")
	case !slices.Contains(c.Versions, MLS10):
		return invalid("7.3", "a leaf does not support the group's version")
	case !slices.Contains(c.CipherSuites, s.id):
		return invalid("7.3", "a leaf does not support the group's cipher suite")
	case !c.supportsCredential(l.Credential.Type):
		return invalid("7.2", "a leaf does not list its own credential type")
	case !c.meets(required):
		return invalid("7.3", "a leaf lacks required capabilities")
	case !c.supportsExtensions(l.Extensions):
		return invalid("7.3", "a leaf does not list one of its own extensions")
	case !c.supportsExtensions(context):
		return invalid("13.4", "a leaf does not support one of the group's extensions")
	}
	return nil
}

// empty tells whether no time of any clock lies in the span, the first second of 1970 aside.
func (l Lifetime) empty() bool { return l.NotAfter == 0 || l.NotAfter < l.NotBefore }

// valid tells whether the time lies in the span; the zero time is not checked.
func (l Lifetime) valid(now time.Time) bool {
	if now.IsZero() {
		return true
	}
	t := now.Unix()
	return t >= 0 && l.NotBefore <= uint64(t) && uint64(t) <= l.NotAfter
}
