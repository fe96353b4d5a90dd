package client

import (
	"errors"

	"snug/internal/ident"
	"snug/internal/wire"
)

// confirmLink hands the account over.
func (c *Core) confirmLink(call uint64) {
	l := c.vol.link
	if l == nil || !l.old || !l.matched() {
		c.reply(call, nil, errNoLink)
		return
	}
	if l.err == nil && !l.confirmed {
		key, err := ident.VaultKeyFromSecret(c.get(keyVaultKey))
		if err != nil {
			c.reply(call, nil, errNoVaultKey)
			return
		}
		me := c.mem.account.me.Account
		chain := c.chain(me)
		sealed, err := l.session.SealAccount(c.cfg.rand, ident.LinkedAccount{Account: me, Identity: c.mem.account.identity,
			Vault: key, Len: chain.Len(), Head: chain.Head()})
		if err != nil {
			c.reply(call, nil, failed("sealing the account", err))
			return
		}
		c.doesItself(ident.NewDeviceID(me, l.device.Key))
		c.changeLink(func(l *link) { l.confirmed = true })
		c.sayLink(sealed)
	}
	c.vol.told[call] = true
	c.awaitLink(call, func(l *link) (any, bool) { return c.linked(l) })
}

// linked gives the new device once the account's chain has it.
func (c *Core) linked(l *link) (any, bool) {
	account := c.mem.account.me.Account
	d, ok := c.chain(account).Device(ident.NewDeviceID(account, l.device.Key))
	return Device{ID: d.ID, Name: d.Name, EnrolledAt: d.Enrolled}, ok
}

// lookForLinked asks for the chain after the mailbox has ended: as the new device has enrolled itself, or for want of time.
func (c *Core) lookForLinked() {
	number := c.vol.link.number
	c.fetchChains("", []ident.AccountID{c.mem.account.me.Account}, func(c *Core) {
		if l := c.vol.link; c.mem.account != nil && l != nil && l.number == number && l.err == nil {
			if _, enrolled := c.linked(l); !enrolled {
				c.changeLink(func(l *link) { l.err = errLinkNotTaken })
			}
		}
	})
}

// enterByLink enrols the new device, when the person there has compared the digits and the account has come.
func (c *Core) enterByLink() {
	l := c.vol.link
	if l.old || !l.confirmed || !l.attached || l.account.Account.IsZero() || l.err != nil {
		return
	}
	if l.tries == maxLoginTries {
		c.endLink(errLinkTries)
		return
	}
	c.changeLink(func(l *link) { l.tries++ })
	number := l.number
	c.ask(request{name: "link login", needs: greeted,
		frame:   &wire.ClientFrame{Body: &wire.ClientFrame_LoginLink{LoginLink: &wire.LoginLink{Mailbox: l.mailbox[:]}}},
		then:    func(c *Core, reply *wire.ServerFrame) { c.enteredByLink(number, reply.GetLoggedIn()) },
		refused: func(c *Core, e *wire.Error) { c.linkRefused(number, e) }})
}

// enteredByLink holds what the server has for the account against what the old device has said of it.
func (c *Core) enteredByLink(number uint64, answer *wire.LoggedIn) {
	l := c.vol.link
	if l == nil || l.number != number || l.err != nil {
		return
	}
	n, err := openLinked(l, answer)
	if err != nil {
		c.endLink(refuse(Refused, "the server may be false", "the account that the server shows is not right: %v", err))
		return
	}
	c.enrol(enrolment{call: l.call, newcomer: n,
		again: func(c *Core) { c.enterByLink() }, // where another device was quicker; a new connection comes by itself
		done:  func(c *Core) { c.vol.link = nil },
		refused: func(c *Core, e *Error) {
			if l := c.vol.link; l != nil && l.number == number {
				c.endLink(e)
			}
		}})
}

// openLinked checks that chain and vault are the account's, and no older than the old device knows them.
func openLinked(l *link, answer *wire.LoggedIn) (newcomer, error) {
	chain, err := ident.ParseChain(answer.GetChain())
	if err != nil {
		return newcomer{}, err
	}
	if err := chain.ExtendsHead(l.account.Account, l.account.Len, l.account.Head); err != nil {
		return newcomer{}, err
	}
	if chain.Identity() != l.account.Identity.Public() {
		return newcomer{}, errors.New("its keys are of another account")
	}
	vault, err := ident.ParseVault(answer.Vault)
	if err != nil {
		return newcomer{}, err
	}
	opened, err := ident.OpenVaultWithKey(vault, l.account.Account, l.account.Vault)
	if err != nil {
		return newcomer{}, err
	}
	if opened.Identity.Public() != chain.Identity() {
		return newcomer{}, errors.New("its vault is of another account")
	}
	return newcomer{chain, l.account.Identity, answer.Vault, l.account.Vault, l.name}, nil
}
