package client

import (
	"errors"
	"slices"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// rejoin is the way back of a device that cannot follow a room any more. It is stored from when that was noticed until a
// Welcome that stands up to the checks ends it; the room has no group here in between, whatever is stored of one.
type rejoin struct {
	// cause is why, in words for people; the log's entries that cannot be read meanwhile show it.
	cause string
	// keyPackage is in what this device asks with, the private half stored as of any other; empty until the first time.
	keyPackage []byte
	ref        string
	// asked is 1 + the epoch in which this device has asked last, askAt when it asks next at the earliest.
	asked uint64
	askAt time.Time
	// refusals counts the answers that did not stand up; spent says that the key package has got one of them.
	refusals uint64
	spent    bool
	// seq and head are of the last commit that was read over: the Welcome of the request may stand there.
	seq  uint64
	head ident.Hash
}

// The causes of a rejoin that no change of the room is to blame for.
const (
	causeLost    = "this device has lost the keys of the room"
	causeDamaged = "this device's keys of the room are damaged"
	// causeByMember is of errByMember.
	causeByMember = "this device was away while the account left the room, as it seems, and a member who could not do so has let it in"
)

const (
	// answerTime is how long after the end of an epoch its answer is waited for before the next epoch is asked.
	answerTime = 2 * time.Second
	// rejoinRetry is the pause after an answer that did not stand up, doubled by each up to rejoinMost, and after the server
	// has said that this device is in no such room.
	rejoinRetry, rejoinMost = time.Minute, time.Hour
)

const rejoinVersion = 1

func (j *rejoin) encode() []byte {
	e := newEncoder(rejoinVersion)
	e.string(j.cause)
	e.bytes(j.keyPackage)
	e.string(j.ref)
	e.uint(j.asked)
	e.time(j.askAt)
	e.uint(j.refusals)
	e.bool(j.spent)
	e.uint(j.seq)
	e.bytes(j.head[:])
	return e.b
}

func decodeRejoin(b []byte) (*rejoin, error) {
	d := newDecoder(b, rejoinVersion)
	j := &rejoin{cause: d.string(), keyPackage: d.bytes(), ref: d.string(), asked: d.uint(), askAt: d.time(),
		refusals: d.uint(), spent: d.bool(), seq: d.uint(), head: d.hash()}
	return j, d.end()
}

func (c *Core) loadRejoins() {
	for _, record := range c.scan(ScanOptions{Prefix: keyRejoins}) {
		id, err := ident.ParseRoomID(strings.TrimPrefix(record.Key, keyRejoins))
		r := c.mem.rooms[id]
		if err != nil || r == nil {
			continue
		}
		if r.rejoin, err = decodeRejoin(record.Value); err != nil {
			r.rejoin = &rejoin{cause: causeDamaged} // begun anew
		}
	}
}

func (c *Core) saveRejoin(r *room) { c.put(keyRejoin(r.id), r.rejoin.encode()) }

// startRejoin gives up the group of a room that this device is in, for a cause in words for people, and has it ask to be
// let in anew. What else is stored of the room stays.
func (c *Core) startRejoin(r *room, cause string) {
	if r.rejoin != nil || r.kind != Sealed || r.status != joined {
		return
	}
	c.cfg.log.Warn("a room's keys are given up", "room", r.id, "seq", r.seq, "cause", cause)
	r.rejoin, r.group, r.cachedRoster = &rejoin{cause: cause}, nil, nil
	c.dropPending(r)
	c.saveRejoin(r)
	r.setProblem(cause)
}

func (c *Core) endRejoin(r *room) {
	if r.rejoin == nil {
		return
	}
	c.delete(keyPackagePrivate(r.rejoin.ref))
	c.delete(keyRejoin(r.id))
	c.endFault(r)
	r.rejoin = nil
	r.setProblem("")
	for _, w := range slices.Clone(r.rows) {
		if w.kind == rowRequest || w.kind == rowReject {
			c.finishRow(r, w.id)
		}
	}
}

// advanceRejoin asks to be let in anew: once in each epoch, as a proposal ends with its epoch.
func (c *Core) advanceRejoin(r *room) {
	j, log := r.rejoin, c.vol.logs[r.id]
	epoch := log.epoch
	switch {
	case c.vol.welcomes[r.id] != nil:
		c.tryWelcome(r.id)
		return
	case r.leaving && log.listed && !log.joined:
		c.goneFrom(r.id) // as the person wants it
		return
	case r.leaving && c.lonely(r):
		c.leaveOnServer(r.id)
		return
	case j.asked == epoch+1:
		return
	case !c.due(j.askAt, rejoinMost):
		c.vol.commitAt[r.id] = j.askAt
		return
	}
	keyPackage := c.requestPackage(j)
	if keyPackage == nil {
		return
	}
	payload, err := mls.ProposeOwnAdd(mls.Place{Suite: keyPackage.Suite, GroupID: r.id.Bytes(), Epoch: epoch}, keyPackage, c.mem.key.Signer())
	if err != nil {
		c.fail(failed("asking to be let in anew", err))
		return
	}
	j.asked = epoch + 1
	c.saveRejoin(r)
	c.propose(r, rowRequest, epoch, payload)
	c.submitSealed(r)
}

// due reports whether a stored time has come that was at most so far ahead. One that is further ahead is of a clock that was
// wrong then.
func (c *Core) due(at time.Time, most time.Duration) bool {
	return !c.now.Before(at) || at.After(c.now.Add(most))
}

// requestPackage gives the key package to ask with. It stays the same until it has got an answer, or is not in the first half
// of its lifetime.
func (c *Core) requestPackage(j *rejoin) *mls.KeyPackage {
	known, err := mls.ParseKeyPackage(j.keyPackage)
	if err == nil && !j.spent {
		lifetime := known.Member().Lifetime
		if lifetime.NotBefore <= uint64(c.now.Unix()) && lifetime.NotAfter > uint64(c.now.Add(packageLifetime/2).Unix()) {
			return known
		}
	}
	if j.ref != "" {
		c.delete(keyPackagePrivate(j.ref))
	}
	me := c.mem.account.me
	fresh := c.newKeyPackage(c.chain(me.Account), me.Device, false)
	if fresh != nil {
		j.keyPackage, j.ref, j.spent = fresh.Marshal(), string(fresh.Ref()), false
	}
	return fresh
}

// passEntry takes an entry that this device cannot read. Its own messages it knows.
func (c *Core) passEntry(r *room, entry *wire.Entry, m *Message) {
	j := r.rejoin
	switch {
	case c.own(m) && r.row(m.ID) != nil && r.row(m.ID).kind == rowText:
		c.ownEntry(r, entry, m)
	case entry.Kind == wire.EntryKind_ENTRY_KIND_PROPOSAL:
		m.Kind = Notice // hidden: what it leads to is shown
	default:
		m.gap(j.cause)
	}
	if entry.Kind == wire.EntryKind_ENTRY_KIND_COMMIT {
		j.seq, j.head = entry.Seq, ident.Hash(entry.Head)
		if j.asked == entry.Epoch+1 {
			j.askAt = c.now.Add(answerTime)
		}
		c.saveRejoin(r)
	}
}

// requestLate takes the server's word for the epoch, where the one that this device took the room to be in is not it.
func (c *Core) requestLate(r *room, e *wire.Error) {
	log := c.vol.logs[r.id]
	log.epoch = e.Epoch
	c.vol.logs[r.id] = log
	if r.rejoin != nil {
		r.rejoin.askAt = c.now.Add(answerTime)
		c.saveRejoin(r)
	}
}

// requestRefused takes the server's refusal of a request that would be refused again.
func (c *Core) requestRefused(r *room, e *wire.Error) {
	gone := e.Code == wire.ErrorCode_ERROR_CODE_NOT_FOUND || e.Code == wire.ErrorCode_ERROR_CODE_FORBIDDEN
	switch {
	case r.rejoin == nil:
	case gone && r.leaving:
		c.goneFrom(r.id)
	default:
		r.rejoin.asked, r.rejoin.askAt = 0, c.now.Add(rejoinRetry)
		c.saveRejoin(r)
		r.setProblem(r.rejoin.cause + ", and the server does not let it ask the members: " + e.Message)
	}
}

// answerRefused takes a Welcome that does not stand up to the checks. Only one to this device's request counts as an
// answer; the next request is another's then, so that who could not follow the refusal can answer it again.
func (c *Core) answerRefused(r *room, used *mls.KeyPackagePrivate, err error) {
	j := r.rejoin
	if used == nil || string(used.KeyPackage().Ref()) != j.ref {
		return
	}
	j.askAt = c.now.Add(min(rejoinMost, rejoinRetry<<min(j.refusals, 6)))
	j.refusals, j.spent = j.refusals+1, true
	c.saveRejoin(r)
	r.setProblem(j.cause + ", and it was let into a room that does not stand up to the checks: " + err.Error())
}

// checkAnswer says what is wrong with a Welcome for a device that cannot follow the room. It goes by the last roster that
// it knew, and by what it has asked: the server knows the key package, and could have made a group of its own for it.
func (c *Core) checkAnswer(r *room, group *mls.Group, event *wire.WelcomeEvent, used *mls.KeyPackagePrivate) error {
	now, err := rosterOf(group.Extensions())
	if err != nil {
		return err
	}
	j, last, me := r.rejoin, c.roster(r), c.mem.account.me.Account
	if len(last.members) == 0 { // of a store of before rosters were kept: a 1:1 room is known otherwise
		last = newRoster("", !r.direct.IsZero(), me, 0)
		if last.direct {
			last = last.with([]ident.AccountID{r.direct}, nil)
		}
	}
	inviter, known := group.Inviter()
	by := leafOf(inviter)
	switch {
	case used == nil || string(used.KeyPackage().Ref()) != j.ref:
		return errors.New("client: let in anew without having asked")
	case event.Seq <= r.seq && (event.Seq != j.seq || string(event.Head) != string(j.head[:])):
		return errors.New("client: let in anew where the log has something else")
	case !known || !last.has(by.account) || c.revokedNow(by):
		return errors.New("client: let in anew by somebody who is not known to be in the room")
	case now.direct != last.direct || last.direct && otherMember(now, me) != otherMember(last, me):
		return errors.New("client: let in anew into a 1:1 room that is none, or with somebody else")
	}
	if err := checkLengths(last, now); err != nil {
		return err
	}
	switch {
	case !mayLetIn(last, by.account, me):
		return errors.New("client: let in anew by somebody whose role does not let them")
	case by.account == me, holdsOffice(last, by.account):
		return nil
	}
	return checkStandIn(last, now, by.account)
}

// checkStandIn holds the roster that somebody without a role shows against the last one that was known: they bring in
// nobody whom they could not add, and nobody has more to say than before.
func checkStandIn(last, now roster, by ident.AccountID) error {
	rank, _ := last.role(by)
	if now.adds != last.adds || now.edits != last.edits {
		return errors.New("client: let in anew by somebody who has changed the room's settings")
	}
	for _, m := range now.members {
		old, was := last.role(m.account)
		if was && m.role < old || !was && (rank > last.adds || m.role < roleMember) {
			return errors.New("client: let in anew by somebody with accounts or roles that they could not give")
		}
	}
	return nil
}
