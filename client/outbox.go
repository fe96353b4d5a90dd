package client

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// rowKind is what an outbox row sends.
type rowKind uint64

const (
	rowText rowKind = iota + 1
	rowProposal
	// rowRequest is the proposal of a device that cannot follow the room to be let in anew.
	rowRequest
	// rowReject says that this device cannot take a commit.
	rowReject
)

// rowState is how far an outbox row has come. Queued and failed rows have no payload; a sealed one has been, or may have
// been, said to the server, and only a definite refusal leads back to queued.
type rowState uint64

const (
	rowQueued rowState = iota + 1
	rowSealed
	rowAcked
	rowFailed
)

// row is one message on its way. It is deleted when it is seen in the log.
type row struct {
	order   uint64
	id      ident.MessageID
	kind    rowKind
	text    string
	at      time.Time
	state   rowState
	epoch   uint64
	payload []byte
	// seq and head are the server's acknowledgement.
	seq     uint64
	head    ident.Hash
	problem string
}

const rowVersion = 1

func (w *row) encode() []byte {
	e := newEncoder(rowVersion)
	e.uint(w.order)
	e.bytes(w.id[:])
	e.uint(uint64(w.kind))
	e.string(w.text)
	e.time(w.at)
	e.uint(uint64(w.state))
	e.uint(w.epoch)
	e.bytes(w.payload)
	e.uint(w.seq)
	e.bytes(w.head[:])
	e.string(w.problem)
	return e.b
}

func decodeRow(b []byte) (*row, error) {
	d := newDecoder(b, rowVersion)
	w := &row{order: d.uint(), id: d.id(), kind: rowKind(d.uint()), text: d.string(), at: d.time(),
		state: rowState(d.uint()), epoch: d.uint(), payload: d.bytes(), seq: d.uint(), head: d.hash(), problem: d.string()}
	return w, d.end()
}

func (c *Core) loadOutbox() {
	for _, record := range c.scan(ScanOptions{Prefix: keyOutbox}) {
		id, err := ident.ParseRoomID(strings.Split(strings.TrimPrefix(record.Key, keyOutbox), "/")[0])
		w, rowErr := decodeRow(record.Value)
		r := c.mem.rooms[id]
		if err != nil || rowErr != nil || r == nil {
			c.cfg.log.Error("what was on its way cannot be read", "room", id, "error", errors.Join(err, rowErr))
			c.delete(record.Key)
			continue
		}
		r.rows = append(r.rows, w)
		r.nextOrder = max(r.nextOrder, w.order+1)
	}
}

func (c *Core) saveRow(r *room, w *row) { c.put(keyOutboxRow(r.id, w.order), w.encode()) }

// row finds an outbox row by the message's id.
func (r *room) row(id ident.MessageID) *row {
	for _, w := range r.rows {
		if w.id == id {
			return w
		}
	}
	return nil
}

// hasRows reports whether a row is in this state.
func (r *room) hasRows(state rowState) bool {
	for _, w := range r.rows {
		if w.state == state {
			return true
		}
	}
	return false
}

// finishRow forgets a row that has arrived, or was given up.
func (c *Core) finishRow(r *room, id ident.MessageID) {
	for i, w := range r.rows {
		if w.id == id {
			c.delete(keyOutboxRow(r.id, w.order))
			r.rows = append(r.rows[:i:i], r.rows[i+1:]...)
			return
		}
	}
}

// queue puts a message at the end of the room's outbox.
func (c *Core) queue(r *room, text string) *row {
	w := &row{order: r.nextOrder, id: c.messageID(), kind: rowText, text: text, at: c.now, state: rowQueued}
	r.nextOrder++
	r.rows = append(r.rows, w)
	r.dirty = true
	c.saveRow(r, w)
	c.showRow(r, w)
	return w
}

// propose puts a proposal on its way.
func (c *Core) propose(r *room, kind rowKind, epoch uint64, payload []byte) {
	c.enqueue(r, &row{id: c.messageID(), kind: kind, epoch: epoch, payload: payload})
}

// enqueue puts what is ready to be said at the end of the outbox.
func (c *Core) enqueue(r *room, w *row) {
	w.order, w.at, w.state = r.nextOrder, c.now, rowSealed
	r.nextOrder++
	r.rows, r.dirty = append(r.rows, w), true
	c.saveRow(r, w)
}

func (c *Core) showRow(r *room, w *row) {
	if w.kind == rowText {
		c.emit(MessageChanged{c.viewRow(r, w)})
	}
}

// viewRow gives a row as callers see it.
func (c *Core) viewRow(r *room, w *row) Message {
	me := c.mem.account.me
	m := Message{Room: r.id, ID: w.id, From: me.Handle, Account: me.Account, Device: me.Device, DeviceName: me.DeviceName,
		At: w.at, Kind: Text, Text: w.text, State: Pending, Problem: w.problem, Own: true}
	if w.state == rowFailed {
		m.State = Undelivered
	}
	return m
}

// submitSealed says again what the server may have or not. It comes before all else: what became of it decides what may
// follow.
func (c *Core) submitSealed(r *room) {
	if c.now.Before(c.vol.submitAt[r.id]) {
		return
	}
	for _, w := range r.rows {
		if w.state == rowSealed {
			c.submitRow(r, w)
		}
	}
}

// sealQueued seals and sends what waits, in order, as much as may be under way at once.
func (c *Core) sealQueued(r *room) {
	if c.now.Before(c.vol.submitAt[r.id]) || c.sealedElsewhere(r) {
		return
	}
	underWay := 0
	for _, w := range r.rows {
		if w.state == rowSealed {
			underWay++
		}
	}
	for _, w := range r.rows {
		if w.state != rowQueued {
			continue
		}
		if underWay >= maxSubmits || !c.seal(r, w) {
			return
		}
		c.submitRow(r, w)
		underWay++
	}
}

// sealedElsewhere reports whether a sealed row of another epoch than the group's is not resolved yet.
func (c *Core) sealedElsewhere(r *room) bool {
	if r.kind != Sealed {
		return false
	}
	epoch := c.group(r).Epoch()
	for _, w := range r.rows {
		if w.state == rowSealed && w.epoch != epoch {
			return true
		}
	}
	return false
}

// seal makes a row's payload. It becomes durable together with the used-up key, before it is sent.
func (c *Core) seal(r *room, w *row) bool {
	said := &wire.Content{Body: &wire.Content_Text{Text: w.text}}
	if r.kind == Sealed {
		said.SeenSeq, said.SeenHead = r.seq, r.head.Bytes()
	}
	content, err := said.MarshalVT()
	if err != nil {
		c.fail(failed("encoding a message", err))
		return false
	}
	if r.kind == OpenToAll {
		open := &wire.OpenPayload{Content: content, Signature: ident.SignOpen(c.mem.key, r.id, w.id, content)}
		w.payload, err = open.MarshalVT()
	} else {
		group := c.group(r)
		w.epoch = group.Epoch()
		w.payload, err = group.Seal(content, w.id[:])
	}
	if errors.Is(err, mls.ErrPendingProposals) {
		return false // the commit that must come first is on its way, or falls due
	}
	if err != nil {
		c.failRow(r, w, "it could not be sealed: "+err.Error())
		return false
	}
	w.state = rowSealed
	c.spoke(r)
	c.saveRow(r, w)
	return true
}

func submitName(room ident.RoomID, id ident.MessageID) string {
	return "submit " + room.String() + id.String()
}

// submitRow says a sealed row to the server, unless that is under way. The same bytes may be said any number of times.
func (c *Core) submitRow(r *room, w *row) {
	kind := wire.EntryKind_ENTRY_KIND_SEALED
	switch {
	case r.kind == OpenToAll:
		kind = wire.EntryKind_ENTRY_KIND_OPEN
	case w.kind == rowReject:
		kind = wire.EntryKind_ENTRY_KIND_REJECT
	case w.kind != rowText:
		kind = wire.EntryKind_ENTRY_KIND_PROPOSAL
	}
	submit := &wire.Submit{Room: r.id.Bytes(), Kind: kind, Id: w.id.Bytes(), Epoch: w.epoch, Payload: w.payload}
	room, id, payload := r.id, w.id, w.payload
	c.ask(request{name: submitName(room, id), needs: ready,
		frame:   &wire.ClientFrame{Body: &wire.ClientFrame_Submit{Submit: submit}},
		then:    func(c *Core, reply *wire.ServerFrame) { c.rowAcked(room, id, reply.GetAck()) },
		refused: func(c *Core, e *wire.Error) { c.rowRefused(room, id, payload, e) }})
}

func (c *Core) rowAcked(room ident.RoomID, id ident.MessageID, ack *wire.Ack) {
	r := c.mem.rooms[room]
	if r == nil || ack == nil {
		return
	}
	head, err := ident.HashFromBytes(ack.Head)
	if err != nil || ack.Seq == r.seq && head != r.head {
		c.halt(r, "the server acknowledged another history than it showed")
		return
	}
	w := r.row(id)
	if w == nil || w.kind != rowReject { // which is not handed back to a device that was locked out
		c.grew(room, ack.Seq)
	}
	if w == nil || w.state != rowSealed {
		return
	}
	if w.kind == rowRequest {
		c.finishRow(r, id) // nothing is lost where the server lies
		return
	}
	if r.since < ack.Seq && ack.Seq <= r.seq { // what stands there is known, and is not this row
		c.halt(r, "the server acknowledged another history than it showed")
		return
	}
	w.state, w.seq, w.head = rowAcked, ack.Seq, head
	if 0 < ack.At && ack.At <= maxArchivedAt {
		w.at = time.UnixMilli(ack.At).UTC() // as the log has it for everybody else
	}
	c.saveRow(r, w)
	if ack.Seq > r.seq {
		return
	}
	// It stands where this device does not read any more: it was out of the room, or could not follow it.
	if m, err := c.message(room, ack.Seq); err == nil && m != nil && m.Kind != Gap {
		c.halt(r, "the server acknowledged another history than it showed")
		return
	}
	c.arrived(r, w)
}

// arrived takes a row that is known to be in the log, at a place of which the log shows nothing else.
func (c *Core) arrived(r *room, w *row) {
	if w.kind != rowText {
		c.finishRow(r, w.id)
		return
	}
	m := c.viewRow(r, w)
	m.Seq, m.State = w.seq, Delivered
	last := r.lastSeq
	c.keep(r, &m)
	r.lastSeq = max(last, r.lastSeq)
}

// matchesAck reports whether an entry is the one that the server has acknowledged at its place.
func (c *Core) matchesAck(r *room, entry *wire.Entry, head ident.Hash) bool {
	me := c.mem.account.me.Device
	for _, w := range r.rows {
		if w.state != rowAcked {
			continue
		}
		here := string(entry.Device) == string(me[:]) && string(entry.Id) == string(w.id[:])
		if here != (w.seq == entry.Seq) || here && w.head != head {
			return false
		}
	}
	return true
}

// rowRefused takes the server's refusal of a payload. Another process may have sealed the row anew meanwhile: what is
// refused then is not what the row stands for.
func (c *Core) rowRefused(room ident.RoomID, id ident.MessageID, payload []byte, e *wire.Error) {
	r := c.mem.rooms[room]
	if r == nil {
		return
	}
	w := r.row(id)
	if w == nil || w.state != rowSealed || !bytes.Equal(w.payload, payload) {
		return
	}
	switch {
	case e.Code == wire.ErrorCode_ERROR_CODE_EPOCH:
		c.grew(room, e.Seq)
		c.reached(room, e.Epoch)
		if e.Seq <= r.seq && c.caughtUp(r) && r.kind == Sealed && c.elsewhere(r, e.Epoch) {
			c.halt(r, "the server is at another state of the room than its history leads to")
			return
		}
		if w.kind == rowRequest {
			c.requestLate(r, e)
		}
		if w.kind != rowText {
			c.finishRow(r, id)
			return
		}
		w.state, w.payload, w.epoch = rowQueued, nil, 0
		c.saveRow(r, w)
	case transient(e.Code) || e.Code == wire.ErrorCode_ERROR_CODE_RATE_LIMITED:
		c.vol.submitAt[room] = c.now.Add(retryAfter(e))
	case w.kind == rowRequest:
		c.finishRow(r, id)
		c.requestRefused(r, e)
	case w.kind == rowReject:
		c.finishRow(r, id)
		c.rejectRefused(r)
	case w.kind == rowProposal:
		c.finishRow(r, id)
		r.leaving, r.dirty = false, true
	default:
		c.failRow(r, w, e.Message)
		if r.kind == Sealed && r.status == joined && e.Code == wire.ErrorCode_ERROR_CODE_FORBIDDEN {
			r.setProblem("the server takes this device for none of the room's, though no member has removed it: " + e.Message)
		}
	}
}

func (c *Core) failRow(r *room, w *row, problem string) {
	w.state, w.payload, w.problem = rowFailed, nil, problem
	c.saveRow(r, w)
	c.showRow(r, w)
	r.dirty = true
}
