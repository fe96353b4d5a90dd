package client

import (
	"time"
)

// Event is something that a view may want to show: ConnectionChanged, RoomChanged, MessageChanged, AccountsChanged,
// AlertsChanged, PassphraseChanged, ArchiveChanged, SignedOut or Resync.
type Event interface{ event() }

// ConnectionChanged tells that the server is reachable, or why it is not and when that is tried again. Without either it
// answers again, and nobody is signed in.
type ConnectionChanged struct {
	Online  bool
	Problem string
	RetryAt time.Time
}

// RoomChanged tells that a room is new or that something about it has changed.
type RoomChanged struct{ Room Room }

// MessageChanged tells of a new message or of a new state of one; Message.ID (with Device) tells which, and for notices
// and gaps Message.Seq. Messages of a room with a Seq come in the order of Seq, each once.
type MessageChanged struct{ Message Message }

// AccountsChanged tells that Accounts would give another answer.
type AccountsChanged struct{}

// AlertsChanged tells that Alerts would give another answer.
type AlertsChanged struct{}

// PassphraseChanged tells that this device has changed the account's passphrase, or why a change that was begun before was
// not carried out.
type PassphraseChanged struct{ Problem string }

// ArchiveChanged tells that Archive would give another answer, and History perhaps more than it did.
type ArchiveChanged struct{}

// SignedOut tells that this device belongs to no account any more, and why. Another holder of the store may have done that;
// where one has signed in, Resync tells.
type SignedOut struct{ Reason string }

// Resync tells that events were left out, because they were not read in time or would be too many: read anew what is shown,
// Me included.
type Resync struct{}

func (ConnectionChanged) event() {}
func (RoomChanged) event()       {}
func (MessageChanged) event()    {}
func (AccountsChanged) event()   {}
func (AlertsChanged) event()     {}
func (PassphraseChanged) event() {}
func (ArchiveChanged) event()    {}
func (SignedOut) event()         {}
func (Resync) event()            {}

// subscriptionBuffer is how many events a slow reader may be behind before it gets Resync instead: a screenful of
// messages and what goes with them.
const subscriptionBuffer = 1024

// Subscription is one reader of events. Read C until it is closed.
type Subscription struct {
	// C gives the events in order. It is closed by Close, here or of the client.
	C <-chan Event

	client *Client
	c      chan Event
	// Guarded by client.shared.
	behind bool
	ended  bool
}

// Events subscribes to what happens from now on.
func (c *Client) Events() *Subscription {
	ch := make(chan Event, subscriptionBuffer)
	s := &Subscription{C: ch, c: ch, client: c}
	c.shared.Lock()
	defer c.shared.Unlock()
	if c.shared.subscriptions == nil {
		s.end()
		return s
	}
	c.shared.subscriptions[s] = struct{}{}
	return s
}

// Close ends the subscription and closes C.
func (s *Subscription) Close() {
	s.client.shared.Lock()
	defer s.client.shared.Unlock()
	delete(s.client.shared.subscriptions, s)
	s.end()
}

// end closes the channel once; under client.shared.
func (s *Subscription) end() {
	if !s.ended {
		s.ended = true
		close(s.c)
	}
}

// offer hands over an event without waiting; under client.shared. One place of the buffer is kept for Resync.
func (s *Subscription) offer(e Event) {
	if s.ended {
		return
	}
	if s.behind {
		if len(s.c) > 0 {
			return
		}
		s.behind = false
	}
	if len(s.c) >= cap(s.c)-1 {
		s.behind = true
		e = Resync{}
	}
	s.c <- e
}
