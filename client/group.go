package client

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/mls"
)

// group gives the room's MLS group, loaded when it is first needed; nil where the room has none.
func (c *Core) group(r *room) *mls.Group {
	if r.group != nil || r.kind != Sealed || r.status != joined || r.rejoin != nil {
		return r.group
	}
	group, err := c.loadGroup(r)
	switch {
	case c.err != nil:
		return nil // nothing is known
	case err == nil && group == nil:
		c.startRejoin(r, causeLost)
		return nil
	case err != nil:
		c.cfg.log.Error("the keys of a room cannot be read", "room", r.id, "error", err)
		c.startRejoin(r, causeDamaged)
		return nil
	}
	r.group = group
	if _, err := decodeRoster(c.get(keyRoster(r.id))); err != nil { // damaged, or of before rosters were kept
		c.keepRoster(r)
	}
	return group
}

// loadGroup reads the room's group; nil where nothing is stored of one.
func (c *Core) loadGroup(r *room) (*mls.Group, error) {
	prefix := keyGroup(r.id)
	records := c.scan(ScanOptions{Prefix: prefix})
	if len(records) == 0 {
		return nil, nil
	}
	var all iter.Seq2[string, []byte] = func(yield func(string, []byte) bool) {
		for _, record := range records {
			if !yield(strings.TrimPrefix(record.Key, prefix), record.Value) {
				return
			}
		}
	}
	group, err := mls.LoadGroup(c.groupConfig(r.id), all)
	if err == nil {
		_, err = rosterOf(group.Extensions())
	}
	return group, err
}

// keepRoster stores what the members agree upon apart from the group, for when that is lost.
func (c *Core) keepRoster(r *room) { c.put(keyRoster(r.id), c.roster(r).encode()) }

// elsewhere reports whether the server is at another epoch than this device's group; never where there is none.
func (c *Core) elsewhere(r *room, epoch uint64) bool {
	group := c.group(r)
	return group != nil && group.Epoch() != epoch
}

// dropGroup forgets a group for good.
func (c *Core) dropGroup(r *room) {
	r.group, r.cachedRoster = nil, nil
	c.erase(keyGroup(r.id))
	c.delete(keyRoster(r.id))
	c.dropPending(r)
	c.endRejoin(r)
	if r.restart != nil {
		r.restart = nil
		c.delete(keyRestart(r.id))
	}
	delete(c.vol.renewals, r.id)
}

func (c *Core) groupConfig(room ident.RoomID) mls.Config {
	return mls.Config{
		Verifier: &memberVerifier{core: c, room: room},
		Policy:   mls.PolicyFunc(func(commit *mls.CommitContext) error { return c.judge(room, commit) }),
		Signer:   c.mem.key.Signer(),
		Admit:    func(p *mls.ReceivedProposal) error { return c.admit(room, p) },
	}
}

// memberVerifier checks leaves against the chains that this device has. Accounts whose chain does not say enough are
// noted in the core's missing, so that the chains can be fetched and the question asked again.
type memberVerifier struct {
	core *Core
	room ident.RoomID
}

func (v *memberVerifier) VerifyMember(m mls.Member) error {
	if err := checkLifetime(m.Lifetime); err != nil {
		return err
	}
	credential, err := memberCredential(m)
	if err != nil {
		return err
	}
	chain := v.core.chain(credential.Account)
	if chain == nil {
		v.core.lacks(credential.Account)
		return fmt.Errorf("client: the chain of account %s is not known", credential.Account)
	}
	if _, ok := chain.EverEnrolled(credential.Device); !ok {
		v.core.lacks(credential.Account)
	}
	certificate, _ := m.Extensions.Get(extensionCertificate)
	return ident.VerifyPastMember(chain, m.Credential.Identity, m.SignatureKey, certificate)
}

// checkLifetime refuses the leaf of a key package that could be hoarded for longer than any honest one lasts (RFC 9420, Section 7.2).
// A leaf that was renewed in its group has no lifetime.
func checkLifetime(l mls.Lifetime) error {
	if l.NotAfter < l.NotBefore || l.NotAfter-l.NotBefore > uint64(longestLifetime/time.Second) {
		return errors.New("client: a leaf with a lifetime that no key package has")
	}
	return nil
}

func (v *memberVerifier) VerifySuccession(old, next mls.Member) error {
	if !old.Credential.Equal(next.Credential) {
		return errors.New("client: a device must stay itself")
	}
	return v.VerifyMember(next)
}

// lacks notes that an account's chain says too little.
func (c *Core) lacks(account ident.AccountID) {
	for _, known := range c.missing {
		if known == account {
			return
		}
	}
	c.missing = append(c.missing, account)
}

func memberCredential(m mls.Member) (ident.Credential, error) {
	if m.Credential.Type != mls.CredentialBasic {
		return ident.Credential{}, errors.New("client: not a basic credential")
	}
	return ident.ParseCredential(m.Credential.Identity)
}

// leafOf gives who a member is. It is called for members that were verified, so that a credential always parses.
func leafOf(m mls.Member) leaf {
	credential, _ := memberCredential(m)
	return leaf{index: m.Index, account: credential.Account, device: credential.Device}
}

func leavesOf(members iter.Seq[mls.Member]) (leaves []leaf) {
	for m := range members {
		leaves = append(leaves, leafOf(m))
	}
	return leaves
}

// judge is the policy of every group: it puts the commit into Authorize's terms.
func (c *Core) judge(room ident.RoomID, commit *mls.CommitContext) error {
	before, err := rosterOf(commit.Before)
	if err != nil {
		return err
	}
	after, err := rosterOf(commit.After)
	if err != nil {
		return err
	}
	judged := change{
		committer: leafOf(commit.Committer),
		after:     roomState{after, leavesOf(commit.MembersAfter())},
		enrolled:  c.enrolledAt,
		foreign:   !commit.Before.Without(extensionRoster).Equal(commit.After.Without(extensionRoster)),
	}
	for _, p := range commit.Proposals {
		switch proposal := p.Proposal.(type) {
		case *mls.Add:
			l := leafOf(proposal.KeyPackage.Member())
			judged.added = append(judged.added, l)
			if p.From == mls.SenderNewMemberProposal {
				judged.requested = append(judged.requested, l)
			} else {
				judged.foreign = judged.foreign || p.ByReference
			}
		case *mls.GroupContextExtensions:
			judged.foreign = judged.foreign || p.ByReference
		case *mls.Remove:
			target, ok := commit.MemberBefore(proposal.Removed)
			if !ok {
				return errors.New("client: nobody is at the leaf that is removed")
			}
			r := removal{leafOf(target), leafOf(p.Sender)}
			judged.removals = append(judged.removals, r)
			judged.foreign = judged.foreign || p.ByReference && r.sender.account != r.target.account
		case *mls.Update:
		default:
			judged.kinds = append(judged.kinds, proposal.Type())
		}
	}
	if c.replaced != nil {
		return authorizeReboot(roomState{before, leavesOf(commit.MembersBefore())}, judged, c.replaced)
	}
	return Authorize(roomState{before, leavesOf(commit.MembersBefore())}, judged)
}

// enrolledAt reports whether the device was enrolled when its account's chain had this many statements. A chain that is
// shorter here is noted, so that it can be fetched and the question asked again.
func (c *Core) enrolledAt(l leaf, statements uint64) (bool, error) {
	chain := c.chain(l.account)
	if chain == nil || uint64(chain.Len()) < statements {
		c.lacks(l.account)
		return false, fmt.Errorf("client: the chain of account %s is not known as far as the room goes by it", l.account)
	}
	d, ok := chain.EverEnrolled(l.device)
	return ok && d.EnrolledAt(statements), nil
}

func rosterOf(extensions mls.Extensions) (roster, error) {
	b, ok := extensions.Get(extensionRoster)
	if !ok {
		return roster{}, errors.New("client: the group has no roster")
	}
	return decodeRoster(b)
}

// roster gives what the members of a sealed room agree upon; where this device cannot follow the room the last that it knew,
// and an empty one where it is in no room.
func (c *Core) roster(r *room) roster {
	if r.cachedRoster != nil {
		return *r.cachedRoster
	}
	var decoded roster
	if group := c.group(r); group != nil {
		decoded, _ = rosterOf(group.Extensions()) // it was read before there was a group
	} else if r.rejoin != nil {
		decoded, _ = decodeRoster(c.get(keyRoster(r.id)))
	} else {
		return roster{}
	}
	r.cachedRoster = &decoded
	return decoded
}

// leafExtensions are what this device's leaves carry: its certificate.
func (c *Core) leafExtensions() mls.Extensions {
	me := c.mem.account.me
	return c.certificateOf(c.chain(me.Account), me.Device)
}

func (c *Core) certificateOf(chain *ident.Chain, device ident.DeviceID) mls.Extensions {
	certificate, err := chain.Certificate(device)
	if err != nil {
		c.fail(failed("making a leaf", err))
	}
	return mls.Extensions{{Type: extensionCertificate, Data: certificate}}
}

// newGroup makes the group of a new room, with this device alone in it.
func (c *Core) newGroup(r *room) {
	me := c.mem.account.me
	first := newRoster(r.name, !r.direct.IsZero(), me.Account, uint64(c.chain(me.Account).Len()))
	c.makeGroup(r, first, 0)
}
