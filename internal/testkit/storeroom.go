package testkit

import (
	"slices"

	"snug/internal/ident"
	"snug/internal/server"
)

func testRooms(f *fixture) {
	ctx := f.Context()
	alice, bob := f.account(), f.account()
	n := server.NewRoom{ID: f.roomID(), Kind: sealedRoom, By: alice.ID, At: 7}
	first, err := f.CreateRoom(ctx, n)
	f.must(err)
	if !first.Joined || first.Seq != 0 || first.Head != ident.EmptyHead(n.ID) || first.Members != 1 {
		f.Errorf("new room is %+v", first)
	}
	f.again()
	n.At = 8
	second, err := f.CreateRoom(ctx, n)
	f.must(err)
	if second.ID != first.ID || second.CreatedAt != 7 {
		f.Errorf("made again it is %+v", second)
	}
	n.By = bob.ID
	_, err = f.CreateRoom(ctx, n)
	f.refused(conflict, err)

	f.appended(f.commit(n.ID, alice, 0, []server.Device{bob}, nil))
	seen, err := f.Room(ctx, n.ID, bob.ID)
	f.must(err)
	if !seen.Joined || seen.Since != 1 || seen.Epoch != 1 || seen.Seq != 1 || seen.Members != 2 {
		f.Errorf("bob sees %+v", seen)
	}
	members, err := f.Members(ctx, n.ID, bob.ID)
	f.must(err)
	if len(members) != 2 {
		f.Errorf("members are %+v", members)
	}
	// A second device of bob's knows of the room and is not in it.
	tablet := f.device(bob.Account)
	seen, err = f.Room(ctx, n.ID, tablet.ID)
	f.must(err)
	if seen.Joined || seen.Seq != 0 || seen.Epoch != 0 {
		f.Errorf("bob's tablet sees %+v", seen)
	}
	f.refused(forbidden, f.LeaveRoom(ctx, n.ID, alice.ID))
	f.appended(f.commit(n.ID, alice, 1, nil, []server.Device{bob}))
	f.must(f.LeaveRoom(ctx, n.ID, alice.ID))
	_, err = f.Room(ctx, n.ID, alice.ID)
	f.refused(notFound, err)
}

func testOpenRooms(f *fixture) {
	ctx := f.Context()
	early := f.account()
	common := server.NewRoom{ID: f.roomID(), Kind: openRoom, Name: "common", Everyone: true, At: 1}
	_, err := f.CreateRoom(ctx, common)
	f.must(err)
	late := f.account()
	own := server.NewRoom{ID: f.roomID(), Kind: openRoom, Name: "garden", By: early.ID}
	_, err = f.CreateRoom(ctx, own)
	f.must(err)
	same := server.NewRoom{ID: f.roomID(), Kind: openRoom, Name: "garden", By: late.ID}
	_, err = f.CreateRoom(ctx, same)
	f.refused(conflict, err)
	f.appended(f.entry(common.ID, early, openEntry, 0, "one"))
	f.appended(f.entry(common.ID, late, openEntry, 0, "two"))
	f.again()
	f.refused(forbidden, f.submit(f.entry(own.ID, late, openEntry, 0, "not in")).Err)
	f.refused(badRequest, f.submit(f.entry(common.ID, late, sealedEntry, 0, "kind")).Err)
	if got := f.log(common.ID, late); len(got) != 2 {
		f.Errorf("late reads %d entries, want all 2", len(got))
	}
	if got := f.log(own.ID, late); len(got) != 0 {
		f.Errorf("an empty log has %d entries", len(got))
	}
	joined, err := f.JoinRoom(ctx, own.ID, late.ID, 9)
	f.must(err)
	if !joined.Joined || joined.Members != 2 {
		f.Errorf("joined room is %+v", joined)
	}
	f.appended(f.entry(own.ID, late, openEntry, 0, "in"))
	f.must(f.LeaveRoom(ctx, own.ID, late.ID))
	f.refused(forbidden, f.submit(f.entry(own.ID, late, openEntry, 0, "out")).Err)
	CheckLog(f.T, common.ID, f.log(common.ID, early))
	rooms, err := f.rooms(late)
	f.must(err)
	if len(rooms) != 2 {
		f.Errorf("late sees %d rooms, want 2", len(rooms))
	}
	_, err = f.JoinRoom(ctx, f.room(early, late), late.ID, 1)
	f.refused(forbidden, err)
}

func testPairs(f *fixture) {
	ctx := f.Context()
	alice, bob, eve := f.account(), f.account(), f.account()
	pair := server.NewRoom{ID: f.roomID(), Kind: sealedRoom, By: alice.ID, Direct: bob.Account}
	room, err := f.CreateRoom(ctx, pair)
	f.must(err)
	if len(room.Direct) != 2 || !slices.IsSortedFunc(room.Direct, func(a, b ident.AccountID) int { return slices.Compare(a[:], b[:]) }) {
		f.Errorf("pair is %v", room.Direct)
	}
	other := server.NewRoom{ID: f.roomID(), Kind: sealedRoom, By: bob.ID, Direct: alice.Account}
	_, err = f.CreateRoom(ctx, other)
	f.refused(conflict, err)
	rooms, err := f.rooms(bob)
	f.must(err)
	if len(rooms) != 1 || rooms[0].ID != pair.ID || rooms[0].Joined {
		f.Errorf("bob sees %+v, want the pair's room, not joined", rooms)
	}
	f.refused(badRequest, f.submit(f.commit(pair.ID, alice, 0, []server.Device{eve}, nil)).Err)
	self := server.NewRoom{ID: f.roomID(), Kind: sealedRoom, By: bob.ID, Direct: bob.Account}
	_, err = f.CreateRoom(ctx, self)
	f.refused(badRequest, err)
	nobody := server.NewRoom{ID: f.roomID(), Kind: sealedRoom, By: bob.ID, Direct: ident.AccountID{1}}
	_, err = f.CreateRoom(ctx, nobody)
	f.refused(notFound, err)
}

// testStrangers: whoever was never in a sealed room hears the same of it as of one
// that does not exist, whatever its handle.
func testStrangers(f *fixture) {
	ctx := f.Context()
	alice, bob, eve := f.account(), f.account(), f.account()
	room := f.room(alice, bob)
	for _, id := range []ident.RoomID{room, f.roomID()} {
		_, err := f.Room(ctx, id, eve.ID)
		f.refused(notFound, err)
		_, err = f.Access(ctx, id, eve.ID)
		f.refused(notFound, err)
		_, err = f.Members(ctx, id, eve.ID)
		f.refused(notFound, err)
		_, err = f.JoinRoom(ctx, id, eve.ID, 1)
		f.refused(notFound, err)
		f.refused(notFound, f.LeaveRoom(ctx, id, eve.ID))
		_, err = f.Fetch(ctx, server.Fetch{Room: id, Device: eve.ID, Limit: 1}, nil)
		f.refused(notFound, err)
		f.refused(notFound, f.submit(f.entry(id, eve, sealedEntry, 1, "x")).Err)
		f.refused(notFound, f.submit(f.entry(id, eve, sealedEntry, 9, "x")).Err)
	}
	if rooms, err := f.rooms(eve); err != nil || len(rooms) != 0 {
		f.Errorf("eve sees %v, %v", rooms, err)
	}
}

// rooms lists all that a device sees.
func (f *fixture) rooms(d server.Device) (all []server.Room, err error) {
	for after := (ident.RoomID{}); ; {
		page, next, err := f.Rooms(f.Context(), d.ID, after, 2)
		all = append(all, page...)
		if after = next; err != nil || next.IsZero() {
			return all, err
		}
	}
}

// testRoomPages: whatever the size of the pages, each room stands on one of them, in order of the ids.
func testRoomPages(f *fixture) {
	alice, bob := f.account(), f.account()
	var want []ident.RoomID
	for i := range 7 {
		if i%2 == 0 {
			want = append(want, f.room(alice))
		} else {
			want = append(want, f.room(bob, alice))
		}
	}
	slices.SortFunc(want, func(a, b ident.RoomID) int { return slices.Compare(a[:], b[:]) })
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []ident.RoomID
		pages := 0
		for after := (ident.RoomID{}); ; pages++ {
			page, next, err := f.Rooms(f.Context(), alice.ID, after, limit)
			f.must(err)
			if len(page) > limit {
				f.Fatalf("a page of %d has %d rooms", limit, len(page))
			}
			for _, r := range page {
				got = append(got, r.ID)
			}
			if after = next; next.IsZero() {
				break
			}
		}
		if !slices.Equal(got, want) || pages != (len(want)-1)/limit {
			f.Errorf("in pages of %d: %d more pages, rooms %v, want %v", limit, pages, got, want)
		}
	}
	// A device that was revoked sees none.
	f.revoke(alice)
	if page, next, err := f.Rooms(f.Context(), alice.ID, ident.RoomID{}, 10); err != nil || len(page) > 0 || !next.IsZero() {
		f.Errorf("a revoked device sees %v, %v, %v", page, next, err)
	}
}
