package mls

import (
	"bytes"
	"crypto"
	"slices"
)

// A welcome is Welcome of RFC 9420, Section 12.4.3.1.
type welcome struct {
	suite     CipherSuite
	secrets   []encryptedGroupSecrets
	groupInfo []byte
}

type encryptedGroupSecrets struct {
	newMember []byte
	secrets   hpkeCiphertext
}

// groupSecrets is GroupSecrets of RFC 9420, Section 12.4.3.1.
type groupSecrets struct {
	unprintable
	joiner joinerSecret
	// path is the path secret of the lowest node above both the committer and the joiner; nil without a path.
	path Secret
	psks []PreSharedKeyID
}

func (m *welcome) encode(w *writer) {
	w.uint16(uint16(m.suite))
	start := w.open()
	for i := range m.secrets {
		w.opaque(m.secrets[i].newMember)
		m.secrets[i].secrets.encode(w)
	}
	w.close(start)
	w.opaque(m.groupInfo)
}

func decodeWelcome(r *reader) *welcome {
	m := &welcome{suite: CipherSuite(r.uint16())}
	r.each(func(r *reader) {
		m.secrets = append(m.secrets, encryptedGroupSecrets{r.opaque(), decodeHPKECiphertext(r)})
	})
	m.groupInfo = r.opaque()
	return m
}

func parseWelcome(b []byte) (*welcome, error) {
	r := reader{b: bytes.Clone(b)}
	readHeader(&r, wireWelcome)
	m := decodeWelcome(&r)
	return m, r.end()
}

func (g *groupSecrets) encode(w *writer) {
	w.opaque(g.joiner.Secret)
	w.present(g.path != nil)
	if g.path != nil {
		w.opaque(g.path)
	}
	start := w.open()
	for i := range g.psks {
		g.psks[i].encode(w)
	}
	w.close(start)
}

func decodeGroupSecrets(r *reader) *groupSecrets {
	g := &groupSecrets{joiner: joinerSecret{r.opaque()}}
	if r.present() {
		g.path = r.opaque()
	}
	r.each(func(r *reader) { g.psks = append(g.psks, decodePreSharedKeyID(r)) })
	return g
}

// WelcomeRefs returns the key packages that a Welcome is for, so that the secret halves can be looked up beforehand.
func WelcomeRefs(message []byte) ([]KeyPackageRef, error) {
	m, err := parseWelcome(message)
	if err != nil {
		return nil, err
	}
	refs := make([]KeyPackageRef, len(m.secrets))
	for i, s := range m.secrets {
		refs[i] = KeyPackageRef(s.newMember)
	}
	return refs, nil
}

// welcome makes the Welcome for the members that tr adds (RFC 9420, Section 12.4.1). steps and path are those of the
// commit; path is nil if it has none.
func (n *nextEpoch) welcome(tr *transition, signer crypto.Signer, steps []pathStep, path *pathSecrets, withTree bool) ([]byte, error) {
	info := n.info()
	if withTree {
		info.tree = n.tree
	}
	plain, err := info.marshal(n.suite, signer)
	if err != nil {
		return nil, err
	}
	m := &welcome{suite: n.suite.id}
	context := m.sealGroupInfo(n.suite, n.member, plain)
	for j, i := range tr.added {
		secrets := groupSecrets{joiner: n.joiner, psks: tr.psks}
		if path != nil {
			secrets.path = path.at(steps, commonAncestor(n.own, i))
		}
		sealed, err := n.suite.sealGroupSecrets(tr.packages[j], &secrets, context)
		if err != nil {
			return nil, err
		}
		m.secrets = append(m.secrets, sealed)
	}
	out := newMessage(wireWelcome)
	out.b = slices.Grow(out.b, len(m.groupInfo)+len(m.secrets)*(2*len(m.secrets[0].secrets.kemOutput)+256))
	m.encode(out)
	return out.b, nil
}

// sealGroupInfo encrypts the GroupInfo, and returns the EncryptContext that it is part of, the same for all new members.
func (m *welcome) sealGroupInfo(s *suite, member memberSecret, plain []byte) []byte {
	const header = 64
	key := s.welcomeKey(member)
	w := writer{make([]byte, 0, header+len(plain)+tagSize)}
	w.label("Welcome")
	w.length(len(plain) + tagSize)
	context := s.cipher(key.key).Seal(w.b, key.nonce, plain, nil)
	m.groupInfo = context[len(w.b):]
	return context
}

// at returns the path secret of a node of the path.
func (p *pathSecrets) at(steps []pathStep, x nodeIndex) Secret {
	for k, step := range steps {
		if step.node == x {
			return p.secrets[k]
		}
	}
	return nil
}

// sealGroupSecrets encrypts to a new member what it begins with, in the EncryptContext that the encrypted GroupInfo makes.
func (s *suite) sealGroupSecrets(kp *KeyPackage, secrets *groupSecrets, context []byte) (encryptedGroupSecrets, error) {
	initKey, err := s.publicKey(kp.InitKey)
	if err != nil {
		return encryptedGroupSecrets{}, err
	}
	var w writer
	secrets.encode(&w)
	sealed, err := s.encryptIn(initKey, context, w.b)
	return encryptedGroupSecrets{[]byte(kp.Ref()), sealed}, err
}

// openGroupSecrets decrypts the entry for a key package.
func (s *suite) openGroupSecrets(p *KeyPackagePrivate, entry encryptedGroupSecrets, groupInfo []byte) (*groupSecrets, error) {
	key := privateKey{secret: p.initKey}
	parsed, err := key.hpkeKey(s)
	if err != nil {
		return nil, err
	}
	plain, err := s.decrypt(parsed, "Welcome", groupInfo, entry.secrets)
	if err != nil {
		return nil, err
	}
	r := reader{b: plain}
	secrets := decodeGroupSecrets(&r)
	return secrets, r.end()
}

// openGroupInfo decrypts the description of the epoch.
func (s *suite) openGroupInfo(m *welcome, member memberSecret) (*groupInfo, error) {
	key := s.welcomeKey(member)
	plain, err := s.cipher(key.key).Open(nil, key.nonce, m.groupInfo, nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	r := reader{b: plain}
	info := decodeGroupInfo(&r)
	return info, r.end()
}
