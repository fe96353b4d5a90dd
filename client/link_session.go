package client

import (
	"strconv"

	"snug/internal/ident"
	"snug/internal/wire"
)

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
