package ident_test

import (
	"bytes"
	"testing"

	"snug/internal/ident"
)

var archiveKey = must(ident.VaultKeyFromSecret(bytes.Repeat([]byte{0xb2}, 32)))

func archivePlace() ident.ArchivePlace {
	return ident.ArchivePlace{Account: ident.AccountID{1}, Room: ident.RoomID{2}, Index: 3}
}

// TestArchiveChunk: a chunk opens at its place and at no other, under its key and under no other, and not with a bit
// changed.
func TestArchiveChunk(t *testing.T) {
	c := ident.ArchiveChunk{Previous: ident.Hash{4}, First: 5, Last: 9, Contents: []byte("what was said")}
	sealed, err := ident.SealArchiveChunk(seeded("chunk"), archiveKey, archivePlace(), c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ident.OpenArchiveChunk(archiveKey, archivePlace(), sealed)
	if err != nil || got.Previous != c.Previous || got.First != c.First || got.Last != c.Last || !bytes.Equal(got.Contents, c.Contents) {
		t.Fatalf("got %+v, %v; want %+v", got, err, c)
	}
	if bytes.Contains(sealed, c.Contents) {
		t.Error("the contents lie open in the chunk")
	}
	for name, at := range map[string]ident.ArchivePlace{
		"another account's": {Account: ident.AccountID{9}, Room: ident.RoomID{2}, Index: 3},
		"another room's":    {Account: ident.AccountID{1}, Room: ident.RoomID{9}, Index: 3},
		"another index":     {Account: ident.AccountID{1}, Room: ident.RoomID{2}, Index: 2},
	} {
		if _, err := ident.OpenArchiveChunk(archiveKey, at, sealed); err != ident.ErrArchive {
			t.Errorf("%s: got %v, want ErrArchive", name, err)
		}
	}
	other := must(ident.VaultKeyFromSecret(bytes.Repeat([]byte{0xb3}, 32)))
	if _, err := ident.OpenArchiveChunk(other, archivePlace(), sealed); err != ident.ErrArchive {
		t.Errorf("another vault key: got %v, want ErrArchive", err)
	}
	for i := 0; i < len(sealed); i += 97 {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := ident.OpenArchiveChunk(archiveKey, archivePlace(), changed); err != ident.ErrArchive {
			t.Errorf("byte %d changed: got %v, want ErrArchive", i, err)
		}
	}
}

// TestArchiveHead: a head is of one account and one revision.
func TestArchiveHead(t *testing.T) {
	account := ident.AccountID{1}
	sealed, err := ident.SealArchiveHead(seeded("head"), archiveKey, account, 7, []byte("rooms"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ident.OpenArchiveHead(archiveKey, account, 7, sealed); err != nil || string(got) != "rooms" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := ident.OpenArchiveHead(archiveKey, account, 8, sealed); err != ident.ErrArchive {
		t.Errorf("as another revision: got %v, want ErrArchive", err)
	}
	if _, err := ident.OpenArchiveHead(archiveKey, ident.AccountID{2}, 7, sealed); err != ident.ErrArchive {
		t.Errorf("as another account's: got %v, want ErrArchive", err)
	}
	if _, err := ident.OpenArchiveChunk(archiveKey, archivePlace(), sealed); err != ident.ErrArchive {
		t.Errorf("as a chunk: got %v, want ErrArchive", err)
	}
	if _, err := ident.SealArchiveHead(seeded("head"), archiveKey, account, 0, nil); err == nil {
		t.Error("revision 0 was sealed")
	}
}

// TestArchiveSizes: what is sealed has few sizes, whatever is in it, and a text that would compress well the same as one
// that would not.
func TestArchiveSizes(t *testing.T) {
	const overhead = 1 + 12 + 16
	for _, c := range []struct{ contents, want int }{
		{0, 2048}, {1, 2048}, {1996, 2048}, {1997, 4096}, {20_000, 32768}, {ident.MaxChunkContents, 65536},
	} {
		for name, contents := range map[string][]byte{"zeros": make([]byte, c.contents), "noise": noise(c.contents)} {
			sealed, err := ident.SealArchiveChunk(seeded("chunk"), archiveKey, archivePlace(), ident.ArchiveChunk{First: 1, Last: 1, Contents: contents})
			if err != nil || len(sealed) != c.want+overhead {
				t.Errorf("%d bytes of %s: sealed in %d (%v), want %d", c.contents, name, len(sealed), err, c.want+overhead)
			}
			if opened, err := ident.OpenArchiveChunk(archiveKey, archivePlace(), sealed); err != nil || !bytes.Equal(opened.Contents, contents) {
				t.Errorf("%d bytes of %s do not come back: %v", c.contents, name, err)
			}
		}
	}
	for name, c := range map[string]ident.ArchiveChunk{
		"too much":  {First: 1, Last: 1, Contents: make([]byte, ident.MaxChunkContents+1)},
		"backwards": {First: 2, Last: 1},
		"from zero": {First: 0, Last: 1},
	} {
		if _, err := ident.SealArchiveChunk(seeded("chunk"), archiveKey, archivePlace(), c); err == nil {
			t.Errorf("%s: it was sealed", name)
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	seeded("noise").Read(b)
	return b
}

func FuzzOpenArchive(f *testing.F) {
	sealed, err := ident.SealArchiveChunk(seeded("chunk"), archiveKey, archivePlace(), ident.ArchiveChunk{First: 1, Last: 2, Contents: []byte("x")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ident.OpenArchiveChunk(archiveKey, archivePlace(), b); err == nil && !bytes.Equal(b, sealed) {
			t.Errorf("%x opens, and nobody has sealed it", b)
		}
		if _, err := ident.OpenArchiveHead(archiveKey, ident.AccountID{1}, 7, b); err == nil {
			t.Errorf("%x opens as a head", b)
		}
	})
}
