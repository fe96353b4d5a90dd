package server_test

import (
	"bytes"
	"fmt"
	"testing"

	"snug/internal/ident"
	"snug/internal/wire"
)

const (
	notFound  = wire.ErrorCode_ERROR_CODE_NOT_FOUND
	forbidden = wire.ErrorCode_ERROR_CODE_FORBIDDEN
	conflict  = wire.ErrorCode_ERROR_CODE_CONFLICT
	bad       = wire.ErrorCode_ERROR_CODE_BAD_REQUEST
	epochs    = wire.ErrorCode_ERROR_CODE_EPOCH
	tooLarge  = wire.ErrorCode_ERROR_CODE_TOO_LARGE
	noAuth    = wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED
)

// TestConversation is the whole way once: two accounts, a room, entries both ways.
func TestConversation(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.room()
	ack := alice.acked(alice.commit(room, 0, []*wire.DeviceRef{bob.ref()}, nil))
	if ack.Seq != 1 {
		t.Fatalf("first entry has seq %d, want 1", ack.Seq)
	}
	w := bob.event("the welcome", func(f *wire.ServerFrame) bool { return f.GetWelcome() != nil }).GetWelcome()
	if w.Seq != 1 || !bytes.Equal(w.Head, ack.Head) || string(w.Welcome) != "welcome" || !bytes.Equal(w.Device, alice.device.ID[:]) {
		t.Fatalf("welcome is %v", w)
	}
	for _, p := range []*peer{alice, bob} {
		if reply := p.ask(follow(room, 0)); reply.GetDone() == nil {
			t.Fatalf("follow is answered with %v", reply)
		}
	}
	for i := range 20 {
		alice.acked(sealed(room, 1, fmt.Sprintf("a%d", i)))
		bob.acked(sealed(room, 1, fmt.Sprintf("b%d", i)))
	}
	hers, his := alice.entries(room, 41), bob.entries(room, 41)
	head := ident.EmptyHead(room)
	for i, e := range hers {
		if !e.EqualVT(his[i]) {
			t.Fatalf("entry %d differs: %v and %v", i, e, his[i])
		}
		head = checkEntry(t, room, head, uint64(i+1), e)
	}
}

// checkEntry checks an entry's place and head, and gives the head after it.
func checkEntry(t testing.TB, room ident.RoomID, head ident.Hash, seq uint64, e *wire.Entry) ident.Hash {
	t.Helper()
	next := ident.NextHead(head, ident.LogEntry{
		Room: room, Seq: seq, Kind: uint8(e.Kind), Sender: ident.DeviceID(e.Device), Message: ident.MessageID(e.Id),
		Epoch: e.Epoch, UnixMilli: uint64(e.At), Payload: ident.PayloadHash(e.Payload),
	})
	if e.Seq != seq || !bytes.Equal(e.Head, next[:]) {
		t.Fatalf("entry has seq %d and head %x, want %d and %v", e.Seq, e.Head, seq, next)
	}
	return next
}
