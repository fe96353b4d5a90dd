package client_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

const passphrase = "velvet tundra 9 mosaic harpoon glacier"

// person is a client that runs, for tests in a synctest bubble.
type person struct {
	*client.Client
	t    *testing.T
	disk *testkit.Disk
	stop func()
}

// start runs a client on the disk until the test ends or stop is called.
func start(t *testing.T, net *testkit.Net, disk *testkit.Disk, proves bool) *person {
	t.Helper()
	return startWith(t, net, disk, proves, rand.Reader)
}

// startWith is start with randomness of the test's.
func startWith(t *testing.T, net *testkit.Net, disk *testkit.Disk, proves bool, random io.Reader) *person {
	t.Helper()
	return startOver(t, net.Transport(proves), disk, random)
}

// startOver is startWith over a transport of the test's; random may be nil.
func startOver(t *testing.T, transport client.Transport, disk *testkit.Disk, random io.Reader) *person {
	t.Helper()
	if random == nil {
		random = rand.Reader
	}
	return startConfig(t, disk, client.Config{Transport: transport, Now: time.Now, Rand: random})
}

// startConfig is startOver with a clock of the test's too.
func startConfig(t *testing.T, disk *testkit.Disk, config client.Config) *person {
	t.Helper()
	return startChanged(t, disk, config, func(*client.Client) {})
}

// startChanged is startConfig for a client that is changed before it runs.
func startChanged(t *testing.T, disk *testkit.Disk, config client.Config, change func(*client.Client)) *person {
	t.Helper()
	store := disk.Open()
	config.Store, config.Agent, config.Log = store, "test", testLog()
	c, err := client.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	c.StretchCheaply()
	change(c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	p := &person{Client: c, t: t, disk: disk}
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run gave %v", err)
		}
		c.Close()
		store.Close()
	}
	t.Cleanup(p.stop)
	return p
}

func testLog() client.Logger {
	if !testing.Verbose() {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

func register(t *testing.T, net *testkit.Net, handle string, proves bool) *person {
	t.Helper()
	p := start(t, net, testkit.NewDisk(), proves)
	if _, err := p.Register(t.Context(), client.RegisterOptions{Handle: handle, Passphrase: passphrase, DeviceName: handle + "'s laptop"}); err != nil {
		t.Fatalf("registering %s: %v", handle, err)
	}
	return p
}

func (p *person) ctx() context.Context {
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	p.t.Cleanup(cancel)
	return ctx
}

func (p *person) send(room ident.RoomID, text string) client.Sent {
	p.t.Helper()
	sent, err := p.Send(p.ctx(), room, text)
	if err != nil {
		p.t.Fatalf("sending %q: %v", text, err)
	}
	return sent
}

// notYet is the row of what was before a device came into a room.
const notYet = "gap: this device was not in the room yet"

// texts gives what is said in a room, as "from: text", after catching up.
func (p *person) texts(room ident.RoomID) []string {
	p.t.Helper()
	if err := p.CatchUp(p.ctx(), room); err != nil {
		p.t.Fatalf("catching up: %v", err)
	}
	messages, err := p.History(p.ctx(), room, client.HistoryOptions{Limit: 1000})
	if err != nil {
		p.t.Fatal(err)
	}
	var texts []string
	for _, m := range messages {
		switch m.Kind {
		case client.Text:
			texts = append(texts, m.From+": "+m.Text)
		case client.Gap:
			texts = append(texts, "gap: "+m.Gap)
		}
	}
	return texts
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

// world runs f in a bubble with a model server.
func world(t *testing.T, f func(t *testing.T, net *testkit.Net)) {
	synctest.Test(t, func(t *testing.T) { f(t, testkit.NewNet(testkit.NewModel(time.Now))) })
}

func TestDirectConversation(t *testing.T) {
	for _, proves := range []bool{true, false} {
		t.Run(fmt.Sprintf("proves=%v", proves), func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob := register(t, net, "alice", proves), register(t, net, "bob", proves)
				room, err := alice.Direct(alice.ctx(), "bob")
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for i := range 5 {
					alice.send(room, fmt.Sprint("ping ", i))
					want = append(want, fmt.Sprint("alice: ping ", i))
					there, err := bob.Resolve(bob.ctx(), "@alice")
					if err != nil {
						t.Fatal(err)
					}
					bob.send(there, fmt.Sprint("pong ", i))
					want = append(want, fmt.Sprint("bob: pong ", i))
				}
				equal(t, alice.texts(room), want)
				equal(t, bob.texts(room), want)
			})
		})
	}
}
