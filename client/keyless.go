package client

import "strings"

// errKeyless says that a room cannot be changed from here for now.
func errKeyless(r *room) *Error {
	return refuse(Failed, "it has asked to be let in anew, and waits for a member's client to do so", "%s", r.rejoin.cause)
}

// keyless reports whether this device is in a sealed room that it cannot follow.
func (c *Core) keyless(r *room) bool {
	return r.kind == Sealed && r.status == joined && c.group(r) == nil
}

// ailment says why a room does not go on, also before the server has been asked for it.
func (c *Core) ailment(r *room) string {
	differs, unlike := c.vol.differing[r.id]
	switch {
	case r.problem == "" && c.keyless(r):
		return r.rejoin.cause
	case r.problem == "" && unlike && r.status == joined:
		return differs.String()
	case r.problem == "" && r.status == joined:
		return r.fullRoom()
	}
	return r.problem
}

// anew is the way back that is always there: as a new device.
const anew = "sign out on this device and in again with the passphrase: then the members let it in as a new one"

// remedy says what a person can do about a room's problem; empty where there is none.
func (c *Core) remedy(r *room) string {
	switch log := c.vol.logs[r.id]; {
	case r.fault != nil && !r.fault.passed:
		return c.waysPast(r)
	case c.keyless(r) && log.listed && !log.joined:
		return "the server says that this device was taken out of the room: ask its members, or leave the room"
	case c.keyless(r):
		return c.waysBack(r)
	case r.problem == "" && r.status == joined && c.vol.differing[r.id] != (differing{}):
		return c.vol.differing[r.id].remedy()
	case r.problem == "" && r.leftOut > 0:
		return "remove somebody, or have devices that are not used any more revoked"
	case r.problem == "":
		return ""
	case r.status == refused && strings.HasPrefix(r.problem, problemRestart):
		return LetIn + "; and this is tried again every few minutes"
	case r.status == refused && c.archiveOf(r.id).before:
		return "this account is in the room, and somebody has let this device in wrongly: " + anew
	case r.status == refused:
		return "ask those who are in the room, by another way, who has added this account; or leave it, and it is not shown any more"
	case c.lacksOther(r):
		return c.waysToOther(r)
	case strings.HasPrefix(r.problem, problemLetIn):
		return "ask those who are in the room, by another way, whether they have let this device in anew; if so, " + anew
	}
	return "nothing is lost, and each connection goes on from where this one stopped; if it stays so, ask who runs the server"
}

// waysPast says what becomes of a room whose last change this device cannot take.
func (c *Core) waysPast(r *room) string {
	culprit := Message{Account: r.fault.culprit.account, Device: r.fault.culprit.device}
	c.name(&culprit)
	if c.reboots(r) {
		return "within a minute the room goes on, with what others could read or else without @" + culprit.From + "'s device " + culprit.DeviceName
	}
	return "the room goes on within a minute after an owner or admin is online, with what others could read or else without @" +
		culprit.From + "'s device " + culprit.DeviceName
}

// waysBack says for whom a device waits that cannot follow a room.
func (c *Core) waysBack(r *room) string {
	last, who := c.roster(r), "an owner or admin of the room"
	switch {
	case r.rejoin.refusals > 0, len(last.members) == 0 && r.direct.IsZero():
		return anew
	case c.lonely(r) && c.archiveHead().room(r.id).recovery != nil:
		return "nobody else is in the room: sign out on this device and in again with the passphrase, and it is begun anew; or leave it"
	case c.lonely(r):
		return "nobody else is in the room: leave it"
	case !r.direct.IsZero():
		who = "@" + c.handle(r.direct)
	case standsIn(last, c.mem.account.me.Account):
		who = "a member of the room"
	}
	return "it comes back by itself as soon as " + who + ", or another of your devices, is online; if nobody comes, " + anew
}

// lonely reports whether nobody was in the room but this device, so that nobody lets it in anew.
func (c *Core) lonely(r *room) bool {
	return len(c.roster(r).members) == 1 && len(c.chain(c.mem.account.me.Account).Devices()) == 1
}
