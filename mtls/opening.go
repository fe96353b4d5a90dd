package mtls

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
)

const (
	// maxHandshakes bounds those under way in one listener. At about 40 KiB each
	// they take 10 MiB.
	maxHandshakes = 256
	// maxFromAddress bounds those of one address: of IPv6 one /64, which is what
	// one household is given. It leaves room for three more such.
	maxFromAddress = 64
	// prefixIPv6 is that part of an address.
	prefixIPv6 = 64
)

// ErrCrowded ends a handshake that took long while too many others came, from its
// address or from all. Those that came last go on: who is honest is done within
// milliseconds, and who holds connections open without a word loses the oldest.
var ErrCrowded = errors.New("mtls: too many handshakes at once")

// An opening is a connection whose handshake is under way.
type opening struct {
	raw     net.Conn
	from    netip.Prefix // zero for what has no address, all of which counts as one
	evicted bool         // owned by openings' lock
}

// openings are those of one listener.
type openings struct {
	sync.Mutex
	closed bool
	// conns are all that Close has to end.
	conns map[net.Conn]struct{}
	// shaking are those of them that may be evicted, the oldest first.
	shaking []*opening
}

// begin enters a connection, in whose place an older one may have to go; nil after
// close.
func (o *openings) begin(raw net.Conn) *opening {
	o.Lock()
	defer o.Unlock()
	if o.closed {
		return nil
	}
	this := &opening{raw: raw, from: origin(raw.RemoteAddr())}
	if len(o.shaking) >= maxFromAddress {
		o.makeRoom(this.from)
	}
	o.conns[raw] = struct{}{}
	o.shaking = append(o.shaking, this)
	return this
}

// makeRoom evicts where there is no room for another from there: of whom there are
// the most.
func (o *openings) makeRoom(from netip.Prefix) {
	counts := make(map[netip.Prefix]int)
	most := from
	for _, other := range o.shaking {
		counts[other.from]++
		if counts[other.from] > counts[most] {
			most = other.from
		}
	}
	switch {
	case counts[from] >= maxFromAddress:
		o.evict(from)
	case len(o.shaking) >= maxHandshakes:
		o.evict(most)
	}
}

// evict ends the oldest handshake from there. Closing does not wait: it is no I/O
// that the lock would be held over.
func (o *openings) evict(from netip.Prefix) {
	i := slices.IndexFunc(o.shaking, func(other *opening) bool { return other.from == from })
	victim := o.shaking[i]
	o.shaking = slices.Delete(o.shaking, i, i+1)
	victim.evicted = true
	victim.raw.Close()
}

// shaken takes a connection out of those that may be evicted, and reports whether
// it was.
func (o *openings) shaken(this *opening) (evicted bool) {
	o.Lock()
	defer o.Unlock()
	if i := slices.Index(o.shaking, this); i >= 0 {
		o.shaking = slices.Delete(o.shaking, i, i+1)
	}
	return this.evicted
}

// end forgets a connection: it is closed, or the application's.
func (o *openings) end(this *opening) {
	o.shaken(this)
	o.Lock()
	defer o.Unlock()
	delete(o.conns, this.raw)
}

// close ends all of them, and reports whether it was the first to do so.
func (o *openings) close() bool {
	o.Lock()
	defer o.Unlock()
	if o.closed {
		return false
	}
	o.closed = true
	for conn := range o.conns {
		conn.Close()
	}
	return true
}

// origin is what an address counts as.
func origin(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = prefixIPv6
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
