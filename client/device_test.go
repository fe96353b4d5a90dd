package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// names gives the names of the account's devices, this one's with a star.
func (p *person) names() []string {
	p.t.Helper()
	devices, err := p.Devices(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, d := range devices {
		if d.Current {
			d.Name += "*"
		}
		names = append(names, d.Name)
	}
	return names
}

func (p *person) device() ident.DeviceID {
	p.t.Helper()
	me, ok := p.Me()
	if !ok {
		p.t.Fatal("nobody is signed in")
	}
	return me.Device
}

// TestRevokeDevice: a device that another one revokes is signed out, and out of every room at the next commit, which any
// member makes; what is said afterwards it cannot read, with all that it has.
func TestRevokeDevice(t *testing.T) {
	for _, proves := range []bool{true, false} {
		t.Run(fmt.Sprintf("proves=%v", proves), func(t *testing.T) { revokeDevice(t, proves) })
	}
}

func revokeDevice(t *testing.T, proves bool) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob, carol := register(t, net, "alice", true), register(t, net, "bob", true), register(t, net, "carol", true)
		garden, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob", "carol"}})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := bob.Direct(bob.ctx(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		bob.send(pair, "hello")
		wait()
		bob.accept(garden.ID)
		carol.accept(garden.ID)
		lost := start(t, net, testkit.NewDisk(), proves)
		if err := lost.login("alice", passphrase); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, carol.members(garden.ID), []string{"alice owner 2", "bob member 1", "carol member 1"})
		id, stolen := lost.device(), lost.disk.Snapshot()
		events := lost.Events()

		// Neither the account's other device nor who made the rooms is there when the others learn of it.
		if err := alice.RevokeDevice(alice.ctx(), id); err != nil {
			t.Fatal(err)
		}
		alice.stop()
		wait()
		equal(t, carol.members(garden.ID), []string{"alice owner 1", "bob member 1", "carol member 1"})
		equal(t, bob.members(pair), []string{"alice member 1", "bob owner 1"})
		if _, in := lost.Me(); in {
			t.Error("the revoked device is still signed in")
		}
		signedOut := false
		for len(events.C) > 0 {
			if e, ok := (<-events.C).(client.SignedOut); ok {
				signedOut = e.Reason != ""
			}
		}
		if !signedOut {
			t.Error("the revoked device is not told why")
		}
		carol.send(garden.ID, "without it")
		thiefReads(t, net, garden.ID, stolen)

		again := start(t, net, alice.disk, true)
		equal(t, again.names(), []string{"alice's laptop*"})
		refusedAs(t, again.RevokeDevice(again.ctx(), id), client.Refused)
		refusedAs(t, again.RevokeDevice(again.ctx(), ident.DeviceID{7}), client.NotFound)
		refusedAs(t, again.RevokeDevice(again.ctx(), again.device()), client.Usage)
	})
}

// thiefReads fails if a device brought back from its copy, on a server that hands it everything, reads what was said
// after it was revoked.
func thiefReads(t *testing.T, net *testkit.Net, room ident.RoomID, stolen map[string][]byte) {
	t.Helper()
	disk := testkit.NewDisk()
	disk.Restore(stolen)
	net.Do(func(m *testkit.Model) { m.LetIn(room, "alice") })
	thief := start(t, net, disk, true)
	wait()
	messages, err := thief.History(thief.ctx(), room, client.HistoryOptions{Limit: 100})
	if err != nil {
		return // it knows by itself that it is nobody's any more
	}
	if slices.ContainsFunc(messages, func(m client.Message) bool { return m.Text == "without it" }) {
		t.Error("a revoked device reads on")
	}
}

func TestRenameDevice(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		alice.send(room, "from the laptop")
		phone := signsIn(t, net, passphrase)
		if err := phone.RenameDevice(phone.ctx(), alice.device(), "desk"); err != nil {
			t.Fatal(err)
		}
		if err := phone.RenameDevice(phone.ctx(), phone.device(), "phone"); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, alice.names(), []string{"desk*", "phone"})
		if me, _ := phone.Me(); me.DeviceName != "phone" {
			t.Errorf("the phone calls itself %q", me.DeviceName)
		}
		messages, err := bob.History(bob.ctx(), room, client.HistoryOptions{Limit: 10})
		if err != nil || !slices.ContainsFunc(messages, func(m client.Message) bool { return m.DeviceName == "desk" }) {
			t.Errorf("bob sees %+v, %v", messages, err)
		}
		for _, name := range []string{"", "a\nb", "a\u202eb", string(make([]byte, 65))} {
			if e := refusedAs(t, alice.RenameDevice(alice.ctx(), alice.device(), name), client.Usage); e.Hint == "" {
				t.Errorf("%q: no hint", name)
			}
		}
		refusedAs(t, alice.RenameDevice(alice.ctx(), bob.device(), "mine"), client.NotFound)
	})
}

// TestChainRace: two devices add to the chain at once, and one's answer is lost: both statements are there, once.
func TestChainRace(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		phone, tablet := signsIn(t, net, passphrase), signsIn(t, net, passphrase)
		id, me := tablet.device(), alice.device()
		wait()
		net.Do(func(m *testkit.Model) {
			m.Tamper = func(to ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
				if to == me && (f.GetDone() != nil || f.GetChain() != nil) {
					return nil
				}
				return []*wire.ServerFrame{f}
			}
		})
		revoked := make(chan error, 1)
		go func() { revoked <- alice.RevokeDevice(alice.ctx(), id) }()
		wait() // the server has it, and alice does not know
		if err := phone.RenameDevice(phone.ctx(), phone.device(), "phone"); err != nil {
			t.Fatal(err)
		}
		net.Do(func(m *testkit.Model) { m.Tamper = nil })
		net.Cut(nil)
		if err := <-revoked; err != nil {
			t.Fatalf("revoking: %v", err)
		}
		equal(t, alice.names(), []string{"alice's laptop*", "phone"})
	})
}

// TestForget: who cannot reach the server leaves all the same, and the device can be revoked from another one.
func TestForget(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		phone := signsIn(t, net, passphrase)
		id := phone.device()
		net.Cut(errors.New("no network"))
		if e := refusedAs(t, phone.Logout(phone.ctx()), client.Unreachable); e.Hint == "" {
			t.Error("nothing is said of what to do")
		}
		if err := phone.Forget(phone.ctx()); err != nil {
			t.Fatal(err)
		}
		for key := range phone.disk.Snapshot() {
			if key != "device" {
				t.Errorf("%q is left", key)
			}
		}
		net.Cut(nil)
		time.Sleep(time.Minute)
		equal(t, alice.names(), []string{"alice's laptop*", "new"})
		if err := alice.RevokeDevice(alice.ctx(), id); err != nil {
			t.Fatal(err)
		}
		if err := phone.login("alice", passphrase); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSignedOutElsewhere: who signs out in one process, or tab, is signed out in all that use the store. Each says so, answers
// whoever waits, and acts for whoever signs in there next.
func TestSignedOutElsewhere(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		register(t, net, "bob", true)
		room, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		wait()
		tab := start(t, net, alice.disk, true)
		tab.send(room, "from the other tab")
		events := tab.Events()
		net.Cut(errors.New("the cable is out"))
		wait()
		waiting := make(chan error, 1)
		go func() {
			_, err := tab.Accounts(tab.ctx())
			waiting <- err
		}()
		wait()
		if err := alice.Forget(alice.ctx()); err != nil { // without the server, so that it cannot be the one that tells the tab
			t.Fatal(err)
		}
		if e := refusedAs(t, <-waiting, client.Refused); !strings.Contains(e.Message, "signed out") {
			t.Errorf("who waits is told %v", e)
		}
		wait()
		events.Close()
		told := ""
		for event := range events.C {
			if e, ok := event.(client.SignedOut); ok {
				told += e.Reason + "."
			}
		}
		if told != "signed out on this device." {
			t.Errorf("the other tab is told %q", told)
		}
		if me, in := tab.Me(); in {
			t.Errorf("the other tab acts for %v", me)
		}
		net.Cut(nil)
		if _, err := alice.Login(alice.ctx(), client.LoginOptions{Handle: "bob", Passphrase: passphrase, DeviceName: "laptop"}); err != nil {
			t.Fatal(err)
		}
		wait()
		accounts, err := tab.Accounts(tab.ctx())
		if me, in := tab.Me(); !in || me.Handle != "bob" || err != nil || len(accounts) != 2 {
			t.Errorf("after a sign-in the other tab acts for %v (%v) and lists %v, %v", me, in, accounts, err)
		}
	})
}
