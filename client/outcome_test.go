package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// The words for the three outcomes of a change.
const (
	hintNone    = "nothing was changed"
	hintUnknown = "it is not known whether this was done"
	hintKept    = "kept"
)

// briefly makes a call that is waited for a few seconds, and checks what is said of its outcome.
func briefly(t *testing.T, hint string, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	err := call(ctx)
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Code != client.Unreachable || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want that there was no answer in time", err)
	}
	if !strings.Contains(refusal.Hint, hint) || strings.Contains(refusal.Hint, "kept") != (hint == hintKept) {
		t.Errorf("got the hint %q, want %q", refusal.Hint, hint)
	}
}

// changeRow is a change that is not answered in time, and whether it is found to be done in the end.
type changeRow struct {
	name string
	// cut is what is said where the server cannot be reached, dumb where it does not answer.
	cut, dumb string
	call      func(w *outcomeWorld, ctx context.Context) error
	done      func(w *outcomeWorld) bool
}

// outcomeWorld is alice with a phone besides her laptop, in rooms with bob.
type outcomeWorld struct {
	t                   *testing.T
	net                 *testkit.Net
	alice, bob          *person
	garden, pair, plaza ident.RoomID
	phone               ident.DeviceID
}

func newOutcomeWorld(t *testing.T, net *testkit.Net) *outcomeWorld {
	w := &outcomeWorld{t: t, net: net}
	w.alice, w.bob, w.pair = pair(t, net)
	register(t, net, "frank", true)
	garden, err := w.bob.CreateRoom(w.bob.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"alice"}})
	if err != nil {
		t.Fatal(err)
	}
	plaza, err := w.alice.CreateRoom(w.alice.ctx(), client.CreateRoomOptions{Name: "plaza", Open: true})
	if err != nil {
		t.Fatal(err)
	}
	phone := newDevice(t, net, "alice", true)
	me, _ := phone.Me()
	w.garden, w.plaza, w.phone = garden.ID, plaza.ID, me.Device
	phone.stop()
	return w
}

// room gives alice's room of a name.
func (w *outcomeWorld) room(name string) (found client.Room) {
	w.t.Helper()
	list, err := w.alice.Rooms(w.alice.ctx())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range list {
		if r.Name == name {
			found = r
		}
	}
	return found
}

func outcomeRows() []changeRow {
	return []changeRow{
		{"revoke a device", hintNone, hintUnknown,
			func(w *outcomeWorld, ctx context.Context) error { return w.alice.RevokeDevice(ctx, w.phone) },
			func(w *outcomeWorld) bool {
				devices, err := w.alice.Devices(w.alice.ctx())
				return err == nil && len(devices) == 1
			}},
		{"turn the archive off", hintNone, hintNone, // it is asked how it stands first
			func(w *outcomeWorld, ctx context.Context) error { return w.alice.SetArchive(ctx, false) },
			func(w *outcomeWorld) bool { return !w.alice.archive().On }},
		{"change the passphrase", "was not changed", "was not changed",
			func(w *outcomeWorld, ctx context.Context) error {
				return w.alice.ChangePassphrase(ctx, client.ChangePassphraseOptions{Passphrase: "another " + passphrase})
			},
			func(w *outcomeWorld) bool {
				return start(w.t, w.net, testkit.NewDisk(), true).login("alice", "another "+passphrase) == nil
			}},
		{"make a room with others", hintNone, hintNone, // they are looked up first
			func(w *outcomeWorld, ctx context.Context) error {
				_, err := w.alice.CreateRoom(ctx, client.CreateRoomOptions{Name: "newroom", Handles: []string{"frank"}})
				return err
			},
			func(w *outcomeWorld) bool { return w.room("newroom").Joined }},
		{"make a room", hintKept, hintKept,
			func(w *outcomeWorld, ctx context.Context) error {
				_, err := w.alice.CreateRoom(ctx, client.CreateRoomOptions{Name: "newroom"})
				return err
			},
			func(w *outcomeWorld) bool { return w.room("newroom").Joined }},
		{"say something", hintKept, hintKept,
			func(w *outcomeWorld, ctx context.Context) error {
				_, err := w.alice.Send(ctx, w.pair, "three")
				return err
			},
			func(w *outcomeWorld) bool { return w.bob.texts(w.pair)[2:][0] == "alice: three" }},
		{"leave a room", hintKept, hintKept,
			func(w *outcomeWorld, ctx context.Context) error { return w.alice.LeaveRoom(ctx, w.garden) },
			func(w *outcomeWorld) bool { return len(w.bob.members(w.garden)) == 1 }},
		{"leave an open room", hintKept, hintKept,
			func(w *outcomeWorld, ctx context.Context) error { return w.alice.LeaveRoom(ctx, w.plaza) },
			func(w *outcomeWorld) bool { return !w.room("plaza").Joined }},
		{"verify", hintNone, hintNone,
			func(w *outcomeWorld, ctx context.Context) error {
				_, err := w.alice.FindContact(ctx, "bob")
				return err
			}, nil},
	}
}

// TestOutcomeUnreached: with the server down a change that nobody waits for any longer is kept, or was not made: what is
// said of it is what is found when the server is back, also by a process that begins only then.
func TestOutcomeUnreached(t *testing.T) {
	for _, row := range outcomeRows() {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				w := newOutcomeWorld(t, net)
				net.Cut(errDown)
				synctest.Wait()
				briefly(t, row.cut, func(ctx context.Context) error { return row.call(w, ctx) })
				w.alice.stop()
				net.Cut(nil)
				w.alice = start(t, net, w.alice.disk, true)
				wait()
				if row.done != nil && row.done(w) != (row.cut == hintKept) {
					t.Errorf("found done: %v, where %q was said", !(row.cut == hintKept), row.cut)
				}
			})
		})
	}
}

// TestOutcomeUnanswered: where the server takes what is said and does not answer, a change was perhaps made, and this is
// said; what would only have followed from an answer is not made when that comes late.
func TestOutcomeUnanswered(t *testing.T) {
	for _, row := range outcomeRows() {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				w := newOutcomeWorld(t, net)
				me, _ := w.alice.Me()
				var late []*wire.ServerFrame
				net.Do(func(m *testkit.Model) {
					m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
						if to != me.Device {
							return []*wire.ServerFrame{frame}
						}
						late = append(late, frame)
						return nil
					}
				})
				briefly(t, row.dumb, func(ctx context.Context) error { return row.call(w, ctx) })
				net.Do(func(m *testkit.Model) {
					m.Tamper = func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame {
						frames := []*wire.ServerFrame{frame}
						if to == me.Device {
							frames, late = append(late, frame), nil
						}
						return frames
					}
				})
				wait()
				if row.done != nil && row.done(w) != (row.dumb == hintKept || row.dumb == hintUnknown) {
					t.Errorf("found done: %v, where %q was said", row.dumb != hintKept && row.dumb != hintUnknown, row.dumb)
				}
			})
		})
	}
}

// TestOutcomeSignIn: who could not sign in is told that nothing is kept.
func TestOutcomeSignIn(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		register(t, net, "alice", true)
		net.Cut(errDown)
		p := start(t, net, testkit.NewDisk(), true)
		briefly(t, hintNone, func(ctx context.Context) error {
			_, err := p.Login(ctx, client.LoginOptions{Handle: "alice", Passphrase: passphrase, DeviceName: "phone"})
			return err
		})
		briefly(t, hintNone, func(ctx context.Context) error {
			_, err := p.Register(ctx, client.RegisterOptions{Handle: "carol", Passphrase: passphrase, DeviceName: "phone"})
			return err
		})
	})
}

// TestInterrupted: a call whose wait is ended says that, and not that nobody has answered; and what has come of it all the same.
func TestInterrupted(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, _, room := pair(t, net)
		wait()
		net.Cut(errors.New("the cable is out"))
		wait()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := alice.Send(ctx, room, "hello?")
		var refusal *client.Error
		if !errors.As(err, &refusal) || refusal.Code != client.Failed || !errors.Is(err, context.Canceled) || refusal.Message != "interrupted" {
			t.Fatalf("got %v, want that it was interrupted", err)
		}
		if !strings.Contains(refusal.Hint, hintKept) {
			t.Errorf("got the hint %q, want %q", refusal.Hint, hintKept)
		}
	})
}
