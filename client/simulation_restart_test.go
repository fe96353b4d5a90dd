package client_test

import (
	"fmt"
	"time"

	"snug/internal/ident"
	"snug/internal/testkit"
)

// checkLastDevices has all devices of all accounts lost at once, when all is quiet, and each account sign in on a new one: it
// has the rooms back in which nobody else was, each by its name, and says something there.
func (s *sim) checkLastDevices() {
	all := s.devices
	for _, d := range all {
		if d.session != nil {
			d.session.Close()
		}
	}
	s.devices = nil
	s.settle(24 * time.Hour) // in which who was taken out of a room by somebody may object
	fresh := make(map[ident.AccountID]*device)
	for _, d := range all {
		if fresh[d.me] == nil {
			fresh[d.me] = s.boot(d.handle+"/last", d.handle, testkit.NewDisk())
			fresh[d.me].take(fresh[d.me].core.Login(s.call(), d.handle))
		}
	}
	s.settle(10 * time.Minute)
	for _, d := range all {
		for _, v := range d.core.Rooms() {
			if !v.Alone {
				continue
			}
			f := fresh[d.me]
			back := f.view(v.ID)
			if !back.Joined || !back.Alone || back.Name != v.Name {
				s.noteRoom(v.ID)
				s.fatalf("%s: room %s, in which only %s was, is %+v", f.name, v.ID, d.name, back)
			}
			call := s.call()
			f.texts[call] = fmt.Sprint(f.name, " says ", call)
			f.take(f.core.Send(call, v.ID, f.texts[call]))
			s.settle(time.Minute)
			if at := f.view(v.ID); at.Undone > 0 || at.Seq <= back.Since {
				s.fatalf("%s: nothing can be said in room %s: %+v", f.name, v.ID, at)
			}
			s.restarted++
		}
	}
}
