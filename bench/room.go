package main

import (
	"fmt"
	"io"

	"snug/internal/ident"
	"snug/internal/wire"
)

// room is a sealed room: its sender, the devices that follow it, and its log as far as it was verified. Nobody has an
// MLS group behind it: the server could not tell.
type room struct {
	id        ident.RoomID
	sender    *device
	followers []*device
	seq       uint64
	head      ident.Hash
}

// sealedEpoch is the epoch of every room after the commit that adds its followers.
const sealedEpoch = 1

// maxAdded bounds the devices that one commit adds: their ids alone take 36 bytes each of a commit of 1 MiB.
const maxAdded = 1000

// newRoom makes a room of the sender and adds the followers by one commit.
func newRoom(sender *device, followers []*device) (*room, error) {
	id, err := ident.NewRoomID(ident.Random())
	if err != nil {
		return nil, err
	}
	if len(followers) > maxAdded {
		return nil, fmt.Errorf("making a room: %d followers are too many for one commit", len(followers))
	}
	s, err := sender.connect(readBuffer)
	if err != nil {
		return nil, err
	}
	defer s.close()
	_, err = s.request(&wire.ClientFrame{Body: &wire.ClientFrame_CreateRoom{CreateRoom: &wire.CreateRoom{
		Room: id[:], Kind: wire.RoomKind_ROOM_KIND_SEALED,
	}}})
	if err != nil {
		return nil, fmt.Errorf("making a room: %w", err)
	}
	commit, err := newCommit(id, sender, followers)
	if err != nil {
		return nil, err
	}
	reply, err := s.request(&wire.ClientFrame{Body: &wire.ClientFrame_Submit{Submit: commit}})
	if err != nil {
		return nil, fmt.Errorf("adding to a room: %w", err)
	}
	head, err := ident.HashFromBytes(reply.GetAck().GetHead())
	if err != nil {
		return nil, fmt.Errorf("adding to a room: %w", err)
	}
	r := &room{id: id, sender: sender, followers: followers, seq: reply.GetAck().GetSeq(), head: head}
	return r, r.checkCommit(commit, reply.GetAck())
}

// checkCommit holds the head of the first ack against what we sent.
func (r *room) checkCommit(commit *wire.Submit, a *wire.Ack) error {
	want := ident.NextHead(ident.EmptyHead(r.id), ident.LogEntry{
		Room: r.id, Seq: 1, Kind: uint8(commit.Kind), Sender: r.sender.id, Message: ident.MessageID(commit.Id),
		Epoch: commit.Epoch, UnixMilli: uint64(a.At), Payload: ident.PayloadHash(commit.Payload),
	})
	if r.seq != 1 || r.head != want {
		return fmt.Errorf("room %v: its commit was acked as entry %d with head %v, want 1 and %v", r.id, r.seq, r.head, want)
	}
	return nil
}

func newCommit(id ident.RoomID, sender *device, followers []*device) (*wire.Submit, error) {
	random := make([]byte, 16+512+1024)
	if _, err := io.ReadFull(ident.Random(), random); err != nil {
		return nil, err
	}
	envelope := &wire.CommitEnvelope{Welcome: random[16+512:]}
	var added []ident.Credential
	for _, d := range followers {
		envelope.Added = append(envelope.Added, &wire.DeviceRef{Account: d.account[:], Device: d.id[:]})
		added = append(added, ident.Credential{Account: d.account, Device: d.id})
	}
	message := random[16 : 16+512]
	signed := &ident.Commit{Room: id, Message: ident.MessageID(random[:16]), Devices: ident.DevicesHash(added, nil), Payload: ident.PayloadHash(message)}
	payload := &wire.CommitPayload{Commit: message, Devices: signed.Devices[:], Signature: ident.SignCommit(sender.key, signed)}
	b, err := payload.MarshalVT()
	if err != nil {
		return nil, err
	}
	return &wire.Submit{
		Room: id[:], Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Id: random[:16], Payload: b, Commit: envelope,
	}, nil
}

// follow asks for what comes after the verified part of the rooms' logs.
func (s *socket) follow(rooms ...*room) error {
	cursors := make([]*wire.Cursor, len(rooms))
	for i, r := range rooms {
		cursors[i] = &wire.Cursor{Room: r.id[:], After: r.seq}
	}
	return s.followFrom(cursors...)
}

func (s *socket) followFrom(cursors ...*wire.Cursor) error {
	_, err := s.request(&wire.ClientFrame{Body: &wire.ClientFrame_Follow{Follow: &wire.Follow{Rooms: cursors}}})
	if err != nil {
		return fmt.Errorf("following: %w", err)
	}
	return nil
}

// takeWelcome tells the server that the device has joined, so that it does not hand out the welcome again.
func (s *socket) takeWelcome(r *room) error {
	_, err := s.request(&wire.ClientFrame{Body: &wire.ClientFrame_TakeWelcome{TakeWelcome: &wire.TakeWelcome{
		Room: r.id[:], Seq: 1,
	}}})
	if err != nil {
		return fmt.Errorf("taking a welcome: %w", err)
	}
	return nil
}
