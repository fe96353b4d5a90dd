package testkit

import (
	"fmt"
	"slices"
	"sync/atomic"

	"snug/internal/ident"
	"snug/internal/server"
)

// archive reads an account's archive: its head, and the chunks of a room from the last one on.
func (f *fixture) archive(account ident.AccountID, room ident.RoomID) (revision uint64, head string, chunks []string) {
	f.Helper()
	revision, b, err := f.Archive(f.Context(), account)
	f.must(err)
	for before := uint32(1); ; before++ {
		var got []string
		f.must(f.ArchiveChunks(f.Context(), account, room, before, 100, func(chunk []byte) bool {
			got = append(got, string(chunk))
			return true
		}))
		if len(got) < int(before) {
			return revision, string(b), chunks
		}
		chunks = got
	}
}

// chunk is a change that appends one.
func chunk(by server.Device, before uint64, room ident.RoomID, index uint32, body string) server.ArchiveChange {
	return server.ArchiveChange{Account: by.Account, Device: by.ID, Before: before, Revision: before + 1,
		Head: fmt.Append(nil, "head ", before+1, " ", body), Room: room, Index: index, Chunk: []byte(body), Most: 100}
}

// testArchive: what is appended comes back from the last one on, to its account alone; what does not follow changes
// nothing; what is dropped is gone, and the room begins anew.
func testArchive(f *fixture) {
	ctx := f.Context()
	alice, bob := f.account(), f.account()
	tablet := f.device(alice.Account)
	garden, shed := f.room(alice, bob), f.room(alice)
	expect := func(what string, account ident.AccountID, room ident.RoomID, revision uint64, head string, chunks ...string) {
		f.Helper()
		gotRevision, gotHead, gotChunks := f.archive(account, room)
		if gotRevision != revision || gotHead != head || !slices.Equal(gotChunks, chunks) {
			f.Errorf("%s: got %d %q %q, want %d %q %q", what, gotRevision, gotHead, gotChunks, revision, head, chunks)
		}
	}
	expect("none yet", alice.Account, garden, 0, "")
	first := chunk(alice, 0, garden, 0, "one")
	f.must(f.ChangeArchive(ctx, first))
	f.must(f.ChangeArchive(ctx, first)) // again: the same outcome
	f.must(f.ChangeArchive(ctx, chunk(alice, 1, garden, 1, "two")))
	f.must(f.ChangeArchive(ctx, chunk(alice, 2, shed, 0, "other")))
	f.again()
	expect("the garden", alice.Account, garden, 3, "head 3 other", "two", "one")
	expect("the shed", alice.Account, shed, 3, "head 3 other", "other")
	expect("somebody else's", bob.Account, garden, 0, "")

	f.refused(conflict, f.ChangeArchive(ctx, first))
	f.refused(conflict, f.ChangeArchive(ctx, chunk(alice, 2, garden, 2, "late")))
	f.refused(conflict, f.ChangeArchive(ctx, chunk(alice, 3, garden, 1, "another two")))
	f.refused(conflict, f.ChangeArchive(ctx, chunk(alice, 3, garden, 3, "beyond")))
	f.refused(tooLarge, f.ChangeArchive(ctx, chunk(alice, 3, garden, 2, string(make([]byte, 90)))))
	f.refused(notFound, f.ChangeArchive(ctx, chunk(bob, 0, shed, 0, "a secret room")))
	f.refused(notFound, f.ChangeArchive(ctx, chunk(tablet, 3, garden, 2, "not in the room yet")))
	foreign := chunk(bob, 3, garden, 2, "another's archive")
	foreign.Account = alice.Account
	f.refused(notFound, f.ChangeArchive(ctx, foreign))
	expect("after refusals", alice.Account, garden, 3, "head 3 other", "two", "one")

	// A device reads its account's archive before it is in the room, and drops a room of which it knows the id.
	drop := server.ArchiveChange{Account: tablet.Account, Device: tablet.ID, Before: 3, Revision: 9, Head: []byte("head 9"), Drop: []ident.RoomID{garden}}
	f.must(f.ChangeArchive(ctx, drop))
	expect("dropped", alice.Account, garden, 9, "head 9")
	expect("beside it", alice.Account, shed, 9, "head 9", "other")
	f.must(f.ChangeArchive(ctx, chunk(alice, 9, garden, 0, "anew")))
	all := server.ArchiveChange{Account: alice.Account, Device: alice.ID, Before: 10, Revision: 11, Head: []byte("head 11"), DropAll: true}
	f.must(f.ChangeArchive(ctx, all))
	expect("all dropped", alice.Account, shed, 11, "head 11")
	f.revoke(tablet)
	f.refused(notFound, f.ChangeArchive(ctx, chunk(tablet, 11, garden, 0, "revoked")))
}

// testArchiveRace: of many devices that append at once, one does.
func testArchiveRace(f *fixture) {
	alice := f.account()
	room := f.room(alice)
	for revision := range uint64(3) {
		var won atomic.Int32
		together(8, func(i int) {
			if f.ChangeArchive(f.Context(), chunk(alice, revision, room, uint32(revision), fmt.Sprint("by ", i))) == nil {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			f.Fatalf("%d appended after revision %d, want 1", won.Load(), revision)
		}
	}
	if revision, _, chunks := f.archive(alice.Account, room); revision != 3 || len(chunks) != 3 {
		f.Errorf("revision %d with %d chunks, want 3 and 3", revision, len(chunks))
	}
}
