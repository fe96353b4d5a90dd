package mls

import (
	"bytes"
	"crypto"
)

// A KeyPackage is what a client publishes so that others can add it to groups while it is away (RFC 9420, Section 10).
type KeyPackage struct {
	Version    ProtocolVersion
	Suite      CipherSuite
	InitKey    []byte
	LeafNode   *LeafNode
	Extensions Extensions
	Signature  []byte
}

// KeyPackageRef is the hash by which a Welcome names a key package.
type KeyPackageRef string

// KeyPackageOptions says what to put into a key package.
type KeyPackageOptions struct {
	unprintable
	// Suite is DefaultSuite when zero.
	Suite CipherSuite
	// Credential and Signer are the device's identity and the private key of its leaf.
	Credential Credential
	Signer     crypto.Signer
	// Lifetime is when the owner may be added by the key package. It must be given: the package reads no clock, and who does refuses
	// a key package of another time. Without one, or with one that ends before it begins, there is a *ValidationError.
	Lifetime Lifetime
	// LeafExtensions go into the leaf. Their types are added to Capabilities.
	LeafExtensions Extensions
	// Extensions go into the key package beside the leaf.
	Extensions Extensions
	// Capabilities is what the device supports beyond the defaults; version, suite and credential type are filled in when
	// the lists are empty.
	Capabilities Capabilities
	// LastResort marks a key package that the server may hand out more than once, when no other is left.
	LastResort bool
}

// KeyPackagePrivate is the secret half of a key package, with the key package itself. It is used once, by Join, and then
// to be deleted (RFC 9420, Section 16.8).
type KeyPackagePrivate struct {
	unprintable
	keyPackage *KeyPackage
	initKey    Secret
	leafKey    Secret
}

// NewKeyPackage makes a key package and its secret half. Save the half before publishing the whole.
func NewKeyPackage(opts KeyPackageOptions) (*KeyPackage, *KeyPackagePrivate, error) {
	if opts.Suite == 0 {
		opts.Suite = DefaultSuite
	}
	s, err := opts.Suite.suite()
	if err != nil {
		return nil, nil, err
	}
	if opts.Lifetime.empty() {
		return nil, nil, invalid("7.2", "a key package without a lifetime")
	}
	extensions := opts.Extensions.detached()
	if opts.LastResort {
		extensions = extensions.Set(ExtensionLastResort, nil)
	}
	leaf := &LeafNode{
		Credential:   opts.Credential,
		Capabilities: opts.Capabilities.completed(opts.Credential.Type, opts.LeafExtensions, extensions),
		Source:       LeafKeyPackage,
		Lifetime:     opts.Lifetime,
		Extensions:   opts.LeafExtensions,
	}
	leaf = leaf.detached()
	leaf.grease()
	leafKey, err := leaf.renew(s, opts.Signer, nil, 0)
	if err != nil {
		return nil, nil, err
	}
	initKey, err := s.generateKey()
	if err != nil {
		return nil, nil, err
	}
	initPublic, err := initKey.public(s)
	if err != nil {
		return nil, nil, err
	}
	kp := &KeyPackage{Version: MLS10, Suite: s.id, InitKey: initPublic, LeafNode: leaf, Extensions: extensions}
	if kp.Signature, err = s.sign(opts.Signer, "KeyPackageTBS", kp.toBeSigned()); err != nil {
		return nil, nil, err
	}
	if err := kp.check(s); err != nil {
		return nil, nil, err
	}
	return kp, &KeyPackagePrivate{keyPackage: kp, initKey: initKey.secret, leafKey: leafKey.secret}, nil
}

// renew gives the leaf a fresh encryption key and the signer's signature, and returns the private half.
func (l *LeafNode) renew(s *suite, signer crypto.Signer, groupID []byte, i LeafIndex) (*privateKey, error) {
	key, err := s.generateKey()
	if err != nil {
		return nil, err
	}
	if l.EncryptionKey, err = key.public(s); err != nil {
		return nil, err
	}
	if l.SignatureKey, err = s.signerKey(signer); err != nil {
		return nil, err
	}
	return key, l.sign(s, signer, groupID, i)
}

func (kp *KeyPackage) encodeUnsigned(w *writer) {
	w.uint16(uint16(kp.Version))
	w.uint16(uint16(kp.Suite))
	w.opaque(kp.InitKey)
	kp.LeafNode.encode(w)
	kp.Extensions.encode(w)
}

func (kp *KeyPackage) encode(w *writer) {
	kp.encodeUnsigned(w)
	w.opaque(kp.Signature)
}

func (kp *KeyPackage) toBeSigned() []byte {
	var w writer
	kp.encodeUnsigned(&w)
	return w.b
}

func decodeKeyPackage(r *reader) *KeyPackage {
	return &KeyPackage{
		Version:    ProtocolVersion(r.uint16()),
		Suite:      CipherSuite(r.uint16()),
		InitKey:    r.opaque(),
		LeafNode:   decodeLeafNode(r),
		Extensions: decodeExtensions(r),
		Signature:  r.opaque(),
	}
}

// check holds the key package against RFC 9420, Section 10.1, apart from what the group has to say about its leaf.
func (kp *KeyPackage) check(s *suite) error {
	switch {
	case kp.Version != MLS10 || kp.Suite != s.id:
		return invalid("10.1", "a key package is for another version or cipher suite")
	case kp.LeafNode.Source != LeafKeyPackage:
		return invalid("10", "a key package's leaf does not come from a key package")
	case bytes.Equal(kp.InitKey, kp.LeafNode.EncryptionKey):
		return invalid("10.1", "a key package has one key for two uses")
	case kp.Extensions.repeats():
		return invalid("13.4", "an extension type occurs twice")
	}
	for _, key := range [][]byte{kp.InitKey, kp.LeafNode.EncryptionKey} {
		if err := s.checkUsable(key); err != nil {
			return err
		}
	}
	if err := kp.LeafNode.check(s, RequiredCapabilities{}, nil); err != nil {
		return err
	}
	if err := kp.LeafNode.verify(s, nil, 0); err != nil {
		return err
	}
	if !s.verify(kp.LeafNode.SignatureKey, "KeyPackageTBS", kp.toBeSigned(), kp.Signature) {
		return ErrVerify
	}
	return nil
}

// ParseKeyPackage reads what Marshal wrote and checks its signature and form (RFC 9420, Section 10.1). Whose it is, is
// for the MemberVerifier to say when it is added.
func ParseKeyPackage(b []byte) (*KeyPackage, error) {
	r := reader{b: bytes.Clone(b)}
	readHeader(&r, wireKeyPackage)
	kp := decodeKeyPackage(&r)
	if err := r.end(); err != nil {
		return nil, err
	}
	s, err := kp.Suite.suite()
	if err != nil {
		return nil, err
	}
	if err := kp.check(s); err != nil {
		return nil, err
	}
	return kp, nil
}

// Marshal returns the key package as an MLSMessage, the form in which it is published.
func (kp *KeyPackage) Marshal() []byte {
	w := newMessage(wireKeyPackage)
	kp.encode(w)
	return w.b
}

// Ref is the name of the key package in a Welcome; empty for a suite that is not supported.
func (kp *KeyPackage) Ref() KeyPackageRef {
	s, err := kp.Suite.suite()
	if err != nil {
		return ""
	}
	var w writer
	kp.encode(&w)
	return KeyPackageRef(s.refHash("MLS 1.0 KeyPackage Reference", w.b))
}

// Member returns what the leaf says, for checks before the owner is added; its Index means nothing yet.
func (kp *KeyPackage) Member() Member { return kp.LeafNode.member(0) }

// LastResort tells whether the key package may be used more than once.
func (kp *KeyPackage) LastResort() bool {
	_, ok := kp.Extensions.Get(ExtensionLastResort)
	return ok
}

// KeyPackage returns the public half.
func (p *KeyPackagePrivate) KeyPackage() *KeyPackage { return p.keyPackage }

// Keys returns the private keys of the key package's InitKey and of its leaf's EncryptionKey, as the suite's KEM serializes
// them: for another implementation, which does not read what Save returns.
func (p *KeyPackagePrivate) Keys() (initKey, encryptionKey Secret) {
	return bytes.Clone(p.initKey), bytes.Clone(p.leafKey)
}

// Save returns the secret half and the key package in a form that LoadKeyPackagePrivate reads. Keep it sealed.
func (p *KeyPackagePrivate) Save() Secret {
	var w writer
	w.uint8(stateVersion)
	p.keyPackage.encode(&w)
	w.opaque(p.initKey)
	w.opaque(p.leafKey)
	return w.b
}

// LoadKeyPackagePrivate reads what Save wrote.
func LoadKeyPackagePrivate(b []byte) (*KeyPackagePrivate, error) {
	r := reader{b: bytes.Clone(b)}
	readVersion(&r)
	p := &KeyPackagePrivate{keyPackage: decodeKeyPackage(&r)}
	p.initKey, p.leafKey = r.opaque(), r.opaque()
	if err := r.end(); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// check tells whether the halves belong together.
func (p *KeyPackagePrivate) check() error {
	s, err := p.keyPackage.Suite.suite()
	if err != nil {
		return err
	}
	for _, pair := range []struct{ private, public []byte }{
		{p.initKey, p.keyPackage.InitKey},
		{p.leafKey, p.keyPackage.LeafNode.EncryptionKey},
	} {
		key := privateKey{secret: pair.private}
		public, err := key.public(s)
		if err != nil {
			return err
		}
		if !bytes.Equal(public, pair.public) {
			return malformed("a private key that is not its public key's")
		}
	}
	return nil
}
