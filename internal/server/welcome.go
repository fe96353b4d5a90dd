package server

import (
	"context"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Welcome is an MLS Welcome that waits for a device.
type Welcome struct {
	// Place orders a device's welcomes; 0 is before the first.
	Place uint64
	Room  ident.RoomID
	// Seq is that of the commit which added the device, Head the head after it.
	Seq  uint64
	Head ident.Hash
	// By is the device that made the commit.
	By    DeviceRef
	Bytes []byte
}

// welcomesAtOnce is about how many bytes of welcomes go out between two answers.
const welcomesAtOnce = 1 << 20

// handOut hands out some of the welcomes that wait for the connection's device. Those after them come when the next request
// is answered, as is a TakeWelcome: anybody can have many wait for anybody, of 5 MiB each, and answers that come after all of
// them would come too late for who is slow.
func (n *session) handOut(ctx context.Context) {
	for size := 0; size < welcomesAtOnce; {
		// One by one, and from the reader's goroutine, which waits for a slow peer: nobody has many in memory.
		welcomes, err := n.server.Store.Welcomes(ctx, n.device.Load().ID, n.welcomed, 1)
		if err != nil {
			n.server.Log.Error("reading welcomes", "error", err)
		}
		if len(welcomes) == 0 || n.ended() {
			n.greetings = false
			return
		}
		n.welcomed = welcomes[0].Place
		n.answer(welcomes[0].event())
		size += len(welcomes[0].Bytes)
	}
}

func (w *Welcome) event() *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Welcome{Welcome: &wire.WelcomeEvent{
		Room: w.Room[:], Seq: w.Seq, Head: w.Head[:], Account: w.By.Account[:], Device: w.By.Device[:], Welcome: w.Bytes,
	}}}
}

func (n *session) takeWelcome(ctx context.Context, m *wire.TakeWelcome) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	room, err := ident.RoomIDFromBytes(m.Room)
	if err != nil {
		return nil, errBadRoomID
	}
	if err := n.server.Store.TakeWelcome(ctx, d.ID, room, m.Seq); err != nil {
		return nil, err
	}
	return done(0), nil
}

// committed tells the devices that a commit or restart added or removed, if they are
// connected here. It runs beside the hub, because it asks the store.
func (s *Server) committed(ctx context.Context, c *Submission) {
	if c.Restart {
		s.tellRoom(ctx, c.Room, c.Account)
		return
	}
	for _, ref := range c.Commit.Added {
		w := &Welcome{Room: c.Room, Seq: c.Seq, Head: c.Head, By: DeviceRef{c.Account, c.Device}, Bytes: c.Commit.Welcome}
		for _, n := range s.registry.of(ref.Account) {
			if d := n.device.Load(); d != nil && d.ID == ref.Device {
				n.event(w.event())
			}
		}
	}
	accounts := make(map[ident.AccountID]bool)
	for _, ref := range slices.Concat(c.Commit.Added, c.Commit.Removed) {
		accounts[ref.Account] = true
	}
	for account := range accounts {
		s.tellRoom(ctx, c.Room, account)
	}
}
