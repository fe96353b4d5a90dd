package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/testkit"
)

// outsideOf gives the names of the rooms that a device waits for, and how many others it has.
func (p *person) outside() (names []string, others int) {
	p.t.Helper()
	rooms, err := p.Rooms(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range rooms {
		if !r.Outside {
			others++
			continue
		}
		if r.Joined || r.Problem != "" || r.Kind != client.Sealed {
			p.t.Errorf("got %+v, want a sealed room that is not joined and has no fault", r)
		}
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names, others
}

// TestOutside: a device that signs in while nobody else is there says which rooms wait for it, and is let into each of them
// by the first other device that comes.
func TestOutside(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		den, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "den", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		direct, err := alice.Direct(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		alice.send(direct, "hello")
		wait()
		bobs := bob.disk
		alice.stop()
		bob.stop()

		phone := start(t, net, testkit.NewDisk(), true)
		if names, _ := signedIn(t, phone, "alice").outside(); !slices.Equal(names, []string{"", "@bob"}) {
			t.Errorf("waits for %q, want a room without a name and @bob", names)
		}
		if n, err := phone.Outside(phone.ctx()); n != 2 || err != nil {
			t.Errorf("%d rooms, %v, want 2", n, err)
		}
		for _, row := range []struct {
			name string
			do   func() error
			want string
		}{
			{"by its name", func() error { _, err := phone.Resolve(phone.ctx(), "den"); return err }, "one of the 2 that this device has not been let into"},
			{"its history", func() error { return phone.CatchUp(phone.ctx(), den.ID) }, client.LetIn},
			{"writing", func() error { _, err := phone.Send(phone.ctx(), den.ID, "hello?"); return err }, client.LetIn},
			{"leaving", func() error { return phone.LeaveRoom(phone.ctx(), den.ID) }, client.LetIn},
		} {
			var refusal *client.Error
			if err := row.do(); !errors.As(err, &refusal) || refusal.Code != client.NotFound || !strings.Contains(refusal.Hint, row.want) {
				t.Errorf("%s: got %v, want not-found and %q", row.name, err, row.want)
			}
		}
		if id, err := phone.Resolve(phone.ctx(), "@bob"); id != direct || err != nil {
			t.Errorf("@bob is %v, %v, want %v", id, err, direct)
		}

		start(t, net, bobs, true)
		wait()
		if names, others := phone.outside(); len(names) != 0 || others != 2 {
			t.Errorf("waits for %q and has %d, want none and 2", names, others)
		}
		if r, err := phone.Room(phone.ctx(), den.ID); err != nil || !r.Joined || r.Outside || r.Name != "den" {
			t.Errorf("got %+v, %v, want den", r, err)
		}
	})
}

// TestOutsideWhileConnecting: a device knows of rooms that it is not in from the server alone. Whoever asks just when the connection
// has been lost hears what there is when it is back, and not that there is nothing.
func TestOutsideWhileConnecting(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		den, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "den", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		wait()
		alice.stop()
		bob.stop()
		phone := signedIn(t, start(t, net, testkit.NewDisk(), true), "alice")
		time.Sleep(time.Minute)
		net.Cut(nil)
		synctest.Wait()
		if r, err := phone.Room(phone.ctx(), den.ID); err != nil || !r.Outside {
			t.Errorf("got %+v, %v, want a room that it is not in", r, err)
		}
		net.Cut(errors.New("the cable is out"))
		synctest.Wait()
		if _, err := phone.Room(phone.ctx(), den.ID); codeOf(err) != client.NotFound {
			t.Errorf("got %v without a server, want that it knows of none", err)
		}
	})
}

// TestOutsideUnlisted: a room that the account has left meanwhile is waited for no longer.
func TestOutsideUnlisted(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		den, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "den", Handles: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		alice.stop()
		bob.stop()
		phone := signedIn(t, start(t, net, testkit.NewDisk(), true), "alice")
		if names, _ := phone.outside(); len(names) != 1 {
			t.Fatalf("waits for %q, want the one room", names)
		}
		net.Do(func(m *testkit.Model) { m.Hide(den.ID) })
		var refusal *client.Error
		if _, err := phone.Resolve(phone.ctx(), "den"); !errors.As(err, &refusal) || strings.Contains(refusal.Hint, "let into") {
			t.Errorf("got %v, want no word of a room that is not listed", err)
		}
		if names, _ := phone.outside(); len(names) != 0 {
			t.Errorf("waits for %q still", names)
		}
	})
}

// signedIn signs a fresh device in.
func signedIn(t *testing.T, p *person, handle string) *person {
	t.Helper()
	if _, err := p.Login(p.ctx(), client.LoginOptions{Handle: handle, Passphrase: passphrase, DeviceName: "phone"}); err != nil {
		t.Fatal(err)
	}
	return p
}
