package client

import (
	"context"
	"slices"
	"strings"

	"snug/internal/ident"
)

// Block has this device hear no more of an account: its 1:1 room and the rooms into which it has let this account are not
// shown, and what it says in others is marked. Requests of it that wait are declined. Neither the account nor the server
// learns of it; this account's other devices do not either.
func (c *Client) Block(ctx context.Context, handle string) error {
	return c.setBlocked(ctx, handle, true)
}

// Unblock takes Block back. What the account has written meanwhile is there.
func (c *Client) Unblock(ctx context.Context, handle string) error {
	return c.setBlocked(ctx, handle, false)
}

// Blocked lists the accounts that are blocked, by handle.
func (c *Client) Blocked(ctx context.Context) ([]Account, error) {
	return call[[]Account](ctx, c, func(c *Core, call uint64) {
		var list []Account
		for account := range c.mem.blocked {
			list = append(list, Account{ID: account, Handle: c.handle(account)})
		}
		slices.SortFunc(list, func(a, b Account) int { return strings.Compare(a.Handle, b.Handle) })
		c.reply(call, list, nil)
	})
}

func (c *Client) setBlocked(ctx context.Context, handle string, block bool) error {
	if me, _ := c.Me(); strings.TrimPrefix(handle, "@") == me.Handle {
		return refuse(Usage, "", "nobody blocks themselves")
	}
	// Who is not whom this device has known by the handle is blocked like anybody.
	contact, err := c.FindContact(ctx, handle)
	if err != nil {
		return err
	}
	_, err = call[struct{}](ctx, c, func(c *Core, call uint64) {
		if block {
			c.shun(contact.Account)
		} else {
			delete(c.mem.blocked, contact.Account)
			c.delete(keyBlock(contact.Account))
		}
		c.touchRooms(contact.Account)
		c.emit(AccountsChanged{})
		c.emit(Resync{}) // every message of the account looks another way now
		c.reply(call, struct{}{}, nil)
	})
	return err
}

func (c *Core) shun(account ident.AccountID) {
	e := newEncoder(blockVersion)
	e.time(c.now)
	c.mem.blocked[account] = c.now
	c.put(keyBlock(account), e.b)
	for _, id := range c.mem.order {
		if a, asked := c.mem.admissions[id]; asked && a.inviter == account && !a.declined {
			c.decline(c.mem.rooms[id])
		}
	}
}

const blockVersion = 1

func (c *Core) loadBlocks() {
	for _, record := range c.scan(ScanOptions{Prefix: keyBlocks}) {
		account, err := ident.ParseAccountID(strings.TrimPrefix(record.Key, keyBlocks))
		d := newDecoder(record.Value, blockVersion)
		at := d.time()
		if err := firstError(err, d.end()); err != nil {
			c.fail(failed("reading who is blocked", err))
			return
		}
		c.mem.blocked[account] = at
	}
}

// isBlocked reports whether an account is blocked on this device.
func (c *Core) isBlocked(account ident.AccountID) bool {
	_, blocked := c.mem.blocked[account]
	return blocked
}

// blockedAs reports whether a text names an account that is blocked, whose 1:1 room is out of sight.
func (c *Core) blockedAs(name string) bool {
	handle, marked := strings.CutPrefix(name, "@")
	for account := range c.mem.blocked {
		if marked && c.handle(account) == handle {
			return true
		}
	}
	return false
}

func errBlocked(handle string) *Error {
	return refuse(Refused, "unblock them first", "you have blocked @%s", handle).run("snug unblock @" + handle)
}

// mayWrite refuses to write to who is blocked, and where this device is not let in yet. Who writes in a room has accepted
// it.
func (c *Core) mayWrite(r *room) *Error {
	switch {
	case c.mem.knocking[r.id] != nil && r.status != joined:
		return refuse(Refused, "somebody in the room has to let you in first", "you are not in this room yet")
	case c.isBlocked(r.direct):
		return errBlocked(c.handle(r.direct))
	}
	c.acceptRoom(r)
	return nil
}
