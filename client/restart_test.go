package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

const begunAnew = "this device began the room anew because no device was left that had its keys"

// alone makes an account with a room in which nobody else is, with a topic and something said, and gives it the time to
// archive that.
func alone(t *testing.T, net *testkit.Net) (alice *person, room ident.RoomID) {
	t.Helper()
	alice = register(t, net, "alice", true)
	made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "diary"})
	if err != nil {
		t.Fatal(err)
	}
	topic := "what was"
	if err := alice.ChangeRoom(alice.ctx(), made.ID, client.RoomSettings{Topic: &topic}); err != nil {
		t.Fatal(err)
	}
	alice.send(made.ID, "one")
	alice.send(made.ID, "two")
	time.Sleep(5 * time.Minute)
	return alice, made.ID
}

// wantBack fails unless a device is in a room again as it was, and reads and writes there.
func wantBack(t *testing.T, p *person, room ident.RoomID, texts ...string) {
	t.Helper()
	v := p.room(room)
	if !v.Joined || v.Name != "diary" || v.Topic != "what was" || v.Members != 1 || v.Role != "owner" || v.Problem != "" {
		t.Fatalf("the room is %+v", v)
	}
	equal(t, p.texts(room), texts)
	p.send(room, "three")
	equal(t, p.texts(room), append(texts, "alice: three"))
}

// TestLastDeviceLost: the only device of an account is gone, lost or signed out. A new one has the rooms back in which
// nobody else is, by the passphrase alone: with name and topic, with what was said, and to go on in, also with others.
func TestLastDeviceLost(t *testing.T) {
	for _, row := range []struct {
		name string
		lose func(p *person)
	}{
		{"lost", func(p *person) { p.stop() }},
		{"signed out", func(p *person) {
			if err := p.Logout(p.ctx()); err != nil {
				p.t.Fatal(err)
			}
		}},
		{"forgotten", func(p *person) {
			if err := p.Forget(p.ctx()); err != nil {
				p.t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, room := alone(t, net)
				bob := register(t, net, "bob", true)
				row.lose(alice)
				phone := newDevice(t, net, "alice", false)
				time.Sleep(2 * time.Minute)
				wantBack(t, phone, room, "alice: one", "alice: two")
				if notices := phone.notices(room); !slices.Contains(notices, begunAnew) {
					t.Errorf("the notices are %q", notices)
				}
				if err := phone.AddMembers(phone.ctx(), room, "bob"); err != nil {
					t.Fatal(err)
				}
				wait()
				bob.accept(room)
				phone.send(room, "welcome")
				bob.send(room, "hello")
				equal(t, bob.texts(room), []string{notYet, "alice: welcome", "bob: hello"})
				equal(t, phone.texts(room)[3:], []string{"alice: welcome", "bob: hello"})
				// And a further device is let in by this one.
				tablet := newDevice(t, net, "alice", true)
				if v := tablet.room(room); !v.Joined || v.Members != 2 {
					t.Errorf("the next device has %+v", v)
				}
			})
		})
	}
}

// TestLastDeviceRevoked: what is left of an account's devices are revoked ones. None of them is in the room that the new one
// has begun anew.
func TestLastDeviceRevoked(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, room := alone(t, net)
		stolen := newDevice(t, net, "alice", true)
		wait()
		equal(t, stolen.texts(room), []string{"alice: one", "alice: two"})
		device := stolen.device()
		stolen.stop()
		if err := alice.RevokeDevice(alice.ctx(), device); err != nil {
			t.Fatal(err)
		}
		if err := alice.Logout(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		phone := newDevice(t, net, "alice", true)
		wantBack(t, phone, room, "alice: one", "alice: two")
		net.Do(func(m *testkit.Model) {
			if in := m.Devices(room); len(in) != 1 || in[0] != phone.device() {
				t.Errorf("in the room are %v, want %v alone", in, phone.device())
			}
		})
	})
}

// TestLastDeviceWithoutArchive: the archive is off, for the room and then for the account. The room comes back all the same,
// without what was said.
func TestLastDeviceWithoutArchive(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, room := alone(t, net)
		if err := alice.SetRoomArchive(alice.ctx(), room, false); err != nil {
			t.Fatal(err)
		}
		if err := alice.SetArchive(alice.ctx(), false); err != nil {
			t.Fatal(err)
		}
		if err := alice.Logout(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		phone := newDevice(t, net, "alice", true)
		wantBack(t, phone, room, gapOff)
	})
}

// TestLostDeviceFound: the device that was taken for lost comes back with the keys of before. It is let into the room as it
// is now, and neither goes on in the old one.
func TestLostDeviceFound(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, room := alone(t, net)
		alice.stop()
		phone := newDevice(t, net, "alice", true)
		time.Sleep(2 * time.Minute)
		wantBack(t, phone, room, "alice: one", "alice: two")
		laptop := start(t, net, alice.disk, true)
		time.Sleep(time.Minute)
		if v := laptop.room(room); !v.Joined || v.Problem != "" || v.Name != "diary" {
			t.Fatalf("the device that was found has %+v", v)
		}
		laptop.send(room, "four")
		phone.send(room, "five")
		want := []string{"alice: one", "alice: two", "alice: three", "alice: four", "alice: five"}
		equal(t, phone.texts(room), want)
		if got := laptop.texts(room); strings.Join(got[len(got)-2:], ",") != "alice: four,alice: five" {
			t.Errorf("the device that was found reads %q", got)
		}
	})
}

// TestTwoNewDevices: two new devices at once come into one room, whichever begins it anew.
func TestTwoNewDevices(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, room := alone(t, net)
		if err := alice.Logout(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		phone, tablet := newDevice(t, net, "alice", true), newDevice(t, net, "alice", true)
		time.Sleep(3 * time.Minute)
		phone.send(room, "from the phone")
		tablet.send(room, "from the tablet")
		for _, p := range []*person{phone, tablet} {
			if got := p.texts(room); !slices.Contains(got, "alice: from the phone") || !slices.Contains(got, "alice: from the tablet") {
				t.Errorf("one of two new devices reads %q", got)
			}
		}
	})
}

// TestRestartInterrupted: the answer is lost, and the new device's process ends, before it knows that the room is its own:
// it says the same again, and the room is begun anew once.
func TestRestartInterrupted(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, room := alone(t, net)
		if err := alice.Logout(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		length := len(logOf(net, room))
		net.Do(func(m *testkit.Model) {
			m.Tamper = func(_ ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
				if frame.GetAck() != nil {
					return nil
				}
				return []*wire.ServerFrame{frame}
			}
		})
		phone := start(t, net, testkit.NewDisk(), true)
		if err := phone.login("alice", passphrase); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		phone.stop()
		net.Do(func(m *testkit.Model) { m.Tamper = nil })
		if log := logOf(net, room); len(log) != length+1 || log[length].Kind != wire.EntryKind_ENTRY_KIND_RESTART {
			t.Fatalf("the log has %d entries, want a restart after %d", len(log), length)
		}
		phone = start(t, net, phone.disk, true)
		wait()
		if log := logOf(net, room); len(log) != length+1 {
			t.Errorf("the log has %d entries after the restart", len(log)-length)
		}
		wantBack(t, phone, room, "alice: one", "alice: two")
	})
}

func logOf(net *testkit.Net, room ident.RoomID) (log []*wire.Entry) {
	net.Do(func(m *testkit.Model) { log = slices.Clone(m.Log(room)) })
	return log
}
