package main

import (
	"errors"
	"fmt"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Field numbers of proto/snug/v1 that the hot paths read by hand; TestFrames holds them to the generated types.
const (
	fieldFrameID      = 1
	fieldFrameError   = 2
	fieldFramePong    = 4
	fieldFrameAck     = 40
	fieldFrameEntries = 60
)

// answer is what a sender or follower reads of a ServerFrame. Its slices are views of the frame.
type answer struct {
	id      uint64
	body    uint64 // the field number of the frame's body
	content []byte
}

// readAnswer reads a ServerFrame's id and body. An Error becomes a Go error.
func readAnswer(frame []byte) (answer, error) {
	var a answer
	f := fields{rest: frame}
	for f.next() {
		if f.number == fieldFrameID {
			a.id = f.value
		} else {
			a.body, a.content = f.number, f.bytes
		}
	}
	if f.err != nil {
		return answer{}, f.err
	}
	if a.body == fieldFrameError {
		return answer{}, serverError(a.content)
	}
	return a, nil
}

// serverError reads an Error.
func serverError(content []byte) error {
	var e wire.Error
	if err := e.UnmarshalVT(content); err != nil {
		return fmt.Errorf("reading an error of the server: %w", err)
	}
	return &refusal{code: e.Code, text: e.Message, retryAfter: e.RetryAfterMs}
}

// refusal is an Error that the server answered with.
type refusal struct {
	code       wire.ErrorCode
	text       string
	retryAfter int64
}

func (r *refusal) Error() string { return fmt.Sprintf("server: %s (%v)", r.text, r.code) }

// ack is what an Ack says.
type ack struct {
	seq  uint64
	head ident.Hash
}

var errHash = errors.New("bench: a head does not have 32 bytes")

func readAck(content []byte) (ack, error) {
	var a ack
	f := fields{rest: content}
	for f.next() {
		switch f.number {
		case 1:
			a.seq = f.value
		case 2:
			if len(f.bytes) != len(a.head) {
				return ack{}, errHash
			}
			a.head = ident.Hash(f.bytes)
		}
	}
	return a, f.err
}

// entry is what an Entry says. Its payload is a view of the frame.
type entry struct {
	log     ident.LogEntry // without the payload's hash
	payload []byte
	head    ident.Hash
}

// readEntry reads an Entry of a room.
func readEntry(room ident.RoomID, content []byte) (entry, error) {
	e := entry{log: ident.LogEntry{Room: room}}
	f := fields{rest: content}
	for f.next() {
		switch f.number {
		case 1:
			e.log.Seq = f.value
		case 2:
			e.log.Kind = uint8(f.value)
		case 3:
			copyID(&f, e.log.Sender[:])
		case 5:
			copyID(&f, e.log.Message[:])
		case 6:
			e.log.Epoch = f.value
		case 7:
			e.log.UnixMilli = f.value
		case 8:
			e.payload = f.bytes
		case 9:
			if len(f.bytes) != len(e.head) {
				return entry{}, errHash
			}
			e.head = ident.Hash(f.bytes)
		}
	}
	return e, f.err
}

func copyID(f *fields, id []byte) {
	if len(f.bytes) != len(id) {
		f.err = errFields
		return
	}
	copy(id, f.bytes)
}

// readEntries calls each for the entries of an Entries event, with the room they belong to.
func readEntries(content []byte, each func(room ident.RoomID, e entry) error) error {
	var room ident.RoomID
	// The room is the message's first field in every encoder's order; one that came late would leave it zero, which no
	// ledger has.
	f := fields{rest: content}
	for f.next() {
		switch f.number {
		case 1:
			copyID(&f, room[:])
		case 2:
			e, err := readEntry(room, f.bytes)
			if err != nil {
				return err
			}
			if err := each(room, e); err != nil {
				return err
			}
		}
	}
	return f.err
}
