package server

import (
	"context"
	"errors"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// cursor is how far a session has read a room that it follows.
type cursor struct {
	session *session
	room    ident.RoomID
	device  ident.DeviceID
	topic   *topic

	// Guarded by session.mu. A cursor is ready when its Follow was answered.
	ready, lagging, stopped bool

	// Owned by flush, once the cursor is in the topic.
	after   uint64 // the last seq handed over
	until   uint64 // the last seq that may be; NoEnd for a member
	checked uint64 // until takes into account all commits up to here
	unsure  bool   // a later commit was handed over: who is in the room now?
}

// follow answers Follow, and lets the entries come after the answer.
func (n *session) follow(ctx context.Context, id uint64, m *wire.Follow) error {
	d, err := n.acting()
	if err != nil {
		return err
	}
	if len(m.Rooms) > maxFollows {
		return errManyFollows
	}
	fresh := make([]*cursor, 0, len(m.Rooms))
	for _, r := range m.Rooms {
		room, err := ident.RoomIDFromBytes(r.Room)
		if err != nil {
			n.abandon(fresh)
			return errBadRoomID
		}
		c := &cursor{session: n, room: room, device: d.ID, after: r.After, stopped: r.Stop}
		if !r.Stop {
			if err := n.server.begin(ctx, c); err != nil {
				n.abandon(fresh)
				return err
			}
		}
		fresh = append(fresh, c)
	}
	old, err := n.replace(id, fresh)
	n.abandon(old)
	for _, c := range fresh {
		if err == nil && c.topic != nil {
			n.tellKnocks(ctx, c.room, ident.AccountID{})
		}
	}
	return err
}

var errManyFollows = Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "too many rooms followed by one connection")

// begin registers a cursor before it asks what there is, so that no entry falls
// between the two.
func (s *Server) begin(ctx context.Context, c *cursor) error {
	s.hub.follow(c)
	a, err := s.Store.Access(ctx, c.room, c.device)
	if err != nil {
		s.hub.unfollow(c)
		return err
	}
	c.until, c.checked = a.Until, a.Seq
	c.after = min(c.after, a.Seq) // nobody can have read more
	if a.Since > 0 {
		c.after = max(c.after, a.Since-1)
	}
	c.topic.raise(a.Seq)
	return nil
}

// replace answers a Follow and puts its cursors in the place of the former ones of
// the same rooms, which it gives back, in one step.
func (n *session) replace(id uint64, fresh []*cursor) (old []*cursor, err error) {
	n.mu.Lock()
	defer func() {
		start := n.wantFlush()
		n.mu.Unlock()
		n.flushIf(start)
	}()
	n.waitSpace()
	if n.mu.follows == nil {
		n.mu.follows = make(map[ident.RoomID]*cursor)
	}
	if n.followedWith(fresh) > maxFollows || n.mu.closed {
		for _, c := range fresh {
			c.stopped = true
		}
		return fresh, errManyFollows
	}
	for _, c := range fresh {
		if former := n.mu.follows[c.room]; former != nil {
			former.stopped = true
			old = append(old, former)
			delete(n.mu.follows, c.room)
		}
		if c.stopped {
			continue
		}
		n.mu.follows[c.room] = c
		c.ready, c.lagging = true, true
		n.mu.lagging = append(n.mu.lagging, c)
	}
	// A peer that reads nothing must not fill it with those that it has replaced.
	n.mu.lagging = slices.DeleteFunc(n.mu.lagging, func(c *cursor) bool { return c.stopped })
	n.put(done(id))
	return old, nil
}

// followedWith wants mu held; it gives how many rooms are followed with those that come.
func (n *session) followedWith(fresh []*cursor) int {
	count := len(n.mu.follows)
	for _, c := range fresh {
		if !c.stopped && n.mu.follows[c.room] == nil {
			count++
		}
	}
	return count
}

// abandon takes cursors out of their topics.
func (n *session) abandon(cursors []*cursor) {
	for _, c := range cursors {
		if c.topic != nil {
			n.server.hub.unfollow(c)
		}
	}
}

// pull adds one frame of entries, if the cursor has any to read, and notes the
// cursor again if there may be more. Only from flush.
func (n *session) pull(ctx context.Context, c *cursor, b *frames) {
	if reboot := c.topic.reboot.Load(); reboot > c.checked {
		c.unsure, c.checked = true, reboot
	}
	if c.unsure && !n.recheck(ctx, c) || c.after >= min(c.until, c.topic.known.Load()) {
		return
	}
	last, commit := c.topic.read(b, c)
	if last == c.after {
		b.own, last, commit = n.pullStored(ctx, c, b.own)
	}
	c.after, c.unsure = last, commit
	if c.after < c.topic.known.Load() || c.unsure {
		n.behind(c)
	}
}

// pullStored is pull for entries that the tail has no longer. The store looks at
// who is in the room by itself.
func (n *session) pullStored(ctx context.Context, c *cursor, b []byte) (_ []byte, last uint64, commit bool) {
	body := takeBuffer()
	defer func() { giveBuffer(body) }()
	last = c.after
	f := Fetch{Room: c.room, Device: c.device, After: c.after, Limit: wire.MaxPage}
	_, err := n.server.Store.Fetch(ctx, f, func(e *wire.Entry) bool {
		if commit || len(body) > 0 && len(body)+e.SizeVT() > wire.MaxBatch {
			return false
		}
		body, last = appendEntry(body, e), e.Seq
		commit = movesMembers(e.Kind) && e.Seq > c.checked
		return true
	})
	if err != nil || last == c.after {
		// Not in the room any more, or nothing there against all expectation: this
		// cursor is at its end. A client that wants more follows again.
		c.until = c.after
		if err != nil && !errors.Is(err, ErrRoomNotFound) && ctx.Err() == nil {
			n.server.Log.Error("following a room", "error", err)
			n.hangUp(closeTryLater, "cannot read the log")
		}
		return b, c.after, false
	}
	b = appendEntriesHeader(b, c.room, len(body))
	return append(b, body...), last, commit
}

// recheck finds out whether the device is still in the room after a commit. It
// reports whether the cursor may go on.
func (n *session) recheck(ctx context.Context, c *cursor) bool {
	c.unsure = false
	a, err := n.server.Store.Access(ctx, c.room, c.device)
	if err != nil {
		c.until = c.after
		return false
	}
	if a.Since > c.after+1 {
		// Removed, and added again later: that is a new Follow, without the gap.
		c.until = c.after
		return false
	}
	c.until, c.checked = a.Until, a.Seq
	return true
}
