package testkit

import (
	"fmt"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// reject says that a device cannot take a commit.
func (f *fixture) reject(room ident.RoomID, by server.Device, c *server.Submission) *server.Submission {
	f.Helper()
	s := f.entry(room, by, rejectEntry, 0, "reject")
	s.Reject = &server.Replaced{Seq: c.Seq, Head: c.Head}
	return s
}

// reboot replaces a commit by one of the epoch before it.
func (f *fixture) reboot(room ident.RoomID, by server.Device, c *server.Submission, removed ...server.Device) *server.Submission {
	f.Helper()
	s := f.commit(room, by, c.Epoch, nil, removed)
	s.Commit.Replaces = &server.Replaced{Seq: c.Seq, Head: c.Head}
	return s
}

// testReplacing: a commit that a device has rejected is replaced, with all that it did, and the room goes on.
func testReplacing(f *fixture) {
	ctx := f.Context()
	alice, bob, mallory, eve := f.account(), f.account(), f.account(), f.account()
	room := f.room(alice, bob, mallory) // seq 1
	// Mallory's commits lock bob out and let eve in.
	first := f.appended(f.commit(room, mallory, 1, []server.Device{eve}, []server.Device{bob}))
	second := f.appended(f.commit(room, mallory, 2, nil, []server.Device{alice}))
	f.again()
	f.refused(forbidden, f.submit(f.entry(room, bob, sealedEntry, 3, "locked out")).Err)
	f.appended(f.reject(room, bob, first))
	r := f.appended(f.reject(room, alice, first))
	f.again()
	slower := f.reboot(room, bob, first, mallory)
	reboot := f.appended(f.reboot(room, alice, first, mallory))
	f.refused(conflict, f.submit(slower).Err) // of two at once, one wins
	f.again()
	for _, s := range []*server.Submission{r, reboot} {
		if repeated := f.appended(again(s)); repeated.Seq != s.Seq || !repeated.Repeated {
			f.Errorf("again it is %+v, want the outcome of %+v", repeated, s)
		}
	}
	for device, want := range map[server.Device]server.Access{
		alice:   {Since: 0, Until: server.NoEnd},
		bob:     {Since: 1, Until: server.NoEnd},
		mallory: {Since: 1, Until: reboot.Seq},
		eve:     {Since: first.Seq, Until: reboot.Seq},
	} {
		a, err := f.Access(ctx, room, device.ID)
		if f.must(err); a.Since != want.Since || a.Until != want.Until {
			f.Errorf("%s has access from %d to %d, want %d to %d", device.Handle, a.Since, a.Until, want.Since, want.Until)
		}
	}
	if w, err := f.welcomes(eve); err != nil || len(w) != 0 {
		f.Errorf("eve has %d welcomes, %v, want none", len(w), err)
	}
	if seen, err := f.Room(ctx, room, bob.ID); err != nil || seen.Epoch != 2 || seen.Members != 2 {
		f.Errorf("bob sees %+v, %v, want epoch 2 and two members", seen, err)
	}
	f.appended(f.commit(room, bob, 2, nil, nil))
	f.refused(conflict, f.submit(f.reject(room, alice, second)).Err)
	f.appended(f.entry(room, alice, sealedEntry, 3, "on we go"))
	CheckLog(f.T, room, f.log(room, alice))
}

// testIrreplaceable: what may not be rejected and what may not be replaced, each for one reason, changes nothing.
func testIrreplaceable(f *fixture) {
	alice, bob, mallory, eve := f.account(), f.account(), f.account(), f.account()
	tablet := f.device(mallory.Account)
	room, elsewhere := f.room(alice, bob, mallory, tablet), f.room(alice, bob, mallory)
	message := f.appended(f.entry(room, bob, sealedEntry, 1, "no commit"))
	old := f.appended(f.commit(room, bob, 1, nil, nil))
	first := f.appended(f.commit(room, mallory, 2, nil, nil))
	last := f.appended(f.commit(room, mallory, 3, []server.Device{eve}, nil))
	f.appended(f.reject(room, alice, first))
	moved := *first
	moved.Head[0]++
	far := *first
	far.Seq = 1 << 40
	late := f.reboot(room, alice, first, mallory)
	late.Epoch = 3
	adding := f.reboot(room, alice, first, mallory)
	adding.Commit.Added = []server.DeviceRef{{Account: eve.Account, Device: eve.ID}}
	numbered := f.reject(room, bob, first)
	numbered.Epoch = 4
	both := f.entry(room, bob, sealedEntry, 4, "both")
	both.Reject = &server.Replaced{Seq: first.Seq, Head: first.Head}
	for _, row := range []struct {
		name string
		s    *server.Submission
		want wire.ErrorCode
	}{
		{"a reject of a message", f.reject(room, alice, message), conflict},
		{"a reject of what another account has followed", f.reject(room, alice, old), conflict},
		{"a reject of another head", f.reject(room, bob, &moved), conflict},
		{"a reject beyond the log", f.reject(room, bob, &far), conflict},
		{"a reject in another room", f.reject(elsewhere, bob, first), conflict},
		{"a second reject", f.reject(room, alice, first), conflict},
		{"a reject of one's own", f.reject(room, mallory, first), forbidden},
		{"a reject by who came with it", f.reject(room, eve, last), forbidden},
		{"a reject with an epoch", numbered, badRequest},
		{"a reject as a message", both, badRequest},
		{"a reboot without a reject", f.reboot(room, bob, first, mallory), conflict},
		{"a reboot of another rejected one", f.reboot(room, alice, last, mallory), conflict},
		{"a reboot of another head", f.reboot(room, alice, &moved, mallory), conflict},
		{"a reboot in another epoch", late, epochMismatch},
		{"a reboot that adds", adding, badRequest},
		{"a reboot that removes nobody", f.reboot(room, alice, first), badRequest},
		{"a reboot that keeps the maker", f.reboot(room, alice, first, tablet), badRequest},
		{"a reboot that removes another account", f.reboot(room, alice, first, mallory, bob), badRequest},
		{"a reboot that removes one twice", f.reboot(room, alice, first, mallory, mallory), badRequest},
		{"a reboot that removes who was not there", f.reboot(room, alice, first, mallory, eve), badRequest},
		{"a reboot by who came since", f.reboot(room, eve, first, mallory), forbidden},
	} {
		if f.submit(row.s); row.s.Err == nil {
			f.Fatalf("%s was accepted", row.name)
		}
		f.Logf("%s: %v", row.name, row.s.Err)
		f.refused(row.want, row.s.Err)
	}
	if got := f.log(room, alice); len(got) != 6 {
		f.Errorf("the log has %d entries, want 6", len(got))
	}
	// A commit of another account ends it.
	f.appended(f.commit(room, bob, 4, nil, nil))
	f.refused(conflict, f.submit(f.reboot(room, alice, first, mallory)).Err)
	f.refused(conflict, f.submit(f.reject(room, bob, first)).Err)
}

// testReplacedReboot: a reboot is a commit like others, and can be replaced by the room that it has undone.
func testReplacedReboot(f *fixture) {
	alice, bob, mallory := f.account(), f.account(), f.account()
	room := f.room(alice, bob, mallory)
	f.appended(f.commit(room, alice, 1, nil, []server.Device{bob}))
	good := f.appended(f.commit(room, alice, 2, []server.Device{bob}, nil))
	f.appended(f.reject(room, mallory, good))
	false1 := f.appended(f.reboot(room, mallory, good, alice))
	f.refused(forbidden, f.submit(f.entry(room, alice, sealedEntry, 3, "thrown out")).Err)
	f.again()
	f.refused(forbidden, f.submit(f.reject(room, alice, false1)).Err)
	f.appended(f.reject(room, bob, false1))
	back := f.reboot(room, bob, false1, mallory)
	f.refused(epochMismatch, f.submit(back).Err)
	back = f.reboot(room, bob, false1, mallory)
	back.Epoch = 3 // of the room before the false reboot
	f.appended(back)
	for device, want := range map[server.Device]string{
		alice: fmt.Sprint(0, uint64(server.NoEnd)), bob: fmt.Sprint(good.Seq, uint64(server.NoEnd)), mallory: fmt.Sprint(1, back.Seq),
	} {
		a, err := f.Access(f.Context(), room, device.ID)
		f.must(err)
		if got := fmt.Sprint(a.Since, a.Until); got != want {
			f.Errorf("%s has access %s, want %s", device.Handle, got, want)
		}
	}
	f.refused(forbidden, f.submit(f.reject(room, mallory, back)).Err)
	f.appended(f.entry(room, bob, sealedEntry, 4, "as before"))

	// Where there are but two, each has one try.
	pair := f.room(alice, mallory)
	good = f.appended(f.commit(pair, alice, 1, nil, nil))
	f.appended(f.reject(pair, mallory, good))
	false1 = f.appended(f.reboot(pair, mallory, good, alice))
	f.appended(f.reject(pair, alice, false1))
	back = f.reboot(pair, alice, false1, mallory)
	back.Epoch = 2
	f.appended(back)
	f.refused(forbidden, f.submit(f.reject(pair, mallory, back)).Err)
	f.appended(f.entry(pair, alice, sealedEntry, 3, "as before"))
}

// testSecondReboot: a reboot that nobody can take either is no end of it; the commit is replaced once more, and who made the first
// reboot does not get another try.
func testSecondReboot(f *fixture) {
	alice, bob, mallory, eve := f.account(), f.account(), f.account(), f.account()
	tablet := f.device(mallory.Account)
	room := f.room(alice, bob, mallory, tablet, eve)
	broken := f.appended(f.commit(room, mallory, 1, nil, []server.Device{bob}))
	f.refused(forbidden, f.submit(f.reject(room, tablet, broken)).Err)
	f.appended(f.reject(room, eve, broken))
	f.appended(f.reboot(room, eve, broken, mallory))
	f.again()
	f.appended(f.reject(room, bob, broken))
	f.appended(f.reboot(room, bob, broken, mallory, tablet))
	f.again()
	f.refused(forbidden, f.submit(f.reboot(room, eve, broken, mallory)).Err)
	f.refused(forbidden, f.submit(f.entry(room, tablet, sealedEntry, 2, "x")).Err)
	for _, by := range []server.Device{alice, bob, eve} {
		f.appended(f.entry(room, by, sealedEntry, 2, "on we go"))
	}
}

// testRebootFromOutside: who was removed for good has the server undo it, and is out again without anybody to remove.
func testRebootFromOutside(f *fixture) {
	alice, bob, mallory := f.account(), f.account(), f.account()
	room := f.room(alice, bob, mallory)
	removal := f.appended(f.commit(room, alice, 1, nil, []server.Device{mallory}))
	f.appended(f.reject(room, mallory, removal))
	r := f.appended(f.reboot(room, mallory, removal, alice))
	f.again()
	f.appended(f.reject(room, bob, r))
	back := f.reboot(room, bob, r)
	back.Epoch = 2
	f.appended(back)
	f.refused(forbidden, f.submit(f.entry(room, mallory, sealedEntry, 3, "x")).Err)
	f.refused(forbidden, f.submit(f.reject(room, mallory, back)).Err)
	f.appended(f.entry(room, alice, sealedEntry, 3, "as before"))
}
