package client_test

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestSiegeOfTheLost has the server abuse that a device has lost the keys of a room, and asks the members to be let in anew.
func TestSiegeOfTheLost(t *testing.T) {
	besiege(t, []siege{
		{"nothing", `
			The server does what it should; bob has lost the keys of the room. This is how it goes when nobody is in the way.`, lostAndLetIn},
		{"the answer held back", `
			The server keeps the Welcome that answers bob's request to itself. It hopes that he is out of the room for good, or takes
			himself for removed.`, answerHeldBack},
		{"an answer of long ago", `
			The server gives bob the Welcome by which he first came in, as the answer to his request. It hopes that he takes a
			state of the room for new of which it has learned the keys since.`, answerOfOld},
		{"the request thrown away", `
			The server acknowledges bob's request and throws it away, and says that it took bob out of the room. It hopes that he
			believes it, or has nothing left to do.`, requestThrownAway},
		{"the request said again", `
			The server gives the others bob's request in every place of the log, long after it was answered, with heads that
			add up. It hopes that he is put out and let in until he has no keys, or that nobody can say anything.`, requestSaidAgain},
	})
}

// forgets starts somebody anew on a store without the keys of any room.
func (p *target) forgets(s *evil.Service) *target {
	p.t.Helper()
	p.stop()
	records := p.disk.Snapshot()
	maps.DeleteFunc(records, func(key string, _ []byte) bool { return strings.HasPrefix(key, "group/") })
	p.disk.Restore(records)
	return arriveOn(p.t, s, p.disk)
}

// talks fails the test unless these people hear one another.
func talks(t *testing.T, room ident.RoomID, people ...*target) {
	t.Helper()
	var said []string
	for _, p := range people {
		p.send(room, p.handle()+" is here")
		said = append(said, p.handle()+": "+p.handle()+" is here")
		wait()
	}
	for _, p := range people {
		p.sees(room, said...)
		p.told(room, "")
	}
}

func lostAndLetIn(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	room := club(t, "garden", alice, bob, carol)
	before := bob.shown(room)
	bob = bob.forgets(s)
	wait()
	bob.sees(room, before...)
	talks(t, room, bob, alice, carol)
	equal(t, carol.members(room), []string{"alice owner 1", "bob member 1", "carol member 1"})
}

func answerHeldBack(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	bob.stop()
	bob = bob.forgets(s)
	bob.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		if f.GetWelcome() != nil {
			return nil
		}
		return []*wire.ServerFrame{f}
	})
	bob.line.Cut()
	wait()
	alice.send(room, "are you there?")
	wait()
	bob.told(room, "has lost the keys")
	bob.line.Tell(nil)
	bob.line.Cut()
	wait()
	talks(t, room, bob, alice)
}

func answerOfOld(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	old := frames(bob.line, (*wire.ServerFrame).GetWelcome)
	if len(old) == 0 {
		t.Fatal("bob came in without a Welcome")
	}
	alice.stop()
	bob = bob.forgets(s)
	wait()
	before := bob.dump()
	for _, seq := range []uint64{old[0].Seq, 100} {
		again := &wire.WelcomeEvent{Room: old[0].Room, Seq: seq, Head: old[0].Head, Account: old[0].Account, Device: old[0].Device, Welcome: old[0].Welcome}
		bob.line.Say(&wire.ServerFrame{Body: &wire.ServerFrame_Welcome{Welcome: again}})
		wait()
		bob.unchanged(before)
		bob.told(room, "has lost the keys")
	}
	alice = arriveOn(t, s, alice.disk)
	wait()
	talks(t, room, bob, alice)
}

func requestThrownAway(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	bob = bob.forgets(s)
	bob.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		if submit := f.GetSubmit(); submit == nil || submit.Kind != wire.EntryKind_ENTRY_KIND_PROPOSAL {
			return f, nil
		}
		body := &wire.Ack{Seq: 1000, Head: make([]byte, 32), At: 1}
		return nil, []*wire.ServerFrame{{Id: f.Id, Body: &wire.ServerFrame_Ack{Ack: body}}}
	})
	bob.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		for _, r := range f.GetRooms().GetRooms() {
			r.Joined = false
		}
		return []*wire.ServerFrame{f}
	})
	bob.line.Cut()
	wait()
	if r, err := bob.Room(bob.ctx(), room); err != nil || !r.Joined || r.Problem == "" || !strings.Contains(r.Try, "the server says") {
		t.Errorf("the room is %+v, %v, want it joined, a problem, and that the server says otherwise", r, err)
	}
	bob.line.Ask(nil)
	bob.line.Tell(nil)
	topic := "where is bob?"
	if err := alice.ChangeRoom(alice.ctx(), room, client.RoomSettings{Topic: &topic}); err != nil {
		t.Fatal(err)
	}
	bob.line.Cut()
	wait()
	talks(t, room, bob, alice)
}

func requestSaidAgain(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	room := club(t, "garden", alice, bob, carol)
	bob = bob.forgets(s)
	var request *wire.Entry
	var lines sync.Mutex // both have the request
	for _, p := range []*target{alice, carol} {
		p.line.Rewrite(room, func(e *wire.Entry) []*wire.Entry {
			lines.Lock()
			defer lines.Unlock()
			if e.Kind == wire.EntryKind_ENTRY_KIND_PROPOSAL {
				request = e
			}
			if request == nil || request == e {
				return []*wire.Entry{e}
			}
			again := *request
			again.Epoch = e.Epoch
			return []*wire.Entry{e, &again}
		})
	}
	wait()
	for _, p := range []*target{alice, carol, alice} {
		p.send(room, p.handle()+" goes on")
		wait()
	}
	if request == nil {
		t.Fatal("bob has not asked")
	}
	if got := alice.members(room); len(got) != 3 {
		t.Errorf("in the room are %v, want the three", got)
	}
	bob.send(room, "so do I")
	wait()
	bob.sees(room, "alice: alice goes on", "carol: carol goes on", "alice: alice goes on", "bob: so do I")
}
