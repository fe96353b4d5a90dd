package mls

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
)

// A listedProposal is a proposal in a commit.
type listedProposal struct {
	unprintable
	proposal Proposal
	sender   sender
	ref      []byte
	// leafKey is the private half of an own Update's leaf.
	leafKey *privateKey
	// checked says that wrong is what checkProposal says in this epoch, signatures included: a list that is made of others is not
	// verified anew.
	checked bool
	wrong   error
}

// A transition is the group as a commit's proposals leave it, and then its path.
type transition struct {
	unprintable
	tree       *ratchetTree
	extensions Extensions
	by         sender
	// committer is the committer's leaf; of an external commit the one that it takes.
	committer LeafIndex
	proposals []listedProposal
	added     []LeafIndex
	packages  []*KeyPackage
	removed   []LeafIndex
	updated   []LeafIndex
	psks      []PreSharedKeyID
	// found are the keys of psks, for a commit that is made here.
	found []preSharedKey
	// keys are the private keys that this member still has.
	keys privateKeys
	// changed are the places of new nodes, whose keys must be new.
	changed []nodeIndex
	// reinit is the group that is to come after this one.
	reinit *ReInit
	// kemOutput is what an external commit derives the init secret from, and init the outcome.
	kemOutput []byte
	init      *initSecret
}

// external tells whether the commit is one of somebody who is not in the group yet.
func (tr *transition) external() bool { return tr.by.kind == SenderNewMemberCommit }

// apply validates a list of proposals (RFC 9420, Section 12.2) and applies it in the order of Section 12.3. What only
// holds after the path is merged is checked by finish.
func (e *epoch) apply(list []listedProposal, by sender) (*transition, error) {
	if err := e.checkList(list, by); err != nil {
		return nil, err
	}
	tr := &transition{tree: e.tree.clone(), extensions: e.context.extensions, by: by, committer: by.leaf(), proposals: list}
	var ownLeafKey *privateKey
	for _, kind := range inOrder {
		for _, p := range list {
			if p.proposal.Type() == kind {
				tr.applyOne(p)
			}
			if p.leafKey != nil {
				ownLeafKey = p.leafKey
			}
		}
	}
	if tr.external() {
		tr.committer = tr.tree.place()
	}
	tr.keys = e.keys.stillIn(tr.tree, e.tree)
	if ownLeafKey != nil {
		tr.keys[e.own.node()] = ownLeafKey
	}
	return tr, tr.checkLeaves(e.own, !tr.extensions.Equal(e.context.extensions))
}

// inOrder are the kinds of proposals that change something, in the order in which they do.
var inOrder = []ProposalType{
	ProposalGroupContextExtensions, ProposalUpdate, ProposalSelfRemove, ProposalRemove, ProposalAdd, ProposalPreSharedKey,
	ProposalExternalInit, ProposalReInit,
}

func (tr *transition) applyOne(p listedProposal) {
	switch v := p.proposal.(type) {
	case *GroupContextExtensions:
		tr.extensions = v.Extensions.detached()
	case *Update:
		tr.tree.update(p.sender.leaf(), v.LeafNode.detached())
		tr.updated = append(tr.updated, p.sender.leaf())
		tr.changed = append(tr.changed, p.sender.leaf().node())
	case *SelfRemove:
		tr.remove(p.sender.leaf())
	case *Remove:
		tr.remove(v.Removed)
	case *Add:
		i := tr.tree.add(v.KeyPackage.LeafNode.detached())
		tr.added, tr.packages = append(tr.added, i), append(tr.packages, v.KeyPackage)
		tr.changed = append(tr.changed, i.node())
	case *PreSharedKey:
		tr.psks = append(tr.psks, v.PSK)
	case *ExternalInit:
		tr.kemOutput = v.KEMOutput
	case *ReInit:
		tr.reinit = v.detached()
	}
}

func (tr *transition) remove(i LeafIndex) {
	tr.tree.remove(i)
	tr.removed = append(tr.removed, i)
}

// checkLeaves holds the new leaves against the extensions of the new epoch, and all leaves if these changed
// (RFC 9420, Section 12.3).
func (tr *transition) checkLeaves(own LeafIndex, contextChanged bool) error {
	if contextChanged {
		if err := tr.tree.checkContext(tr.extensions); err != nil {
			return err
		}
		if leaf := tr.tree.leaf(own); leaf != nil {
			return leaf.checkOwn(tr.tree.suite, tr.extensions)
		}
		return nil
	}
	for _, x := range tr.changed {
		if err := tr.checkLeaf(tr.tree.at(x).leaf); err != nil {
			return err
		}
	}
	return nil
}

func (tr *transition) checkLeaf(leaf *LeafNode) error {
	required, err := tr.extensions.requiredCapabilities()
	if err != nil {
		return err
	}
	return leaf.check(tr.tree.suite, required, tr.extensions)
}

// finish checks what concerns the tree as a whole.
func (tr *transition) finish() error {
	return tr.tree.count()
}

// context is the GroupContext of the next epoch, with the confirmed transcript hash of this one: the provisional context of RFC
// 9420, Section 12.4.1.
func (tr *transition) context(old *groupContext) groupContext {
	return groupContext{
		suite:                   old.suite,
		groupID:                 old.groupID,
		epoch:                   old.epoch + 1,
		treeHash:                tr.tree.rootHash(),
		confirmedTranscriptHash: old.confirmedTranscriptHash,
		extensions:              tr.extensions,
	}
}

// needsPath tells whether the commit must have a path (RFC 9420, Section 12.4).
func (tr *transition) needsPath() bool {
	return len(tr.proposals) == 0 || slices.ContainsFunc(tr.proposals, func(p listedProposal) bool {
		return p.proposal.Type().needsPath()
	})
}

// checkList holds the list against RFC 9420, Section 12.2.
func (e *epoch) checkList(list []listedProposal, by sender) error {
	if len(list) > maxLeaves-int(e.tree.size()) {
		return invalid("", "a group that is too large")
	}
	seen := make(map[string]bool)
	for _, p := range list {
		// A proposal that is listed a thousand times is not verified as often.
		if ref := "ref " + string(p.ref); p.ref != nil {
			if seen[ref] {
				return invalid("12.2", "two proposals of which a list can hold one")
			}
			seen[ref] = true
		}
		if err := p.checkIn(list, by); err != nil {
			return err
		}
		if err := e.checkListed(p); err != nil {
			return err
		}
		for _, name := range p.exclusive(by) {
			if seen[name] {
				return invalid("12.2", "two proposals of which a list can hold one")
			}
			seen[name] = true
		}
	}
	if by.kind == SenderNewMemberCommit && !seen["init"] {
		return invalid("12.2", "an external commit without an external init")
	}
	return e.checkKnown(list)
}

// checkEach notes of each proposal whether it is right by itself.
func (e *epoch) checkEach(list []listedProposal) {
	for i := range list {
		p := &list[i]
		p.checked, p.wrong = true, e.checkProposal(p.proposal, p.sender)
	}
}

func (e *epoch) checkListed(p listedProposal) error {
	if p.checked {
		return p.wrong
	}
	return e.checkProposal(p.proposal, p.sender)
}

// checkIn holds one proposal against the rules about what may stand in a list with it.
func (p *listedProposal) checkIn(list []listedProposal, by sender) error {
	if by.kind == SenderNewMemberCommit {
		return p.checkInExternal()
	}
	switch v := p.proposal.(type) {
	case *Update:
		if p.sender == by {
			return invalid("12.2", "a commit contains the committer's own update")
		}
	case *Remove:
		if by.is(v.Removed) {
			return invalid("12.2", "a commit removes its committer")
		}
	case *SelfRemove:
		if p.ref == nil || p.sender == by {
			return invalid("", "a self-remove that another member does not commit by reference")
		}
	case *ReInit:
		if len(list) > 1 {
			return invalid("12.2", "a reinit together with other proposals")
		}
	case *ExternalInit:
		return invalid("12.2", "an external init outside of an external commit")
	}
	return nil
}

// checkInExternal is checkIn for external commits: init, the removal of oneself, keys, and those who remove themselves.
func (p *listedProposal) checkInExternal() error {
	switch p.proposal.(type) {
	case *ExternalInit, *Remove, *PreSharedKey:
		if p.ref != nil {
			return invalid("12.4.3.2", "an external commit with a proposal by reference")
		}
		return nil
	case *SelfRemove:
		if p.ref == nil {
			return invalid("", "a self-remove that another member does not commit by reference")
		}
		return nil
	}
	return invalid("12.2", "a proposal that does not belong in an external commit")
}

// checkKnown verifies that all members who stay support the kinds of proposals that are not everybody's (RFC 9420, Section
// 12.2).
func (e *epoch) checkKnown(list []listedProposal) error {
	removed := make(map[LeafIndex]bool)
	seen := make(map[ProposalType]struct{})
	for _, p := range list {
		switch v := p.proposal.(type) {
		case *Remove:
			removed[v.Removed] = true
		case *SelfRemove:
			removed[p.sender.leaf()] = true
		}
		if t := p.proposal.Type(); !t.isDefault() {
			seen[t] = struct{}{}
		}
	}
	if len(seen) == 0 {
		return nil
	}
	kinds := slices.Collect(maps.Keys(seen))
	for i, leaf := range e.tree.leaves() {
		if !removed[i] && !covers(leaf.Capabilities.Proposals, kinds, ProposalType.isDefault) {
			return invalid("12.2", "a proposal of a type that a member does not support")
		}
	}
	return nil
}

// exclusive names what a list can hold only one proposal about, and is empty for others. Whether two Adds are of the same client
// is seen in the tree. The one Remove of an external commit is that of the joiner's earlier leaf.
func (p *listedProposal) exclusive(by sender) []string {
	switch v := p.proposal.(type) {
	case *Update, *SelfRemove:
		return []string{leafName(p.sender.leaf())}
	case *Remove:
		if by.kind == SenderNewMemberCommit {
			return []string{"earlier leaf", leafName(v.Removed)}
		}
		return []string{leafName(v.Removed)}
	case *GroupContextExtensions:
		return []string{"context"}
	case *ExternalInit:
		return []string{"init"}
	case *PreSharedKey:
		var w writer
		v.PSK.encode(&w)
		return []string{"psk " + string(w.b)}
	}
	return nil
}

func leafName(i LeafIndex) string { return "leaf " + strconv.Itoa(int(i)) }

// checkProposal holds one proposal against the part of RFC 9420, Section 12.1 that concerns it alone.
func (e *epoch) checkProposal(p Proposal, from sender) error {
	if err := from.mayPropose(p); err != nil {
		return err
	}
	switch v := p.(type) {
	case *Update:
		return e.checkUpdate(v, from.leaf())
	case *Remove:
		if e.tree.leaf(v.Removed) == nil {
			return invalid("12.1.3", "a remove of a leaf that is not a member's")
		}
		return nil
	case *PreSharedKey:
		return e.checkPSK(&v.PSK)
	}
	return e.suite.checkProposal(p)
}

// checkProposal is the part of epoch.checkProposal that needs to know the suite alone. For a Remove and an Update there is none.
func (s *suite) checkProposal(p Proposal) error {
	switch v := p.(type) {
	case *Add:
		if v.KeyPackage == nil || v.KeyPackage.LeafNode == nil {
			return invalid("12.1.1", "an add without a key package")
		}
		return v.KeyPackage.check(s)
	case *PreSharedKey:
		return v.PSK.check(s)
	case *GroupContextExtensions:
		return v.Extensions.checkContext()
	case *ReInit:
		return v.check()
	case *Update, *Remove, *ExternalInit, *SelfRemove:
		return nil
	case *CustomProposal:
		if v.ProposalType < firstPrivateUse {
			return invalid("", "a proposal of the application outside of the range for private use")
		}
		return nil
	}
	return ErrUnsupported
}

// mayPropose tells whether such a party makes such a proposal at all (RFC 9420, Section 12.1.8).
func (s sender) mayPropose(p Proposal) error {
	_, isAdd := p.(*Add)
	_, isInit := p.(*ExternalInit)
	switch {
	case s.kind == SenderExternal && !p.Type().isForExternalSenders():
		return invalid("12.1.8", "a proposal that external senders do not make")
	case s.kind == SenderNewMemberProposal && !isAdd:
		return invalid("12.1.8", "a new member proposes something else than its own add")
	case isInit && s.kind != SenderNewMemberCommit:
		return invalid("12.1.6", "an external init outside of an external commit")
	}
	return nil
}

// checkPSK allows resumption keys that link two groups only where they do: in the commit that founds the second.
func (e *epoch) checkPSK(id *PreSharedKeyID) error {
	if e.link != nil && id.equal(&e.link.id) {
		return nil
	}
	return id.check(e.suite)
}

// checkUpdate verifies the leaf of an Update (RFC 9420, Section 12.1.2).
func (e *epoch) checkUpdate(u *Update, sender LeafIndex) error {
	old := e.tree.leaf(sender)
	switch {
	case old == nil:
		return invalid("12.1.2", "an update by somebody who is no member")
	case u.LeafNode == nil || u.LeafNode.Source != LeafUpdate:
		return invalid("7.3", "an update's leaf does not come from an update")
	case bytes.Equal(u.LeafNode.EncryptionKey, old.EncryptionKey):
		return invalid("7.3", "an update keeps the encryption key")
	}
	if err := e.suite.checkUsable(u.LeafNode.EncryptionKey); err != nil {
		return err
	}
	return u.LeafNode.verify(e.suite, e.context.groupID, sender)
}
