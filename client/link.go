package client

import (
	"context"

	"snug/internal/ident"
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
