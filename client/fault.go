package client

import (
	"errors"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// fault is a commit in a room's log that its sender's device has signed, and that this device cannot take. The room's
// group stays stored as it was before. It is over when this device is let in anew, or when a commit is taken that replaces
// the fault.
type fault struct {
	place place
	// culprit is who sent it; its index says nothing. target is the account whose commit it replaces, if it is a reboot.
	culprit leaf
	target  ident.AccountID
	// broken says that it is beyond doubt the culprit's own: authentic, and against the rules. Otherwise it cannot be read
	// or not be checked, and nobody is accused of more than that.
	broken bool
	// said that this device cannot take it; passed, that somebody who could help has gone on from there.
	said, passed bool
	// at is when this device replaces it, if nothing has helped until then.
	at time.Time

	// group is the one before it; loaded when it is needed.
	group *mls.Group
}

// rebootTime is twice the least time that others have to let this device in anew, before it takes the commit for one that
// nobody can take. Half a minute and one round trip more, and the room has gone on.
const rebootTime = 40 * time.Second

const faultVersion = 1

func (f *fault) encode() []byte {
	e := newEncoder(faultVersion)
	e.uint(f.place.seq)
	e.bytes(f.place.head[:])
	e.bytes(f.culprit.account[:])
	e.bytes(f.culprit.device[:])
	e.bytes(f.target[:])
	e.bool(f.broken)
	e.bool(f.said)
	e.bool(f.passed)
	e.time(f.at)
	return e.b
}

func decodeFault(b []byte) (*fault, error) {
	d := newDecoder(b, faultVersion)
	f := &fault{place: place{d.uint(), d.hash()}, culprit: leaf{account: d.id(), device: d.id()}, target: d.id(),
		broken: d.bool(), said: d.bool(), passed: d.bool(), at: d.time()}
	return f, d.end()
}

// loadFaults reads the faults of rooms that are not past them. Without its record a room is one to be let in anew to.
func (c *Core) loadFaults() {
	for _, record := range c.scan(ScanOptions{Prefix: keyFaults}) {
		id, err := ident.ParseRoomID(strings.TrimPrefix(record.Key, keyFaults))
		if r := c.mem.rooms[id]; err == nil && r != nil && r.rejoin != nil {
			r.fault, _ = decodeFault(record.Value)
		}
	}
}

func (c *Core) saveFault(r *room) { c.put(keyFault(r.id), r.fault.encode()) }

func (c *Core) endFault(r *room) {
	if r.fault != nil {
		r.fault = nil
		c.delete(keyFault(r.id))
	}
}

// startFault stops at a commit that this device cannot take. It asks to be let in anew, which helps if others could take
// the commit; and it says so to them, and replaces the commit after a while, which helps if nobody could.
func (c *Core) startFault(r *room, entry *wire.Entry, m *Message, why error) {
	var own *mls.CommitError
	f := &fault{place: place{entry.Seq, ident.Hash(entry.Head)}, culprit: leaf{account: m.Account, device: m.Device},
		at: c.now.Add(c.jitter(rebootTime))}
	f.broken = errors.As(why, &own) && leafOf(own.Sender).device == m.Device || errors.Is(why, errBroken)
	if !c.roster(r).has(m.Account) { // nobody who could take it is waited for
		f.at = c.now.Add(c.jitter(commitJitter))
	}
	c.cfg.log.Warn("a commit cannot be taken", "room", r.id, "seq", entry.Seq, "account", m.Account, "device", m.Device, "error", why)
	c.saveGroup(r)
	f.group = r.group
	c.name(m)
	cause := "@" + m.From + "'s device " + m.DeviceName + " sent a change of the room that cannot be read"
	if f.broken {
		cause = "@" + m.From + "'s device " + m.DeviceName + " sent a change of the room that nobody may make, or that is malformed"
	}
	m.gap(cause)
	c.startRejoin(r, cause)
	r.fault = f
	c.saveFault(r)
}

// errBroken is what a commit is refused for that is authentic and that MLS finds nothing wrong with.
var errBroken = errors.New("client: against the rules of rooms")

// formerGroup gives the room's group as it was before its fault; nil where it is lost too.
func (c *Core) formerGroup(r *room) *mls.Group {
	if r.fault.group == nil {
		group, err := c.loadGroup(r)
		if err != nil {
			c.cfg.log.Error("the keys of a room cannot be read", "room", r.id, "error", err)
		}
		r.fault.group = group
	}
	return r.fault.group
}

// advanceFault says that the commit cannot be taken, and replaces it when that is due and this device's to do.
func (c *Core) advanceFault(r *room) {
	f := r.fault
	if !f.said {
		f.said = true
		c.saveFault(r)
		c.sayReject(r)
		c.submitSealed(r)
	}
	switch {
	case r.pending != nil:
		c.submitCommit(r)
	case f.passed || !c.reboots(r):
	case !c.due(f.at, rebootTime):
		if at, set := c.vol.commitAt[r.id]; !set || f.at.Before(at) || !c.now.Before(at) {
			c.vol.commitAt[r.id] = f.at
		}
	case !r.hasRows(rowSealed):
		c.startReboot(r)
	}
}

// sayReject puts the signed reject into the outbox.
func (c *Core) sayReject(r *room) {
	f := r.fault
	signed := &ident.Reject{Room: r.id, Message: c.messageID(), Seq: f.place.seq, Head: f.place.head, Reason: uint8(wire.RejectReason_REJECT_REASON_UNREADABLE)}
	if f.broken {
		signed.Reason = uint8(wire.RejectReason_REJECT_REASON_BROKEN)
	}
	payload, err := (&wire.RejectPayload{Seq: signed.Seq, Head: f.place.head[:], Reason: wire.RejectReason(signed.Reason),
		Signature: ident.SignReject(c.mem.key, signed)}).MarshalVT()
	if err != nil {
		c.fail(failed("encoding a reject", err))
		return
	}
	c.enqueue(r, &row{id: signed.Message, kind: rowReject, payload: payload})
}

// rejectRefused takes the server's refusal of a reject: others have gone on from the commit, and can let this device in.
func (c *Core) rejectRefused(r *room) {
	if r.fault != nil {
		r.fault.passed = true
		c.saveFault(r)
	}
}

// rejectEntry takes the word of a device that it cannot take a commit. It is shown, and believed by nobody who could take it.
func (c *Core) rejectEntry(r *room, entry *wire.Entry, m *Message) {
	payload := new(wire.RejectPayload)
	device, known := c.deviceOf(m)
	head, err := ident.HashFromBytes(entryRejected(payload, entry))
	signed := &ident.Reject{Room: r.id, Message: m.ID, Seq: payload.Seq, Head: head, Reason: uint8(payload.Reason)}
	if err != nil || !known || ident.VerifyReject(device.Key, signed, payload.Signature) != nil {
		m.gap("its signature does not verify")
		return
	}
	m.Kind = Notice
	if rejected, err := c.message(r.id, payload.Seq); err == nil && rejected != nil && r.fault == nil {
		c.name(m)
		m.Text = "@" + m.From + "'s device " + m.DeviceName + " could not take a change of @" + rejected.From + "'s"
	}
}

func entryRejected(payload *wire.RejectPayload, entry *wire.Entry) []byte {
	if payload.UnmarshalVT(entry.Payload) != nil {
		return nil
	}
	return payload.Head
}

// witness looks at an entry that this device cannot read for whether somebody went on who could let it in.
func (c *Core) witness(r *room, entry *wire.Entry, m *Message) {
	f := r.fault
	goesOn := entry.Kind == wire.EntryKind_ENTRY_KIND_SEALED || entry.Kind == wire.EntryKind_ENTRY_KIND_COMMIT
	if f != nil && goesOn && m.Account != f.culprit.account && holdsOffice(c.roster(r), m.Account) && !f.passed {
		f.passed = true
		c.saveFault(r)
	}
}
