package mtls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Decide decides about a peer that nobody has vouched for: by asking a person, or
// by a password that both sides know. It accepts the peer by returning its
// fingerprint, and refuses it by anything else: an error, or another fingerprint,
// the zero one too. No byte of the application has been sent or read before, and
// none will be if it refuses. ctx ends with the options' Patience. A listener
// calls it from several goroutines, 32 at most. For one more the peer has to go
// that has kept one of them waiting in Read or Write for longest, of the address
// that has the most such; where there is none, the new one is refused unasked.
//
// It is not asked about peers whom no decision could make good: revoked, of a weak
// key, or without one.
type Decide func(ctx context.Context, peer *Unverified) (accepted Fingerprint, err error)

// maxUndecided bounds the peers about whom a listener has yet to decide.
const maxUndecided = 32

// Unverified is the far side of a connection that is encrypted, to whom is not
// known: the peer has proven that it has the key, and that is all. It is of use
// while its Decide runs.
type Unverified struct {
	peer    Peer
	refusal *PeerError
	conn    *tls.Conn
	dialed  bool

	// waiting says that a Read or Write of it goes on.
	waiting atomic.Bool
	evicted bool // owned by undecided's lock
}

// Peer gives the key that the peer has proven, and its certificate, of which
// nothing else was checked.
func (u *Unverified) Peer() Peer { return u.peer }

// Refusal says why Trust does not cover the peer.
func (u *Unverified) Refusal() *PeerError { return u.refusal }

// RemoteAddr gives the peer's address.
func (u *Unverified) RemoteAddr() net.Addr { return u.conn.RemoteAddr() }

// Dialed reports whether we are the side that dialed.
func (u *Unverified) Dialed() bool { return u.dialed }

// Protocol gives the protocol (ALPN) that both sides chose.
func (u *Unverified) Protocol() string { return u.conn.ConnectionState().NegotiatedProtocol }

// Export is that of Conn: it binds what is done here to this connection.
func (u *Unverified) Export(label string, context []byte, n int) ([]byte, error) {
	return export(u.conn, label, context, n)
}

// Read reads from the peer, whoever it is. Both sides have to agree, by a protocol
// of their own in Protocols, that something is said before the confirmation. What
// is not read here is left for the Conn.
func (u *Unverified) Read(b []byte) (int, error) {
	u.waiting.Store(true)
	defer u.waiting.Store(false)
	return u.conn.Read(b)
}

// Write writes to the peer, whoever it is.
func (u *Unverified) Write(b []byte) (int, error) {
	u.waiting.Store(true)
	defer u.waiting.Store(false)
	return u.conn.Write(b)
}

// ask has the peer decided about.
func (t *Terms) ask(ctx context.Context, conn *tls.Conn, w *wire, refusal *PeerError) (Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	w.SetDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { w.SetDeadline(time.Unix(1, 0)) })
	peer, err := PeerKey(conn.ConnectionState())
	if err != nil {
		return Peer{}, err
	}
	accepted, err := t.decide(ctx, &Unverified{peer: peer, refusal: refusal, conn: conn, dialed: t.dialing})
	if !stop() {
		return Peer{}, fmt.Errorf("mtls: deciding about the peer: %w", context.Cause(ctx))
	}
	if err != nil {
		return Peer{}, fmt.Errorf("mtls: deciding about the peer: %w", err)
	}
	if accepted.IsZero() || !accepted.Equal(peer.Fingerprint) {
		return Peer{}, refusal
	}
	return peer, nil
}

// bounded keeps peers who are slow on purpose from taking all the decisions that
// there may be at a time.
func bounded(decide Decide) Decide {
	var all undecided
	return func(ctx context.Context, peer *Unverified) (Fingerprint, error) {
		if !all.begin(peer) {
			return Fingerprint{}, errors.New("too many others are being decided about")
		}
		accepted, err := decide(ctx, peer)
		if all.end(peer) {
			return Fingerprint{}, ErrCrowded
		}
		return accepted, err
	}
}

// undecided are the peers about whom a listener has yet to decide, the oldest first.
type undecided struct {
	sync.Mutex
	peers []*Unverified
}

// begin enters a peer, in whose place another one may have to go. It reports whether
// there was room.
func (o *undecided) begin(peer *Unverified) bool {
	o.Lock()
	defer o.Unlock()
	if len(o.peers) >= maxUndecided && !o.evict() {
		return false
	}
	o.peers = append(o.peers, peer)
	return true
}

// evict ends the peer that has been waited for longest, of the address of whose peers
// the most are. Closing does not wait.
func (o *undecided) evict() bool {
	counts := make(map[netip.Prefix]int)
	var slow []*Unverified
	most := 0
	for _, peer := range o.peers {
		if peer.waiting.Load() {
			slow = append(slow, peer)
			from := origin(peer.RemoteAddr())
			counts[from]++
			most = max(most, counts[from])
		}
	}
	i := slices.IndexFunc(slow, func(peer *Unverified) bool { return counts[origin(peer.RemoteAddr())] == most })
	if i < 0 {
		return false
	}
	victim := slow[i]
	o.peers = slices.DeleteFunc(o.peers, func(peer *Unverified) bool { return peer == victim })
	victim.evicted = true
	victim.conn.NetConn().Close()
	return true
}

// end takes a peer out, and reports whether it had to go.
func (o *undecided) end(peer *Unverified) (evicted bool) {
	o.Lock()
	defer o.Unlock()
	o.peers = slices.DeleteFunc(o.peers, func(other *Unverified) bool { return other == peer })
	return peer.evicted
}
