package mls

import (
	"bytes"
	"maps"
	"slices"
)

// An epoch is a member's state for one epoch. All but the secret tree and the pending proposals is fixed once it is made.
type epoch struct {
	unprintable
	suite   *suite
	context groupContext
	// encoded is the context's encoding, which every message is signed with.
	encoded []byte
	tree    *ratchetTree
	own     LeafIndex
	keys    privateKeys
	secrets *epochSecrets
	// interim is the interim transcript hash. No two states of a group share it, so it also names the state.
	interim         []byte
	confirmationTag []byte
	ratchets        *secretTree
	pending         []*pendingProposal
	// reserved are the generations of the own handshake ratchet that candidate commits are sealed under. They are not part of the
	// state: each candidate brings its own when it is loaded.
	reserved map[uint32]struct{}
	// reinit is set in the last epoch of a group that was reinitialized.
	reinit *ReInit
	// link is set in the first epoch of a group that comes from another one: the key that the commit to the second epoch, the
	// only one that is made in it, mixes in.
	link *preSharedKey
}

// begin fills in what follows from the context and the epoch secret.
func (e *epoch) begin(epochSecret Secret) {
	var encryption Secret
	e.secrets, encryption = e.suite.deriveEpoch(epochSecret)
	e.ratchets = newSecretTree(e.suite, e.tree.size(), encryption)
	e.confirmationTag = e.suite.mac(e.secrets.confirmation, e.context.confirmedTranscriptHash)
	e.interim = e.suite.interimHash(e.context.confirmedTranscriptHash, e.confirmationTag)
}

// clone copies what can change.
func (e *epoch) clone() *epoch {
	c := *e
	c.ratchets = e.ratchets.clone()
	c.pending = slices.Clone(e.pending)
	c.reserved = maps.Clone(e.reserved)
	return &c
}

// reserve keeps the generation of a candidate from proposals and other candidates: the members will need its key.
func (e *epoch) reserve(generation uint32) {
	if e.reserved == nil {
		e.reserved = make(map[uint32]struct{})
	}
	e.reserved[generation] = struct{}{}
}

// ownPSK returns the resumption secret, if id names this epoch's, and the key that links this group to its predecessor.
func (e *epoch) ownPSK(id PreSharedKeyID) Secret {
	if e.link != nil && id.equal(&e.link.id) {
		return e.link.key
	}
	if id.Type == PSKResumption && id.Epoch == e.context.epoch && bytes.Equal(id.GroupID, e.context.groupID) {
		return e.secrets.resumption
	}
	return nil
}

// A nextEpoch is the epoch that a commit leads to, with the stages of the key schedule that its Welcome needs.
type nextEpoch struct {
	*epoch
	joiner joinerSecret
	member memberSecret
}

// advance derives the next epoch from a commit that was signed (RFC 9420, Section 12.4.1 and 12.4.2). The commit's confirmation tag
// is then in the new epoch: the sender adds it, the receiver compares it.
func (e *epoch) advance(tr *transition, a *authenticatedContent, secret commitSecret, psks []preSharedKey) *nextEpoch {
	s := e.suite
	next := &epoch{suite: s, tree: tr.tree, own: e.own, keys: tr.keys, reinit: tr.reinit}
	next.context = tr.context(&e.context)
	next.context.confirmedTranscriptHash = s.confirmedHash(e.interim, a)
	next.encoded = next.context.marshal()
	init := e.secrets.init
	if tr.init != nil {
		init = *tr.init
	}
	joiner := s.joiner(init, secret, next.encoded)
	member := s.member(joiner, s.pskSecret(psks))
	next.begin(s.epochSecret(member, next.encoded))
	return &nextEpoch{next, joiner, member}
}

// noCommitSecret stands for the secret of a commit without a path.
func (s *suite) noCommitSecret() commitSecret { return commitSecret{make([]byte, s.nh)} }
