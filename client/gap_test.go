package client_test

import (
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// rows gives a part of what a device shows of a room.
func (d *device) rows(room ident.RoomID, options client.HistoryOptions) (placed []client.Message) {
	d.sim.t.Helper()
	d.take(d.core.History(d.sim.call(), room, options))
	for _, m := range d.core.Replies[len(d.core.Replies)-1].Value.([]client.Message) {
		if m.Seq > 0 {
			placed = append(placed, m)
		}
	}
	if len(placed) > options.Limit {
		d.sim.fatalf("%s: asked for %d rows of %s, got %d", d.name, options.Limit, room, len(placed))
	}
	return placed
}

// pages reads a room from its end to its beginning, or the reverse, few rows at a time.
func (d *device) pages(room ident.RoomID, limit int, forward bool) (rows []client.Message) {
	options := client.HistoryOptions{Limit: limit}
	if forward {
		rows = d.rows(room, client.HistoryOptions{Before: 2, Limit: limit})
		options.After = 1
	}
	for {
		page := d.rows(room, options)
		if len(page) == 0 {
			return rows
		}
		if forward {
			rows = append(rows, page...)
			options.After = page[len(page)-1].End()
		} else {
			rows = append(page, rows...)
			options.Before = page[0].Seq
		}
	}
}

// checkPlaces sees that each place of a room's log, from 1 to where the device is, is one of these: a message, a gap
// with its cause, or an entry of which there is nothing to show; however the history is turned over.
func (s *sim) checkPlaces(d *device, v client.View) {
	records := d.disk.Snapshot()
	for _, page := range []struct {
		limit   int
		forward bool
	}{{1, false}, {3, false}, {1000, false}, {1, true}, {3, true}} {
		next := uint64(1)
		for _, m := range d.pages(v.ID, page.limit, page.forward) {
			for ; next < m.Seq; next++ {
				if !client.Hidden(records, v.ID, next) {
					s.fatalf("%s: place %d of %s is nothing, turning %+v", d.name, next, v.ID, page)
				}
			}
			stored := len(client.ReadMessages(records, v.ID, m.End())) - len(client.ReadMessages(records, v.ID, m.Seq-1))
			switch {
			case m.Seq < next && !page.forward || m.End() < next:
				s.fatalf("%s: place %d of %s comes twice, turning %+v", d.name, m.Seq, v.ID, page)
			case m.Kind != client.Gap && (stored != 1 || m.Text == ""):
				s.fatalf("%s: place %d of %s is shown as %+v", d.name, m.Seq, v.ID, m)
			case m.Kind == client.Gap && (m.Gap == "" || m.Try == "" || m.At.IsZero()):
				s.fatalf("%s: places %d to %d of %s are not explained: %+v", d.name, m.Seq, m.End(), v.ID, m)
			}
			next = m.End() + 1
		}
		for ; next <= v.Seq; next++ {
			if !client.Hidden(records, v.ID, next) {
				s.fatalf("%s: place %d of %s, whose end is %d, is nothing, turning %+v", d.name, next, v.ID, v.Seq, page)
			}
		}
	}
}

// gaps gives the gaps that a device shows.
func gaps(d *device, room ident.RoomID) (gaps []client.Message) {
	for _, m := range d.rows(room, client.HistoryOptions{Limit: 1000}) {
		if m.Kind == client.Gap {
			gaps = append(gaps, m)
		}
	}
	return gaps
}

// TestGapsOfAbsence has somebody come late, go, come back and lose the keys: each time the log tells which places this
// device has not got, and why.
func TestGapsOfAbsence(t *testing.T) {
	s := &theft{sim: newSim(t, 1)}
	for _, handle := range []string{"alice", "bob"} {
		d := s.boot(handle, handle, testkit.NewDisk())
		d.take(d.core.Register(s.call(), handle))
		s.settle(time.Second)
	}
	alice, bob := s.devices[0], s.devices[1]
	alice.take(alice.core.CreateRoom(s.call(), "garden", nil))
	s.settle(time.Second)
	s.room = s.model.Rooms()[0]
	talk := func() {
		for range 3 {
			s.say(0)
		}
	}
	change := func(remove bool) {
		alice.take(alice.core.Change(s.call(), s.room, remove, bob.me))
		s.settle(5 * time.Second)
	}
	talk() // places 1 to 3
	change(false)
	s.say(1)
	talk()
	change(true)
	left := bob.view(s.room).Seq
	talk()
	change(false)
	s.say(1)

	back := bob.view(s.room).Since
	got := gaps(bob, s.room)
	if len(got) != 2 {
		t.Fatalf("got the gaps %+v, want two", got)
	}
	for i, want := range []struct {
		from, until uint64
		cause       string
	}{{1, 3, "not in the room yet"}, {left + 1, back - 1, "out of the room"}} {
		if g := got[i]; g.Seq != want.from || g.Until != want.until || !strings.Contains(g.Gap, want.cause) || g.Ask != "" {
			t.Errorf("got the gap %+v, want %+v", g, want)
		}
	}
	for _, d := range s.devices {
		s.checkPlaces(d, d.view(s.room))
	}
}

// TestGapsOfEntries has alice's client submit what is no message: bob's says why it cannot be shown and what to do, puts
// together what is of one cause, and what it proposes to do works.
func TestGapsOfEntries(t *testing.T) {
	s := converse(t, 2, true)
	alice, bob := s.devices[0], s.devices[1]
	v := bob.view(s.room)
	for n := range 3 {
		submit := &wire.Submit{Room: s.room.Bytes(), Kind: wire.EntryKind_ENTRY_KIND_SEALED, Id: make([]byte, 16), Epoch: v.Epoch, Payload: []byte("noise")}
		submit.Id[0] = byte(n)
		frame, err := (&wire.ClientFrame{Id: 1<<40 + uint64(n), Body: &wire.ClientFrame_Submit{Submit: submit}}).MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		alice.session.Handle(frame)
	}
	s.settle(time.Second)
	s.say(0)
	got := gaps(bob, s.room)
	if len(got) != 1 || got[0].Seq != v.Seq+1 || got[0].Until != v.Seq+3 || !strings.Contains(got[0].Gap, "malformed") {
		t.Fatalf("got the gaps %+v, want one of the places %d to %d, malformed", got, v.Seq+1, v.Seq+3)
	}
	if !strings.Contains(got[0].Try, "ask @person0") || !strings.HasPrefix(got[0].Ask, "@person0, ") {
		t.Errorf("got try %q, ask %q", got[0].Try, got[0].Ask)
	}
	call := s.call()
	bob.texts[call] = got[0].Ask
	bob.take(bob.core.Send(call, s.room, got[0].Ask))
	s.settle(time.Second)
	rows := alice.rows(s.room, client.HistoryOptions{Limit: 1})
	if len(rows) != 1 || rows[0].Text != got[0].Ask {
		t.Errorf("alice reads %+v, want that she is asked", rows)
	}
	own := gaps(alice, s.room)
	if len(own) != 1 || own[0].Ask != "" || own[0].Try == "" {
		t.Errorf("alice has the gaps %+v, want one, and nobody to ask", own)
	}
	for _, d := range s.devices {
		s.checkPlaces(d, d.view(s.room))
	}
}
