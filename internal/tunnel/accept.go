package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"snug/mtls"
)

// A caller is a connection that has come, and for whom.
type caller struct {
	net.Conn
	source, destination netip.AddrPort
}

// run takes connections until the route is closed.
func (r *route) run(ctx context.Context) {
	accept(ctx, r.listener, func(conn net.Conn) {
		if !r.accept {
			r.streams.Go(func() { r.connect(ctx, conn) })
			return
		}
		address := neighbourhood(addrPort(conn.RemoteAddr()))
		select {
		case r.handshaking <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return
		}
		if !r.knock(address) {
			<-r.handshaking
			conn.Close()
			return
		}
		r.streams.Go(func() { r.admit(ctx, conn, address) })
	})
}

// admit sees a connection through its handshake. What follows has a goroutine of its own, because the stack of this one
// has grown.
func (r *route) admit(ctx context.Context, conn net.Conn, address netip.Addr) {
	l, from, err := r.handshake(ctx, conn)
	r.passed(address)
	<-r.handshaking
	if err == nil {
		err = r.enter(l)
		if err != nil {
			l.line.Close()
		}
	}
	r.shook(err)
	if err == nil {
		r.streams.Go(func() {
			defer r.leave(l)
			r.serve(ctx, l, from)
		})
	}
}

// handshake reads the header that a balancer puts in front, if there is one, and shakes hands. It closes on errors.
func (r *route) handshake(ctx context.Context, conn net.Conn) (*link, caller, error) {
	s := r.standing.Load()
	if !r.hold(conn) {
		conn.Close()
		return nil, caller{}, errClosed
	}
	defer r.release(conn)
	from, err := s.called(conn)
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

// serve joins the streams of a link with the target: one after another on a carrier, the only one else.
func (r *route) serve(ctx context.Context, l *link, from caller) {
	if l.state.NegotiatedProtocol == mtls.Protocol {
		if _, err := l.tls.Write([]byte{1}); err != nil { // its dialer waits for it
			l.line.Close()
			return
		}
	}
	for {
		l.idleSince.Store(r.clock.Load())
		if r.closed() {
			l.close()
			return
		}
		if l.framed {
			if err := l.opened(); err != nil {
				r.hungUp(l, err)
				return
			}
			if l.stale(r.clock.Load()) {
				l.close() // before an answer: the far end tries a new connection, which is judged
				return
			}
		}
		if !r.answer(ctx, l, from) {
			return
		}
	}
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

// answer carries one stream. It reports whether the link is good for another.
func (r *route) answer(ctx context.Context, l *link, from caller) bool {
	s := r.standing.Load()
	l.idleSince.Store(0)
	plain, err := s.target.dial(ctx)
	if err == nil && s.ProxyTo {
		h := proxyHeader{source: from.source, destination: from.destination, tlvs: peerTLVs(l)}
		if _, err = plain.Write(h.append(nil)); err != nil {
			plain.Close()
		}
	}
	if err != nil {
		l.presence.refused.Add(1)
		r.log.Warn("the target cannot be reached", "reason", err)
		return r.refuse(l, reasonTarget)
	}
	if l.framed {
		if err := l.control(kindAccept, l.number(), reasonNone); err != nil {
			plain.Close()
			l.line.Close()
			return false
		}
	}
	return r.carry(l, plain, s, nil)
}

// refuse tells the far end that its stream has no target.
func (r *route) refuse(l *link, why reason) bool {
	if !l.framed {
		l.line.Close()
		return false
	}
	l.decoder.refused()
	if err := l.control(kindRefuse, l.number(), why); err != nil {
		l.line.Close()
		return false
	}
	return true
}

// carry runs a stream, and counts it. It reports whether the link is good for another.
func (r *route) carry(l *link, plain net.Conn, s *standing, first []byte) bool {
	st := &stream{link: l, plain: plain, first: first, presence: l.presence, clock: r.clock, idle: s.Idle, total: s.Total}
	l.presence.active.Add(1)
	err := st.run()
	l.presence.active.Add(-1)
	if err != nil {
		l.presence.broken.Add(1)
		r.log.Debug("stream broke", "peer", l.who.rule, "reason", err)
		return false
	}
	l.presence.ended.Add(1)
	if !l.reusable() && !(l.framed && r.accept && l.why.Load() == nil && l.readErr == nil) {
		l.close()
		return false
	}
	return true
}
