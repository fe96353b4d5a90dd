package client_test

import (
	"testing"

	"snug/client"
	"snug/internal/testkit"
)

// news gives how many events of signing out, and of Resync, a client had since it was last asked.
func news(events *client.Subscription) (signedOut, resync int) {
	for len(events.C) > 0 {
		switch (<-events.C).(type) {
		case client.SignedOut:
			signedOut++
		case client.Resync:
			resync++
		}
	}
	return signedOut, resync
}

// TestSecondWindow has a device open twice, as in two tabs: whoever signs out in one of them has left the other as well, which
// shows nothing of theirs any more, and follows where somebody signs in again.
func TestSecondWindow(t *testing.T) {
	for name, leave := range map[string]func(p *person) error{
		"signs out":               func(p *person) error { return p.Logout(p.ctx()) },
		"forgets, without server": func(p *person) error { return p.Forget(p.ctx()) },
	} {
		t.Run(name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
				room, err := bob.Direct(bob.ctx(), "alice")
				if err != nil {
					t.Fatal(err)
				}
				signsIn(t, net, passphrase) // lets the next one in
				other := start(t, net, alice.disk, true)
				wait()
				events := other.Events()
				if err := leave(alice); err != nil {
					t.Fatal(err)
				}
				wait()
				if me, in := other.Me(); in {
					t.Errorf("the other window is still %s", me.Handle)
				}
				if out, again := news(events); out != 1 || again != 0 {
					t.Errorf("the other window heard %d times of signing out and %d times of Resync, want 1 and 0", out, again)
				}
				if _, err := other.Post(other.ctx(), room, "as whom?"); err == nil {
					t.Error("the other window posts as nobody")
				}

				if err := alice.login("alice", passphrase); err != nil {
					t.Fatal(err)
				}
				wait()
				if out, again := news(events); out != 0 || again != 1 {
					t.Errorf("after signing in, the other window heard %d times of signing out and %d times of Resync, want 0 and 1", out, again)
				}
				if me, in := other.Me(); !in || me.Device != alice.device() {
					t.Errorf("the other window is %+v (%v), want the device that has signed in", me, in)
				}
				equal(t, other.members(room), alice.members(room))
				bob.send(room, "to both windows")
				wait()
				equal(t, other.texts(room), alice.texts(room))
			})
		})
	}
}
