package client

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"
	"time"
	"unicode/utf8"

	"snug/internal/ident"
	"snug/internal/wire"
)

// RoomKind says who can read a room.
type RoomKind string

const (
	// Sealed rooms can be read by their members' devices and by nobody else.
	Sealed RoomKind = "sealed"
	// Open rooms can be read by everybody on the server, and by the server.
	OpenToAll RoomKind = "open"
)

// Room is a room as this device knows it.
type Room struct {
	ID   ident.RoomID
	Kind RoomKind
	// Name is the group's own name for a sealed room, "@handle" of the other account for a 1:1 room, and the server's
	// for an open one.
	Name string
	// Direct is the other account's handle in a 1:1 room, else empty.
	Direct string
	// Joined rooms can be written to.
	Joined bool
	// Topic is what a sealed room is about, as its members have set it.
	Topic string
	// Members is the number of member accounts.
	Members int
	// Role is this account's in a sealed room: "owner", "admin", "member" or "reader", who does not write. Adds and Edits
	// are the least roles that add members and that change name and topic.
	Role, Adds, Edits string
	// Seq is the last entry that this device has processed.
	Seq uint64
	// ServerSeq is the last entry that the server is known to have.
	ServerSeq uint64
	// Unread is how many text messages of others have come since this device last wrote or MarkRead was called.
	Unread int
	// Read is the place up to which MarkRead was called; in an open room at least where this account joined.
	Read uint64
	// Last is the last message that is shown; nil in an empty room.
	Last *Message
	// Leaving says that this account has asked to be let go, and that no member's device has carried it out.
	Leaving bool
	// Problem says why the room does not go on; empty while it is healthy.
	Problem string
	// Request says that Inviter, whom this account does not know, has let it in: nothing is said there before AcceptRoom,
	// or a message of this account's.
	Request bool
	Inviter string
	// Waiting says that this device has asked to be let in by an invite, or has written in a 1:1 room which it is not in yet, and
	// that no member's device has answered.
	Waiting bool
	// Outside says that this account is in the sealed room and this device is not yet: another device of the account, or a
	// member's, lets it in by itself when it is online. Before that it has no name here, unless it is a 1:1 room.
	Outside bool
	// Gone says that the room is not to be shown: it was declined, is one of somebody who is blocked, or was never joined.
	Gone bool
	// Try is what a person can do about the problem. While Waiting it may say without a problem why that may be in vain.
	Try string
	// Stranger is a member by whose handle this device has known another account, of several the first verified one; zero
	// where there is none. Where it was verified, nothing can be said in the room until somebody has looked.
	Stranger Contact
}

// CreateRoomOptions say what room to make.
type CreateRoomOptions struct {
	Name string
	// Open makes a room that everybody on the server can read.
	Open bool
	// Handles are the first members besides this account. Sealed rooms only.
	Handles []string
}

// Rooms lists the joined rooms, those that this device is outside of, and the open ones, the most recently active first. It waits for the first answer of the
// server, unless that cannot be reached.
func (c *Client) Rooms(ctx context.Context) ([]Room, error) {
	return call[[]Room](ctx, c, func(c *Core, call uint64) {
		c.await(call, func(c *Core) (bool, any, error) {
			if !c.settled() {
				return false, nil, nil
			}
			return true, c.listed(), nil
		})
	})
}

// begun tells a room from what may never become one: the server may refuse to make it, or to begin it anew.
func (r *room) begun() bool { return (r.status != making || r.promised()) && r.status != restarting }

// listed gives the rooms that there are to see.
func (c *Core) listed() []Room {
	var rooms []Room
	for _, id := range c.mem.order {
		if r := c.mem.rooms[id]; r.begun() && !c.unseen(r) {
			rooms = append(rooms, c.view(r))
		}
	}
	for id, log := range c.vol.logs {
		if c.mem.rooms[id] == nil && log.listed && log.kind == OpenToAll {
			rooms = append(rooms, c.viewListed(id, log))
		}
		if c.outside(id) {
			rooms = append(rooms, c.viewOutside(id, log))
		}
	}
	sort.Slice(rooms, func(i, j int) bool {
		a, b := rooms[i].activeAt(), rooms[j].activeAt()
		if a.Equal(b) {
			return bytes.Compare(rooms[i].ID[:], rooms[j].ID[:]) < 0
		}
		return a.After(b)
	})
	return rooms
}

func (r Room) activeAt() time.Time {
	if r.Last == nil {
		return time.Time{}
	}
	return r.Last.At
}

// Room gives one room.
func (c *Client) Room(ctx context.Context, room ident.RoomID) (Room, error) {
	return call[Room](ctx, c, func(c *Core, call uint64) {
		c.await(call, func(c *Core) (bool, any, error) {
			if r := c.mem.rooms[room]; r != nil {
				return true, c.view(r), nil
			}
			if !c.settled() {
				return false, nil, nil
			}
			if log := c.vol.logs[room]; log.listed && log.kind == OpenToAll {
				return true, c.viewListed(room, log), nil
			}
			if c.outside(room) {
				return true, c.viewOutside(room, c.vol.logs[room]), nil
			}
			return true, nil, errNoRoom
		})
	})
}

var errNoRoom = refuse(NotFound, "look at the list of your rooms", "there is no such room, or this device is not in it").run("snug rooms")

// Resolve finds a room by "@handle" (the 1:1 room, where it exists), by the text of its id, or by a name that only one
// room has. Rooms that this account has left, or has asked to leave, answer to a name that no other room has.
func (c *Client) Resolve(ctx context.Context, name string) (ident.RoomID, error) {
	if name == "" {
		return ident.RoomID{}, refuse(Usage, "", "a room's name is missing")
	}
	return call[ident.RoomID](ctx, c, func(c *Core, call uint64) { c.resolve(call, name, false) })
}

// resolve answers with the room of this name. Before it says that there is none, or takes one that was left, it asks the
// server once more: somebody may just have let this device into it.
func (c *Core) resolve(call uint64, name string, asked bool) {
	c.await(call, func(c *Core) (bool, any, error) {
		found, past := c.named(name)
		if len(found) == 0 {
			switch {
			case !c.settled():
				return false, nil, nil
			case !asked && c.online():
				c.listRooms(func(c *Core) { c.resolve(call, name, true) })
				return true, nil, errLater
			}
			found = past
		}
		switch {
		case len(found) == 1 && c.mem.rooms[found[0]] == nil && !c.settled():
			return false, nil, nil // its Welcome may be on the way
		case len(found) == 1:
			return true, found[0], nil
		case len(found) > 1:
			return true, nil, refuse(Usage, "use the room's id", "%d rooms are called %q", len(found), name).run("snug rooms")
		case c.blockedAs(name):
			return true, nil, errBlocked(name[1:])
		}
		hint := "look at the list of your rooms"
		if n := c.outsiders(); n > 0 {
			hint = fmt.Sprintf("it may be one of the %d that this device has not been let into: %s", n, LetIn)
		}
		return true, nil, refuse(NotFound, hint, "no room is called %q", name).run("snug rooms")
	})
}

// named gives the rooms that a text may mean, and apart from them those that were left or are being left. An id means that
// room only, whatever others are called.
func (c *Core) named(name string) (found, past []ident.RoomID) {
	if id, err := ident.ParseRoomID(name); err == nil {
		if c.mem.rooms[id] != nil || c.vol.logs[id].listed {
			return []ident.RoomID{id}, nil
		}
	}
	for _, room := range c.listed() {
		switch {
		case room.Name != name:
		case room.Joined && !room.Leaving || room.Kind == OpenToAll || room.Direct != "":
			found = append(found, room.ID)
		default:
			past = append(past, room.ID)
		}
	}
	return found, past
}

// CreateRoom makes a room and returns when its first members are in it.
func (c *Client) CreateRoom(ctx context.Context, options CreateRoomOptions) (Room, error) {
	if options.Name == "" || len(options.Name) > wire.MaxRoomName || !utf8.ValidString(options.Name) {
		return Room{}, refuse(Usage, hintShorter, "a room's name has 1 to %d bytes", wire.MaxRoomName)
	}
	if options.Open && len(options.Handles) > 0 {
		return Room{}, refuse(Usage, "whoever wants to joins it", "an open room is not made with members")
	}
	accounts, err := c.lookUpNew(ctx, options.Handles)
	if err != nil {
		return Room{}, err
	}
	return call[Room](ctx, c, func(c *Core, call uint64) { c.createRoom(call, options, accounts) })
}

func (c *Core) createRoom(call uint64, options CreateRoomOptions, accounts []ident.AccountID) {
	id, err := ident.NewRoomID(c.cfg.rand)
	if err != nil {
		c.fail(err)
		return
	}
	kind := Sealed
	if options.Open {
		kind = OpenToAll
	}
	r := c.newRoom(id, kind, making)
	r.name = options.Name
	for _, account := range accounts {
		if account != c.mem.account.me.Account {
			r.wanted = append(r.wanted, want{kind: wantAdd, account: account})
		}
	}
	c.awaitKept(call, keptRoom, func(c *Core) (bool, any, error) {
		if refused := c.refusal(id); refused != nil {
			return true, nil, refused.err
		}
		r := c.mem.rooms[id]
		if r == nil || r.status == making {
			return false, nil, nil
		}
		if ended, err := c.wantsEnded(r, func(w want) bool { return slices.Contains(accounts, w.account) }); !ended || err != nil {
			return ended, nil, err
		}
		if c.owesRecovery(r) {
			return false, nil, nil // a program that runs for a moment ends with this answer
		}
		return true, c.view(r), nil
	})
}

// JoinRoom makes this account a member of an open room.
func (c *Client) JoinRoom(ctx context.Context, room ident.RoomID) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		if r := c.mem.rooms[room]; r != nil && r.status == joined {
			c.reply(call, struct{}{}, nil)
			return
		}
		c.ask(request{call: call, needs: ready, sticky: true,
			frame: &wire.ClientFrame{Body: &wire.ClientFrame_JoinRoom{JoinRoom: &wire.JoinRoom{Room: room.Bytes()}}},
			then: func(c *Core, reply *wire.ServerFrame) {
				answer := reply.GetRoom()
				if answer == nil || string(answer.Room) != string(room[:]) || answer.Kind != wire.RoomKind_ROOM_KIND_OPEN {
					c.reply(call, nil, errProtocol)
					return
				}
				answer.Joined = true
				c.listedRoom(answer)
				c.reply(call, struct{}{}, nil)
			}})
	})
	return err
}

// LeaveRoom takes this account out of a room. From a sealed room with others in it the account is gone when another
// member's device has carried it out; LeaveRoom returns when the server has the request. Where this device only waits to be
// let in, it stops to ask; a room that did not stand up to the checks is not shown any more, unless somebody lets this device
// in that can be checked.
func (c *Client) LeaveRoom(ctx context.Context, room ident.RoomID) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) { c.leave(call, room) })
	return err
}

func (c *Core) leave(call uint64, room ident.RoomID) {
	r := c.mem.rooms[room]
	if c.mem.knocking[room] != nil && r != nil && r.status != joined {
		c.endKnock(room)
		c.reply(call, struct{}{}, nil)
		return
	}
	switch {
	case r != nil && r.status == refused:
		c.dismiss(r)
		c.reply(call, struct{}{}, nil)
		return
	case r != nil && r.status == left:
		c.reply(call, nil, refuse(Refused, "what was said there stays readable", "this device is not in that room any more").run("snug history "+room.String()))
		return
	case r == nil || r.status != joined:
		c.reply(call, nil, c.noRoom(room))
		return
	case !r.direct.IsZero():
		c.reply(call, nil, refuse(Refused, "", "a 1:1 room cannot be left"))
		return
	case r.kind == OpenToAll:
		c.leaveOnServer(room)
	}
	r.leaving, r.replan, r.dirty = true, true, true
	c.awaitKept(call, keptLeave, func(c *Core) (bool, any, error) { return c.hasLeft(room) })
}

// hasLeft reports whether the server has been asked to let this account go, durably.
func (c *Core) hasLeft(room ident.RoomID) (bool, any, error) {
	r := c.mem.rooms[room]
	if r == nil || r.status == left {
		return true, struct{}{}, nil
	}
	if !r.leaving {
		return true, nil, refuse(Refused, "", "the server refused: %s", r.problem)
	}
	switch {
	case c.keyless(r) && !c.lonely(r):
		return true, nil, refuse(Failed, "it leaves as soon as a member's client has let it in anew", "%s", r.rejoin.cause)
	case r.kind == OpenToAll || c.keyless(r) || r.leaveAsked != c.group(r).Epoch()+1:
		return false, nil, nil
	}
	for _, w := range r.rows {
		if w.kind == rowProposal && w.state != rowAcked {
			return false, nil, nil
		}
	}
	return true, struct{}{}, nil
}

// MarkRead says that the person has been shown the room up to seq, on this device; 0 means all that is processed. The
// marker never goes back. Unread becomes zero when nothing is processed after seq.
func (c *Client) MarkRead(ctx context.Context, room ident.RoomID, seq uint64) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		if r := c.mem.rooms[room]; r != nil {
			c.markRead(r, seq)
		}
		c.reply(call, struct{}{}, nil)
	})
	return err
}

// markRead moves the marker of a room forward.
func (c *Core) markRead(r *room, seq uint64) {
	if seq == 0 || seq > r.seq {
		seq = r.seq
	}
	if seq > r.read {
		r.read, r.dirty = seq, true
	}
	if seq == r.seq && r.unread > 0 {
		r.unread, r.dirty = 0, true
	}
}
