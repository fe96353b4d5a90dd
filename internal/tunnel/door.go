package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"snug/mtls"
)

// hold makes a connection that has no link yet known to those who end everything.
func (r *route) hold(conn net.Conn) bool {
	r.live.Lock()
	defer r.live.Unlock()
	if r.live.closed {
		return false
	}
	r.live.came++
	r.live.plain[conn] = r.live.came
	return true
}

// evict ends the handshake that has gone on for longest, so that those who are slow on purpose cannot keep others out:
// one that is honest is over long before its turn comes.
func (r *route) evict() {
	r.live.Lock()
	defer r.live.Unlock()
	var oldest net.Conn
	for conn, came := range r.live.plain {
		if oldest == nil || came < r.live.plain[oldest] {
			oldest = conn
		}
	}
	if oldest != nil {
		r.live.handshakes[outcome{"", "crowded"}]++
		delete(r.live.plain, oldest) // another one is next
		reset(oldest)
	}
}

func (r *route) release(conn net.Conn) {
	r.live.Lock()
	defer r.live.Unlock()
	delete(r.live.plain, conn)
}

// fronted reports whether balancers are in front. Their addresses say nothing of who comes: their headers do.
func (r *route) fronted() bool { return len(r.standing.Load().ProxyFrom) > 0 }

// knock counts a neighbourhood in for the time of a handshake, until passed is called; nil says that it has too many.
func (r *route) knock(from netip.AddrPort) (passed func()) {
	a := neighbourhood(from)
	r.live.Lock()
	defer r.live.Unlock()
	if r.live.addresses[a] >= maxPerAddress {
		return nil
	}
	r.live.addresses[a]++
	return func() {
		r.live.Lock()
		defer r.live.Unlock()
		if r.live.addresses[a]--; r.live.addresses[a] == 0 {
			delete(r.live.addresses, a)
		}
	}
}

// crowded counts somebody who was turned away unheard.
func (r *route) crowded() {
	r.live.Lock()
	defer r.live.Unlock()
	r.live.handshakes[outcome{"", "crowded"}]++
}

// neighbourhood gives what a machine has of addresses: one of IPv4, 2^64 of IPv6. Who comes by a Unix socket is one.
func neighbourhood(a netip.AddrPort) netip.Addr {
	address := a.Addr().Unmap()
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return address
}

// An outcome is what became of a handshake, and the rule of its peer if it came as far as one: a stranger has none, so
// that nobody can make more outcomes than there are rules and results.
type outcome struct{ rule, result string }

// shook counts and reports the result of a handshake. l is nil where it did not come as far as a rule.
func (r *route) shook(l *link, err error) {
	o := outcome{result: handshakeResult(err)}
	if l != nil {
		o.rule = l.who.rule
	}
	r.live.Lock()
	r.live.handshakes[o]++
	r.live.Unlock()
	if err != nil {
		r.log.Info("handshake refused", "peer", o.rule, "result", o.result, "reason", err)
	}
}

// shaken gives the number of handshakes so far.
func (r *route) shaken() (n int64) {
	r.live.Lock()
	defer r.live.Unlock()
	for _, count := range r.live.handshakes {
		n += count
	}
	return n
}

// handshakeResult names the result of a handshake for metrics.
func handshakeResult(err error) string {
	var wrong *mtls.PeerError
	var op *net.OpError
	var busy *mtls.RefusedError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &wrong) && wrong.Rule != "":
		return string(wrong.Rule)
	case errors.As(err, &op) && op.Op == "remote error":
		return "refused"
	case errors.Is(err, errCrowded), errors.As(err, &busy) && busy.Busy:
		return "crowded"
	case errors.Is(err, errBroken), errors.Is(err, ErrNobody):
		return "policy"
	case errors.Is(err, errProxy):
		return "proxy"
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "broken"
}

// from reports whether a plain connection may come from there.
func (s *standing) from(a netip.AddrPort) error {
	if len(s.From) == 0 || slices.ContainsFunc(s.From, func(p netip.Prefix) bool { return p.Contains(a.Addr()) }) {
		return nil
	}
	return fmt.Errorf("tunnel: %s is not where connections may come from", a.Addr())
}
