package testkit

import (
	"strings"

	"snug/internal/ident"
	"snug/internal/server"
)

// letIn makes a room of the device's and lets others in at a time in ms; it gives the room and the refusal.
func (f *fixture) letIn(at int64, by server.Device, others ...server.Device) (ident.RoomID, error) {
	f.Helper()
	room := f.room(by)
	s := f.commit(room, by, 0, others, nil)
	s.At = at
	return room, f.submit(s).Err
}

// letInTimes lets an account in as often as that, each time into another room.
func (f *fixture) letInTimes(n int, by, who server.Device) (rooms []ident.RoomID) {
	f.Helper()
	for range n {
		room, err := f.letIn(5000, by, who)
		f.must(err)
		rooms = append(rooms, room)
	}
	return rooms
}

// out takes devices out of a room in an epoch.
func (f *fixture) out(at int64, room ident.RoomID, epoch uint64, by server.Device, who ...server.Device) {
	f.Helper()
	s := f.commit(room, by, epoch, nil, who)
	s.At = at
	f.appended(s)
}

// testAdmissions: who has not been answered lets somebody into so many rooms and no more, which harms nobody else.
func testAdmissions(f *fixture) {
	victim, mallory, friend := f.account(), f.account(), f.account()
	rooms := f.letInTimes(server.MaxAdmissionsByStranger, mallory, victim)
	room, err := f.letIn(5000, mallory, friend, victim)
	f.refused(forbidden, err)
	if !strings.Contains(err.Error(), "@"+victim.Handle) {
		f.Errorf("the refusal does not say who has not answered: %v", err)
	}
	// Nothing of it was done, not for the other one either.
	seen, err := f.Room(f.Context(), room, mallory.ID)
	f.must(err)
	if seen.Epoch != 0 || seen.Seq != 0 || seen.Members != 1 {
		f.Errorf("the room is %+v, want it as it was", seen)
	}
	_, err = f.Room(f.Context(), room, friend.ID)
	f.refused(notFound, err)
	f.again()
	// One device after the other of an account is one account; and rooms that it is in already take its new devices.
	_, err = f.letIn(5000, mallory, f.device(victim.Account))
	f.refused(forbidden, err)
	f.appended(f.commit(rooms[0], mallory, 1, []server.Device{f.device(victim.Account)}, nil))
	// Others reach the victim, and the victim others; the 1:1 room is there for who has been too eager.
	f.letInTimes(1, friend, victim)
	f.letInTimes(server.MaxAdmissionsByStranger, victim, friend)
	pair := server.NewRoom{ID: f.roomID(), Kind: sealedRoom, By: mallory.ID, Direct: victim.Account}
	_, err = f.CreateRoom(f.Context(), pair)
	f.must(err)
	f.appended(f.commit(pair.ID, mallory, 0, []server.Device{victim}, nil))
	// What others say in the rooms, and what devices do by themselves, is no answer. A word is.
	f.appended(f.entry(rooms[1], mallory, sealedEntry, 1, "hello?"))
	f.appended(f.commit(rooms[1], victim, 1, nil, nil))
	f.appended(f.entry(rooms[2], victim, proposalEntry, 1, "leave"))
	_, err = f.letIn(5000, mallory, victim)
	f.refused(forbidden, err)
	f.appended(f.entry(rooms[3], victim, sealedEntry, 1, "yes?"))
	f.letInTimes(2*server.MaxAdmissionsByStranger, mallory, victim)
}

// testAdmissionsAgain: who goes out of a room without a word has not answered, for as long as that counts.
func testAdmissionsAgain(f *fixture) {
	victim, mallory := f.account(), f.account()
	room := f.room(mallory)
	epoch := uint64(0)
	for range server.MaxAdmissionsByStranger {
		f.appended(f.commit(room, mallory, epoch, []server.Device{victim}, nil))
		f.out(6000, room, epoch+1, mallory, victim)
		epoch += 2
	}
	f.refused(forbidden, f.submit(f.commit(room, mallory, epoch, []server.Device{victim}, nil)).Err)
	_, err := f.letIn(6000+server.AdmissionCounts.Milliseconds()-1, mallory, victim)
	f.refused(forbidden, err)
	_, err = f.letIn(6000+server.AdmissionCounts.Milliseconds(), mallory, victim)
	f.must(err)
}

// testAdmissionsUndone: where a commit is replaced that has let somebody out, they have not gone; and where one is that has let
// somebody in, they have.
func testAdmissionsUndone(f *fixture) {
	victim, mallory, friend := f.account(), f.account(), f.account()
	room := f.room(mallory, friend, victim)
	f.letInTimes(server.MaxAdmissionsByStranger-1, mallory, victim)
	out := f.commit(room, mallory, 1, nil, []server.Device{victim})
	out.At = 6000
	f.appended(out)
	f.appended(f.reject(room, friend, out))
	f.appended(f.reboot(room, friend, out, mallory))
	// Seven days later the victim is still in all eight.
	_, err := f.letIn(7000+server.AdmissionCounts.Milliseconds(), mallory, victim)
	f.refused(forbidden, err)

	late := f.account()
	other := f.room(mallory, friend)
	in := f.commit(other, mallory, 1, []server.Device{late}, nil)
	f.appended(in)
	f.letInTimes(server.MaxAdmissionsByStranger-1, mallory, late)
	f.appended(f.reject(other, friend, in))
	f.appended(f.reboot(other, friend, in, mallory))
	_, err = f.letIn(5000, mallory, late)
	f.refused(forbidden, err)
	_, err = f.letIn(5000+server.AdmissionCounts.Milliseconds(), mallory, late)
	f.must(err)
}

// testAdmissionsKnown: whom one has answered is no stranger in other rooms either, and whoever asks to be let in is not
// counted; who is undone has not let anybody in for good.
func testAdmissionsKnown(f *fixture) {
	alice, bob, carol := f.account(), f.account(), f.account()
	// bob has spoken where carol came later: she is none of the strangers.
	room := f.room(alice, bob)
	f.appended(f.entry(room, bob, sealedEntry, 1, "hello"))
	f.appended(f.commit(room, alice, 1, []server.Device{carol}, nil))
	f.letInTimes(server.MaxAdmissionsByStranger+1, carol, bob)
	f.letInTimes(server.MaxAdmissionsByStranger+1, alice, bob)
	// To carol, who has said nothing, alice is one.
	f.letInTimes(server.MaxAdmissionsByStranger-1, alice, carol)
	_, err := f.letIn(5000, alice, carol)
	f.refused(forbidden, err)
	asked := f.room(alice)
	s := f.commit(asked, alice, 0, []server.Device{carol}, nil)
	s.Commit.Asked = map[ident.AccountID]bool{carol.Account: true}
	f.appended(s)
	f.again()
	// Whoever made a room has spoken in it.
	f.letInTimes(1, carol, alice)
	f.letInTimes(2, alice, carol)
}
