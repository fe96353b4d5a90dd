package client

import (
	"context"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// A Hack is a commit that a client makes which judges nothing.
type Hack struct {
	// Proposals are committed by value.
	Proposals func(g *mls.Group) []mls.Proposal
	// Tree changes the group before the commit is made.
	Tree func(g *mls.Group)
	// Message changes the commit after it was made, Envelope what the server is told of it.
	Message  func(message []byte) []byte
	Envelope func(e *wire.CommitEnvelope)
}

// Commit carries out a hack.
func (c *Client) Commit(room ident.RoomID, h Hack) error {
	_, err := call[struct{}](context.Background(), c, func(c *Core, call uint64) {
		c.reply(call, struct{}{}, c.hack(c.mem.rooms[room], h))
	})
	return err
}

func (c *Core) hack(r *room, h Hack) error {
	c.saveGroup(r)
	group, err := c.loadAnything(r)
	if err != nil {
		return err
	}
	if h.Tree != nil {
		h.Tree(group)
	}
	id := c.messageID()
	options := mls.CommitOptions{Now: c.now, AuthenticatedData: id.Bytes(), Pending: func(*mls.ReceivedProposal) bool { return false }}
	if h.Proposals != nil {
		options.ByValue = h.Proposals(group)
	}
	staged, err := group.Commit(options)
	if err != nil {
		return err
	}
	submit := &wire.Submit{Room: r.id.Bytes(), Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Id: id.Bytes(), Epoch: group.Epoch(),
		Payload: staged.Message(), Commit: &wire.CommitEnvelope{Added: refsOf(staged.Added()), Removed: refsOf(staged.Removed()), Welcome: staged.Welcome()}}
	if h.Message != nil {
		submit.Payload = h.Message(submit.Payload)
	}
	if h.Envelope != nil {
		h.Envelope(submit.Commit)
	}
	if err := c.signCommit(submit, place{}); err != nil {
		return err
	}
	b, err := submit.MarshalVT()
	r.pending = &pendingCommit{id: id, epoch: group.Epoch(), submit: b, staged: staged.Save()}
	c.put(keyPendingCommit(r.id), r.pending.encode())
	c.submitCommit(r)
	return err
}

// KeepGroup gives a copy of a room's group as it is now.
func (c *Client) KeepGroup(room ident.RoomID) *mls.Group {
	group, err := call[*mls.Group](context.Background(), c, func(c *Core, call uint64) {
		r := c.mem.rooms[room]
		c.saveGroup(r)
		group, err := c.loadAnything(r)
		c.reply(call, group, err)
	})
	if err != nil {
		panic(err)
	}
	return group
}

// FalselyReboot rejects the last entry of a room, a commit that this client has merged, and replaces it by one of the
// group of before it.
func (c *Client) FalselyReboot(room ident.RoomID, group *mls.Group) {
	_, err := call[struct{}](context.Background(), c, func(c *Core, call uint64) {
		r := c.mem.rooms[room]
		last, err := c.message(room, r.seq)
		if err != nil {
			c.reply(call, nil, err)
			return
		}
		r.fault = &fault{place: place{r.seq, r.head}, culprit: leaf{account: last.Account, device: last.Device}, broken: true}
		c.sayReject(r)
		c.submitSealed(r)
		r.fault.group = group
		c.startReboot(r)
		r.fault = nil
		c.reply(call, struct{}{}, nil)
	})
	if err != nil {
		panic(err)
	}
}

// loadAnything loads the group for a client that judges nothing.
func (c *Core) loadAnything(r *room) (*mls.Group, error) {
	config := c.groupConfig(r.id)
	config.Policy = mls.PolicyFunc(func(*mls.CommitContext) error { return nil })
	config.Verifier = careless{}
	return mls.LoadGroup(config, func(yield func(string, []byte) bool) {
		prefix := keyGroup(r.id)
		for _, record := range c.scan(ScanOptions{Prefix: prefix}) {
			if !yield(record.Key[len(prefix):], record.Value) {
				return
			}
		}
	})
}

type careless struct{}

func (careless) VerifyMember(mls.Member) error                 { return nil }
func (careless) VerifySuccession(mls.Member, mls.Member) error { return nil }

// SignCommit makes of a submit's MLS commit what the server lets in.
func SignCommit(key ident.DeviceKey, submit *wire.Submit) {
	c := &Core{mem: &memory{key: key}}
	if err := c.signCommit(submit, place{}); err != nil {
		panic(err)
	}
}

// ExtensionRoster is where a room's roster lies.
const ExtensionRoster = extensionRoster

// WithRole gives the room's roster with an account's role changed, as the extension has it.
func WithRole(g *mls.Group, account ident.AccountID, name string) mls.Extensions {
	now, err := rosterOf(g.Extensions())
	if err != nil {
		panic(err)
	}
	rank, _ := parseRole(name)
	changed := now.change(account, func(m *rosterMember) { m.role = rank })
	return g.Extensions().Set(extensionRoster, changed.encode())
}

// Without gives the room's roster without an account.
func Without(g *mls.Group, account ident.AccountID) mls.Extensions {
	now, err := rosterOf(g.Extensions())
	if err != nil {
		panic(err)
	}
	return g.Extensions().Set(extensionRoster, now.with(nil, []ident.AccountID{account}).encode())
}

// LeafOf gives a device's leaf.
func LeafOf(g *mls.Group, device ident.DeviceID) mls.Member {
	for m := range g.Members() {
		if leafOf(m).device == device {
			return m
		}
	}
	panic("no such leaf")
}
