package server

import (
	"sync"
	"sync/atomic"

	"snug/internal/wire"
)

// topic is a room that somebody follows: its followers, and its newest entries,
// encoded once for all of them.
type topic struct {
	// known is the highest seq that we know to be durable.
	known atomic.Uint64
	// reboot is the seq of the last reboot that has come by: whom it let in again may read on.
	reboot atomic.Uint64

	mu        sync.Mutex
	followers map[*cursor]bool
	first     uint64      // seq of entries[0]
	entries   []tailEntry // without gaps
	size      int         // of entries, in bytes
	idle      bool        // nothing was added since the last sweep
}

// tailEntry is an entry as Entries holds it, tag and length included.
type tailEntry struct {
	bytes  []byte
	commit bool
}

// tails counts the bytes of all tails.
type tails struct{ size atomic.Int64 }

// raise makes known at least seq.
func (t *topic) raise(seq uint64) {
	for {
		old := t.known.Load()
		if old >= seq || t.known.CompareAndSwap(old, seq) {
			return
		}
	}
}

// append adds a new entry. Where it does not continue the tail (entries of another
// server came between), the tail begins anew and the store has the rest.
func (t *topic) append(s *Submission, all *tails) {
	e := tailEntry{bytes: appendEntry(nil, entryOf(s)), commit: movesMembers(s.Kind)}
	t.mu.Lock()
	if s.Seq != t.first+uint64(len(t.entries)) {
		t.dropTail(all)
		t.first = s.Seq
	}
	t.entries = append(t.entries, e)
	t.grow(len(e.bytes), all)
	t.idle = false
	limit := tailSize
	if all.size.Load() > tailsSize {
		limit = 0 // only the newest: everybody's old ones are in the store
	}
	for t.size > limit && len(t.entries) > 1 {
		t.grow(-len(t.entries[0].bytes), all)
		t.entries[0] = tailEntry{}
		t.entries = t.entries[1:]
		t.first++
	}
	t.mu.Unlock()
	if s.Commit != nil && s.Commit.Replaces != nil {
		t.reboot.Store(s.Seq)
	}
	t.raise(s.Seq)
}

func (t *topic) grow(n int, all *tails) {
	t.size += n
	all.size.Add(int64(n))
}

// dropTail wants mu held.
func (t *topic) dropTail(all *tails) {
	t.grow(-t.size, all)
	t.entries, t.first = nil, 0
}

// wake marks every follower as having something to read, and notes its session.
func (t *topic) wake(sessions map[*session]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.followers {
		if c.session.behind(c) {
			sessions[c.session] = true
		}
	}
}

// read adds a frame with the entries after a seq, up to a bound and about
// MaxBatch bytes, and no further than a commit after checked. It gives the last
// seq read; after, where the tail does not go back so far.
func (t *topic) read(b *frames, c *cursor) (last uint64, commit bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := min(c.until+1, t.first+uint64(len(t.entries)))
	if c.until == NoEnd {
		end = t.first + uint64(len(t.entries))
	}
	from := c.after + 1
	if t.first == 0 || from < t.first || from >= end {
		return c.after, false
	}
	size, next := 0, from
	for ; next < end && !commit; next++ {
		e := t.entries[next-t.first]
		if size > 0 && size+len(e.bytes) > wire.MaxBatch {
			break
		}
		size += len(e.bytes)
		commit = e.commit && next > c.checked
	}
	b.own = appendEntriesHeader(b.own, c.room, size)
	for seq := from; seq < next; seq++ {
		if e := t.entries[seq-t.first]; len(e.bytes) > flushSize {
			b.share(e.bytes)
		} else {
			b.own = append(b.own, e.bytes...)
		}
	}
	return next - 1, commit
}
