package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// blocked is what a room's next step waits for: chains that it needs and that were asked for. Once the answer has come
// the step is tried again, and what is still unknown then is refused.
type blocked struct {
	seq   uint64
	asked map[ident.AccountID]bool
}

// followRoom asks for the room's entries from where this device is.
func (c *Core) followRoom(r *room) {
	log := c.vol.logs[r.id]
	log.follow = asked
	c.vol.logs[r.id] = log
	id := r.id
	body := &wire.Follow{Rooms: []*wire.Cursor{{Room: id.Bytes(), After: r.seq}}}
	c.ask(request{needs: ready, frame: &wire.ClientFrame{Body: &wire.ClientFrame_Follow{Follow: body}},
		then: func(c *Core, _ *wire.ServerFrame) {
			if log := c.vol.logs[id]; log.follow == asked {
				log.follow = following
				c.vol.logs[id] = log
			}
		},
		refused: func(c *Core, e *wire.Error) {
			log := c.vol.logs[id]
			log.follow = halted
			c.vol.logs[id] = log
			r := c.mem.rooms[id]
			switch {
			case r == nil:
			case r.leaving && (e.Code == wire.ErrorCode_ERROR_CODE_NOT_FOUND || e.Code == wire.ErrorCode_ERROR_CODE_FORBIDDEN):
				c.goneFrom(id) // this device left, and the answer was lost
			default:
				r.setProblem("the server does not hand out the room: " + e.Message)
			}
		}})
}

// halt stops processing the room on this connection. Another connection begins again where this one stopped.
func (c *Core) halt(r *room, problem string) {
	r.setProblem(problem)
	log := c.vol.logs[r.id]
	log.follow = halted
	c.vol.logs[r.id] = log
	c.cfg.log.Warn("a room is halted", "room", r.id, "seq", r.seq, "problem", problem)
}

// receivedEntries takes a stretch of a log. Until the room is followed from where this device is, what comes belongs to
// an earlier Follow, and will come again.
func (c *Core) receivedEntries(entries *wire.Entries) {
	id, err := ident.RoomIDFromBytes(entries.Room)
	r := c.mem.rooms[id]
	if err != nil || r == nil {
		return
	}
	for _, entry := range entries.Entries {
		log := c.vol.logs[id]
		if log.follow != following || r.status != joined {
			return
		}
		c.grew(id, entry.Seq)
		if entry.Seq == r.seq && string(entry.Head) != string(r.head[:]) {
			c.halt(r, fmt.Sprintf("the server's history has another message %d than it had", entry.Seq))
			return
		}
		if entry.Seq <= r.seq {
			continue
		}
		if !c.processEntry(r, entry) {
			return
		}
	}
}

// processEntry takes the next entry of a log; false: the log does not go on for now.
func (c *Core) processEntry(r *room, entry *wire.Entry) bool {
	head, err := entryHead(r.id, r.head, entry)
	switch {
	case err == nil && entry.Seq > r.seq+1 && r.rejoin != nil:
		// Since a Welcome that this device did not believe, or has not got yet, it is not handed what came before that.
		head, err = ident.HashFromBytes(entry.Head)
		c.passStretch(r, entry.Seq)
		c.cameIn(r, entry.Seq)
		r.since = entry.Seq - 1
	case entry.Seq > r.seq+1 && strings.HasPrefix(r.problem, problemLetIn):
		c.halt(r, r.problem) // which is why what came between is not handed to it
		return false
	case entry.Seq != r.seq+1:
		c.halt(r, fmt.Sprintf("the server left out messages: %d follows %d", entry.Seq, r.seq))
		return false
	}
	if err != nil || string(entry.Head) != string(head[:]) {
		c.halt(r, fmt.Sprintf("the server's history does not add up at message %d", entry.Seq))
		return false
	}
	if !c.matchesAck(r, entry, head) {
		c.halt(r, fmt.Sprintf("the server acknowledged another history at message %d", entry.Seq))
		return false
	}
	c.missing = nil
	message, err := c.interpret(r, entry)
	if len(c.missing) > 0 && c.block(r, entry.Seq) {
		return false
	}
	if err != nil {
		c.halt(r, err.Error())
		return false
	}
	r.seq, r.head, r.dirty = entry.Seq, head, true
	if r.rejoin == nil {
		r.setProblem("")
	}
	c.reached(r.id, epochAfter(entry))
	delete(c.vol.blocked, r.id)
	c.keepHead(r)
	c.keep(r, message)
	return true
}

// epochAfter is the epoch of a sealed room after an entry.
func epochAfter(entry *wire.Entry) uint64 {
	if entry.Kind == wire.EntryKind_ENTRY_KIND_COMMIT || entry.Kind == wire.EntryKind_ENTRY_KIND_RESTART {
		return entry.Epoch + 1
	}
	return entry.Epoch
}

// entryHead computes the head after an entry.
func entryHead(room ident.RoomID, prev ident.Hash, entry *wire.Entry) (ident.Hash, error) {
	device, err := ident.DeviceIDFromBytes(entry.Device)
	if err != nil {
		return ident.Hash{}, err
	}
	id, err := ident.MessageIDFromBytes(entry.Id)
	if err != nil {
		return ident.Hash{}, err
	}
	if !isPlace(entry.Seq) || !isTime(entry.At) || entry.Kind < 0 || entry.Kind > 255 {
		return ident.Hash{}, errRecord
	}
	return ident.NextHead(prev, ident.LogEntry{
		Room: room, Seq: entry.Seq, Kind: uint8(entry.Kind), Sender: device, Message: id, Epoch: entry.Epoch,
		UnixMilli: uint64(entry.At), Payload: ident.PayloadHash(entry.Payload),
	}), nil
}

// block arranges that the missing chains are fetched and the entry comes again; false: they were fetched for this entry
// already, and its judgement stands.
func (c *Core) block(r *room, seq uint64) bool {
	b := c.vol.blocked[r.id]
	if b.seq != seq {
		b = blocked{seq: seq}
	}
	fresh := make(map[ident.AccountID]bool)
	for account := range b.asked {
		fresh[account] = true
	}
	var accounts []ident.AccountID
	for _, account := range c.missing {
		if !fresh[account] {
			fresh[account] = true
			accounts = append(accounts, account)
		}
	}
	if len(accounts) == 0 {
		return false
	}
	b.asked = fresh
	c.vol.blocked[r.id] = b
	log := c.vol.logs[r.id]
	log.follow = asked // nothing more is taken until the room is followed anew
	c.vol.logs[r.id] = log
	id := r.id
	c.fetchChains("chains "+id.String(), accounts, func(c *Core) {
		if r := c.mem.rooms[id]; r != nil && r.status == joined && c.online() {
			c.followRoom(r)
		}
	})
	return true
}

// unasked reports whether chains are missing for an entry that were not asked for yet.
func (c *Core) unasked(r *room, seq uint64) bool {
	b := c.vol.blocked[r.id]
	return len(c.missing) > 0 && (b.seq != seq || !covers(b.asked, c.missing))
}

// interpret gives what stands at an entry. An error means that the log cannot go on; whatever concerns the entry alone
// is a gap.
func (c *Core) interpret(r *room, entry *wire.Entry) (*Message, error) {
	m := c.envelope(r, entry)
	switch {
	case r.kind == Sealed && entry.Kind == wire.EntryKind_ENTRY_KIND_REJECT:
		c.rejectEntry(r, entry, m)
	case r.kind == Sealed && entry.Kind == wire.EntryKind_ENTRY_KIND_COMMIT:
		return m, c.commitEntry(r, entry, m)
	case r.kind == Sealed && entry.Kind == wire.EntryKind_ENTRY_KIND_RESTART:
		return m, c.restartEntry(r, entry, m)
	case c.keyless(r):
		c.witness(r, entry, m)
		c.passEntry(r, entry, m)
	case r.kind == OpenToAll && entry.Kind == wire.EntryKind_ENTRY_KIND_OPEN:
		c.openEntry(r, entry, m)
		// The signature is good at any place of the log, so that it counts once.
		if m.Kind == Text && c.get(keySaidMessage(r.id, m.Device, m.ID)) != nil {
			m.gap(gapSaidBefore)
		}
	case r.kind == Sealed && entry.Kind == wire.EntryKind_ENTRY_KIND_SEALED:
		c.sealedEntry(r, entry, m)
	case r.kind == Sealed && entry.Kind == wire.EntryKind_ENTRY_KIND_PROPOSAL:
		c.proposalEntry(r, entry, m)
	default:
		m.gap(gapForeign)
	}
	return m, nil
}

// envelope begins a message with what the server says of the entry.
func (c *Core) envelope(r *room, entry *wire.Entry) *Message {
	m := &Message{Room: r.id, Seq: entry.Seq, At: time.UnixMilli(entry.At).UTC(), State: Delivered}
	m.ID, _ = ident.MessageIDFromBytes(entry.Id)
	m.Device, _ = ident.DeviceIDFromBytes(entry.Device)
	m.Account, _ = ident.AccountIDFromBytes(entry.Account)
	return m
}

// own reports whether this device is said to have sent the entry.
func (c *Core) own(m *Message) bool { return m.Device == c.mem.account.me.Device }

// openEntry verifies a signed entry of an open room.
func (c *Core) openEntry(r *room, entry *wire.Entry, m *Message) {
	chain := c.chain(m.Account)
	if chain == nil {
		c.lacks(m.Account)
		m.gap("its sender is unknown")
		return
	}
	device, ok := chain.EverEnrolled(m.Device)
	if !ok {
		c.lacks(m.Account)
		m.gap("its sender is no device of the account")
		return
	}
	payload := new(wire.OpenPayload)
	if payload.UnmarshalVT(entry.Payload) != nil ||
		ident.VerifyOpen(device.Key, r.id, m.ID, payload.Content, payload.Signature) != nil {
		m.gap("its signature does not verify")
		return
	}
	m.content(payload.Content)
}

// content reads what somebody says; nil where it cannot be shown.
func (m *Message) content(b []byte) *wire.Content {
	content := new(wire.Content)
	if content.UnmarshalVT(b) != nil {
		m.gap("its content does not parse")
		return nil
	}
	text, ok := content.Body.(*wire.Content_Text)
	if !ok {
		m.gap(gapUnknown)
		return nil
	}
	if CheckText(text.Text) != nil {
		m.gap("its text is malformed")
		return nil
	}
	m.Kind, m.Text = Text, text.Text
	return content
}

// sealedEntry opens a message of a sealed room. This device's own are known from the outbox.
func (c *Core) sealedEntry(r *room, entry *wire.Entry, m *Message) {
	if c.own(m) {
		c.ownEntry(r, entry, m)
		return
	}
	result, err := c.group(r).Process(entry.Payload)
	if err != nil {
		m.gap("not decryptable: " + reason(err))
		return
	}
	opened, ok := result.(*mls.ApplicationMessage)
	if !ok {
		m.gap("it is not what the server says it is")
		return
	}
	if l := leafOf(opened.Sender); l.device != m.Device || l.account != m.Account || string(opened.AuthenticatedData) != string(entry.Id) {
		m.gap(gapImpostor)
		return
	}
	if rank, _ := c.roster(r).role(m.Account); rank == roleReader {
		m.gap(gapReader)
		return
	}
	if content := m.content(opened.Data); content != nil {
		c.compare(r, m, content)
	}
}

// causeForgotten is why a message of this device is a gap on it.
const causeForgotten = "sent by this device, which does not have it any more"

// ownEntry takes a message of this device from its outbox row.
func (c *Core) ownEntry(r *room, entry *wire.Entry, m *Message) {
	row := r.row(m.ID)
	if row == nil || row.kind != rowText {
		m.gap(causeForgotten)
		return
	}
	if string(row.payload) != string(entry.Payload) {
		m.gap("it is not what this device sent")
		return
	}
	m.Kind, m.Text = Text, row.text
}

// proposalEntry takes a proposal, which waits for a commit.
func (c *Core) proposalEntry(r *room, entry *wire.Entry, m *Message) {
	m.Kind = Notice // hidden: what it leads to is shown
	if c.own(m) && r.row(m.ID) != nil {
		return // pending since it was made
	}
	c.proposer = leaf{account: m.Account, device: m.Device}
	result, err := c.group(r).Process(entry.Payload)
	c.proposer = leaf{}
	if errors.Is(err, errNotAdmitted) || err != nil && c.own(m) {
		return // nobody takes it in
	}
	if err != nil {
		m.gap(gapProposal + reason(err))
		return
	}
	proposal, ok := result.(*mls.ReceivedProposal)
	if !ok {
		m.gap("it is not what the server says it is")
		return
	}
	r.replan = true
	_, set := c.vol.commitAt[r.id]
	switch {
	case proposal.From == mls.SenderNewMemberProposal && m.Account == c.mem.account.me.Account:
		c.vol.commitAt[r.id] = c.now // a device believes its own account's answer, whatever has become of the roles: it goes first
	case !set:
		c.vol.commitAt[r.id] = c.now.Add(c.jitter(commitJitter))
	}
}

// reason gives the cause of a failed Process in words for people.
func reason(err error) string {
	var generation *mls.GenerationError
	var epoch *mls.EpochError
	switch {
	case errors.As(err, &generation) && generation.Replayed():
		return "its key was used already"
	case errors.As(err, &epoch) && epoch.Future():
		return "it belongs to a state of the room that this device has not reached"
	case errors.As(err, &epoch):
		return "it belongs to a past state of the room, whose keys are gone"
	case errors.Is(err, mls.ErrDecrypt):
		return "it was changed on the way, or sealed with another key"
	case errors.Is(err, mls.ErrVerify):
		return "its signature does not verify"
	}
	return "it is malformed"
}
