package server_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"

	"github.com/lxzan/gws"
	"snug/mtls"
)

// BenchmarkServer measures whole messages over loopback TLS, senders and receivers
// in this process: sealed-size payloads, each acked after fsync and delivered to
// one follower.
func BenchmarkServer(b *testing.B) {
	for _, window := range []int{1, 16} {
		b.Run(fmt.Sprintf("senders=256/window=%d", window), func(b *testing.B) { benchmarkServer(b, 256, window) })
	}
}

func benchmarkServer(b *testing.B, senders, window int) {
	h := open(b)
	each := b.N/senders + 1
	var delivered atomic.Int64
	all := make(chan struct{})
	total := int64(each * senders)
	loads := make([]*load, senders)
	for i := range loads {
		from, to := h.plant(b, fmt.Sprintf("from%d", i)), h.plant(b, fmt.Sprintf("to%d", i))
		l := &load{payload: make([]byte, 300), acks: make(chan struct{}, window), ready: make(chan struct{}, 2)}
		room, err := ident.NewRoomID(ident.Random())
		if err != nil {
			b.Fatal(err)
		}
		l.room = room
		plantRoom(b, h.store, room, from, to)
		l.socket = h.benchDial(b, from.key, func(f *wire.ServerFrame) {
			switch {
			case f.GetAck() != nil:
				l.acks <- struct{}{}
			case f.GetError() != nil:
				b.Errorf("refused: %v", f)
			default:
				l.ready <- struct{}{}
			}
		})
		receiver := h.benchDial(b, to.key, func(f *wire.ServerFrame) {
			if e := f.GetEntries(); e != nil {
				if delivered.Add(int64(len(e.Entries))) == total {
					close(all)
				}
			} else {
				l.ready <- struct{}{}
			}
		})
		l.hello(b, l.socket)
		l.hello(b, receiver)
		benchSend(b, receiver, 2, follow(room, 1))
		<-l.ready
		loads[i] = l
	}
	runtime.GC()
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, l := range loads {
		wg.Go(func() { l.run(b, each, window) })
	}
	wg.Wait()
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "acked/s")
	<-all
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "delivered/s")
}

// load is one sender.
type load struct {
	socket  *gws.Conn
	room    ident.RoomID
	payload []byte
	acks    chan struct{}
	ready   chan struct{}
}

func (l *load) hello(b testing.TB, socket *gws.Conn) {
	benchSend(b, socket, 1, &wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: &wire.Hello{Versions: []uint32{1}}}})
	<-l.ready
}

func (l *load) run(b testing.TB, n, window int) {
	for i := range n + window {
		if i >= window {
			<-l.acks
		}
		if i >= n {
			continue
		}
		id, _ := ident.NewMessageID(ident.Random())
		benchSend(b, l.socket, uint64(i+10), submit(&wire.Submit{
			Room: l.room[:], Kind: wire.EntryKind_ENTRY_KIND_SEALED, Id: id[:], Epoch: 1, Payload: l.payload,
		}))
	}
}

func benchSend(b testing.TB, socket *gws.Conn, id uint64, f *wire.ClientFrame) {
	f.Id = id
	m, err := f.MarshalVT()
	if err == nil {
		err = socket.WriteMessage(gws.OpcodeBinary, m)
	}
	if err != nil {
		b.Error(err)
	}
}

type benchEvents struct {
	gws.BuiltinEventHandler
	hear func(*wire.ServerFrame)
}

func (e benchEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	f := &wire.ServerFrame{}
	if f.UnmarshalVT(m.Bytes()) == nil {
		e.hear(f)
	}
	m.Close()
}

func (h *house) benchDial(b testing.TB, key ident.DeviceKey, hear func(*wire.ServerFrame)) *gws.Conn {
	id, err := mtls.FromKey(key.Signer())
	if err != nil {
		b.Fatal(err)
	}
	config, err := mtls.ClientTLS(id, h.id.Fingerprint(), wire.ALPN)
	if err != nil {
		b.Fatal(err)
	}
	socket, _, err := gws.NewClient(benchEvents{hear: hear}, &gws.ClientOption{Addr: "wss://" + h.tls + wire.Path, TlsConfig: config})
	if err != nil {
		b.Fatal(err)
	}
	go socket.ReadLoop()
	b.Cleanup(func() { socket.NetConn().Close() })
	return socket
}

// planted is a device made behind the server's back, without the slow hash.
type planted struct {
	server.Device
	key ident.DeviceKey
}

func (h *house) plant(t testing.TB, handle string) planted {
	t.Helper()
	key := newKey(t)
	who := newPerson(t, handle, key.Public())
	account := who.chain.Account()
	d := server.Device{ID: ident.NewDeviceID(account, key.Public()), Key: key.Public(), Account: account, Handle: handle}
	_, err := h.store.CreateAccount(t.Context(), server.NewAccount{
		Account: server.Account{ID: account, Handle: handle, Chain: who.chain.Marshal()}, Device: d,
		KeyPackages: server.KeyPackages{LastResort: []byte("last")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return planted{d, key}
}

// plantRoom makes a room of from with to in it; the next epoch is 1.
func plantRoom(t testing.TB, s server.Store, room ident.RoomID, from planted, to ...planted) {
	t.Helper()
	if _, err := s.CreateRoom(t.Context(), server.NewRoom{ID: room, Kind: wire.RoomKind_ROOM_KIND_SEALED, By: from.ID}); err != nil {
		t.Fatal(err)
	}
	c := &server.Commit{Welcome: []byte("welcome")}
	for _, d := range to {
		c.Added = append(c.Added, server.DeviceRef{Account: d.Account, Device: d.ID})
	}
	done := make(chan struct{})
	sub := &server.Submission{
		Room: room, Device: from.ID, Account: from.Account, Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Payload: []byte("c"), Commit: c,
		At: time.Now().UnixMilli(), Done: func(*server.Submission) { close(done) },
	}
	sub.ID, _ = ident.NewMessageID(ident.Random())
	s.Submit(sub)
	<-done
	if sub.Err != nil {
		t.Fatal(sub.Err)
	}
}

// BenchmarkIdle measures the server's memory for each idle TLS connection of a
// device that follows a room. The clients are in this process too: they hold a
// bare TLS connection each, which is measured first and taken off.
func BenchmarkIdle(b *testing.B) {
	const n = 2000
	for b.Loop() {
		h := open(b)
		d := h.plant(b, "alice")
		before := inUse()
		clients := make([]*gws.Conn, n)
		ready := make(chan struct{}, n)
		for i := range clients {
			clients[i] = h.benchDial(b, d.key, func(*wire.ServerFrame) { ready <- struct{}{} })
			benchSend(b, clients[i], 1, &wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: &wire.Hello{Versions: []uint32{1}}}})
			<-ready
		}
		b.ReportMetric(float64(inUse()-before)/n, "B/both-ends")
		b.ReportMetric(float64(runtime.NumGoroutine())/n, "goroutines/conn")
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
