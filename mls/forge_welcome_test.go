package mls

import (
	"bytes"
	"crypto"
	"testing"
)

// An openWelcome is a Welcome taken apart, as its receiver sees it and its sender made it.
type openWelcome struct {
	unprintable
	t       testing.TB
	suite   *suite
	private *KeyPackagePrivate
	secrets *groupSecrets
	member  memberSecret
	info    *groupInfo
	// signer signs the GroupInfo, if it is not nil, when it is put together again.
	signer crypto.Signer
}

// open takes the Welcome of a commit apart.
func openWelcomeOf(t testing.TB, c *StagedCommit, private *KeyPackagePrivate, signer crypto.Signer) *openWelcome {
	t.Helper()
	m, err := parseWelcome(c.Welcome())
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.suite.suite()
	if err != nil {
		t.Fatal(err)
	}
	entry, found := m.find(func(ref KeyPackageRef) *KeyPackagePrivate {
		if ref != private.keyPackage.Ref() {
			return nil
		}
		return private
	})
	if found == nil {
		t.Fatal("the welcome is for somebody else")
	}
	o := &openWelcome{t: t, suite: s, private: private, signer: signer}
	if o.secrets, err = s.openGroupSecrets(private, entry, m.groupInfo); err != nil {
		t.Fatal(err)
	}
	o.member = s.member(o.secrets.joiner, s.pskSecret(nil))
	if o.info, err = s.openGroupInfo(m, o.member); err != nil {
		t.Fatal(err)
	}
	return o
}

// clone copies what a test may spoil.
func (o *openWelcome) clone() *openWelcome {
	c, info, secrets := *o, *o.info, *o.secrets
	c.info, c.secrets = &info, &secrets
	c.info.extensions = append(Extensions(nil), o.info.extensions...)
	return &c
}

// confirm gives the GroupInfo the confirmation tag of its context, whatever that has become.
func (o *openWelcome) confirm() {
	secrets, _ := o.suite.deriveEpoch(o.suite.epochSecret(o.member, o.info.context.marshal()))
	o.info.confirmationTag = o.suite.mac(secrets.confirmation, o.info.context.confirmedTranscriptHash)
}

// tree returns the tree that travels with the GroupInfo.
func (o *openWelcome) tree() []byte {
	o.t.Helper()
	b, ok := o.info.extensions.Get(ExtensionRatchetTree)
	if !ok {
		o.t.Fatal("the welcome has no tree")
	}
	return bytes.Clone(b)
}

func (o *openWelcome) setTree(b []byte) {
	o.info.extensions = o.info.extensions.Set(ExtensionRatchetTree, b)
}

// encode is marshal with the signature that is there, right or wrong.
func (i *groupInfo) encode(w *writer) {
	i.encodeUnsigned(w)
	w.opaque(i.signature)
}

// seal puts the Welcome together again.
func (o *openWelcome) seal() []byte {
	o.t.Helper()
	if o.signer != nil {
		if _, err := o.info.marshal(o.suite, o.signer); err != nil {
			o.t.Fatal(err)
		}
	}
	var plain writer
	o.info.encode(&plain)
	return o.sealRaw(plain.b)
}

// sealRaw is seal for a GroupInfo in bytes.
func (o *openWelcome) sealRaw(info []byte) []byte {
	o.t.Helper()
	key := o.suite.welcomeKey(o.member)
	m := &welcome{suite: o.suite.id, groupInfo: o.suite.cipher(key.key).Seal(nil, key.nonce, info, nil)}
	sealed, err := o.suite.sealGroupSecrets(o.private.keyPackage, o.secrets, encryptContext("Welcome", m.groupInfo))
	if err != nil {
		o.t.Fatal(err)
	}
	m.secrets = append(m.secrets, sealed)
	w := newMessage(wireWelcome)
	m.encode(w)
	return w.b
}
