package client

import (
	"context"
	"strings"

	"snug/internal/ident"
)

// DeviceKeys gives the keys of an account's devices, enrolled and not revoked, for sockets that are to be joined without
// the server: of an account that was verified on this device, or of this device's own account. The account is the one
// that this device knows by the handle, never one that the server names. It asks the server for the newest chain; where
// that cannot be reached, the newest one that this device has seen counts.
func (c *Client) DeviceKeys(ctx context.Context, text string) ([]ident.PublicKey, error) {
	handle, err := ident.ParseHandle(strings.TrimPrefix(text, "@"))
	if err != nil {
		return nil, errNoHandle(text)
	}
	return call[[]ident.PublicKey](ctx, c, func(c *Core, call uint64) { c.deviceKeys(call, handle) })
}

// DeviceKey gives this device's key, which proves it in TLS handshakes of sockets as it does to the server.
func (c *Client) DeviceKey(ctx context.Context) (ident.DeviceKey, error) {
	return call[ident.DeviceKey](ctx, c, func(c *Core, call uint64) { c.reply(call, c.mem.key, nil) })
}

func (c *Core) deviceKeys(call uint64, handle ident.Handle) {
	account, err := c.knownAs(handle)
	if err != nil {
		c.reply(call, nil, err)
		return
	}
	c.await(call, func(c *Core) (bool, any, error) {
		switch {
		case !c.settled():
			return false, nil, nil
		case c.online():
			c.fetchChains("", []ident.AccountID{account}, func(c *Core) {
				keys, err := c.verifiedKeys(account, handle)
				c.reply(call, keys, err)
			})
			return true, nil, errLater
		}
		keys, err := c.verifiedKeys(account, handle)
		return true, keys, err
	})
}

// knownAs gives the account that this device knows by a handle.
func (c *Core) knownAs(handle ident.Handle) (ident.AccountID, error) {
	if me := c.mem.account.me; me.Handle == handle.String() {
		return me.Account, nil
	}
	account, err := decodeKnown(c.get(keyKnown(handle.String())))
	if err != nil {
		return ident.AccountID{}, refuse(NotFound, "", "this device knows nobody as @%s", handle).run("snug verify @" + handle.String())
	}
	return account, nil
}

// verifiedKeys gives the keys of an account's devices if nobody but a person has vouched for the account.
func (c *Core) verifiedKeys(account ident.AccountID, handle ident.Handle) ([]ident.PublicKey, error) {
	if c.mem.account == nil {
		return nil, errSignedOut
	}
	chain := c.chain(account)
	switch {
	case chain == nil || chain.Handle() != handle:
		return nil, refuse(NotFound, "", "the account that this device knows as @%s is not called so any more", handle).run("snug users")
	case account != c.mem.account.me.Account && c.verifiedAt(account).IsZero():
		return nil, refuse(Refused, "compare safety numbers first",
			"@%s was not verified on this device: who it is, only the server says", handle).run("snug verify @" + handle.String())
	}
	var keys []ident.PublicKey
	for _, d := range chain.Devices() {
		keys = append(keys, d.Key)
	}
	if len(keys) == 0 {
		return nil, refuse(NotFound, "", "@%s has no device any more", handle)
	}
	return keys, nil
}
