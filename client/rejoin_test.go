package client_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// reopens starts somebody anew on a store that was changed in between.
func reopens(t *testing.T, net *testkit.Net, p *person, change func(map[string][]byte)) *person {
	t.Helper()
	p.stop()
	records := p.disk.Snapshot()
	before := maps.Clone(records)
	change(records)
	if maps.EqualFunc(before, records, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Fatal("the store has nothing to lose")
	}
	p.disk.Restore(records)
	return start(t, net, p.disk, true)
}

// losesKeys starts somebody anew on a store without the keys of any room.
func losesKeys(t *testing.T, net *testkit.Net, p *person) *person {
	t.Helper()
	return reopens(t, net, p, func(records map[string][]byte) {
		maps.DeleteFunc(records, func(key string, _ []byte) bool { return strings.HasPrefix(key, "group/") })
	})
}

// healthy fails the test unless somebody's room is well and both ways of it work.
func (p *person) healthy(room ident.RoomID, other *person) {
	p.t.Helper()
	if r := p.room(room); r.Problem != "" || r.Try != "" || !r.Joined {
		p.t.Fatalf("the room is %+v, want it well", r)
	}
	p.send(room, "back")
	other.send(room, "welcome back")
	wait()
	for _, texts := range [][]string{p.texts(room), other.texts(room)} {
		if n := len(texts); n < 2 || !strings.HasSuffix(texts[n-2], ": back") || !strings.HasSuffix(texts[n-1], ": welcome back") {
			p.t.Fatalf("the room ends with %q", texts)
		}
	}
}

// TestRejoin has bob's store lose a part of what it has of a room. His client asks to be let in anew and is, whatever
// happens in the room meanwhile; his history stays.
func TestRejoin(t *testing.T) {
	lose := func(prefix string) func(map[string][]byte) {
		return func(records map[string][]byte) {
			maps.DeleteFunc(records, func(key string, _ []byte) bool { return strings.HasPrefix(key, prefix) })
		}
	}
	damage := func(prefix string) func(map[string][]byte) {
		return func(records map[string][]byte) {
			for key, value := range records {
				if strings.HasPrefix(key, prefix) {
					records[key] = value[:len(value)/2]
				}
			}
		}
	}
	for _, row := range []struct {
		name   string
		change func(map[string][]byte)
	}{
		{"keys lost", lose("group/")},
		{"a part of the keys lost", func(records map[string][]byte) {
			keys := slices.Sorted(maps.Keys(records))
			keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasPrefix(key, "group/") })
			delete(records, keys[len(keys)/2])
		}},
		{"keys damaged", damage("group/")},
		{"keys and rooms damaged", func(records map[string][]byte) { damage("group/")(records); damage("room/")(records) }},
		{"rooms damaged", damage("room/")},
	} {
		for _, meanwhile := range []string{"nothing", "others write", "others change", "alice is away"} {
			t.Run(row.name+", "+meanwhile, func(t *testing.T) {
				world(t, func(t *testing.T, net *testkit.Net) {
					alice, bob, carol, room := trio(t, net)
					alice.send(room, "hello")
					wait()
					bob.stop()
					switch meanwhile {
					case "others write":
						alice.send(room, "are you there?")
					case "others change":
						topic := "roses"
						if err := alice.ChangeRoom(alice.ctx(), room, client.RoomSettings{Topic: &topic}); err != nil {
							t.Fatal(err)
						}
						carol.send(room, "nice")
					case "alice is away":
						alice.stop()
					}
					bob = reopens(t, net, bob, row.change)
					wait()
					if meanwhile == "alice is away" {
						if r := bob.room(room); r.Problem == "" || !strings.Contains(r.Try, "owner or admin") || !r.Joined {
							t.Errorf("the room is %+v, want a problem, and whom it waits for", r)
						}
						carol.send(room, "nobody waits") // who may not let bob in is not kept from talking
						wait()
						alice = start(t, net, alice.disk, true)
						wait()
					}
					bob.healthy(room, alice)
					carol.healthy(room, bob)
					if texts := bob.texts(room); texts[0] != "alice: hello" {
						t.Errorf("bob has %q, want what he had", texts)
					}
					equal(t, alice.members(room), []string{"alice owner 1", "bob member 1", "carol member 1"})
				})
			})
		}
	}
}
