package client_test

import (
	"slices"
	"strings"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// checkArchive has each account sign in on one more device, when all is quiet: it reads every message that one of the
// account's devices has of the rooms that it is in, at the same place, once; and no message that nobody had: a device that has
// signed out since may have archived what the others of the account could not read.
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
				s.checkHistory(fresh, others, people, v.ID)
			}
		}
	}
}

func (s *sim) checkHistory(fresh *device, others, people []*device, room ident.RoomID) {
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
	for _, d := range others {
		if !d.view(room).Joined {
			continue // it went out with the account, whose archive of the room was deleted; the account is in again without it
		}
		for _, m := range s.texts(d, room) {
			there := got[m.Seq]
			if there.Kind != m.Kind || there.Text != m.Text || there.ID != m.ID || there.Device != m.Device || !there.At.Equal(m.At) {
				s.fatalf("%s: seq %d of %s is %q at %v, on %s it is %q at %v", fresh.name, m.Seq, room, there.Text, there.At, d.name, m.Text, m.At)
			}
		}
	}
	all := s.taken[room]
	for _, d := range people {
		all = append(all, s.texts(d, room)...)
	}
	said := make(map[uint64]string)
	for _, m := range all {
		said[m.Seq] = m.Text
	}
	for seq, m := range got {
		if m.Kind == client.Text && said[seq] != m.Text {
			s.fatalf("%s: seq %d of %s is %q, which nobody had", fresh.name, seq, room, m.Text)
		}
	}
}

// texts gives what people have said, as a device has it.
func (s *sim) texts(d *device, room ident.RoomID) []client.Message {
	all := client.ReadMessages(d.disk.Snapshot(), room, d.view(room).Seq)
	return slices.DeleteFunc(all, func(m client.Message) bool { return m.Kind != client.Text })
}
