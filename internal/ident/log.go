package ident

import (
	"crypto/sha256"
	"encoding/binary"
)

// LogEntry is what the head of a room's log covers of an entry: everything that
// the server states of it, and the hash of what it carries.
type LogEntry struct {
	Room      RoomID
	Seq       uint64 // 1 for the first entry, gapless
	Kind      uint8  // as the wire numbers them
	Sender    DeviceID
	Message   MessageID // as the sender calls it
	Epoch     uint64    // of the MLS group; 0 in an open room
	UnixMilli uint64    // when the server accepted it
	Payload   Hash      // PayloadHash of the payload
}

// logEntrySize: label 17, head 32, room 16, seq 8, kind 1, sender 16, message 16,
// epoch 8, time 8, payload hash 32.
const logEntrySize = len(labelLogEntry) + 32 + 16 + 8 + 1 + 16 + 16 + 8 + 8 + 32

// EmptyHead gives the head of a room's log before its first entry.
func EmptyHead(room RoomID) Hash {
	return sha256.Sum256(append([]byte(labelLog), room[:]...))
}

// PayloadHash hashes what an entry carries.
func PayloadHash(payload []byte) Hash {
	h := sha256.New()
	h.Write([]byte(labelPayload))
	h.Write(payload)
	var sum Hash
	h.Sum(sum[:0])
	return sum
}

// NextHead gives the head after e, from the head before it: SHA-256 over a label,
// the head before, and the fields of e in order, integers big-endian. Two devices
// that have the same head at the same seq have seen the same log.
func NextHead(prev Hash, e LogEntry) Hash {
	var array [logEntrySize]byte // on the stack: the server does this for every entry
	b := append(array[:0], labelLogEntry...)
	b = append(b, prev[:]...)
	b = append(b, e.Room[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = append(b, e.Kind)
	b = append(b, e.Sender[:]...)
	b = append(b, e.Message[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Epoch)
	b = binary.BigEndian.AppendUint64(b, e.UnixMilli)
	b = append(b, e.Payload[:]...)
	return sha256.Sum256(b)
}

// SignOpen signs an entry of an open room: 64 bytes. The server can read such an
// entry, but not write or move one: the signature covers the room, and the
// message id, which readers accept once per device. Where in the log an entry
// stands is the server's word, which NextHead holds it to.
func SignOpen(key DeviceKey, room RoomID, message MessageID, payload []byte) []byte {
	return key.Sign(labelOpenEntry, openTranscript(room, message, payload))
}

// VerifyOpen checks what SignOpen made, with the device's key from its account's
// chain. The error is ErrSignature.
func VerifyOpen(key PublicKey, room RoomID, message MessageID, payload, signature []byte) error {
	return key.Verify(labelOpenEntry, openTranscript(room, message, payload), signature)
}

func openTranscript(room RoomID, message MessageID, payload []byte) []byte {
	b := make([]byte, 0, 2*idSize+len(payload))
	b = append(b, room[:]...)
	b = append(b, message[:]...)
	return append(b, payload...)
}
