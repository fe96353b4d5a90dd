package client_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
	"snug/mls"
)

// TestSiegeOfTheRooms has the server lead people into rooms, or others into theirs.
func TestSiegeOfTheRooms(t *testing.T) {
	besiege(t, []siege{
		{"a look-alike room", `
			Mallory makes a room with the name of alice's and bob's and alice on its roster as the owner, and the server gives bob the Welcome
			as if alice had let him in. It hopes that bob says there what is for alice.`, lookAlike},
		{"a look-alike of two", `
			Mallory makes a 1:1 room whose roster says that it is alice's and bob's. The server hopes that bob's messages to
			alice go there.`, lookAlikeDirect},
		{"a Welcome for another room", `
			The server hands bob the Welcome of mallory's room as one of the room that he is in, later in its log. It hopes that
			his client changes groups.`, welcomeElsewhere},
		{"an old Welcome again", `
			Bob was let into a room by his last-resort key package, and has been removed since. The server gives him that Welcome once more, as
			if he were let in anew, and then the old messages. It hopes that the past passes for the present.`, welcomeAgain},
		{"a damaged Welcome", `
			The server changes one byte of a Welcome, in many places. It hopes for a room that is half right.`, welcomeDamaged},
		{"a proposal from outside", `
			The server puts proposals into the log as an external sender, and as a newcomer who asks to be added. It hopes that some
			member commits them.`, fromOutside},
		{"a commit from outside", `
			A member has given the server the group's public description, and the server joins the room by an external commit of its
			own. It hopes to be a member whom nobody has let in.`, externalCommit},
		{"a removed member kept on", `
			Alice removes mallory, and the server keeps mallory on its list and hands over everything that comes. It hopes that mallory
			reads on.`, keptOn},
		{"a place that no log comes to", `
			Bob has turned the archive of one room off. The server lets him into another at a place beyond all numbers that his client reads
			again, and then shows the archive of before. It hopes that he has stored what makes him forget how new his archive
			was, and that the room is archived again.`, beyondAllPlaces},
		{"the wrong bob", `
			Alice has verified bob. The server deletes his account, lets mallory register by his handle, and tells alice that this is bob. It
			hopes that she writes to mallory.`, wrongBob},
	})
}

// welcome has the server offer a Welcome, as made by somebody at a place of a log.
func (p *target) welcome(room ident.RoomID, seq uint64, by client.Me, welcome []byte) {
	event := &wire.WelcomeEvent{Room: room.Bytes(), Seq: seq, Head: bytes.Repeat([]byte{1}, 32), Account: by.Account.Bytes(),
		Device: by.Device.Bytes(), Welcome: welcome}
	p.line.Say(&wire.ServerFrame{Body: &wire.ServerFrame_Welcome{Welcome: event}})
	wait()
}

func newRoomID(t *testing.T) ident.RoomID {
	t.Helper()
	id, err := ident.NewRoomID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func lookAlike(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	mallory := hack(t, m)
	room := club(t, "garden", alice, bob)
	own := mallory.group(club(t, "lair", m))
	before := bob.shown(room)
	false1 := newRoomID(t)
	false1Welcome := mallory.found(false1, []*wire.KeyPackage{bob.keyPackage()}, own, client.Named("garden"),
		client.Ranked(alice.me().Account, "owner", 2), client.Ranked(bob.me().Account, "member", 2), client.Ranked(mallory.me().Account, "member", 2))
	bob.welcome(false1, 1, alice.me(), false1Welcome)
	if r, err := bob.Room(bob.ctx(), false1); err == nil && r.Joined {
		notices := bob.notices(false1)
		if len(notices) != 1 || !strings.Contains(notices[0], "mallory") || strings.Contains(notices[0], "@alice added") {
			t.Errorf("bob is told %q, want the name of who let him in", notices)
		}
	}
	if !slices.Equal(bob.shown(room), before) {
		t.Errorf("the real room shows %q", bob.shown(room))
	}
	equal(t, bob.members(room), []string{"alice owner 1", "bob member 1"})
	bob.told(room, "")
}

func lookAlikeDirect(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	mallory := hack(t, m)
	own := mallory.group(club(t, "lair", m))
	real, err := alice.Direct(alice.ctx(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	alice.send(real, "it is me")
	wait()
	before := bob.dump()
	for _, roster := range [][]client.RosterEdit{
		{client.Ranked(alice.me().Account, "owner", 2), client.Ranked(bob.me().Account, "member", 2)},
		{client.Ranked(alice.me().Account, "owner", 2), client.Ranked(bob.me().Account, "member", 2), client.Ranked(mallory.me().Account, "member", 2)},
	} {
		trap := newRoomID(t)
		welcome := mallory.found(trap, []*wire.KeyPackage{bob.keyPackage()}, own, append(roster, client.Paired())...)
		bob.welcome(trap, 1, alice.me(), welcome)
		bob.told(trap, "does not stand up to the checks")
		if _, err := bob.Send(bob.ctx(), trap, "hello"); err == nil {
			t.Error("bob speaks in the trap")
		}
		if !strings.Contains(bob.dump(), before) {
			t.Errorf("bob sees\n%s\nwant besides the trap\n%s", bob.dump(), before)
		}
	}
	if there, err := bob.Resolve(bob.ctx(), "@alice"); err != nil || there != real {
		t.Errorf("@alice is room %v, %v, want %v", there, err, real)
	}
}

func welcomeElsewhere(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	mallory := hack(t, m)
	room := club(t, "garden", alice, bob)
	own := mallory.group(club(t, "lair", m))
	before := bob.dump()
	for _, id := range []ident.RoomID{newRoomID(t), room} {
		welcome := mallory.found(id, []*wire.KeyPackage{bob.keyPackage()}, own, client.Named("garden"),
			client.Ranked(mallory.me().Account, "owner", 2), client.Ranked(bob.me().Account, "member", 2))
		bob.welcome(room, 100, mallory.me(), welcome)
		bob.unchanged(before)
		bob.told(room, "does not stand up to the checks")
	}
	alice.send(room, "still us")
	wait()
	bob.sees(room, "alice: still us")
	bob.told(room, "")
}

func welcomeAgain(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	s.Operate("DELETE FROM key_package WHERE NOT last_resort AND device = (SELECT row FROM device WHERE id = ?)", bob.me().Device.Bytes())
	bob.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		if f.GetPutKeyPackages() == nil {
			return f, nil
		}
		return nil, nil // bob's new ones never arrive
	})
	room := club(t, "garden", alice, bob)
	alice.send(room, "the key is under the stone")
	wait()
	welcomes := frames(bob.line, (*wire.ServerFrame).GetWelcome)
	if len(welcomes) == 0 {
		t.Fatal("bob was let in without a Welcome")
	}
	if err := alice.RemoveMembers(alice.ctx(), room, "bob"); err != nil {
		t.Fatal(err)
	}
	wait()
	before := bob.dump()
	bob.welcome(room, 100, alice.me(), welcomes[0].Welcome)
	bob.unchanged(before)
	bob.told(room, "does not stand up to the checks")
	// Who does let him in again is believed.
	if err := alice.AddMembers(alice.ctx(), room, "bob"); err != nil {
		t.Fatal(err)
	}
	wait()
	equal(t, bob.members(room), []string{"alice owner 1", "bob member 1"})
	bob.told(room, "")
}

func welcomeDamaged(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	mallory := hack(t, alice)
	own := mallory.group(club(t, "lair", alice))
	before := bob.dump()
	for i := range 12 {
		trap := newRoomID(t)
		welcome := mallory.found(trap, []*wire.KeyPackage{bob.keyPackage()}, own, client.Named("garden"),
			client.Ranked(alice.me().Account, "owner", 2), client.Ranked(bob.me().Account, "member", 2))
		at := len(welcome) * i / 12
		welcome[at] ^= 1
		bob.welcome(trap, 1, alice.me(), welcome)
		if r, err := bob.Room(bob.ctx(), trap); err != nil || r.Joined || r.Problem == "" {
			t.Errorf("byte %d of %d changed: the room is %+v, %v, want it refused", at, len(welcome), r, err)
		}
	}
	if !strings.Contains(bob.dump(), before) {
		t.Errorf("bob sees\n%s\nwant besides the traps\n%s", bob.dump(), before)
	}
}

func fromOutside(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	mallory := hack(t, m)
	room := club(t, "garden", alice, bob)
	group := hack(t, alice).group(room) // for its epoch only, which the server knows
	_, operator, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := mls.ParseKeyPackage(m.keyPackage().KeyPackage)
	if err != nil {
		t.Fatal(err)
	}
	place := mls.Place{Suite: group.Suite(), GroupID: room.Bytes(), Epoch: group.Epoch()}
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	members := bob.members(room)
	for _, row := range []struct {
		name    string
		payload []byte
		// hidden says that a proposal of it is left out: it is for nobody to take in, and not to be told of.
		hidden bool
	}{
		{"an Add", must(mls.ProposeExternally(place, 0, operator, &mls.Add{KeyPackage: theirs})), false},
		{"a Remove", must(mls.ProposeExternally(place, 0, operator, &mls.Remove{Removed: 0})), false},
		{"a change of roster", must(mls.ProposeExternally(place, 0, operator,
			&mls.GroupContextExtensions{Extensions: client.EditRoster(group.Extensions(), client.Named("lair"))})), false},
		{"a newcomer's own Add", must(mls.ProposeOwnAdd(place, theirs, mallory.key.Signer())), true},
	} {
		for _, kind := range []wire.EntryKind{wire.EntryKind_ENTRY_KIND_PROPOSAL, wire.EntryKind_ENTRY_KIND_SEALED} {
			id, err := ident.NewMessageID(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			bob.send(room, "before "+row.name)
			bob.line.Insert(room, &wire.Entry{Kind: kind, Device: m.ref().Device, Account: m.ref().Account, Id: id.Bytes(), Epoch: group.Epoch(),
				At: time.Now().UnixMilli(), Payload: row.payload})
			wait()
			got := bob.shown(room)
			last, hidden := got[len(got)-1], row.hidden && kind == wire.EntryKind_ENTRY_KIND_PROPOSAL
			if strings.HasPrefix(last, "gap: ") == hidden || hidden && last != "bob: before "+row.name {
				t.Errorf("%s as kind %v: bob sees %q last; left out: %v, want that or a gap that says why", row.name, kind, last, hidden)
			}
			equal(t, bob.members(room), members)
			if group := hack(t, bob).group(room); group.Epoch() != place.Epoch || len(group.Pending()) > 0 {
				t.Errorf("%s as kind %v: bob's group is in epoch %d with %d proposals, want %d and none", row.name, kind, group.Epoch(), len(group.Pending()), place.Epoch)
			}
		}
	}
	mallory.inNoRoom("garden")
}

func externalCommit(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	mallory := hack(t, m)
	own := mallory.group(club(t, "lair", m)).OwnLeaf()
	room := club(t, "garden", alice, bob)
	info, err := hack(t, alice).group(room).GroupInfo()
	if err != nil {
		t.Fatal(err)
	}
	certificate, _ := own.Extensions.Get(client.CertificateType)
	for name, replaces := range map[string]func(mls.Member) bool{
		"as a newcomer":    nil,
		"in alice's place": func(m mls.Member) bool { return m.Index == 0 },
	} {
		joined, err := mls.JoinExternally(mallory.config(), info, mls.ExternalOptions{Credential: own.Credential, Replaces: replaces,
			LeafExtensions: mls.Extensions{{Type: client.CertificateType, Data: certificate}},
			Capabilities:   mls.Capabilities{Extensions: []mls.ExtensionType{client.RosterType}}})
		if err != nil {
			t.Fatal(err)
		}
		before, keys := bob.dump(), groupRecords(bob.disk)
		id, err := ident.NewMessageID(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		bob.line.Insert(room, &wire.Entry{Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Device: m.ref().Device, Account: m.ref().Account,
			Id: id.Bytes(), Epoch: hack(t, alice).group(room).Epoch(), At: time.Now().UnixMilli(), Payload: joined.Message()})
		wait()
		t.Log(name)
		bob.unchanged(before)
		bob.told(room, "a change of the room cannot be carried out")
		if !bytes.Equal(groupRecords(bob.disk), keys) {
			t.Error("bob's group has changed")
		}
	}
}

func keptOn(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob, m)
	disk, old := m.disk, hack(t, m).group(room)
	m.stop()
	if err := alice.RemoveMembers(alice.ctx(), room, "mallory"); err != nil {
		t.Fatal(err)
	}
	alice.send(room, "without mallory")
	s.Operate("UPDATE member SET until = NULL WHERE until IS NOT NULL")
	again := arriveOn(t, s, disk)
	handed := 0
	wait()
	if got := again.shown(room); slices.Contains(got, "alice: without mallory") {
		t.Errorf("mallory reads %q", got)
	}
	for _, heard := range frames(again.line, (*wire.ServerFrame).GetEntries) {
		for _, e := range heard.Entries {
			opened, err := old.Process(e.Payload)
			if text, ok := opened.(*mls.ApplicationMessage); ok && err == nil && bytes.Contains(text.Data, []byte("without")) {
				t.Errorf("mallory's old keys open %q", text.Data)
			}
			handed++
		}
	}
	if handed < 2 {
		t.Errorf("the server handed mallory %d entries, want the removal and what came after", handed)
	}
	bob.sees(room, "alice: without mallory")
}

func wrongBob(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room, err := alice.Direct(alice.ctx(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	alice.send(room, "hello")
	wait()
	contact, err := alice.Contact(alice.ctx(), bob.me().Account)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Verify(alice.ctx(), bob.me().Account, contact.SafetyNumber); err != nil {
		t.Fatal(err)
	}
	bob.stop()
	s.Operate("UPDATE account SET handle = 'bob-old' WHERE handle = 'bob'")
	imposter := settle(t, s, "bob")
	before := alice.dump()
	_, err = alice.Direct(alice.ctx(), "bob")
	refusal(t, "a room with the new bob", err, "")
	_, err = alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "trap", Handles: []string{"bob"}})
	refusal(t, "letting the new bob in", err, "")
	alice.unchanged(before)
	imposter.inNoRoom("trap")
}

func beyondAllPlaces(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	time.Sleep(5 * time.Minute)
	bob.line.Cut()
	wait()
	heads := frames(bob.line, (*wire.ServerFrame).GetArchive)
	if err := bob.SetRoomArchive(bob.ctx(), room, false); err != nil {
		t.Fatal(err)
	}
	bob.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		if welcome := f.GetWelcome(); welcome != nil {
			welcome.Seq = 1 << 63
		}
		return []*wire.ServerFrame{f}
	})
	made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "shed", Handles: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Minute)
	bob.inNoRoom("shed")
	bob.stop()
	bob.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		if f.GetArchive() != nil {
			f.Body = &wire.ServerFrame_Archive{Archive: heads[len(heads)-1]}
		}
		return []*wire.ServerFrame{f}
	})
	disk := bob.disk
	bob = &target{startOver(t, bob.line, disk, nil), bob.line}
	wait()
	if a := bob.archive(); !strings.Contains(a.Problem, "an old state of the archive") {
		t.Errorf("bob's archive is %+v, want it found to be old", a)
	}
	bob.line.Tell(nil)
	bob.line.Cut()
	wait()
	if a := bob.archive(); a.Problem != "" || !slices.Contains(a.Off, room) {
		t.Errorf("bob's archive is %+v, want the room off", a)
	}
	talks(t, made.ID, alice, bob)
}
