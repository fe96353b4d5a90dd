package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestSiegeOfTheAlone has the server abuse that a room in which an account is alone is begun anew by a device that signs in.
func TestSiegeOfTheAlone(t *testing.T) {
	besiege(t, []siege{
		{"nothing", `
			The server does what it should; alice's only device is lost. This is how it goes when nobody is in the way.`, aloneAndBack},
		{"a shared room called one's own", `
			Alice's new phone has her newest archive, and the server tells it that nobody but alice is in the room with bob. It hopes
			that the phone begins that room anew, and bob's messages to her and hers to him end.`, calledAlone},
		{"an old head, and bob hidden", `
			The server shows alice's phone the archive of before bob came, takes the phone's restart, and lets it go on by itself. It hopes that
			alice's laptop and bob follow into the phone's room, or that theirs ends.`, oldHead},
		{"offered to two", `
			Alice's phone and tablet are new at once, and the server takes the restart of each, on two copies of its database. It hopes
			that they put each other out for ever, or that one takes the other's room for its own.`, offeredToTwo},
		{"a restart said again", `
			The phone has begun the room anew and talked on. The server puts that restart into its log once more. It hopes that the
			phone gives up the room's keys, which nobody else has.`, restartAgain},
		{"never the right state", `
			The server refuses every restart as one of another state of the room. It hopes that the phone makes keys until its battery
			is empty, or gives the room up.`, neverRight},
		{"an acknowledgement of nonsense", `
			The server acknowledges the phone's restarts without a head, and at places that no log comes to. It hopes that the phone
			takes itself for in the room, stores what it cannot read again, or asks without end.`, nonsenseAcked},
		{"the head withheld", `
			The server keeps alice's archive from her phone. It hopes that the phone makes up a room, or that the room is lost.`, headWithheld},
	})
}

// diary makes a room in which alice is alone, and gives her device the time to write its recovery data.
func diary(t *testing.T, alice *target) ident.RoomID {
	t.Helper()
	made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "diary"})
	if err != nil {
		t.Fatal(err)
	}
	alice.send(made.ID, "one")
	time.Sleep(5 * time.Minute)
	return made.ID
}

// restarts counts the restarts that somebody says to the server, from here on, and has answer say what comes of each; nil
// is the server's own answer.
func (p *target) restarts(answer func(f *wire.ClientFrame) *wire.ServerFrame) *int {
	said := new(int)
	p.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		if f.GetSubmit().GetKind() != wire.EntryKind_ENTRY_KIND_RESTART {
			return f, nil
		}
		*said++
		if answer == nil {
			return f, nil
		}
		lie := answer(f)
		lie.Id = f.Id
		return nil, []*wire.ServerFrame{lie}
	})
	return said
}

// signInOn signs in one more device at the end of a line that lies already.
func (p *target) signInOn(handle, device string) {
	p.t.Helper()
	if _, err := p.Login(p.ctx(), client.LoginOptions{Handle: handle, Passphrase: passphrase, DeviceName: device}); err != nil {
		p.t.Fatal(err)
	}
}

// back fails unless a device is in alice's diary and goes on there.
func (p *target) back(room ident.RoomID) {
	p.t.Helper()
	if r, err := p.Room(p.ctx(), room); err != nil || !r.Joined || r.Name != "diary" || r.Members != 1 || r.Problem != "" {
		p.t.Fatalf("the diary is %+v, %v", r, err)
	}
	p.send(room, "two")
	wait()
	p.sees(room, "alice: one", "alice: two")
}

// shut fails unless a device is in no room of this id, and knows that its account is, or why it does not come in.
func (p *target) shut(room ident.RoomID) {
	p.t.Helper()
	r, err := p.Room(p.ctx(), room)
	if err != nil || r.Joined || !r.Outside && (r.Problem == "" || !strings.Contains(r.Try, "tried again")) {
		p.t.Errorf("the room is %+v, %v, want the device outside of it", r, err)
	}
}

func aloneAndBack(t *testing.T, s *evil.Service) {
	alice := settle(t, s, "alice")
	room := diary(t, alice)
	alice.stop()
	phone := arrive(t, s)
	said := phone.restarts(nil)
	phone.signInOn("alice", "phone")
	time.Sleep(2 * time.Minute)
	phone.back(room)
	if *said != 1 {
		t.Errorf("the phone has said %d restarts", *said)
	}
}

func calledAlone(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	time.Sleep(5 * time.Minute)
	alice.stop()
	bob.stop()
	phone := arrive(t, s)
	said := phone.restarts(nil)
	phone.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		for _, r := range append(f.GetRooms().GetRooms(), f.GetRoomChanged().GetRoom()) {
			if r != nil && string(r.Room) == string(room[:]) {
				r.Members = 1
			}
		}
		return []*wire.ServerFrame{f}
	})
	phone.signInOn("alice", "phone")
	time.Sleep(10 * time.Minute)
	phone.shut(room)
	if *said != 0 {
		t.Errorf("the phone has said %d restarts", *said)
	}
	bob = arriveOn(t, s, bob.disk)
	time.Sleep(time.Minute)
	talks(t, room, bob, phone)
}

func oldHead(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := diary(t, alice)
	alice.line.Cut()
	wait()
	heads := frames(alice.line, (*wire.ServerFrame).GetArchive)
	alone := s.Backup()
	if err := alice.AddMembers(alice.ctx(), room, "bob"); err != nil {
		t.Fatal(err)
	}
	wait()
	bob.send(room, "hello")
	time.Sleep(5 * time.Minute)
	if len(heads) == 0 {
		t.Fatal("alice has no archive")
	}
	phone := arrive(t, s)
	now := s.Backup()
	s.Restore(alone) // the phone is shown the server of then, and the others that of now
	s.Split(phone.line)
	s.Restore(now)
	phone.signInOn("alice", "phone")
	time.Sleep(5 * time.Minute)
	phone.back(room)
	before := bob.shown(room)
	if slices.Contains(before, "alice: two") {
		t.Error("bob reads what is said in the phone's room")
	}
	talks(t, room, bob, alice)
	s.Join()
	time.Sleep(5 * time.Minute)
	talks(t, room, bob, alice)
	if slices.Contains(bob.shown(room), "alice: two") || slices.Contains(alice.shown(room), "alice: two") {
		t.Error("what was said in the phone's room is in theirs")
	}
	if slices.Contains(phone.shown(room), "bob: bob is here") {
		t.Error("the phone reads what is said in the others' room")
	}
}

func offeredToTwo(t *testing.T, s *evil.Service) {
	alice := settle(t, s, "alice")
	room := diary(t, alice)
	alice.stop()
	phone, tablet := arrive(t, s), arrive(t, s)
	s.Split(tablet.line)
	saids := []*int{phone.restarts(nil), tablet.restarts(nil)}
	phone.signInOn("alice", "phone")
	tablet.signInOn("alice", "tablet")
	time.Sleep(5 * time.Minute)
	for i, p := range []*target{phone, tablet} {
		p.send(room, "from the "+p.me().DeviceName)
		wait()
		p.sees(room, "alice: one", "alice: from the "+p.me().DeviceName)
		if *saids[i] != 1 {
			t.Errorf("the %s has said %d restarts", p.me().DeviceName, *saids[i])
		}
	}
	s.Join()
	time.Sleep(10 * time.Minute)
	phone.send(room, "still here")
	wait()
	phone.sees(room, "alice: one", "alice: from the phone", "alice: still here")
	if *saids[0]+*saids[1] != 2 {
		t.Errorf("the two have said %d restarts", *saids[0]+*saids[1])
	}
	if got := tablet.shown(room); slices.Contains(got, "alice: still here") {
		t.Errorf("the tablet, in a room of its own, reads %q", got)
	}
}

func restartAgain(t *testing.T, s *evil.Service) {
	alice := settle(t, s, "alice")
	room := diary(t, alice)
	alice.stop()
	phone := arrive(t, s)
	var submit *wire.Submit
	phone.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		if f.GetSubmit().GetKind() == wire.EntryKind_ENTRY_KIND_RESTART {
			submit = f.GetSubmit()
		}
		return f, nil
	})
	phone.signInOn("alice", "phone")
	time.Sleep(2 * time.Minute)
	phone.back(room)
	if submit == nil {
		t.Fatal("the phone has said no restart")
	}
	before, me := phone.dump(), phone.me()
	phone.line.Insert(room, &wire.Entry{Kind: submit.Kind, Device: me.Device.Bytes(), Account: me.Account.Bytes(), Id: submit.Id, Epoch: submit.Epoch,
		At: time.Now().UnixMilli(), Payload: submit.Payload})
	wait()
	phone.told(room, "begun anew in another state of it")
	phone.unchanged(before)
	for key := range phone.disk.Snapshot() {
		if strings.HasPrefix(key, "rejoin/") {
			t.Error("the phone has given up the keys of the room")
		}
	}
}

func neverRight(t *testing.T, s *evil.Service) {
	alice := settle(t, s, "alice")
	room := diary(t, alice)
	alice.stop()
	phone, epoch := arrive(t, s), uint64(0)
	said := phone.restarts(func(*wire.ClientFrame) *wire.ServerFrame {
		body := &wire.Error{Code: wire.ErrorCode_ERROR_CODE_EPOCH, Message: "no", Epoch: epoch}
		return &wire.ServerFrame{Body: &wire.ServerFrame_Error{Error: body}}
	})
	phone.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		for _, r := range f.GetRooms().GetRooms() {
			r.Epoch = epoch
		}
		return []*wire.ServerFrame{f}
	})
	phone.signInOn("alice", "phone")
	for _, epoch = range []uint64{0, 7, 1 << 63} {
		*said = 0
		phone.line.Cut()
		time.Sleep(20 * time.Minute)
		phone.shut(room)
		if *said > 45 {
			t.Errorf("by epoch %d the phone has said %d restarts in twenty minutes", epoch, *said)
		}
	}
	phone.line.Ask(nil)
	phone.line.Tell(nil)
	phone.line.Cut()
	time.Sleep(12 * time.Minute)
	phone.back(room)
}

func nonsenseAcked(t *testing.T, s *evil.Service) {
	alice := settle(t, s, "alice")
	room := diary(t, alice)
	alice.stop()
	phone := arrive(t, s)
	head := make([]byte, 32)
	lies := []*wire.Ack{{}, {Seq: 9}, {Seq: 0, Head: head}, {Seq: 1 << 63, Head: head}, {Seq: 9, Head: head, At: -1}, {Seq: 9, Head: head, At: 1 << 60}}
	var said *int
	said = phone.restarts(func(*wire.ClientFrame) *wire.ServerFrame {
		return &wire.ServerFrame{Body: &wire.ServerFrame_Ack{Ack: lies[(*said-1)%len(lies)]}}
	})
	phone.signInOn("alice", "phone")
	time.Sleep(5 * time.Minute)
	for range lies {
		time.Sleep(10 * time.Minute)
		phone.shut(room)
	}
	if *said < len(lies) || *said > 2*len(lies) {
		t.Errorf("the phone has said %d restarts in an hour", *said)
	}
	phone.line.Ask(nil)
	time.Sleep(11 * time.Minute)
	phone.back(room)
}

func headWithheld(t *testing.T, s *evil.Service) {
	alice := settle(t, s, "alice")
	room := diary(t, alice)
	alice.stop()
	phone := arrive(t, s)
	said := phone.restarts(nil)
	for _, lie := range []func(f *wire.ServerFrame) []*wire.ServerFrame{
		func(f *wire.ServerFrame) []*wire.ServerFrame { // none at all
			if f.GetArchive() != nil {
				f.Body = &wire.ServerFrame_Archive{Archive: new(wire.Archive)}
			}
			return []*wire.ServerFrame{f}
		},
		func(f *wire.ServerFrame) []*wire.ServerFrame { // an error
			if f.GetArchive() != nil {
				f.Body = &wire.ServerFrame_Error{Error: &wire.Error{Code: wire.ErrorCode_ERROR_CODE_INTERNAL, Message: "no"}}
			}
			return []*wire.ServerFrame{f}
		},
		func(f *wire.ServerFrame) []*wire.ServerFrame { // noise
			if f.GetArchive() != nil {
				f.Body = &wire.ServerFrame_Archive{Archive: &wire.Archive{Revision: 1 << 63, Head: make([]byte, 1053)}}
			}
			return []*wire.ServerFrame{f}
		},
	} {
		phone.line.Tell(lie)
		if _, signedIn := phone.Me(); !signedIn {
			phone.signInOn("alice", "phone")
		}
		phone.line.Cut()
		time.Sleep(5 * time.Minute)
		phone.shut(room)
	}
	if *said != 0 {
		t.Errorf("the phone has said %d restarts", *said)
	}
	phone.line.Tell(nil)
	phone.line.Cut()
	time.Sleep(2 * time.Minute)
	phone.back(room)
}
