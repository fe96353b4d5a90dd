package server

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"snug/internal/ident"
)

// TryLogins has n handles tried, each from another prefix, and gives how many tries were let through and how many
// buckets there are for handles with prefixes afterwards.
func TryLogins(now func() time.Time, n int) (tried, kept int) {
	l := newLimits(now)
	for i := range n {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i)}), 24)
		if l.login(strconv.Itoa(i), prefix) == nil {
			tried++
		}
	}
	return tried, len(l.ownLogins.mu.full)
}

// Knock keeps an account's letter for a room, as if it had come over a connection.
func Knock(s *Server, room ident.RoomID, account ident.AccountID) error {
	_, _, err := s.knocks.put(room, account, []byte("letter"))
	return err
}

// MaxOfDevice and MaxOfAccount are how many connections those have at most, MaxStrangers how many act for nobody. DeadAfter
// is when a connection goes for another one of its device.
const (
	MaxOfDevice  = maxOfDevice
	MaxOfAccount = maxOfAccount
	MaxStrangers = maxStrangers
	DeadAfter    = deadAfter
)

// Registry is a registry of connections that are numbered in the order in which they came.
type Registry struct {
	r    *registry
	all  []*session
	dead map[int]bool
}

// NewRegistry makes one.
func NewRegistry() *Registry { return &Registry{r: newRegistry(), dead: make(map[int]bool)} }

// Add adds a stranger from an address prefix and gives the number of who had to go; -1 for nobody.
func (r *Registry) Add(prefix netip.Prefix) (evicted int) {
	n := &session{prefix: prefix}
	r.all = append(r.all, n)
	return r.gone(r.r.add(n))
}

// Identify makes connection n a device's, heard at a time, and gives the number of who had to go; -1 for nobody.
func (r *Registry) Identify(n int, d Device, heard, now int64) (evicted int, err error) {
	r.all[n].heard.Store(heard)
	went, err := r.r.identify(r.all[n], &d, now)
	if err == nil {
		r.all[n].device.Store(&d)
	}
	return r.gone(went), err
}

func (r *Registry) gone(n *session) int {
	if n == nil {
		return -1
	}
	r.r.remove(n)
	at := slices.Index(r.all, n)
	r.dead[at] = true
	return at
}

// Of gives how many connections an account has.
func (r *Registry) Of(account ident.AccountID) int { return len(r.r.of(account)) }

// Dead reports whether a connection had to go.
func (r *Registry) Dead(n int) bool { return r.dead[n] }

// MaxVisitors is how many connections ask for the page at once.
const MaxVisitors = maxVisitors

// NewVisitors makes what keeps count of them.
func NewVisitors() *visitors { return &visitors{} }

// LargeFrame is how large a message is that takes a place, LargeOfAccount and LargeOfStrangers how many places there are.
// SharedSize is how large an event is that is in memory once for all.
const (
	SharedSize       = sharedSize
	LargeFrame       = largeFrame
	LargeOfAccount   = largeOfAccount
	LargeOfStrangers = largeOfStrangers
)
