package main

import (
	"fmt"
	"math"
	"time"

	"snug/internal/ident"
)

// CatchUp is how fast devices that were away get the log of a room, by Follow from where they came in.
type CatchUp struct {
	Entries int `json:"entries"`
	Devices int `json:"devices"`
	// Seconds is from the Follow requests to the last device's last entry.
	Seconds          float64 `json:"seconds"`
	EntriesPerSecond float64 `json:"entries_per_second"`
	ServerCPU        float64 `json:"server_cpu_us_per_entry"`
}

// catchupWindow is the window with which the log is filled, which is not measured.
const catchupWindow = 64

// measureCatchUp fills the room's log up to the number of entries, which nobody follows, and then lets one of its
// followers and after that all of them read it from the commit that added them.
func (b *bench) measureCatchUp(r *room, entries int) ([]CatchUp, error) {
	from := *r
	j, err := b.fill(r, uint64(entries))
	if err != nil {
		return nil, fmt.Errorf("filling a log: %w", err)
	}
	var results []CatchUp
	for _, devices := range [][]*device{r.followers[:1], r.followers} {
		result, err := b.catchUp(&from, j, devices)
		if err != nil {
			return nil, fmt.Errorf("catching up with %d devices: %w", len(devices), err)
		}
		results = append(results, result)
	}
	r.seq, r.head = j.lastAcked(), j.acks[len(j.acks)-1].head
	return results, nil
}

func (b *bench) fill(r *room, entries uint64) (*journal, error) {
	s, err := r.sender.connect(readBuffer)
	if err != nil {
		return nil, err
	}
	defer s.close()
	w, err := newSender(s, r, min(catchupWindow, int(entries)), b)
	if err != nil {
		return nil, err
	}
	w.most = entries
	w.interval = interval{until: b.clock.now() + int64(fillTimeout)}
	if err := w.run(); err != nil {
		return nil, err
	}
	if uint64(len(w.journal.acks)) != entries {
		return nil, fmt.Errorf("%d of %d entries within %v", len(w.journal.acks), entries, fillTimeout)
	}
	return w.journal, nil
}

// fillTimeout bounds the filling of a log: 10,000 entries on a disk of 100 fdatasyncs a second.
const fillTimeout = 30 * time.Second

func (b *bench) catchUp(r *room, j *journal, devices []*device) (CatchUp, error) {
	sockets, err := connectAll(devices, readBuffer)
	if err != nil {
		return CatchUp{}, err
	}
	defer closeAll(sockets)
	before, err := usageNow(b.server)
	if err != nil {
		return CatchUp{}, err
	}
	begin := b.clock.now()
	var c crew
	followers := make([]*follower, len(devices))
	for i, s := range sockets {
		f := newFollower(s, b.clock)
		f.add(r, j)
		f.interval = interval{until: math.MaxInt64}
		followers[i] = f
		c.run(func() error {
			if err := s.follow(r); err != nil {
				return err
			}
			f.finish(map[ident.RoomID]uint64{r.id: j.lastAcked()})
			return f.run()
		})
	}
	if err := c.done(); err != nil {
		return CatchUp{}, err
	}
	took := time.Duration(b.clock.now() - begin)
	after, err := usageNow(b.server)
	if err != nil {
		return CatchUp{}, err
	}
	return b.caughtUp(r, j, followers, took, after.since(before).server)
}

func (b *bench) caughtUp(r *room, j *journal, followers []*follower, took, used time.Duration) (CatchUp, error) {
	var all uint64
	for _, f := range followers {
		if err := f.ledgers[r.id].settle(); err != nil {
			return CatchUp{}, err
		}
		all += f.delivered
	}
	return CatchUp{
		Entries: len(j.acks), Devices: len(followers), Seconds: took.Seconds(),
		EntriesPerSecond: float64(all) / took.Seconds(), ServerCPU: perMessage(used, all),
	}, nil
}
