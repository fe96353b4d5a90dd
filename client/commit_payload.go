package client

import (
	"fmt"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// signedCommit is what stands at a commit's entry.
type signedCommit struct {
	// message is the MLS commit.
	message []byte
	devices ident.Hash
	// replaces is the commit that a reboot replaces: seq and the head after it. Zero of other commits.
	replaces place
	// signed says that the entry's device has signed all of it. Those of before commits were signed are not.
	signed bool
}

// place is a place in a log: a seq and the head after it.
type place struct {
	seq  uint64
	head ident.Hash
}

// signCommit makes the payload of a commit's entry.
func (c *Core) signCommit(submit *wire.Submit, replaces place) error {
	signed := &ident.Commit{Room: ident.RoomID(submit.Room), Message: ident.MessageID(submit.Id), Epoch: submit.Epoch,
		Devices:  ident.DevicesHash(credentialsOf(submit.Commit.Added), credentialsOf(submit.Commit.Removed)),
		Replaces: replaces.seq, ReplacedHead: replaces.head, Payload: ident.PayloadHash(submit.Payload)}
	payload := &wire.CommitPayload{Commit: submit.Payload, Devices: signed.Devices[:], Replaces: replaces.seq,
		Signature: ident.SignCommit(c.mem.key, signed)}
	if replaces.seq > 0 {
		payload.ReplacedHead = replaces.head[:]
	}
	b, err := payload.MarshalVT()
	submit.Payload = b
	return err
}

func credentialsOf(refs []*wire.DeviceRef) (list []ident.Credential) {
	for _, ref := range refs {
		list = append(list, ident.Credential{Account: ident.AccountID(ref.Account), Device: ident.DeviceID(ref.Device)})
	}
	return list
}

// openCommit reads a commit's entry. An error means that the server delivers what the device has not signed.
func (c *Core) openCommit(entry *wire.Entry, m *Message) (signedCommit, error) {
	payload := new(wire.CommitPayload)
	if payload.UnmarshalVT(entry.Payload) != nil || len(payload.Commit) == 0 {
		return signedCommit{message: entry.Payload}, nil
	}
	s := signedCommit{message: payload.Commit, replaces: place{seq: payload.Replaces}}
	signed := &ident.Commit{Room: m.Room, Message: m.ID, Epoch: entry.Epoch, Replaces: payload.Replaces, Payload: ident.PayloadHash(payload.Commit)}
	var err error
	if signed.Devices, err = ident.HashFromBytes(payload.Devices); err == nil && payload.Replaces > 0 {
		signed.ReplacedHead, err = ident.HashFromBytes(payload.ReplacedHead)
	}
	s.devices, s.replaces.head = signed.Devices, signed.ReplacedHead
	device, known := c.deviceOf(m)
	if err != nil || !known || ident.VerifyCommit(device.Key, signed, payload.Signature) != nil {
		return s, fmt.Errorf("the server shows a change of the room that @%s's device has not sent", c.handle(m.Account))
	}
	s.signed = true
	return s, nil
}

// deviceOf gives the device that is said to have sent an entry. Where the chain that is known here does not have it, it is
// fetched, and the entry comes again.
func (c *Core) deviceOf(m *Message) (ident.Device, bool) {
	if chain := c.chain(m.Account); chain != nil {
		if device, ok := chain.EverEnrolled(m.Device); ok {
			return device, true
		}
	}
	c.lacks(m.Account)
	return ident.Device{}, false
}

// devicesHash hashes the devices that a candidate adds and removes.
func devicesHash(staged *mls.StagedCommit) ident.Hash {
	return ident.DevicesHash(credentialsOf(refsOf(staged.Added())), credentialsOf(refsOf(staged.Removed())))
}
