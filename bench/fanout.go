package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"snug/internal/ident"
)

// Fanout is what one sender reaches in a room that many devices follow. A message is under way until its ack and the
// last of its deliveries have come; the window is how many are under way at once.
type Fanout struct {
	Followers           int     `json:"followers"`
	Window              int     `json:"window"`
	Seconds             float64 `json:"seconds"`
	Messages            uint64  `json:"messages"`
	Deliveries          uint64  `json:"deliveries"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second"`
	// LastDelivery is from sending to the last follower's delivery; EachDelivery to any one's.
	LastDelivery Latency `json:"last_delivery_latency"`
	EachDelivery Latency `json:"delivery_latency"`
	// ServerCPU is processor time of the server for each delivery.
	ServerCPU float64 `json:"server_cpu_us_per_delivery"`
}

// fanout is one run. Its lock guards only what it stands with; the counters are for everybody.
type fanout struct {
	sender   *sender
	followed int32
	// left counts, by a message's number, the deliveries and the ack that are still to come.
	left [fanoutRing]atomic.Int32
	// drafts are the messages under way, likewise.
	drafts [fanoutRing]*draft
	// free hands drafts that may be sent again back to the sender.
	free chan *draft

	finished struct {
		sync.Mutex
		latencies histogram
	}
}

// fanoutRing is larger than any window.
const fanoutRing = 256

var errStalled = errors.New("bench: a message did not reach every follower in time")

func (b *bench) measureFanout(r *room, window int) (Fanout, error) {
	sockets, err := connectAll(append([]*device{r.sender}, r.followers...), readBuffer)
	if err != nil {
		return Fanout{}, err
	}
	defer closeAll(sockets)
	w, err := newSender(sockets[0], r, window, b)
	if err != nil {
		return Fanout{}, err
	}
	f := &fanout{sender: w, followed: int32(len(r.followers)), free: make(chan *draft, window)}
	followers := make([]*follower, len(r.followers))
	for i := range followers {
		followers[i] = newFollower(sockets[i+1], b.clock)
		followers[i].add(r, w.journal).light = i > 0
		followers[i].heard = f.arrived
	}
	if err := each(len(followers), connecting, func(i int) error { return followers[i].socket.follow(r) }); err != nil {
		return Fanout{}, err
	}
	return f.measure(b, r, followers, &crew{abort: func() { closeAll(sockets) }})
}

func (f *fanout) measure(b *bench, r *room, followers []*follower, c *crew) (Fanout, error) {
	during := b.intervalOf(b.plan.fanout)
	f.sender.interval = during
	for _, one := range followers {
		one.interval = during
		c.run(one.run)
	}
	var sending sync.WaitGroup
	sending.Add(2)
	c.run(func() error { defer sending.Done(); return f.send() })
	c.run(func() error { defer sending.Done(); return f.readAcks() })
	used, usedErr := b.usageDuring(b.server, during)
	sending.Wait()
	end := map[ident.RoomID]uint64{r.id: max(f.sender.journal.lastAcked(), r.seq)}
	for _, one := range followers {
		one.finish(end)
	}
	if err := errors.Join(c.done(), usedErr); err != nil {
		return Fanout{}, err
	}
	return f.result(r, followers, during, used)
}

func (f *fanout) result(r *room, followers []*follower, during interval, used usage) (Fanout, error) {
	l := followers[0].ledgers[r.id]
	if err := l.settle(); err != nil {
		return Fanout{}, err
	}
	r.seq, r.head = l.seq, l.head
	result := Fanout{Followers: len(followers), Window: len(f.sender.drafts), Seconds: during.seconds()}
	var all histogram
	for _, one := range followers {
		result.Deliveries += one.delivered
		all.merge(&one.latencies)
	}
	result.DeliveriesPerSecond = float64(result.Deliveries) / result.Seconds
	result.Messages = f.finished.latencies.count
	result.LastDelivery, result.EachDelivery = f.finished.latencies.latency(), all.latency()
	result.ServerCPU = perMessage(used.server, result.Deliveries)
	return result, nil
}

// send keeps the window full until the interval ends, and returns when nothing is under way.
func (f *fanout) send() error {
	w := f.sender
	defer w.socket.conn.SetReadDeadline(time.Unix(1, 0)) // ends readAcks
	for _, d := range w.drafts {
		f.free <- d
	}
	for ended := 0; ended < len(w.drafts); {
		select {
		case d := <-f.free:
			now := w.clock.now()
			if now >= w.interval.until {
				ended++
				continue
			}
			place := w.journal.sent % fanoutRing
			f.drafts[place] = d
			f.left[place].Store(f.followed + 1)
			w.queue(d, now)
			if err := w.flush(); err != nil {
				return err
			}
		case <-time.After(drainTimeout):
			return errStalled
		}
	}
	return nil
}

// readAcks reads until send ends it.
func (f *fanout) readAcks() error {
	w := f.sender
	for {
		message, err := w.socket.next()
		if isDeadline(err) {
			return nil
		}
		if err != nil {
			return err
		}
		now := w.clock.now()
		d, err := w.takeAck(message)
		if err != nil {
			return err
		}
		if d != nil {
			f.arrived(stamp{sent: d.sent, number: d.number}, now)
		}
	}
}

// arrived counts an ack or a delivery. Who comes last frees the message's draft; nobody else touches it then. Safe
// from any goroutine.
func (f *fanout) arrived(s stamp, now int64) {
	place := s.number % fanoutRing
	if f.left[place].Add(-1) != 0 {
		return
	}
	w := f.sender
	if w.interval.has(now) {
		f.finished.Lock()
		f.finished.latencies.add(time.Duration(now - s.sent))
		f.finished.Unlock()
	}
	f.free <- f.drafts[place]
}
