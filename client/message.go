package client

import (
	"strconv"
	"time"
	"unicode/utf8"

	"snug/internal/ident"
	"snug/internal/wire"
)

// MessageKind says what stands at a place of the log.
type MessageKind string

const (
	// Text is what somebody said.
	Text MessageKind = "text"
	// Notice is something that happened to the room: who came, who went.
	Notice MessageKind = "notice"
	// Gap is an entry that cannot be shown, or a stretch of them; Message.Gap says why.
	Gap MessageKind = "gap"
)

// MessageState says how far a message has come.
type MessageState string

const (
	// Pending messages are stored here and not yet acknowledged by the server.
	Pending MessageState = "pending"
	// Delivered messages are in the room's log.
	Delivered MessageState = "sent"
	// Undelivered messages were refused; Message.Problem says why. Retry and Discard are for them.
	Undelivered MessageState = "failed"
)

// Message is one message, notice or gap of a room.
type Message struct {
	Room ident.RoomID
	// Seq is its place in the room's log; 0 while it has none.
	Seq uint64
	// ID is unique together with Device.
	ID ident.MessageID
	// From is the sender's handle.
	From       string
	Account    ident.AccountID
	Device     ident.DeviceID
	DeviceName string
	// At is the server's time for what is in the log, this device's for what is pending.
	At   time.Time
	Kind MessageKind
	// Text is what was said, or the notice's text.
	Text string
	// Gap is why a gap cannot be shown, Until its last place, and Try what a person can do about it. Where the sender can be
	// asked to say it again, Ask is what to say to them.
	Gap, Try, Ask string
	Until         uint64
	State         MessageState
	Problem       string
	// Own is of this account, by whichever device.
	Own bool
	// Blocked says that its sender is blocked on this device: it is not to be shown unasked.
	Blocked bool
}

// Sent is where a message ended.
type Sent struct {
	Room ident.RoomID
	Seq  uint64
	ID   ident.MessageID
}

// HistoryOptions choose a stretch of a room's history.
type HistoryOptions struct {
	// Before gives messages with a smaller seq, where not 0.
	Before uint64
	// After gives messages with a larger seq.
	After uint64
	// Limit is the most messages to give: the last ones, or where After is set and Before is not the first ones. 0 means
	// 100.
	Limit int
}

const messageVersion = 1

func (m *Message) encode() []byte {
	e := newEncoder(messageVersion)
	e.string(string(m.Kind))
	e.bytes(m.ID[:])
	e.bytes(m.Account[:])
	e.bytes(m.Device[:])
	e.time(m.At)
	e.string(m.Text)
	e.string(m.Gap)
	return e.b
}

func decodeMessage(room ident.RoomID, seq uint64, b []byte) (*Message, error) {
	d := newDecoder(b, messageVersion)
	m := &Message{Room: room, Seq: seq, State: Delivered}
	m.Kind = MessageKind(d.string())
	m.ID = d.id()
	m.Account = d.id()
	m.Device = d.id()
	m.At = d.time()
	m.Text = d.string()
	m.Gap = d.string()
	return m, d.end()
}

// hidden reports whether there is nothing to show: a commit that only renews keys, a proposal.
func (m *Message) hidden() bool { return m.Kind == Notice && m.Text == "" }

// message reads what stands at seq; nil where nothing is stored.
func (c *Core) message(room ident.RoomID, seq uint64) (*Message, error) {
	b := c.get(keyMessage(room, seq))
	if b == nil {
		return nil, nil
	}
	m, err := decodeMessage(room, seq, b)
	if err != nil {
		return nil, failed("reading a message", err)
	}
	c.name(m)
	return m, nil
}

// name fills in what people are called, which is not stored: it may change.
func (c *Core) name(m *Message) {
	if a := c.mem.account; a != nil {
		m.Own = m.Account == a.me.Account
	}
	if !m.Account.IsZero() {
		m.From, m.Blocked = c.handle(m.Account), c.isBlocked(m.Account)
		if chain := c.chain(m.Account); chain != nil {
			if d, ok := chain.EverEnrolled(m.Device); ok {
				m.DeviceName = d.Name
			}
		}
	}
	if m.Kind == Gap {
		c.explainGap(m)
	}
}

// End is the last place of the log that the message stands for.
func (m Message) End() uint64 { return max(m.Seq, m.Until) }

// keep stores what stands at the log's next place and tells of it.
func (c *Core) keep(r *room, m *Message) {
	c.put(keyMessage(r.id, m.Seq), m.encode())
	c.noteKept(r, m)
	c.name(m)
	if c.own(m) {
		c.put(keyOwnMessage(r.id, m.ID), newOwn(m.Seq))
		c.finishRow(r, m.ID)
	}
	if r.kind == OpenToAll && m.Kind == Text {
		c.put(keySaidMessage(r.id, m.Device, m.ID), newOwn(m.Seq))
	}
	if m.Kind == Text {
		c.heardIn(r, m)
		switch {
		case m.Own:
			r.unread = 0
		case m.Blocked:
		default:
			r.unread++
			r.heal.othersSpoke = true
		}
	}
	c.vol.shown[r.id] = m.Seq
	if !m.hidden() {
		r.lastSeq = m.Seq
		c.emit(MessageChanged{*m})
	}
	r.dirty = true
}

func newOwn(seq uint64) []byte {
	e := newEncoder(messageVersion)
	e.uint(seq)
	return e.b
}

// ownSeq gives the seq of a message that this device sent, or 0.
func (c *Core) ownSeq(room ident.RoomID, id ident.MessageID) uint64 {
	b := c.get(keyOwnMessage(room, id))
	if b == nil {
		return 0
	}
	return newDecoder(b, messageVersion).uint()
}

// showForeign tells of what other holders of this store have processed. What is there when it is first read is no news.
func (c *Core) showForeign() {
	begun := c.vol.begun
	c.vol.begun = true
	for _, id := range c.mem.order {
		r := c.mem.rooms[id]
		shown, known := c.vol.shown[id]
		switch {
		case !begun:
			c.vol.shown[id] = r.seq
			continue
		case !known:
			shown = max(r.since, 1) - 1 // the notice of joining stands at since
		}
		if shown >= r.seq {
			continue
		}
		for _, record := range c.scan(ScanOptions{Prefix: keyMessagesOf(id), From: keyMessage(id, shown+1)}) {
			seq := seqOfKey(record.Key)
			m, err := decodeMessage(id, seq, record.Value)
			if err != nil || seq > r.seq || m.hidden() {
				continue
			}
			c.name(m)
			c.emit(MessageChanged{*m})
		}
		c.vol.shown[id] = r.seq
		c.emit(RoomChanged{c.view(r)})
	}
}

// seqOfKey reads the 16 hex digits at the end of a key.
func seqOfKey(key string) uint64 {
	seq, err := strconv.ParseUint(key[max(0, len(key)-16):], 16, 64)
	if err != nil {
		return 0
	}
	return seq
}

// CheckText says what is wrong with a message's text, or nil.
func CheckText(text string) error {
	switch {
	case text == "":
		return refuse(Usage, "", "an empty message")
	case len(text) > wire.MaxText:
		return refuse(Usage, "send it in parts", "the message has %d bytes, at most %d are possible", len(text), wire.MaxText)
	case !utf8.ValidString(text):
		return refuse(Usage, "", "the message is not valid UTF-8")
	}
	return nil
}
