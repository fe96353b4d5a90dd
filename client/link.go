package client

import (
	"context"
	"errors"
	"strconv"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Link is what an old device shows for a new one.
type Link struct {
	// Code is for typing, QR for drawing. Whoever has it can get as far as the digits that people compare.
	Code, QR string
}

// LinkMatch is what both devices show, for people to compare.
type LinkMatch struct {
	// Digits are six.
	Digits string
	// DeviceName is what the new device calls itself; empty on that device.
	DeviceName string
}

// JoinLinkOptions make this a device of an account by the code that an old device shows.
type JoinLinkOptions struct {
	Code       string
	DeviceName string
}

// StartLink begins to link a new device, on an old one. One link is under way at a time: the former one ends.
func (c *Client) StartLink(ctx context.Context) (Link, error) {
	return call[Link](ctx, c, func(c *Core, call uint64) {
		code, err := ident.NewLinkCode(c.cfg.rand)
		if err != nil {
			c.fail(err)
			return
		}
		offer, err := ident.NewLinkOffer(c.cfg.rand, code)
		if err != nil {
			c.fail(err)
			return
		}
		c.beginLink(link{mailbox: code.Mailbox(), old: true, offer: offer, posted: [][]byte{offer.Commitment()}})
		c.awaitLink(call, func(l *link) (any, bool) { return Link{Code: code.Secret(), QR: code.QR()}, l.attached })
	})
}

// AwaitLink waits, on the old device, until the new one is there and both show digits.
func (c *Client) AwaitLink(ctx context.Context) (LinkMatch, error) {
	return call[LinkMatch](ctx, c, func(c *Core, call uint64) {
		c.awaitLink(call, func(l *link) (any, bool) {
			if !l.matched() {
				return nil, false
			}
			return LinkMatch{Digits: l.session.Match(), DeviceName: l.device.Name}, true
		})
	})
}

// ConfirmLink hands the account over to the new device, after a person has seen the same digits on both, and returns when
// it is enrolled.
func (c *Client) ConfirmLink(ctx context.Context) (Device, error) {
	return call[Device](ctx, c, func(c *Core, call uint64) { c.confirmLink(call) })
}

// JoinLink begins on the new device, and returns when both show digits.
func (c *Client) JoinLink(ctx context.Context, options JoinLinkOptions) (LinkMatch, error) {
	if me, ok := c.Me(); ok {
		return LinkMatch{}, refuse(Refused, "sign out first", "@%s is signed in on this device already", me.Handle).run("snug logout")
	}
	code, err := ident.ParseLinkCode(options.Code)
	if err != nil {
		return LinkMatch{}, refuse(Usage, "it begins with snug-link-, and a device that is signed in shows it",
			"that is no link code").run("snug device link, on that device")
	}
	if err := ident.CheckDeviceName(options.DeviceName); err != nil {
		return LinkMatch{}, refuse(Usage, "", "the device's name: %v", err)
	}
	match, err := c.do(ctx, func(c *Core, call uint64) {
		c.beginLink(link{mailbox: code.Mailbox(), code: code, name: options.DeviceName})
		c.awaitLink(call, func(l *link) (any, bool) {
			if !l.matched() {
				return nil, false
			}
			return LinkMatch{Digits: l.session.Match()}, true
		})
	})
	if err != nil {
		return LinkMatch{}, err
	}
	return match.(LinkMatch), nil
}

// AcceptLink takes what the old device hands over, after a person has seen the same digits on both, and returns when this
// device is enrolled.
func (c *Client) AcceptLink(ctx context.Context) (Me, error) {
	me, err := c.do(ctx, func(c *Core, call uint64) {
		l := c.vol.link
		if l == nil || l.old || !l.matched() {
			c.reply(call, nil, errNoLink)
			return
		}
		c.changeLink(func(l *link) { l.confirmed, l.call = true, call })
		c.enterByLink()
		c.awaitLink(call, func(*link) (any, bool) { return nil, false }) // signIn replies, or what fails
	})
	if err != nil {
		return Me{}, err
	}
	return me.(Me), nil
}

// CancelLink ends the link that is under way, from either side; where there is none it does nothing. It takes nothing
// back: from ConfirmLink on the account is handed over.
func (c *Client) CancelLink(ctx context.Context) error {
	_, err := c.do(ctx, func(c *Core, call uint64) {
		if c.linking() {
			c.endLink(c.vol.link.stopped())
		}
		c.reply(call, struct{}{}, nil)
	})
	return err
}

var (
	errNoLink        = refuse(Refused, "begin on the old device", "no device is being linked").run("snug device link")
	errLinkCancelled = refuse(Refused, "nothing was handed over; if the digits differed, somebody may be between your devices: try once more, over another network",
		"the link was stopped")
	errLinkReplaced = refuse(Refused, "go on with that one", "another link was begun on this device")
	errLinkBroken   = refuse(Refused, "show a new code on the old device; if it happens again, somebody may be interfering", "the two devices do not agree: the link was stopped")
	errLinkClosed   = refuse(Refused, "show a new code on the old device; nothing was handed over", linkClosed)
	errLinkTries    = refuse(Failed, "show a new code on the old device and try again", "this device could not enrol itself")
	// errLinkNotTaken is the old device's, from the yes on: by then the account is handed over to whoever is at the other end.
	errLinkNotTaken = refuse(Failed, "if the new device showed other digits, somebody else has the account's keys: look for devices that are not yours, "+
		"and begin a new account; if it showed the same, show a new code and try again",
		"the account was handed over, and the new device has not enrolled itself").run("snug devices")
	// These are the new device's, which does not know what the old one was told.
	errLinkLeft  = refuse(Refused, LinkDoubt, "the link was stopped: this device has taken nothing")
	errLinkEnded = refuse(Refused, "show a new code on the old device", linkClosed)
)

const linkClosed = "the link has ended: it was stopped, another device has taken the code, or ten minutes are over"

// LinkDoubt is what to do where a person has stopped a link on the new device, which does not know what the old one was told.
const LinkDoubt = "if the digits differed, say no on the old device too; if it was told yes, somebody else may have the account's keys: " +
	"look there for devices that are not yours"

// stopped says what it means that a person ends the link on this device.
func (l *link) stopped() *Error {
	switch {
	case !l.old:
		return errLinkLeft
	case l.confirmed:
		return errLinkNotTaken
	}
	return errLinkCancelled
}

// link is a device being linked, seen from either end. It lives in memory: who stops in the middle begins anew. A changed
// copy replaces it.
type link struct {
	number  uint64 // tells links apart
	mailbox [16]byte
	old     bool
	offer   ident.LinkOffer // of the old device
	code    ident.LinkCode  // of the new device, like the three below
	name    string
	answer  ident.LinkAnswer
	account ident.LinkedAccount
	session *ident.LinkSession
	device  ident.LinkedDevice // the new one, on the old one
	// posted are this end's messages, heard counts the other's.
	posted [][]byte
	heard  int
	// attached says that this connection is an end of the mailbox.
	attached bool
	// confirmed says that a person here has compared the digits, and call who waits for the end.
	confirmed bool
	call      uint64
	tries     int
	err       error
}

// matched reports whether there are digits to compare.
func (l *link) matched() bool { return l.session != nil && l.heard >= 2 }

func (c *Core) beginLink(l link) {
	c.endLink(errLinkReplaced)
	l.number = c.vol.nextID
	c.vol.nextID++
	c.vol.link = &l
	c.attachLink()
}

// changeLink replaces the link by a changed copy.
func (c *Core) changeLink(change func(l *link)) {
	l := *c.vol.link
	change(&l)
	c.vol.link = &l
	if l.old && l.confirmed && l.err != nil && c.mem.account != nil {
		c.didItself(ident.NewDeviceID(c.mem.account.me.Account, l.device.Key)) // if it comes all the same, that is news
	}
}

// linking reports whether a link is under way.
func (c *Core) linking() bool { return c.vol.link != nil && c.vol.link.err == nil }

// awaitLink answers call when ready gives a value, or when the link has ended.
func (c *Core) awaitLink(call uint64, ready func(l *link) (any, bool)) {
	if c.vol.link == nil {
		c.reply(call, nil, errNoLink)
		return
	}
	number := c.vol.link.number
	c.await(call, func(c *Core) (bool, any, error) {
		l := c.vol.link
		switch {
		case l == nil:
			return true, nil, errLater // it has done its work, and whoever did it has answered
		case l.number != number:
			return true, nil, errLinkReplaced
		case l.err != nil:
			return true, nil, l.err
		}
		value, ok := ready(l)
		return ok, value, nil
	})
}

// endLink gives up the link that is under way, and tells the other end.
func (c *Core) endLink(err error) {
	if !c.linking() {
		return
	}
	mailbox := c.vol.link.mailbox
	c.changeLink(func(l *link) { l.err = err })
	c.ask(request{needs: greeted, frame: &wire.ClientFrame{Body: &wire.ClientFrame_CloseLink{CloseLink: &wire.CloseLink{Mailbox: mailbox[:]}}},
		then: func(*Core, *wire.ServerFrame) {}, refused: func(*Core, *wire.Error) {}})
}

// detachLink notes that the connection has ended: what is to be posted waits for the next one.
func (c *Core) detachLink() {
	if c.vol.link != nil {
		c.changeLink(func(l *link) { l.attached = false })
	}
}

// attachLink makes this connection an end of the mailbox, and posts what there is to post: at the beginning and after each
// new connection.
func (c *Core) attachLink() {
	if !c.linking() {
		return
	}
	c.detachLink()
	l := c.vol.link
	number := l.number
	r := request{name: "link " + strconv.FormatUint(number, 10), needs: greeted, frame: &wire.ClientFrame{Body: &wire.ClientFrame_JoinLink{JoinLink: &wire.JoinLink{Mailbox: l.mailbox[:]}}}}
	if l.old {
		r.needs, r.frame = ready, &wire.ClientFrame{Body: &wire.ClientFrame_OpenLink{OpenLink: &wire.OpenLink{Mailbox: l.mailbox[:]}}}
	}
	r.then = func(c *Core, _ *wire.ServerFrame) {
		if l := c.vol.link; l == nil || l.number != number || l.err != nil {
			return
		}
		c.changeLink(func(l *link) { l.attached = true })
		for i := range c.vol.link.posted {
			c.postLink(i)
		}
		c.enterByLink()
	}
	r.refused = func(c *Core, e *wire.Error) { c.linkRefused(number, e) }
	c.ask(r)
}

func (c *Core) linkRefused(number uint64, e *wire.Error) {
	if l := c.vol.link; l != nil && l.number == number {
		c.endLink(serverError(e))
	}
}

// sayLink adds a message of this end.
func (c *Core) sayLink(message []byte) {
	c.changeLink(func(l *link) { l.posted = append(l.posted[:len(l.posted):len(l.posted)], message) })
	if l := c.vol.link; l.attached {
		c.postLink(len(l.posted) - 1)
	}
}

// postLink says a message of this end. The old device's last one lets the new one in.
func (c *Core) postLink(index int) {
	l := c.vol.link
	number := l.number
	body := &wire.PostLink{Mailbox: l.mailbox[:], Index: uint32(index), Message: l.posted[index], Grant: l.old && index == grantingMessage}
	c.ask(request{needs: greeted, frame: &wire.ClientFrame{Body: &wire.ClientFrame_PostLink{PostLink: body}},
		then: func(*Core, *wire.ServerFrame) {}, refused: func(c *Core, e *wire.Error) { c.linkRefused(number, e) }})
}

// grantingMessage is the index of the old device's message that hands the account over.
const grantingMessage = 2

// receivedLink takes a message of the other end, or the mailbox's end.
func (c *Core) receivedLink(e *wire.LinkEvent) {
	l := c.vol.link
	if !c.linking() || string(e.Mailbox) != string(l.mailbox[:]) {
		return
	}
	switch {
	case e.Closed && l.old && l.confirmed:
		c.lookForLinked()
		return
	case e.Closed && l.old:
		c.changeLink(func(l *link) { l.err = errLinkClosed })
		return
	case e.Closed:
		c.changeLink(func(l *link) { l.err = errLinkEnded })
		return
	case int(e.Index) < l.heard:
		return // after a new connection
	}
	hear := c.hearOld
	if l.old {
		hear = c.hearNew
	}
	if int(e.Index) != l.heard || hear(e.Message) != nil {
		c.endLink(errLinkBroken)
		return
	}
	c.changeLink(func(l *link) { l.heard++ })
	c.enterByLink()
}

// hearNew takes a message of the new device, on the old one.
func (c *Core) hearNew(message []byte) error {
	switch l := c.vol.link; l.heard {
	case 0:
		reveal, session, err := l.offer.Reveal(message)
		if err != nil {
			return err
		}
		c.changeLink(func(l *link) { l.session = session })
		c.sayLink(reveal)
		return nil
	case 1:
		device, err := l.session.OpenDevice(message)
		if err == nil {
			c.changeLink(func(l *link) { l.device = device })
		}
		return err
	}
	return ident.ErrLink
}

// hearOld takes a message of the old device, on the new one.
func (c *Core) hearOld(message []byte) error {
	switch l := c.vol.link; l.heard {
	case 0:
		answer, err := ident.NewLinkAnswer(c.cfg.rand, l.code, message)
		if err != nil {
			return err
		}
		c.changeLink(func(l *link) { l.answer = answer })
		c.sayLink(answer.Public())
		return nil
	case 1:
		session, err := l.answer.Open(message)
		if err != nil {
			return err
		}
		sealed, err := session.SealDevice(c.cfg.rand, c.mem.key, l.name)
		if err != nil {
			return err
		}
		c.changeLink(func(l *link) { l.session = session })
		c.sayLink(sealed)
		return nil
	case grantingMessage:
		account, err := l.session.OpenAccount(message)
		if err == nil {
			c.changeLink(func(l *link) { l.account = account })
		}
		return err
	}
	return ident.ErrLink
}

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
