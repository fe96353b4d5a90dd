package client_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// theft is a conversation in which somebody copies all that one device has stored, and goes on reading.
type theft struct {
	*sim
	room   ident.RoomID
	victim *device
	thief  *client.Thief
	seen   int       // entries that the thief was shown
	since  time.Time // of the theft
	// read and own are the messages that the thief could read, and those of them that the victim wrote.
	read, own int
	// follows says that the thief could read the last message; lostAt is when it was shut out.
	follows bool
	lostAt  time.Time
	said    int
}

// converse lets so many accounts, of a device each, meet in a room, and each say something where they are not to lurk.
func converse(t *testing.T, people int, greet bool) *theft {
	t.Helper()
	s := &theft{sim: newSim(t, uint64(people)), follows: true}
	for i := range people {
		handle := fmt.Sprintf("person%d", i)
		d := s.boot(handle, handle, testkit.NewDisk())
		d.take(d.core.Register(s.call(), handle))
		s.settle(time.Second)
		s.people = append(s.people, d.me)
	}
	first := s.devices[0]
	if people == 2 {
		first.take(first.core.Direct(s.call(), s.people[1]))
	} else {
		first.take(first.core.CreateRoom(s.call(), "garden", s.people))
	}
	s.settle(10 * time.Second)
	s.room, s.victim = s.model.Rooms()[0], s.devices[1]
	for i := range people {
		if greet {
			s.say(i)
		}
	}
	return s
}

// say has a device say something.
func (s *theft) say(i int) {
	s.said++
	d, call, text := s.devices[i], s.call(), fmt.Sprint("message ", s.said)
	d.texts[call] = text
	d.take(d.core.Send(call, s.room, text))
	s.settle(2 * time.Second)
	s.show()
}

// steal copies the victim's store.
func (s *theft) steal() {
	s.t.Helper()
	thief, err := client.NewThief(s.victim.disk.Snapshot(), s.room)
	if err != nil {
		s.t.Fatal(err)
	}
	s.thief, s.since, s.seen = thief, s.now, int(s.victim.view(s.room).Seq)
}

// show lets the thief see what is new in the log.
func (s *theft) show() {
	if s.thief == nil {
		return
	}
	log := s.model.Log(s.room)
	for ; s.seen < len(log); s.seen++ {
		entry := log[s.seen]
		reads, err := s.thief.See(entry)
		switch {
		case err != nil:
			s.t.Fatalf("the thief cannot follow entry %d: %v", entry.Seq, err)
		case reads && entry.Kind == wire.EntryKind_ENTRY_KIND_SEALED:
			s.read++
			if string(entry.Device) == string(s.victim.core.Device().Bytes()) {
				s.own++
			}
		case !reads && s.follows:
			s.follows, s.lostAt = false, time.UnixMilli(entry.At)
		}
		if reads && !s.follows {
			s.t.Fatalf("the thief reads again at entry %d", entry.Seq)
		}
	}
}

// TestStolenSnapshot measures how long a copy of all that a device had stored reads on, if it was made at the worst moment:
// just after the device has renewed its keys. The bounds are those of docs/protocol.md.
func TestStolenSnapshot(t *testing.T) {
	const margin = 2 * time.Second // the jitter of any commit
	inTurns := func(people int) func(int) int { return func(n int) int { return n % people } }
	for _, row := range []struct {
		name   string
		people int
		pause  time.Duration
		// speaker gives who speaks the nth time; the victim is 1.
		speaker func(n int) int
		// own and within are how many messages of the victim and how much time it takes at most.
		own    int
		within time.Duration
	}{
		{"two in turns, slowly", 2, time.Minute, inTurns(2), 50, time.Hour + 2*time.Minute + margin},
		{"two in turns, quickly", 2, 5 * time.Second, inTurns(2), 50, time.Hour},
		{"two, the victim alone speaks", 2, time.Minute, func(int) int { return 1 }, 50, 53 * time.Minute},
		{"two, the victim only reads", 2, 10 * time.Minute, func(int) int { return 0 }, 0, 24*time.Hour + 2*time.Minute + margin},
		{"ten, all of them talk", 10, 30 * time.Second, inTurns(10), 50, 24 * time.Hour},
		{"ten, the victim seldom speaks", 10, 20 * time.Minute, func(n int) int { return map[bool]int{n%12 == 0: 1}[true] }, 8, 24*time.Hour + 10*time.Minute + margin},
		{"ten, one speaks and the rest only read", 10, 20 * time.Minute, func(int) int { return 0 }, 0, 24*time.Hour + 10*time.Minute + margin},
		{"ten, nobody speaks", 10, time.Hour, nil, 0, 24*time.Hour + 10*time.Minute + margin},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := converse(t, row.people, true)
			s.steal()
			for n := 0; s.follows && s.now.Sub(s.since) <= row.within+time.Hour; n++ {
				s.settle(row.pause)
				s.show()
				if row.speaker != nil {
					s.say(row.speaker(n))
				}
			}
			lasted := s.lostAt.Sub(s.since)
			t.Logf("the copy read %d messages, %d of the victim's, in %v", s.read, s.own, lasted.Round(time.Second))
			if s.follows || s.own > row.own || lasted > row.within {
				t.Errorf("the copy follows: %v, after %d messages of the victim's and %v; want at most %d and %v", s.follows, s.own, lasted, row.own, row.within)
			}
			if row.speaker != nil && s.read == 0 {
				t.Error("the copy read nothing at all: it was none")
			}
			for i := range row.people {
				s.say(i)
			}
		})
	}
}

// TestStolenPending has a device's store copied while its own commit is on its way: the copy has the keys that it leads
// to, and is shut out by the next one.
func TestStolenPending(t *testing.T) {
	s := converse(t, 2, true)
	s.devices[0].drop()
	s.devices[0].gone = true // so that nobody else commits
	s.model.Lose = func(_ ident.DeviceID, frame *wire.ClientFrame) bool { return frame.GetSubmit().GetCommit() != nil }
	s.settle(24*time.Hour + 3*time.Minute)
	if s.victim.view(s.room).Undone == 0 {
		t.Fatal("no commit is on its way")
	}
	s.steal()
	s.model.Lose = nil
	s.settle(time.Minute)
	s.show()
	if !s.follows {
		t.Fatal("the copy does not follow the commit that it has stolen")
	}
	for s.follows && s.now.Sub(s.since) < time.Hour {
		s.say(1)
	}
	t.Logf("the copy read %d messages of the victim's", s.own)
	if s.follows || s.own > 50 {
		t.Errorf("the copy follows: %v, and has read %d messages of the victim's, want at most 50", s.follows, s.own)
	}
}

// TestStolenOffline has the device whose store was copied go offline: the copy reads for as long as that lasts, and is shut
// out soon after the device is back, without its saying anything.
func TestStolenOffline(t *testing.T) {
	s := converse(t, 10, true)
	s.steal()
	s.victim.drop()
	s.victim.gone = true
	for range 8 * 24 {
		s.settle(time.Hour)
		s.say(0)
	}
	if !s.follows {
		t.Fatal("the copy was shut out while the device was away: this test has to be told why")
	}
	s.victim.gone = false
	back := s.now
	s.victim.take(s.victim.core.Tick())
	s.settle(time.Hour)
	s.show()
	if lasted := s.lostAt.Sub(back); s.follows || lasted > 12*time.Second {
		t.Errorf("the copy follows: %v, shut out after %v, want at most 12s", s.follows, lasted)
	}
}

// TestHealSpread has all of a room owe their renewals at one time, and sees that they do not all commit at once: most
// tries win, and nobody is late.
func TestHealSpread(t *testing.T) {
	const people = 12
	for _, row := range []struct {
		name string
		owe  func(s *theft) (since time.Time)
		// within is how long all take at most, tries how many commits they send.
		within time.Duration
		tries  int
	}{
		{"nobody says anything for a day", func(s *theft) time.Time {
			s.settle(24*time.Hour - time.Minute)
			return s.now
		}, people*time.Minute + time.Minute + 2*time.Second, people + 3},
		{"the server was away for two days", func(s *theft) time.Time {
			for _, d := range s.devices {
				d.drop()
				d.gone = true
			}
			s.settle(48 * time.Hour)
			for _, d := range s.devices {
				d.gone = false
				d.take(d.core.Tick())
			}
			return s.now
		}, (people + 2) * time.Second, people + 6},
		{"all of them say their first words at once", func(s *theft) time.Time {
			for i, d := range s.devices {
				call, text := s.call(), fmt.Sprint("first words of ", i)
				d.texts[call] = text
				d.take(d.core.Send(call, s.room, text))
			}
			return s.now
		}, (people + 2) * time.Second, 2*people + 6},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := converse(t, people, false)
			tries := 0
			s.model.Lose = func(_ ident.DeviceID, frame *wire.ClientFrame) bool {
				if frame.GetSubmit().GetCommit() != nil {
					tries++
				}
				return false
			}
			since, log := row.owe(s), len(s.model.Log(s.room))
			s.settle(row.within)
			healed := make(map[string]bool)
			for _, entry := range s.model.Log(s.room)[log:] {
				if entry.Kind == wire.EntryKind_ENTRY_KIND_COMMIT {
					healed[string(entry.Device)] = true
				}
			}
			// Who made the room has nothing to renew at its first words.
			t.Logf("%d of %d devices renewed their keys by %d tries in %v", len(healed), people, tries, s.now.Sub(since))
			if len(healed) < people-1 || tries > row.tries {
				t.Errorf("%d of %d devices renewed their keys, with %d tries; want %d, with at most %d", len(healed), people, tries, people-1, row.tries)
			}
			s.checkPromises()
		})
	}
}

// TestHealingAfterAClockAhead: a device whose clock was a year ahead, and was set right, goes on renewing its keys once a day.
func TestHealingAfterAClockAhead(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, room := pair(t, net)
		bob.stop()
		alice.stop()
		ahead := startConfig(t, alice.disk, client.Config{Transport: net.Transport(true), Rand: rand.Reader,
			Now: func() time.Time { return time.Now().Add(365 * 24 * time.Hour) }})
		time.Sleep(26 * time.Hour)
		ahead.stop()
		before := len(logOf(net, room))
		start(t, net, alice.disk, true)
		time.Sleep(50 * time.Hour)
		if n := len(logOf(net, room)) - before; n != 2 {
			t.Errorf("the device has renewed its keys %d times in two days, want 2", n)
		}
	})
}
