package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"snug/internal/wire"
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
	// idleSettle is the same with idle connections: long enough for a server that tidies up now and then.
	idleSettle time.Duration
	// goals says that the sizes are those that the goals are for.
	goals bool
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
	idle: 5000, catchUp: 10_000, catchUpDevices: 50, starts: 3, settle: 3 * time.Second, idleSettle: 20 * time.Second, goals: true,
}

// quickPlan is for looking whether everything works: its figures say nothing.
var quickPlan = plan{
	payload: 300, senders: []int{4}, windows: []int{1, 16},
	warmUp: 200 * time.Millisecond, measure: time.Second, fanout: time.Second, bound: 200 * time.Millisecond,
	fanoutFollowers: 16, fanoutWindows: []int{1},
	idle: 100, catchUp: 1000, catchUpDevices: 8, starts: 1, settle: 500 * time.Millisecond, idleSettle: time.Second,
}

// maxWindow is the protocol's: a connection may have no more requests unanswered. A request id of a sender is its place
// in the window, which must take one byte in every frame.
const maxWindow = 127

// kinds are the scenarios that --only can name.
var kinds = []string{"startup", "bounds", "messages", "fanout", "catchup", "idle"}

// check says what is wrong with a plan.
func (p plan) check() error {
	if p.payload < stampSize || p.payload > wire.MaxPayload {
		return fmt.Errorf("payloads have %d to %d bytes", stampSize, wire.MaxPayload)
	}
	for _, n := range p.senders {
		if n < 1 {
			return errors.New("there is at least one sender")
		}
	}
	for _, n := range p.windows {
		if n < 1 || n > maxWindow {
			return fmt.Errorf("a window is 1 to %d", maxWindow)
		}
	}
	for _, kind := range p.only {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("%q is none of %s", kind, strings.Join(kinds, ", "))
		}
	}
	return nil
}

// devices is how many the plan needs: senders and their followers, and the large room's with its sender.
func (p plan) devices() int {
	most := max(p.fanoutFollowers, p.catchUpDevices) + 1
	for _, n := range p.senders {
		most = max(most, 2*n)
	}
	return most
}
