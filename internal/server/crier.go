package server

import (
	"context"
	"sync"
)

// crier tells sessions of what has changed, one thing after the other, so that
// the last word about a room is the newest, and no request waits for it.
type crier struct {
	wake chan struct{} // of size 1
	mu   struct {
		sync.Mutex
		news []func(context.Context)
	}
}

func newCrier() *crier { return &crier{wake: make(chan struct{}, 1)} }

// tell queues news; it may be called from any goroutine and never blocks. The queue
// is bounded by what causes news: durable writes, each of which somebody waited
// for, and knocks, which are limited.
func (c *crier) tell(news func(context.Context)) {
	c.mu.Lock()
	c.mu.news = append(c.mu.news, news)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run tells until ctx ends.
func (c *crier) Run(ctx context.Context) {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		news := c.mu.news
		c.mu.news = nil
		c.mu.Unlock()
		for _, tell := range news {
			tell(ctx)
		}
	}
}
