package client_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
	"snug/mls"
)

// garden has five people in a room, of whom mallory is a member, alice the owner and bob an admin.
type garden struct {
	*testing.T
	net     *testkit.Net
	people  map[string]*person
	room    ident.RoomID
	mallory *person
	began   time.Time // when something was done to the room
}

// newGarden lets them in one after the other, in this order after alice: it gives them their places in the tree.
func newGarden(t *testing.T, net *testkit.Net, order ...string) *garden {
	t.Helper()
	if len(order) == 0 {
		order = []string{"bob", "carol", "dave", "mallory"}
	}
	g := &garden{T: t, net: net, people: make(map[string]*person)}
	for _, handle := range []string{"alice", "bob", "carol", "dave", "mallory"} {
		g.people[handle] = register(t, net, handle, true)
	}
	alice := g.people["alice"]
	g.mallory = g.people["mallory"]
	made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden"})
	g.room = made.ID
	for _, handle := range order {
		if err == nil {
			err = alice.AddMembers(alice.ctx(), g.room, handle)
		}
	}
	if err == nil {
		err = alice.SetRole(alice.ctx(), g.room, "bob", "admin")
	}
	if err != nil {
		t.Fatal(err)
	}
	wait()
	for _, handle := range []string{"alice", "bob", "carol", "dave", "mallory"} {
		g.people[handle].send(g.room, handle+" is here")
	}
	wait()
	return g
}

// hack has mallory's client commit something.
func (g *garden) hack(h client.Hack) {
	g.Helper()
	g.began = time.Now()
	if err := g.mallory.Commit(g.room, h); err != nil {
		g.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

func (g *garden) id(handle string) client.Me {
	g.Helper()
	me, _ := g.people[handle].Me()
	return me
}

// works fails unless everybody named says something that all of them read, within a minute of what was done to the room.
func (g *garden) works(handles ...string) {
	g.Helper()
	for _, handle := range handles {
		p := g.people[handle]
		p.send(g.room, handle+" is here again")
	}
	if took := time.Since(g.began); took > time.Minute {
		g.Errorf("the room worked again after %v, want within a minute", took)
	}
	wait()
	for _, handle := range handles {
		p := g.people[handle]
		texts := p.texts(g.room)
		for _, other := range handles {
			if want := other + ": " + other + " is here again"; !slices.Contains(texts, want) {
				g.Errorf("%s reads %q, want %q among it", handle, texts, want)
			}
		}
		if r := p.room(g.room); r.Problem != "" {
			g.Errorf("%s has the problem %q", handle, r.Problem)
		}
	}
}

// said gives all notices and gaps that somebody sees.
func (p *person) said(room ident.RoomID) string {
	p.t.Helper()
	messages, err := p.History(p.ctx(), room, client.HistoryOptions{Limit: 1000})
	if err != nil {
		p.t.Fatal(err)
	}
	var lines []string
	for _, m := range messages {
		if m.Kind != client.Text {
			lines = append(lines, m.Text+m.Gap)
		}
	}
	return strings.Join(lines, "\n")
}

// TestBrokenCommits has mallory's client commit what no client takes. Everybody says so, and names her; the room goes on
// without her within a minute, and what was said meanwhile arrives.
func TestBrokenCommits(t *testing.T) {
	change := func(e mls.Extensions) []mls.Proposal {
		return []mls.Proposal{&mls.GroupContextExtensions{Extensions: e}}
	}
	remove := func(m mls.Member) mls.Proposal { return &mls.Remove{Removed: m.Index} }
	for _, row := range []struct {
		name string
		hack func(g *garden) client.Hack
	}{
		{"removes an admin", func(g *garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) []mls.Proposal {
				return append(change(client.Without(m, g.id("bob").Account)), remove(client.LeafOf(m, g.id("bob").Device)))
			}}
		}},
		{"removes everybody else", func(g *garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) (list []mls.Proposal) {
				for _, handle := range []string{"alice", "bob", "carol", "dave"} {
					list = append(list, remove(client.LeafOf(m, g.id(handle).Device)))
				}
				return list
			}}
		}},
		{"removes a device that is enrolled", func(g *garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) []mls.Proposal {
				return []mls.Proposal{remove(client.LeafOf(m, g.id("carol").Device))}
			}}
		}},
		{"takes a role", func(g *garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) []mls.Proposal { return change(client.WithRole(m, g.id("mallory").Account, "owner")) }}
		}},
		{"takes the owner's role", func(g *garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) []mls.Proposal { return change(client.WithRole(m, g.id("alice").Account, "reader")) }}
		}},
		{"spoils the roster", func(*garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) []mls.Proposal {
				return change(m.Extensions().Set(client.ExtensionRoster, []byte("no roster")))
			}}
		}},
		{"takes the roster away", func(*garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) []mls.Proposal { return change(m.Extensions().Without(client.ExtensionRoster)) }}
		}},
		{"adds another extension", func(*garden) client.Hack {
			return client.Hack{Proposals: func(m *mls.Group) []mls.Proposal {
				return change(m.Extensions().Set(mls.ExtensionRequiredCapabilities, []byte{0, 0, 0}))
			}}
		}},
		{"tells the server that the owner and an admin are gone", func(g *garden) client.Hack {
			return client.Hack{Envelope: func(e *wire.CommitEnvelope) {
				for _, handle := range []string{"alice", "bob"} {
					e.Removed = append(e.Removed, &wire.DeviceRef{Account: g.id(handle).Account.Bytes(), Device: g.id(handle).Device.Bytes()})
				}
			}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				g := newGarden(t, net)
				g.hack(row.hack(g))
				for _, handle := range []string{"alice", "bob", "carol", "dave"} {
					if r := g.people[handle].room(g.room); !strings.Contains(r.Problem, "@mallory's device mallory's laptop") || r.Try == "" {
						t.Errorf("%s has the problem %q, try %q, want both, and mallory's device named", handle, r.Problem, r.Try)
					}
				}
				g.works("carol", "alice", "bob", "dave")
				for _, handle := range []string{"alice", "bob", "carol", "dave"} {
					p := g.people[handle]
					if said := p.said(g.room); !strings.Contains(said, "the room goes on without @mallory, whose device mallory's laptop") {
						t.Errorf("%s is told %q, want who broke the room", handle, said)
					}
					if got, want := fmt.Sprint(p.members(g.room)), "[alice owner 1 bob admin 1 carol member 1 dave member 1]"; got != want {
						t.Errorf("%s has %s, want %s", handle, got, want)
					}
				}
			})
		})
	}
}
