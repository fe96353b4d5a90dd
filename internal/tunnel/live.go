package tunnel

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A route is a Route at work. Its side of TLS never changes, nor its place while it lives; all else is in its standing.
type route struct {
	name   string
	accept bool
	log    *slog.Logger
	clock  *atomic.Int64 // Unix nanoseconds as of the last sweep
	now    func() time.Time
	pause  func(time.Duration)
	parker *parker
	place  *place
	// heir is the route that the place has gone to; it is there before the route is closed for it.
	heir atomic.Pointer[route]

	// standing is what the route goes by at the moment.
	standing atomic.Pointer[standing]
	watch    watch     // guarded by the tunnel's sweeping
	rereadAt time.Time // likewise; where the files could not be used
	renewal  renewal

	handshaking chan struct{} // one for each under way; of the connecting end also those that wait
	idle        pool
	streams     *sync.WaitGroup // the tunnel's: it ends when they have

	live struct {
		sync.Mutex
		closed     bool // no more links, and no more streams on those that there are
		links      map[*link]struct{}
		plain      map[net.Conn]uint64 // connections that have no link yet, in the order in which they came
		came       uint64
		presences  map[string]*presence
		addresses  map[netip.Addr]int // handshakes under way
		handshakes map[outcome]int64
	}
}

// A standing is one reading of a route and its files. It never changes.
type standing struct {
	Route
	target *target
	// policy is the last one that could be read; broken says why the files as they lie give none. Nobody new is let in
	// then.
	policy *policy
	broken error
}

// problem says what is wrong with the files, or nil.
func (s *standing) problem() error {
	if s.broken != nil {
		return s.broken
	}
	return errors.Join(s.policy.older, s.policy.half)
}

// known is the policy until now, that of the route before it in its place for a new one; nil in the beginning.
func (r *route) known() *policy {
	if s := r.standing.Load(); s != nil {
		return s.policy
	}
	if r.place == nil {
		return nil
	}
	if before := r.place.owner.Load(); before != nil && before != r {
		return before.known()
	}
	return nil
}

// errCrowded refuses who has too much already, errBroken anybody while the files are not readable.
var (
	errCrowded = errors.New("tunnel: too many connections")
	errBroken  = errors.New("tunnel: the files of the route cannot be read")
	errClosed  = errors.New("tunnel: the route is closed")
)

func newRouteAt(r Route, t *Tunnel) *route {
	at := &route{name: r.Name, accept: r.Accept, log: t.log.With("route", r.Name), clock: &t.clock, parker: t.parker, streams: &t.running}
	at.now, at.pause = t.now, t.pause
	at.handshaking = make(chan struct{}, maxHandshakes)
	if !r.Accept {
		at.handshaking = make(chan struct{}, maxDialing)
	}
	at.idle.handed, at.idle.discard = make(chan *link), at.discard
	at.live.links = make(map[*link]struct{})
	at.live.plain = make(map[net.Conn]uint64)
	at.live.presences = make(map[string]*presence)
	at.live.addresses = make(map[netip.Addr]int)
	at.live.handshakes = make(map[outcome]int64)
	return at
}

// set puts a reading in use. Links whose peer the policy does not let in any more are cut; the others go on.
func (r *route) set(s *standing) (cut int) {
	if s.broken == nil && s.policy.older != nil {
		r.log.Error("the revocation list is not taken: what was known stays in force", "reason", s.policy.older)
	}
	if s.broken == nil && s.policy.half != nil {
		r.log.Error("the certificate and its key do not fit together: those of before are shown", "reason", s.policy.half)
	}
	r.idle.empty(false)
	r.live.Lock()
	defer r.live.Unlock()
	r.standing.Store(s)
	for _, rule := range s.Allow {
		p := r.presence(rule.text)
		p.limit.Store(newLimiter(s.Rate))
	}
	for l := range r.live.links {
		if s.broken == nil && l.policy != s.policy && r.judge(l, s.policy) != nil {
			cut++
		}
	}
	return cut
}

// judge judges a link that is in already; the route's lock is held.
func (r *route) judge(l *link, p *policy) error {
	l.policy = p
	err := p.judgeAgain(l.state, l.since)
	if err != nil {
		l.cut("its peer is not let in any more")
	}
	return err
}

// presence gives that of a rule; the route's lock is held.
func (r *route) presence(rule string) *presence {
	p := r.live.presences[rule]
	if p == nil {
		p = &presence{rule: rule, now: r.now, pause: r.pause}
		r.live.presences[rule] = p
		if s := r.standing.Load(); s != nil {
			p.limit.Store(newLimiter(s.Rate))
		}
	}
	return p
}

// enter takes a new link in, if it may still come.
func (r *route) enter(l *link) error {
	r.live.Lock()
	defer r.live.Unlock()
	s, p := r.standing.Load(), r.presence(l.who.rule)
	switch {
	case r.live.closed:
		return errClosed
	case p.links >= s.Streams:
		p.refused.Add(1)
		return errCrowded
	case l.policy != s.policy:
		// The files have changed during its handshake.
		if err := r.judge(l, s.policy); err != nil {
			return err
		}
	}
	p.links++
	p.expires.Store(l.who.peer.Certificate.NotAfter.Unix())
	l.presence = p
	r.live.links[l] = struct{}{}
	return nil
}

// still judges a link again before its next stream, as strictly as a connection that comes now: a stream does not get in
// by an old carrier where a new one would be refused, or would count for another rule. What lives on the link lives on;
// whom to cut is for set to say.
func (r *route) still(l *link) bool {
	s := r.standing.Load()
	if l.why.Load() != nil || s.broken != nil {
		return false
	}
	r.live.Lock()
	same := l.policy == s.policy
	r.live.Unlock()
	if same && l.who.peer.Chain == nil {
		return true // a pinned key: time changes nothing
	}
	who, err := s.policy.judge(l.state)
	return err == nil && who.rule == l.who.rule
}

// leave forgets a link that has ended, and that nobody reads any more.
func (r *route) leave(l *link) {
	l.discard()
	r.forget(l)
}

// forget takes a link out.
func (r *route) forget(l *link) {
	r.live.Lock()
	defer r.live.Unlock()
	if _, in := r.live.links[l]; in {
		delete(r.live.links, l)
		l.presence.links--
	}
}

// close lets nobody in any more, and ends what is idle. Streams go on, and so does a place that is another's by now.
func (r *route) close() {
	if r.place.owner.Load() == r {
		r.place.Close()
	}
	for _, l := range r.shut() {
		r.streams.Go(l.close)
	}
}

// shut is close where another route goes on in the same place: carriers that wait for their next stream, which it gives,
// are for that one.
func (r *route) shut() (idle []*link) {
	r.live.Lock()
	r.live.closed = true
	for l := range r.live.links {
		if r.accept && l.stream.Load() == nil && l.idleSince.Load() != 0 {
			idle = append(idle, l)
		}
	}
	r.live.Unlock()
	if !r.accept {
		r.idle.empty(true)
	}
	return idle
}

// discard ends a link that carries nothing. It does not wait for a far end that takes no farewell.
func (r *route) discard(l *link) {
	r.leave(l)
	r.streams.Go(l.close)
}

// closed reports whether the route ends.
func (r *route) closed() bool {
	r.live.Lock()
	defer r.live.Unlock()
	return r.live.closed
}

// gone reports whether the route ends, and nobody goes on in its place.
func (r *route) gone() bool {
	for r != nil && r.closed() {
		r = r.heir.Load()
	}
	return r == nil
}

// cutAll ends everything at once.
func (r *route) cutAll() {
	r.live.Lock()
	defer r.live.Unlock()
	for l := range r.live.links {
		l.cut("the tunnel has ended")
	}
	for conn := range r.live.plain {
		reset(conn)
	}
}

// count gives the number of links and of connections on their way to one.
func (r *route) count() int {
	r.live.Lock()
	defer r.live.Unlock()
	return len(r.live.links) + len(r.live.plain)
}
