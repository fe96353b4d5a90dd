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
	recovering := append([]byte{2, 1, 1, 16}, make([]byte, 16)...)
	recovering = append(append(append(recovering, 0, 0, 0, 32), make([]byte, 32)...), 0, 1, 1, 'n', 1, 't', 2, 2, 3, 1)
	if _, err := client.RecodeArchiveHead(3, recovering); err != nil {
		f.Fatalf("a head with recovery data: %v", err)
	}
	f.Add(uint64(3), recovering)
	f.Fuzz(func(t *testing.T, revision uint64, b []byte) {
		if again, err := client.RecodeArchiveHead(revision, b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

// TestRecoveryRefused: of recovery data nothing is taken that no room could have, and nothing twice over.
func TestRecoveryRefused(t *testing.T) {
	head := func(version byte, recovery ...byte) []byte {
		b := append([]byte{version, 1, 1, 16}, make([]byte, 16)...)
		return append(append(append(b, 0, 0, 0, 32), append(make([]byte, 32), 0)...), recovery...)
	}
	long := append([]byte{1, 65}, bytes.Repeat([]byte{'n'}, 65)...)
	for _, row := range []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"as it is", head(2, 1, 1, 'n', 1, 't', 2, 2, 3, 1), true},
		{"none, in a head that has some", head(2, 0), false},
		{"in a head of before", head(1, 1, 1, 'n', 1, 't', 2, 2, 3, 1), false},
		{"a name that is no text", head(2, 1, 1, 0xff, 0, 2, 2, 3, 0), false},
		{"a name that is too long", head(2, append(long, 0, 2, 2, 3, 0)...), false},
		{"readers who add", head(2, 1, 1, 'n', 0, 4, 2, 3, 0), false},
		{"a role that is none", head(2, 1, 1, 'n', 0, 2, 0, 3, 0), false},
		{"more statements than a chain has", head(2, 1, 1, 'n', 0, 2, 2, 0x81, 8, 0), false},
		{"cut short", head(2, 1, 1, 'n', 1, 't', 2, 2, 3), false},
		{"trailing", head(2, 1, 1, 'n', 1, 't', 2, 2, 3, 1, 0), false},
	} {
		if _, err := client.RecodeArchiveHead(3, row.b); (err == nil) != row.ok {
			t.Errorf("%s: got %v, want taken=%v", row.name, err, row.ok)
		}
	}
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
