package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"snug/internal/ident"
)

// Latency sums up a histogram, in microseconds.
type Latency struct {
	P50  float64 `json:"p50_us"`
	P90  float64 `json:"p90_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p99_9_us"`
	Max  float64 `json:"max_us"`
}

func (h *histogram) latency() Latency {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return Latency{
		P50: us(h.quantile(0.5)), P90: us(h.quantile(0.9)), P99: us(h.quantile(0.99)), P999: us(h.quantile(0.999)),
		Max: us(h.max),
	}
}

// Messages is what senders and followers of sealed rooms reached: each sender in a room of its own, with one device
// that follows it.
type Messages struct {
	Senders int `json:"senders"`
	Window  int `json:"window"`
	// Acked and Delivered are messages in the measured seconds; every acked one was delivered exactly once, in order.
	Acked              uint64  `json:"acked"`
	Delivered          uint64  `json:"delivered"`
	Seconds            float64 `json:"seconds"`
	AckedPerSecond     float64 `json:"acked_per_second"`
	DeliveredPerSecond float64 `json:"delivered_per_second"`
	Ack                Latency `json:"ack_latency"`
	Delivery           Latency `json:"delivery_latency"`
	// Processor time of the server, and of the generator beside it, for each acked message.
	ServerCPU    float64 `json:"server_cpu_us_per_message"`
	GeneratorCPU float64 `json:"generator_cpu_us_per_message"`
	// Written is what the server wrote to the disk for each acked message, checkpoints included.
	Written float64 `json:"written_bytes_per_message"`
	// TimesEcho is acked messages over echoes of the same size with as many connections and the same window;
	// PerSync is acked messages over the disk's fdatasyncs, both per second. 0 where the bound was not measured.
	TimesEcho float64 `json:"times_echo"`
	PerSync   float64 `json:"per_fdatasync"`
}

// measureMessages sends in the rooms, one sender and one follower each, for warm-up and interval, and verifies.
func (b *bench) measureMessages(rooms []*room, window int) (Messages, error) {
	senders := make([]*device, len(rooms))
	followers := make([]*device, len(rooms))
	for i, r := range rooms {
		senders[i], followers[i] = r.sender, r.followers[0]
	}
	outgoing, err := connectAll(senders, readBuffer)
	if err != nil {
		return Messages{}, err
	}
	defer closeAll(outgoing)
	incoming, err := connectAll(followers, readBuffer)
	if err != nil {
		return Messages{}, err
	}
	defer closeAll(incoming)
	t := &traffic{bench: b, rooms: rooms, abort: func() { closeAll(outgoing); closeAll(incoming) }}
	if err := t.prepare(outgoing, incoming, window); err != nil {
		return Messages{}, err
	}
	return t.measure()
}

// traffic is one run of senders and followers.
type traffic struct {
	bench     *bench
	rooms     []*room
	abort     func()
	interval  interval
	senders   []*sender
	followers []*follower
	used      usage
}

func (t *traffic) prepare(outgoing, incoming []*socket, window int) error {
	for i, r := range t.rooms {
		w, err := newSender(outgoing[i], r, window, t.bench)
		if err != nil {
			return err
		}
		f := newFollower(incoming[i], t.bench.clock)
		f.add(r, w.journal)
		t.senders, t.followers = append(t.senders, w), append(t.followers, f)
	}
	return each(len(t.rooms), connecting, func(i int) error { return incoming[i].follow(t.rooms[i]) })
}

func (t *traffic) measure() (Messages, error) {
	t.interval = t.bench.nextInterval()
	c := crew{abort: t.abort}
	var sending sync.WaitGroup
	for i, f := range t.followers {
		f.interval, t.senders[i].interval = t.interval, t.interval
		c.run(f.run)
		sending.Add(1)
		c.run(func() error { defer sending.Done(); return t.senders[i].run() })
	}
	used, usedErr := t.bench.usageDuring(t.bench.server, t.interval)
	sending.Wait()
	for i, f := range t.followers {
		f.finish(map[ident.RoomID]uint64{t.rooms[i].id: max(t.senders[i].journal.lastAcked(), t.rooms[i].seq)})
	}
	if err := errors.Join(c.done(), usedErr); err != nil {
		return Messages{}, err
	}
	t.used = used
	return t.result(len(t.senders[0].drafts))
}

func (t *traffic) result(window int) (Messages, error) {
	m := Messages{Senders: len(t.senders), Window: window, Seconds: t.interval.seconds()}
	var acks, deliveries histogram
	for i, w := range t.senders {
		f, r := t.followers[i], t.rooms[i]
		l := f.ledgers[r.id]
		if err := l.settle(); err != nil {
			return Messages{}, err
		}
		r.seq, r.head = l.seq, l.head
		m.Acked += w.acked
		m.Delivered += f.delivered
		acks.merge(&w.latencies)
		deliveries.merge(&f.latencies)
	}
	if m.Acked == 0 {
		return Messages{}, fmt.Errorf("bench: no message was acked in %v seconds", m.Seconds)
	}
	m.AckedPerSecond, m.DeliveredPerSecond = float64(m.Acked)/m.Seconds, float64(m.Delivered)/m.Seconds
	m.Ack, m.Delivery = acks.latency(), deliveries.latency()
	m.ServerCPU, m.GeneratorCPU = perMessage(t.used.server, m.Acked), perMessage(t.used.generator, m.Acked)
	m.Written = float64(t.used.written) / float64(m.Acked)
	return m, nil
}
