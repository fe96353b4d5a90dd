package client_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// list gives the alerts of a device without what differs between runs.
func (p *person) alerts() (list []string) {
	p.t.Helper()
	alerts, err := p.Alerts(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	last := uint64(0)
	for _, a := range alerts {
		text := map[client.AlertKind]string{client.DeviceAdded: "added ", client.DeviceRevoked: "revoked ", client.PassphraseReplaced: "passphrase"}[a.Kind] + a.DeviceName
		if a.Revoked {
			text += ", gone"
		}
		if a.ID <= last || a.At.IsZero() || a.At.After(time.Now()) || a.Device.IsZero() != (a.Kind == client.PassphraseReplaced) {
			p.t.Errorf("the alert %+v after the one with ID %d", a, last)
		}
		last = a.ID
		list = append(list, text)
	}
	return list
}

// dismiss takes all alerts away that there are.
func (p *person) dismiss() {
	p.t.Helper()
	alerts, err := p.Alerts(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	var ids []uint64
	for _, a := range alerts {
		ids = append(ids, a.ID)
	}
	if err := p.DismissAlerts(p.ctx(), ids...); err != nil {
		p.t.Fatal(err)
	}
}

// comes signs a device of alice's in by the passphrase, and names it.
func comes(t *testing.T, net *testkit.Net, name string) *person {
	t.Helper()
	p := start(t, net, testkit.NewDisk(), true)
	if _, err := p.Login(p.ctx(), client.LoginOptions{Handle: "alice", Passphrase: passphrase, DeviceName: name}); err != nil {
		t.Fatal(err)
	}
	return p
}

// again starts a person's client anew on what it has stored.
func (p *person) again(net *testkit.Net) *person {
	p.t.Helper()
	p.stop()
	return start(p.t, net, p.disk, true)
}

// changes counts the events of a kind that have come.
func changes[E client.Event](events *client.Subscription) (n int) {
	wait()
	for len(events.C) > 0 {
		if _, ok := (<-events.C).(E); ok {
			n++
		}
	}
	return n
}

// TestAlerts: each device is told of those that come and go elsewhere, once and until it is dismissed there; not of itself, of
// those that were there before it, and of what was done on it.
func TestAlerts(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		laptop := register(t, net, "alice", true)
		equal(t, laptop.alerts(), nil)
		events := laptop.Events()
		phone := comes(t, net, "phone")
		if n := changes[client.AlertsChanged](events); n != 1 {
			t.Errorf("%d events of a new device, want 1", n)
		}
		equal(t, laptop.alerts(), []string{"added phone"})
		equal(t, phone.alerts(), nil)

		// By a link: who has compared digits is not told, the others are.
		tablet := start(t, net, testkit.NewDisk(), false)
		linkUp(laptop, tablet)
		if _, _, err := agree(laptop, tablet); err != nil {
			t.Fatal(err)
		}
		if err := tablet.RenameDevice(tablet.ctx(), tablet.device(), "tablet"); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, laptop.alerts(), []string{"added phone"})
		equal(t, phone.alerts(), []string{"added tablet"})
		equal(t, tablet.alerts(), nil)

		laptop = laptop.again(net)
		wait()
		equal(t, laptop.alerts(), []string{"added phone"})
		laptop.dismiss()
		equal(t, laptop.alerts(), nil)
		laptop = laptop.again(net)
		wait()
		equal(t, laptop.alerts(), nil)
		equal(t, phone.alerts(), []string{"added tablet"})

		// Who signs a device out is not told of it, and has seen that it came.
		if err := phone.RevokeDevice(phone.ctx(), tablet.device()); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, phone.alerts(), nil)
		equal(t, laptop.alerts(), []string{"revoked tablet"})
		if err := phone.Logout(phone.ctx()); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, laptop.alerts(), []string{"revoked tablet", "revoked phone"})
	})
}

// TestAlertsOfAbsence: a device that was away is told of all that came and went meanwhile, also of a passphrase.
func TestAlertsOfAbsence(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		laptop := register(t, net, "alice", true)
		desk := comes(t, net, "desk")
		wait()
		laptop.dismiss()
		laptop.stop()
		phone := comes(t, net, "phone")
		thief := comes(t, net, "harmless")
		if err := desk.Logout(desk.ctx()); err != nil {
			t.Fatal(err)
		}
		if err := thief.ChangePassphrase(thief.ctx(), client.ChangePassphraseOptions{Passphrase: secondPassphrase}); err != nil {
			t.Fatal(err)
		}
		if err := thief.Logout(thief.ctx()); err != nil {
			t.Fatal(err)
		}
		laptop = laptop.again(net)
		wait()
		want := []string{"added phone", "added harmless, gone", "revoked desk", "passphrase"}
		equal(t, laptop.alerts(), want)
		laptop = laptop.again(net)
		equal(t, laptop.alerts(), want)
		devices, err := laptop.Devices(laptop.ctx())
		if err != nil || len(devices) != 2 || devices[0].New || !devices[1].New || devices[1].ID != phone.device() {
			t.Errorf("the devices are %+v, %v; want the phone marked as new", devices, err)
		}
		// The passphrase is nobody's concern who sets another one.
		if err := laptop.ChangePassphrase(laptop.ctx(), client.ChangePassphraseOptions{Passphrase: thirdPassphrase}); err != nil {
			t.Fatal(err)
		}
		equal(t, laptop.alerts(), want[:3])
	})
}

// TestAlertsShared: processes, or tabs, that use one store show the same alerts, whichever heard or was answered first.
func TestAlertsShared(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		laptop := register(t, net, "alice", true)
		tab := start(t, net, laptop.disk, true)
		tabEvents, events := tab.Events(), laptop.Events()
		phone, tablet := comes(t, net, "phone"), comes(t, net, "tablet")
		if a, b := changes[client.AlertsChanged](events), changes[client.AlertsChanged](tabEvents); a != 2 || b != 2 {
			t.Errorf("%d and %d events of two devices, want 2 each", a, b)
		}
		equal(t, tab.alerts(), []string{"added phone", "added tablet"})
		alerts, err := tab.Alerts(tab.ctx())
		if err != nil {
			t.Fatal(err)
		}
		if err := tab.DismissAlerts(tab.ctx(), alerts[0].ID, 12345); err != nil {
			t.Fatal(err)
		}
		if n := changes[client.AlertsChanged](events); n != 1 {
			t.Errorf("%d events of a dismissal in the other tab, want 1", n)
		}
		equal(t, laptop.alerts(), []string{"added tablet"})
		// The server tells the tab before it answers the process that revokes.
		me := laptop.device()
		net.Do(func(m *testkit.Model) {
			m.Tamper = func(to ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
				if to == me && f.GetDone() != nil {
					return nil
				}
				return []*wire.ServerFrame{f}
			}
		})
		revoked := make(chan error, 1)
		go func() { revoked <- laptop.RevokeDevice(laptop.ctx(), phone.device()) }()
		wait()
		equal(t, tab.alerts(), []string{"added tablet"})
		net.Do(func(m *testkit.Model) { m.Tamper = nil })
		net.Cut(nil)
		if err := <-revoked; err != nil {
			t.Fatal(err)
		}
		equal(t, tab.alerts(), []string{"added tablet"})
		if err := laptop.Forget(laptop.ctx()); err != nil {
			t.Fatal(err)
		}
		if _, err := laptop.Alerts(laptop.ctx()); err == nil {
			t.Error("who has left is told of the account's devices")
		}
		tablet.stop()
	})
}

// TestAlertOfPassphrase: a passphrase that another device has set is told of, at the next connection or within an hour, and one
// of this device's own is not, whatever happens on the way.
func TestAlertOfPassphrase(t *testing.T) {
	change := func(p *person, to string) {
		p.t.Helper()
		if err := p.ChangePassphrase(p.ctx(), client.ChangePassphraseOptions{Passphrase: to}); err != nil {
			p.t.Fatal(err)
		}
	}
	world(t, func(t *testing.T, net *testkit.Net) {
		laptop := register(t, net, "alice", true)
		phone := comes(t, net, "phone")
		wait()
		laptop.dismiss()
		change(phone, secondPassphrase)
		net.Cut(nil)
		wait()
		equal(t, laptop.alerts(), []string{"passphrase"})
		equal(t, phone.alerts(), nil)
		laptop = laptop.again(net)
		wait()
		equal(t, laptop.alerts(), []string{"passphrase"})
		laptop.dismiss()
		net.Cut(nil)
		wait()
		equal(t, laptop.alerts(), nil)

		change(phone, thirdPassphrase)
		change(phone, secondPassphrase)
		time.Sleep(61 * time.Minute)
		equal(t, laptop.alerts(), []string{"passphrase"})
		change(laptop, passphrase)
		equal(t, laptop.alerts(), nil)
		laptop = laptop.again(net)
		wait()
		equal(t, laptop.alerts(), nil)
	})
}

// TestAlertsOfOldStore: a store from before there were alerts, and one whose record is damaged, tells of the devices that came
// after its own and are still there.
func TestAlertsOfOldStore(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		register(t, net, "alice", true)
		laptop := comes(t, net, "second laptop")
		gone, phone := comes(t, net, "gone"), comes(t, net, "phone")
		if err := gone.Logout(gone.ctx()); err != nil {
			t.Fatal(err)
		}
		if err := phone.RenameDevice(phone.ctx(), phone.device(), "phone 2"); err != nil {
			t.Fatal(err)
		}
		wait()
		laptop.dismiss()
		laptop.stop()
		whole := laptop.disk.Snapshot()
		record := whole["alerts"]
		rows := map[string][]byte{"none": nil, "empty": {}, "another version": append([]byte{9}, record[1:]...),
			"too long": append(slices.Clone(record), 0), "many rows": {1, 3, 0, 0xff, 0xff, 0xff, 0xff, 0x0f},
			"a kind that is none": slices.Concat([]byte{1, 3, 1, 1, 1, 9, 16}, make([]byte, 16), []byte{5, 0})}
		for n := 1; n < len(record); n++ {
			rows["cut "+string(rune('0'+n))] = record[:n]
		}
		for name, spoilt := range rows {
			t.Log(name)
			if spoilt == nil {
				delete(whole, "alerts")
			} else {
				whole["alerts"] = spoilt
			}
			disk := testkit.NewDisk()
			disk.Restore(whole)
			old := start(t, net, disk, true)
			equal(t, old.alerts(), []string{"added phone 2"})
			old.dismiss()
			old = old.again(net)
			equal(t, old.alerts(), nil)
			old.stop()
		}
	})
}

// TestAlertsOfFailedLink: a device that takes the account and does not come when it was let in is told of when it does.
func TestAlertsOfFailedLink(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		laptop := register(t, net, "alice", true)
		fresh := start(t, net, testkit.NewDisk(), true)
		linkUp(laptop, fresh)
		net.Do(func(m *testkit.Model) {
			m.Lose = func(_ ident.DeviceID, f *wire.ClientFrame) bool { return f.GetLoginLink() != nil }
		})
		confirmed := make(chan error, 1)
		go func() {
			_, err := laptop.ConfirmLink(laptop.ctx())
			confirmed <- err
		}()
		wait()
		if err := laptop.CancelLink(laptop.ctx()); err != nil {
			t.Fatal(err)
		}
		refusedAs(t, <-confirmed, client.Failed)
		net.Do(func(m *testkit.Model) { m.Lose = nil })
		if err := fresh.CancelLink(fresh.ctx()); err != nil {
			t.Fatal(err)
		}
		// Its key is the one that was let in; now it comes by another way.
		if err := fresh.login("alice", passphrase); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, laptop.alerts(), []string{"added new"})
	})
}

// TestAlertsOfClocks: a device whose clock is ahead cannot date its coming later than it was heard of.
func TestAlertsOfClocks(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		laptop := register(t, net, "alice", true)
		ahead := startConfig(t, testkit.NewDisk(), client.Config{Transport: net.Transport(true),
			Now: func() time.Time { return time.Now().Add(1000 * time.Hour) }, Rand: rand.Reader})
		if err := ahead.login("alice", passphrase); err != nil {
			t.Fatal(err)
		}
		wait()
		equal(t, laptop.alerts(), []string{"added new"}) // which checks the time
		net.Cut(errors.New("no network"))
		equal(t, laptop.alerts(), []string{"added new"})
	})
}
