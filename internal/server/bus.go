package server

import (
	"sync"

	"snug/internal/ident"
)

// Bus tells the servers over one Store that a room has more entries. It carries
// no content, and is no truth: a notice may be lost, doubled or late, and costs
// then no more than a delay.
//
// Publish never blocks and is safe from any goroutine. Subscribe registers a
// function that is called for every notice, this server's own included, must not
// block, and is not called any more when cancel has returned.
type Bus interface {
	Publish(room ident.RoomID, seq uint64)
	Subscribe(func(room ident.RoomID, seq uint64)) (cancel func())
}

// localBus joins a server with itself.
type localBus struct {
	mu   sync.RWMutex
	hear func(ident.RoomID, uint64)
}

// Publish is Bus's.
func (b *localBus) Publish(room ident.RoomID, seq uint64) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.hear != nil {
		b.hear(room, seq)
	}
}

// Subscribe is Bus's; the last one to call it hears.
func (b *localBus) Subscribe(hear func(ident.RoomID, uint64)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hear = hear
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hear = nil
	}
}
