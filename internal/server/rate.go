package server

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// limits are the token buckets of everything that costs us or others more than a
// message does.
type limits struct {
	// logins are per handle, whoever asks: a passphrase of the strength floor stands
	// 10 guesses a minute for ever. loginsFrom and registrations are per address prefix.
	logins        *rate[string]
	loginsFrom    *rate[netip.Prefix]
	registrations *rate[netip.Prefix]
	// rooms, invites and claims are per account. Claims count key packages: an
	// attacker who drains somebody's one-time packages must be slow.
	rooms   *rate[ident.AccountID]
	invites *rate[ident.AccountID]
	// passphrases are changes of it: each costs a slow hash.
	passphrases *rate[ident.AccountID]
	// links are mailboxes opened.
	links *rate[ident.AccountID]
	// knocks are letters to rooms: each wakes all who are there.
	knocks *rate[ident.AccountID]
	// archives are changes of the account's archive: each is a write to the disk.
	archives *rate[ident.AccountID]
	claims   *rate[ident.AccountID]
	// openRooms stand in everybody's list: somebody who makes many is a nuisance to all.
	openRooms *rate[ident.AccountID]
}

func newLimits(now func() time.Time) *limits {
	return &limits{
		logins:        newRate[string](now, 10, 6*time.Second),
		loginsFrom:    newRate[netip.Prefix](now, 60, time.Second),
		registrations: newRate[netip.Prefix](now, 20, 30*time.Second),
		rooms:         newRate[ident.AccountID](now, 100, time.Second),
		passphrases:   newRate[ident.AccountID](now, 10, time.Minute),
		links:         newRate[ident.AccountID](now, 20, 30*time.Second),
		knocks:        newRate[ident.AccountID](now, 60, 10*time.Second),
		archives:      newRate[ident.AccountID](now, 200, time.Second),
		invites:       newRate[ident.AccountID](now, 50, time.Minute),
		claims:        newRate[ident.AccountID](now, 2*maxClaim, 100*time.Millisecond),
		openRooms:     newRate[ident.AccountID](now, 10, time.Hour),
	}
}

// rate is a token bucket for each key: burst tokens, and a new one every interval.
// Safe from any goroutine.
type rate[K comparable] struct {
	now      func() time.Time
	burst    int
	interval time.Duration

	mu struct {
		sync.Mutex
		full map[K]time.Time // when the key's bucket will be full again
	}
}

// maxBuckets is how many keys a rate remembers before it forgets those with full
// buckets, which are the same as none.
const maxBuckets = 10_000

func newRate[K comparable](now func() time.Time, burst int, interval time.Duration) *rate[K] {
	r := &rate[K]{now: now, burst: burst, interval: interval}
	r.mu.full = make(map[K]time.Time)
	return r
}

// take takes a token, RATE_LIMITED where there is none. The zero key is not limited.
func (r *rate[K]) take(key K) error { return r.takeN(key, 1) }

// takeN takes n tokens, or as many as the bucket holds when n is more; or none.
func (r *rate[K]) takeN(key K, n int) error {
	var zero K
	if key == zero || n <= 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.mu.full) >= maxBuckets {
		r.forget(now)
	}
	full := r.mu.full[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(time.Duration(min(n, r.burst)) * r.interval)
	if wait := full.Sub(now) - time.Duration(r.burst)*r.interval; wait > 0 {
		return &Refusal{Code: wire.ErrorCode_ERROR_CODE_RATE_LIMITED, Message: "too many tries in a short time",
			Hint: fmt.Sprintf("wait %d s, then try again", int64((wait+time.Second-1)/time.Second)), RetryAfter: wait}
	}
	r.mu.full[key] = full
	return nil
}

// forget wants mu held.
func (r *rate[K]) forget(now time.Time) {
	for key, full := range r.mu.full {
		if full.Before(now) {
			delete(r.mu.full, key)
		}
	}
}
