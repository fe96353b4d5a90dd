package client_test

import (
	"strings"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// checkArchive has each account sign in on one more device, when all is quiet: it reads every message that one of the
// account's devices has of the rooms that it is in, at the same place, once; and no message that none of them has.
func (s *sim) checkArchive() {
	people := s.devices
	for i, account := range s.people {
		var others []*device
		for _, d := range people {
			if d.me == account {
				others = append(others, d)
			}
		}
		fresh := s.boot(others[0].handle+"/new", others[0].handle, testkit.NewDisk())
		fresh.take(fresh.core.Login(s.call(), fresh.handle))
		s.settle(10 * time.Minute)
		if fresh.me != account {
			s.fatalf("account %d does not sign in on a new device", i)
		}
		for _, v := range fresh.core.Rooms() {
			if v.Joined {
				s.checkHistory(fresh, others, v.ID)
			}
		}
	}
}

func (s *sim) checkHistory(fresh *device, others []*device, room ident.RoomID) {
	fresh.history = nil
	fresh.take(fresh.core.ReadHistory(s.call(), room, 1<<20))
	s.settle(time.Minute)
	got := make(map[uint64]client.Message)
	for _, m := range fresh.history {
		if m.Kind == client.Gap && strings.HasPrefix(m.Gap, "what was said before") {
			s.fatalf("%s: seq %d of %s is a gap: %s", fresh.name, m.Seq, room, m.Gap)
		}
		got[m.Seq] = m
	}
	known := make(map[uint64]string)
	for _, d := range others {
		for _, m := range client.ReadMessages(d.disk.Snapshot(), room, d.view(room).Seq) {
			if m.Kind != client.Text {
				continue
			}
			known[m.Seq] = m.Text
			if there := got[m.Seq]; there.Kind != m.Kind || there.Text != m.Text || there.ID != m.ID || there.Device != m.Device || !there.At.Equal(m.At) {
				s.fatalf("%s: seq %d of %s is %q, on %s it is %q", fresh.name, m.Seq, room, there.Text, d.name, m.Text)
			}
		}
	}
	for seq, m := range got {
		if m.Kind == client.Text && known[seq] != m.Text {
			s.fatalf("%s: seq %d of %s is %q, which none of the others has", fresh.name, seq, room, m.Text)
		}
	}
}
