package client

import "time"

// The cadence of healing: how long somebody who has copied this device's keys can read on. After joining, by
// volume, by time, after a pause, and in a room of two at each change of speaker.
const (
	healMessages = 50
	healAge      = 24 * time.Hour
	healPause    = 7 * 24 * time.Hour
	healTurn     = time.Hour
)

// healDue reports whether this device renews its keys before its next message.
func (c *Core) healDue(r *room) bool {
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

// healed notes that this device has renewed its keys.
func (c *Core) healed(r *room) {
	r.heal.due, r.heal.sent, r.heal.at, r.dirty = false, 0, c.now, true
}

// spoke notes that this device has sealed a message.
func (c *Core) spoke(r *room) {
	r.heal.sent++
	r.heal.spokeAt, r.heal.othersSpoke, r.dirty = c.now, false, true
}
