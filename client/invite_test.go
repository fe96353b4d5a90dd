package client_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// invite makes a room of alice's with an invite.
func invited(t *testing.T, alice *person, options client.RoomInviteOptions) (ident.RoomID, client.RoomInvite) {
	t.Helper()
	room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden"})
	if err != nil {
		t.Fatal(err)
	}
	return room.ID, alice.invite(room.ID, options)
}

func (p *person) invite(room ident.RoomID, options client.RoomInviteOptions) client.RoomInvite {
	p.t.Helper()
	made, err := p.CreateRoomInvite(p.ctx(), room, options)
	if err != nil {
		p.t.Fatal(err)
	}
	return made
}

// join asks to be let in and waits for what comes of it.
func (p *person) join(code string) error {
	p.t.Helper()
	room, err := p.JoinByInvite(p.ctx(), code)
	if err != nil {
		return err
	}
	_, err = p.AwaitRoom(p.ctx(), room.ID)
	return err
}

// refusedWith checks that an error says what it should, and what to do next.
func refusedWith(t *testing.T, doing string, err error, want string) {
	t.Helper()
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Code != client.Refused || !strings.Contains(refusal.Message, want) || refusal.Hint == "" {
		t.Errorf("%s: got %v, want a refusal that says %q and what to do", doing, err, want)
	}
}

// TestInvite lets an account with two devices in by a link, while the room's owner is away and comes back.
func TestInvite(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", false), register(t, net, "carol", true)
		phone := start(t, net, testkit.NewDisk(), true)
		if _, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "bob", Passphrase: passphrase, DeviceName: "phone"}); err != nil {
			t.Fatal(err)
		}
		room, made := invited(t, alice, client.RoomInviteOptions{Uses: 2})
		if made.Uses != 2 || made.Used != 0 || made.Maker != "alice" || made.Role != "member" || made.Revoked {
			t.Errorf("got %+v", made)
		}
		alice.send(room, "before")
		disk := alice.disk
		alice.stop()
		waiting, err := bob.JoinByInvite(bob.ctx(), "https://snug.example/#"+made.Code)
		if err != nil || waiting.Joined || !waiting.Waiting || waiting.ID != room {
			t.Fatalf("got %+v, %v", waiting, err)
		}
		wait()
		// It is asked for across a restart.
		bobs := bob.disk
		bob.stop()
		bob = start(t, net, bobs, false)
		wait()
		alice = start(t, net, disk, true)
		wait()
		in, err := bob.AwaitRoom(bob.ctx(), room)
		if err != nil || !in.Joined || in.Waiting || in.Name != "garden" || in.Role != "member" {
			t.Fatalf("got %+v, %v", in, err)
		}
		equal(t, alice.members(room), []string{"alice owner 1", "bob member 2"})
		bob.send(room, "hello")
		phone.send(room, "and from here")
		equal(t, alice.texts(room), []string{"alice: before", "bob: hello", "bob: and from here"})
		if err := carol.join(made.Code); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, alice.notices(room), []string{"@alice made an invite", "@bob came by an invite of @alice", "@carol came by an invite of @alice"})
		// Who is in opens the link for nothing.
		if again, err := bob.JoinByInvite(bob.ctx(), made.Code); err != nil || !again.Joined {
			t.Errorf("again: %+v, %v", again, err)
		}
		list, err := bob.RoomInvites(bob.ctx(), room)
		if err != nil || len(list) != 1 || list[0].Used != 2 || list[0].Code != "" {
			t.Errorf("got %+v, %v", list, err)
		}
		for key := range bob.disk.Snapshot() {
			if strings.HasPrefix(key, "knock/") {
				t.Errorf("%q is left", key)
			}
		}
	})
}

// TestInviteRefused has a message of its own for each way in which an invite is of no use, and nothing left behind.
func TestInviteRefused(t *testing.T) {
	for _, row := range []struct {
		name    string
		options client.RoomInviteOptions
		spoil   func(alice, bob, carol *person, room ident.RoomID, made client.RoomInvite) error
		want    string
	}{
		{"expired", client.RoomInviteOptions{For: time.Hour}, func(_, _, _ *person, _ ident.RoomID, _ client.RoomInvite) error {
			time.Sleep(time.Hour)
			return nil
		}, "has expired"},
		{"a second use", client.RoomInviteOptions{}, func(_, _, carol *person, _ ident.RoomID, made client.RoomInvite) error {
			return carol.join(made.Code)
		}, "good for one person"},
		{"withdrawn", client.RoomInviteOptions{}, func(alice, _, _ *person, room ident.RoomID, made client.RoomInvite) error {
			return alice.RevokeRoomInvite(alice.ctx(), room, made.ID)
		}, "was withdrawn"},
		{"came before", client.RoomInviteOptions{Uses: 5}, func(alice, bob, _ *person, room ident.RoomID, made client.RoomInvite) error {
			if err := bob.join(made.Code); err != nil {
				return err
			}
			return alice.RemoveMembers(alice.ctx(), room, "bob")
		}, "by this invite before"},
		{"full", client.RoomInviteOptions{}, func(_, _, _ *person, _ ident.RoomID, _ client.RoomInvite) error {
			client.LimitRooms(t, 1)
			return nil
		}, "room is full"},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
				room, made := invited(t, alice, row.options)
				if err := row.spoil(alice, bob, carol, room, made); err != nil {
					t.Fatal(err)
				}
				wait()
				before := alice.members(room)
				refusedWith(t, row.name, bob.join(made.Code), row.want)
				wait()
				equal(t, alice.members(room), before)
				for key := range bob.disk.Snapshot() {
					if strings.HasPrefix(key, "knock/") {
						t.Errorf("%q is left", key)
					}
				}
			})
		})
	}
}

// TestInviteUnknown: who asks by an invite that the room does not have hears so from whoever may let people in, and waits for
// nothing; with the right one, opened after it, they are let in.
func TestInviteUnknown(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, made := invited(t, alice, client.RoomInviteOptions{})
		// As of a client that wrote no check, with its last characters changed.
		wrong := made.Code[:len(made.Code)-10] + "aaaaaa"
		if wrong == made.Code[:len(wrong)] {
			t.Fatal("the code is the same")
		}
		refusedWith(t, "an unknown invite", bob.join(wrong), "knows no such invite")
		r, err := bob.Room(bob.ctx(), room)
		if err != nil || !r.Waiting || r.Problem != "" || !strings.Contains(r.Try, "may be wrong or withdrawn") {
			t.Errorf("got %+v, %v, want that it waits, and why in vain", r, err)
		}
		// He asks again after 10 s, and 20 s after that. What is answered to a letter while the next one is written counts for
		// that one.
		time.Sleep(20 * time.Second)
		synctest.Wait()
		equal(t, alice.members(room), []string{"alice owner 1"})
		_, err = bob.JoinByInvite(bob.ctx(), made.Code[:len(made.Code)-1]+"1")
		wantCode(t, "a typing error", err, client.Usage)
		if err := bob.join(made.Code); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, alice.members(room), []string{"alice owner 1", "bob member 1"})
	})
}

// TestInviteUsedUp counts the uses of two who come at once for one place.
func TestInviteUsedUp(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol, dave := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true), register(t, net, "dave", true)
		room, made := invited(t, alice, client.RoomInviteOptions{Uses: 2, Reader: true})
		results := make(chan error, 3)
		for _, p := range []*person{bob, carol, dave} {
			go func() { results <- p.join(made.Code) }()
		}
		let := 0
		for range 3 {
			if err := <-results; err == nil {
				let++
			} else {
				refusedWith(t, "the third", err, "as often as it may")
			}
		}
		if members := alice.members(room); let != 2 || len(members) != 3 || !strings.Contains(strings.Join(members, ","), "reader") {
			t.Errorf("%d let in: %v", let, members)
		}
	})
}

// TestInviteRights: who may not add may not invite, and lets nobody in by an invite either.
func TestInviteRights(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol, dave := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true), register(t, net, "dave", true)
		room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		_, err = bob.CreateRoomInvite(bob.ctx(), room.ID, client.RoomInviteOptions{})
		refusedWith(t, "a member invites", err, "an owner or admin to add members")
		refusedWith(t, "a member withdraws nothing", bob.RevokeRoomInvite(bob.ctx(), room.ID, ident.RoomInviteID{1}), "an owner or admin to add members")
		made := alice.invite(room.ID, client.RoomInviteOptions{})
		refusedWith(t, "a member withdraws", bob.RevokeRoomInvite(bob.ctx(), room.ID, made.ID), "an owner or admin to add members")
		wantCode(t, "withdrawing nothing", alice.RevokeRoomInvite(alice.ctx(), room.ID, ident.RoomInviteID{1}), client.NotFound)
		direct, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		_, err = alice.CreateRoomInvite(alice.ctx(), direct, client.RoomInviteOptions{})
		wantCode(t, "inviting to a 1:1 room", err, client.Refused)
		for _, options := range []client.RoomInviteOptions{{Uses: 101}, {Uses: -1}, {For: time.Second}, {For: 31 * 24 * time.Hour}} {
			_, err := alice.CreateRoomInvite(alice.ctx(), room.ID, options)
			wantCode(t, "an invite that cannot be", err, client.Usage)
		}
		_, err = carol.JoinByInvite(carol.ctx(), "snug-room-nothing")
		wantCode(t, "a malformed code", err, client.Usage)
		// Only bob is there: nobody lets carol in until he may.
		disk := alice.disk
		alice.stop()
		if _, err := carol.JoinByInvite(carol.ctx(), made.Code); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, bob.members(room.ID), []string{"alice owner 1", "bob member 1"})
		alice = start(t, net, disk, true)
		if _, err := carol.AwaitRoom(carol.ctx(), room.ID); err != nil {
			t.Fatal(err)
		}
		if err := alice.ChangeRoom(alice.ctx(), room.ID, client.RoomSettings{Adds: "member"}); err != nil {
			t.Fatal(err)
		}
		wait()
		another := bob.invite(room.ID, client.RoomInviteOptions{})
		alice.stop()
		if err := dave.join(another.Code); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, bob.members(room.ID), []string{"alice owner 1", "bob member 1", "carol member 1", "dave member 1"})
	})
}

// TestInviteOfWhoLeft: an invite is withdrawn with whoever made it.
func TestInviteOfWhoLeft(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.SetRole(alice.ctx(), room.ID, "bob", "admin"); err != nil {
			t.Fatal(err)
		}
		wait()
		made := bob.invite(room.ID, client.RoomInviteOptions{Uses: 3})
		if err := alice.RemoveMembers(alice.ctx(), room.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		wait()
		refusedWith(t, "who was removed", bob.join(made.Code), "was withdrawn")
		equal(t, alice.members(room.ID), []string{"alice owner 1"})
		if got := alice.notices(room.ID); got[len(got)-1] != "@alice removed @bob, an invite of @bob is withdrawn with that" {
			t.Errorf("got %q, want that bob's invite went with him", got)
		}
	})
}

// TestInvitesOfWhoLeft: of the invites that go with their maker, one line tells of those that were good for something.
func TestInvitesOfWhoLeft(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		room, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.SetRole(alice.ctx(), room.ID, "bob", "owner"); err != nil {
			t.Fatal(err)
		}
		wait()
		used := alice.invite(room.ID, client.RoomInviteOptions{})
		if err := carol.join(used.Code); err != nil {
			t.Fatal(err)
		}
		alice.invite(room.ID, client.RoomInviteOptions{For: time.Minute})
		time.Sleep(2 * time.Minute)
		alice.invite(room.ID, client.RoomInviteOptions{Uses: 3})
		alice.invite(room.ID, client.RoomInviteOptions{Uses: 2})
		bob.invite(room.ID, client.RoomInviteOptions{})
		if err := alice.LeaveRoom(alice.ctx(), room.ID); err != nil {
			t.Fatal(err)
		}
		wait()
		got := bob.notices(room.ID)
		if want := "2 invites of @alice are withdrawn with that, @alice left"; got[len(got)-1] != want {
			t.Errorf("got %q, want %q", got[len(got)-1], want)
		}
		list, err := bob.RoomInvites(bob.ctx(), room.ID)
		for _, i := range list {
			if i.Revoked != (i.Maker == "alice") {
				t.Errorf("got %+v, want alice's withdrawn and bob's not", i)
			}
		}
		if err != nil || len(list) != 5 {
			t.Errorf("%d invites, %v, want 5", len(list), err)
		}

		// Who left finds the room by the name that it had, also after a restart, and cannot leave it again.
		disk := alice.disk
		alice.stop()
		alice = start(t, net, disk, true)
		if id, err := alice.Resolve(alice.ctx(), "garden"); id != room.ID || err != nil {
			t.Errorf("garden is %v, %v, want %v", id, err, room.ID)
		}
		if r, err := alice.Room(alice.ctx(), room.ID); err != nil || r.Name != "garden" || r.Joined {
			t.Errorf("got %+v, %v, want garden, left", r, err)
		}
		if len(alice.texts(room.ID)) != 0 {
			t.Error("texts in a room in which nothing was said")
		}
		refusedWith(t, "leaving again", alice.LeaveRoom(alice.ctx(), room.ID), "not in that room any more")
	})
}

// TestInviteTakenBack: who waits stops waiting, and the room is gone from the list.
func TestInviteTakenBack(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, made := invited(t, alice, client.RoomInviteOptions{})
		disk := alice.disk
		alice.stop()
		if _, err := bob.JoinByInvite(bob.ctx(), made.Code); err != nil {
			t.Fatal(err)
		}
		if err := bob.LeaveRoom(bob.ctx(), room); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		rooms, err := bob.Rooms(bob.ctx())
		if err != nil || len(rooms) != 0 {
			t.Errorf("got %v, %v", rooms, err)
		}
		alice = start(t, net, disk, true)
		wait()
		equal(t, alice.members(room), []string{"alice owner 1"})
	})
}

// TestInviteByAnEvilServer: a server that passes letters on can make none, move none, and answer none.
func TestInviteByAnEvilServer(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		room, made := invited(t, alice, client.RoomInviteOptions{Uses: 9})
		other, otherMade := invited(t, alice, client.RoomInviteOptions{Uses: 9})
		disk := alice.disk
		alice.stop()
		if _, err := bob.JoinByInvite(bob.ctx(), made.Code); err != nil {
			t.Fatal(err)
		}
		wait()
		var letter []byte
		net.Do(func(m *testkit.Model) { letter = m.Letter(room[:], "bob") })
		tamper := func(how func(*wire.ServerFrame) []*wire.ServerFrame) {
			net.Do(func(m *testkit.Model) {
				m.Tamper = nil
				if how != nil {
					m.Tamper = func(_ ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame { return how(f) }
				}
			})
		}
		carols, _ := carol.Me()
		bobs, _ := bob.Me()
		forged := ident.RoomInvite{}
		if parsed, err := ident.ParseRoomInvite(otherMade.Code); err == nil {
			forged = parsed
		}
		tries := 0
		// The attack: bob's letter for carol, for another room, changed; and answers that no member gave.
		script := []*wire.KnockEvent{
			{Room: room[:], Account: carols.Account[:], Letter: letter},
			{Room: other[:], Account: bobs.Account[:], Letter: letter},
			{Room: room[:], Account: bobs.Account[:], Letter: append([]byte{1}, make([]byte, len(letter)-1)...)},
			{Room: room[:], Account: bobs.Account[:], Letter: letter[:40]},
			{Room: room[:3], Account: bobs.Account[:], Letter: letter},
			{Room: room[:], Account: bobs.Account[:], Answer: append([]byte{1}, make([]byte, 32)...)},
			{Room: room[:], Account: bobs.Account[:], Answer: []byte{1}},
			{Room: room[:], Account: bobs.Account[:], Answer: []byte{8}}, // a doubt, which stops nothing
			{Room: forged.Room().Bytes(), Account: bobs.Account[:], Answer: []byte{1}},
		}
		tamper(func(f *wire.ServerFrame) []*wire.ServerFrame {
			if f.GetKnock() != nil {
				return nil // the honest letter is withheld
			}
			frames := []*wire.ServerFrame{f}
			if tries++; f.Id != 0 && tries < 50 {
				for _, event := range script {
					frames = append(frames, &wire.ServerFrame{Body: &wire.ServerFrame_Knock{Knock: event}})
				}
			}
			return frames
		})
		alice = start(t, net, disk, true)
		wait()
		equal(t, alice.members(room), []string{"alice owner 1"})
		equal(t, alice.members(other), []string{"alice owner 1"})
		waiting, err := bob.Room(bob.ctx(), room)
		if err != nil || !waiting.Waiting || waiting.Problem != "" {
			t.Errorf("bob does not wait any more: %+v, %v", waiting, err)
		}
		tamper(nil)
		alice.stop()
		alice = start(t, net, disk, true)
		wait()
		equal(t, alice.members(room), []string{"alice owner 1", "bob member 1"})
		// What was let in once is not let in again by the same letter.
		if err := alice.RemoveMembers(alice.ctx(), room, "bob"); err != nil {
			t.Fatal(err)
		}
		tamper(func(f *wire.ServerFrame) []*wire.ServerFrame {
			if tries++; tries > 100 {
				return []*wire.ServerFrame{f}
			}
			again := &wire.KnockEvent{Room: room[:], Account: bobs.Account[:], Letter: letter}
			return []*wire.ServerFrame{f, {Body: &wire.ServerFrame_Knock{Knock: again}}}
		})
		wait()
		alice.texts(room)
		wait()
		equal(t, alice.members(room), []string{"alice owner 1"})
	})
}
