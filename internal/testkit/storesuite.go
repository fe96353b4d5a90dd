package testkit

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// The codes that the suite asks for, by their short names.
const (
	badRequest    = wire.ErrorCode_ERROR_CODE_BAD_REQUEST
	conflict      = wire.ErrorCode_ERROR_CODE_CONFLICT
	epochMismatch = wire.ErrorCode_ERROR_CODE_EPOCH
	forbidden     = wire.ErrorCode_ERROR_CODE_FORBIDDEN
	handleTaken   = wire.ErrorCode_ERROR_CODE_HANDLE_TAKEN
	inviteInvalid = wire.ErrorCode_ERROR_CODE_INVITE_INVALID
	tooLarge      = wire.ErrorCode_ERROR_CODE_TOO_LARGE
	noAuth        = wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED
	notFound      = wire.ErrorCode_ERROR_CODE_NOT_FOUND

	sealedRoom = wire.RoomKind_ROOM_KIND_SEALED
	openRoom   = wire.RoomKind_ROOM_KIND_OPEN

	sealedEntry   = wire.EntryKind_ENTRY_KIND_SEALED
	commitEntry   = wire.EntryKind_ENTRY_KIND_COMMIT
	proposalEntry = wire.EntryKind_ENTRY_KIND_PROPOSAL
	openEntry     = wire.EntryKind_ENTRY_KIND_OPEN
	rejectEntry   = wire.EntryKind_ENTRY_KIND_REJECT
	restartEntry  = wire.EntryKind_ENTRY_KIND_RESTART
)

// StoreSuite runs the contract of server.Store. open gives an empty store each
// time, which the suite closes; reopen closes a store and opens what it has kept.
func StoreSuite(t *testing.T, open func(t *testing.T) server.Store, reopen func(t *testing.T, s server.Store) server.Store) {
	for _, c := range []struct {
		name string
		test func(*fixture)
	}{
		{"accounts", testAccounts},
		{"invites", testInvites},
		{"change of passphrase", testChangePassphrase},
		{"devices", testDevices},
		{"revoked devices", testRevokedChanges},
		{"key packages", testKeyPackages},
		{"rooms", testRooms},
		{"open rooms", testOpenRooms},
		{"pairs", testPairs},
		{"pages of rooms", testRoomPages},
		{"the log", testLog},
		{"idempotence", testIdempotence},
		{"epochs", testEpochs},
		{"epoch race", testEpochRace},
		{"envelopes", testEnvelopes},
		{"boundaries of a removed device", testRemoved},
		{"replaced commits", testReplacing},
		{"commits that stay", testIrreplaceable},
		{"replaced reboots", testReplacedReboot},
		{"reboots from outside", testRebootFromOutside},
		{"second reboots", testSecondReboot},
		{"restarting", testRestarting},
		{"restarts objected to", testRestartObjected},
		{"restarts refused", testRestartRefused},
		{"strangers", testStrangers},
		{"rooms of strangers", testAdmissions},
		{"rooms of strangers, again", testAdmissionsAgain},
		{"rooms of strangers, undone", testAdmissionsUndone},
		{"rooms of known people", testAdmissionsKnown},
		{"welcomes", testWelcomes},
		{"many welcomes", testManyWelcomes},
		{"fetch", testFetch},
		{"order of one submitter", testOrder},
		{"peers", testPeers},
		{"archive", testArchive},
		{"archive race", testArchiveRace},
		{"model", testModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture{T: t, Store: open(t), reopen: reopen}
			defer func() {
				if err := f.Store.Close(); err != nil {
					t.Errorf("closing: %v", err)
				}
			}()
			c.test(f)
		})
	}
}

// fixture is one test's store.
type fixture struct {
	*testing.T
	server.Store
	reopen  func(*testing.T, server.Store) server.Store
	handles int
}

// again closes the store and opens it anew: what was promised must still be there.
func (f *fixture) again() { f.Store = f.reopen(f.T, f.Store) }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refused fails unless err is a refusal with this code.
func (f *fixture) refused(code wire.ErrorCode, err error) {
	f.Helper()
	if !errors.Is(err, server.Refuse(code, "")) {
		f.Fatalf("got %v, want a refusal with %v", err, code)
	}
}

// NewAccount makes an account as the server would hand it to a store.
func NewAccount(t testing.TB, handle string) server.NewAccount {
	t.Helper()
	key, err := ident.NewDeviceKey(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	identity, chain, err := ident.NewAccount(ident.Random(), ident.Handle(handle), time.Unix(1_800_000_000, 0))
	if err == nil {
		err = chain.Append(identity, ident.Enrol{Key: key.Public(), Name: "test"}, time.Unix(1_800_000_000, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	n := server.NewAccount{At: 1000}
	n.Account = server.Account{
		ID: chain.Account(), Handle: handle, Chain: chain.Marshal(), Vault: []byte("vault of " + handle), Salt: make([]byte, 16),
		Argon2: server.Argon2{MemoryKiB: 65536, Passes: 3, Lanes: 1}, Auth: []byte("auth of " + handle),
	}
	n.Device = server.Device{ID: chain.Devices()[0].ID, Key: key.Public(), Account: n.ID, Handle: handle}
	return n
}

// account makes one with a device.
func (f *fixture) account() server.Device {
	f.Helper()
	f.handles++
	n := NewAccount(f.T, fmt.Sprintf("person-%d", f.handles))
	_, err := f.CreateAccount(f.Context(), n)
	f.must(err)
	return n.Device
}

// device adds one to an account, with a chain that is not looked at here.
func (f *fixture) device(account ident.AccountID) server.Device {
	f.Helper()
	key, err := ident.NewDeviceKey(ident.Random())
	f.must(err)
	a, err := f.Account(f.Context(), account)
	f.must(err)
	d := server.Device{ID: ident.NewDeviceID(account, key.Public()), Key: key.Public(), Account: account, Handle: a.Handle}
	change := server.ChainChange{Account: account, Before: a.Chain, After: append(slices.Clone(a.Chain), 'x'), At: 2000}
	f.must(f.Enrol(f.Context(), change, d, server.KeyPackages{}))
	return d
}

func (f *fixture) revoke(d server.Device) {
	f.Helper()
	a, err := f.Account(f.Context(), d.Account)
	f.must(err)
	change := server.ChainChange{Account: d.Account, Before: a.Chain, After: append(slices.Clone(a.Chain), 'r'), At: 3000}
	f.must(f.Revoke(f.Context(), change, d.ID))
}

func (f *fixture) roomID() ident.RoomID {
	f.Helper()
	id, err := ident.NewRoomID(ident.Random())
	f.must(err)
	return id
}

// room makes a sealed room with these devices in it; with more than one the next
// epoch is 1.
func (f *fixture) room(by server.Device, others ...server.Device) ident.RoomID {
	f.Helper()
	id := f.roomID()
	_, err := f.CreateRoom(f.Context(), server.NewRoom{ID: id, Kind: sealedRoom, By: by.ID, At: 1})
	f.must(err)
	if len(others) > 0 {
		f.appended(f.commit(id, by, 0, others, nil))
	}
	return id
}

func (f *fixture) entry(room ident.RoomID, by server.Device, kind wire.EntryKind, epoch uint64, payload string) *server.Submission {
	f.Helper()
	id, err := ident.NewMessageID(ident.Random())
	f.must(err)
	return &server.Submission{
		Room: room, Device: by.ID, Account: by.Account, ID: id, Kind: kind, Epoch: epoch, Payload: []byte(payload),
		PayloadHash: ident.PayloadHash([]byte(payload)), At: 5000,
	}
}

func (f *fixture) commit(room ident.RoomID, by server.Device, epoch uint64, added, removed []server.Device) *server.Submission {
	f.Helper()
	s := f.entry(room, by, commitEntry, epoch, "commit")
	s.Commit = &server.Commit{Welcome: []byte("welcome"), Hash: ident.PayloadHash(fmt.Append(nil, added, removed))}
	for _, d := range added {
		s.Commit.Added = append(s.Commit.Added, server.DeviceRef{Account: d.Account, Device: d.ID})
	}
	for _, d := range removed {
		s.Commit.Removed = append(s.Commit.Removed, server.DeviceRef{Account: d.Account, Device: d.ID})
	}
	return s
}

// submit waits for the outcome.
func (f *fixture) submit(s *server.Submission) *server.Submission {
	done := make(chan struct{})
	s.Done = func(*server.Submission) { close(done) }
	f.Submit(s)
	<-done
	return s
}

// appended is submit for what must succeed.
func (f *fixture) appended(s *server.Submission) *server.Submission {
	f.Helper()
	f.must(f.submit(s).Err)
	return s
}

// again gives a submission with the same request as s.
func again(s *server.Submission) *server.Submission {
	return &server.Submission{
		Room: s.Room, Device: s.Device, Account: s.Account, ID: s.ID, Kind: s.Kind, Epoch: s.Epoch, Payload: s.Payload,
		PayloadHash: s.PayloadHash, At: s.At + 1, Commit: s.Commit, Reject: s.Reject, Restart: s.Restart,
	}
}

// log reads all that a device may read.
func (f *fixture) log(room ident.RoomID, by server.Device) []*wire.Entry {
	f.Helper()
	var list []*wire.Entry
	_, err := f.Fetch(f.Context(), server.Fetch{Room: room, Device: by.ID, Limit: 1 << 20}, func(e *wire.Entry) bool {
		list = append(list, e)
		return true
	})
	f.must(err)
	return list
}

// CheckLog fails unless entries are a whole log: gapless from 1, with their heads.
func CheckLog(t testing.TB, room ident.RoomID, entries []*wire.Entry) {
	t.Helper()
	head := ident.EmptyHead(room)
	for i, e := range entries {
		head = ident.NextHead(head, ident.LogEntry{
			Room: room, Seq: uint64(i + 1), Kind: uint8(e.Kind), Sender: ident.DeviceID(e.Device), Message: ident.MessageID(e.Id),
			Epoch: e.Epoch, UnixMilli: uint64(e.At), Payload: ident.PayloadHash(e.Payload),
		})
		if e.Seq != uint64(i+1) || ident.Hash(e.Head) != head {
			t.Fatalf("entry %d has seq %d and head %x, want head %v", i, e.Seq, e.Head, head)
		}
	}
}

// together runs n functions at once and waits for all.
func together(n int, work func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { work(i) })
	}
	wg.Wait()
}
