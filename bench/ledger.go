package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"snug/internal/ident"
)

// stamp is how the payload of a measured message begins: when it was sent, in nanoseconds since the run's start, and
// its number among its sender's messages. What follows are random bytes: the server never looks.
type stamp struct {
	sent   int64
	number uint64
}

const stampSize = 16

func (s stamp) put(payload []byte) {
	binary.LittleEndian.PutUint64(payload, uint64(s.sent))
	binary.LittleEndian.PutUint64(payload[8:], s.number)
}

func readStamp(payload []byte) stamp {
	return stamp{
		sent:   int64(binary.LittleEndian.Uint64(payload)),
		number: binary.LittleEndian.Uint64(payload[8:]),
	}
}

// journal is what the sender of a room knows of its log: for every message, in order of their numbers, the ack. Owned
// by the sender until it has ended.
type journal struct {
	room   ident.RoomID
	sender ident.DeviceID
	// filler is what follows the stamp in every payload of the room.
	filler []byte
	// sent is how many messages were sent; acks[n] is message n's, with seq 0 where none has come.
	sent uint64
	acks []ack
}

func (j *journal) acked(number uint64, a ack) error {
	for uint64(len(j.acks)) <= number {
		j.acks = append(j.acks, ack{})
	}
	if j.acks[number].seq != 0 {
		return fmt.Errorf("room %v: message %d was acked twice", j.room, number)
	}
	if a.seq == 0 {
		return fmt.Errorf("room %v: message %d was acked without a seq", j.room, number)
	}
	j.acks[number] = a
	return nil
}

// ledger is what a device that follows a room has got of its log. Every entry is held against the ones before it as it
// comes: seq by seq, head by head. Owned by the follower until it has ended.
type ledger struct {
	journal *journal
	seq     uint64
	head    ident.Hash
	// heads[i] and numbers[i] are of the entry with seq base+1+i: the head after it, and which message it is.
	base    uint64
	heads   []ident.Hash
	numbers []uint64
	// light ledgers check what comes without keeping it, where many devices follow one room.
	light bool
}

// add takes the next entry that was delivered, or says what is wrong with it.
func (l *ledger) add(e entry) (stamp, error) {
	room := l.journal.room
	if e.log.Seq != l.seq+1 {
		return stamp{}, fmt.Errorf("room %v: entry %d was delivered after entry %d", room, e.log.Seq, l.seq)
	}
	e.log.Payload = ident.PayloadHash(e.payload)
	if head := ident.NextHead(l.head, e.log); head != e.head {
		return stamp{}, fmt.Errorf("room %v: entry %d carries head %v, its content gives %v", room, e.log.Seq, e.head, head)
	}
	if e.log.Sender != l.journal.sender {
		return stamp{}, fmt.Errorf("room %v: entry %d comes from device %v", room, e.log.Seq, e.log.Sender)
	}
	if len(e.payload) < stampSize || !bytes.Equal(e.payload[stampSize:], l.journal.filler) {
		return stamp{}, fmt.Errorf("room %v: the payload of entry %d is not what was sent", room, e.log.Seq)
	}
	l.seq, l.head = e.log.Seq, e.head
	s := readStamp(e.payload)
	if !l.light {
		l.heads = append(l.heads, e.head)
		l.numbers = append(l.numbers, s.number)
	}
	return s, nil
}

// settle compares what was acked with what was delivered, when both sides have ended: every acked message once, at the
// seq and head of its ack, and nothing that was never sent.
func (l *ledger) settle() error {
	j := l.journal
	deliveredAt := make([]uint64, j.sent)
	for i, number := range l.numbers {
		seq := l.base + 1 + uint64(i)
		if number >= j.sent {
			return fmt.Errorf("room %v: entry %d is message %d, which was never sent", j.room, seq, number)
		}
		if deliveredAt[number] != 0 {
			return fmt.Errorf("room %v: message %d was delivered twice, as entry %d and %d", j.room, number, deliveredAt[number], seq)
		}
		deliveredAt[number] = seq
	}
	for number, a := range j.acks {
		switch {
		case a.seq == 0:
		case deliveredAt[number] == 0:
			return fmt.Errorf("room %v: message %d was acked as entry %d and never delivered", j.room, number, a.seq)
		case deliveredAt[number] != a.seq:
			return fmt.Errorf("room %v: message %d was acked as entry %d and delivered as %d", j.room, number, a.seq, deliveredAt[number])
		case l.heads[a.seq-l.base-1] != a.head:
			return fmt.Errorf("room %v: the ack of message %d carries another head than entry %d", j.room, number, a.seq)
		}
	}
	return nil
}

// lastAcked gives the largest seq of an ack.
func (j *journal) lastAcked() uint64 {
	var last uint64
	for _, a := range j.acks {
		last = max(last, a.seq)
	}
	return last
}
