package server

import "sync/atomic"

const (
	// largeFrame is how many bytes a connection may read and have waiting for the disk before it takes one of its share's
	// places: more than a Register, or the submits of a slow disk, commonly have.
	largeFrame = 128 << 10
	// largeOfAccount is how many connections of an account may have more than that, largeOfStrangers how many of those that act
	// for nobody. One that finds no place is hung up on: it comes back, and says the same again.
	largeOfAccount   = 8
	largeOfStrangers = 32
	// pendingOfAccount is what an account's connections share of what waits for the disk, in bytes, if each has more than
	// leastPending.
	pendingOfAccount = 16 << 20
	leastPending     = 64 << 10
)

// share is what the connections of one account have together of the server's memory, or those that act for nobody.
type share struct {
	places atomic.Int64 // that are free
	conns  atomic.Int64
}

func newShare(places int64) *share {
	s := &share{}
	s.places.Store(places)
	return s
}

func (s *share) take() bool {
	if s.places.Add(-1) >= 0 {
		return true
	}
	s.places.Add(1)
	return false
}

func (s *share) giveBack() { s.places.Add(1) }

// pending is how many bytes of one connection's submits may wait for the disk.
func (s *share) pending() int {
	return int(max(leastPending, min(maxPendingBytes, pendingOfAccount/max(1, s.conns.Load()))))
}

// admitLarge takes a place for a connection that has begun to read a large message; false where there is none, and the peer is
// told. The reader calls it.
func (n *session) admitLarge() bool {
	n.mu.Lock()
	n.mu.reading = true
	if n.mu.place == nil {
		if of := n.share.Load(); of.take() {
			n.mu.place = of
		}
	}
	admitted := n.mu.place != nil
	n.mu.Unlock()
	if !admitted {
		n.last(closeTryLater, "too many large messages at once")
	}
	return admitted
}

// handled notes that a message was carried out, and whether another large one has begun.
func (n *session) handled() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.reading = n.gate.UnderWay() > largeFrame
	n.leavePlace()
}

// leavePlace wants mu held; it gives the connection's place back if it needs none any more.
func (n *session) leavePlace() {
	if n.mu.place != nil && !n.mu.reading && n.mu.pendingBytes <= largeFrame {
		n.mu.place.giveBack()
		n.mu.place = nil
	}
}
