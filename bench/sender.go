package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// clock counts nanoseconds since the run began; its zero point is what stamps are measured from.
type clock struct{ start time.Time }

func (c clock) now() int64 { return int64(time.Since(c.start)) }

// interval is the measured part of a scenario. What happens before it warms up; senders stop at its end, and what is
// on the way then is still delivered and verified, but not counted.
type interval struct{ from, until int64 }

func (i interval) has(t int64) bool { return i.from <= t && t < i.until }

// left is the time to the interval's end.
func (i interval) left(c clock) time.Duration { return time.Duration(i.until - c.now()) }

func (i interval) seconds() float64 { return time.Duration(i.until - i.from).Seconds() }

// draft is a message ready to be sent: an encoded ClientFrame inside its WebSocket frame, in which only message id and
// stamp change from one sending to the next. A sender has one for each place of its window; its request id stays.
type draft struct {
	bytes   []byte
	id      []byte // views of bytes
	payload []byte
	number  uint64
	sent    int64
}

// newDraft encodes a message of the room. The request id is the draft's place, from 1 on.
func newDraft(r *room, place int, filler []byte) (*draft, error) {
	marks := make([]byte, 16+stampSize)
	if _, err := io.ReadFull(ident.Random(), marks); err != nil {
		return nil, err
	}
	payload := append(bytes.Clone(marks[16:]), filler...)
	frame := wire.ClientFrame{Id: uint64(place), Body: &wire.ClientFrame_Submit{Submit: &wire.Submit{
		Room: r.id[:], Kind: wire.EntryKind_ENTRY_KIND_SEALED, Id: marks[:16], Epoch: sealedEpoch, Payload: payload,
	}}}
	encoded, err := frame.MarshalVT()
	if err != nil {
		return nil, err
	}
	d := &draft{bytes: appendMessage(nil, encoded)}
	// 128 random bits stand where they were put and nowhere else.
	at, payloadAt := bytes.Index(d.bytes, marks[:16]), bytes.Index(d.bytes, payload)
	d.id, d.payload = d.bytes[at:at+16], d.bytes[payloadAt:payloadAt+len(payload)]
	return d, nil
}

// messageIDs makes message ids that look random to the server's index and never repeat: a bijection of a counter that
// begins somewhere random.
type messageIDs struct{ counter uint64 }

func (m *messageIDs) put(id []byte) {
	for at := 0; at < len(id); at += 8 {
		m.counter++
		binary.LittleEndian.PutUint64(id[at:], scramble(m.counter))
	}
}

// scramble is the finalizer of SplitMix64.
func scramble(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// sender keeps window messages of one room unanswered, until the interval ends. Owned by run.
type sender struct {
	socket   *socket
	journal  *journal
	drafts   []*draft
	ids      messageIDs
	clock    clock
	interval interval
	// most bounds the messages sent.
	most uint64

	out       []byte
	pending   int
	acked     uint64 // within the interval
	latencies histogram
}

func newSender(s *socket, r *room, window int, b *bench) (*sender, error) {
	random := make([]byte, 8+b.plan.payload-stampSize)
	if _, err := io.ReadFull(ident.Random(), random); err != nil {
		return nil, err
	}
	filler := random[8:]
	w := &sender{socket: s, clock: b.clock, most: math.MaxUint64}
	w.ids.counter = binary.LittleEndian.Uint64(random)
	w.journal = &journal{room: r.id, sender: r.sender.id, filler: filler}
	for place := range window {
		d, err := newDraft(r, place+1, filler)
		if err != nil {
			return nil, err
		}
		w.drafts = append(w.drafts, d)
	}
	return w, nil
}

// run sends until the interval ends, and returns when every message has its ack.
func (w *sender) run() error {
	if err := w.socket.conn.SetDeadline(time.Now().Add(w.interval.left(w.clock) + stepTimeout)); err != nil {
		return err
	}
	now := w.clock.now()
	for _, d := range w.drafts {
		w.queue(d, now)
	}
	if err := w.flush(); err != nil {
		return err
	}
	for w.pending > 0 {
		if err := w.turn(); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
	}
	return nil
}

// turn takes the acks that have come, at least one, and sends as many messages in one write.
func (w *sender) turn() error {
	message, err := w.socket.next()
	now := w.clock.now()
	for {
		if err != nil {
			return err
		}
		if err := w.take(message, now); err != nil {
			return err
		}
		if !w.socket.ready() {
			return w.flush()
		}
		message, err = w.socket.next()
	}
}

// take reads an answer and queues the next message in its place.
func (w *sender) take(message []byte, now int64) error {
	d, err := w.takeAck(message)
	if err != nil || d == nil {
		return err
	}
	w.pending--
	if w.interval.has(now) {
		w.acked++
		w.latencies.add(time.Duration(now - d.sent))
	}
	if now < w.interval.until && w.journal.sent < w.most {
		w.queue(d, now)
	}
	return nil
}

// takeAck writes an ack into the journal and gives the draft that it answers; an event has none.
func (w *sender) takeAck(message []byte) (*draft, error) {
	a, err := readAnswer(message)
	if err != nil || a.id == 0 {
		return nil, err
	}
	if a.body != fieldFrameAck || a.id > uint64(len(w.drafts)) {
		return nil, fmt.Errorf("bench: answer %d to request %d is no ack", a.body, a.id)
	}
	got, err := readAck(a.content)
	if err != nil {
		return nil, err
	}
	d := w.drafts[a.id-1]
	return d, w.journal.acked(d.number, got)
}

func (w *sender) queue(d *draft, now int64) {
	d.number, d.sent = w.journal.sent, now
	w.journal.sent++
	w.pending++
	w.ids.put(d.id)
	stamp{sent: now, number: d.number}.put(d.payload)
	w.out = append(w.out, d.bytes...)
}

func (w *sender) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	err := w.socket.write(w.out)
	w.out = w.out[:0]
	return err
}
