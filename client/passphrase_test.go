package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

const (
	secondPassphrase = "lantern 4 gravel orbit walnut timber"
	thirdPassphrase  = "copper 7 meadow violin ladder anchor"
)

func (p *person) login(handle, passphrase string) error {
	p.t.Helper()
	_, err := p.Login(p.ctx(), client.LoginOptions{Handle: handle, Passphrase: passphrase, DeviceName: "new"})
	return err
}

// signsIn fails unless of the passphrases the one that is right signs in on a new device, and the others are refused.
func signsIn(t *testing.T, net *testkit.Net, right string) *person {
	t.Helper()
	for _, wrong := range []string{passphrase, secondPassphrase, thirdPassphrase} {
		if wrong == right {
			continue
		}
		refusedAs(t, start(t, net, testkit.NewDisk(), true).login("alice", wrong), client.Refused)
	}
	p := start(t, net, testkit.NewDisk(), true)
	if err := p.login("alice", right); err != nil {
		t.Fatalf("signing in with %q: %v", right, err)
	}
	return p
}

func refusedAs(t *testing.T, err error, code client.Code) *client.Error {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want an error of code %d", err, code)
	}
	return e
}

// TestChangePassphrase: any device changes it without the former one, and the others go on.
func TestChangePassphrase(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		laptop, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		room, err := laptop.Direct(laptop.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		laptop.send(room, "before")
		phone := signsIn(t, net, passphrase)
		events := phone.Events()
		var steps []string
		change := client.ChangePassphraseOptions{Passphrase: secondPassphrase, Progress: func(p client.Progress) { steps = append(steps, p.Step) }}
		if err := phone.ChangePassphrase(phone.ctx(), change); err != nil {
			t.Fatal(err)
		}
		equal(t, steps, []string{"stretching the passphrase", "changing the passphrase"})
		changed := 0
		for wait(); len(events.C) > 0; {
			if e, ok := (<-events.C).(client.PassphraseChanged); ok && e.Problem == "" {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("%d events of the change, want 1", changed)
		}
		laptop.send(room, "the laptop goes on")
		signsIn(t, net, secondPassphrase)
		// The laptop has not heard of the change, and makes the next one all the same.
		if err := laptop.ChangePassphrase(laptop.ctx(), client.ChangePassphraseOptions{Passphrase: thirdPassphrase}); err != nil {
			t.Fatal(err)
		}
		tablet := signsIn(t, net, thirdPassphrase)
		wait()
		bob.send(room, "to all")
		equal(t, tablet.texts(room), []string{"alice: before", "alice: the laptop goes on", "bob: to all"})
		refusedAs(t, laptop.ChangePassphrase(laptop.ctx(), client.ChangePassphraseOptions{Passphrase: "password1234"}), client.Usage)
		if _, pending := laptop.disk.Snapshot()["passphrase"]; pending {
			t.Error("a change that was answered is kept")
		}
	})
}

// TestChangePassphraseUnknown: the process ends, or the line breaks, at the worst moments of a change. Afterwards one
// passphrase holds, and it is the one that is said to.
func TestChangePassphraseUnknown(t *testing.T) {
	for _, row := range []struct {
		name      string
		carried   bool // the server has carried the change out
		meanwhile bool // another device changes the passphrase as well
		want      string
		problem   bool
	}{
		{name: "the request is lost", want: secondPassphrase},
		{name: "the answer is lost", carried: true, want: secondPassphrase},
		{name: "the request is lost, and another device is quicker", meanwhile: true, want: thirdPassphrase, problem: true},
		{name: "the answer is lost, and another device comes after", carried: true, meanwhile: true, want: thirdPassphrase, problem: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				laptop := register(t, net, "alice", true)
				phone := signsIn(t, net, passphrase)
				// The phone's change is stored and then its process ends.
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				me, _ := phone.Me()
				net.Do(func(m *testkit.Model) {
					m.Lose = func(from ident.DeviceID, f *wire.ClientFrame) bool {
						return !row.carried && from == me.Device && f.GetChangePassphrase() != nil
					}
					m.Tamper = func(to ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
						if to == me.Device && f.GetDone() != nil {
							return nil
						}
						return []*wire.ServerFrame{f}
					}
				})
				err := phone.ChangePassphrase(ctx, client.ChangePassphraseOptions{Passphrase: secondPassphrase})
				if e := refusedAs(t, err, client.Unreachable); e.Hint == "" {
					t.Error("nothing is said of which passphrase holds")
				}
				phone.stop()
				if _, kept := phone.disk.Snapshot()["passphrase"]; !kept {
					t.Fatal("the change is not kept")
				}
				if row.meanwhile {
					if err := laptop.ChangePassphrase(laptop.ctx(), client.ChangePassphraseOptions{Passphrase: thirdPassphrase}); err != nil {
						t.Fatal(err)
					}
				}
				net.Do(func(m *testkit.Model) { m.Lose, m.Tamper = nil, nil })
				net.Cut(errors.New("not before somebody listens"))
				again := start(t, net, phone.disk, true)
				events := again.Events()
				net.Cut(nil)
				wait()
				var told []client.PassphraseChanged
				alerts := 0
				for len(events.C) > 0 {
					switch e := (<-events.C).(type) {
					case client.PassphraseChanged:
						told = append(told, e)
					case client.AlertsChanged:
						alerts++
					}
				}
				if (alerts == 1) != row.meanwhile || alerts > 1 {
					t.Errorf("%d alerts, want one where another device has changed the passphrase: %v", alerts, row.meanwhile)
				}
				if len(told) != 1 || (told[0].Problem != "") != row.problem {
					t.Errorf("told %+v, want one event with a problem: %v", told, row.problem)
				}
				if _, kept := phone.disk.Snapshot()["passphrase"]; kept {
					t.Error("the change is kept after its answer")
				}
				signsIn(t, net, row.want)
			})
		})
	}
}

// TestFalseVault: a device puts only the account's own vault under a new passphrase, and none that is older than the one
// that it has seen.
func TestFalseVault(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		me, _ := alice.Me()
		vault := func(p *person) []byte { return p.disk.Snapshot()["vault"] }
		old := vault(alice)
		if err := alice.ChangePassphrase(alice.ctx(), client.ChangePassphraseOptions{Passphrase: secondPassphrase}); err != nil {
			t.Fatal(err)
		}
		flipped := append([]byte(nil), vault(alice)...)
		flipped[len(flipped)-1] ^= 1
		for _, row := range []struct {
			name  string
			vault []byte
		}{
			{"an old one", old},
			{"another account's", vault(bob)},
			{"a changed one", flipped},
			{"none", nil},
		} {
			before := alice.disk.Snapshot()
			net.Do(func(m *testkit.Model) {
				m.Tamper = func(to ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
					if to == me.Device && f.GetVault() != nil {
						f = &wire.ServerFrame{Id: f.Id, Body: &wire.ServerFrame_Vault{Vault: &wire.Vault{Vault: row.vault}}}
					}
					return []*wire.ServerFrame{f}
				}
			})
			err := alice.ChangePassphrase(alice.ctx(), client.ChangePassphraseOptions{Passphrase: thirdPassphrase})
			if e := refusedAs(t, err, client.Refused); e.Hint == "" {
				t.Errorf("%s: no hint", row.name)
			}
			if after := alice.disk.Snapshot(); string(after["vault"]) != string(before["vault"]) || after["passphrase"] != nil {
				t.Errorf("%s: something was stored", row.name)
			}
		}
		net.Do(func(m *testkit.Model) { m.Tamper = nil })
		signsIn(t, net, secondPassphrase)
	})
}

// TestRepairVault: a vault that does not open is said to be so, and a device that is signed in brings it back.
func TestRepairVault(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(vault []byte) []byte
	}{
		{"damaged", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"none", func([]byte) []byte { return []byte("none") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice := register(t, net, "alice", true)
				phone := signsIn(t, net, passphrase)
				if err := phone.ChangePassphrase(phone.ctx(), client.ChangePassphraseOptions{Passphrase: secondPassphrase}); err != nil {
					t.Fatal(err)
				}
				net.Do(func(m *testkit.Model) { m.SpoilVault("alice", row.spoil) })
				err := start(t, net, testkit.NewDisk(), true).login("alice", secondPassphrase)
				if e := refusedAs(t, err, client.Refused); e.Hint == "" {
					t.Error("nothing is said of what to do")
				}
				change := client.ChangePassphraseOptions{Passphrase: thirdPassphrase}
				if e := refusedAs(t, alice.ChangePassphrase(alice.ctx(), change), client.Refused); e.Hint == "" {
					t.Error("nothing is said of how to repair it")
				}
				change.Repair = true
				if err := alice.ChangePassphrase(alice.ctx(), change); err != nil {
					t.Fatal(err)
				}
				signsIn(t, net, thirdPassphrase)
			})
		})
	}
}
