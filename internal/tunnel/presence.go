package tunnel

import (
	"sync"
	"sync/atomic"
	"time"
)

// A presence is the peers that one rule lets in on one route: what limits and metrics speak of. Rules are exact, so
// their number is that of the rules.
type presence struct {
	rule string
	// links is guarded by the route's lock.
	links int
	// expires is the end of the certificate that was shown last, in Unix seconds; 0 before the first.
	expires atomic.Int64

	active, ended, broken, refused atomic.Int64 // streams
	sent, received                 atomic.Int64 // bytes, to and from the peer

	limit atomic.Pointer[limiter]
}

// pace waits where the presence has used up its rate.
func (p *presence) pace(n int) {
	if l := p.limit.Load(); l != nil {
		if wait := l.take(n, time.Now()); wait > 0 {
			time.Sleep(wait)
		}
	}
}

// A limiter is a bucket that a second fills. What goes over is paid for afterwards, by waiting: a write is never cut in
// two for it, and 128 KiB at a time are let through at once.
type limiter struct {
	rate int64

	bucket struct {
		sync.Mutex
		left int64 // bytes; negative while in debt
		at   time.Time
	}
}

func newLimiter(rate int64) *limiter {
	if rate == 0 {
		return nil
	}
	l := &limiter{rate: rate}
	l.bucket.left = rate
	return l
}

// maxWait bounds one waiting, so that whoever waits sees in time that the stream is over.
const maxWait = time.Second

// take pays for n bytes, and says how long to wait before the next.
func (l *limiter) take(n int, now time.Time) time.Duration {
	b := &l.bucket
	b.Lock()
	defer b.Unlock()
	if !b.at.IsZero() && now.After(b.at) {
		// At most a second's worth, so the product cannot overflow: a rate is below 2^62 / 1e9 for any line there is.
		elapsed := min(now.Sub(b.at), time.Second)
		b.left = min(b.left+int64(float64(l.rate)*elapsed.Seconds()), l.rate)
	}
	b.at = now
	b.left -= int64(n)
	if b.left >= 0 {
		return 0
	}
	return min(time.Duration(float64(-b.left)/float64(l.rate)*float64(time.Second)), maxWait)
}
