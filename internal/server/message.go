package server

import (
	"context"
	"fmt"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Submission is an entry on its way into a log. The first half is the caller's, the
// outcome the store's.
type Submission struct {
	Room        ident.RoomID
	Device      ident.DeviceID
	Account     ident.AccountID
	ID          ident.MessageID
	Kind        wire.EntryKind
	Epoch       uint64
	Payload     []byte
	PayloadHash ident.Hash
	// At is the server's clock in ms. With Repeated it becomes that of the first time.
	At int64
	// Commit is set with COMMIT only, Reject with REJECT only.
	Commit *Commit
	Reject *Replaced
	// Restart says that it is a RESTART.
	Restart bool
	// Done hears of the outcome: see LogStore. It must not block.
	Done func(*Submission)

	by      *session // who waits for the answer to request
	request uint64

	Err error
	Seq uint64
	// Head is the head after the entry.
	Head ident.Hash
	// Repeated says that the entry was in the log already.
	Repeated bool
}

// Commit is what the sender of a commit says of it.
type Commit struct {
	Added, Removed []DeviceRef
	Welcome        []byte
	// Hash is over the envelope as it came, to know it again.
	Hash ident.Hash
	// Replaces is the commit that a reboot replaces; nil for other commits.
	Replaces *Replaced
	// Asked are those of the accounts added that have asked to be let into the room; nil for none.
	Asked map[ident.AccountID]bool
}

// Replaced names a commit in a log that a device cannot take.
type Replaced struct {
	Seq uint64
	// Head is the head after it.
	Head ident.Hash
}

// Fetch names a stretch of a log: see wire.Fetch.
type Fetch struct {
	Room          ident.RoomID
	Device        ident.DeviceID
	After, Before uint64
	Limit         int
	Last          bool
}

// Fetched is what Fetch says besides the entries.
type Fetched struct {
	// More entries match than were given.
	More bool
	// Seq and Head are the log's end; for a device that was removed, the end of what
	// it may read.
	Seq  uint64
	Head ident.Hash
}

// submit hands an entry to the store and comes back at once: the store answers in
// order. What needs no store is checked here, beside other connections.
func (n *session) submit(id uint64, m *wire.Submit) error {
	d, err := n.acting()
	if err != nil {
		return err
	}
	s := &Submission{
		Device: d.ID, Account: d.Account, Kind: m.Kind, Epoch: m.Epoch, Payload: m.Payload, At: n.server.now(),
		Done: n.server.hub.landed, by: n, request: id,
	}
	if s.Room, err = ident.RoomIDFromBytes(m.Room); err != nil {
		return errBadRoomID
	}
	if s.ID, err = ident.MessageIDFromBytes(m.Id); err != nil {
		return badRequest("a message id has 16 bytes")
	}
	if err := checkSubmit(m); err != nil {
		return err
	}
	switch m.Kind {
	case wire.EntryKind_ENTRY_KIND_COMMIT:
		if s.Commit, err = envelope(m.Commit); err == nil {
			err = verifyCommit(d.Key, s)
			s.Commit.Asked = n.server.knocks.asked(s.Room, s.Commit.Added)
		}
		if err == nil {
			err = n.server.limits.moves.takeN(d.Account, len(s.Commit.Added)+len(s.Commit.Removed))
		}
	case wire.EntryKind_ENTRY_KIND_REJECT:
		err = verifyReject(d.Key, s)
	case wire.EntryKind_ENTRY_KIND_RESTART:
		err = verifyRestart(d.Key, s)
	case wire.EntryKind_ENTRY_KIND_OPEN:
		err = verifyOpen(d.Key, s)
	}
	if err != nil {
		return err
	}
	s.PayloadHash = ident.PayloadHash(m.Payload)
	n.reserve(s)
	n.server.Store.Submit(s)
	return nil
}

// checkSubmit judges kind and size.
func checkSubmit(m *wire.Submit) error {
	commit := m.Kind == wire.EntryKind_ENTRY_KIND_COMMIT
	switch {
	case commit != (m.Commit != nil):
		return badRequest("a commit has an envelope, and nothing else has")
	case commit && len(m.Payload)+len(m.Commit.Welcome) > wire.MaxCommit:
		return &Refusal{Code: wire.ErrorCode_ERROR_CODE_TOO_LARGE, Message: "a commit has at most 5 MiB with its welcome",
			Hint: "add fewer devices at once"}
	case !commit && len(m.Payload) > wire.MaxPayload:
		return &Refusal{Code: wire.ErrorCode_ERROR_CODE_TOO_LARGE, Message: "a message has at most 60 KiB", Hint: "send it in parts"}
	case len(m.Payload) == 0:
		return badRequest("an entry has a payload")
	}
	return nil
}

func envelope(m *wire.CommitEnvelope) (*Commit, error) {
	c := &Commit{Welcome: m.Welcome}
	var err error
	if c.Added, err = deviceRefs(m.Added); err != nil {
		return nil, err
	}
	if c.Removed, err = deviceRefs(m.Removed); err != nil {
		return nil, err
	}
	if len(c.Added) > 0 && len(c.Welcome) == 0 {
		return nil, badRequest("a commit that adds devices has a welcome for them")
	}
	b, err := m.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encoding an envelope: %w", err)
	}
	c.Hash = ident.PayloadHash(b)
	return c, nil
}

func deviceRefs(list []*wire.DeviceRef) ([]DeviceRef, error) {
	if len(list) > maxMoved {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "too many devices in one commit")
	}
	refs := make([]DeviceRef, 0, len(list))
	for _, m := range list {
		account, err := ident.AccountIDFromBytes(m.GetAccount())
		if err != nil {
			return nil, errBadAccount
		}
		device, err := ident.DeviceIDFromBytes(m.GetDevice())
		if err != nil {
			return nil, errBadDevice
		}
		refs = append(refs, DeviceRef{Account: account, Device: device})
	}
	return refs, nil
}

func verifyOpen(key ident.PublicKey, s *Submission) error {
	open := &wire.OpenPayload{}
	if open.UnmarshalVT(s.Payload) != nil {
		return badRequest("an open room's entry holds an OpenPayload")
	}
	if ident.VerifyOpen(key, s.Room, s.ID, open.Content, open.Signature) != nil {
		return errUnsigned
	}
	return nil
}

// fetch answers with as many entries as a frame takes.
func (n *session) fetch(ctx context.Context, m *wire.Fetch) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	room, err := ident.RoomIDFromBytes(m.Room)
	if err != nil {
		return nil, errBadRoomID
	}
	f := Fetch{Room: room, Device: d.ID, After: m.After, Before: m.Before, Limit: page(m.Limit, wire.MaxPage), Last: m.Last}
	reply := &wire.Fetched{}
	size := 0
	got, err := n.server.Store.Fetch(ctx, f, func(e *wire.Entry) bool {
		if size += e.SizeVT(); size > wire.MaxBatch && len(reply.Entries) > 0 {
			return false
		}
		reply.Entries = append(reply.Entries, e)
		return true
	})
	if err != nil {
		return nil, err
	}
	if m.Last {
		slices.Reverse(reply.Entries)
	}
	reply.More, reply.Seq, reply.Head = got.More, got.Seq, got.Head[:]
	return &wire.ServerFrame{Body: &wire.ServerFrame_Fetched{Fetched: reply}}, nil
}

// page gives how many rows a request wants: 0 and too many mean the most.
func page(limit uint32, most int) int {
	if limit == 0 || limit > uint32(most) {
		return most
	}
	return int(limit)
}
