package mls

import (
	"bytes"
	"crypto/hpke"
	"maps"
	"slices"
	"time"
)

// ExternalOptions says how to join by a commit of one's own.
type ExternalOptions struct {
	// Credential, LeafExtensions and Capabilities describe the new leaf, as in KeyPackageOptions.
	Credential     Credential
	LeafExtensions Extensions
	Capabilities   Capabilities
	// RatchetTree is the tree, for a GroupInfo that does not carry it.
	RatchetTree []byte
	// Replaces chooses among the members the one that is this very device, whose leaf the commit removes: a device that lost its
	// state comes back this way. Nil joins anew. The first member that it chooses counts, and one there must be.
	Replaces func(Member) bool
	// PSKs are pre-shared keys to mix in, which Config.PSK knows.
	PSKs []PreSharedKeyID
	// SelfRemoves are the messages by which members of the epoch ask to leave; each must be committed with the joining
	// (draft-ietf-mls-extensions). The membership tags are for the members to judge.
	SelfRemoves [][]byte
	// Now, when given, is when leaves from key packages must be valid, as in JoinOptions.
	Now time.Time
	// AuthenticatedData travels with the commit, readable by everyone.
	AuthenticatedData []byte
}

// An ExternalJoin is a commit by which this device joins a group, and the group as it will be if the commit wins.
type ExternalJoin struct {
	unprintable
	message []byte
	group   *Group
}

// JoinExternally computes the commit by which this device joins the group that a GroupInfo describes (RFC 9420, Section
// 12.4.3.2). Save it, send its Message, which is public, and take its Group when it has won; a loser is dropped. Whether
// the GroupInfo is that of the right group and its newest is not to be seen from it.
func JoinExternally(cfg Config, groupInfo []byte, opts ExternalOptions) (*ExternalJoin, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	outside, external, err := openPublicInfo(cfg, groupInfo, opts)
	if err != nil {
		return nil, err
	}
	list, err := outside.externalList(opts)
	if err != nil {
		return nil, err
	}
	tr, err := outside.apply(list, sender{kind: SenderNewMemberCommit})
	if err != nil {
		return nil, err
	}
	if tr.init, err = outside.suite.sendExternalInit(external, tr); err != nil {
		return nil, err
	}
	return outside.joinBy(tr, opts)
}

// openPublicInfo verifies a GroupInfo and makes of it the group as it is from outside: without any of its secrets.
func openPublicInfo(cfg Config, message []byte, opts ExternalOptions) (*Group, hpke.PublicKey, error) {
	info, s, err := parseGroupInfo(message)
	if err != nil {
		return nil, nil, err
	}
	tree, err := info.readTree(s, opts.RatchetTree)
	if err != nil {
		return nil, nil, err
	}
	if err := cfg.verifyTree(tree, opts.Now); err != nil {
		return nil, nil, err
	}
	data, ok := info.extensions.Get(ExtensionExternalPub)
	if !ok {
		return nil, nil, invalid("12.4.3.2", "a group info without the key for external commits")
	}
	r := reader{b: data}
	encoded := r.opaque()
	if err := r.end(); err != nil {
		return nil, nil, err
	}
	key, err := s.publicKey(encoded)
	if err != nil {
		return nil, nil, err
	}
	e := &epoch{suite: s, context: info.context, tree: tree, confirmationTag: info.confirmationTag, secrets: &epochSecrets{}, keys: privateKeys{}}
	e.encoded = e.context.marshal()
	e.interim = s.interimHash(e.context.confirmedTranscriptHash, info.confirmationTag)
	return &Group{cfg: cfg, epoch: e}, key, nil
}

// parseGroupInfo reads a GroupInfo, of which nothing is verified yet.
func parseGroupInfo(message []byte) (*groupInfo, *suite, error) {
	r := reader{b: bytes.Clone(message)}
	readHeader(&r, wireGroupInfo)
	info := decodeGroupInfo(&r)
	if err := r.end(); err != nil {
		return nil, nil, err
	}
	s, err := info.context.suite.suite()
	return info, s, err
}

// externalList lists the proposals of the commit. The init stands for itself until the tree is known to be good.
func (g *Group) externalList(opts ExternalOptions) ([]listedProposal, error) {
	by := sender{kind: SenderNewMemberCommit}
	list := []listedProposal{{proposal: &ExternalInit{}, sender: by}}
	if opts.Replaces != nil {
		at := slices.Collect(g.tree.members())
		i := slices.IndexFunc(at, opts.Replaces)
		if i < 0 {
			return nil, invalid("", "no member is the one to be replaced")
		}
		list = append(list, listedProposal{proposal: &Remove{at[i].Index}, sender: by})
	}
	for _, id := range opts.PSKs {
		list = append(list, listedProposal{proposal: g.suite.filled(&PreSharedKey{id}), sender: by})
	}
	for _, message := range opts.SelfRemoves {
		p, err := g.readSelfRemove(message)
		if err != nil {
			return nil, err
		}
		list = append(list, p.listed())
	}
	return list, nil
}

// readSelfRemove verifies what can be verified from outside: all but the membership tag.
func (g *Group) readSelfRemove(message []byte) (*pendingProposal, error) {
	r := reader{b: bytes.Clone(message)}
	readHeader(&r, wirePublicMessage)
	m := decodePublicMessage(&r)
	if err := r.end(); err != nil {
		return nil, err
	}
	c := m.content
	if err := g.checkEpoch(c.groupID, c.epoch); err != nil {
		return nil, err
	}
	if _, ok := c.proposal.(*SelfRemove); !ok || c.sender.kind != SenderMember {
		return nil, invalid("12.4.3.2", "an external commit with a proposal by reference")
	}
	leaf := g.tree.leaf(c.sender.leaf())
	if leaf == nil {
		return nil, invalid("6", "a message from a leaf that is not a member's")
	}
	if err := m.verify(g.suite, leaf.SignatureKey, g.encoded); err != nil {
		return nil, err
	}
	return g.epoch.pendingProposal(&m.authenticatedContent, nil)
}

// sendExternalInit makes the init secret that only the members can compute too (RFC 9420, Section 8.3).
func (s *suite) sendExternalInit(key hpke.PublicKey, tr *transition) (*initSecret, error) {
	enc, context, err := hpke.NewSender(key, s.kdf, s.aead, nil)
	if err != nil {
		return nil, invalid("12.4.3.2", "the key for external commits cannot be used")
	}
	secret, err := context.Export(externalInitLabel, s.nh)
	if err != nil {
		return nil, err
	}
	for _, p := range tr.proposals {
		if init, ok := p.proposal.(*ExternalInit); ok {
			init.KEMOutput = enc
		}
	}
	return &initSecret{secret}, nil
}

// receiveExternalInit is the members' side of sendExternalInit.
func (s *suite) receiveExternalInit(external Secret, kemOutput []byte) (*initSecret, error) {
	key, err := s.deriveKey(external)
	if err != nil {
		return nil, err
	}
	parsed, err := key.hpkeKey(s)
	if err != nil {
		return nil, err
	}
	context, err := hpke.NewRecipient(kemOutput, parsed, s.kdf, s.aead, nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	secret, err := context.Export(externalInitLabel, s.nh)
	if err != nil {
		return nil, ErrDecrypt
	}
	return &initSecret{secret}, nil
}

const externalInitLabel = "MLS 1.0 external init secret"

// joinBy makes the path of who joins, and the commit.
func (g *Group) joinBy(tr *transition, opts ExternalOptions) (*ExternalJoin, error) {
	g.own = tr.committer
	leaf := &LeafNode{
		Credential:   opts.Credential,
		Capabilities: opts.Capabilities.completed(opts.Credential.Type, opts.LeafExtensions),
		Extensions:   opts.LeafExtensions,
	}
	leaf = leaf.detached()
	leaf.grease()
	b := &committing{g: g, tr: tr, signer: g.cfg.Signer, leaf: leaf,
		opts: CommitOptions{AuthenticatedData: opts.AuthenticatedData, Public: true}}
	if err := b.renewPath(); err != nil {
		return nil, err
	}
	if err := b.leaf.checkOwn(g.suite, tr.extensions); err != nil {
		return nil, err
	}
	if err := tr.finish(); err != nil {
		return nil, err
	}
	if err := g.authorize(tr, true); err != nil {
		return nil, err
	}
	var err error
	if tr.found, err = g.cfg.findPSKs(tr.psks, g.ownPSK); err != nil {
		return nil, err
	}
	staged, err := b.stage()
	if err != nil {
		return nil, err
	}
	return &ExternalJoin{message: staged.message, group: &Group{cfg: g.cfg, epoch: staged.next}}, nil
}

// Message is the commit to send to the group.
func (j *ExternalJoin) Message() []byte { return j.message }

// Group is the group of which this device is a member once the commit has won. Each call gives a group of its own, whose
// first Delta is a full one: take one and keep to it, as with Group.Clone.
func (j *ExternalJoin) Group() *Group { return j.group.Clone() }

// Save returns the candidate in a form that LoadExternalJoin reads. It holds the secrets of the epoch: keep it sealed, and
// delete it when it was taken or has lost.
func (j *ExternalJoin) Save() Secret {
	var w writer
	w.uint8(stateVersion)
	w.opaque(j.message)
	start := w.open()
	for _, record := range j.group.Clone().Delta().Puts {
		w.text(record.Key)
		w.opaque(record.Value)
	}
	w.close(start)
	return w.b
}

// LoadExternalJoin reads what Save wrote.
func LoadExternalJoin(cfg Config, b []byte) (*ExternalJoin, error) {
	r := reader{b: bytes.Clone(b)}
	readVersion(&r)
	j := &ExternalJoin{message: r.opaque()}
	records := make(map[string][]byte)
	r.each(func(r *reader) { records[string(r.opaque())] = r.opaque() })
	if err := r.end(); err != nil {
		return nil, err
	}
	var err error
	if j.group, err = LoadGroup(cfg, maps.All(records)); err != nil {
		return nil, err
	}
	if !bytes.Equal(j.Save(), b) {
		return nil, malformed("a saved join in another order")
	}
	return j, nil
}

// processExternalCommit verifies a commit by which somebody joins.
func (g *Group) processExternalCommit(m *publicMessage) (Result, error) {
	c := m.content
	if c.contentType != ContentCommit || c.commit.path == nil {
		return nil, invalid("12.4.3.2", "a newcomer's message that is no commit with a path")
	}
	if err := m.verify(g.suite, c.commit.path.leaf.SignatureKey, g.encoded); err != nil {
		return nil, err
	}
	staged, err := g.receiveCommit(&m.authenticatedContent)
	if err != nil {
		return nil, err
	}
	return staged, nil
}
