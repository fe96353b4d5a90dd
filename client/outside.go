package client

import (
	"bytes"
	"context"
	"slices"

	"snug/internal/ident"
)

// outside reports whether this account is in a sealed room that this device has not been let into: the server lists it, and
// any other device of a member lets this one in when it is online. The server is believed that far: what it lists falsely is
// waited for in vain, and nothing else.
func (c *Core) outside(id ident.RoomID) bool {
	log := c.vol.logs[id]
	if c.mem.rooms[id] != nil || !log.listed || log.kind != Sealed || log.halfMade() {
		return false
	}
	// What was written to the other one of a pair waits in a room of its own, which stands for the pair's until then.
	return log.direct.IsZero() || c.directWith(log.direct) == nil
}

// halfMade rooms of two have one account so far: the other one has made the room, and has not let this account in yet.
func (l serverLog) halfMade() bool { return !l.direct.IsZero() && l.members < 2 }

// viewOutside gives a room that this device is not in. Nothing of what its members call it is known before.
func (c *Core) viewOutside(id ident.RoomID, log serverLog) Room {
	v := Room{ID: id, Kind: Sealed, Outside: true, Members: log.members, ServerSeq: log.seq}
	if !log.direct.IsZero() {
		v.Direct = c.handle(log.direct)
		v.Name = "@" + v.Direct
	}
	return v
}

// listedAgain takes back what an earlier answer listed and this one does not, of rooms that this device never was in, and asks
// for the names of whom the others are shared with.
func (c *Core) listedAgain(listed map[ident.RoomID]bool) {
	var others []ident.AccountID
	for id, log := range c.vol.logs {
		switch {
		case !c.outside(id):
		case !listed[id]:
			log.listed = false
			c.vol.logs[id] = log
			c.emit(RoomChanged{Room{ID: id, Kind: Sealed, Gone: true}})
		case !log.direct.IsZero() && c.chain(log.direct) == nil:
			others = append(others, log.direct)
		}
	}
	if len(others) == 0 || c.asking(outsideChains) {
		return
	}
	slices.SortFunc(others, func(a, b ident.AccountID) int { return bytes.Compare(a[:], b[:]) })
	c.fetchChains(outsideChains, others, func(c *Core) {
		for id, log := range c.vol.logs {
			if c.outside(id) && !log.direct.IsZero() {
				c.emit(RoomChanged{c.viewOutside(id, log)})
			}
		}
	})
}

// outsideChains names the request for the chains of those who share a room with this account that this device is not in.
const outsideChains = "chains outside"

// Outside counts the rooms of this account that this device has not been let into. It waits for the server's answer, unless
// that cannot be reached.
func (c *Client) Outside(ctx context.Context) (int, error) {
	rooms, err := c.Rooms(ctx)
	n := 0
	for _, r := range rooms {
		if r.Outside {
			n++
		}
	}
	return n, err
}

// outsiders counts the rooms of this account that this device is not in.
func (c *Core) outsiders() (n int) {
	for id := range c.vol.logs {
		if c.outside(id) {
			n++
		}
	}
	return n
}

// noRoom says that this device is not in a room, and what lets it in where the account is or may be.
func (c *Core) noRoom(id ident.RoomID) *Error {
	log := c.vol.logs[id]
	switch {
	case c.outside(id):
		return errOutside
	case log.listed && log.kind == OpenToAll:
		return refuse(Refused, "join it to take part", "you are not in this room").run("snug room join " + id.String())
	}
	return errNoRoom
}

// LetIn says what lets a device into the rooms of its account: a device that is there commits what it owes when a random moment of
// commitJitter is over, or before it says something.
const LetIn = "another device of yours, or a member's, lets it in by itself once it is online for some seconds, or says something there"

var errOutside = refuse(NotFound, LetIn, "this device has not been let into the room yet")
