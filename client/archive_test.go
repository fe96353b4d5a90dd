package client_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// newDevice signs in to an account on a new disk, and gives it the time to come into its rooms.
func newDevice(t *testing.T, net *testkit.Net, handle string, proves bool) *person {
	t.Helper()
	p := start(t, net, testkit.NewDisk(), proves)
	if err := p.login(handle, passphrase); err != nil {
		t.Fatal(err)
	}
	wait()
	return p
}

// history gives what a device shows of a room without asking anybody first, as texts does.
func (p *person) history(room ident.RoomID, options client.HistoryOptions) (texts []string) {
	p.t.Helper()
	messages, err := p.History(p.ctx(), room, options)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range messages {
		switch m.Kind {
		case client.Text:
			texts = append(texts, m.From+": "+m.Text)
		case client.Gap:
			texts = append(texts, "gap: "+m.Gap)
		}
	}
	return texts
}

func (p *person) archive() client.Archive {
	p.t.Helper()
	a, err := p.Archive(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// archiveOf looks into the server's side of an account's archive.
func archiveOf(net *testkit.Net, handle string) (a testkit.ModelArchive) {
	net.Do(func(m *testkit.Model) { a = m.Archive(handle).Clone() })
	return a
}

const (
	gapComing  = "gap: what was said before is on the account's other devices, which archive it when they have been online for about a minute"
	gapOff     = "gap: what was said before is on the account's other devices: the archive is off"
	gapOffline = "gap: what was said before is in the archive on the server, which cannot be reached now"
)

// TestArchive: a device that signs in reads what was said in pairs and groups before it came, with sender, time and place,
// gaps as the gaps that they were, and goes on from there; the server's side of it holds none of it in the open.
func TestArchive(t *testing.T) {
	for _, proves := range []bool{true, false} {
		t.Run(fmt.Sprintf("proves=%v", proves), func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				garden, err := bob.CreateRoom(bob.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"alice"}})
				if err != nil {
					t.Fatal(err)
				}
				bob.send(garden.ID, "apples")
				wait()
				alice.send(garden.ID, "pears")
				wait()
				phone := newDevice(t, net, "bob", proves)
				alice.send(room, "three")
				wait()
				want := []string{"alice: one", "bob: two", "alice: three"}
				equal(t, phone.texts(room), want)
				equal(t, phone.texts(garden.ID), []string{"bob: apples", "alice: pears"})
				sameMessages(t, bob, phone, room)
				sameMessages(t, bob, phone, garden.ID)
				equal(t, phone.notices(garden.ID)[:1], []string{"@bob added @alice"})

				// What is read once is here without the server.
				net.Cut(errDown)
				wait()
				equal(t, phone.history(room, client.HistoryOptions{}), want)
				for id, chunks := range archiveOf(net, "bob").Chunks {
					for _, chunk := range chunks {
						if bytes.Contains(chunk, []byte("apples")) || bytes.Contains(chunk, []byte("alice")) {
							t.Errorf("a chunk of %s holds what was said", id)
						}
					}
				}
			})
		})
	}
}

var errDown = fmt.Errorf("the server is down")

// sameMessages fails unless two devices of one account show the same texts, in every detail.
func sameMessages(t *testing.T, here, there *person, room ident.RoomID) {
	t.Helper()
	var lists [2][]client.Message
	for i, p := range []*person{here, there} {
		messages, err := p.History(p.ctx(), room, client.HistoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = slices.DeleteFunc(messages, func(m client.Message) bool { return m.Kind == client.Notice })
	}
	if fmt.Sprint(lists[0]) != fmt.Sprint(lists[1]) {
		t.Errorf("one device shows  %v\nanother one shows %v", lists[0], lists[1])
	}
}

// TestArchiveByPage: a long history comes as far as somebody scrolls, the newest first, and each part of it once.
func TestArchiveByPage(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, _, room := pair(t, net)
		var want []string
		for i := range 12 {
			text := fmt.Sprint(i, " ", strings.Repeat("long ", 6000))
			alice.send(room, text)
			want = append(want, "alice: "+text)
		}
		time.Sleep(10 * time.Minute)
		chunks := len(archiveOf(net, "bob").Chunks[room])
		if chunks < 6 {
			t.Fatalf("%d chunks, want 6 at least", chunks)
		}
		phone := newDevice(t, net, "bob", true)
		asked := 0
		net.Do(func(m *testkit.Model) {
			m.Lose = func(from ident.DeviceID, f *wire.ClientFrame) bool {
				if f.GetFetchArchive() != nil {
					asked++
				}
				return false
			}
		})
		messages, err := phone.History(phone.ctx(), room, client.HistoryOptions{Limit: 4})
		if err != nil || len(messages) != 4 || messages[3].Kind != client.Notice || messages[2].Text != strings.TrimPrefix(want[11], "alice: ") {
			t.Fatalf("the newest page: %d messages, %v", len(messages), err)
		}
		if asked == 0 || asked >= chunks/2 { // the model gives two at a time
			t.Errorf("%d requests for the newest page of %d chunks", asked, chunks)
		}
		for before := messages[0].Seq; ; {
			older, err := phone.History(phone.ctx(), room, client.HistoryOptions{Limit: 4, Before: before})
			if err != nil {
				t.Fatal(err)
			}
			if len(older) == 0 {
				break
			}
			messages, before = append(older, messages...), older[0].Seq
		}
		var got []string
		for _, m := range messages {
			if m.Kind == client.Text {
				got = append(got, m.From+": "+m.Text)
			}
		}
		equal(t, got, append([]string{"alice: one", "bob: two"}, want...))
		all := asked
		phone.texts(room)
		if asked != all {
			t.Errorf("%d requests for what was read before", asked-all)
		}
	})
}

// TestArchiveAfterAMinute: a device that was online for a few seconds has archived nothing of what was just said, and one that
// was for a minute has all of it, as the gap says.
func TestArchiveAfterAMinute(t *testing.T) {
	for _, row := range []struct {
		name   string
		online time.Duration
		want   []string
	}{
		{"seconds", 5 * time.Second, []string{gapComing}},
		{"a minute", 65 * time.Second, []string{"alice: one"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
				room, err := alice.Direct(alice.ctx(), "bob")
				if err != nil {
					t.Fatal(err)
				}
				alice.send(room, "one")
				time.Sleep(row.online)
				bob.stop()
				phone := newDevice(t, net, "bob", true)
				equal(t, phone.texts(room), row.want)
			})
		})
	}
}

// TestArchiveOthersAway: where none of the account's other devices is there when a new one comes, a gap says so, until one
// of them is back; then there is more to be read, and the new one is told.
func TestArchiveOthersAway(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, room := pair(t, net)
		bob.stop() // before it has archived anything
		if a := archiveOf(net, "bob"); a.Revision != 0 {
			t.Fatalf("the archive has revision %d already", a.Revision)
		}
		phone := newDevice(t, net, "bob", true)
		alice.send(room, "three")
		equal(t, phone.texts(room), []string{gapComing, "alice: three"})
		time.Sleep(2 * time.Minute) // the phone archives its part
		alice.send(room, "four")
		events := phone.Events()
		laptop := start(t, net, bob.disk, true)
		wait()
		equal(t, laptop.texts(room), []string{"alice: one", "bob: two", "alice: three", "alice: four"})
		told := false
		for len(events.C) > 0 {
			_, is := (<-events.C).(client.ArchiveChanged)
			told = told || is
		}
		if !told {
			t.Error("nobody tells that there is more to be read")
		}
		equal(t, phone.texts(room), []string{"alice: one", "bob: two", "alice: three", "alice: four"})
		time.Sleep(2 * time.Minute)
		chunks, covered := laptop.Archived(room)
		if len(covered) != 1 || chunks != len(archiveOf(net, "bob").Chunks[room]) {
			t.Errorf("%d chunks cover %v, want one part of the log", chunks, covered)
		}
		equal(t, newDevice(t, net, "bob", true).texts(room), []string{"alice: one", "bob: two", "alice: three", "alice: four"})
	})
}

// TestArchiveOnce: of several devices of an account that are all there, one archives each part of the log.
func TestArchiveOnce(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, room := pair(t, net)
		phone, tablet := newDevice(t, net, "bob", true), newDevice(t, net, "bob", false)
		time.Sleep(5 * time.Minute)
		before := len(archiveOf(net, "bob").Chunks[room])
		for i := range 5 {
			alice.send(room, fmt.Sprint("more ", i))
			time.Sleep(3 * time.Minute)
			// Each minute of talk is one chunk, of devices that have all tried.
			if got := len(archiveOf(net, "bob").Chunks[room]); got != before+i+1 {
				t.Errorf("%d chunks after %d, want %d", got, i, before+i+1)
			}
		}
		for _, p := range []*person{bob, phone, tablet} {
			if chunks, covered := p.Archived(room); len(covered) != 1 || chunks != before+5 {
				t.Errorf("a device knows of %d chunks that cover %v", chunks, covered)
			}
		}
	})
}

// TestArchiveUnanswered: where the answer to a change is lost, nothing is archived twice and nothing is left out.
func TestArchiveUnanswered(t *testing.T) {
	for _, lost := range []string{"the change", "its answer"} {
		t.Run(lost, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				me := bob.device()
				cuts := 2
				net.Do(func(m *testkit.Model) {
					m.Lose = func(from ident.DeviceID, f *wire.ClientFrame) bool {
						return lost == "the change" && from == me && f.GetChangeArchive() != nil && cuts > 0 && func() bool { cuts--; return true }()
					}
					m.Tamper = func(to ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
						if lost == "its answer" && to == me && f.GetDone() != nil && cuts > 0 && m.Archive("bob").Revision > uint64(2-cuts) {
							cuts--
							return nil
						}
						return []*wire.ServerFrame{f}
					}
				})
				time.Sleep(5 * time.Minute)
				alice.send(room, "three")
				time.Sleep(5 * time.Minute)
				net.Do(func(*testkit.Model) {
					if cuts != 0 {
						t.Errorf("%d cuts were not made", cuts)
					}
				})
				if chunks, covered := bob.Archived(room); len(covered) != 1 || chunks != 2 {
					t.Errorf("%d chunks cover %v, want 2 and one part", chunks, covered)
				}
				equal(t, newDevice(t, net, "bob", true).texts(room), []string{"alice: one", "bob: two", "alice: three"})
			})
		})
	}
}

// TestArchiveOff: off, for the account or for one room, deletes what the server has, is so for every device, and is said
// where history is missing; on again brings what the devices have.
func TestArchiveOff(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, room := pair(t, net)
		garden, err := bob.CreateRoom(bob.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"alice"}})
		if err != nil {
			t.Fatal(err)
		}
		bob.send(garden.ID, "apples")
		phone := newDevice(t, net, "bob", true)
		if a := phone.archive(); !a.On || len(a.Off) != 0 || a.Problem != "" {
			t.Fatalf("at first %+v, want on", a)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			wait()
		}
		must(phone.SetRoomArchive(phone.ctx(), room, false))
		if a := bob.archive(); !a.On || !slices.Equal(a.Off, []ident.RoomID{room}) {
			t.Errorf("the other device has %+v, want the room off", a)
		}
		alice.send(room, "three")
		time.Sleep(5 * time.Minute)
		if a := archiveOf(net, "bob"); len(a.Chunks[room]) != 0 || len(a.Chunks[garden.ID]) == 0 {
			t.Errorf("the server has %d chunks of the room that is off, %d of the other", len(a.Chunks[room]), len(a.Chunks[garden.ID]))
		}
		tablet := newDevice(t, net, "bob", false)
		equal(t, tablet.texts(room), []string{gapOff})
		equal(t, tablet.texts(garden.ID), []string{"bob: apples"})

		must(tablet.SetArchive(tablet.ctx(), false))
		alice.send(garden.ID, "pears")
		time.Sleep(5 * time.Minute)
		if a := archiveOf(net, "bob"); len(a.Chunks) != 0 {
			t.Errorf("the server has chunks of %d rooms of an archive that is off", len(a.Chunks))
		}
		if a := bob.archive(); a.On {
			t.Error("the other device has the archive on")
		}
		must(bob.SetArchive(bob.ctx(), true))
		must(bob.SetRoomArchive(bob.ctx(), room, true))
		time.Sleep(5 * time.Minute)
		equal(t, tablet.texts(room), []string{"alice: one", "bob: two", "alice: three"})
		last := newDevice(t, net, "bob", false)
		equal(t, last.texts(room), []string{"alice: one", "bob: two", "alice: three"})
		equal(t, last.texts(garden.ID), []string{"bob: apples", "alice: pears"})
	})
}

// TestArchiveRefuses: switches of what there is not are refused.
func TestArchiveRefuses(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		open, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "lobby", Open: true})
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, "an open room", alice.SetRoomArchive(alice.ctx(), open.ID, false), client.Usage)
		wantCode(t, "no room", alice.SetRoomArchive(alice.ctx(), ident.RoomID{1}, false), client.NotFound)
	})
}

// TestArchiveLeft: of a room that the account has left nothing stays on the server.
func TestArchiveLeft(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		garden, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		alice.send(garden.ID, "apples")
		time.Sleep(5 * time.Minute)
		if len(archiveOf(net, "bob").Chunks[garden.ID]) == 0 {
			t.Fatal("nothing was archived")
		}
		if err := bob.LeaveRoom(bob.ctx(), garden.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if got := len(archiveOf(net, "bob").Chunks[garden.ID]); got != 0 {
			t.Errorf("%d chunks are left of a room that was left", got)
		}
		if got := len(archiveOf(net, "alice").Chunks[garden.ID]); got == 0 {
			t.Error("the one who stays has lost hers")
		}
		// Let in again, it begins anew.
		if err := alice.AddMembers(alice.ctx(), garden.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		alice.send(garden.ID, "pears")
		time.Sleep(5 * time.Minute)
		equal(t, newDevice(t, net, "bob", true).texts(garden.ID), []string{"alice: apples", "alice: pears"})
	})
}

// TestArchivedGap: a gap is archived as the gap that it is.
func TestArchivedGap(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		garden, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
		if err == nil {
			err = alice.SetRole(alice.ctx(), garden.ID, "bob", "reader")
		}
		if err != nil {
			t.Fatal(err)
		}
		wait()
		bob.SendUnchecked(garden.ID, "I may not")
		wait()
		want := []string{"gap: its sender may only read in this room"}
		equal(t, alice.texts(garden.ID), want)
		equal(t, newDevice(t, net, "alice", true).texts(garden.ID), want)
	})
}
