package server

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

const (
	// linkFor is how long a mailbox lives: long enough to fetch a device from another
	// room.
	linkFor = 10 * time.Minute
	// maxMailboxes bounds the memory that they take: 32 KiB each at most, one for an
	// account.
	maxMailboxes = 1000
)

type mailboxID [16]byte

// mailboxes are where devices that are linked find each other. They live in memory: who
// was at it when the server stopped begins anew. Safe from any goroutine.
type mailboxes struct {
	now func() time.Time

	mu struct {
		sync.Mutex
		byID      map[mailboxID]*mailbox
		byAccount map[ident.AccountID]*mailbox
	}
}

// mailbox has two ends. All of it is guarded by mailboxes.mu.
type mailbox struct {
	id       mailboxID
	account  ident.AccountID
	ends     [2]*session    // the old device's and the new one's; nil while away
	messages [2][][]byte    // by who posted them
	granter  ident.DeviceID // the old device, once it has let the new one in
	until    time.Time
}

// The ends of a mailbox.
const (
	oldEnd = iota
	newEnd
)

func newMailboxes(now func() time.Time) *mailboxes {
	b := &mailboxes{now: now}
	b.mu.byID = make(map[mailboxID]*mailbox)
	b.mu.byAccount = make(map[ident.AccountID]*mailbox)
	return b
}

var (
	errNoMailbox = &Refusal{Code: wire.ErrorCode_ERROR_CODE_NOT_FOUND, Message: "that link code is not in use",
		Hint: "it is good for ten minutes and for one device: show a new one on the old device"}
	errMailboxTaken = &Refusal{Code: wire.ErrorCode_ERROR_CODE_CONFLICT, Message: "another device is using that link code",
		Hint: "if it is none of yours, stop on the old device and show a new code"}
	errBadMailbox = badRequest("a mailbox has 16 bytes")
)

// openLink makes a mailbox for the account, or comes back to one.
func (n *session) openLink(m *wire.OpenLink) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	if len(m.Mailbox) != len(mailboxID{}) {
		return nil, errBadMailbox
	}
	if err := n.server.limits.links.take(d.Account); err != nil {
		return nil, err
	}
	b := n.server.mailboxes
	id := mailboxID(m.Mailbox)
	b.mu.Lock()
	defer b.mu.Unlock()
	box := b.live(id)
	switch {
	case box != nil && box.account != d.Account:
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "that mailbox is in use")
	case box == nil && len(b.mu.byID) >= maxMailboxes && b.mu.byAccount[d.Account] == nil:
		return nil, &Refusal{Code: wire.ErrorCode_ERROR_CODE_RATE_LIMITED, Message: "too many devices are being linked at this moment",
			Hint: "try again in some minutes", RetryAfter: time.Minute}
	case box == nil:
		if former := b.mu.byAccount[d.Account]; former != nil {
			b.drop(former)
		}
		box = &mailbox{id: id, account: d.Account, until: b.now().Add(linkFor)}
		b.mu.byID[id], b.mu.byAccount[d.Account] = box, box
	}
	box.ends[oldEnd] = n
	n.afterAnswer = func() { b.replay(id, n, newEnd) }
	return done(0), nil
}

// joinLink makes a stranger's connection the new end.
func (n *session) joinLink(m *wire.JoinLink) (*wire.ServerFrame, error) {
	if len(m.Mailbox) != len(mailboxID{}) {
		return nil, errBadMailbox
	}
	if err := n.server.limits.loginsFrom.take(n.prefix); err != nil {
		return nil, err
	}
	b := n.server.mailboxes
	id := mailboxID(m.Mailbox)
	b.mu.Lock()
	defer b.mu.Unlock()
	box := b.live(id)
	if box == nil {
		return nil, errNoMailbox
	}
	// A device of the account may have enrolled itself without hearing so.
	if d := n.device.Load(); d != nil && d.Account != box.account || n == box.ends[oldEnd] {
		return nil, errIsDevice
	}
	// Who comes last has the end: a device whose connection broke comes back before we know that it was gone. Somebody else
	// gets no further than that, as what was posted stays.
	if former := box.ends[newEnd]; former != nil && former != n {
		former.event(linkClosed(id))
	}
	box.ends[newEnd] = n
	n.afterAnswer = func() { b.replay(id, n, oldEnd) }
	return done(0), nil
}

// end gives the mailbox that the connection is an end of, and which.
func (b *mailboxes) end(id []byte, n *session) (*mailbox, int, error) {
	if len(id) != len(mailboxID{}) {
		return nil, 0, errBadMailbox
	}
	if box := b.live(mailboxID(id)); box != nil {
		for end, at := range box.ends {
			if at == n {
				return box, end, nil
			}
		}
	}
	return nil, 0, errNoMailbox
}

// postLink keeps a message and hands it over.
func (n *session) postLink(m *wire.PostLink) (*wire.ServerFrame, error) {
	b := n.server.mailboxes
	b.mu.Lock()
	defer b.mu.Unlock()
	box, end, err := b.end(m.Mailbox, n)
	if err != nil {
		return nil, err
	}
	if len(m.Message) > wire.MaxLinkMessage {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "a message of a link has at most 4 KiB")
	}
	posted := box.messages[end]
	switch index := int(min(m.Index, wire.MaxLinkMessages)); {
	case index < len(posted):
		if !bytes.Equal(posted[index], m.Message) {
			return nil, errMailboxTaken
		}
	case index > len(posted) || index >= wire.MaxLinkMessages:
		return nil, badRequest("that message is not the next")
	default:
		box.messages[end] = append(posted, m.Message)
		if other := box.ends[1-end]; other != nil {
			other.event(linkEvent(box.id, index, m.Message))
		}
	}
	if d := n.device.Load(); m.Grant && end == oldEnd && d != nil {
		box.granter = d.ID
	}
	return done(0), nil
}

func (n *session) closeLink(m *wire.CloseLink) (*wire.ServerFrame, error) {
	b := n.server.mailboxes
	b.mu.Lock()
	defer b.mu.Unlock()
	if box, _, err := b.end(m.Mailbox, n); err == nil {
		b.drop(box)
	}
	return done(0), nil
}

// loginLink lets the new end enrol itself, once the old device has said so. What it has
// been given in the mailbox is all that it needs to do that, and nobody else has it.
func (n *session) loginLink(ctx context.Context, m *wire.LoginLink) (*wire.ServerFrame, error) {
	b := n.server.mailboxes
	b.mu.Lock()
	box, end, err := b.end(m.Mailbox, n)
	var granter ident.DeviceID
	if err == nil && end == newEnd {
		granter = box.granter
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if d, err := n.server.Store.Device(ctx, granter); errors.Is(err, ErrDeviceNotFound) || err == nil && d.Revoked {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "the old device has not let this one in")
	} else if err != nil {
		return nil, err
	}
	account, err := n.server.Store.Account(ctx, box.account)
	if err != nil {
		return nil, err
	}
	return n.loggedInTo(&account, granter), nil
}

// live gives a mailbox that has not expired, or nil. It wants mu held, as do those below.
func (b *mailboxes) live(id mailboxID) *mailbox {
	box := b.mu.byID[id]
	if box != nil && !b.now().Before(box.until) {
		b.drop(box)
		return nil
	}
	return box
}

// drop forgets a mailbox and tells its ends.
func (b *mailboxes) drop(box *mailbox) {
	delete(b.mu.byID, box.id)
	delete(b.mu.byAccount, box.account)
	for _, n := range box.ends {
		if n != nil {
			n.event(linkClosed(box.id))
		}
	}
}

// replay hands over what one end has posted so far.
func (b *mailboxes) replay(id mailboxID, to *session, from int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	box := b.live(id)
	if box == nil || box.ends[1-from] != to {
		return
	}
	for i, message := range box.messages[from] {
		to.event(linkEvent(id, i, message))
	}
}

func linkClosed(id mailboxID) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Link{Link: &wire.LinkEvent{Mailbox: id[:], Closed: true}}}
}

func linkEvent(id mailboxID, index int, message []byte) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Link{Link: &wire.LinkEvent{Mailbox: id[:], Index: uint32(index), Message: message}}}
}

// left lets go of a connection that has ended, or that is the device of a mailbox's new end now: that has done its work.
func (b *mailboxes) left(n *session, enrolled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, box := range b.mu.byID {
		for end, at := range box.ends {
			if at != n {
				continue
			}
			box.ends[end] = nil
			if enrolled && end == newEnd {
				b.drop(box)
			}
		}
	}
}

// sweep drops what has expired.
func (b *mailboxes) sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.mu.byID {
		b.live(id)
	}
}
