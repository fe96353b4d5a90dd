package client_test

import (
	"bytes"
	"slices"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestSiegeOfTheLog has the server tell people other histories than those that they have made.
func TestSiegeOfTheLog(t *testing.T) {
	besiege(t, []siege{
		{"rewound", `
			The operator restores yesterday's database and says nothing. It hopes that what was said since is forgotten, and that
			new messages take the places of those.`, rewound},
		{"rewound and written over", `
			The operator restores an old database and lets one person write where another one's message was. It hopes that the
			others take the new entry for the one that they have, and never see it.`, writtenOver},
		{"two halves", `
			The operator runs two servers from one database, each for half of a room, and lets each half change the room's state
			by a commit of the same epoch. It hopes to give each half a different room, and to bring them together later.`, twoHalves},
		{"two halves, told of each other", `
			The operator has split a room as above, and then gives one half the other half's commit and messages as if they were of
			its own log, with numbers and heads that add up.`, halvesMixed},
		{"an entry dropped", `
			The server leaves out one entry for one person, and gives the next one with its true number. It hopes that nobody
			counts.`, dropped},
		{"a history held back", `
			The server keeps all entries from one person, and says that there are none. It hopes that silence is believed; it is
			availability, which nobody promises, but what is behind must not be lost.`, heldBack},
		{"a consistent other history", `
			The server leaves out, swaps, repeats or backdates entries for one person, and makes numbers, heads and acknowledgements
			agree with that for good. It hopes that two people read the same words to another effect, and never find out.`, otherHistory},
		{"an entry told twice", `
			The server gives one entry a second time, under the next number and with a head that adds up. It hopes that an order to
			pay is carried out twice.`, duplicated},
		{"an acknowledgement of nothing", `
			The server acknowledges a message and throws it away. It hopes that the sender takes it for said.`, ackedAway},
		{"a refusal that is none", `
			The server refuses each message for being of a past epoch, though it is not. It hopes that one key seals two texts.`, sealedAnew},
		{"another sender's message", `
			The server gives a message that bob has sealed as one of alice's, or as one of another time or place in the log, with
			heads that add up. It hopes that carol reads it as alice's.`, anotherSender},
	})
}

func rewound(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	yesterday := s.Backup()
	alice.send(room, "this was said")
	wait()
	before := bob.dump()
	s.Restore(yesterday)
	wait()
	bob.unchanged(before)
	bob.told(room, "shorter")
	alice.told(room, "shorter")
	_, err := bob.Send(bob.ctx(), room, "is anybody there")
	refusal(t, "sending", err, "shorter")
}

func writtenOver(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	room := club(t, "garden", alice, bob, carol)
	yesterday := s.Backup()
	carol.stop() // has not heard what comes
	alice.send(room, "I owe you 10")
	wait()
	before := bob.dump()
	bob.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		// Bob is shown no list of rooms that would give it away.
		if rooms := f.GetRooms(); rooms != nil {
			for _, r := range rooms.Rooms {
				r.Seq += 100
			}
		}
		return []*wire.ServerFrame{f}
	})
	alice.stop()
	s.Restore(yesterday)
	carol = &target{startOver(t, carol.line, carol.disk, nil), carol.line}
	carol.send(room, "nobody owes anybody")
	wait()
	bob.unchanged(before)
	carol.send(room, "do they")
	wait()
	bob.unchanged(before)
	bob.told(room, "does not add up")
}

func twoHalves(t *testing.T, s *evil.Service) {
	alice, bob, carol, dave := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol"), settle(t, s, "dave")
	room := club(t, "garden", alice, bob, carol, dave)
	if err := alice.SetRole(alice.ctx(), room, "carol", "admin"); err != nil {
		t.Fatal(err)
	}
	wait()
	s.Split(carol.line, dave.line)
	wait()
	alice.rename(room, "roses")
	carol.rename(room, "thorns")
	alice.send(room, "among roses")
	carol.send(room, "among thorns")
	wait()
	bob.sees(room, "alice: among roses")
	dave.sees(room, "carol: among thorns")
	// One half is led to the other's server: its history does not follow from what they have seen, and they say so.
	before := dave.dump()
	s.Join()
	wait()
	dave.unchanged(before)
	dave.told(room, "history")
	carol.told(room, "history")
	_, err := dave.Send(dave.ctx(), room, "hello, other half")
	refusal(t, "sending into the other half", err, "history")
	bob.told(room, "")
	alice.send(room, "we are two")
	wait()
	bob.sees(room, "alice: among roses", "alice: we are two")
}

func (p *target) rename(room ident.RoomID, name string) {
	p.t.Helper()
	if err := p.ChangeRoom(p.ctx(), room, client.RoomSettings{Name: &name}); err != nil {
		p.t.Fatalf("renaming the room: %v", err)
	}
}

func halvesMixed(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	room := club(t, "garden", alice, bob, carol)
	if err := alice.SetRole(alice.ctx(), room, "carol", "admin"); err != nil {
		t.Fatal(err)
	}
	wait()
	s.Split(carol.line)
	wait()
	alice.rename(room, "roses")
	alice.send(room, "among roses")
	wait()
	carol.rename(room, "thorns") // by a commit of the same epoch
	wait()
	before := carol.members(room)
	for _, heard := range frames(bob.line, (*wire.ServerFrame).GetEntries) {
		if last := heard.Entries[len(heard.Entries)-1]; bytes.Equal(heard.Room, room[:]) && last.Kind == wire.EntryKind_ENTRY_KIND_SEALED {
			carol.line.Insert(room, last)
		}
	}
	wait()
	if got := carol.shown(room); slices.Contains(got, "alice: among roses") {
		t.Errorf("carol sees %q", got)
	}
	equal(t, carol.members(room), before)
	if r, err := carol.Room(carol.ctx(), room); err != nil || r.Name != "thorns" {
		t.Errorf("the room is %q, %v", r.Name, err)
	}
}

func dropped(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	before := bob.dump()
	drop := true
	bob.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		if f.GetEntries() != nil && drop {
			drop = false
			return nil
		}
		return []*wire.ServerFrame{f}
	})
	alice.send(room, "do not come")
	alice.send(room, "come")
	wait()
	bob.unchanged(before)
	bob.told(room, "left out")
	// The truth, when it comes after all, mends it.
	bob.line.Tell(nil)
	bob.line.Cut()
	wait()
	bob.sees(room, "alice: do not come", "alice: come")
	bob.told(room, "")
}

func heldBack(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	before := bob.dump()
	var held []*wire.ServerFrame
	bob.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		if f.GetEntries() != nil {
			held = append(held, f)
			return nil
		}
		return []*wire.ServerFrame{f}
	})
	for _, text := range []string{"one", "two", "three"} {
		alice.send(room, text)
	}
	wait()
	bob.unchanged(before)
	bob.line.Tell(nil)
	bob.line.Say(held...)
	wait()
	bob.sees(room, "alice: one", "alice: two", "alice: three")
	bob.told(room, "")
}

func duplicated(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	bob.line.Rewrite(room, func(e *wire.Entry) []*wire.Entry { return []*wire.Entry{e, e} })
	alice.send(room, "pay carol 10")
	wait()
	bob.sees(room, "alice: pay carol 10", "gap: not decryptable: its key was used already")
}

func otherHistory(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	for _, row := range []struct {
		name   string
		script func() evil.Rewrite
		sees   []string
	}{
		{"left out", func() evil.Rewrite {
			n := 0
			return func(e *wire.Entry) []*wire.Entry {
				if n++; n == 2 {
					return nil
				}
				return []*wire.Entry{e}
			}
		}, []string{"alice: sell", "alice: the shares"}},
		{"swapped", func() evil.Rewrite {
			var first *wire.Entry
			return func(e *wire.Entry) []*wire.Entry {
				if first == nil {
					first = e
					return nil
				}
				if first.Seq+1 == e.Seq {
					return []*wire.Entry{e, first}
				}
				return []*wire.Entry{e}
			}
		}, []string{"alice: do not", "alice: sell", "alice: the shares"}},
		{"backdated", func() evil.Rewrite {
			return func(e *wire.Entry) []*wire.Entry {
				e.At -= 24 * 3600 * 1000
				return []*wire.Entry{e}
			}
		}, []string{"alice: sell", "alice: do not", "alice: the shares"}},
		{"repeated", func() evil.Rewrite {
			n := 0
			return func(e *wire.Entry) []*wire.Entry {
				if n++; n == 1 {
					return []*wire.Entry{e, e}
				}
				return []*wire.Entry{e}
			}
		}, []string{"alice: sell", "gap: not decryptable: its key was used already", "alice: do not", "alice: the shares"}},
	} {
		t.Log(row.name)
		room := club(t, "garden", alice, bob)
		bob.line.Rewrite(room, row.script())
		for _, text := range []string{"sell", "do not", "the shares"} {
			alice.send(room, text)
			wait()
		}
		bob.sees(room, row.sees...)
		bob.told(room, "the server shows @alice another history of this room")
		bob.send(room, "understood")
		wait()
		alice.told(room, "the server shows @bob another history of this room")
		alice.sees(room, "alice: sell", "alice: do not", "alice: the shares", "bob: understood")
	}
}

func ackedAway(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	r, err := alice.Room(alice.ctx(), room)
	if err != nil {
		t.Fatal(err)
	}
	alice.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		if f.GetSubmit() == nil {
			return f, nil
		}
		body := &wire.Ack{Seq: r.Seq + 1, Head: bytes.Repeat([]byte{7}, 32), At: 1}
		return nil, []*wire.ServerFrame{{Id: f.Id, Body: &wire.ServerFrame_Ack{Ack: body}}}
	})
	alice.send(room, "help")
	alice.line.Ask(nil)
	bob.send(room, "all is well")
	wait()
	alice.told(room, "acknowledged another history")
	// The message stands among those that are not in the room.
	messages, err := alice.History(alice.ctx(), room, client.HistoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if last := messages[len(messages)-1]; last.Text != "help" || last.Seq != 0 {
		t.Errorf("the message is shown as %+v, want it without a place in the log", last)
	}
}

func sealedAnew(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	var payloads [][]byte
	alice.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		submit := f.GetSubmit()
		if submit == nil || len(payloads) == 5 {
			return f, nil
		}
		payloads = append(payloads, submit.Payload)
		return nil, []*wire.ServerFrame{{Id: f.Id, Body: &wire.ServerFrame_Error{Error: &wire.Error{
			Code: wire.ErrorCode_ERROR_CODE_EPOCH, Message: "behind", Epoch: submit.Epoch}}}}
	})
	alice.send(room, "the same words")
	wait()
	bob.sees(room, "alice: the same words")
	if len(payloads) != 5 {
		t.Fatalf("%d payloads were refused, want 5", len(payloads))
	}
	for i, p := range payloads {
		for _, other := range payloads[:i] {
			if bytes.Equal(p, other) {
				t.Error("a refused payload was sent again as it was")
			}
		}
	}
}

func anotherSender(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	room, attic := club(t, "garden", alice, bob, carol), club(t, "attic", alice, bob, carol)
	var of *wire.Entry
	for _, row := range []struct {
		name   string
		change func(e *wire.Entry)
		want   string
	}{
		{"as alice's", func(e *wire.Entry) { e.Device, e.Account = alice.me().Device.Bytes(), alice.me().Account.Bytes() }, "gap: it was written by another device, or as another message, than the server says"},
		{"as carol's own", func(e *wire.Entry) { e.Device, e.Account = carol.me().Device.Bytes(), carol.me().Account.Bytes() }, "gap: sent by this device, which does not have it any more"},
		{"under another id", func(e *wire.Entry) { e.Id = bytes.Repeat([]byte{9}, 16) }, "gap: it was written by another device, or as another message, than the server says"},
		{"of another room", func(e *wire.Entry) { e.Payload = of.Payload }, "gap: not decryptable: it is malformed"},
		{"as a proposal", func(e *wire.Entry) { e.Kind = wire.EntryKind_ENTRY_KIND_PROPOSAL }, "gap: it is not what the server says it is"},
	} {
		carol.line.Rewrite(attic, func(e *wire.Entry) []*wire.Entry { of = e; return []*wire.Entry{e} })
		bob.send(attic, "in the attic")
		wait()
		carol.line.Rewrite(room, func(e *wire.Entry) []*wire.Entry {
			row.change(e)
			return []*wire.Entry{e}
		})
		bob.send(room, "transfer the house")
		wait()
		t.Log(row.name)
		carol.sees(room, row.want)
	}
}
