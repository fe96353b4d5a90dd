package tunnel

import (
	"slices"
	"sync"
)

// A pool keeps the idle carriers of a connecting end; the one used last goes first, so that those that are too many grow
// old. A route has one far end and one set of rules, so that each of its carriers is as good as another, but whose it is
// stays with the carrier.
type pool struct {
	// handed gives a carrier to a stream that waits for one.
	handed chan *link
	// discard ends a carrier that is of no use any more.
	discard func(*link)

	carriers struct {
		sync.Mutex
		shut bool
		idle []*link
	}
}

// take gives a carrier on which nothing has come since its last stream, or nil.
func (p *pool) take() *link {
	for l := p.last(); l != nil; l = p.last() {
		if l.why.Load() == nil && l.alive() {
			l.idleSince.Store(0)
			return l
		}
		p.discard(l) // its end has come, or what must not
	}
	return nil
}

func (p *pool) last() *link {
	c := &p.carriers
	c.Lock()
	defer c.Unlock()
	if len(c.idle) == 0 {
		return nil
	}
	l := c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	return l
}

// put keeps a carrier for the next stream, most at a time, and reports whether it did.
func (p *pool) put(l *link, now int64, most int) bool {
	select {
	case p.handed <- l:
		return true
	default:
	}
	c := &p.carriers
	c.Lock()
	defer c.Unlock()
	if c.shut || len(c.idle) >= most {
		return false
	}
	l.idleSince.Store(now)
	c.idle = append(c.idle, l)
	return true
}

// drop takes a carrier out, if it is still there.
func (p *pool) drop(l *link) bool {
	c := &p.carriers
	c.Lock()
	defer c.Unlock()
	i := slices.Index(c.idle, l)
	if i >= 0 {
		c.idle = slices.Delete(c.idle, i, i+1)
	}
	return i >= 0
}

// empty ends all of them. After the last time it is called with shut, none is kept any more.
func (p *pool) empty(shut bool) {
	c := &p.carriers
	c.Lock()
	idle := c.idle
	c.idle, c.shut = nil, c.shut || shut
	c.Unlock()
	for _, l := range idle {
		p.discard(l)
	}
}
