package client_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
)

func archivedMessages() []client.Message {
	return []client.Message{
		{Seq: 5, Kind: client.Text, ID: ident.MessageID{1}, Account: ident.AccountID{2}, Device: ident.DeviceID{3}, At: time.UnixMilli(1767323045000), Text: "hello"},
		{Seq: 7, Kind: client.Notice, Text: "@alice added @bob"},
		{Seq: 9, Kind: client.Gap, Gap: "its signature does not verify"},
	}
}

// FuzzArchiveChunk: what is in a chunk never panics, and what decodes encodes to the same bytes again.
func FuzzArchiveChunk(f *testing.F) {
	whole, _ := client.BuildChunk(archivedMessages())
	f.Add(uint64(5), uint64(9), whole)
	f.Add(uint64(1), uint64(1), []byte{1, 0})
	f.Fuzz(func(t *testing.T, first, last uint64, b []byte) {
		if again, err := client.RecodeChunk(first, last, b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

// FuzzArchiveHead is the same for heads.
func FuzzArchiveHead(f *testing.F) {
	f.Add(uint64(1), []byte{1, 1, 0})
	room := append([]byte{1, 1, 1, 16}, make([]byte, 16)...)
	room = append(append(append(room, 0, 1, 2, 32), make([]byte, 32)...), 2, 1, 4, 3, 0)
	f.Add(uint64(3), room)
	f.Fuzz(func(t *testing.T, revision uint64, b []byte) {
		if again, err := client.RecodeArchiveHead(revision, b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

// TestArchiveChunkRefused: of a chunk nothing is taken that a device would not have written: places beyond what it covers,
// twice or backwards, kinds and texts that are none, times that cannot be shown.
func TestArchiveChunkRefused(t *testing.T) {
	whole, n := client.BuildChunk(archivedMessages())
	if _, err := client.RecodeChunk(5, 9, whole); err != nil || n != 3 {
		t.Fatalf("the chunk itself: %v", err)
	}
	changed := func(change func(m []client.Message)) []byte {
		messages := archivedMessages()
		change(messages)
		b, _ := client.BuildChunk(messages)
		return b
	}
	for _, row := range []struct {
		name        string
		first, last uint64
		b           []byte
	}{
		{"empty", 5, 9, nil},
		{"another version", 5, 9, append([]byte{2}, whole[1:]...)},
		{"cut short", 5, 9, whole[:len(whole)-1]},
		{"trailing", 5, 9, append(bytes.Clone(whole), 0)},
		{"before what it covers", 6, 9, whole},
		{"after what it covers", 5, 8, whole},
		{"one place twice", 5, 9, changed(func(m []client.Message) { m[1].Seq = 5 })},
		{"backwards", 5, 9, changed(func(m []client.Message) { m[1].Seq = 9; m[2].Seq = 8 })},
		{"no text", 5, 9, changed(func(m []client.Message) { m[0].Text = "" })},
		{"text that is none", 5, 9, changed(func(m []client.Message) { m[0].Text = "\xff" })},
		{"a time far away", 5, 9, changed(func(m []client.Message) { m[0].At = time.UnixMilli(1 << 60) })},
		{"too many", 5, 9, []byte{1, 0x81, 0x80, 0x80, 0x80, 0x10}},
	} {
		if _, err := client.RecodeChunk(row.first, row.last, row.b); err == nil {
			t.Errorf("%s: it was taken", row.name)
		}
	}
}

// TestArchiveChunkFull: a chunk takes the longest texts that there are, one at least, and no more than it holds.
func TestArchiveChunkFull(t *testing.T) {
	var messages []client.Message
	for i := range 1000 {
		messages = append(messages, client.Message{Seq: uint64(i + 1), Kind: client.Text, Text: strings.Repeat("ä", 16<<10)})
	}
	b, n := client.BuildChunk(messages)
	if n != 1 || len(b) > ident.MaxChunkContents {
		t.Errorf("%d long texts in %d bytes, want 1 in at most %d", n, len(b), ident.MaxChunkContents)
	}
	for i := range messages {
		messages[i].Text = "x"
	}
	if b, n = client.BuildChunk(messages); n != 512 || len(b) > ident.MaxChunkContents {
		t.Errorf("%d short texts in %d bytes, want 512", n, len(b))
	}
	long := []client.Message{{Seq: 1, Kind: client.Notice, Text: strings.Repeat("ä", 40<<10)}}
	if b, n = client.BuildChunk(long); n != 1 {
		t.Fatal("a notice that is too long keeps everything after it out")
	}
	if _, err := client.RecodeChunk(1, 1, b); err != nil {
		t.Errorf("a notice that was cut does not decode: %v", err)
	}
}
