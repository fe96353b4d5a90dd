package client

import (
	"maps"
	"time"

	"snug/internal/ident"
)

// The cadence of healing: how long somebody who has copied this device's keys can read on. After joining, by
// volume, by time, after a pause, and in a room of two at each change of speaker. What is owed for other reasons than
// time is committed before the next message; what time alone demands, by a device that is online, without one.
const (
	healMessages = 50
	healAge      = 24 * time.Hour
	healPause    = 7 * 24 * time.Hour
	healTurn     = time.Hour
)

// Devices that were added together, or come back together, owe their renewals at one time, and only one commit wins each
// epoch. So each waits for a random part of a time that grows with the room: on average one commit falls into each of
// these intervals, whatever the room's size. It is bounded by the size of rooms, and by healSpreadMost.
const (
	// healSpread is for the daily renewal of who says nothing: 1,000 devices take 16 h 40 min.
	healSpread = time.Minute
	// healSpreadSoon is for who finds its renewal overdue, having been away, and for who has lost a race: 1,000 devices
	// take 17 min. It leaves a commit time to reach everybody before the next one.
	healSpreadSoon = time.Second
	healSpreadMost = 24 * time.Hour
)

// How long a device whose commits lose all races goes on to speak with the keys that it has: twice what it owed them
// after, or three times where that is time.
const (
	healMessagesMost = 2 * healMessages
	healAgeMost      = 3 * healAge
)

// renewal is when this device renews its keys of a room without having anything to say. It is not stored: another process
// draws another time.
type renewal struct {
	// healed is the room's heal.at that at was computed from.
	healed, at time.Time
	// lost says that somebody else's commit won over this device's. Until at, its messages do not wait for another try.
	lost bool
}

// healDue reports whether this device renews its keys now; speaks says that it is about to say something.
func (c *Core) healDue(r *room, speaks bool) bool {
	planned, ok := c.vol.renewals[r.id]
	current := ok && planned.healed.Equal(r.heal.at)
	switch {
	case current && !c.now.Before(planned.at):
		return true
	case !speaks:
		return false
	case current && planned.lost:
		return r.heal.sent >= healMessagesMost || c.now.Sub(r.heal.at) >= healAgeMost
	}
	return c.healOwed(r)
}

// healOwed reports whether the next message is to be sealed with new keys.
func (c *Core) healOwed(r *room) bool {
	h := r.heal
	age := c.now.Sub(h.at)
	switch {
	case h.due, h.sent >= healMessages, age >= healAge:
		return true
	case !h.spokeAt.IsZero() && c.now.Sub(h.spokeAt) >= healPause:
		return true
	}
	return h.othersSpoke && age >= healTurn && len(c.roster(r).members) == 2
}

// planRenewal draws the time of the next renewal, unless that is done.
func (c *Core) planRenewal(r *room) {
	if r.heal.at.After(c.now) { // the clock was ahead then; what it says now is what is known
		r.heal.at, r.dirty = c.now, true
	}
	if planned, ok := c.vol.renewals[r.id]; ok && planned.healed.Equal(r.heal.at) {
		return
	}
	from, each := r.heal.at.Add(healAge), healSpread
	if !from.After(c.now) {
		from, each = c.now, healSpreadSoon
	}
	c.vol.renewals[r.id] = renewal{healed: r.heal.at, at: c.spread(r, from, each)}
}

// missedRenewals forgets the plans whose time has passed while there was no connection: who else was cut off has missed
// them too.
func (c *Core) missedRenewals() {
	maps.DeleteFunc(c.vol.renewals, func(_ ident.RoomID, planned renewal) bool { return !planned.at.After(c.now) })
}

// lostRace notes that somebody else's commit has won. If it was for new keys only, the next try is put off.
func (c *Core) lostRace(r *room) {
	if planned := c.vol.renewals[r.id]; planned.lost && planned.healed.Equal(r.heal.at) && c.now.Before(planned.at) {
		return
	}
	c.vol.renewals[r.id] = renewal{healed: r.heal.at, at: c.spread(r, c.now, healSpreadSoon), lost: true}
}

// spread gives a random time, at the latest each after from for every device of the room.
func (c *Core) spread(r *room, from time.Time, each time.Duration) time.Time {
	devices := 0
	for range c.group(r).Members() {
		devices++
	}
	width := min(time.Duration(devices)*each, healSpreadMost)
	return from.Add(c.jitter(2*width) - width)
}

// healed notes that this device has renewed its keys.
func (c *Core) healed(r *room) {
	r.heal.due, r.heal.sent, r.heal.at, r.dirty = false, 0, c.now, true
}

// spoke notes that this device has sealed a message.
func (c *Core) spoke(r *room) {
	r.heal.sent++
	r.heal.spokeAt, r.heal.othersSpoke, r.dirty = c.now, false, true
}
