package sqlite_test

import (
	"bytes"
	"errors"
	"testing"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// quota is so small that tests reach it, and so large that what is not written down of it counts for little.
const quota = 1 << 20

// tenant is a device on a store with a quota.
type tenant struct {
	*testing.T
	store **sqlite.Store
	server.Device
	room  ident.RoomID
	epoch uint64
}

func openQuota(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Config{Rand: ident.Random(), Quota: quota})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newTenant(t *testing.T, store **sqlite.Store, handle string) *tenant {
	t.Helper()
	n := testkit.NewAccount(t, handle)
	if _, err := (*store).CreateAccount(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	room, err := ident.NewRoomID(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	_, err = (*store).CreateRoom(t.Context(), server.NewRoom{ID: room, Kind: wire.RoomKind_ROOM_KIND_SEALED, By: n.Device.ID, At: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &tenant{T: t, store: store, Device: n.Device, room: room}
}

// submit appends to the tenant's room; with a commit it is one.
func (n *tenant) submit(size int, c *server.Commit) error {
	n.Helper()
	id, err := ident.NewMessageID(ident.Random())
	if err != nil {
		n.Fatal(err)
	}
	done := make(chan struct{})
	s := &server.Submission{Room: n.room, Device: n.ID, Account: n.Account, ID: id, Kind: wire.EntryKind_ENTRY_KIND_SEALED, Epoch: n.epoch,
		Payload: make([]byte, size), At: 5000, Commit: c, Done: func(*server.Submission) { close(done) }}
	if c != nil {
		s.Kind = wire.EntryKind_ENTRY_KIND_COMMIT
	}
	(*n.store).Submit(s)
	<-done
	if s.Err == nil && c != nil {
		n.epoch++
	}
	return s.Err
}

// fill says what it may, and gives in how many bytes.
func (n *tenant) fill() (said int) {
	n.Helper()
	for size := 32 << 10; size > 0; {
		switch err := n.submit(size, nil); {
		case err == nil:
			said += size
		case errors.Is(err, server.ErrQuota):
			size /= 2
		default:
			n.Fatal(err)
		}
		if said > 2*quota {
			n.Fatalf("%d bytes were taken of an account that may store %d", said, quota)
		}
	}
	return said
}

func (n *tenant) wantFull(what string, err error) {
	n.Helper()
	if !errors.Is(err, server.ErrQuota) {
		n.Errorf("%s: %v, want what says that the account is full", what, err)
	}
}

// TestQuota: an account stores so much and no more, is told so, and changes nothing then; others go on, and so do its rooms.
func TestQuota(t *testing.T) {
	dir := t.TempDir()
	store := openQuota(t, dir)
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	mallory, alice := newTenant(t, &store, "mallory"), newTenant(t, &store, "alice")
	if said := mallory.fill(); said < quota*9/10 || said > quota {
		t.Errorf("%d bytes were taken, want up to %d", said, quota)
	}
	before, err := store.Room(t.Context(), mallory.room, mallory.ID)
	if err != nil {
		t.Fatal(err)
	}
	mallory.wantFull("a message", mallory.submit(100, nil))
	letIn := &server.Commit{Added: []server.DeviceRef{{Account: alice.Account, Device: alice.ID}}, Welcome: make([]byte, 1000)}
	mallory.wantFull("letting somebody in", mallory.submit(100, letIn))
	_, err = store.PutKeyPackages(t.Context(), mallory.ID, server.KeyPackages{OneTime: [][]byte{make([]byte, 1000)}})
	mallory.wantFull("a key package", err)
	if left, err := store.RemainingKeyPackages(t.Context(), mallory.ID); left != 0 || err != nil {
		t.Errorf("%d key packages are there, %v", left, err)
	}
	archive := server.ArchiveChange{Account: mallory.Account, Device: mallory.ID, Revision: 1, Head: make([]byte, 1000), Most: quota}
	mallory.wantFull("an archive", store.ChangeArchive(t.Context(), archive))
	if after, err := store.Room(t.Context(), mallory.room, mallory.ID); err != nil || after.Seq != before.Seq || after.Epoch != before.Epoch || after.Members != 1 {
		t.Errorf("the room became %+v, %v, want %+v", after, err, before)
	}
	// The keys of its rooms are renewed for some time more, which has its end too.
	if err := mallory.submit(100, &server.Commit{}); err != nil {
		t.Errorf("renewing keys: %v", err)
	}
	mallory.wantFull("a very large renewal", mallory.submit(quota/4, &server.Commit{}))

	if err := alice.submit(1000, nil); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openQuota(t, dir)
	mallory.wantFull("after a start", mallory.submit(1000, nil))
}

// TestQuotaFreed: what is deleted is not counted any more.
func TestQuotaFreed(t *testing.T) {
	store := openQuota(t, t.TempDir())
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	alice, bob := newTenant(t, &store, "alice"), newTenant(t, &store, "bob")
	large := make([]byte, quota/2)
	for i := range uint64(4) {
		change := server.ArchiveChange{Account: alice.Account, Device: alice.ID, Before: 2 * i, Revision: 2*i + 1, Head: []byte("head"),
			Room: alice.room, Chunk: large, Most: 2 * quota}
		drop := server.ArchiveChange{Account: alice.Account, Device: alice.ID, Before: 2*i + 1, Revision: 2*i + 2, Head: []byte("head"), DropAll: i%2 == 0}
		if !drop.DropAll {
			drop.Drop = []ident.RoomID{alice.room}
		}
		if err := errors.Join(store.ChangeArchive(t.Context(), change), store.ChangeArchive(t.Context(), drop)); err != nil {
			t.Fatalf("archive %d: %v", i, err)
		}
		if _, err := store.PutKeyPackages(t.Context(), alice.ID, server.KeyPackages{Replace: true, OneTime: [][]byte{large}}); err != nil {
			t.Fatalf("key packages %d: %v", i, err)
		}
		if claimed, err := store.ClaimKeyPackages(t.Context(), nil, []ident.DeviceID{alice.ID}, 1); err != nil || len(claimed) != 1 || !bytes.Equal(claimed[0].Bytes, large) {
			t.Fatalf("claiming: %d, %v", len(claimed), err)
		}
		refs := []server.DeviceRef{{Account: bob.Account, Device: bob.ID}}
		if err := alice.submit(100, &server.Commit{Added: refs, Welcome: large}); err != nil {
			t.Fatalf("letting in, time %d: %v", i, err)
		}
		welcomes, err := store.Welcomes(t.Context(), bob.ID, 0, 10)
		if err != nil || len(welcomes) != 1 {
			t.Fatalf("%d welcomes, %v", len(welcomes), err)
		}
		if err := store.TakeWelcome(t.Context(), bob.ID, alice.room, welcomes[0].Seq); err != nil {
			t.Fatal(err)
		}
		if err := alice.submit(100, &server.Commit{Removed: refs}); err != nil {
			t.Fatalf("letting go: %v", err)
		}
	}
	if said := alice.fill(); said < quota*9/10 {
		t.Errorf("%d bytes were taken afterwards, want nearly %d", said, quota)
	}
}
