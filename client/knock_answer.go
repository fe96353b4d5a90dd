package client

import (
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// maxKnocksHeard bounds the letters that wait to be weighed.
const maxKnocksHeard = 256

// heardKnock is a letter that this device has not dealt with. fetched says that the account's chain was asked for.
type heardKnock struct {
	room    ident.RoomID
	account ident.AccountID
	letter  []byte
	fetched bool
}

// advanceKnocks weighs the letters for a room, where this account may let somebody in. A letter stays until its account is
// in the room or was told why not.
func (c *Core) advanceKnocks(r *room) {
	if r.kind != Sealed || c.group(r) == nil {
		return
	}
	planned := c.settleLetIns(r)
	var kept []heardKnock
	for _, k := range c.vol.knocks {
		if k.room != r.id || !c.weigh(r, &planned, &k) {
			kept = append(kept, k)
		}
	}
	c.vol.knocks = kept
}

// settleLetIns drops the wishes to let somebody in that have become impossible, and gives the roster that the others lead to.
func (c *Core) settleLetIns(r *room) roster {
	planned := c.roster(r)
	r.wanted = slices.DeleteFunc(slices.Clone(r.wanted), func(w want) bool {
		if w.kind != wantLetIn || w.problem != "" {
			return false
		}
		i, known := planned.invite(w.invite())
		if !known || c.judgeInvite(r, i, w.account) != verdictNone {
			r.dirty = true
			return true
		}
		planned = w.applied(planned.with([]ident.AccountID{w.account}, nil))
		return false
	})
	return planned
}

// weigh deals with one letter; false: it stays. planned is what the room is about to be.
func (c *Core) weigh(r *room, planned *roster, heard *heardKnock) (done bool) {
	now := c.roster(r)
	rank, member := now.role(c.mem.account.me.Account)
	k, err := ident.ParseKnock(heard.room, heard.account, heard.letter)
	if err != nil || !member || rank > now.adds || now.has(k.Account) {
		return true
	}
	i, known := now.invite(k.Invite)
	if known && k.VerifyInvite(i.keys) != nil {
		return true // it is not by who has the invite
	}
	if chain := c.chain(k.Account); chain == nil || k.VerifyDevice(chain) != nil {
		return c.fetchForKnock(k.Account, heard)
	}
	if !known {
		return c.answerUnknown(r, k)
	}
	coming := func(w want) bool { return w.account == k.Account && (w.kind <= wantRemove || w.kind == wantLetIn) }
	if wish := slices.IndexFunc(r.wanted, coming); wish >= 0 {
		if r.wanted[wish].problem == "" || r.wanted[wish].kind != wantLetIn {
			return false
		}
		r.wanted, r.dirty = slices.Delete(slices.Clone(r.wanted), wish, wish+1), true
		c.answerKnock(k, i, verdictFailed)
		return true
	}
	if v := c.judgeInvite(r, i, k.Account); v != verdictNone {
		c.answerKnock(k, i, v)
		return true
	}
	if i, _ = planned.invite(k.Invite); c.judgeInvite(r, i, k.Account) == verdictNone {
		w := want{kind: wantLetIn, account: k.Account, text: string(k.Invite[:])}
		*planned = w.applied(planned.with([]ident.AccountID{k.Account}, nil))
		r.wanted, r.dirty, r.replan = append(slices.Clone(r.wanted), w), true, true
	}
	return false
}

// fetchForKnock asks for the chain that a letter is judged by, once; true: it is known by now, and the letter is not the
// account's.
func (c *Core) fetchForKnock(account ident.AccountID, heard *heardKnock) (done bool) {
	name := "knock " + account.String()
	if heard.fetched {
		return !c.asking(name)
	}
	heard.fetched = true
	c.fetchChains(name, []ident.AccountID{account}, func(*Core) {})
	return false
}

// judgeInvite says why an account is not let in by an invite, with this device's clock.
func (c *Core) judgeInvite(r *room, i invite, account ident.AccountID) verdict {
	switch {
	case slices.Contains(i.used, account):
		return verdictAgain
	case i.revoked:
		return verdictRevoked
	case i.spent() && i.limit == 1:
		return verdictOnce
	case i.spent():
		return verdictUsedUp
	case uint64(c.now.Unix()) >= i.expires:
		return verdictExpired
	case c.full(r, account):
		return verdictFull
	}
	return verdictNone
}

// full reports whether the room has no place for the devices of an account.
func (c *Core) full(r *room, account ident.AccountID) bool {
	devices := 0
	for range c.group(r).Members() {
		devices++
	}
	if chain := c.chain(account); chain != nil {
		devices += len(chain.Devices())
	}
	return devices > roomLimit
}

// roomLimit is maxDevices outside of tests.
var roomLimit = maxDevices

func (c *Core) answerKnock(k ident.Knock, i invite, v verdict) {
	c.sayAnswer(k, k.Answer(i.keys, byte(v)))
}

// answerUnknown says that the room has no such invite; false: this device does not know yet whether it has.
func (c *Core) answerUnknown(r *room, k ident.Knock) bool {
	if !c.caughtUp(r) {
		return false
	}
	c.sayAnswer(k, []byte{byte(verdictUnknown)})
	return true
}

func (c *Core) sayAnswer(k ident.Knock, answer []byte) {
	body := &wire.AnswerKnock{Room: k.Room.Bytes(), Account: k.Account.Bytes(), Answer: answer}
	c.ask(request{needs: ready, then: func(*Core, *wire.ServerFrame) {}, refused: func(*Core, *wire.Error) {},
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_AnswerKnock{AnswerKnock: body}}})
}
