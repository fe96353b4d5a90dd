package client_test

import (
	"testing"
	"time"

	"snug/internal/testkit"
)

// TestStaleChain has one process of a device learn a longer chain while the server's answer to another process is on its
// way: what the answer lacks is no evidence against anybody.
func TestStaleChain(t *testing.T) {
	s := newSim(t, 1)
	alice, bob := s.boot("alice", "alice", testkit.NewDisk()), s.boot("bob", "bob", testkit.NewDisk())
	for _, d := range s.devices {
		d.take(d.core.Register(s.call(), d.handle))
		s.settle(time.Second)
	}
	twin := s.boot("bob/b", "bob", bob.disk)
	bob.take(bob.core.Direct(s.call(), alice.me))
	s.settle(10 * time.Second)

	twin.take(twin.core.Direct(s.call(), alice.me)) // asks for alice's chain
	for _, frame := range twin.out {
		twin.session.Handle(frame)
	}
	twin.out, twin.gone = nil, true
	alice.take(alice.core.RenameSelf(s.call(), "attic"))
	s.settle(time.Second)
	twin.gone = false
	if !twin.session.Waiting() {
		t.Fatal("no answer is on its way")
	}
	for twin.deliver() {
	}
	if v := twin.core.Rooms()[0]; v.Problem != "" {
		t.Errorf("the room has the problem %q, want none", v.Problem)
	}
}
