package client_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

var crowdLive = flag.Int("crowd.live", 2, "how many of the 1,000 devices of TestFullRoom are more than key packages")

// crowd is a room of as many devices as one may have, of which few run.
type crowd struct {
	*theft
	absent []ident.AccountID
	// commits, largest and welcomes are of what went to the server.
	commits, largest, welcomes int
}

// fill registers the accounts of a room: so many with one device that runs, and the rest with devices that never connect,
// four to an account and so many left to the last one.
func fill(t *testing.T, live int) *crowd {
	t.Helper()
	s := &crowd{theft: &theft{sim: newSim(t, 7)}}
	for i := range live {
		handle := fmt.Sprintf("person%d", i)
		d := s.boot(handle, handle, testkit.NewDisk())
		d.take(d.core.Register(s.call(), handle))
		s.settle(time.Second)
		s.people = append(s.people, d.me)
	}
	for n := client.MaxDevices - live; n > 0; n -= 4 {
		s.settleAbsentee(min(n, 4))
	}
	s.model.Lose = func(_ ident.DeviceID, frame *wire.ClientFrame) bool {
		if commit := frame.GetSubmit().GetCommit(); commit != nil {
			s.commits++
			s.largest = max(s.largest, len(frame.GetSubmit().Payload)+len(commit.Welcome))
			s.welcomes = max(s.welcomes, len(commit.Welcome))
		}
		return false
	}
	return s
}

func (s *crowd) settleAbsentee(devices int) ident.AccountID {
	s.t.Helper()
	chain, packages, err := client.Absentee(s.bytes, fmt.Sprintf("absent%d", len(s.absent)), devices, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	s.model.Settle(chain, packages)
	s.absent = append(s.absent, chain.Account())
	return chain.Account()
}

// everybody sees that those who run are in one epoch with so many leaves, and can read each other.
func (s *crowd) everybody(leaves int) {
	s.t.Helper()
	for i, d := range s.devices {
		if d.gone {
			continue
		}
		s.say(i)
		if v := d.view(s.room); v.Leaves != leaves || v.Problem != "" {
			s.t.Fatalf("%s has %d leaves, want %d; problem %q", d.name, v.Leaves, leaves, v.Problem)
		}
	}
	s.checkPromises()
}

// TestFullRoom fills a room with 1,000 devices over the real rules and limits, talks in it, has a device revoked and an
// account removed, and is told what to do when it adds one device too many. With -crowd.live more of them run, up to
// all: each has to join and to follow.
func TestFullRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("1,000 key packages and leaves take some seconds")
	}
	s := fill(t, *crowdLive)
	first := s.devices[0]
	start := time.Now()
	first.take(first.core.CreateRoom(s.call(), "fair", append(s.people[1:], s.absent...)))
	s.settle(time.Minute)
	s.room = s.model.Rooms()[0]
	t.Logf("%d devices came by %d commits in %v; the largest commit has %d KiB, the largest Welcome %d", first.view(s.room).Leaves,
		s.commits, time.Since(start).Round(time.Millisecond), s.largest>>10, s.welcomes>>10)
	s.everybody(client.MaxDevices)

	another := s.settleAbsentee(1)
	s.refusedFull(another, "1000 devices of at most 1000")
	s.everybody(client.MaxDevices)

	first.take(first.core.Change(s.call(), s.room, true, s.absent[0]))
	s.settle(10 * time.Second)
	s.everybody(client.MaxDevices - 4)
	s.refusedFull(s.settleAbsentee(5), "brings 5")
	first.take(first.core.Change(s.call(), s.room, false, another))
	s.settle(10 * time.Second)
	s.everybody(client.MaxDevices - 3)
	second := s.boot("person0/2", "person0", testkit.NewDisk())
	second.take(second.core.Login(s.call(), "person0"))
	s.settle(10 * time.Second)
	s.everybody(client.MaxDevices - 2)
	second.take(second.core.Logout(s.call()))
	s.settle(10 * time.Second)
	second.gone = true
	s.everybody(client.MaxDevices - 3)
	t.Logf("%d commits, the largest of %d KiB", s.commits, s.largest>>10)
	if s.largest > wire.MaxCommit {
		t.Errorf("a commit has %d bytes, the server takes %d", s.largest, wire.MaxCommit)
	}
}

// refusedFull sees that an account that has no place is not added, and why.
func (s *crowd) refusedFull(account ident.AccountID, why string) {
	s.t.Helper()
	first, call := s.devices[0], s.call()
	s.refusals = make(map[uint64]error)
	first.take(first.core.Change(call, s.room, false, account))
	s.settle(10 * time.Second)
	if err := s.refusals[call]; err == nil || !strings.Contains(err.Error(), "the room is full") || !strings.Contains(err.Error(), why) {
		s.t.Errorf("got %v, want that the room is full, and %q", err, why)
	}
}
