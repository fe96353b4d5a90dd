package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A caller is a connection that has come, and for whom.
type caller struct {
	net.Conn
	source, destination netip.AddrPort
}

// admit sees a connection through its handshake. What follows has a goroutine of its own, because the stack of this one
// has grown.
func (r *route) admit(ctx context.Context, conn net.Conn, passed func()) {
	l, from, err := r.handshake(ctx, conn)
	passed()
	<-r.handshaking
	if err == nil {
		r, err = r.admitted(l)
		switch {
		case errors.Is(err, errCrowded):
			l.turnAway()
		case err != nil:
			l.line.Close()
		}
	}
	r.shook(l, err)
	if err == nil {
		r.streams.Go(func() {
			if !l.confirm(r.clock.Load()) {
				r.leave(l)
				return
			}
			r.serve(ctx, l, from)
		})
	}
}

// handshake reads the header that a balancer puts in front, if there is one, and shakes hands on a connection that the
// route holds. It closes on errors.
func (r *route) handshake(ctx context.Context, conn net.Conn) (*link, caller, error) {
	s := r.standing.Load()
	defer r.release(conn)
	from, err := s.called(conn)
	if err == nil && len(s.ProxyFrom) > 0 {
		if passed := r.knock(from.source); passed != nil {
			defer passed()
		} else {
			err = errCrowded
		}
	}
	switch {
	case err != nil:
	case s.broken != nil:
		err = errBroken
	case s.policy.config == nil:
		err = ErrNobody
	}
	if err != nil {
		conn.Close()
		return nil, from, err
	}
	l, err := handshake(ctx, conn, s.policy, true)
	return l, from, err
}

// called says for whom a connection is.
func (s *standing) called(conn net.Conn) (caller, error) {
	c := caller{conn, addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())}
	if len(s.ProxyFrom) == 0 {
		return c, nil
	}
	if !slices.ContainsFunc(s.ProxyFrom, func(p netip.Prefix) bool { return p.Contains(c.source.Addr()) }) {
		return c, errors.Join(errProxy, errors.New("it comes from no balancer of the route"))
	}
	conn.SetReadDeadline(time.Now().Add(proxyTimeout))
	h, err := readProxy(conn)
	if err != nil {
		return c, err
	}
	conn.SetReadDeadline(time.Time{})
	if h.source.IsValid() {
		c.source, c.destination = h.source, h.destination
	}
	return c, nil
}

// serve joins the next stream of a link with the target. It is called again when that has ended, in another goroutine.
func (r *route) serve(ctx context.Context, l *link, from caller) {
	for r.next(l) {
		if r.closed() && r.heir.Load() != nil {
			heir, err := r.pass(l)
			if err != nil {
				r.log.Info("the route in this one's place does not let the peer in", "reason", err)
				l.close() // before an answer, as next does
				break
			}
			r = heir
		}
		plain, good := r.answer(ctx, l, from)
		if plain != nil {
			r.carry(l, plain, nil, func(good bool) {
				if good {
					r.serve(ctx, l, from)
				} else {
					r.leave(l)
				}
			})
			return
		}
		if !good {
			break
		}
	}
	r.leave(l)
}

// next waits for a carrier's next stream. A link of another kind has one, which is there at once.
func (r *route) next(l *link) bool {
	l.idleSince.Store(r.clock.Load())
	if r.gone() {
		l.close()
		return false
	}
	if !l.framed {
		return true
	}
	if err := l.opened(); err != nil {
		r.hungUp(l, err)
		return false
	}
	if !r.still(l) {
		l.close() // before an answer: the far end tries a new connection, which is judged
		return false
	}
	return true
}

// hungUp ends a carrier between two streams.
func (r *route) hungUp(l *link, err error) {
	if errors.Is(err, errFrame) {
		r.log.Warn("the peer does not keep to the protocol", "peer", l.who.rule, "reason", err)
	}
	if err == io.EOF {
		l.close()
		return
	}
	l.line.Close()
}

// answer connects to the target for a stream. Where that fails plain is nil, and good says whether the link is.
func (r *route) answer(ctx context.Context, l *link, from caller) (plain net.Conn, good bool) {
	s := r.standing.Load()
	l.idleSince.Store(0)
	plain, err := s.target.dial(ctx)
	if err == nil && s.ProxyTo {
		h := proxyHeader{source: from.source, destination: from.destination, tlvs: peerTLVs(l)}
		plain.SetWriteDeadline(time.Now().Add(proxyTimeout))
		if _, err = plain.Write(h.append(nil)); err != nil {
			plain.Close()
		}
		plain.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		l.presence.refused.Add(1)
		r.log.Warn("the target cannot be reached", "reason", err)
		return nil, r.refuse(l, reasonTarget)
	}
	if l.framed {
		if err := l.answer(kindAccept, reasonNone, r.clock.Load()); err != nil {
			plain.Close()
			l.line.Close()
			return nil, false
		}
	}
	return plain, true
}

// refuse tells the far end that its stream has no target.
func (r *route) refuse(l *link, why reason) bool {
	if !l.framed {
		l.line.Close()
		return false
	}
	l.decoder.refused()
	if err := l.answer(kindRefuse, why, r.clock.Load()); err != nil {
		l.line.Close()
		return false
	}
	return true
}

// carry starts a stream, and counts it. In the end done is told whether the link is good for another.
func (r *route) carry(l *link, plain net.Conn, first []byte, done func(good bool)) {
	s := r.standing.Load()
	st := &stream{link: l, plain: plain, first: first, presence: l.presence, clock: r.clock, parker: r.parker, idle: s.Idle, total: s.Total}
	l.presence.active.Add(1)
	r.streams.Add(1)
	st.start(func(err error) {
		defer r.streams.Done()
		l.presence.active.Add(-1)
		done(r.ended(l, err))
	})
}

// ended counts a stream that is over, and reports whether its link is good for another.
func (r *route) ended(l *link, err error) bool {
	if err != nil {
		l.presence.broken.Add(1)
		r.log.Debug("stream broke", "peer", l.who.rule, "reason", err)
		return false
	}
	l.presence.ended.Add(1)
	// The accepting end may have the next opening already.
	if l.reusable() || l.framed && r.accept && l.why.Load() == nil && l.readErr == nil {
		return true
	}
	l.close()
	return false
}
