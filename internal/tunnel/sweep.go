package tunnel

import (
	"time"
)

// sweep looks at deadlines, and at files.
func (r *route) sweep(now time.Time) {
	r.expire(now.UnixNano())
	r.renew(now)
	s := r.standing.Load()
	changed := r.watch.changed(s.Files.paths())
	if !changed && (s.broken == nil || !r.watch.settled() || now.Before(r.rereadAt)) {
		return
	}
	r.rereadAt = now.Add(rereadEvery)
	cut, err := r.reread()
	switch {
	case err == nil:
		r.log.Info("the files have changed", "cut", cut)
	case changed || s.broken == nil || err.Error() != s.broken.Error():
		r.log.Error("the files have changed and cannot be used: nobody new is let in", "reason", err)
	}
}

// reread reads the files of the present standing.
func (r *route) reread() (cut int, err error) {
	next := *r.standing.Load()
	p, err := reloadPolicy(&next.Route, r.now, next.policy)
	next.broken = err
	if err == nil {
		next.policy = p
	}
	return r.set(&next), err
}

// expire ends streams whose time is over, and carriers that nobody uses.
func (r *route) expire(now int64) {
	keep := int64(carrierIdle)
	if r.accept {
		keep *= 2
	}
	var idle []*link
	r.live.Lock()
	for l := range r.live.links {
		if s := l.stream.Load(); s != nil {
			if why := s.expired(now); why != "" {
				l.cut(why + " deadline")
			} else {
				s.quiet(now)
			}
		} else if since := l.idleSince.Load(); since != 0 && now-since >= keep {
			idle = append(idle, l)
		} else if since := l.answering.Load(); since != 0 && now-since >= int64(answerTimeout) {
			l.cut("it takes no answer")
		}
	}
	r.live.Unlock()
	for _, l := range idle {
		if r.accept {
			r.streams.Go(l.close) // whoever waits for its next stream hears of it
		} else if r.idle.drop(l) {
			r.discard(l)
		}
	}
}
