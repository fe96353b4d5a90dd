package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// TestFrames reads by hand what the generated types have written, and the reverse.
func TestFrames(t *testing.T) {
	room := ident.RoomID{1, 2, 3}
	id := func(b byte) []byte { return bytes.Repeat([]byte{b}, 16) }
	head := bytes.Repeat([]byte{9}, 32)
	frame := wire.ServerFrame{Body: &wire.ServerFrame_Entries{Entries: &wire.Entries{Room: room[:], Entries: []*wire.Entry{
		{Seq: 1, Kind: 2, Device: id(4), Account: id(5), Id: id(6), At: 1 << 40, Payload: make([]byte, 300), Head: head},
		{Seq: 1 << 50, Kind: 1, Device: id(7), Account: id(8), Id: id(9), Epoch: 3, At: 2, Payload: []byte{1}, Head: head},
	}}}}
	b, err := frame.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	a, err := readAnswer(b)
	if err != nil || a.id != 0 || a.body != fieldFrameEntries {
		t.Fatalf("got %+v and %v, want an Entries event", a, err)
	}
	var got []entry
	if err := readEntries(a.content, func(_ ident.RoomID, e entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []ident.LogEntry{
		{Room: room, Seq: 1, Kind: 2, Sender: [16]byte(id(4)), Message: [16]byte(id(6)), UnixMilli: 1 << 40},
		{Room: room, Seq: 1 << 50, Kind: 1, Sender: [16]byte(id(7)), Message: [16]byte(id(9)), Epoch: 3, UnixMilli: 2},
	}
	if len(got) != 2 || got[0].log != want[0] || got[1].log != want[1] || len(got[0].payload) != 300 || got[1].head != ident.Hash(head) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestAckAndError(t *testing.T) {
	for _, row := range []struct {
		name  string
		frame wire.ServerFrame
		err   string
	}{
		{"ack", wire.ServerFrame{Id: 300, Body: &wire.ServerFrame_Ack{Ack: &wire.Ack{Seq: 7, Head: make([]byte, 32), At: 1}}}, ""},
		{"error", wire.ServerFrame{Id: 300, Body: &wire.ServerFrame_Error{Error: &wire.Error{
			Code: wire.ErrorCode_ERROR_CODE_EPOCH, Message: "too late",
		}}}, "server: too late (ERROR_CODE_EPOCH)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, err := row.frame.MarshalVT()
			if err != nil {
				t.Fatal(err)
			}
			a, err := readAnswer(b)
			if row.err != "" {
				if err == nil || err.Error() != row.err {
					t.Fatalf("got %v, want %s", err, row.err)
				}
				return
			}
			if err != nil || a.id != 300 || a.body != fieldFrameAck {
				t.Fatalf("got %+v and %v", a, err)
			}
			if got, err := readAck(a.content); err != nil || got.seq != 7 {
				t.Fatalf("got %+v and %v, want seq 7", got, err)
			}
		})
	}
}

// TestDraft decodes what a sender sends.
func TestDraft(t *testing.T) {
	r := &room{id: ident.RoomID{7}}
	d, err := newDraft(r, 5, bytes.Repeat([]byte{3}, 300-stampSize))
	if err != nil {
		t.Fatal(err)
	}
	var ids messageIDs
	ids.put(d.id)
	want := stamp{sent: 123, number: 456}
	want.put(d.payload)
	const header = 2 + 2 + 4 // for messages of 126 bytes to 64 KiB, with a mask key
	if length := int(binary.BigEndian.Uint16(d.bytes[2:])); length != len(d.bytes)-header {
		t.Fatalf("the header says %d bytes, want %d", length, len(d.bytes)-header)
	}
	var frame wire.ClientFrame
	if err := frame.UnmarshalVT(d.bytes[header:]); err != nil {
		t.Fatal(err)
	}
	got := frame.GetSubmit()
	if frame.Id != 5 || !bytes.Equal(got.Room, r.id[:]) || got.Epoch != sealedEpoch || len(got.Payload) != 300 ||
		readStamp(got.Payload) != want || !bytes.Equal(got.Id, d.id) || bytes.Equal(got.Id, make([]byte, 16)) {
		t.Fatalf("got %+v", got)
	}
}

// TestSocket reads messages of all lengths in pieces of all sizes.
func TestSocket(t *testing.T) {
	lengths := []int{0, 1, 125, 126, 127, 4000, 65535, 65536, 200_000, 5}
	for _, piece := range []int{1, 7, 1000, 1 << 20} {
		ours, theirs := net.Pipe()
		s := &socket{conn: ours, in: make([]byte, 16)}
		go func() {
			var all []byte
			for _, n := range lengths {
				all = append(all, unmasked(bytes.Repeat([]byte{byte(n)}, n))...)
			}
			for len(all) > 0 {
				n := min(piece, len(all))
				theirs.Write(all[:n])
				all = all[n:]
			}
			theirs.Close()
		}()
		for _, n := range lengths {
			got, err := s.next()
			if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(n)}, n)) {
				t.Fatalf("pieces of %d: got %d bytes and %v, want %d", piece, len(got), err, n)
			}
		}
		if _, err := s.next(); err != io.EOF {
			t.Fatalf("pieces of %d: got %v at the end", piece, err)
		}
		ours.Close()
	}
}

// unmasked puts a message into a server's frame.
func unmasked(message []byte) []byte {
	b := appendMessage(nil, message)
	header := len(b) - len(message)
	b[1] &^= masked
	return append(b[:header-4:header-4], message...)
}

// FuzzFields never panics, whatever a server sends.
func FuzzFields(f *testing.F) {
	f.Add([]byte{0x08, 0x01})
	f.Add([]byte{0x12, 0x05, 0x01})
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(_ *testing.T, b []byte) {
		readAnswer(b)
		readAck(b)
		readEntries(b, func(ident.RoomID, entry) error { return nil })
		frameLength(b)
	})
}

// TestHistogram holds quantiles to the truth within a bucket.
func TestHistogram(t *testing.T) {
	var h, other histogram
	for i := range 100_000 {
		one := &h
		if i%2 == 0 {
			one = &other
		}
		one.add(time.Duration(i+1) * time.Microsecond)
	}
	h.merge(&other)
	for _, row := range []struct{ q, want float64 }{{0, 1}, {0.5, 50_000}, {0.9, 90_000}, {0.999, 99_900}, {1, 100_000}} {
		got := float64(h.quantile(row.q).Microseconds())
		if got < row.want*0.999 || got > row.want*1.033 {
			t.Errorf("quantile %v: got %v µs, want %v", row.q, got, row.want)
		}
	}
	if h.count != 100_000 || h.max != 100*time.Millisecond {
		t.Errorf("got %d and %v", h.count, h.max)
	}
	for d := time.Duration(0); d < time.Hour; d += d/7 + 1 {
		if i := bucketOf(d); bucketEnd(i) < d || i > 0 && bucketEnd(i-1) >= d {
			t.Fatalf("%v lies in bucket %d that ends with %v", d, i, bucketEnd(i))
		}
	}
}

// TestMessageIDs looks for repetitions.
func TestMessageIDs(t *testing.T) {
	seen := make(map[ident.MessageID]bool)
	var start [8]byte
	if _, err := rand.Read(start[:]); err != nil {
		t.Fatal(err)
	}
	ids := messageIDs{binary.LittleEndian.Uint64(start[:])}
	for range 10_000 {
		var id ident.MessageID
		ids.put(id[:])
		if seen[id] {
			t.Fatal("an id came twice")
		}
		seen[id] = true
	}
}
