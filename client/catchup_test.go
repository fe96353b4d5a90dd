package client_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
	"snug/mls"
)

// slowLogs is a transport over which what stands in logs comes a second later than anything else.
type slowLogs struct{ client.Transport }

func (s slowLogs) Connect(ctx context.Context, device ident.DeviceKey) (client.Conn, error) {
	conn, err := s.Transport.Connect(ctx, device)
	return slowConn{conn}, err
}

type slowConn struct{ client.Conn }

func (c slowConn) Receive(ctx context.Context) ([]byte, error) {
	b, err := c.Conn.Receive(ctx)
	if frame := new(wire.ServerFrame); err == nil && frame.UnmarshalVT(b) == nil && frame.GetEntries() != nil {
		time.Sleep(time.Second)
	}
	return b, err
}

// asShown has a device live for as long as it takes to catch up, on a disk where a room may have gone on without it, and
// gives what it then shows of the room.
func asShown(t *testing.T, net *testkit.Net, p *person, room ident.RoomID) (shown client.Room) {
	t.Helper()
	brief := startOver(t, slowLogs{net.Transport(true)}, p.disk, nil)
	defer brief.stop()
	if err := brief.CatchUpRooms(brief.ctx()); err != nil {
		t.Fatal(err)
	}
	if at, err := brief.CaughtUpAt(brief.ctx()); err != nil || time.Since(at) > time.Minute {
		t.Errorf("caught up at %v (%v), want now", at, err)
	}
	list, err := brief.Rooms(brief.ctx())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(r client.Room) bool { return r.ID == room })
	if i < 0 {
		t.Fatalf("got the rooms %+v, want %s among them", list, room)
	}
	return list[i]
}

// TestCatchUpRooms: a device that was away while its account left a room, or was made another there, knows that when it
// has caught up: nothing has to be asked of the room itself.
func TestCatchUpRooms(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		garden, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob", "carol"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		carol.stop()
		if err := alice.SetRole(alice.ctx(), garden.ID, "carol", "admin"); err != nil {
			t.Fatal(err)
		}
		if got := asShown(t, net, carol, garden.ID); got.Role != "admin" {
			t.Errorf("carol shows herself as %q, want admin", got.Role)
		}
		alice.stop()
		if err := bob.LeaveRoom(bob.ctx(), garden.ID); err != nil {
			t.Fatal(err)
		}
		bob.stop()
		if got := asShown(t, net, bob, garden.ID); !got.Joined || !got.Leaving {
			t.Errorf("bob shows %+v, want that he is leaving", got)
		}
		start(t, net, alice.disk, true)
		wait()
		if got := asShown(t, net, bob, garden.ID); got.Joined || got.Leaving {
			t.Errorf("bob shows %+v, want a room that he has left", got)
		}
		if got := asShown(t, net, carol, garden.ID); got.Members != 2 {
			t.Errorf("carol shows %d members, want 2", got.Members)
		}
	})
}

// TestCatchUpFindsFault: a commit that nobody can take is found by a device that lives for a moment, although it stands
// nowhere but in the log.
func TestCatchUpFindsFault(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		g := newGarden(t, net)
		for handle, p := range g.people {
			if handle != "mallory" {
				p.stop()
			}
		}
		g.hack(client.Hack{Proposals: func(m *mls.Group) []mls.Proposal {
			return []mls.Proposal{&mls.GroupContextExtensions{Extensions: client.WithRole(m, g.id("mallory").Account, "owner")}}
		}})
		got := asShown(t, net, g.people["carol"], g.room)
		if !strings.Contains(got.Problem, "@mallory") || got.Try == "" {
			t.Errorf("carol shows the problem %q, to try %q; want mallory named", got.Problem, got.Try)
		}
	})
}
