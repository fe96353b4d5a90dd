package client

import (
	"bytes"
	"context"
	"slices"
	"time"

	"snug/internal/ident"
)

const (
	// maxInvites bounds a room's invites, dead ones included, and maxInviteUses whom each lets in: the roster, which every
	// Welcome carries, grows by 30 KiB at the most.
	maxInvites    = 16
	maxInviteUses = 100
	// inviteFor and maxInviteFor are how long an invite is good.
	inviteFor    = 7 * 24 * time.Hour
	maxInviteFor = 30 * 24 * time.Hour
)

// invite is what a room's members agree upon about a link that lets people in. It gives nobody a right: whoever carries
// out a request may add accounts anyway, and is told by the invite that the room wants this one.
type invite struct {
	keys  ident.RoomInviteKeys
	maker ident.AccountID
	// role is what who comes by it becomes: member or reader.
	role role
	// expires is in seconds since 1970, by the clock of who carries out a request: members' clocks differ, and must not
	// come to different answers about a commit.
	expires uint64
	limit   uint64
	revoked bool
	// used are the accounts that came by it, in order, each once for ever: who was removed does not come back by it.
	used []ident.AccountID
}

func (i invite) id() ident.RoomInviteID { return i.keys.ID() }

func (i invite) encode(e *encoder) {
	e.bytes(i.keys.Letter[:])
	e.bytes(i.keys.Answer[:])
	e.bytes(i.maker[:])
	e.uint(uint64(i.role))
	e.uint(i.expires)
	e.uint(i.limit)
	e.bool(i.revoked)
	e.uint(uint64(len(i.used)))
	for _, account := range i.used {
		e.bytes(account[:])
	}
}

func decodeInvite(d *decoder) invite {
	i := invite{keys: ident.RoomInviteKeys{Letter: d.hash(), Answer: d.hash()}, maker: d.id(), role: role(d.uint()), expires: d.uint(),
		limit: d.uint(), revoked: d.bool()}
	for n := d.uint(); n > 0 && d.err == nil; n-- {
		i.used = append(i.used, d.id())
	}
	return i
}

// checkInvites says whether a roster can have these invites.
func (r roster) checkInvites() error {
	if len(r.invites) > maxInvites || r.direct && len(r.invites) > 0 {
		return errRecord
	}
	for n, i := range r.invites {
		if n > 0 && bytes.Compare(r.invites[n-1].keys.Letter[:], i.keys.Letter[:]) >= 0 || i.role < roleMember || i.role > roleReader ||
			i.limit < 1 || i.limit > maxInviteUses || uint64(len(i.used)) > i.limit || i.expires == 0 {
			return errRecord
		}
		for m, account := range i.used {
			if m > 0 && bytes.Compare(i.used[m-1][:], account[:]) >= 0 {
				return errRecord
			}
		}
	}
	return nil
}

func (i invite) equal(other invite) bool {
	return i.keys == other.keys && i.maker == other.maker && i.role == other.role && i.expires == other.expires &&
		i.limit == other.limit && i.revoked == other.revoked && slices.Equal(i.used, other.used)
}

// invite gives the invite of this name.
func (r roster) invite(id ident.RoomInviteID) (invite, bool) {
	for _, i := range r.invites {
		if i.id() == id {
			return i, true
		}
	}
	return invite{}, false
}

// inviteOf gives the invite that has the same public key.
func (r roster) inviteOf(keys ident.RoomInviteKeys) (invite, bool) {
	for _, i := range r.invites {
		if i.keys.Letter == keys.Letter {
			return i, true
		}
	}
	return invite{}, false
}

// changeInvites gives the roster with some of its invites changed.
func (r roster) changeInvites(which func(invite) bool, how func(*invite)) roster {
	r.invites = slices.Clone(r.invites)
	for n := range r.invites {
		if which(r.invites[n]) {
			how(&r.invites[n])
		}
	}
	return r
}

func named(id ident.RoomInviteID) func(invite) bool {
	return func(i invite) bool { return i.id() == id }
}

// withInvite gives the roster with one more invite. Where there are too many, one that is of no use any more goes.
func (r roster) withInvite(added invite) roster {
	if _, known := r.invite(added.id()); known {
		return r
	}
	r.invites = slices.Clone(r.invites)
	if len(r.invites) >= maxInvites {
		if at := slices.IndexFunc(r.invites, func(i invite) bool { return i.spent() }); at >= 0 {
			r.invites = slices.Delete(r.invites, at, at+1)
		}
	}
	r.invites = append(r.invites, added)
	slices.SortFunc(r.invites, func(a, b invite) int { return bytes.Compare(a.keys.Letter[:], b.keys.Letter[:]) })
	return r
}

// spent reports whether the invite lets nobody in any more, whatever the time.
func (i invite) spent() bool { return i.revoked || uint64(len(i.used)) >= i.limit }

// cameBy gives the roster with an account, which is on it, having come by an invite.
func (r roster) cameBy(id ident.RoomInviteID, account ident.AccountID) roster {
	i, known := r.invite(id)
	if !known || !r.has(account) || slices.Contains(i.used, account) {
		return r
	}
	r = r.changeInvites(named(id), func(i *invite) {
		i.used = append(slices.Clone(i.used), account)
		slices.SortFunc(i.used, func(a, b ident.AccountID) int { return bytes.Compare(a[:], b[:]) })
	})
	return r.change(account, func(m *rosterMember) { m.role = i.role })
}

// RoomInvite is a link by which people ask to be let into a sealed room.
type RoomInvite struct {
	ID ident.RoomInviteID
	// Maker is who made it, Role what who comes by it becomes: "member" or "reader".
	Maker, Role string
	Expires     time.Time
	// Uses is how many accounts it lets in, Used how many have come.
	Uses, Used int
	// Revoked says that it was withdrawn, or that its maker is not in the room any more.
	Revoked bool
	// Code is the secret to hand over, as the fragment of the server's address or by itself; only on the device that made
	// the invite.
	Code string
}

// RoomInviteOptions say what an invite is to be like.
type RoomInviteOptions struct {
	// Reader makes readers of those who come, who are members otherwise.
	Reader bool
	// Uses is how many accounts may come by it, 1 to 100; 0 means one.
	Uses int
	// For is how long it is good, at most 30 days; 0 means 7.
	For time.Duration
}

// CreateRoomInvite makes an invite to a sealed room and returns when the room has it. The server does not learn its code.
func (c *Client) CreateRoomInvite(ctx context.Context, room ident.RoomID, options RoomInviteOptions) (RoomInvite, error) {
	if options.Uses == 0 {
		options.Uses = 1
	}
	if options.For == 0 {
		options.For = inviteFor
	}
	if options.Uses < 1 || options.Uses > maxInviteUses {
		return RoomInvite{}, refuse(Usage, "", "an invite is good for 1 to %d people", maxInviteUses)
	}
	if options.For < time.Minute || options.For > maxInviteFor {
		return RoomInvite{}, refuse(Usage, "", "an invite is good for a minute to 30 days")
	}
	var made ident.RoomInvite
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) { made = c.createInvite(call, room, options) })
	if err != nil {
		return RoomInvite{}, err
	}
	return call[RoomInvite](ctx, c, func(c *Core, call uint64) {
		i, known := c.roster(c.mem.rooms[room]).invite(made.Keys().ID())
		if !known {
			c.reply(call, nil, refuse(Refused, "make another one", "the invite is gone already"))
			return
		}
		c.reply(call, c.viewInvite(room, i), nil)
	})
}

// createInvite keeps the code of an invite, and wants the room to have it.
func (c *Core) createInvite(call uint64, room ident.RoomID, options RoomInviteOptions) ident.RoomInvite {
	made, err := ident.NewRoomInvite(c.cfg.rand, room)
	if err != nil {
		c.fail(err)
		return made
	}
	i := invite{keys: made.Keys(), maker: c.mem.account.me.Account, role: roleMember, limit: uint64(options.Uses),
		expires: uint64(c.now.Add(options.For).Unix())}
	if options.Reader {
		i.role = roleReader
	}
	e := new(encoder)
	i.encode(e)
	c.put(keyInvite(room, i.id()), []byte(made.Secret()))
	c.wantChecked(call, room, []want{{kind: wantInvite, text: string(e.b)}})
	return made
}

// RevokeRoomInvite withdraws an invite and returns when nobody can come by it any more.
func (c *Client) RevokeRoomInvite(ctx context.Context, room ident.RoomID, id ident.RoomInviteID) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		w := want{kind: wantRevoke, text: string(id[:])}
		r, err := c.changeable(room)
		if err == nil {
			err = c.mayInvite(c.roster(r), w)
		}
		if err != nil {
			c.reply(call, nil, err)
			return
		}
		// Only now: who may not withdraw an invite is told so, whether they have heard of it yet or not.
		if _, known := c.roster(r).invite(id); !known {
			c.reply(call, nil, refuse(NotFound, "look at those that it has", "the room has no such invite").run("snug room invites"))
			return
		}
		c.delete(keyInvite(room, id))
		c.acceptRoom(r)
		c.want(call, r, []want{w})
	})
	return err
}

// RoomInvites lists the invites of a sealed room, used up and withdrawn ones included.
func (c *Client) RoomInvites(ctx context.Context, room ident.RoomID) ([]RoomInvite, error) {
	return call[[]RoomInvite](ctx, c, func(c *Core, call uint64) {
		r, err := c.changeable(room)
		if err != nil {
			c.reply(call, nil, err)
			return
		}
		var invites []RoomInvite
		for _, i := range c.roster(r).invites {
			invites = append(invites, c.viewInvite(room, i))
		}
		slices.SortStableFunc(invites, func(a, b RoomInvite) int { return a.Expires.Compare(b.Expires) })
		c.reply(call, invites, nil)
	})
}

func (c *Core) viewInvite(room ident.RoomID, i invite) RoomInvite {
	return RoomInvite{ID: i.id(), Maker: c.handle(i.maker), Role: i.role.String(), Expires: time.Unix(int64(i.expires), 0).UTC(),
		Uses: int(i.limit), Used: len(i.used), Revoked: i.revoked, Code: string(c.get(keyInvite(room, i.id())))}
}

// mayInvite is mayChange for invites.
func (c *Core) mayInvite(now roster, w want) error {
	rank, _ := now.role(c.mem.account.me.Account)
	if rank > now.adds {
		return refuse(Refused, "ask the room's owner", "in this room it takes %s to add members", atLeast(now.adds))
	}
	if w.kind == wantInvite && len(now.invites) >= maxInvites && !slices.ContainsFunc(now.invites, invite.spent) {
		return refuse(Refused, "withdraw one that is not needed", "a room has at most %d invites", maxInvites)
	}
	return nil
}

// invites judges what a commit does to invites: who may add accounts makes and withdraws them; who counts as come by one
// comes in this very commit, as what it says; and what somebody made who is out of the room now is withdrawn.
func (j *judgement) invites() error {
	if len(j.before.invites) == 0 && len(j.after.invites) == 0 {
		return nil
	}
	came := make(map[ident.AccountID]bool)
	for _, i := range j.after.invites {
		old, known := j.before.inviteOf(i.keys)
		if !known {
			if j.rank > j.before.adds || i.maker != j.committer || i.revoked || len(i.used) > 0 {
				return errInvites
			}
			continue
		}
		if err := j.changed(old, i, came); err != nil {
			return err
		}
	}
	for _, i := range j.before.invites {
		if _, stays := j.after.inviteOf(i.keys); !stays && j.rank > j.before.adds {
			return errInvites
		}
	}
	return nil
}

// changed judges one invite that stays.
func (j *judgement) changed(old, now invite, came map[ident.AccountID]bool) error {
	must := old.revoked || slices.Contains(j.removed, old.maker)
	if must && !now.revoked || now.revoked && !must && j.rank > j.before.adds {
		return errInvites
	}
	for _, account := range now.used {
		if slices.Contains(old.used, account) {
			continue
		}
		if m, _ := j.after.member(account); !slices.Contains(j.added, account) || came[account] || old.revoked || m.role != now.role {
			return errInvites
		}
		came[account] = true
	}
	for _, account := range old.used {
		if !slices.Contains(now.used, account) {
			return errInvites
		}
	}
	old.revoked, old.used = now.revoked, now.used
	if !old.equal(now) {
		return errInvites
	}
	return nil
}
