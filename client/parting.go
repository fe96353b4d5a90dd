package client

import "context"

// Parting is what goes with a device that signs out.
type Parting struct {
	// Last says that the account has no other device, as far as this one knows: none is left that lets the next one in.
	Last bool
	// Rooms is how many sealed rooms this device is in, Alone in how many of them the account is by itself: into the others
	// the next device is let by a member's.
	Rooms, Alone int
	// Unarchived counts the rooms of which this device has read something that is not in the archive, or not yet: it is gone
	// with the last device. Rooms that the account has left are never in it.
	Unarchived int
	// Unsent counts the messages written here that the server has not acknowledged: nobody else has them, and they are gone with
	// the device, the last one or not. Those that could not be sent are among them.
	Unsent int
}

// Parting tells what signing out on this device takes away. It waits for the server's answer, unless that cannot be reached.
func (c *Client) Parting(ctx context.Context) (Parting, error) {
	return call[Parting](ctx, c, func(c *Core, call uint64) {
		c.await(call, func(c *Core) (bool, any, error) {
			if !c.settled() || c.online() && !c.vol.archive.known {
				return false, nil, nil
			}
			return true, c.parting(), nil
		})
	})
}

func (c *Core) parting() (p Parting) {
	chain := c.chain(c.mem.account.me.Account)
	p.Last = chain != nil && len(chain.Devices()) <= 1
	for _, r := range c.mem.rooms {
		acked := false // and not heard of from the log yet, so that it is in no archive
		for _, w := range r.rows {
			switch {
			case w.kind != rowText:
			case w.state == rowAcked:
				acked = true
			default:
				p.Unsent++
			}
		}
		if r.kind != Sealed {
			continue
		}
		if r.status == joined {
			p.Rooms++
			if len(c.roster(r).members) == 1 {
				p.Alone++
			}
		}
		if acked || len(c.unarchived(r)) > 0 {
			p.Unarchived++
		}
	}
	return p
}

// unarchived gives what this device has of a room that nobody finds in the archive.
func (c *Core) unarchived(r *room) spans {
	has, head := c.has(r).within(1, r.lastSeq), c.archiveHead()
	if r.status != joined || !head.archives(r.id) || c.vol.archive.problem != "" {
		return has
	}
	return has.minus(head.room(r.id).covered)
}
