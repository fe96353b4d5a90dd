package server

import (
	"net"
	"slices"
	"sync"
	"time"
)

// handshakes are those under way. Where there are as many as may be, who has taken longest has to go for who comes.
type handshakes struct {
	slots chan struct{}

	mu struct {
		sync.Mutex
		oldest []begun // in the order in which they came
	}
}

// begun is a connection since when its handshake goes on.
type begun struct {
	raw net.Conn
	at  time.Time
}

func newHandshakes() *handshakes { return &handshakes{slots: make(chan struct{}, maxHandshakes)} }

// begin waits until there is a place for a connection, which end gives back; false means that stop was closed meanwhile.
// Only the accepting goroutine calls it.
func (h *handshakes) begin(raw net.Conn, stop <-chan struct{}) bool {
	if !h.place(stop) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.oldest = append(h.mu.oldest, begun{raw, time.Now()})
	return true
}

func (h *handshakes) place(stop <-chan struct{}) bool {
	for {
		select {
		case h.slots <- struct{}{}:
			return true
		default:
		}
		overdue := time.NewTimer(h.evict())
		select {
		case h.slots <- struct{}{}:
			overdue.Stop()
			return true
		case <-stop:
			overdue.Stop()
			return false
		case <-overdue.C:
		}
	}
}

// evict closes the oldest connection if it has had its time, and gives how long to wait for the next one that will have. Its
// place is free when its handshake has noticed.
func (h *handshakes) evict() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.mu.oldest) > 0 && time.Since(h.mu.oldest[0].at) >= shakeWithin {
		h.mu.oldest[0].raw.Close()
		h.mu.oldest = slices.Delete(h.mu.oldest, 0, 1)
	}
	if len(h.mu.oldest) == 0 {
		return shakeWithin
	}
	return max(acceptPause, shakeWithin-time.Since(h.mu.oldest[0].at))
}

// end forgets a connection whose handshake is over.
func (h *handshakes) end(raw net.Conn) {
	h.mu.Lock()
	h.mu.oldest = slices.DeleteFunc(h.mu.oldest, func(b begun) bool { return b.raw == raw })
	h.mu.Unlock()
	<-h.slots
}
