package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// shown is what a verb that waits for digits has given.
type shown struct {
	match client.LinkMatch
	err   error
}

// linkUp shows a code on the old device and types it on the new one, and gives what each shows then.
func linkUp(old, fresh *person) (oldShows, freshShows shown) {
	old.t.Helper()
	code, err := old.StartLink(old.ctx())
	if err != nil {
		old.t.Fatal(err)
	}
	joined := make(chan shown, 1)
	go func() {
		match, err := fresh.JoinLink(fresh.ctx(), client.JoinLinkOptions{Code: code.Code, DeviceName: "phone"})
		joined <- shown{match, err}
	}()
	oldShows.match, oldShows.err = old.AwaitLink(old.ctx())
	return oldShows, <-joined
}

// agree confirms on both sides.
func agree(old, fresh *person) (client.Device, client.Me, error) {
	type handed struct {
		device client.Device
		err    error
	}
	done := make(chan handed, 1)
	go func() {
		device, err := old.ConfirmLink(old.ctx())
		done <- handed{device, err}
	}()
	me, err := fresh.AcceptLink(fresh.ctx())
	h := <-done
	if err == nil {
		err = h.err
	}
	return h.device, me, err
}

// TestLink lets a new device in by a code and six digits, without the passphrase; it comes into the rooms, and can do what
// the old one can.
func TestLink(t *testing.T) {
	for _, proves := range []bool{true, false} {
		t.Run(fmt.Sprintf("proves=%v", proves), func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob := register(t, net, "alice", !proves), register(t, net, "bob", true)
				room, err := alice.Direct(alice.ctx(), "bob")
				if err != nil {
					t.Fatal(err)
				}
				alice.send(room, "before")
				phone := start(t, net, testkit.NewDisk(), proves)
				oldShows, freshShows := linkUp(alice, phone)
				if oldShows.err != nil || freshShows.err != nil || oldShows.match.Digits != freshShows.match.Digits || len(oldShows.match.Digits) != 6 {
					t.Fatalf("the old device shows %+v, the new one %+v", oldShows, freshShows)
				}
				if oldShows.match.DeviceName != "phone" {
					t.Errorf("the new device is called %q", oldShows.match.DeviceName)
				}
				if _, in := phone.Me(); in || len(alice.names()) != 1 {
					t.Fatal("the new device is in before anybody has compared the digits")
				}
				device, me, err := agree(alice, phone)
				if err != nil {
					t.Fatal(err)
				}
				if me.Handle != "alice" || me.Device != device.ID || device.Name != "phone" {
					t.Errorf("linked %+v as %+v", device, me)
				}
				wait()
				equal(t, alice.names(), []string{"alice's laptop*", "phone"})
				bob.send(room, "to both")
				equal(t, phone.texts(room), []string{"alice: before", "bob: to both"})
				if err := phone.ChangePassphrase(phone.ctx(), client.ChangePassphraseOptions{Passphrase: secondPassphrase}); err != nil {
					t.Errorf("the new device cannot change the passphrase: %v", err)
				}
				phone.stop()
				again := start(t, net, phone.disk, proves)
				equal(t, again.names(), []string{"alice's laptop", "phone*"})
				for key := range phone.disk.Snapshot() {
					if key == "link" {
						t.Error("the link is stored")
					}
				}
			})
		})
	}
}

// TestLinkMan: a server, or somebody else with the code, changes what passes between the devices. One of them refuses
// before anybody can compare, and nothing is handed over. Who is wholly in the middle is TestLinkManWithCode.
func TestLinkMan(t *testing.T) {
	flip := func(b []byte) []byte {
		b = slices.Clone(b)
		b[0] ^= 1
		return b
	}
	for _, row := range []struct {
		name string
		// change gives what arrives instead of a message.
		change func(toOld bool, index uint32, message []byte) []byte
		// refuses is who has no digits to compare: the new device refuses an offer that is false, and the old one is told
		// of it; the old one refuses an answer that is false, and the new one hears so when it goes on.
		refuses string
	}{
		{"the commitment", func(toOld bool, index uint32, m []byte) []byte {
			if !toOld && index == 0 {
				return flip(m)
			}
			return m
		}, "old and new"},
		{"the new device's key", func(toOld bool, index uint32, m []byte) []byte {
			if toOld && index == 0 {
				return must(ident.NewLinkAnswer(ident.Random(), must(ident.NewLinkCode(ident.Random())), make([]byte, 32))).Public()
			}
			return m
		}, "old"},
		{"the old device's key", func(toOld bool, index uint32, m []byte) []byte {
			if !toOld && index == 1 {
				return flip(m)
			}
			return m
		}, "old and new"},
		{"the new device's name", func(toOld bool, index uint32, m []byte) []byte {
			if toOld && index == 1 {
				return flip(m)
			}
			return m
		}, "old"},
		{"a message said twice", func(toOld bool, index uint32, m []byte) []byte {
			if toOld && index == 1 {
				return make([]byte, 32)
			}
			return m
		}, "old"},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice := register(t, net, "alice", true)
				phone := start(t, net, testkit.NewDisk(), true)
				me := alice.device()
				net.Do(func(m *testkit.Model) {
					m.Tamper = func(to ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
						if e := f.GetLink(); e != nil && !e.Closed {
							f = &wire.ServerFrame{Body: &wire.ServerFrame_Link{Link: &wire.LinkEvent{Mailbox: e.Mailbox, Index: e.Index,
								Message: row.change(to == me, e.Index, e.Message)}}}
						}
						return []*wire.ServerFrame{f}
					}
				})
				oldShows, freshShows := linkUp(alice, phone)
				for _, s := range []shown{oldShows, freshShows} {
					if s.err != nil && refusedAs(t, s.err, client.Refused).Hint == "" {
						t.Error("nothing is said of what to do")
					}
				}
				var refused []string
				if oldShows.err != nil {
					refused = append(refused, "old")
				}
				if freshShows.err != nil {
					refused = append(refused, "new")
				}
				if got := strings.Join(refused, " and "); got != row.refuses {
					t.Errorf("refused by %q, want %q; the old device shows %v, the new one %v", got, row.refuses, oldShows, freshShows)
				}
				if freshShows.err == nil {
					_, err := phone.AcceptLink(phone.ctx())
					refusedAs(t, err, client.Refused)
				}
				if len(alice.names()) != 1 {
					t.Error("a device was enrolled")
				}
			})
		})
	}
}

// TestLinkManWithCode has a whole man in the middle, who has the code: each side sees digits, and they differ.
func TestLinkManWithCode(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		phone := start(t, net, testkit.NewDisk(), true)
		me := alice.device()
		started, err := alice.StartLink(alice.ctx())
		if err != nil {
			t.Fatal(err)
		}
		code := must(ident.ParseLinkCode(started.Code))
		// To the phone it is the laptop, to the laptop the phone.
		offer := must(ident.NewLinkOffer(ident.Random(), code))
		var answer ident.LinkAnswer
		var toLaptop *ident.LinkSession
		mine := must(ident.NewDeviceKey(ident.Random()))
		var toPhone []byte
		net.Do(func(m *testkit.Model) {
			m.Tamper = func(to ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
				e := f.GetLink()
				if e == nil || e.Closed {
					return []*wire.ServerFrame{f}
				}
				message := e.Message
				switch {
				case to != me && e.Index == 0:
					answer = must(ident.NewLinkAnswer(ident.Random(), code, message))
					message = offer.Commitment()
				case to == me && e.Index == 0:
					reveal, _, err := offer.Reveal(message)
					if err != nil {
						t.Error(err)
					}
					toPhone, message = reveal, answer.Public()
				case to != me && e.Index == 1:
					if toLaptop, err = answer.Open(message); err != nil {
						t.Error(err)
					}
					message = toPhone
				case to == me && e.Index == 1:
					message = must(toLaptop.SealDevice(ident.Random(), mine, "phone"))
				}
				return []*wire.ServerFrame{{Body: &wire.ServerFrame_Link{Link: &wire.LinkEvent{Mailbox: e.Mailbox, Index: e.Index, Message: message}}}}
			}
		})
		fresh, err := phone.JoinLink(phone.ctx(), client.JoinLinkOptions{Code: started.Code, DeviceName: "phone"})
		if err != nil {
			t.Fatal(err)
		}
		old, err := alice.AwaitLink(alice.ctx())
		if err != nil {
			t.Fatal(err)
		}
		if old.Digits == fresh.Digits {
			t.Fatalf("both show %s with somebody between them", old.Digits)
		}
		// The people see that, and stop.
		if err := alice.CancelLink(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		_, err = phone.AcceptLink(phone.ctx())
		refusedAs(t, err, client.Refused)
		if len(alice.names()) != 1 {
			t.Error("a device was enrolled")
		}
	})
}

// TestLinkFalseAccount: what the server shows the new device must be what the old one has said.
func TestLinkFalseAccount(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(m *wire.LoggedIn, bob []byte, old []byte)
	}{
		{"another account's chain", func(m *wire.LoggedIn, bob, _ []byte) { m.Chain = bob }},
		{"an old chain", func(m *wire.LoggedIn, _, old []byte) { m.Chain = old }},
		{"no chain", func(m *wire.LoggedIn, _, _ []byte) { m.Chain = nil }},
		{"a changed vault", func(m *wire.LoggedIn, _, _ []byte) {
			m.Vault = slices.Clone(m.Vault)
			m.Vault[len(m.Vault)-1] ^= 1
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
				var bobs, old []byte
				me, _ := alice.Me()
				his, _ := bob.Me()
				net.Do(func(m *testkit.Model) { bobs, old = m.Chain(his.Account), m.Chain(me.Account) })
				if err := alice.RenameDevice(alice.ctx(), me.Device, "desk"); err != nil {
					t.Fatal(err)
				}
				net.Do(func(m *testkit.Model) {
					m.Tamper = func(_ ident.DeviceID, f *wire.ServerFrame) []*wire.ServerFrame {
						if in := f.GetLoggedIn(); in != nil {
							row.change(in, bobs, old)
						}
						return []*wire.ServerFrame{f}
					}
				})
				phone := start(t, net, testkit.NewDisk(), true)
				if oldShows, freshShows := linkUp(alice, phone); oldShows.match.Digits != freshShows.match.Digits {
					t.Fatalf("%v and %v", oldShows, freshShows)
				}
				_, _, err := agree(alice, phone)
				refusedAs(t, err, client.Refused)
				if _, in := phone.Me(); in || len(alice.names()) != 1 {
					t.Error("the new device is in")
				}
			})
		})
	}
}

// TestLinkLine: the connections of both break in the middle, and the link goes on.
func TestLinkLine(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		phone := start(t, net, testkit.NewDisk(), true)
		if oldShows, freshShows := linkUp(alice, phone); oldShows.err != nil || freshShows.err != nil {
			t.Fatalf("%v and %v", oldShows, freshShows)
		}
		net.Cut(nil)
		wait()
		net.Cut(nil)
		if _, _, err := agree(alice, phone); err != nil {
			t.Fatal(err)
		}
		equal(t, alice.names(), []string{"alice's laptop*", "phone"})
	})
}

// TestLinkEnds: each way in which a link does not come about has its own word, and another one can begin.
func TestLinkEnds(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice := register(t, net, "alice", true)
		phone := start(t, net, testkit.NewDisk(), true)
		join := func(code string) error {
			_, err := phone.JoinLink(phone.ctx(), client.JoinLinkOptions{Code: code, DeviceName: "phone"})
			return err
		}
		for _, code := range []string{"", "snug-link-short", must(ident.NewInvite(ident.Random())).Secret()} {
			if refusedAs(t, join(code), client.Usage).Hint == "" {
				t.Errorf("%q: nothing is said of what to do", code)
			}
		}
		refusedAs(t, join(must(ident.NewLinkCode(ident.Random())).Secret()), client.NotFound)
		_, err := alice.ConfirmLink(alice.ctx())
		refusedAs(t, err, client.Refused)
		_, err = phone.AcceptLink(phone.ctx())
		refusedAs(t, err, client.Refused)
		_, err = alice.JoinLink(alice.ctx(), client.JoinLinkOptions{Code: "snug-link-", DeviceName: "x"})
		refusedAs(t, err, client.Refused) // signed in already

		// The old device stops while the new one waits; the new one learns of it.
		if oldShows, freshShows := linkUp(alice, phone); oldShows.err != nil || freshShows.err != nil {
			t.Fatalf("%v and %v", oldShows, freshShows)
		}
		accepted := make(chan error, 1)
		go func() {
			_, err := phone.AcceptLink(phone.ctx())
			accepted <- err
		}()
		wait()
		if err := alice.CancelLink(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		refusedAs(t, <-accepted, client.Refused)
		_, err = alice.ConfirmLink(alice.ctx())
		refusedAs(t, err, client.Refused)
		// Another one begins where that one ended.
		if oldShows, freshShows := linkUp(alice, phone); oldShows.err != nil || freshShows.err != nil {
			t.Fatalf("%v and %v", oldShows, freshShows)
		}
		if _, _, err := agree(alice, phone); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLinkStopped: who stops a link is told what has been handed over by then, on either device; from the old one's yes on that is
// the account, to whoever is at the other end.
func TestLinkStopped(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, phone := register(t, net, "alice", true), start(t, net, testkit.NewDisk(), true)
		says := func(when string, err error, message, hint string) {
			t.Helper()
			var refusal *client.Error
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, message) || !strings.Contains(refusal.Hint, hint) {
				t.Errorf("%s: got %v, want %q with %q", when, err, message, hint)
			} else if claims := strings.Contains(refusal.Hint, "nothing was handed over"); claims != (hint == "nothing was handed over") {
				t.Errorf("%s: the hint is %q", when, refusal.Hint)
			}
		}
		for _, row := range []struct {
			name string
			// yes says on which device a person has said yes, stops on which one the other answer is no.
			yes, stops *person
			// What the one is told who has said yes.
			message, hint string
		}{
			{"the old one says yes, and the new one no", alice, phone, "the account was handed over, and the new device has not enrolled itself", "somebody else has the account's keys"},
			{"the old one says yes, and then no", alice, alice, "the account was handed over, and the new device has not enrolled itself", "somebody else has the account's keys"},
			{"the new one says yes, and the old one no", phone, alice, "the link has ended", "show a new code on the old device"},
			{"the new one says yes, and then no", phone, phone, "this device has taken nothing", "say no on the old device too"},
		} {
			if oldShows, freshShows := linkUp(alice, phone); oldShows.err != nil || freshShows.err != nil {
				t.Fatalf("%v and %v", oldShows, freshShows)
			}
			agreed := make(chan error, 1)
			go func() {
				var err error
				if row.yes == alice {
					_, err = alice.ConfirmLink(alice.ctx())
				} else {
					_, err = phone.AcceptLink(phone.ctx())
				}
				agreed <- err
			}()
			wait()
			if err := row.stops.CancelLink(row.stops.ctx()); err != nil {
				t.Fatal(err)
			}
			says(row.name, <-agreed, row.message, row.hint)
		}
		if oldShows, freshShows := linkUp(alice, phone); oldShows.err != nil || freshShows.err != nil {
			t.Fatalf("%v and %v", oldShows, freshShows)
		}
		if err := alice.CancelLink(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		_, err := alice.ConfirmLink(alice.ctx())
		says("the old one stops before any yes", err, "the link was stopped", "nothing was handed over")
		if got := alice.names(); len(got) != 1 {
			t.Errorf("alice has the devices %q, want one", got)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
