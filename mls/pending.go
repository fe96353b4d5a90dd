package mls

import "bytes"

// A group keeps pending proposals until the epoch ends, and anybody who is heard can send them. So there is a bound on those of each
// sender, which the others' do not count towards: members that hear the same messages of one sender keep the same of them, whatever
// comes between, and can follow each other's commits. The second bound is on what a crowd of senders takes of memory. Bytes are
// those of the signed content: an Add has some 420 of suite 1, and 3,900 of the largest post-quantum suite.
const (
	maxPendingOfOne      = 512
	maxPendingBytesOfOne = 4 << 20
	maxPending           = 1 << 12
	maxPendingBytes      = 32 << 20
)

// A pendingProposal is a proposal that may be committed by reference.
type pendingProposal struct {
	unprintable
	ReceivedProposal
	content *authenticatedContent
	// size is the length of the content's encoding.
	size int
	// leafKey is the private half of an own Update's leaf.
	leafKey *privateKey
	// ignored says that the application wants no commit of it.
	ignored bool
}

// pendingProposal makes a proposal pending. What is kept of it lies in the encoding whose length is counted, and not in the message
// that it came in: that may be padded to any length. So an own one that nobody could read is found before it is sent.
func (e *epoch) pendingProposal(a *authenticatedContent, leafKey *privateKey) (*pendingProposal, error) {
	var w writer
	a.encode(&w)
	r := reader{b: bytes.Clone(w.b)}
	kept := decodeAuthenticatedContent(&r)
	if err := r.end(); err != nil {
		return nil, err
	}
	from := kept.content.sender
	return &pendingProposal{
		ReceivedProposal: ReceivedProposal{
			Sender: e.party(from, kept.content.proposal), From: from.kind, Proposal: kept.content.proposal,
			AuthenticatedData: kept.content.authenticatedData, Own: from.is(e.own), ref: e.suite.proposalRef(w.b),
		},
		content: kept,
		size:    len(w.b),
		leafKey: leafKey,
	}, nil
}

// findPending returns the pending proposal of this reference.
func (e *epoch) findPending(ref []byte) *pendingProposal {
	for _, p := range e.pending {
		if bytes.Equal(p.ref, ref) {
			return p
		}
	}
	return nil
}

// checkRoom tells whether there is room for a proposal. One that is there already needs none.
func (e *epoch) checkRoom(p *pendingProposal) error {
	all, one := p.size, p.size
	count, ofOne := 1, 1
	for _, q := range e.pending {
		if bytes.Equal(q.ref, p.ref) {
			return nil
		}
		all, count = all+q.size, count+1
		if q.content.content.sender == p.content.content.sender {
			one, ofOne = one+q.size, ofOne+1
		}
	}
	if count > maxPending || ofOne > maxPendingOfOne || all > maxPendingBytes || one > maxPendingBytesOfOne {
		return ErrTooManyProposals
	}
	return nil
}

// addPending keeps a proposal for which there is room until it is committed or the epoch ends. One that is there already stays
// as it is.
func (e *epoch) addPending(p *pendingProposal) *ReceivedProposal {
	if known := e.findPending(p.ref); known != nil {
		p = known
	} else {
		e.pending = append(e.pending, p)
	}
	shown := p.ReceivedProposal
	return &shown
}

// listed is the proposal as a commit names it.
func (p *pendingProposal) listed() listedProposal {
	return listedProposal{proposal: p.Proposal, sender: p.content.content.sender, ref: p.ref, leafKey: p.leafKey}
}
