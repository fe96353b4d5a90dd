package server

import (
	"sync"

	"snug/internal/ident"
	"snug/internal/wire"
)

// outgoing is what a session has to write: answers and events, encoded, and the
// rooms that it follows and lags behind in. Only the first take memory: entries
// are fetched when the socket takes them. Guarded by session.mu.
type outgoing struct {
	out      frames
	flushing bool // a goroutine runs flush
	closed   bool
	leaving  bool // what is queued is the last

	busy         bool // the reader carries out a request
	pending      int  // submits without an answer
	pendingBytes int
	reading      bool   // a large message
	place        *share // whose place is taken, while that or what waits is large

	follows map[ident.RoomID]*cursor
	lagging []*cursor // those with something to read, each once
}

// frames are encoded frames, one after the other. What is large and goes to many sessions is kept once, and is no part of
// own, but stands between its bytes: a commit of 5 MiB to a thousand devices would otherwise take 5 GiB.
type frames struct {
	own    []byte // nil while there is nothing
	shared []shared
	size   int // of shared, in bytes
}

// shared is content that comes after so many of the own bytes; it must not change.
type shared struct {
	after   int
	content []byte
}

func (f *frames) len() int { return len(f.own) + f.size }

func (f *frames) share(content []byte) {
	f.shared = append(f.shared, shared{len(f.own), content})
	f.size += len(content)
}

// buffers are for frames: an idle session has none.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func takeBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func giveBuffer(b []byte) {
	if cap(b) > 0 && cap(b) <= 2*highWater {
		buffers.Put(&b)
	}
}

// answer queues a frame from the reader's goroutine; it waits while the peer does
// not read, and so keeps us from reading more.
func (n *session) answer(f *wire.ServerFrame) {
	n.mu.Lock()
	n.waitSpace()
	n.put(f)
	start := n.wantFlush()
	n.mu.Unlock()
	n.flushIf(start)
}

// waitSpace wants mu held, by the reader: it waits while a peer has not read what it asked for.
func (n *session) waitSpace() {
	for n.mu.out.len() > highWater && !n.mu.closed {
		n.space.Wait()
	}
}

// ended reports whether what is queued goes nowhere.
func (n *session) ended() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.closed || n.mu.leaving
}

// event queues a frame from any goroutine. A peer that lets them pile up is hung
// up on: it finds out everything again when it comes back.
func (n *session) event(f *wire.ServerFrame) {
	n.mu.Lock()
	if (n.mu.out.len() > maxOutgoing || len(n.mu.out.own) > maxOwn) && !n.mu.closed {
		n.mu.closed = true // nothing is queued from here on, and nobody hangs up again
		n.space.Broadcast()
		n.mu.Unlock()
		n.hangUp(closeTryLater, "too slow")
		return
	}
	n.put(f)
	start := n.wantFlush()
	n.mu.Unlock()
	n.flushIf(start)
}

// silence has the peer ask for nothing more, and hear nothing more of the rooms that it follows.
func (n *session) silence() {
	n.revoked.Store(true)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.mu.follows {
		c.stopped = true
	}
	n.mu.lagging = nil
}

// lastWord queues a frame after which no other one is.
func (n *session) lastWord(f *wire.ServerFrame) {
	n.mu.Lock()
	n.put(f)
	n.mu.leaving = true
	start := n.wantFlush()
	n.mu.Unlock()
	n.flushIf(start)
}

// answered queues the answer to a submit, from the hub, which flushes afterwards.
func (n *session) answered(s *Submission) {
	f := &wire.ServerFrame{Id: s.request}
	if s.Err != nil {
		f = n.refusal(s.Err).frame(s.request)
	} else {
		f.Body = &wire.ServerFrame_Ack{Ack: &wire.Ack{Seq: s.Seq, Head: s.Head[:], At: s.At}}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.pending--
	n.mu.pendingBytes -= s.size()
	n.leavePlace()
	n.put(f)
	n.space.Signal()
}

// put wants mu held.
func (n *session) put(f *wire.ServerFrame) {
	if n.mu.closed || n.mu.leaving {
		return
	}
	if n.mu.out.own == nil {
		n.mu.out.own = takeBuffer()
	}
	if w := f.GetWelcome(); w != nil && len(w.Welcome) > sharedSize {
		n.mu.out.own = appendWelcomeHeader(n.mu.out.own, w)
		n.mu.out.share(w.Welcome)
		return
	}
	if c := f.GetChain(); c != nil && len(c.Chain) > sharedSize {
		n.mu.out.own = appendChainHeader(n.mu.out.own, c)
		n.mu.out.share(c.Chain)
		return
	}
	n.mu.out.own = appendFrame(n.mu.out.own, f)
}

// reserve waits until one more submit may be under way. Its answer will come from the hub, which waits for nobody: so the
// peer has to have read most of what came before.
func (n *session) reserve(s *Submission) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waitSpace()
	for n.mu.pending >= wire.MaxPending || n.mu.pending > 0 && n.mu.pendingBytes+s.size() > n.share.Load().pending() {
		if n.mu.closed {
			break
		}
		n.space.Wait()
	}
	n.mu.pending++
	n.mu.pendingBytes += s.size()
}

// size is what a submission keeps in memory, about.
func (s *Submission) size() int {
	if s.Commit == nil {
		return len(s.Payload)
	}
	return len(s.Payload) + len(s.Commit.Welcome)
}

// behind notes that a cursor has something to read, and reports whether a flush
// has to be started.
func (n *session) behind(c *cursor) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.ready && !c.lagging && !c.stopped && !n.mu.closed {
		c.lagging = true
		n.mu.lagging = append(n.mu.lagging, c)
	}
	return !n.mu.flushing
}

// startFlush starts a flush unless one runs.
func (n *session) startFlush() {
	n.mu.Lock()
	start := n.wantFlush()
	n.mu.Unlock()
	n.flushIf(start)
}

// wantFlush wants mu held; true means that the caller must call flushIf.
func (n *session) wantFlush() bool {
	if n.mu.flushing || n.mu.closed || n.mu.out.len() == 0 && len(n.mu.lagging) == 0 {
		return false
	}
	n.mu.flushing = true
	return true
}

func (n *session) flushIf(start bool) {
	if start {
		n.server.sessions.Go(n.flush)
	}
}

// flush writes what there is to write, and ends when there is nothing more. One
// runs at a time.
func (n *session) flush() {
	b := frames{own: takeBuffer()}
	for {
		var ok bool
		if b, ok = n.next(frames{own: b.own[:0]}); !ok {
			giveBuffer(b.own)
			return
		}
		// Entries of a lagging room go along with what was queued, but never before:
		// Follow's answer comes before the first of them.
		for b.len() < flushSize {
			c := n.nextLagging()
			if c == nil {
				break
			}
			n.pull(n.server.life, c, &b)
		}
		if b.len() == 0 {
			continue
		}
		if err := n.gate.write(&b); err != nil {
			n.mu.Lock()
			n.mu.closed, n.mu.flushing = true, false
			n.space.Broadcast()
			n.mu.Unlock()
			n.hangUp(closeGoingAway, "")
			return
		}
	}
}

// next takes the queued frames, in exchange for an empty buffer. ok is false where
// there is nothing to do: then no flush runs any more.
func (n *session) next(b frames) (_ frames, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.space.Broadcast()
	if n.mu.closed || n.mu.out.len() == 0 && len(n.mu.lagging) == 0 {
		n.mu.flushing = false
		giveBuffer(n.mu.out.own)
		n.mu.out = frames{}
		return b, false
	}
	b, n.mu.out = n.mu.out, b
	return b, true
}

// nextLagging gives a cursor to read from, unless frames were queued meanwhile:
// they go first.
func (n *session) nextLagging() *cursor {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.out.len() > 0 || n.mu.closed {
		return nil
	}
	for len(n.mu.lagging) > 0 {
		c := n.mu.lagging[0]
		n.mu.lagging = n.mu.lagging[1:]
		c.lagging = false
		if !c.stopped {
			return c
		}
	}
	n.mu.lagging = nil
	return nil
}

// waitIdle waits until nothing is under way and all answers are written, or the
// connection has ended.
func (n *session) waitIdle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for (n.mu.busy || n.mu.pending > 0 || n.mu.out.len() > 0 || n.mu.flushing) && !n.mu.closed {
		n.space.Wait()
	}
}

// waitFlushed waits until what was queued is written or the connection has ended.
func (n *session) waitFlushed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for (n.mu.out.len() > 0 || n.mu.flushing) && !n.mu.closed {
		n.space.Wait()
	}
}
