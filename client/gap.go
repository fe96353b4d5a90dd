package client

import (
	"fmt"
	"strings"

	"snug/internal/ident"
)

// absence is why this device has nothing of a stretch of a sealed room's log. The numbers are stored.
type absence uint64

const (
	// absentBefore is what came before this device was let in for the first time.
	absentBefore absence = iota + 1
	// absentAway is what came while it was out of the room.
	absentAway
	// absentLost is what came while it was in the room and could not follow it.
	absentLost
)

const holeVersion = 1

// Why an entry cannot be shown, where that decides about what can be done. Others are said where they arise.
const (
	gapSaidBefore = "it was said before, and the server shows it again"
	gapReader     = "its sender may only read in this room"
	gapImpostor   = "it was written by another device, or as another message, than the server says"
	gapForeign    = "of a kind that does not belong in this room"
	gapUnknown    = "of a kind that this version does not know"
	gapDamaged    = "what was stored of it is damaged"
	gapProposal   = "a request to change the room, which cannot be read: "
)

const (
	askAround   = "ask those who were in the room"
	otherDevice = "look on another of your devices, if it was in the room then"
)

func (m *Message) gap(cause string) { m.Kind, m.Gap, m.Text = Gap, cause, "" }

// noteAbsence stores why the log goes on at seq, after what this device has of it.
func (c *Core) noteAbsence(r *room, seq uint64) {
	why, cause := absentAway, ""
	switch {
	case r.seq+1 >= seq:
		return
	case r.rejoin != nil:
		why, cause = absentLost, r.rejoin.cause
	case r.seq == 0:
		why = absentBefore
	}
	e := newEncoder(holeVersion)
	e.uint(r.seq + 1)
	e.uint(uint64(why))
	e.string(cause)
	c.put(keyHole(r.id, seq-1), e.b)
	if r.seq > 0 {
		m := c.hole(r, r.seq+1, seq-1)
		m.At = c.now
		c.emit(MessageChanged{*m})
	}
}

// absenceAt gives why nothing is stored at seq, and why this device could not follow then. Rooms of before absences were
// stored tell by the place.
func (c *Core) absenceAt(r *room, seq uint64) (absence, string) {
	for _, record := range c.scan(ScanOptions{Prefix: keyHolesOf(r.id), From: keyHole(r.id, seq), Limit: 1}) {
		d := newDecoder(record.Value, holeVersion)
		from, why, cause := d.uint(), absence(d.uint()), d.string()
		if d.end() == nil && from <= seq {
			return why, cause
		}
	}
	if seq == 1 {
		return absentBefore, ""
	}
	return absentAway, ""
}

// hole gives the gap of a stretch of which nothing is stored.
func (c *Core) hole(r *room, from, until uint64) *Message {
	m := &Message{Room: r.id, Seq: from, Until: until, State: Delivered, Kind: Gap}
	devices := 0
	if chain := c.chain(c.mem.account.me.Account); chain != nil {
		devices = len(chain.Devices())
	}
	why, cause := c.absenceAt(r, from)
	if archived, try, ok := c.whyHole(r, span{from, until}, why); ok {
		m.Gap, m.Try = archived, try
		return m
	}
	switch why {
	case absentAway:
		m.Gap = "this device was out of the room"
		m.Try = "nothing that was meant for it is missing"
	case absentLost:
		m.Gap = cause
		m.Try = askAround
	default:
		m.Gap = "this device was not in the room yet"
		m.Try = "nothing that was meant for it is missing"
	}
	if devices > 1 {
		m.Try = otherDevice
	}
	return m
}

// explainGap says what can be done about an entry that cannot be shown.
func (c *Core) explainGap(m *Message) {
	m.Until, m.Try, m.Ask = max(m.Until, m.Seq), "", ""
	own := c.mem.account != nil && m.Account == c.mem.account.me.Account
	switch {
	case m.Gap == gapSaidBefore, m.Gap == gapReader, m.Gap == gapForeign, m.Gap == gapImpostor:
		m.Try = "nothing that somebody has said in this room is missing"
	case strings.HasPrefix(m.Gap, gapProposal):
		m.Try = "nothing that somebody has said is missing"
	case own && c.own(m):
		m.Try = "say it again, if you know what it was"
	case own:
		m.Try = "look on your device that sent it"
	case m.From == "" || !c.reachable(m):
		m.Try = askAround
	default:
		m.Try = "ask @" + m.From + " to send it again"
		m.Ask = fmt.Sprintf("@%s, what you wrote on %s cannot be read here. Please send it again.", m.From, m.At.UTC().Format("2 January at 15:04 UTC"))
	}
	if m.Gap == gapUnknown {
		m.Try = "use a newer version of this program, and " + m.Try
	}
}

// reachable reports whether who is said to have sent an entry can be asked for it in the room.
func (c *Core) reachable(m *Message) bool {
	r := c.mem.rooms[m.Room]
	return r != nil && r.status == joined && !c.readsOnly(r) && (r.kind == OpenToAll || c.roster(r).has(m.Account))
}

// joins reports whether a gap goes on in the next one, of which this makes one.
func (m *Message) joins(next *Message) bool {
	if m.Kind != Gap || next.Kind != Gap || m.Gap != next.Gap || m.Until+1 != next.Seq {
		return false
	}
	if m.Account != next.Account || m.Device != next.Device {
		m.Account, m.Device, m.From, m.DeviceName, m.Own = ident.AccountID{}, ident.DeviceID{}, "", "", false
		m.Try, m.Ask = askAround, ""
	}
	m.Until = next.Until
	return true
}

func keyHolesOf(room ident.RoomID) string { return keyHoles + room.String() + "/" }

// keyHole is where it is stored why nothing is known of the entries up to until.
func keyHole(room ident.RoomID, until uint64) string {
	return fmt.Sprintf("%s%016x", keyHolesOf(room), until)
}
