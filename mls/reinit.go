package mls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

// check holds a ReInit against RFC 9420, Section 12.1.5.
func (p *ReInit) check() error {
	if p.Version < MLS10 {
		return invalid("12.1.5", "a reinit to an earlier version")
	}
	return p.Extensions.checkContext()
}

// detached returns the ReInit in memory of its own, as LeafNode.detached does: it stays with the group to its end.
func (p *ReInit) detached() *ReInit {
	c := *p
	c.GroupID, c.Extensions = bytes.Clone(p.GroupID), p.Extensions.detached()
	return &c
}

// checkSent keeps this member from ending the group in favour of one that nobody here can make.
func (p *ReInit) checkSent() error {
	if p.Version != MLS10 {
		return fmt.Errorf("%w: version %d of MLS", ErrUnsupported, p.Version)
	}
	_, err := p.Suite.suite()
	return err
}

// errNoSuchMember is why a member of a successor is refused if the verifier finds nobody to whom it could succeed.
var errNoSuchMember = errors.New("the verifier knows it for no member there")

// Reinitialized gives the group that is to come after this one, where a ReInit was committed. This one is over then: all that
// it is still good for is Reinitialize and JoinOptions.Predecessor.
func (g *Group) Reinitialized() (ReInit, bool) {
	if g.reinit == nil {
		return ReInit{}, false
	}
	return *g.reinit, true
}

// SuccessorOptions say what a group that comes from another is made of.
type SuccessorOptions struct {
	// Credential, LeafExtensions, Capabilities and Lifetime describe the own leaf, as in CreateOptions.
	Credential     Credential
	LeafExtensions Extensions
	Capabilities   Capabilities
	Lifetime       Lifetime
	// KeyPackages are those of the other members, of the new group's suite.
	KeyPackages []*KeyPackage
	// GroupID and Extensions are for a branch, whose id is 32 random bytes when empty; what succeeds a reinitialized group has
	// those of the ReInit.
	GroupID    []byte
	Extensions Extensions
	// Now, NoPath and NoTree are as in CommitOptions.
	Now            time.Time
	NoPath, NoTree bool
}

// Reinitialize makes the group that a committed ReInit asks for, with a commit that adds all other members of this one
// (RFC 9420, Section 11.2). The new group is in its first epoch: save it and the commit, merge that, and send its Welcome;
// its Message is for nobody. cfg.Signer may be another one than this group's.
func (g *Group) Reinitialize(cfg Config, opts SuccessorOptions) (*Group, *StagedCommit, error) {
	if g.reinit == nil {
		return nil, nil, invalid("11.2", "a successor of a group that goes on")
	}
	if g.reinit.Version != MLS10 {
		return nil, nil, ErrUnsupported
	}
	opts.GroupID, opts.Extensions = g.reinit.GroupID, g.reinit.Extensions
	return g.succeed(cfg, g.reinit.Suite, UsageReInit, opts)
}

// Branch makes a group of some members of this one, with a commit that adds them (RFC 9420, Section 11.3). As with
// Reinitialize the new group is in its first epoch.
func (g *Group) Branch(cfg Config, opts SuccessorOptions) (*Group, *StagedCommit, error) {
	if g.reinit != nil {
		return nil, nil, ErrReinitialized
	}
	if bytes.Equal(opts.GroupID, g.context.groupID) {
		return nil, nil, invalid("", "a branch has the group's own id")
	}
	if len(opts.GroupID) == 0 {
		opts.GroupID = random(32)
	}
	return g.succeed(cfg, g.suite.id, UsageBranch, opts)
}

// succeed makes a group that is linked to this one by its resumption secret.
func (g *Group) succeed(cfg Config, suite CipherSuite, usage PSKUsage, opts SuccessorOptions) (*Group, *StagedCommit, error) {
	if err := cfg.check(); err != nil {
		return nil, nil, err
	}
	next, err := newGroup(cfg, CreateOptions{
		Suite: suite, GroupID: opts.GroupID, Credential: opts.Credential, LeafExtensions: opts.LeafExtensions,
		Capabilities: opts.Capabilities, Lifetime: opts.Lifetime, Extensions: opts.Extensions,
	})
	if err != nil {
		return nil, nil, err
	}
	id := PreSharedKeyID{Type: PSKResumption, Usage: usage, GroupID: g.context.groupID, Epoch: g.context.epoch,
		Nonce: random(next.suite.nh)}
	next.link = &preSharedKey{id: id, key: g.secrets.resumption}
	commit := CommitOptions{ByValue: []Proposal{&PreSharedKey{id}}, Now: opts.Now, NoPath: opts.NoPath, NoTree: opts.NoTree}
	for _, kp := range opts.KeyPackages {
		commit.ByValue = append(commit.ByValue, &Add{kp})
	}
	staged, err := next.Commit(commit)
	if err != nil {
		return nil, nil, err
	}
	if err := cfg.checkSuccession(g.tree, staged.next.tree, usage); err != nil {
		return nil, nil, err
	}
	return next, staged, nil
}

// checkSuccession holds the members of a group against those of the one that it comes from: each was a member there, and after
// a reinit all are (RFC 9420, Section 12.4.3.1). Who is who the verifier says; equal credentials save it from being asked about
// every pair.
func (c *Config) checkSuccession(old, next *ratchetTree, usage PSKUsage) error {
	before := slices.Collect(old.members())
	for m := range next.members() {
		err := errNoSuchMember
		at := slices.IndexFunc(before, func(b Member) bool {
			if b.Credential.Equal(m.Credential) {
				err = c.Verifier.VerifySuccession(b, m)
			}
			return err == nil
		})
		if at < 0 {
			at = slices.IndexFunc(before, func(b Member) bool { return c.Verifier.VerifySuccession(b, m) == nil })
		}
		if at < 0 {
			return refused("a group has a member that the one that it comes from has not", err)
		}
		before = slices.Delete(before, at, at+1)
	}
	if usage == UsageReInit && len(before) > 0 {
		return invalid("11.2", "a reinitialized group lacks members")
	}
	return nil
}

// checkPSKs verifies that at most one key ties the group to another, and that this is the one that the caller means
// (RFC 9420, Section 12.4.3.1).
func (j *joining) checkPSKs() error {
	for i := range j.secrets.psks {
		id := &j.secrets.psks[i]
		if !id.links() {
			if err := id.check(j.suite); err != nil {
				return err
			}
			continue
		}
		if j.link != nil {
			return invalid("12.4.3.1", "a welcome with two keys for reinit or branch")
		}
		if len(id.Nonce) != j.suite.nh {
			return invalid("12.1.4", "a pre-shared key's nonce has the wrong length")
		}
		j.link = id
	}
	p := j.opts.Predecessor
	switch {
	case j.link == nil && p != nil:
		return invalid("11.2", "a welcome to a group that does not come from this one")
	case j.link != nil && (p == nil || j.linkKey(*j.link) == nil):
		return invalid("11.2", "a welcome to a group that comes from one that is not at hand")
	case j.link != nil && (j.link.Usage == UsageReInit) != (p.reinit != nil):
		return invalid("11.2", "a reinit of a group that goes on, or a branch of one that has ended")
	}
	return nil
}

// linkKey returns the predecessor's resumption secret, if the id names it.
func (j *joining) linkKey(id PreSharedKeyID) Secret {
	if p := j.opts.Predecessor; p != nil && id.links() {
		return p.ownPSK(id)
	}
	return nil
}

// checkPredecessor holds the group against the one that it comes from (RFC 9420, Sections 11.2 and 11.3).
func (j *joining) checkPredecessor() error {
	if j.link == nil {
		return nil
	}
	p, context := j.opts.Predecessor, &j.info.context
	if context.epoch != 1 {
		return invalid("11.2", "a welcome to a later epoch than the first commit's")
	}
	if j.link.Usage == UsageBranch && context.suite != p.suite.id {
		return invalid("11.3", "a branch has another cipher suite")
	}
	if r := p.reinit; r != nil && !context.isOf(r) {
		return invalid("11.2", "a group is not the one that the reinit asks for")
	}
	return j.cfg.checkSuccession(p.tree, j.tree, j.link.Usage)
}

// isOf tells whether the context is that of the group that a ReInit asks for. A GroupContext that could be read is one of MLS10.
func (c *groupContext) isOf(r *ReInit) bool {
	return r.Version == MLS10 && r.Suite == c.suite && bytes.Equal(r.GroupID, c.groupID) && r.Extensions.Equal(c.extensions)
}
