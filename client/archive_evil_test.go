package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// TestArchiveTampered: what an operator does to the parts of an archive is found by the device that reads them: nothing
// false is shown, a gap says what is wrong, the rest of the rooms can be used; and when the right parts are back, so is the
// history.
func TestArchiveTampered(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(a *testkit.ModelArchive, room, other ident.RoomID)
		cause  string
	}{
		{"the last part left out", func(a *testkit.ModelArchive, room, _ ident.RoomID) {
			a.Chunks[room] = a.Chunks[room][:len(a.Chunks[room])-1]
		}, "the server has left out a part of it"},
		{"the first part left out", func(a *testkit.ModelArchive, room, _ ident.RoomID) {
			a.Chunks[room] = slices.Concat(a.Chunks[room][1:], a.Chunks[room][:1])
		}, "the server shows another part of it"},
		{"two parts exchanged", func(a *testkit.ModelArchive, room, _ ident.RoomID) {
			a.Chunks[room][0], a.Chunks[room][1] = a.Chunks[room][1], a.Chunks[room][0]
		}, "the server shows another part of it"},
		{"another room's part", func(a *testkit.ModelArchive, room, other ident.RoomID) {
			a.Chunks[room][0] = a.Chunks[other][0]
		}, "the server shows another part of it"},
		{"a bit changed", func(a *testkit.ModelArchive, room, _ ident.RoomID) {
			a.Chunks[room][0] = slices.Clone(a.Chunks[room][0])
			a.Chunks[room][0][99] ^= 1
		}, "the server shows another part of it"},
		{"nothing left", func(a *testkit.ModelArchive, room, _ ident.RoomID) { a.Chunks[room] = nil }, "the server has left out a part of it"},
		{"a head of noise", func(a *testkit.ModelArchive, _, _ ident.RoomID) { a.Head = make([]byte, 1053) }, "does not open with this account's key"},
		{"an older head as the newest", func(a *testkit.ModelArchive, _, _ ident.RoomID) { a.Revision++ }, "does not open with this account's key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				garden, err := bob.CreateRoom(bob.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"alice"}})
				if err != nil {
					t.Fatal(err)
				}
				bob.send(garden.ID, "apples")
				time.Sleep(5 * time.Minute)
				alice.send(room, "three")
				time.Sleep(5 * time.Minute)
				right := archiveOf(net, "bob")
				if len(right.Chunks[room]) != 2 || len(right.Chunks[garden.ID]) != 1 {
					t.Fatalf("%d and %d chunks, want 2 and 1", len(right.Chunks[room]), len(right.Chunks[garden.ID]))
				}
				bob.stop()
				net.Do(func(m *testkit.Model) { row.change(m.Archive("bob"), room, garden.ID) })
				phone := newDevice(t, net, "bob", true)
				got := phone.texts(room)
				if len(got) == 0 || !strings.HasPrefix(got[0], "gap: ") || !strings.Contains(strings.Join(got, "\n"), row.cause) {
					t.Errorf("got %q, want a gap because %q", got, row.cause)
				}
				for _, text := range got {
					if !strings.HasPrefix(text, "gap: ") && !slices.Contains([]string{"alice: one", "bob: two", "alice: three"}, text) {
						t.Errorf("%q is shown, and nobody has said it there", text)
					}
				}
				// Nothing was written meanwhile: what is archived is archived within half a minute at the earliest.
				net.Do(func(m *testkit.Model) { *m.Archive("bob") = right.Clone() })
				net.Cut(nil)
				wait()
				alice.send(room, "four")
				equal(t, phone.texts(room), []string{"alice: one", "bob: two", "alice: three", "alice: four"})
			})
		})
	}
}

// TestArchiveRollback: an operator who shows a device an archive that is older than the one that it knows, or none, is
// found out: the device says so and writes nothing, and takes nothing out of it. A person begins it anew, and then
// everything that the account's devices have is there again.
func TestArchiveRollback(t *testing.T) {
	for _, row := range []struct {
		name string
		back func(a *testkit.ModelArchive, old testkit.ModelArchive)
	}{
		{"an old one", func(a *testkit.ModelArchive, old testkit.ModelArchive) { *a = old.Clone() }},
		{"none", func(a *testkit.ModelArchive, _ testkit.ModelArchive) { *a = testkit.ModelArchive{} }},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				time.Sleep(5 * time.Minute)
				old := archiveOf(net, "bob")
				alice.send(room, "three")
				time.Sleep(5 * time.Minute)
				net.Do(func(m *testkit.Model) { row.back(m.Archive("bob"), old) })
				net.Cut(nil)
				wait()
				a := bob.archive()
				if !strings.Contains(a.Problem, "an old state of the archive") || a.Try == "" || !a.On {
					t.Errorf("got %+v, want the problem and what to do", a)
				}
				before := archiveOf(net, "bob")
				alice.send(room, "four")
				time.Sleep(10 * time.Minute)
				if after := archiveOf(net, "bob"); after.Revision != before.Revision || len(after.Chunks[room]) != len(before.Chunks[room]) {
					t.Errorf("revision %d became %d: it was written to", before.Revision, after.Revision)
				}
				wantCode(t, "a room's switch", bob.SetRoomArchive(bob.ctx(), room, false), client.Refused)
				equal(t, bob.texts(room), []string{"alice: one", "bob: two", "alice: three", "alice: four"})
				for _, on := range []bool{false, true} {
					if err := bob.SetArchive(bob.ctx(), on); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(5 * time.Minute)
				if a := bob.archive(); a.Problem != "" {
					t.Errorf("begun anew, it still has a problem: %s", a.Problem)
				}
				equal(t, newDevice(t, net, "bob", true).texts(room), []string{"alice: one", "bob: two", "alice: three", "alice: four"})
			})
		})
	}
}

// TestArchiveOldToNewDevice is what is not prevented: a device that has seen nothing believes an old archive whole. It
// loses the end of what was said before it came, and gets nothing that was not said; and a device that knows better says so.
func TestArchiveOldToNewDevice(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, room := pair(t, net)
		time.Sleep(5 * time.Minute)
		old := archiveOf(net, "bob")
		alice.send(room, "three")
		time.Sleep(5 * time.Minute)
		bob.stop()
		net.Do(func(m *testkit.Model) { *m.Archive("bob") = old })
		phone := newDevice(t, net, "bob", true)
		equal(t, phone.texts(room), []string{"alice: one", "bob: two", gapComing})
		laptop := start(t, net, bob.disk, true)
		wait()
		if a := laptop.archive(); a.Problem == "" {
			t.Error("the device that knows better does not say so")
		}
	})
}
