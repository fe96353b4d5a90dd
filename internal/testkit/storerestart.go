package testkit

import (
	"errors"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// restart begins a room anew.
func (f *fixture) restart(room ident.RoomID, by server.Device, epoch uint64) *server.Submission {
	f.Helper()
	s := f.entry(room, by, restartEntry, epoch, "restart")
	s.Restart = true
	return s
}

// testRestarting: a device whose account is alone in a room begins it anew, without having been in it; all others are out,
// the log goes on, and what was before cannot be replaced any more.
func testRestarting(f *fixture) {
	ctx := f.Context()
	lost, bob := f.account(), f.account()
	tablet := f.device(lost.Account)
	room := f.room(lost, tablet, bob) // seq 1
	f.appended(f.commit(room, lost, 1, nil, []server.Device{bob}))
	waiting := f.device(lost.Account)
	made := f.appended(f.commit(room, lost, 2, []server.Device{waiting}, nil))
	f.revoke(lost)
	laptop := f.device(lost.Account)
	f.refused(epochMismatch, f.submit(f.restart(room, laptop, 0)).Err)
	later := f.restart(room, laptop, 3)
	later.At = made.At + server.ObjectWithin.Milliseconds() // bob was taken out before
	s := f.appended(later)
	f.again()
	if repeated := f.appended(again(s)); repeated.Seq != s.Seq || !repeated.Repeated {
		f.Errorf("again it is %+v, want the outcome of %+v", repeated, s)
	}
	for device, want := range map[server.Device]server.Access{
		laptop:  {Since: s.Seq, Until: server.NoEnd},
		tablet:  {Since: 1, Until: s.Seq},
		waiting: {Since: made.Seq, Until: s.Seq},
		bob:     {Since: 1, Until: 2},
	} {
		a, err := f.Access(ctx, room, device.ID)
		if f.must(err); a.Since != want.Since || a.Until != want.Until {
			f.Errorf("%v has access from %d to %d, want %d to %d", device.ID, a.Since, a.Until, want.Since, want.Until)
		}
	}
	if w, err := f.welcomes(waiting); err != nil || len(w) != 0 {
		f.Errorf("a device has %d welcomes of before, %v, want none", len(w), err)
	}
	if seen, err := f.Room(ctx, room, laptop.ID); err != nil || seen.Epoch != 4 || seen.Members != 1 || !seen.Joined {
		f.Errorf("the device sees %+v, %v, want to be in it at epoch 4", seen, err)
	}
	f.refused(forbidden, f.submit(f.entry(room, tablet, sealedEntry, 4, "from before")).Err)
	f.refused(conflict, f.submit(f.reject(room, laptop, made)).Err)
	f.appended(f.entry(room, laptop, sealedEntry, 4, "on we go"))
	f.appended(f.commit(room, laptop, 4, []server.Device{tablet}, nil))
	f.appended(f.entry(room, tablet, sealedEntry, 5, "back again"))
}

// testRestartObjected: who has thrown all others out of a room, by an envelope that may be false, begins it anew only when they
// have had the time to go on without it; and at once, where they went by themselves.
func testRestartObjected(f *fixture) {
	alice, bob, mallory := f.account(), f.account(), f.account()
	room := f.room(alice, bob, mallory)
	broken := f.appended(f.commit(room, mallory, 1, nil, []server.Device{alice, bob}))
	f.refused(forbidden, f.submit(f.restart(room, mallory, 2)).Err)
	soon := f.restart(room, mallory, 2)
	soon.At = broken.At + server.ObjectWithin.Milliseconds() - 1
	f.refused(forbidden, f.submit(soon).Err)
	f.again()
	f.appended(f.reject(room, bob, broken))
	f.refused(forbidden, f.submit(f.restart(room, mallory, 2)).Err)
	f.appended(f.reboot(room, bob, broken, mallory))
	f.appended(f.entry(room, alice, sealedEntry, 2, "on we go"))

	left := f.room(alice, bob, mallory)
	f.appended(f.entry(left, bob, proposalEntry, 1, "bob goes"))
	f.appended(f.commit(left, alice, 1, nil, []server.Device{bob}))
	f.appended(f.entry(left, mallory, proposalEntry, 2, "mallory goes"))
	f.appended(f.entry(left, alice, sealedEntry, 2, "bye"))
	f.appended(f.commit(left, alice, 2, nil, []server.Device{mallory}))
	f.appended(f.restart(left, f.device(alice.Account), 3))

	// A proposal of another epoch is none of who goes.
	again := f.room(alice, bob)
	f.appended(f.entry(again, bob, proposalEntry, 1, "to be let in anew"))
	f.appended(f.commit(again, alice, 1, nil, nil))
	f.appended(f.commit(again, alice, 2, nil, []server.Device{bob}))
	f.refused(forbidden, f.submit(f.restart(again, alice, 3)).Err)
}

// testRestartRefused: who may not begin a room anew changes nothing.
func testRestartRefused(f *fixture) {
	alice, bob, stranger := f.account(), f.account(), f.account()
	phone := f.device(alice.Account)
	shared, own, left := f.room(alice, bob), f.room(alice), f.room(alice, phone)
	f.appended(f.commit(left, alice, 1, nil, []server.Device{phone}))
	f.must(f.LeaveRoom(f.Context(), left, alice.ID))
	direct := f.roomID()
	_, err := f.CreateRoom(f.Context(), server.NewRoom{ID: direct, Kind: sealedRoom, By: alice.ID, Direct: bob.Account, At: 1})
	f.must(err)
	open := f.roomID()
	_, err = f.CreateRoom(f.Context(), server.NewRoom{ID: open, Kind: wire.RoomKind_ROOM_KIND_OPEN, Name: "open", By: alice.ID, At: 1})
	f.must(err)
	old := f.device(alice.Account)
	f.revoke(old)
	dressed := f.entry(own, phone, sealedEntry, 0, "restart")
	dressed.Restart = true
	bare := f.entry(own, alice, restartEntry, 0, "restart")
	for _, row := range []struct {
		name string
		s    *server.Submission
		want wire.ErrorCode
	}{
		{"where others are", f.restart(shared, phone, 1), forbidden},
		{"where others are, from within", f.restart(shared, alice, 1), forbidden},
		{"in a 1:1 room", f.restart(direct, phone, 0), forbidden},
		{"of another account", f.restart(own, stranger, 0), notFound},
		{"of another account that has been in it", f.restart(own, bob, 0), notFound},
		{"by a revoked device", f.restart(own, old, 0), forbidden},
		{"of another epoch", f.restart(own, phone, 1), epochMismatch},
		{"of a room that the account has left", f.restart(left, phone, 2), forbidden},
		{"of an open room", f.restart(open, phone, 0), badRequest},
		{"as a message", dressed, badRequest},
		{"without being one", bare, badRequest},
		{"of no room", f.restart(f.roomID(), phone, 0), notFound},
	} {
		f.submit(row.s)
		if !errors.Is(row.s.Err, server.Refuse(row.want, "")) {
			f.Errorf("%s: %v, want %v", row.name, row.s.Err, row.want)
		}
	}
	f.appended(f.entry(own, alice, sealedEntry, 0, "nothing has changed"))
	f.appended(f.entry(shared, bob, sealedEntry, 1, "nothing has changed"))
}
