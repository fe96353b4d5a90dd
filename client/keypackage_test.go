package client_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/testkit"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// quarter is longer than a key package lasts.
const quarter = 100 * 24 * time.Hour

// TestKeyPackagesGrowOld: whoever is online now and then, or for long and away after it, can be written to by somebody new however long
// ago they signed up, and does not keep the keys of all that time.
func TestKeyPackagesGrowOld(t *testing.T) {
	for _, row := range []struct {
		name string
		live func(t *testing.T, net *testkit.Net, p *person) *person
	}{
		{"online for long, and then away", func(_ *testing.T, _ *testkit.Net, p *person) *person {
			time.Sleep(quarter / 2)
			p.stop()
			time.Sleep(quarter * 6 / 10)
			return p
		}},
		{"now and then", func(t *testing.T, net *testkit.Net, p *person) *person {
			for range 12 {
				p.stop()
				time.Sleep(quarter / 2)
				p = start(t, net, p.disk, true)
				wait()
			}
			return p
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				bob := register(t, net, "bob", true)
				bob.stop()
				alice := row.live(t, net, register(t, net, "alice", true))
				alice.stop()
				bob = start(t, net, bob.disk, true)
				sent, err := bob.SendDirect(bob.ctx(), "alice", "hello")
				if err != nil {
					t.Fatal(err)
				}
				alice = start(t, net, alice.disk, true)
				wait()
				equal(t, alice.texts(sent.Room), []string{"bob: hello"})
				kept := 0
				for key := range alice.disk.Snapshot() {
					if strings.HasPrefix(key, "key/") {
						kept++
					}
				}
				if kept > 6*21 {
					t.Errorf("%d key packages are kept, of which 21 are made in a quarter's half", kept)
				}
			})
		})
	}
}

// TestClocksDisagree: a device whose clock is in another time zone's hour can be let in by others.
func TestClocksDisagree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := evil.Start(t)
		alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
		for _, by := range []time.Duration{-14 * time.Hour, 0, 14 * time.Hour} {
			b, err := bob.KeyPackageAt(bob.ctx(), time.Now().Add(by))
			if err != nil {
				t.Fatal(err)
			}
			alice.claims(func(claimed *wire.KeyPackages) { claimed.KeyPackages[0].KeyPackage = b })
			made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
			if err != nil {
				t.Fatalf("by a clock that is %v ahead: %v", by, err)
			}
			wait()
			equal(t, bob.members(made.ID), []string{"alice owner 1", "bob member 1"})
		}
	})
}

// TestClockSetBack: a device that signed in while its clock was a year ahead can be let in by others as soon as the clock is
// right and it is online.
func TestClockSetBack(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		bob := register(t, net, "bob", true)
		ahead := startConfig(t, testkit.NewDisk(), client.Config{Transport: net.Transport(true), Rand: rand.Reader,
			Now: func() time.Time { return time.Now().Add(365 * 24 * time.Hour) }})
		if _, err := ahead.Register(ahead.ctx(), client.RegisterOptions{Handle: "alice", Passphrase: passphrase, DeviceName: "laptop"}); err != nil {
			t.Fatal(err)
		}
		wait()
		ahead.stop()
		alice := start(t, net, ahead.disk, true)
		wait()
		sent, err := bob.SendDirect(bob.ctx(), "alice", "hello")
		if err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, alice.texts(sent.Room), []string{"bob: hello"})
	})
}

// TestDeviceInADrawer: a device that was off for longer than its key packages last keeps nobody from letting its account
// into a room, and comes in when it is back.
func TestDeviceInADrawer(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		tablet := newDevice(t, net, "alice", true)
		tablet.stop()
		alice.stop()
		bob.stop()
		time.Sleep(quarter)
		alice, bob = start(t, net, alice.disk, true), start(t, net, bob.disk, true)
		wait()
		made, err := bob.CreateRoom(bob.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"alice"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		alice.accept(made.ID)
		alice.send(made.ID, "here")
		equal(t, bob.texts(made.ID), []string{"alice: here"})
		tablet = start(t, net, tablet.disk, true)
		wait()
		time.Sleep(2 * time.Minute)
		bob.send(made.ID, "all of you")
		wait()
		if got := tablet.texts(made.ID); len(got) == 0 || got[len(got)-1] != "bob: all of you" {
			t.Errorf("the device that is back reads %q", got)
		}
	})
}
