package client

import (
	"bytes"
	"errors"

	"snug/internal/ident"
	"snug/mls"
)

// errNotAdmitted is why a proposal from outside of a group is not taken in.
var errNotAdmitted = errors.New("client: not the request of a device that is in the room")

// admit takes in the proposal of a device that is in the room to be let in anew. It looks at nothing but
// the group and the log, so that all members come to the same answer: who cannot find a proposal cannot follow its commit.
// That the log's entry is said to be the device's is no proof, but the signature is one: the key is that of its leaf.
func (c *Core) admit(room ident.RoomID, p *mls.ReceivedProposal) error {
	r := c.mem.rooms[room]
	add, ok := p.Proposal.(*mls.Add)
	if !ok || p.From != mls.SenderNewMemberProposal || r == nil || r.group == nil {
		return errNotAdmitted
	}
	asking := add.KeyPackage.Member()
	l := leafOf(asking)
	if l.account != c.proposer.account || l.device != c.proposer.device {
		return errNotAdmitted
	}
	there, ok := memberOf(r.group, l)
	// A device that was let in and has said nothing since has the key package's key: that request is answered.
	if !ok || !bytes.Equal(there.SignatureKey, asking.SignatureKey) || bytes.Equal(there.EncryptionKey, asking.EncryptionKey) {
		return errNotAdmitted
	}
	return nil
}

// memberOf finds a device's leaf.
func memberOf(group *mls.Group, l leaf) (mls.Member, bool) {
	for m := range group.Members() {
		if there := leafOf(m); there.device == l.device && there.account == l.account {
			return m, true
		}
	}
	return mls.Member{}, false
}

// planRequests takes in the devices that ask to be let in anew, by the last request of each. What this device may not do for them, or cannot, it ignores: another
// one can, and nobody has to wait with what they say.
func (c *Core) planRequests(r *room, p *plan) {
	group := c.group(r)
	p.requests = make(map[ident.DeviceID]mls.Proposal)
	for _, proposal := range group.Pending() {
		if proposal.From != mls.SenderNewMemberProposal {
			continue
		}
		if l := leafOf(proposal.Sender); c.letsIn(r, p, l, proposal.Sender) {
			p.requests[l.device] = proposal.Proposal
		} else {
			group.Ignore(proposal)
		}
	}
}

// letsIn reports whether this device lets another one in anew, as far as it can tell before it tries.
func (c *Core) letsIn(r *room, p *plan, l leaf, asking mls.Member) bool {
	group, now := c.group(r), uint64(c.now.Unix())
	verifier := memberVerifier{core: c, room: r.id}
	if !p.after.has(l.account) || c.revokedNow(l) || now < asking.Lifetime.NotBefore || now > asking.Lifetime.NotAfter ||
		verifier.VerifyMember(asking) != nil {
		return false
	}
	commit := change{committer: leafOf(group.OwnLeaf()), after: roomState{roster: p.after}}
	return authorizeRequest(roomState{roster: c.roster(r)}, commit, l) == nil
}

// ignoreRequests leaves the devices that ask to be let in anew to others, after a commit that could not be made.
func (c *Core) ignoreRequests(r *room) {
	group := c.group(r)
	for _, proposal := range group.Pending() {
		if proposal.From == mls.SenderNewMemberProposal {
			group.Ignore(proposal)
		}
	}
}
