package main

import (
	"slices"
	"time"
)

// plan is what a run measures, and for how long.
type plan struct {
	// payload is the size of a message's payload in bytes; a short text, sealed and padded, has about 300.
	payload int
	// senders and windows are combined with each other.
	senders []int
	windows []int
	// Each scenario with traffic warms up, unmeasured, before it counts; bound is for each measured bound.
	warmUp  time.Duration
	measure time.Duration
	fanout  time.Duration
	bound   time.Duration
	// fanoutFollowers are the devices in the large room, and fanoutWindows the windows of its sender.
	fanoutFollowers int
	fanoutWindows   []int
	idle            int
	catchUp         int
	catchUpDevices  int
	starts          int
	// settle is how long a server's memory is watched before it is believed.
	settle time.Duration
	// only are the kinds of scenario to run; none means all.
	only []string
}

// needsServer is the kind of the steps that all scenarios with a server need.
const needsServer = ""

// wants reports whether a kind of step is to run.
func (p plan) wants(kind string) bool {
	if kind == needsServer {
		return !slices.Equal(p.only, []string{"bounds"})
	}
	return len(p.only) == 0 || slices.Contains(p.only, kind)
}

// wholePlan takes under two minutes on two cores.
var wholePlan = plan{
	payload: 300, senders: []int{64, 256}, windows: []int{1, 16},
	warmUp: time.Second, measure: 5 * time.Second, fanout: 3 * time.Second, bound: time.Second,
	fanoutFollowers: 500, fanoutWindows: []int{1, 16},
	idle: 5000, catchUp: 10_000, catchUpDevices: 50, starts: 3, settle: 4 * time.Second,
}

// quickPlan is for looking whether everything works: its figures say nothing.
var quickPlan = plan{
	payload: 300, senders: []int{4}, windows: []int{1, 16},
	warmUp: 200 * time.Millisecond, measure: time.Second, fanout: time.Second, bound: 200 * time.Millisecond,
	fanoutFollowers: 16, fanoutWindows: []int{1},
	idle: 100, catchUp: 1000, catchUpDevices: 8, starts: 1, settle: 500 * time.Millisecond,
}

// devices is how many the plan needs: senders and their followers, and the large room's with its sender.
func (p plan) devices() int {
	most := max(p.fanoutFollowers, p.catchUpDevices) + 1
	for _, n := range p.senders {
		most = max(most, 2*n)
	}
	return most
}
