package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// connect sees for whom a plain connection is, which the route holds, and leads it on.
func (r *route) connect(ctx context.Context, conn net.Conn) {
	from, err := r.standing.Load().called(conn)
	if err != nil {
		r.turnAway(conn, err)
		return
	}
	r.lead(ctx, from)
}

// turnAway ends a plain connection that may not come in.
func (r *route) turnAway(conn net.Conn, why error) {
	r.release(conn)
	reset(conn)
	r.log.Info("connection refused", "reason", why)
}

// lead leads a plain connection to the far end, or has the route that came in this one's place do it.
func (r *route) lead(ctx context.Context, from caller) {
	s, conn := r.standing.Load(), from.Conn
	if err := s.from(from.source); err != nil {
		r.turnAway(conn, err)
		return
	}
	l, err := r.carrier(ctx, s)
	r.release(conn)
	if errors.Is(err, errClosed) && r.bequeath(ctx, from) {
		return
	}
	if err != nil {
		reset(conn)
		r.log.Warn("no way to the far end", "reason", err)
		return
	}
	var first []byte
	if s.ProxyTo {
		h := proxyHeader{source: from.source, destination: from.destination}
		first = h.append(nil)
	}
	r.carry(l, conn, first, func(good bool) {
		if !good {
			r.leave(l)
		} else if r.closed() || !r.idle.put(l, r.clock.Load(), r.standing.Load().Carriers) {
			r.discard(l)
		}
	})
}

// carrier gives a link on which the stream was opened: an idle one if there is one. One that breaks before the answer
// has carried nothing of the stream, so the next one is tried; a new one is tried once.
func (r *route) carrier(ctx context.Context, s *standing) (*link, error) {
	for {
		l, fresh, err := r.obtain(ctx, s)
		if err != nil {
			return nil, err
		}
		if !fresh && !r.still(l) {
			r.discard(l)
			continue
		}
		err = l.open()
		var refused *refusedStream
		if fresh {
			// A refusal by the far end comes as an alert after our side of the handshake.
			if err != nil && !errors.As(err, &refused) {
				err = fmt.Errorf("tunnel: opening a stream: %w", err)
				r.shook(l, err)
			} else {
				r.shook(l, nil)
			}
		}
		switch {
		case err == nil:
			return l, nil
		case errors.As(err, &refused):
			l.presence.refused.Add(1)
			if !r.idle.put(l, r.clock.Load(), r.standing.Load().Carriers) {
				r.discard(l)
			}
			return nil, err
		}
		l.line.Close()
		r.leave(l)
		if fresh {
			return nil, err
		}
	}
}

// obtain gives an idle carrier, one that another stream has just left, or a new one.
func (r *route) obtain(ctx context.Context, s *standing) (l *link, fresh bool, err error) {
	if l := r.idle.take(); l != nil {
		return l, false, nil
	}
	select {
	case r.handshaking <- struct{}{}:
	case l := <-r.idle.handed:
		return l, false, nil
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
	defer func() { <-r.handshaking }()
	if l, err = r.dial(ctx, s); err == nil {
		err = r.enter(l)
		if err != nil {
			l.line.Close()
		}
	}
	if err != nil {
		r.shook(l, err)
		return nil, true, err
	}
	return l, true, nil
}

// dial makes a new link.
func (r *route) dial(ctx context.Context, s *standing) (*link, error) {
	switch {
	case s.broken != nil:
		return nil, errBroken
	case s.policy.config == nil:
		return nil, ErrNobody
	}
	conn, err := s.target.dial(ctx)
	if err != nil {
		return nil, err
	}
	if !r.hold(conn) {
		conn.Close()
		return nil, errClosed
	}
	defer r.release(conn)
	return handshake(ctx, conn, s.policy, false)
}
