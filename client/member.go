package client

import (
	"context"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Member is an account in a room.
type Member struct {
	Account ident.AccountID
	Handle  string
	// Role is "owner", "admin", "member" or "reader".
	Role string
	// Devices is how many devices of the account are in the room.
	Devices int
	// Verified says that this device has compared safety numbers, Stranger that it has known another account by the
	// handle. Sealed rooms only.
	Verified, Stranger bool
}

// AddMembers adds accounts to a sealed room and returns when they are in.
func (c *Client) AddMembers(ctx context.Context, room ident.RoomID, handles ...string) error {
	return c.changeMembers(ctx, room, handles, want{kind: wantAdd})
}

// RemoveMembers removes accounts from a sealed room and returns when they are out.
func (c *Client) RemoveMembers(ctx context.Context, room ident.RoomID, handles ...string) error {
	return c.changeMembers(ctx, room, handles, want{kind: wantRemove})
}

// SetRole makes a member of a sealed room "owner", "admin", "member" or "reader", and returns when that is so. There may
// be several owners; the last one steps down only by leaving.
func (c *Client) SetRole(ctx context.Context, room ident.RoomID, handle, role string) error {
	parsed, ok := parseRole(role)
	if !ok {
		return refuse(Usage, "roles are owner, admin, member and reader", "%q is no role", role)
	}
	return c.changeMembers(ctx, room, []string{handle}, want{kind: wantRole, role: parsed})
}

// changeMembers wants the same of each account.
func (c *Client) changeMembers(ctx context.Context, room ident.RoomID, handles []string, what want) error {
	if len(handles) == 0 {
		return refuse(Usage, "", "nobody is named")
	}
	lookUp := c.lookUp
	if what.kind == wantAdd {
		lookUp = c.lookUpNew
	}
	accounts, err := lookUp(ctx, handles)
	if err != nil {
		return err
	}
	var wants []want
	for _, account := range accounts {
		what.account = account
		wants = append(wants, what)
	}
	_, err = call[struct{}](ctx, c, func(c *Core, call uint64) { c.wantChecked(call, room, wants) })
	return err
}

// wantChecked wants what this account may.
func (c *Core) wantChecked(call uint64, room ident.RoomID, wants []want) {
	r, err := c.changeable(room)
	for _, w := range wants {
		if err == nil && !(w.kind > wantRole && w.fulfilled(c.roster(r))) {
			err = c.mayChange(c.roster(r), w)
		}
		if err == nil && w.says() {
			if strange := c.askFirst(r); strange != nil {
				err = strange
			}
		}
	}
	if err != nil {
		c.reply(call, nil, err)
		return
	}
	c.acceptRoom(r) // who manages a room has accepted it
	c.want(call, r, wants)
}

// changeable gives a sealed room of more than two, in which something can change.
func (c *Core) changeable(room ident.RoomID) (*room, error) {
	r := c.mem.rooms[room]
	switch {
	case r == nil && c.vol.logs[room].kind == OpenToAll, r != nil && r.kind == OpenToAll:
		return nil, refuse(Refused, "everybody joins and leaves it by themselves", "nobody manages an open room")
	case r == nil || r.status != joined:
		return nil, c.noRoom(room)
	case !r.direct.IsZero():
		return nil, refuse(Refused, "make another room", "the members of a 1:1 room stay the same")
	case r.leaving:
		return nil, errLeaving
	case c.keyless(r):
		return nil, errKeyless(r)
	}
	return r, nil
}

// errLeaving refuses what somebody asks of a room that they have asked to leave.
var errLeaving = refuse(Refused, "", "you have left this room, as soon as a member's device carries it out")

// mayChange refuses beforehand what Authorize would refuse, in words for people.
func (c *Core) mayChange(now roster, w want) error {
	if w.kind >= wantInvite {
		return c.mayInvite(now, w)
	}
	if w.kind > wantRole {
		return c.mayChangeSettings(now, w)
	}
	me := c.mem.account.me.Account
	rank, _ := now.role(me)
	target, member := now.role(w.account)
	switch {
	case w.kind == wantAdd && rank > now.adds:
		return refuse(Refused, "ask the room's owner", "in this room it takes %s to add members", atLeast(now.adds))
	case w.kind == wantAdd:
		return nil
	case !member:
		return refuse(NotFound, "", "@%s is not in the room", c.handle(w.account))
	case w.kind == wantRole:
		return c.mayChangeRole(now, w, target)
	case rank > roleAdmin:
		return refuse(Refused, "ask the room's owner", "only an owner and admins remove members")
	case w.account == me:
		return refuse(Usage, "leave the room instead", "nobody removes themselves")
	case rank != roleOwner && target <= rank:
		return refuse(Refused, "ask the room's owner", "an admin removes members only")
	}
	return nil
}

func (c *Core) mayChangeRole(now roster, w want, from role) error {
	me := c.mem.account.me.Account
	rank, _ := now.role(me)
	j := judgement{rank: rank, committer: me}
	switch {
	case w.role == from:
		return nil
	case !j.mayChangeRole(w.account, from, w.role):
		return refuse(Refused, "ask the room's owner", "only an owner makes owners and admins; an admin chooses between member and reader")
	case from == roleOwner && now.owners() == 1:
		return refuse(Refused, "make somebody else an owner first", "a room is never without an owner")
	}
	return nil
}

// atLeast says who has this role or more.
func atLeast(least role) string {
	switch least {
	case roleOwner:
		return "an owner"
	case roleAdmin:
		return "an owner or admin"
	}
	return "a member"
}

// Members lists the accounts of a room: of a sealed one as the group itself says.
func (c *Client) Members(ctx context.Context, room ident.RoomID) ([]Member, error) {
	return call[[]Member](ctx, c, func(c *Core, call uint64) {
		r := c.mem.rooms[room]
		if r != nil && r.kind == Sealed {
			if r.status != joined {
				c.reply(call, nil, errNoRoom)
				return
			}
			c.reply(call, c.members(r), nil)
			return
		}
		c.ask(request{call: call, needs: ready, sticky: true,
			frame: &wire.ClientFrame{Body: &wire.ClientFrame_ListMembers{ListMembers: &wire.ListMembers{Room: room.Bytes()}}},
			then:  func(c *Core, reply *wire.ServerFrame) { c.reply(call, listedMembers(reply.GetMembers()), nil) }})
	})
}

// members gives the accounts of a sealed room.
func (c *Core) members(r *room) []Member {
	devices := make(map[ident.AccountID]int)
	if group := c.group(r); group != nil {
		for m := range group.Members() {
			devices[leafOf(m).account]++
		}
	}
	var members []Member
	for _, m := range c.roster(r).members {
		_, strange := c.stranger(m.account)
		members = append(members, Member{Account: m.account, Handle: c.handle(m.account), Role: m.role.String(), Devices: devices[m.account],
			Verified: !c.verifiedAt(m.account).IsZero(), Stranger: strange})
	}
	return members
}

func listedMembers(listed *wire.Members) []Member {
	var members []Member
	for _, m := range listed.GetMembers() {
		account, err := ident.AccountIDFromBytes(m.Account)
		handle, noHandle := ident.ParseHandle(m.Handle)
		if err == nil && noHandle == nil {
			members = append(members, Member{Account: account, Handle: handle.String(), Role: roleMember.String()})
		}
	}
	return members
}
