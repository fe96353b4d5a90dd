package client

import (
	"context"
	"iter"
	"slices"
	"strings"

	"snug/internal/ident"
	"snug/mls"
)

// What a hacked client needs, and how honest ones are asked what they make of it.

// GroupRecords gives the records of a room's MLS group among those of a store.
func GroupRecords(records map[string][]byte, room ident.RoomID) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for key, value := range records {
			if rest, ok := strings.CutPrefix(key, keyGroup(room)); ok && !yield(rest, value) {
				return
			}
		}
	}
}

// RosterType and CertificateType are our extensions.
const (
	RosterType      = extensionRoster
	CertificateType = extensionCertificate
)

// A RosterEdit changes a roster, as a member or as nobody may.
type RosterEdit func(r *roster)

// EditRoster gives the extensions with another roster, which is not checked. Extensions without one get one.
func EditRoster(x mls.Extensions, edits ...RosterEdit) mls.Extensions {
	r := newRoster("", false, ident.AccountID{}, 0)
	r.members = nil
	if known, err := rosterOf(x); err == nil {
		r = known
	}
	r.members = slices.Clone(r.members)
	for _, edit := range edits {
		edit(&r)
	}
	return x.Set(extensionRoster, r.encode())
}

// Named and About set name and topic.
func Named(name string) RosterEdit  { return func(r *roster) { r.name = name } }
func About(topic string) RosterEdit { return func(r *roster) { r.topic = topic } }

// Paired makes it the roster of a 1:1 room.
func Paired() RosterEdit { return func(r *roster) { r.direct = true } }

// AddedBy sets who adds accounts.
func AddedBy(name string) RosterEdit {
	return func(r *roster) { r.adds, _ = parseRole(name) }
}

// Ranked gives an account a role and a length of its chain, and puts it on the roster if need be.
func Ranked(account ident.AccountID, name string, statements uint64) RosterEdit {
	return func(r *roster) {
		rank, _ := parseRole(name)
		*r = r.with([]ident.AccountID{account}, nil)
		*r = r.change(account, func(m *rosterMember) { m.role, m.statements = rank, statements })
	}
}

// Gone takes an account off the roster.
func Gone(account ident.AccountID) RosterEdit {
	return func(r *roster) {
		r.members = slices.DeleteFunc(r.members, func(m rosterMember) bool { return m.account == account })
	}
}

// Judge has this client process messages, one after the other, on a copy of its group as it is stored: the last one's
// error is given. Nothing of it stays.
func (c *Client) Judge(ctx context.Context, room ident.RoomID, messages ...[]byte) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		group, err := c.copyOf(room)
		for _, message := range messages {
			if err == nil {
				_, err = group.Process(message)
			}
		}
		c.reply(call, struct{}{}, err)
	})
	return err
}

// WouldCommit has this client make a commit on a copy of its group, after it has processed messages.
func (c *Client) WouldCommit(ctx context.Context, room ident.RoomID, options mls.CommitOptions, messages ...[]byte) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		group, err := c.copyOf(room)
		for _, message := range messages {
			if err == nil {
				_, err = group.Process(message)
			}
		}
		if err == nil {
			_, err = group.Commit(options)
		}
		c.reply(call, struct{}{}, err)
	})
	return err
}

func (c *Core) copyOf(room ident.RoomID) (*mls.Group, error) {
	return mls.LoadGroup(c.groupConfig(room), func(yield func(string, []byte) bool) {
		for _, record := range c.scan(ScanOptions{Prefix: keyGroup(room)}) {
			if !yield(strings.TrimPrefix(record.Key, keyGroup(room)), record.Value) {
				return
			}
		}
	})
}
