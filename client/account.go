package client

import (
	"context"
	"slices"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Me is who is signed in on this device.
type Me struct {
	Account    ident.AccountID
	Handle     string
	Device     ident.DeviceID
	DeviceName string
	// Owner owns the server and may invite.
	Owner bool
}

// Account is one of the people of the server.
type Account struct {
	ID     ident.AccountID
	Handle string
	Online bool
	// SeenAt is when the account was last connected; zero for now and for never.
	SeenAt time.Time
}

// RegisterOptions make an account with this device as its first.
type RegisterOptions struct {
	Handle     string
	Passphrase string
	// Invite is the code that the server asks for; empty where registration is open.
	Invite     string
	DeviceName string
	// Progress is told what is going on, from the caller's goroutine. Optional.
	Progress func(Progress)
}

// LoginOptions make this a device of an account that exists.
type LoginOptions struct {
	Handle     string
	Passphrase string
	DeviceName string
	// Progress is told what is going on, from the caller's goroutine. Optional.
	Progress func(Progress)
}

// Invite is a one-time code with which somebody may register.
type Invite struct {
	Code      string
	ExpiresAt time.Time
}

// Accounts lists the people of the server, by handle.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) {
	return call[[]Account](ctx, c, func(c *Core, call uint64) { c.listAccounts(call, nil) })
}

// listAccounts asks for page after page.
func (c *Core) listAccounts(call uint64, got []Account) {
	after := ""
	if len(got) > 0 {
		after = got[len(got)-1].Handle
	}
	c.ask(request{call: call, needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_ListAccounts{ListAccounts: &wire.ListAccounts{After: after}}},
		then: func(c *Core, reply *wire.ServerFrame) {
			page := reply.GetAccounts()
			all := append(got[:len(got):len(got)], readAccounts(page)...)
			if page.GetMore() && len(all) > len(got) {
				c.listAccounts(call, all)
				return
			}
			c.reply(call, all, nil)
		}})
}

func readAccounts(page *wire.Accounts) (accounts []Account) {
	for _, a := range page.GetAccounts() {
		id, err := ident.AccountIDFromBytes(a.Account)
		handle, noHandle := ident.ParseHandle(a.Handle)
		if err != nil || noHandle != nil {
			continue
		}
		account := Account{ID: id, Handle: handle.String(), Online: a.Online}
		if a.SeenAt > 0 {
			account.SeenAt = time.UnixMilli(a.SeenAt).UTC()
		}
		accounts = append(accounts, account)
	}
	return accounts
}

// Invite makes a one-time code with which somebody may register.
func (c *Client) Invite(ctx context.Context) (Invite, error) {
	return call[Invite](ctx, c, func(c *Core, call uint64) {
		c.ask(request{call: call, needs: ready, sticky: true,
			frame: &wire.ClientFrame{Body: &wire.ClientFrame_CreateInvite{CreateInvite: &wire.CreateInvite{}}},
			then: func(c *Core, reply *wire.ServerFrame) {
				invite := reply.GetInvite()
				code, err := ident.ParseInvite(invite.GetCode())
				if err != nil {
					c.reply(call, nil, errProtocol)
					return
				}
				c.reply(call, Invite{Code: code.Secret(), ExpiresAt: time.UnixMilli(invite.ExpiresAt).UTC()}, nil)
			}})
	})
}

// errNoHandle refuses what nobody can be called.
func errNoHandle(text string) *Error {
	return refuse(Usage, "a handle has 3 to 32 of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit", "%q is no handle", text)
}

// lookUp gives the accounts of handles, and sees to it that their newest chains are known. The server says who has a
// handle; that the account claims it is checked in its chain.
func (c *Client) lookUp(ctx context.Context, handles []string) ([]ident.AccountID, error) {
	var accounts []ident.AccountID
	for _, text := range handles {
		handle, err := ident.ParseHandle(strings.TrimPrefix(text, "@"))
		if err != nil {
			return nil, errNoHandle(text)
		}
		account, err := call[ident.AccountID](ctx, c, func(c *Core, call uint64) { c.lookUp(call, handle) })
		if err != nil {
			return nil, err
		}
		if !slices.Contains(accounts, account) {
			accounts = append(accounts, account)
		}
	}
	return accounts, nil
}

// lookUpNew is lookUp for who is about to be let in: an account that goes by the handle of a verified one is refused.
func (c *Client) lookUpNew(ctx context.Context, handles []string) ([]ident.AccountID, error) {
	accounts, err := c.lookUp(ctx, handles)
	if err != nil {
		return nil, err
	}
	return call[[]ident.AccountID](ctx, c, func(c *Core, call uint64) {
		for _, account := range accounts {
			if s, strange := c.stranger(account); strange && s.WasVerified {
				c.reply(call, nil, errStranger(s.Handle))
				return
			}
		}
		c.reply(call, accounts, nil)
	})
}

func (c *Core) lookUp(call uint64, handle ident.Handle) {
	nobody := refuse(NotFound, "look whether the handle is written right", "nobody is called @%s", handle).run("snug users")
	body := &wire.ListAccounts{Handle: handle.String(), Limit: 1}
	c.ask(request{call: call, needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_ListAccounts{ListAccounts: body}},
		then: func(c *Core, reply *wire.ServerFrame) {
			found := readAccounts(reply.GetAccounts())
			if len(found) != 1 || found[0].Handle != handle.String() {
				c.reply(call, nil, nobody)
				return
			}
			account := found[0].ID
			c.fetchChains("", []ident.AccountID{account}, func(c *Core) {
				if chain := c.chain(account); chain == nil || chain.Handle() != handle {
					c.reply(call, nil, refuse(Refused, "", "the server shows an account as @%s that is not called so", handle))
					return
				}
				c.reply(call, account, nil)
			})
		}})
}
