package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"
	"snug/mtls"

	"github.com/lxzan/gws"
)

// patience is how long a test waits for what must come: far longer than it takes.
const patience = time.Minute

// house is a server on loopback ports.
type house struct {
	t      testing.TB
	server *server.Server
	store  *sqlite.Store
	held   *heldStore
	id     *mtls.Identity
	tls    string
	http   string
	log    *bytes.Buffer // read it after stop
	stop   func() error  // once
	clock  *clock
}

// heldStore is a store that takes submits, and carries them out when it is let.
type heldStore struct {
	server.Store
	mu       sync.Mutex
	holding  bool
	waiting  []*server.Submission
	bytes    int
	welcomes int // given
	// rooms, where set, are what everybody sees, in order of their ids.
	rooms []server.Room
	// peers and passphrase, where set, are called before the methods that they are named after.
	peers, passphrase func()
}

// Welcomes is server.Store's.
func (s *heldStore) Welcomes(ctx context.Context, device ident.DeviceID, after uint64, limit int) ([]server.Welcome, error) {
	list, err := s.Store.Welcomes(ctx, device, after, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.welcomes += len(list)
	return list, err
}

// Rooms is server.Store's.
func (s *heldStore) Rooms(ctx context.Context, device ident.DeviceID, after ident.RoomID, limit int) (rooms []server.Room, next ident.RoomID, err error) {
	if s.rooms == nil {
		return s.Store.Rooms(ctx, device, after, limit)
	}
	begin, found := slices.BinarySearchFunc(s.rooms, after, func(r server.Room, id ident.RoomID) int { return bytes.Compare(r.ID[:], id[:]) })
	if found {
		begin++
	}
	rooms = s.rooms[begin:]
	if len(rooms) > limit {
		return rooms[:limit], rooms[limit-1].ID, nil
	}
	return rooms, ident.RoomID{}, nil
}

// Peers is server.Store's.
func (s *heldStore) Peers(ctx context.Context, id ident.AccountID) ([]ident.AccountID, error) {
	s.call(func() func() { return s.peers })
	return s.Store.Peers(ctx, id)
}

// ChangePassphrase is server.Store's.
func (s *heldStore) ChangePassphrase(ctx context.Context, c server.PassphraseChange) error {
	s.call(func() func() { return s.passphrase })
	return s.Store.ChangePassphrase(ctx, c)
}

// given is how many welcomes were given.
func (s *heldStore) given() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.welcomes
}

func (s *heldStore) call(which func() func()) {
	s.mu.Lock()
	f := which()
	s.mu.Unlock()
	if f != nil {
		f()
	}
}

// stopAt has one of these wait: reached is closed when it does, and it goes on with release.
func (s *heldStore) stopAt(which *func()) (reached chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reached, going := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(reached) })
	*which = func() {
		first()
		<-going
	}
	return reached, sync.OnceFunc(func() { close(going) })
}

// Submit is server.Store's.
func (s *heldStore) Submit(m *server.Submission) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.holding {
		s.Store.Submit(m)
		return
	}
	s.waiting = append(s.waiting, m)
	s.bytes += len(m.Payload)
}

// hold has submits wait; release lets them go on, in their order.
func (s *heldStore) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
}

func (s *heldStore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.waiting {
		s.Store.Submit(m)
	}
	s.holding, s.waiting, s.bytes = false, nil, 0
}

// held gives how many submits wait, and of how many bytes.
func (s *heldStore) held() (n, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting), s.bytes
}

// clock is a server's, which tests turn.
type clock struct {
	mu      sync.Mutex
	offset  time.Duration
	stopped time.Time // zero where it goes by itself
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped.Add(c.offset)
	}
	return time.Now().Add(c.offset)
}

// stop has it go no further than it is turned.
func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = time.Now()
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	*bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func open(t testing.TB) *house {
	return openAs(t, wire.RegistrationMode_REGISTRATION_MODE_OPEN, sqlite.Config{})
}

func openAs(t testing.TB, mode wire.RegistrationMode, config sqlite.Config) *house {
	t.Helper()
	return openBehind(t, mode, config, nil)
}

// openBehind opens a house behind proxies, which may say whom they speak for.
func openBehind(t testing.TB, mode wire.RegistrationMode, config sqlite.Config, proxies []netip.Prefix) *house {
	t.Helper()
	h := build(t, mode, config, proxies)
	h.start()
	return h
}

// build makes a house that is not open yet.
func build(t testing.TB, mode wire.RegistrationMode, config sqlite.Config, proxies []netip.Prefix) *house {
	t.Helper()
	config.Rand = ident.Random()
	store, err := sqlite.Open(t.TempDir(), config)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: store, log: new(bytes.Buffer), clock: &clock{}}
	if h.id, err = mtls.GenerateP256(); err != nil {
		t.Fatal(err)
	}
	h.held = &heldStore{Store: store}
	h.server, err = server.New(t.Context(), server.Config{
		Store: h.held, Registration: mode, ID: h.id.Fingerprint(), Rand: ident.Random(), Now: h.clock.now, Proxies: proxies,
		Log: slog.New(slog.NewTextHandler(&lockedBuffer{Buffer: h.log}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) start() {
	h.t.Helper()
	config, err := mtls.ServerTLS(h.id, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	ports := server.Ports{TLS: loopback(h.t), TLSConfig: config, HTTP: loopback(h.t)}
	h.tls, h.http = ports.TLS.Addr().String(), ports.HTTP.Addr().String()
	h.run(ports)
}

// run serves until stop, which the test's end calls.
func (h *house) run(ports server.Ports) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.server.Run(ctx, ports) }()
	h.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		if closing := h.store.Close(); err == nil {
			err = closing
		}
		return err
	})
	h.t.Cleanup(func() { _ = h.stop() })
}

func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// peer is a connection to a house, as a native client has it.
type peer struct {
	t      testing.TB
	socket *gws.Conn
	hello  *wire.HelloReply
	device server.Device
	key    ident.DeviceKey

	mu     sync.Mutex
	next   uint64
	frames []*wire.ServerFrame // not asked for yet
	more   chan struct{}       // of size 1
	closed chan struct{}
	cause  error // set before closed is
	paused atomic.Pointer[chan struct{}]
}

type peerEvents struct {
	gws.BuiltinEventHandler
	p *peer
}

func (e peerEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	f := &wire.ServerFrame{}
	if err := f.UnmarshalVT(m.Bytes()); err != nil {
		e.p.t.Errorf("a frame of the server: %v", err)
		return
	}
	e.p.mu.Lock()
	e.p.frames = append(e.p.frames, f)
	e.p.mu.Unlock()
	select {
	case e.p.more <- struct{}{}:
	default:
	}
	if paused := e.p.paused.Load(); paused != nil {
		<-*paused
	}
}

func (e peerEvents) OnClose(_ *gws.Conn, err error) {
	e.p.cause = err
	close(e.p.closed)
}

// connect dials with a key in TLS and says Hello.
func (h *house) connect(t testing.TB, key ident.DeviceKey) *peer {
	t.Helper()
	return h.connectFrom(t, key, nil)
}

// connectFrom is connect with a header, by which a proxy says whom it speaks for.
func (h *house) connectFrom(t testing.TB, key ident.DeviceKey, header http.Header) *peer {
	t.Helper()
	p, err := h.dial(t, key, nil, header)
	if err != nil {
		t.Fatal(err)
	}
	reply := p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: &wire.Hello{Versions: []uint32{1}, Agent: "test"}}})
	if p.hello = reply.GetHello(); p.hello == nil {
		t.Fatalf("Hello is answered with %v", reply)
	}
	return p
}

// dial makes the socket only. change may spoil the TLS config.
func (h *house) dial(t testing.TB, key ident.DeviceKey, change func(*tls.Config), header http.Header) (*peer, error) {
	t.Helper()
	id, err := mtls.FromKey(key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	config, err := mtls.ClientTLS(id, h.id.Fingerprint(), wire.ALPN)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	p := &peer{t: t, key: key, more: make(chan struct{}, 1), closed: make(chan struct{})}
	p.socket, _, err = gws.NewClient(peerEvents{p: p}, &gws.ClientOption{Addr: "wss://" + h.tls + wire.Path, TlsConfig: config, RequestHeader: header})
	if err != nil {
		return nil, err
	}
	go p.socket.ReadLoop()
	t.Cleanup(func() { p.socket.NetConn().Close() })
	return p, nil
}

// browser connects in plain HTTP, with no key in TLS.
func (h *house) browser(t testing.TB, header http.Header) (*peer, error) {
	t.Helper()
	p := &peer{t: t, more: make(chan struct{}, 1), closed: make(chan struct{})}
	var err error
	p.socket, _, err = gws.NewClient(peerEvents{p: p}, &gws.ClientOption{Addr: "ws://" + h.http + wire.Path, RequestHeader: header})
	if err != nil {
		return nil, err
	}
	go p.socket.ReadLoop()
	t.Cleanup(func() { p.socket.NetConn().Close() })
	reply := p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: &wire.Hello{Versions: []uint32{7, 1}}}})
	if p.hello = reply.GetHello(); p.hello == nil {
		t.Fatalf("Hello is answered with %v", reply)
	}
	return p, nil
}

// send sends a request and gives its id.
func (p *peer) send(f *wire.ClientFrame) uint64 {
	p.t.Helper()
	p.mu.Lock()
	p.next++
	f.Id = p.next
	p.mu.Unlock()
	b, err := f.MarshalVT()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.socket.WriteMessage(gws.OpcodeBinary, b); err != nil {
		p.t.Fatalf("sending %T: %v", f.Body, err)
	}
	return f.Id
}

// ask sends a request and waits for its answer.
func (p *peer) ask(f *wire.ClientFrame) *wire.ServerFrame {
	p.t.Helper()
	return p.answer(p.send(f))
}

func (p *peer) answer(id uint64) *wire.ServerFrame {
	p.t.Helper()
	return p.wait(fmt.Sprintf("the answer to %d", id), func(f *wire.ServerFrame) bool { return f.Id == id })
}

// event waits for an event that fits.
func (p *peer) event(what string, fits func(*wire.ServerFrame) bool) *wire.ServerFrame {
	p.t.Helper()
	return p.wait(what, func(f *wire.ServerFrame) bool { return f.Id == 0 && fits(f) })
}

func (p *peer) wait(what string, fits func(*wire.ServerFrame) bool) *wire.ServerFrame {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		if f := p.take(fits); f != nil {
			return f
		}
		select {
		case <-p.more:
		case <-p.closed:
			if f := p.take(fits); f != nil {
				return f
			}
			p.t.Fatalf("waiting for %s: closed: %v", what, p.cause)
		case <-timeout:
			p.t.Fatalf("waiting for %s: nothing came", what)
		}
	}
}

func (p *peer) take(fits func(*wire.ServerFrame) bool) *wire.ServerFrame {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.frames, fits)
	if i < 0 {
		return nil
	}
	f := p.frames[i]
	p.frames = slices.Delete(p.frames, i, i+1)
	return f
}

// refused fails unless a request is answered with an error of this code.
func (p *peer) refused(code wire.ErrorCode, f *wire.ClientFrame) *wire.Error {
	p.t.Helper()
	return refusedWith(p.t, code, p.ask(f))
}

func refusedWith(t testing.TB, code wire.ErrorCode, f *wire.ServerFrame) *wire.Error {
	t.Helper()
	e := f.GetError()
	if e == nil || e.Code != code {
		t.Fatalf("got %v, want an error with %v", f, code)
	}
	return e
}

// person is an account with its keys, as its client would have it.
type person struct {
	identity ident.IdentityKey
	chain    *ident.Chain
	authKey  []byte
	register *wire.Register
}

func newPerson(t testing.TB, handle string, device ident.PublicKey) *person {
	t.Helper()
	identity, chain, err := ident.NewAccount(ident.Random(), ident.Handle(handle), time.Unix(1_800_000_000, 0))
	if err == nil {
		err = chain.Append(identity, ident.Enrol{Key: device, Name: "test"}, time.Unix(1_800_000_000, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &person{identity: identity, chain: chain, authKey: bytes.Repeat([]byte(handle[:1]), 32)}
	p.register = &wire.Register{
		Handle: handle, Chain: chain.Marshal(), AuthKey: p.authKey, Salt: make([]byte, ident.SaltSize),
		Argon2: &wire.Argon2Parameters{MemoryKib: 64 << 10, Passes: 3, Lanes: 1}, Vault: []byte("sealed vault of " + handle),
		KeyPackages: [][]byte{[]byte("one-time 1 of " + handle), []byte("one-time 2 of " + handle)}, LastResortKeyPackage: []byte("last resort of " + handle),
	}
	return p
}

func newKey(t testing.TB) ident.DeviceKey {
	t.Helper()
	key, err := ident.NewDeviceKey(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// join connects a new account's first device.
func (h *house) join(t testing.TB, handle string) *peer {
	t.Helper()
	p, _ := h.joinPerson(t, handle)
	return p
}

func (h *house) joinPerson(t testing.TB, handle string) (*peer, *person) {
	t.Helper()
	key := newKey(t)
	p := h.connect(t, key)
	who := newPerson(t, handle, key.Public())
	reply := p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Register{Register: who.register}})
	a := reply.GetRegistered().GetAuthenticated()
	if a == nil {
		t.Fatalf("registering %s: %v", handle, reply)
	}
	p.device = server.Device{ID: ident.DeviceID(a.Device), Account: ident.AccountID(a.Account), Handle: a.Handle, Key: key.Public()}
	return p, who
}

func (p *peer) ref() *wire.DeviceRef {
	return &wire.DeviceRef{Account: p.device.Account[:], Device: p.device.ID[:]}
}

// room makes a sealed room with the peer in it.
func (p *peer) room() ident.RoomID {
	p.t.Helper()
	id, err := ident.NewRoomID(ident.Random())
	if err != nil {
		p.t.Fatal(err)
	}
	reply := p.ask(createRoom(id))
	if reply.GetRoom() == nil {
		p.t.Fatalf("making a room: %v", reply)
	}
	return id
}

func createRoom(id ident.RoomID) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_CreateRoom{CreateRoom: &wire.CreateRoom{Room: id[:], Kind: wire.RoomKind_ROOM_KIND_SEALED}}}
}

func sealed(room ident.RoomID, epoch uint64, payload string) *wire.ClientFrame {
	id, err := ident.NewMessageID(ident.Random())
	if err != nil {
		panic(err)
	}
	return submit(&wire.Submit{Room: room[:], Kind: wire.EntryKind_ENTRY_KIND_SEALED, Id: id[:], Epoch: epoch, Payload: []byte(payload)})
}

func submit(m *wire.Submit) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_Submit{Submit: m}}
}

// commit is a commit as the peer's device signs it.
func (p *peer) commit(room ident.RoomID, epoch uint64, added, removed []*wire.DeviceRef) *wire.ClientFrame {
	return p.committing(room, epoch, []byte("commit"), &wire.CommitEnvelope{Added: added, Removed: removed, Welcome: []byte("welcome")}, nil)
}

// committing is commit for any MLS message; replaced, where not nil, is the ack of a commit that it replaces.
func (p *peer) committing(room ident.RoomID, epoch uint64, message []byte, envelope *wire.CommitEnvelope, replaced *wire.Ack) *wire.ClientFrame {
	f := sealed(room, epoch, "commit")
	m := f.GetSubmit()
	m.Kind, m.Commit = wire.EntryKind_ENTRY_KIND_COMMIT, envelope
	signed := &ident.Commit{Room: room, Message: ident.MessageID(m.Id), Epoch: epoch, Payload: ident.PayloadHash(message),
		Devices: ident.DevicesHash(named(envelope.Added), named(envelope.Removed))}
	payload := &wire.CommitPayload{Commit: message, Devices: signed.Devices[:]}
	if replaced != nil {
		signed.Replaces, signed.ReplacedHead = replaced.Seq, ident.Hash(replaced.Head)
		payload.Replaces, payload.ReplacedHead = replaced.Seq, replaced.Head
	}
	payload.Signature = ident.SignCommit(p.key, signed)
	m.Payload = marshal(payload)
	return f
}

// reject says that the peer's device cannot take a commit.
func (p *peer) reject(room ident.RoomID, c *wire.Ack) *wire.ClientFrame {
	f := sealed(room, 0, "reject")
	m := f.GetSubmit()
	m.Kind = wire.EntryKind_ENTRY_KIND_REJECT
	payload := &wire.RejectPayload{Seq: c.Seq, Head: c.Head, Reason: wire.RejectReason_REJECT_REASON_BROKEN}
	payload.Signature = ident.SignReject(p.key, &ident.Reject{Room: room, Message: ident.MessageID(m.Id), Seq: c.Seq,
		Head: ident.Hash(c.Head), Reason: uint8(payload.Reason)})
	m.Payload = marshal(payload)
	return f
}

func marshal(m interface{ MarshalVT() ([]byte, error) }) []byte {
	b, err := m.MarshalVT()
	if err != nil {
		panic(err)
	}
	return b
}

func named(list []*wire.DeviceRef) (c []ident.Credential) {
	for _, ref := range list {
		c = append(c, ident.Credential{Account: ident.AccountID(ref.Account), Device: ident.DeviceID(ref.Device)})
	}
	return c
}

// acked fails unless a submit is acked.
func (p *peer) acked(f *wire.ClientFrame) *wire.Ack {
	p.t.Helper()
	reply := p.ask(f)
	if reply.GetAck() == nil {
		p.t.Fatalf("submit is answered with %v", reply)
	}
	return reply.GetAck()
}

func (p *peer) fetch(room ident.RoomID, after uint64) *wire.Fetched {
	p.t.Helper()
	reply := p.ask(fetch(room, after))
	if reply.GetFetched() == nil {
		p.t.Fatalf("fetch is answered with %v", reply)
	}
	return reply.GetFetched()
}

func fetch(room ident.RoomID, after uint64) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_Fetch{Fetch: &wire.Fetch{Room: room[:], After: after}}}
}

func follow(room ident.RoomID, after uint64) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_Follow{Follow: &wire.Follow{Rooms: []*wire.Cursor{{Room: room[:], After: after}}}}}
}

// entries collects n entries of a room from events, in order.
func (p *peer) entries(room ident.RoomID, n int) []*wire.Entry {
	p.t.Helper()
	var list []*wire.Entry
	for len(list) < n {
		f := p.event("entries", func(f *wire.ServerFrame) bool { return bytes.Equal(f.GetEntries().GetRoom(), room[:]) })
		list = append(list, f.GetEntries().Entries...)
	}
	return list
}
