package mtls

import (
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"
)

// Live is an identity and a trust that may change while connections live. Any
// number of dialers and listeners may share one. Set changes both at once: the
// next handshake uses the new ones, and connections whose peer is no longer
// trusted are cut; the others go on. Safe from any goroutine.
type Live struct {
	current atomic.Pointer[standing]

	entered struct {
		sync.Mutex
		conns map[*wire]*living // nil where nothing can change
	}
}

// A standing is what a Live has at one moment. It never changes.
type standing struct {
	id       *Identity
	verifier *verifier
}

// A living is a connection that a change of trust may cut.
type living struct {
	wire  *wire
	terms *Terms
	state tls.ConnectionState
	since time.Time // of the handshake

	// verdict is how far a Decide has come; owned by Live's lock.
	verdict verdict
}

// A verdict says what is known of a peer beside what Trust says.
type verdict int

const (
	uncalled verdict = iota // Trust alone says
	pending                 // it may be asked for, or is being
	accepted                // by a Decide
)

// NewLive makes a Live. Errors as those of Dial.
func NewLive(id *Identity, trust Trust) (*Live, error) {
	s, err := newStanding(id, trust, false)
	if err != nil {
		return nil, err
	}
	l := &Live{}
	l.current.Store(s)
	l.entered.conns = make(map[*wire]*living)
	return l, nil
}

func newStanding(id *Identity, trust Trust, decided bool) (*standing, error) {
	if id == nil {
		return nil, errNoIdentity
	}
	if err := trust.check(decided); err != nil {
		return nil, err
	}
	v, err := newVerifier(trust)
	if err != nil {
		return nil, err
	}
	return &standing{id: id, verifier: v}, nil
}

// Identity gives the present identity.
func (l *Live) Identity() *Identity { return l.current.Load().id }

// Trust gives the present trust.
func (l *Live) Trust() Trust { return l.current.Load().verifier.trust.clone() }

// Conns gives the number of connections that a change would judge again.
func (l *Live) Conns() int {
	l.entered.Lock()
	defer l.entered.Unlock()
	return len(l.entered.conns)
}

// Set replaces identity and trust, and cuts the connections whose peer the new
// trust refuses; how many is returned. Reading and writing them then gives a
// *PeerError. What their peers see is a connection that was cut. Of dates,
// connections are judged by the time of their handshake: a certificate that has
// since expired, or a revocation list that has, cuts nothing. Where it fails the
// old ones stay. Errors as those of Dial.
func (l *Live) Set(id *Identity, trust Trust) (cut int, err error) {
	s, err := newStanding(id, trust, false)
	if err != nil {
		return 0, err
	}
	l.current.Store(s)
	for c, verdict := range l.conns() {
		if refusal := c.judge(s, verdict); refusal != nil {
			l.leave(c.wire)
			c.wire.cutBy(refusal)
			cut++
		}
	}
	return cut, nil
}

// conns gives those that have entered, with their verdicts.
func (l *Live) conns() map[*living]verdict {
	l.entered.Lock()
	defer l.entered.Unlock()
	conns := make(map[*living]verdict, len(l.entered.conns))
	for _, c := range l.entered.conns {
		conns[c] = c.verdict
	}
	return conns
}

// enter makes a connection known to Set, until it is closed.
func (l *Live) enter(c *living) {
	l.entered.Lock()
	defer l.entered.Unlock()
	if l.entered.conns == nil {
		return
	}
	l.entered.conns[c.wire] = c
	c.wire.live.Store(l)
}

func (l *Live) leave(w *wire) {
	l.entered.Lock()
	defer l.entered.Unlock()
	delete(l.entered.conns, w)
}

// settle writes the verdict down.
func (l *Live) settle(c *living, v verdict) {
	l.entered.Lock()
	defer l.entered.Unlock()
	c.verdict = v
}

// judge judges a connection by a new standing, as of the time of its handshake.
func (c *living) judge(s *standing, v verdict) *PeerError {
	_, refusal := c.terms.judge(s, c.state, c.since)
	if refusal != nil && refusal.undecided && v != uncalled {
		return nil
	}
	return refusal
}
