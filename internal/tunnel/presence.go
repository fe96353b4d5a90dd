package tunnel

import (
	"math"
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
	now   func() time.Time
	pause func(time.Duration)
}

// pace waits where the presence has used up its rate, for as long as the stream goes on: on is asked again and again.
func (p *presence) pace(n int, on func() bool) {
	l := p.limit.Load()
	if l == nil {
		return
	}
	for wait := l.take(n, p.now()); wait > 0 && on(); wait = l.take(0, p.now()) {
		p.pause(wait)
	}
}

// A limiter is a bucket that a second fills. What goes over is paid for afterwards, by waiting: a write is never cut in
// two for it, and what one reading gives is let through at once.
type limiter struct {
	rate int64

	bucket struct {
		sync.Mutex
		left float64 // bytes; negative while in debt
		at   time.Time
	}
}

func newLimiter(rate int64) *limiter {
	if rate == 0 {
		return nil
	}
	l := &limiter{rate: rate}
	l.bucket.left = float64(rate)
	return l
}

// maxWait bounds one waiting, so that whoever waits sees in time that the stream is over.
const maxWait = time.Second

// take pays for n bytes, and says how long to wait before asking again: 0 where all is paid for.
func (l *limiter) take(n int, now time.Time) time.Duration {
	b, rate := &l.bucket, float64(l.rate)
	b.Lock()
	defer b.Unlock()
	if !b.at.IsZero() && now.After(b.at) {
		b.left = min(b.left+rate*now.Sub(b.at).Seconds(), rate)
	}
	b.at = now
	b.left -= float64(n)
	if b.left >= 0 {
		return 0
	}
	// Not less than there is to wait for: a wait of nothing would end it.
	return time.Duration(math.Ceil(min(-b.left/rate*float64(time.Second), float64(maxWait))))
}
