package client

import (
	"context"
	"strings"
	"time"

	"snug/internal/ident"
)

// Contact is another account, and what this device knows of whether it is whom its handle says.
type Contact struct {
	Account ident.AccountID
	Handle  string
	// SafetyNumber is what both people see alike, if each has the other's keys.
	SafetyNumber ident.SafetyNumber
	// VerifiedAt is when the numbers were compared on this device; zero where they were not. It is not known to the
	// account's other devices.
	VerifiedAt time.Time
	// Changed says that this device has known another account by this handle, WasVerified that it had verified that one.
	Changed, WasVerified bool
}

// Contact gives what is known of an account whose chain this device has seen. It needs no network.
func (c *Client) Contact(ctx context.Context, account ident.AccountID) (Contact, error) {
	return call[Contact](ctx, c, func(c *Core, call uint64) {
		contact, err := c.contact(account)
		c.reply(call, contact, err)
	})
}

// FindContact asks the server who has a handle, and gives what is known of that account. Unlike other verbs that take a
// handle it does so also where this device has known another account by it.
func (c *Client) FindContact(ctx context.Context, text string) (Contact, error) {
	handle, err := ident.ParseHandle(strings.TrimPrefix(text, "@"))
	if err != nil {
		return Contact{}, errNoHandle(text)
	}
	account, err := call[ident.AccountID](ctx, c, func(c *Core, call uint64) { c.lookUp(call, handle) })
	if err != nil {
		return Contact{}, err
	}
	return c.Contact(ctx, account)
}

// Verify keeps that the safety number which the other person has shown, read out or had scanned is the one that this
// device computes. Another number is refused, and changes nothing.
func (c *Client) Verify(ctx context.Context, account ident.AccountID, theirs ident.SafetyNumber) (Contact, error) {
	return c.changeContact(ctx, account, func(c *Core, contact Contact) error {
		if contact.SafetyNumber != theirs {
			return refuse(Refused, "compare again; if they still differ, somebody may be reading along: tell the other person in another way",
				"the safety numbers differ: this is not the account that @%s has shown you", contact.Handle)
		}
		c.put(keyVerified(account), verified{key: c.chain(account).Identity(), at: c.now}.encode())
		return nil
	})
}

// Unverify forgets that an account was verified.
func (c *Client) Unverify(ctx context.Context, account ident.AccountID) (Contact, error) {
	return c.changeContact(ctx, account, func(c *Core, _ Contact) error {
		c.delete(keyVerified(account))
		return nil
	})
}

// AcceptContact takes an account for whoever has its handle, although this device has known another one by it.
func (c *Client) AcceptContact(ctx context.Context, account ident.AccountID) (Contact, error) {
	return c.changeContact(ctx, account, func(*Core, Contact) error { return nil })
}

// changeContact does something with an account that a person has looked at: from here on it is the one known by its handle.
func (c *Client) changeContact(ctx context.Context, account ident.AccountID, change func(*Core, Contact) error) (Contact, error) {
	return call[Contact](ctx, c, func(c *Core, call uint64) {
		contact, err := c.contact(account)
		if err == nil {
			err = change(c, contact)
		}
		if err != nil {
			c.reply(call, nil, err)
			return
		}
		c.put(keyKnown(contact.Handle), encodeKnown(account))
		if _, strange := c.mem.strangers[account]; strange {
			delete(c.mem.strangers, account)
			c.delete(keyStranger(account))
			c.touchRooms(account)
		}
		c.emit(AccountsChanged{})
		contact, err = c.contact(account)
		c.reply(call, contact, err)
	})
}

func (c *Core) contact(account ident.AccountID) (Contact, error) {
	ours, theirs := c.chain(c.mem.account.me.Account), c.chain(account)
	switch {
	case account == c.mem.account.me.Account:
		return Contact{}, refuse(Usage, "the number is for you and somebody else", "there is no safety number with oneself")
	case theirs == nil:
		return Contact{}, refuse(NotFound, "look whether it is written right", "this device does not know that account").run("snug users")
	}
	contact := Contact{Account: account, Handle: theirs.Handle().String(), SafetyNumber: ident.NewSafetyNumber(ours, theirs)}
	contact.VerifiedAt = c.verifiedAt(account)
	if s, strange := c.stranger(account); strange {
		contact.Changed, contact.WasVerified = true, s.WasVerified
	}
	return contact, nil
}

// verifiedAt is when an account was verified with the identity key that it has; zero where it was not.
func (c *Core) verifiedAt(account ident.AccountID) time.Time {
	v, err := decodeVerified(c.get(keyVerified(account)))
	if chain := c.chain(account); err != nil || chain == nil || v.key != chain.Identity() {
		return time.Time{}
	}
	return v.at
}

// wasVerified reports whether the account that is known by a handle was verified.
func (c *Core) wasVerified(handle string) bool {
	known, err := decodeKnown(c.get(keyKnown(handle)))
	return err == nil && !c.verifiedAt(known).IsZero()
}

// meet notes by which handle an account is known when its chain is first seen, or has claimed another handle. The first
// account of a handle is the one that is known by it; another one is a stranger until somebody has looked: the server
// says who has a handle, and could say so of whom it likes.
func (c *Core) meet(chain *ident.Chain) {
	account, handle := chain.Account(), chain.Handle().String()
	if a := c.mem.account; a != nil && account == a.me.Account {
		return
	}
	b := c.get(keyKnown(handle))
	known, err := decodeKnown(b)
	switch {
	case b == nil:
		c.put(keyKnown(handle), encodeKnown(account))
	case err != nil || known != account:
		c.mem.strangers[account] = handle
		c.put(keyStranger(account), []byte(handle))
		c.touchRooms(account)
	}
}

// touchRooms has the rooms of an account shown again.
func (c *Core) touchRooms(account ident.AccountID) {
	for _, id := range c.mem.order {
		if r := c.mem.rooms[id]; r.kind == Sealed && r.status == joined && c.roster(r).has(account) {
			r.dirty = true
		}
	}
}

// strangersIn gives the members of a sealed room by whose handles this device has known other accounts.
func (c *Core) strangersIn(r *room) (strangers []Contact) {
	if len(c.mem.strangers) == 0 || r.kind != Sealed || r.status != joined {
		return nil
	}
	for _, m := range c.roster(r).members {
		if s, strange := c.stranger(m.account); strange {
			strangers = append(strangers, s)
		}
	}
	return strangers
}

// stranger reports whether this device has known another account by the handle that an account has. The contact has no
// safety number.
func (c *Core) stranger(account ident.AccountID) (Contact, bool) {
	handle, strange := c.mem.strangers[account]
	if !strange || handle != c.handle(account) {
		return Contact{}, false
	}
	return Contact{Account: account, Handle: handle, Changed: true, WasVerified: c.wasVerified(handle)}, true
}

// strangeTo says of an account, within a sentence, that its handle was another's; nothing where it was not.
func (c *Core) strangeTo(account ident.AccountID) string {
	s, strange := c.stranger(account)
	if !strange {
		return ""
	}
	return " (not the @" + s.Handle + " that you knew: other keys)"
}

// askFirst refuses to say something where it would reach an account that goes by the handle of a verified one.
func (c *Core) askFirst(r *room) *Error {
	for _, s := range c.strangersIn(r) {
		if s.WasVerified {
			return errStranger(s.Handle)
		}
	}
	return nil
}

// refuseStranger gives up what was written, a name and a topic too, before a stranger came: it was not meant for that one.
// Retry says a message again.
func (c *Core) refuseStranger(r *room) {
	err := c.askFirst(r)
	if err == nil {
		return
	}
	for _, w := range r.rows {
		if w.state == rowQueued && w.kind == rowText {
			c.failRow(r, w, err.Error())
		}
	}
	for i, w := range r.wanted {
		if w.says() && w.problem == "" {
			r.wanted[i].problem, r.dirty, r.replan = err.Error(), true, true
		}
	}
}

func errStranger(handle string) *Error {
	return refuse(Refused, "compare safety numbers with them, or go on without",
		"@%s is another account than the one that you have verified: its keys are others", handle).
		run("snug verify @" + handle + ", or snug verify @" + handle + " --accept")
}

// verified is the record of an account that was verified.
type verified struct {
	key ident.PublicKey
	at  time.Time
}

const verifiedVersion = 1

func (v verified) encode() []byte {
	e := newEncoder(verifiedVersion)
	e.bytes(v.key[:])
	e.time(v.at)
	return e.b
}

func decodeVerified(b []byte) (verified, error) {
	d := newDecoder(b, verifiedVersion)
	v := verified{key: d.hash(), at: d.time()}
	return v, d.end()
}

func encodeKnown(account ident.AccountID) []byte {
	e := newEncoder(verifiedVersion)
	e.bytes(account[:])
	return e.b
}

func decodeKnown(b []byte) (ident.AccountID, error) {
	d := newDecoder(b, verifiedVersion)
	account := ident.AccountID(d.id())
	return account, d.end()
}
