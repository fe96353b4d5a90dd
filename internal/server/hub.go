package server

import (
	"context"
	"sync"

	"snug/internal/ident"
	"snug/internal/wire"
)

// hub brings what has landed in logs to who waits for it: acks to submitters,
// entries to followers. Its Run handles everything that came while it was busy as
// one lot, so that a socket gets its acks and entries in one write.
//
// Lock order: hub.mu, then topic.mu, then session.mu.
type hub struct {
	bus Bus
	// committed hears of every commit of this server; it must not block.
	committed func(*Submission)
	wake      chan struct{} // of size 1: there is something in arrived or heard

	mu struct {
		sync.Mutex
		arrived []*Submission
		heard   []notice
		topics  map[ident.RoomID]*topic
	}
	tails tails
}

// notice is the bus's word that a room has entries up to seq.
type notice struct {
	room ident.RoomID
	seq  uint64
}

func newHub(bus Bus) *hub {
	h := &hub{bus: bus, wake: make(chan struct{}, 1)}
	h.mu.topics = make(map[ident.RoomID]*topic)
	return h
}

// landed takes a submission whose outcome is known: a Submission's Done.
func (h *hub) landed(s *Submission) {
	h.mu.Lock()
	h.mu.arrived = append(h.mu.arrived, s)
	h.mu.Unlock()
	h.poke()
}

// hear is the bus's subscriber.
func (h *hub) hear(room ident.RoomID, seq uint64) {
	h.mu.Lock()
	// Our own entries were put into the topic before we published them.
	t := h.mu.topics[room]
	if t == nil || t.known.Load() >= seq {
		h.mu.Unlock()
		return
	}
	h.mu.heard = append(h.mu.heard, notice{room, seq})
	h.mu.Unlock()
	h.poke()
}

func (h *hub) poke() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run distributes until ctx ends; what has landed by then it still distributes.
func (h *hub) Run(ctx context.Context) {
	defer h.bus.Subscribe(h.hear)()
	lot := &lot{topics: map[*topic]bool{}, sessions: map[*session]bool{}}
	for {
		select {
		case <-h.wake:
			h.distribute(lot)
		case <-ctx.Done():
			h.distribute(lot)
			return
		}
	}
}

// lot is what one round touches. Owned by Run, kept for its memory.
type lot struct {
	arrived  []*Submission
	heard    []notice
	topics   map[*topic]bool
	sessions map[*session]bool
}

func (h *hub) distribute(l *lot) {
	h.mu.Lock()
	h.mu.arrived, l.arrived = l.arrived[:0], h.mu.arrived
	h.mu.heard, l.heard = l.heard[:0], h.mu.heard
	h.mu.Unlock()
	for i, s := range l.arrived {
		h.arrive(l, s)
		l.arrived[i] = nil
	}
	for _, n := range l.heard {
		if t := h.topic(n.room); t != nil {
			t.raise(n.seq)
			l.topics[t] = true
		}
	}
	for t := range l.topics {
		t.wake(l.sessions)
	}
	for s := range l.sessions {
		s.startFlush()
	}
	clear(l.topics)
	clear(l.sessions)
}

// arrive answers the submitter, and puts a new entry into its room's tail. A
// follower that is also the submitter gets both in one write.
func (h *hub) arrive(l *lot, s *Submission) {
	by := s.by
	if s.Err == nil && !s.Repeated {
		if t := h.topic(s.Room); t != nil {
			t.append(s, &h.tails)
			l.topics[t] = true
		}
		h.bus.Publish(s.Room, s.Seq)
		if movesMembers(s.Kind) && h.committed != nil {
			h.committed(s)
		}
	}
	if by != nil {
		by.answered(s)
		l.sessions[by] = true
	}
}

// topic gives a room that somebody follows, or nil.
func (h *hub) topic(room ident.RoomID) *topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.topics[room]
}

// follow registers a cursor, so that it hears of everything that lands from here on.
func (h *hub) follow(c *cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.mu.topics[c.room]
	if t == nil {
		t = &topic{followers: map[*cursor]bool{}}
		h.mu.topics[c.room] = t
	}
	c.topic = t
	t.mu.Lock()
	defer t.mu.Unlock()
	t.followers[c] = true
}

// followers gives the sessions that follow a room.
func (h *hub) followers(room ident.RoomID) (sessions []*session) {
	t := h.topic(room)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.followers {
		sessions = append(sessions, c.session)
	}
	return sessions
}

// unfollow forgets a cursor, and its room with the last one.
func (h *hub) unfollow(c *cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := c.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.followers, c)
	if len(t.followers) == 0 && h.mu.topics[c.room] == t {
		t.dropTail(&h.tails)
		delete(h.mu.topics, c.room)
	}
}

// dropIdleTails forgets tails to which nothing was added since the last call.
func (h *hub) dropIdleTails() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.mu.topics {
		t.mu.Lock()
		if t.idle {
			t.dropTail(&h.tails)
		}
		t.idle = true
		t.mu.Unlock()
	}
}

// entryOf gives the entry that a submission has become.
func entryOf(s *Submission) *wire.Entry {
	return &wire.Entry{
		Seq: s.Seq, Kind: s.Kind, Device: s.Device[:], Account: s.Account[:], Id: s.ID[:], Epoch: s.Epoch,
		At: s.At, Payload: s.Payload, Head: s.Head[:],
	}
}
