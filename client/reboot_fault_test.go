package client_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/testkit"
	"snug/internal/wire"
	"snug/mls"
)

// TestMalformedPath has mallory commit an UpdatePath that one of five cannot open, everybody else can. That one says so,
// names her, and is let in anew by who could; nobody is removed, and the room goes on for all.
func TestMalformedPath(t *testing.T) {
	for _, row := range []struct {
		victim string
		order  []string
	}{
		{"alice", []string{"mallory", "bob", "carol", "dave"}},
		{"bob", []string{"carol", "bob", "mallory", "dave"}},
		{"carol", []string{"bob", "carol", "mallory", "dave"}},
	} {
		t.Run(row.victim, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				victim := row.victim
				g := newGarden(t, net, row.order...)
				g.hack(malformedFor(g, victim))
				for handle, p := range g.people {
					problem := p.room(g.room).Problem
					if named := strings.Contains(problem, "@mallory's device mallory's laptop"); named != (handle == victim) {
						t.Errorf("%s has the problem %q", handle, problem)
					}
				}
				g.works("alice", "bob", "carol", "dave", "mallory")
				said := g.people["dave"].said(g.room)
				if want := "@" + victim + "'s device " + victim + "'s laptop could not take a change of @mallory's"; !strings.Contains(said, want) {
					t.Errorf("dave is told %q, want %q", said, want)
				}
				if strings.Contains(said, "goes on without") {
					t.Errorf("dave is told %q, want nobody removed", said)
				}
			})
		})
	}
}

// malformedFor is a commit whose path somebody cannot open who has the place beside mallory's: it is sealed to another key
// than theirs, with everything else as it should be.
func malformedFor(g *garden, victim string) client.Hack {
	return client.Hack{Tree: func(m *mls.Group) { client.LeafOf(m, g.id(victim).Device).EncryptionKey[1200] ^= 1 }}
}

// TestMalformedForOwner has the only other one who could help offline: the owner, who alone cannot take the commit, goes on
// without mallory; and those who could take it go along, and are let in anew.
func TestMalformedForOwner(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		g := newGarden(t, net, "mallory", "bob", "carol", "dave")
		bob, alice := g.people["bob"], g.people["alice"]
		bob.stop()
		g.hack(malformedFor(g, "alice"))
		alice.send(g.room, "who reads me?")
		time.Sleep(15 * time.Second) // in which the others are let in anew
		g.works("alice", "carol", "dave")
		for _, handle := range []string{"alice", "carol"} {
			if got, want := fmt.Sprint(g.people[handle].members(g.room)), "[alice owner 1 bob admin 1 carol member 1 dave member 1]"; got != want {
				t.Errorf("%s has %s, want %s", handle, got, want)
			}
		}
		g.people["bob"], g.began = start(t, net, bob.disk, true), time.Now()
		time.Sleep(15 * time.Second)
		g.works("bob", "alice", "carol", "dave")
	})
}

// TestUnreadableCommit has mallory's device send what is no commit at all, in several ways. Whose fault that is nobody can
// tell but by her device's signature: her device goes, and comes back with keys of its own; her account stays.
func TestUnreadableCommit(t *testing.T) {
	for _, row := range []struct {
		name    string
		message func(b []byte) []byte
	}{
		{"garbage", func([]byte) []byte { return []byte("garbage") }},
		{"cut", func(b []byte) []byte { return b[:len(b)/2] }},
		{"changed", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				g := newGarden(t, net)
				g.hack(client.Hack{Message: row.message})
				problem := g.people["carol"].room(g.room).Problem
				if want := "@mallory's device mallory's laptop sent a change of the room that cannot be read"; problem != want {
					t.Errorf("carol has the problem %q, want %q", problem, want)
				}
				g.works("alice", "bob", "carol", "dave")
				said := g.people["dave"].said(g.room)
				if want := "the room goes on without @mallory's device mallory's laptop"; !strings.Contains(said, want) {
					t.Errorf("dave is told %q, want %q", said, want)
				}
				wait()
				g.began = time.Now()
				g.works("mallory", "alice", "bob", "carol", "dave")
			})
		})
	}
}

// TestSpoiltOnTheWay has the server change a commit's bytes for bob, consistently with its heads. He accuses nobody but
// the server, and nothing is replaced; when the server tells the truth again, his room goes on.
func TestSpoiltOnTheWay(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(p *wire.CommitPayload)
	}{
		{"the commit", func(p *wire.CommitPayload) { p.Commit[len(p.Commit)-1] ^= 1 }},
		{"the devices", func(p *wire.CommitPayload) { p.Devices[0] ^= 1 }},
		{"the signature", func(p *wire.CommitPayload) { p.Signature[0] ^= 1 }},
		{"a commit that it replaces", func(p *wire.CommitPayload) { p.Replaces, p.ReplacedHead = 2, make([]byte, 32) }},
		{"no signature", func(p *wire.CommitPayload) { p.Signature = nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				g := newGarden(t, net)
				bob := g.people["bob"]
				var head []byte
				net.Do(func(m *testkit.Model) { head = bytes.Clone(m.Entry(g.room, bob.room(g.room).Seq).Head) })
				keys := groupRecords(bob.disk)
				tamper(net, bob, func(e *wire.Entries) {
					p := new(wire.CommitPayload)
					if e.Entries[0].Kind != wire.EntryKind_ENTRY_KIND_COMMIT || p.UnmarshalVT(e.Entries[0].Payload) != nil {
						return
					}
					row.change(p)
					e.Entries[0].Payload, _ = p.MarshalVT()
					rechain(g.room, head, e.Entries)
				})
				alice := g.people["alice"]
				if err := alice.ChangeRoom(alice.ctx(), g.room, client.RoomSettings{Topic: &bees}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				if problem := bob.room(g.room).Problem; !strings.Contains(problem, "the server shows a change of the room that @alice's device has not sent") {
					t.Errorf("bob has the problem %q, want one of the server", problem)
				}
				if !bytes.Equal(keys, groupRecords(bob.disk)) {
					t.Error("the group's records have changed")
				}
				tamper(net, bob, func(*wire.Entries) {})
				net.Cut(nil)
				wait()
				g.began = time.Now()
				g.works("alice", "bob", "carol", "dave", "mallory")
				if said := alice.said(g.room); strings.Contains(said, "could not take") || strings.Contains(said, "goes on without") {
					t.Errorf("alice is told %q, want nobody accused", said)
				}
			})
		})
	}
}

// TestFalseReboot has mallory replace a good commit of the owner's, as if she could not take it. Everybody else could: the
// replacement is replaced, and the owner stays.
func TestFalseReboot(t *testing.T) {
	for _, role := range []string{"member", "admin"} {
		t.Run(role, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				g := newGarden(t, net)
				alice := g.people["alice"]
				if err := alice.SetRole(alice.ctx(), g.room, "mallory", role); err != nil && role != "member" {
					t.Fatal(err)
				}
				wait()
				before := g.mallory.KeepGroup(g.room)
				if err := alice.ChangeRoom(alice.ctx(), g.room, client.RoomSettings{Topic: &bees}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second) // so that everybody has taken it
				synctest.Wait()
				g.began = time.Now()
				g.mallory.FalselyReboot(g.room, before)
				time.Sleep(time.Second)
				synctest.Wait()
				for _, handle := range []string{"alice", "bob", "carol"} {
					if problem := g.people[handle].room(g.room).Problem; !strings.Contains(problem, "@mallory's device mallory's laptop") {
						t.Errorf("%s has the problem %q, want mallory named", handle, problem)
					}
				}
				g.works("alice", "bob", "carol", "dave")
				for _, handle := range []string{"alice", "carol"} {
					if got := fmt.Sprint(g.people[handle].members(g.room)); !strings.HasPrefix(got, "[alice owner 1 bob admin 1 carol member 1 dave member 1") {
						t.Errorf("%s has %s, want everybody as before", handle, got)
					}
				}
				if topic := g.people["dave"].room(g.room).Topic; topic != "bees" {
					t.Errorf("the topic is %q, want what alice made it", topic)
				}
			})
		})
	}
}

// TestFaultAfterRestart stops everybody at a broken commit, and starts them again: what they know of it is stored.
func TestFaultAfterRestart(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		g := newGarden(t, net)
		g.hack(client.Hack{Message: func([]byte) []byte { return []byte("garbage") }})
		for _, handle := range []string{"alice", "bob", "carol", "dave"} {
			g.people[handle].stop()
		}
		time.Sleep(time.Hour)
		g.began = time.Now()
		for _, handle := range []string{"alice", "bob", "carol", "dave"} {
			g.people[handle] = start(t, net, g.people[handle].disk, true)
		}
		g.works("alice", "bob", "carol", "dave")
	})
}

// TestBrokenDirect has the other one of a 1:1 room break it: her device goes, and is back with keys of its own.
func TestBrokenDirect(t *testing.T) {
	for _, row := range []struct {
		name string
		hack client.Hack
	}{
		{"unreadable", client.Hack{Message: func([]byte) []byte { return []byte("garbage") }}},
		{"beyond doubt", client.Hack{Proposals: func(m *mls.Group) []mls.Proposal {
			return []mls.Proposal{&mls.GroupContextExtensions{Extensions: m.Extensions().Set(client.ExtensionRoster, []byte("none"))}}
		}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				if err := bob.Commit(room, row.hack); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				wait()
				alice.send(room, "still here?")
				if took := time.Since(began); took > time.Minute {
					t.Errorf("the room worked again after %v, want within a minute", took)
				}
				wait()
				bob.send(room, "yes")
				alice.send(room, "good")
				if texts := alice.texts(room); texts[len(texts)-2] != "bob: yes" {
					t.Errorf("alice reads %q", texts)
				}
				if texts := bob.texts(room); texts[len(texts)-1] != "alice: good" {
					t.Errorf("bob reads %q", texts)
				}
				for _, p := range []*person{alice, bob} {
					if r := p.room(room); r.Problem != "" || r.Direct == "" {
						t.Errorf("the room is %+v, want a 1:1 room without a problem", r)
					}
				}
			})
		})
	}
}

var bees = "bees"
