package server_test

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"

	"github.com/lxzan/gws"
)

// pipes is a listener whose connections hold no byte: what a peer does not read stays with the server.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept is net.Listener's.
func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is net.Listener's.
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// openPipes opens a house to which one comes through pipes, in a bubble of synctest.
func openPipes(t *testing.T) (*house, *pipes) {
	t.Helper()
	h := build(t, wire.RegistrationMode_REGISTRATION_MODE_OPEN, sqlite.Config{}, nil)
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	h.run(server.Ports{HTTP: l})
	return h, l
}

// join connects a new account's first device.
func (l *pipes) join(t *testing.T, handle string) *peer {
	t.Helper()
	p, _ := l.joinPerson(t, handle)
	return p
}

func (l *pipes) joinPerson(t *testing.T, handle string) (*peer, *person) {
	t.Helper()
	p := l.connect(t)
	p.key = newKey(t)
	who := newPerson(t, handle, p.key.Public())
	p.device = server.Device{ID: who.chain.Devices()[0].ID, Account: who.chain.Account(), Handle: handle, Key: p.key.Public()}
	who.register.Signature = p.sign()
	if reply := p.ask(register(who)); reply.GetRegistered() == nil {
		t.Fatalf("registering %s: %v", handle, reply)
	}
	return p, who
}

// dial makes a connection, which the server has accepted.
func (l *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

func (l *pipes) connect(t *testing.T) *peer {
	t.Helper()
	ours := l.dial()
	p := &peer{t: t, more: make(chan struct{}, 1), closed: make(chan struct{})}
	var err error
	p.socket, _, err = gws.NewClientFromConn(peerEvents{p: p}, &gws.ClientOption{Addr: "ws://localhost" + wire.Path}, ours)
	if err != nil {
		t.Fatal(err)
	}
	go p.socket.ReadLoop()
	t.Cleanup(func() {
		ours.Close()
		<-p.closed
	})
	p.hello = p.ask(hello(1)).GetHello()
	return p
}

// sign proves the peer's key to this connection.
func (p *peer) sign() []byte {
	return ident.SignLogin(p.key, ident.Login{Server: [32]byte(p.hello.ServerId), Nonce: [32]byte(p.hello.Nonce),
		Account: p.device.Account, Device: p.device.ID})
}

// deaf has the peer read nothing until the test says so, or ends.
func (p *peer) deaf(t *testing.T) (listen func()) {
	t.Helper()
	paused := make(chan struct{})
	p.paused.Store(&paused)
	listen = sync.OnceFunc(func() {
		p.paused.Store(nil)
		close(paused)
	})
	t.Cleanup(listen)
	p.send(ping()) // the answer to which is the last that it reads
	synctest.Wait()
	return listen
}

// TestUnread: who asks and asks without reading an answer is not heard any more, and is where it reads on.
func TestUnread(t *testing.T) {
	for _, row := range []struct {
		name string
		f    func(room ident.RoomID) *wire.ClientFrame
		n    int // whose answers are more than we keep
	}{
		{"requests", func(ident.RoomID) *wire.ClientFrame { return ping() }, 20_000},
		{"bad requests", func(ident.RoomID) *wire.ClientFrame { return hello(1) }, 5_000},
		{"submits that are refused", func(room ident.RoomID) *wire.ClientFrame { return sealed(room, 9, "x") }, 3_000},
		{"follows", func(ident.RoomID) *wire.ClientFrame {
			return &wire.ClientFrame{Body: &wire.ClientFrame_Follow{Follow: new(wire.Follow)}}
		}, 30_000},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, l := openPipes(t)
				p := l.join(t, "alice")
				room := p.room()
				listen := p.deaf(t)
				var last uint64
				sent, all := 0, make(chan struct{})
				go func() {
					defer close(all)
					for ; sent < row.n; sent++ {
						last = p.send(row.f(room))
					}
				}()
				synctest.Wait()
				if sent == row.n {
					t.Error("all requests are taken")
				}
				// Submits under way have their answers still to come: 256 of under 256 bytes.
				if n := server.Waiting(h.server); n > 2*server.HighWater+wire.MaxPending<<8 {
					t.Errorf("%d bytes wait", n)
				}
				listen()
				<-all
				p.answer(last)
				if n := len(p.frames); n < row.n-1 {
					t.Errorf("%d answers to %d requests", n+1, row.n)
				}
			})
		})
	}
}

// TestFollowAgain: a cursor that is replaced takes no memory, whether its peer reads or not.
func TestFollowAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, l := openPipes(t)
		p := l.join(t, "alice")
		m, rooms := new(wire.Follow), 3
		for range rooms {
			room := p.room()
			p.acked(sealed(room, 0, "x"))
			for range 20 {
				m.Rooms = append(m.Rooms, &wire.Cursor{Room: room[:]})
			}
		}
		listen := p.deaf(t)
		var last uint64
		for range 10 {
			last = p.send(&wire.ClientFrame{Body: &wire.ClientFrame_Follow{Follow: m}})
		}
		synctest.Wait()
		if n := server.Lagging(h.server); n > rooms {
			t.Errorf("%d cursors wait to be read from, of %d rooms", n, rooms)
		}
		listen()
		p.answer(last)
		if n := server.Followed(h.server); n != rooms {
			t.Errorf("%d cursors are kept, of %d rooms", n, rooms)
		}
	})
}

// TestTooSlow: who lets events pile up is hung up on, and not before there are many; nothing of them is lost.
func TestTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, l := openPipes(t)
		mallory, slow := l.join(t, "mallory"), l.join(t, "slow")
		slow.deaf(t)
		welcome := bytes.Repeat([]byte("w"), wire.MaxCommit-1<<10)
		letIn := func() {
			room := mallory.room()
			mallory.acked(mallory.committing(room, 0, []byte("c"), &wire.CommitEnvelope{Added: []*wire.DeviceRef{slow.ref()}, Welcome: welcome}, nil))
			time.Sleep(5 * time.Second) // in which who is hung up on is gone
		}
		events := 0
		for ; server.Sessions(h.server) == 2; events++ {
			if n := server.Waiting(h.server); events > 8 || n > server.MaxOutgoing+2*wire.MaxFrame {
				t.Fatalf("after %d events %d bytes wait for who does not read", events, n)
			}
			letIn()
		}
		if least := server.MaxOutgoing / wire.MaxFrame; events <= least {
			t.Errorf("hung up after %d events, and %d fit", events, least)
		}
		if n := server.Waiting(h.server); n > server.HighWater {
			t.Errorf("%d bytes wait for who is gone", n)
		}
		again := l.connect(t)
		again.key, again.device = slow.key, slow.device
		listen := again.deaf(t)
		again.send(&wire.ClientFrame{Body: &wire.ClientFrame_Authenticate{Authenticate: &wire.Authenticate{
			Account: slow.device.Account[:], Device: slow.device.ID[:], Signature: again.sign()}}})
		synctest.Wait()
		if n := h.held.given(); n > 3 { // on the way, queued, and next
			t.Errorf("%d welcomes are read from the store for who does not read", n)
		}
		listen()
		for range events {
			f := again.event("a welcome", func(f *wire.ServerFrame) bool { return bytes.Equal(f.GetWelcome().GetWelcome(), welcome) })
			again.ask(takeWelcome(f.GetWelcome()))
		}
	})
}

func takeWelcome(w *wire.WelcomeEvent) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_TakeWelcome{TakeWelcome: &wire.TakeWelcome{Room: w.Room, Seq: w.Seq}}}
}

// TestManyWelcomes: who has many large Welcomes waiting is answered between them; before, all of them came first, and a
// client on a slow line gave up on the connection each time.
func TestManyWelcomes(t *testing.T) {
	h := open(t)
	alice, mallory := h.join(t, "alice"), h.join(t, "mallory")
	alice.socket.NetConn().Close()
	large := bytes.Repeat([]byte("w"), 1<<20)
	const many = 6
	for range many {
		mallory.acked(mallory.committing(mallory.room(), 0, []byte("c"), &wire.CommitEnvelope{Added: []*wire.DeviceRef{alice.ref()}, Welcome: large}, nil))
	}
	again := h.connect(t, alice.key)
	for got := 1; got <= many; got++ {
		again.event("a welcome", func(f *wire.ServerFrame) bool { return bytes.Equal(f.GetWelcome().GetWelcome(), large) })
		if again.ask(ping()).GetPong() == nil {
			t.Fatal("a ping is not answered")
		}
		if given := h.held.given(); given > got+1 {
			t.Fatalf("%d welcomes were handed out before answer %d", given, got)
		}
	}
}

// TestCrowd: what is large and goes to many is in memory once, though none of them reads.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := openPipes(t)
		mallory := l.join(t, "mallory")
		crowd := make([]*peer, 20)
		refs := make([]*wire.DeviceRef, len(crowd))
		for i := range crowd {
			crowd[i] = l.join(t, fmt.Sprintf("victim%d", i))
			refs[i] = crowd[i].ref()
		}
		room := mallory.room()
		mallory.acked(mallory.commit(room, 0, refs, nil))
		listen := make([]func(), len(crowd))
		for i, p := range crowd {
			p.ask(follow(room, 1))
			listen[i] = p.deaf(t)
		}
		large := bytes.Repeat([]byte("x"), wire.MaxCommit-100<<10)
		before := live()
		commit := mallory.acked(mallory.committing(room, 1, large, new(wire.CommitEnvelope), nil))
		mallory.acked(mallory.committing(mallory.room(), 0, []byte("c"), &wire.CommitEnvelope{Added: refs, Welcome: large}, nil))
		synctest.Wait()
		if grown := live() - before; grown > 8*wire.MaxCommit {
			t.Errorf("two commits to %d that do not read take %d MiB", len(crowd), grown>>20)
		}
		for i, p := range crowd {
			listen[i]()
			p.event("the welcome", func(f *wire.ServerFrame) bool { return bytes.Equal(f.GetWelcome().GetWelcome(), large) })
			if got := p.entries(room, 1); got[0].Seq != commit.Seq || !bytes.Equal(got[0].Head, commit.Head) {
				t.Errorf("the entry is %d", got[0].Seq)
			}
			if p.ask(ping()).GetPong() == nil {
				t.Error("the connection does not go on")
			}
		}
	})
}

// TestDrainDeaf: who reads nothing keeps a server that stops waiting for as long as it may, and no longer.
func TestDrainDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, l := openPipes(t)
		p := l.join(t, "alice")
		p.deaf(t)
		p.send(ping())
		began := time.Now()
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if took, most := time.Since(began), server.DrainWithin+server.CloseWithin; took < server.DrainWithin || took > most || most >= 10*time.Second {
			t.Errorf("draining took %v, want %v to %v, and that less than 10 s", took, server.DrainWithin, most)
		}
	})
}

// live is how many bytes are in use.
func live() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
