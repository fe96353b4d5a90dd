package main

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"snug/internal/ident"
)

// follower reads the logs of rooms on one connection and keeps their ledgers. Owned by run, save finish.
type follower struct {
	socket   *socket
	ledgers  map[ident.RoomID]*ledger
	clock    clock
	interval interval
	// heard, where set, is called for every message.
	heard func(s stamp, now int64)

	// ends are the rooms' last seqs, once finish has told them.
	ends      atomic.Pointer[map[ident.RoomID]uint64]
	draining  bool
	delivered uint64 // within the interval
	latencies histogram
}

// drainTimeout is how long a follower may lag behind the last ack before a message counts as lost.
const drainTimeout = 15 * time.Second

func newFollower(s *socket, c clock) *follower {
	return &follower{socket: s, ledgers: make(map[ident.RoomID]*ledger), clock: c}
}

// add makes the follower verify a room from where it is known.
func (f *follower) add(r *room, j *journal) *ledger {
	l := &ledger{journal: j, base: r.seq, seq: r.seq, head: r.head}
	f.ledgers[r.id] = l
	return l
}

// run reads until every room has reached the end that finish tells.
func (f *follower) run() error {
	for !f.complete() {
		err := f.turn()
		if isDeadline(err) {
			err = f.drain()
		}
		if err != nil {
			return fmt.Errorf("following: %w", err)
		}
	}
	return nil
}

// isDeadline reports whether a read ended by a deadline; the connection can be read on.
func isDeadline(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// turn takes the messages that have come, at least one.
func (f *follower) turn() error {
	message, err := f.socket.next()
	now := f.clock.now()
	for {
		if err != nil {
			return err
		}
		if err := f.take(message, now); err != nil {
			return err
		}
		f.draining = false
		if !f.socket.ready() {
			return nil
		}
		message, err = f.socket.next()
	}
}

func (f *follower) take(message []byte, now int64) error {
	a, err := readAnswer(message)
	if err != nil || a.body != fieldFrameEntries {
		return err
	}
	return readEntries(a.content, func(room ident.RoomID, e entry) error {
		l, ok := f.ledgers[room]
		if !ok {
			return fmt.Errorf("bench: entry %d of a room that was not followed", e.log.Seq)
		}
		s, err := l.add(e)
		if err != nil {
			return err
		}
		if f.interval.has(now) {
			f.delivered++
			f.latencies.add(time.Duration(now - s.sent))
		}
		if f.heard != nil {
			f.heard(s, now)
		}
		return nil
	})
}

// finish tells the seq at which each room ends, and wakes run. Safe from any goroutine.
func (f *follower) finish(ends map[ident.RoomID]uint64) {
	f.ends.Store(&ends)
	f.socket.conn.SetReadDeadline(time.Now())
}

// complete reports whether all has come that will come.
func (f *follower) complete() bool {
	ends := f.ends.Load()
	if ends == nil {
		return false
	}
	for id, l := range f.ledgers {
		if l.seq < (*ends)[id] {
			return false
		}
	}
	return true
}

// drain waits longer when finish has woken run, and as long as something comes; what has not come by then is lost.
func (f *follower) drain() error {
	if !f.draining {
		f.draining = true
		return f.socket.conn.SetReadDeadline(time.Now().Add(drainTimeout))
	}
	for id, end := range *f.ends.Load() {
		if l, ok := f.ledgers[id]; ok && l.seq < end {
			return fmt.Errorf("room %v: acked up to entry %d, delivered up to %d after %v", id, end, l.seq, drainTimeout)
		}
	}
	return nil
}
