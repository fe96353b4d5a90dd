package server

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

const (
	// maxStrangers bounds the connections that act for no device, each of which may have largeFrame bytes in memory and a few
	// maxStranger: as many as sign in at once when a server has been away.
	maxStrangers = 512
	// maxOfDevice and maxOfAccount bound the connections of a device and of an account: 20 devices with a dozen tabs and
	// programs each have 240.
	maxOfDevice  = 64
	maxOfAccount = 256
	// deadAfter is how long a connection has said nothing that goes for a new one of its device, where there are many: a client
	// that is there pings more often.
	deadAfter = wire.PingEvery + 15*time.Second
)

// ErrManyConnections refuses another connection of a device or account.
var ErrManyConnections = &Refusal{Code: wire.ErrorCode_ERROR_CODE_RATE_LIMITED, Message: "this device, or its account, has too many connections open",
	Hint: "close some of its tabs or programs; a device that you do not know can be revoked", RetryAfter: deadAfter}

// registry knows the sessions, and whose they are. Safe from any goroutine.
type registry struct {
	strangers *share // of those that act for no device
	mu        struct {
		sync.Mutex
		all       map[*session]bool
		byAccount map[ident.AccountID]map[*session]ident.DeviceID
		shares    map[ident.AccountID]*share
		unknown   []*session // those that act for no device, in the order in which they came
		came      int        // since turnover was asked last
	}
}

func newRegistry() *registry {
	r := &registry{strangers: newShare(largeOfStrangers)}
	r.mu.shares = make(map[ident.AccountID]*share)
	r.mu.all = make(map[*session]bool)
	r.mu.byAccount = make(map[ident.AccountID]map[*session]ident.DeviceID)
	return r
}

// add takes a new connection, and gives the one that has to go for it, or nil: of the strangers of the address prefix that has
// most, the oldest.
func (r *registry) add(n *session) (evicted *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.all[n] = true
	r.mu.came++
	r.mu.unknown = append(r.mu.unknown, n)
	if len(r.mu.unknown) <= maxStrangers {
		return nil
	}
	from := make(map[netip.Prefix]int)
	most := 0
	for _, stranger := range r.mu.unknown {
		from[stranger.prefix]++
		most = max(most, from[stranger.prefix])
	}
	oldest := slices.IndexFunc(r.mu.unknown, func(n *session) bool { return from[n.prefix] == most })
	evicted = r.mu.unknown[oldest]
	r.mu.unknown = slices.Delete(r.mu.unknown, oldest, oldest+1)
	return evicted
}

// turnover is how many sessions have begun since it was called last.
func (r *registry) turnover() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	came := r.mu.came
	r.mu.came = 0
	return came
}

// identify makes a connection a device's, ErrManyConnections where there are too many. evicted, where not nil, has to go for
// it: one of the same device that seems to be dead, or one of the device that has most.
func (r *registry) identify(n *session, d *Device, now int64) (evicted *session, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mu.all[n] {
		return nil, nil
	}
	of := r.mu.byAccount[d.Account]
	if _, again := of[n]; again {
		return nil, nil // it has asked for the same twice
	}
	if evicted, err = makePlace(of, d.ID, now); err != nil {
		return nil, err
	}
	if of == nil {
		of = make(map[*session]ident.DeviceID, 1)
		r.mu.byAccount[d.Account], r.mu.shares[d.Account] = of, newShare(largeOfAccount)
	}
	delete(of, evicted)
	of[n] = d.ID
	s := r.mu.shares[d.Account]
	s.conns.Store(int64(len(of)))
	n.share.Store(s)
	r.mu.unknown = slices.DeleteFunc(r.mu.unknown, func(other *session) bool { return other == n })
	return evicted, nil
}

// makePlace finds out whether an account with these connections takes another one of a device, and instead of which.
func makePlace(of map[*session]ident.DeviceID, device ident.DeviceID, now int64) (evicted *session, err error) {
	silent := make(map[ident.DeviceID]*session) // of each device the one not heard for longest
	count := make(map[ident.DeviceID]int)
	for n, id := range of {
		count[id]++
		if former := silent[id]; former == nil || n.heard.Load() < former.heard.Load() {
			silent[id] = n
		}
	}
	own := silent[device]
	switch {
	case own != nil && (count[device] >= maxOfDevice || len(of) >= maxOfAccount) && now-own.heard.Load() > deadAfter.Milliseconds():
		return own, nil
	case count[device] >= maxOfDevice:
		return nil, ErrManyConnections
	case len(of) < maxOfAccount:
		return nil, nil
	}
	// A device that takes all of the account's connections must not keep the one out by which it is revoked.
	greedy := device
	for id, n := range count {
		if n > count[greedy] {
			greedy = id
		}
	}
	if count[greedy] <= count[device]+1 {
		return nil, ErrManyConnections
	}
	return silent[greedy], nil
}

func (r *registry) remove(n *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.all, n)
	r.mu.unknown = slices.DeleteFunc(r.mu.unknown, func(other *session) bool { return other == n })
	if d := n.device.Load(); d != nil {
		delete(r.mu.byAccount[d.Account], n)
		if s := r.mu.shares[d.Account]; s != nil {
			s.conns.Store(int64(len(r.mu.byAccount[d.Account])))
		}
		if len(r.mu.byAccount[d.Account]) == 0 {
			delete(r.mu.byAccount, d.Account)
			delete(r.mu.shares, d.Account)
		}
	}
}

// sessions gives all of them, strangers included.
func (r *registry) sessions() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*session, 0, len(r.mu.all))
	for n := range r.mu.all {
		all = append(all, n)
	}
	return all
}

// of gives an account's sessions.
func (r *registry) of(account ident.AccountID) []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*session, 0, len(r.mu.byAccount[account]))
	for n := range r.mu.byAccount[account] {
		list = append(list, n)
	}
	return list
}

func (r *registry) online(account ident.AccountID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.byAccount[account]) > 0
}

// tell sends an event to an account's sessions.
func (r *registry) tell(account ident.AccountID, f *wire.ServerFrame) {
	for _, n := range r.of(account) {
		n.event(f)
	}
}
