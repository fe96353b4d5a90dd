package tunnel

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
)

// A place is where connections come, and the route that they are for. It goes from one route to another without being
// closed for a moment: who waits in it is the new one's.
type place struct {
	net.Listener
	address Address
	// owner takes what comes; it is set with the tunnel's lock held.
	owner atomic.Pointer[route]
}

// run hands what comes to the owner until the place is closed.
func (p *place) run(ctx context.Context) {
	accept(ctx, p.Listener, func(conn net.Conn) {
		for {
			r := p.owner.Load()
			if r.take(ctx, conn) {
				return
			}
			// A route is closed after its place has gone to its heir, so that this ends: with a closed owner the place is
			// closed too.
			if p.owner.Load() == r {
				conn.Close()
				return
			}
		}
	}, func(err error) {
		p.owner.Load().log.Error("nobody can come in at the moment", "reason", err)
	})
}

// give puts another route in the owner's place, which lets nobody in from then on. The tunnel's lock is held.
func (p *place) give(heir *route) {
	if old := p.owner.Swap(heir); old != nil {
		old.heir.Store(heir)
		old.shut()
	}
}

// take begins with a connection that has come, and reports whether it did: not where the route is closed.
func (r *route) take(ctx context.Context, conn net.Conn) bool {
	if !r.accept {
		if !r.hold(conn) {
			return false
		}
		r.streams.Go(func() { r.connect(ctx, conn) })
		return true
	}
	select {
	case r.handshaking <- struct{}{}:
	default:
		r.evict()
		select {
		case r.handshaking <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return true
		}
	}
	passed := func() {}
	if !r.fronted() {
		if passed = r.knock(addrPort(conn.RemoteAddr())); passed == nil {
			r.crowded()
			<-r.handshaking
			conn.Close()
			return true
		}
	}
	if !r.hold(conn) {
		passed()
		<-r.handshaking
		return false
	}
	r.streams.Go(func() { r.admit(ctx, conn, passed) })
	return true
}

// admitted enters a link whose handshake is done, and gives the route that has it then.
func (r *route) admitted(l *link) (*route, error) {
	if err := r.enter(l); err != errClosed || r.heir.Load() == nil {
		return r, err
	}
	return r.pass(l)
}

// pass gives a link that carries no stream to the route that has the place now, which judges its peer as if it had come
// there in the beginning. That can only be where the handshake, and what was read before it, would have been the same.
func (r *route) pass(l *link) (*route, error) {
	r.forget(l)
	heir := r.heir.Load()
	if heir == nil {
		return r, errClosed
	}
	before, now := r.standing.Load(), heir.standing.Load()
	switch {
	case now.broken != nil:
		return heir, errBroken
	case !heir.accept || !slices.Equal(before.ProxyFrom, now.ProxyFrom):
		return heir, errClosed
	}
	who, err := now.policy.judge(l.state)
	if err != nil {
		return heir, err
	}
	if !l.policy.own.Fingerprint().Equal(now.policy.own.Fingerprint()) {
		return heir, errClosed
	}
	l.who, l.policy = who, now.policy
	return heir.admitted(l)
}

// bequeath leads a plain connection for which there is no link yet as the route that has the place now does, and
// reports whether there is one that can. from was read as that route would.
func (r *route) bequeath(ctx context.Context, from caller) bool {
	heir := r.heir.Load()
	if heir == nil || heir.accept || !slices.Equal(r.standing.Load().ProxyFrom, heir.standing.Load().ProxyFrom) {
		return false
	}
	if !heir.hold(from.Conn) {
		return heir.bequeath(ctx, from)
	}
	heir.lead(ctx, from)
	return true
}
