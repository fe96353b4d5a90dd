package client_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
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

// TestRejoinWho has who may let a device in anew, in rooms where it matters who is left.
func TestRejoinWho(t *testing.T) {
	for _, row := range []struct {
		name string
		run  func(t *testing.T, net *testkit.Net, alice, bob, carol *person, room ident.RoomID) (back, other *person)
	}{
		{"the only owner, by a member", func(t *testing.T, net *testkit.Net, alice, bob, _ *person, _ ident.RoomID) (*person, *person) {
			return losesKeys(t, net, alice), bob
		}},
		{"the only owner, by a reader", func(t *testing.T, net *testkit.Net, alice, bob, carol *person, room ident.RoomID) (*person, *person) {
			if err := alice.SetRole(alice.ctx(), room, "carol", "reader"); err != nil {
				t.Fatal(err)
			}
			wait()
			bob.stop()
			alice = losesKeys(t, net, alice)
			wait()
			return alice, start(t, net, bob.disk, true)
		}},
		{"all but a member", func(t *testing.T, net *testkit.Net, alice, bob, carol *person, _ ident.RoomID) (*person, *person) {
			bob, alice = losesKeys(t, net, bob), losesKeys(t, net, alice)
			wait()
			return bob, alice
		}},
		{"a member, by its own phone", func(t *testing.T, net *testkit.Net, alice, bob, carol *person, _ ident.RoomID) (*person, *person) {
			phone := start(t, net, testkit.NewDisk(), false)
			if err := phone.login("bob", passphrase); err != nil {
				t.Fatal(err)
			}
			wait()
			alice.stop()
			return losesKeys(t, net, bob), carol
		}},
		{"both devices of the only owner", func(t *testing.T, net *testkit.Net, alice, bob, _ *person, _ ident.RoomID) (*person, *person) {
			phone := start(t, net, testkit.NewDisk(), true)
			if err := phone.login("alice", passphrase); err != nil {
				t.Fatal(err)
			}
			wait()
			losesKeys(t, net, phone)
			return losesKeys(t, net, alice), bob
		}},
		{"twice", func(t *testing.T, net *testkit.Net, alice, bob, _ *person, _ ident.RoomID) (*person, *person) {
			bob = losesKeys(t, net, bob)
			wait()
			return losesKeys(t, net, bob), alice
		}},
		{"once more before the answer", func(t *testing.T, net *testkit.Net, alice, bob, _ *person, _ ident.RoomID) (*person, *person) {
			alice.stop()
			bob = losesKeys(t, net, bob)
			wait()
			bob = reopens(t, net, bob, func(records map[string][]byte) {
				maps.DeleteFunc(records, func(key string, _ []byte) bool {
					return strings.HasPrefix(key, "rejoin/") || strings.HasPrefix(key, "key/")
				})
			})
			wait()
			return bob, start(t, net, alice.disk, true)
		}},
		{"away while it is answered", func(t *testing.T, net *testkit.Net, alice, bob, carol *person, room ident.RoomID) (*person, *person) {
			alice.stop()
			bob = losesKeys(t, net, bob)
			wait()
			bob.stop()
			alice = start(t, net, alice.disk, true)
			wait()
			carol.send(room, "bob is not here")
			wait()
			return start(t, net, bob.disk, true), alice
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, carol, room := trio(t, net)
				back, other := row.run(t, net, alice, bob, carol, room)
				wait()
				back.healthy(room, other)
			})
		})
	}
}

// TestRejoinDirect has the other one let a device into a 1:1 room anew, which stays the room of the two.
func TestRejoinDirect(t *testing.T) {
	for _, who := range []string{"who made it", "the other"} {
		t.Run(who, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				if who == "the other" {
					alice, bob = bob, alice
				}
				them, _ := bob.Me()
				bob.stop()
				alice = losesKeys(t, net, alice)
				wait()
				if r := alice.room(room); !strings.Contains(r.Try, "@"+them.Handle) || r.Direct != them.Handle {
					t.Errorf("the room is %+v, want the 1:1 room with %s, for whom it waits", r, them.Handle)
				}
				bob = start(t, net, bob.disk, true)
				wait()
				alice.healthy(room, bob)
				if again, err := alice.Direct(alice.ctx(), them.Handle); err != nil || again != room {
					t.Errorf("the 1:1 room is %v, %v, want %v", again, err, room)
				}
			})
		})
	}
}

// TestRejoinOutbox has what bob said before his store lost the room's keys, or its record, arrive once and in order:
// what the server has and bob does not know of, what it has acknowledged and bob has not read, and what it has not.
func TestRejoinOutbox(t *testing.T) {
	for _, damaged := range []string{"group/", "room/"} {
		t.Run(damaged, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, _, room := trio(t, net)
				bob.send(room, "read")
				wait()
				me, _ := bob.Me()
				deaf := func(acks bool) {
					net.Do(func(m *testkit.Model) {
						m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
							if to == me.Device && (frame.GetEntries() != nil || acks && frame.GetAck() != nil) {
								return nil
							}
							return []*wire.ServerFrame{frame}
						}
					})
				}
				deaf(false)
				bob.send(room, "acknowledged")
				deaf(true)
				if _, err := bob.Post(bob.ctx(), room, "unknown"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				net.Cut(errors.New("the cable is out"))
				if _, err := bob.Post(bob.ctx(), room, "waiting"); err != nil {
					t.Fatal(err)
				}
				bob = reopens(t, net, bob, func(records map[string][]byte) {
					for key, value := range records {
						if strings.HasPrefix(key, damaged) {
							records[key] = value[:len(value)-1]
						}
					}
				})
				net.Do(func(m *testkit.Model) { m.Tamper = nil })
				net.Cut(nil)
				wait()
				want := []string{"bob: read", "bob: acknowledged", "bob: unknown", "bob: waiting"}
				equal(t, alice.texts(room), want)
				if damaged == "room/" {
					// In between it is only known that there was something.
					texts := slices.DeleteFunc(bob.texts(room), func(text string) bool { return strings.HasPrefix(text, "gap: this device") })
					equal(t, texts, want)
				} else {
					equal(t, bob.texts(room), want)
				}
				bob.healthy(room, alice)
			})
		})
	}
}

// TestRejoinKeepsWishes has alice, the only owner, wish for something and lose the room's keys before it is done. A member
// lets her in, and it is done.
func TestRejoinKeepsWishes(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, _, room := trio(t, net)
		net.Cut(errors.New("the cable is out"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		topic := "roses"
		if err := alice.ChangeRoom(ctx, room, client.RoomSettings{Topic: &topic}); err == nil {
			t.Fatal("the room was changed without a server")
		}
		alice = losesKeys(t, net, alice)
		net.Cut(nil)
		wait()
		if r := bob.room(room); r.Topic != topic {
			t.Errorf("the topic is %q, want %q", r.Topic, topic)
		}
		alice.healthy(room, bob)
	})
}

// TestLeaveWhileKeyless has bob leave a room that he cannot follow: he is told when, and it comes to pass.
func TestLeaveWhileKeyless(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, _, room := trio(t, net)
		alice.stop()
		bob = losesKeys(t, net, bob)
		wait()
		refusedAs(t, bob.LeaveRoom(bob.ctx(), room), client.Failed)
		alice = start(t, net, alice.disk, true)
		time.Sleep(2 * time.Minute)
		equal(t, alice.members(room), []string{"alice owner 1", "carol member 1"})
		if r := bob.room(room); r.Joined || r.Problem != "" {
			t.Errorf("the room is %+v, want it left", r)
		}
	})
}

// TestAloneWhileKeyless has alice alone in a room whose keys are lost: nobody lets her in, and she can leave it.
func TestAloneWhileKeyless(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "cell"})
		if err != nil {
			t.Fatal(err)
		}
		alice = losesKeys(t, net, alice)
		wait()
		if r := alice.room(made.ID); !strings.Contains(r.Try, "leave it") {
			t.Errorf("try %q, want to leave it", r.Try)
		}
		if err := alice.LeaveRoom(alice.ctx(), made.ID); err != nil {
			t.Fatal(err)
		}
		if r, err := alice.Room(alice.ctx(), made.ID); err == nil && (r.Joined || r.Problem != "") {
			t.Errorf("the room is %+v, want it left", r)
		}
	})
}

// TestDamagedRecords has records of rooms damaged that cost no keys: what cannot be read is lost, and nothing else.
func TestDamagedRecords(t *testing.T) {
	for _, prefix := range []string{"room/", "outbox/", "pending/", "rejoin/", "roster/"} {
		t.Run(prefix, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, _, room := trio(t, net)
				opened, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "square", Open: true})
				if err == nil {
					err = bob.JoinRoom(bob.ctx(), opened.ID)
				}
				if err != nil {
					t.Fatal(err)
				}
				bob.send(room, "before")
				wait()
				net.Cut(errors.New("the cable is out"))
				if _, err := bob.Post(bob.ctx(), room, "waiting"); err != nil {
					t.Fatal(err)
				}
				bob = reopens(t, net, bob, func(records map[string][]byte) {
					if prefix == "pending/" || prefix == "rejoin/" {
						records[prefix+room.String()] = []byte{0}
					}
					for key := range records {
						if strings.HasPrefix(key, prefix) {
							records[key] = []byte{0}
						}
					}
				})
				net.Cut(nil)
				wait()
				alice.send(opened.ID, "on the square")
				wait()
				if texts := bob.texts(opened.ID); !slices.Contains(texts, "alice: on the square") {
					t.Errorf("in the open room bob has %q", texts)
				}
				bob.healthy(room, alice)
				want := []string{"bob: before"}
				if prefix != "outbox/" {
					want = append(want, "bob: waiting")
				}
				equal(t, bob.texts(room)[:len(want)], want)
			})
		})
	}
}
