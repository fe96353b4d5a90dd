package player

import (
	"fmt"
	"slices"

	pb "snug/mls/interop/mlsclient"
)

// Session says what a random session is like.
type Session struct {
	// Steps is how many there are. A step is one commit with all that leads to it, or some messages out of order.
	Steps int
	// Most and Fewest are the bounds of the group's size.
	Fewest, Most int
	// CommitsOnly makes every step a commit, so that there are as many epochs as steps.
	CommitsOnly bool
	// InEpoch lets every message arrive before the next commit: there are clients that lose what it takes to read those of the past.
	InEpoch bool
	// SameExtensions proposes no GroupContextExtensions: there are clients that make a wrong commit of one.
	SameExtensions bool
	// KeepFirst never removes the creator: there are clients that derive a wrong secret when a half of the tree is empty.
	KeepFirst bool
	// NoOutsiders has nobody join by a commit of its own.
	NoOutsiders bool
}

// firstMember makes the group.
const firstMember = "member 0"

// maxLate is how many messages are on their way while the group goes on. They arrive in the epoch of their sending or the
// next: older keys need not be kept.
const maxLate = 8

// Random returns the scenario in which chance, and so the setting's seed, decides who does what: adds, removes, updates,
// pre-shared keys and extensions by any member, by value and by reference, alone and together; members that come, go and
// come back, by a Welcome or by a commit of their own; messages that come late and out of order.
func Random(session Session) Scenario {
	return Scenario{fmt.Sprintf("random session of %d steps", session.Steps), func(s *stage) {
		r := &random{stage: s, session: session}
		s.create(firstMember)
		r.last = 1
		for len(s.members) < session.Fewest && s.err == nil {
			r.grow()
		}
		for i := 0; i < session.Steps && s.err == nil; i++ {
			r.step()
		}
	}}
}

// A random is a random session while it is played.
type random struct {
	*stage
	session Session
	// last is how many actors have come on; absent are those that were removed.
	last   int
	absent []string
	late   []lateMessage
}

// A lateMessage has not reached all of its readers.
type lateMessage struct {
	said
	epoch   uint64
	readers []*actor
}

func (r *random) step() {
	if !r.session.CommitsOnly && r.chance.IntN(3) == 0 {
		r.talk()
		return
	}
	if r.session.InEpoch {
		r.arrive(true)
	}
	if !r.session.NoOutsiders && r.chance.IntN(8) == 0 {
		r.enterSome()
		return
	}
	r.commitSome()
}

// enterSome lets a newcomer join by a commit of its own, or a member come back.
func (r *random) enterSome() {
	e := entrance{externalTree: r.chance.IntN(2) == 0}
	member := r.one()
	name := member.name
	switch {
	case len(r.members) > 1 && r.chance.IntN(2) == 0:
		e.resync = true
		for name == member.name {
			name = r.one().name
		}
	case len(r.members) < r.session.Most:
		name = r.newcomer()
	default:
		r.commitSome()
		return
	}
	if r.chance.IntN(3) == 0 {
		e.psks = append(e.psks, r.psk())
	}
	r.enterBy(member.name, name, e)
	r.arrive(false)
}

// one returns a random member.
func (r *random) one() *actor { return r.members[r.chance.IntN(len(r.members))] }

// newcomer is somebody new, or one who was removed before.
func (r *random) newcomer() string {
	if n := len(r.absent); n > 0 && r.chance.IntN(2) == 0 {
		i := r.chance.IntN(n)
		name := r.absent[i]
		r.absent = slices.Delete(r.absent, i, i+1)
		return name
	}
	name := fmt.Sprintf("member %d", r.last)
	r.last++
	return name
}

func (r *random) grow() {
	name := r.newcomer()
	r.commit(r.one().name, change{values: r.adds(name), joiners: []string{name}})
}

// commitSome commits some proposals of a random kind each.
func (r *random) commitSome() {
	committer := r.one()
	c := change{forcePath: r.chance.IntN(2) == 0, externalTree: r.chance.IntN(4) == 0}
	touched := map[string]bool{committer.name: true}
	r.someRemoves(&c, committer, touched)
	r.someUpdates(&c, committer, touched)
	r.someAdds(&c, committer)
	if r.chance.IntN(4) == 0 {
		r.offer(&c, committer, r.psk(c.joiners...))
	}
	if !r.session.SameExtensions && r.chance.IntN(6) == 0 {
		r.offer(&c, committer, extensionsOf([]*pb.Extension{noRequirements, noSenders}[:r.chance.IntN(3)]...))
	}
	r.commit(committer.name, c)
	r.absent = append(r.absent, c.leavers...)
	r.arrive(false)
}

// offer puts a proposal into a change, by value or by the reference of any member's who stays.
func (r *random) offer(c *change, committer *actor, d *pb.ProposalDescription) {
	proposer := r.one()
	if r.chance.IntN(2) == 0 || slices.Contains(c.leavers, proposer.name) {
		c.values = append(c.values, d)
		return
	}
	c.refs = append(c.refs, r.propose(proposer.name, d))
}

func (r *random) someRemoves(c *change, committer *actor, touched map[string]bool) {
	for range r.chance.IntN(3) {
		m := r.one()
		if touched[m.name] || r.session.KeepFirst && m.name == firstMember || len(r.members)-len(c.leavers) <= r.session.Fewest {
			continue
		}
		touched[m.name] = true
		c.leavers = append(c.leavers, m.name)
		r.offer(c, committer, removeOf(m.name))
	}
}

func (r *random) someUpdates(c *change, committer *actor, touched map[string]bool) {
	for range r.chance.IntN(3) {
		m := r.one()
		if touched[m.name] {
			continue
		}
		touched[m.name] = true
		c.refs = append(c.refs, r.propose(m.name, update))
	}
}

func (r *random) someAdds(c *change, committer *actor) {
	for range r.chance.IntN(3) {
		if len(r.members)-len(c.leavers)+len(c.joiners) >= r.session.Most {
			return
		}
		name := r.newcomer()
		c.joiners = append(c.joiners, name)
		r.offer(c, committer, r.add(name))
	}
}

// talk sends some messages, and lets some of those that are on their way arrive.
func (r *random) talk() {
	for range 1 + r.chance.IntN(3) {
		if len(r.late) >= maxLate {
			break
		}
		from := r.one()
		m := lateMessage{said: r.protect(from), epoch: r.epoch}
		for _, a := range r.members {
			if a != from {
				m.readers = append(m.readers, a)
			}
		}
		r.late = append(r.late, m)
	}
	r.arrive(false)
}

// arrive delivers messages in random order: those of the epoch before, which cannot wait, and some others or all.
func (r *random) arrive(all bool) {
	r.chance.Shuffle(len(r.late), func(i, j int) { r.late[i], r.late[j] = r.late[j], r.late[i] })
	var wait []lateMessage
	for _, m := range r.late {
		if !all && m.epoch == r.epoch && r.chance.IntN(2) == 0 {
			wait = append(wait, m)
			continue
		}
		for _, a := range m.readers {
			// Who was removed reads no more; who was and came back has another state.
			if slices.Contains(r.members, a) && a.since <= m.epoch {
				r.unprotect(a, m.said)
			}
		}
	}
	r.late = wait
}
