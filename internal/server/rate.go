package server

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// limits are the token buckets of everything that costs us or others more than a
// message does.
type limits struct {
	// logins are per handle, whoever asks, and ownLogins per handle and address prefix, taken first: whoever guesses at a
	// handle uses up the former for everybody, but the latter for who shares the prefix only. Neither asks whether anybody
	// has the handle. Somebody with N prefixes guesses 10 times a minute and N times in ten minutes, and whatever N is no
	// more often than the slow hashes let: 9 million times a day, of the 2^45 that a passphrase of the strength floor stands.
	logins    *rate[string]
	ownLogins *rate[place]
	// loginsFrom and registrations are per address prefix.
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
	// archives are changes of the account's archive: each is a write to the disk.
	archives *rate[ident.AccountID]
	// knocks are letters to rooms: each wakes all who are there.
	knocks *rate[ident.AccountID]
	claims *rate[ident.AccountID]
	// moves count the devices that commits let in and out: each is some rows for the writer, and wakes somebody.
	moves *rate[ident.AccountID]
	// openRooms stand in everybody's list: somebody who makes many is a nuisance to all.
	openRooms *rate[ident.AccountID]
	// joins are open rooms that the account joins or leaves, which all its connections hear of, and renames those of its
	// devices, of which everybody hears who shares a room with it.
	joins   *rate[ident.AccountID]
	renames *rate[ident.AccountID]
	// quotas is how often the operator is told of an account that may store nothing more.
	quotas *rate[ident.AccountID]
	// places is the seed of their hash: nobody can choose a handle that has another's place.
	places maphash.Seed
}

// place stands for a handle and an address prefix, by a hash, so that those who try many fill no memory: two that share one
// share a budget. At ten minutes for a token it takes a hundred tries a second to keep all places empty, which is as many as
// the slow hashes let in. 0 is none.
type place uint32

const maxPlaces = 1 << 16

// login takes what signing in as the handle costs, RATE_LIMITED where nothing is left. The zero prefix, where one address
// may speak for everybody, has no budget of its own.
func (l *limits) login(handle string, from netip.Prefix) error {
	if from.IsValid() {
		key := struct {
			handle string
			from   netip.Prefix
		}{handle, from}
		if l.ownLogins.take(place(maphash.Comparable(l.places, key)%maxPlaces)+1) == nil {
			return nil
		}
	}
	return l.logins.take(handle)
}

func newLimits(now func() time.Time) *limits {
	return &limits{
		logins:        newRate[string](now, 10, 6*time.Second),
		ownLogins:     newRate[place](now, 3, 10*time.Minute),
		places:        maphash.MakeSeed(),
		loginsFrom:    newRate[netip.Prefix](now, 60, time.Second),
		registrations: newRate[netip.Prefix](now, 20, 30*time.Second),
		rooms:         newRate[ident.AccountID](now, 100, time.Second),
		passphrases:   newRate[ident.AccountID](now, 10, time.Minute),
		links:         newRate[ident.AccountID](now, 20, 30*time.Second),
		archives:      newRate[ident.AccountID](now, 200, time.Second),
		knocks:        newRate[ident.AccountID](now, 60, 10*time.Second),
		invites:       newRate[ident.AccountID](now, 50, time.Minute),
		claims:        newRate[ident.AccountID](now, 2000, 100*time.Millisecond),
		moves:         newRate[ident.AccountID](now, 4000, 100*time.Millisecond),
		openRooms:     newRate[ident.AccountID](now, 10, time.Hour),
		joins:         newRate[ident.AccountID](now, 100, time.Second),
		renames:       newRate[ident.AccountID](now, 20, time.Minute),
		quotas:        newRate[ident.AccountID](now, 1, time.Hour),
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
		full   map[K]time.Time // when the key's bucket will be full again
		forget int             // at how many keys to forget
	}
}

// maxBuckets is how many keys a rate remembers before it forgets those with full
// buckets, which are the same as none. Where few are, it waits until there are twice as many,
// as looking at all of them takes time.
const maxBuckets = 10_000

func newRate[K comparable](now func() time.Time, burst int, interval time.Duration) *rate[K] {
	r := &rate[K]{now: now, burst: burst, interval: interval}
	r.mu.full, r.mu.forget = make(map[K]time.Time), maxBuckets
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
	if len(r.mu.full) >= r.mu.forget {
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
	r.mu.forget = max(maxBuckets, 2*len(r.mu.full))
}
