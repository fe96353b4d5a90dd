package main

import (
	"fmt"
	"slices"
	"time"

	"snug/internal/wire"
)

// Idle is what connections cost the server that say nothing: authenticated, following a room, a ping now and then.
type Idle struct {
	Connections int `json:"connections"`
	// BeforeKiB and AfterKiB are the server's resident memory before the connections, and when they had settled.
	BeforeKiB        int64   `json:"rss_before_kib"`
	AfterKiB         int64   `json:"rss_after_kib"`
	PerConnectionKiB float64 `json:"kib_per_connection"`
	// ConnectedPerSecond is how fast they were made: handshake, upgrade, hello, follow.
	ConnectedPerSecond float64 `json:"connected_per_second"`
}

// idlePings is how often each connection pings while the memory settles: what a socket keeps after its first
// exchanges is then counted.
const idlePings = 2

// sampleEvery is the distance of two looks at a server's memory.
const sampleEvery = 250 * time.Millisecond

// measureIdle opens the connections, spread over the room's followers, to a server that was just started: memory that
// it has kept from earlier work would hide what they take.
func (b *bench) measureIdle(r *room, connections int) (Idle, error) {
	before, err := b.settledKiB(b.plan.settle)
	if err != nil {
		return Idle{}, err
	}
	begin := time.Now()
	sockets := make([]*socket, connections)
	defer func() { closeAll(sockets) }()
	err = each(connections, connecting, func(i int) error {
		s, err := r.followers[i%len(r.followers)].connect(idleBuffer)
		if err != nil {
			return err
		}
		sockets[i] = s
		return s.follow(r)
	})
	if err != nil {
		return Idle{}, fmt.Errorf("opening %d connections: %w", connections, err)
	}
	made := time.Since(begin)
	for range idlePings {
		if err := pingAll(sockets); err != nil {
			return Idle{}, fmt.Errorf("pinging %d connections: %w", connections, err)
		}
	}
	after, err := b.settledKiB(b.plan.idleSettle)
	return Idle{
		Connections: connections, BeforeKiB: before, AfterKiB: after,
		PerConnectionKiB:   float64(after-before) / float64(connections),
		ConnectedPerSecond: float64(connections) / made.Seconds(),
	}, err
}

func pingAll(sockets []*socket) error {
	return each(len(sockets), connecting, func(i int) error {
		_, err := sockets[i].request(&wire.ClientFrame{Body: &wire.ClientFrame_Ping{Ping: &wire.Ping{}}})
		return err
	})
}

// settledKiB looks at the server's memory for a while and gives the median of the last quarter.
func (b *bench) settledKiB(during time.Duration) (int64, error) {
	var samples []int64
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(sampleEvery) {
		kib, err := residentKiB(b.server.pid)
		if err != nil {
			return 0, err
		}
		samples = append(samples, kib)
	}
	late := samples[len(samples)*3/4:]
	slices.Sort(late)
	return late[len(late)/2], nil
}
