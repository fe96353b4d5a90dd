package main

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mtls"
)

// model is a server in memory that speaks as much of the protocol as the generator needs, over the same TLS. It keeps
// nothing for long and checks nothing; fault makes it break a promise.
type model struct {
	gws.BuiltinEventHandler
	process process
	// fault may change what is delivered: the entries that the followers get in place of this one.
	fault func(e *wire.Entry) []*wire.Entry
	// lie may change an ack.
	lie func(a *wire.Ack)

	state struct {
		sync.Mutex
		rooms   map[ident.RoomID]*modelRoom
		devices map[mtls.Fingerprint]*wire.Authenticated
	}
}

type modelRoom struct {
	entries   []*wire.Entry
	head      ident.Hash
	followers map[*gws.Conn]bool
}

// newModel starts a model server for a test.
func newModel(t *testing.T) *model {
	t.Helper()
	identity, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	config, err := mtls.ServerTLS(identity, nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &model{}
	m.process = process{address: listener.Addr().String(), pin: identity.Fingerprint(), pid: os.Getpid()}
	m.state.rooms = make(map[ident.RoomID]*modelRoom)
	m.state.devices = make(map[mtls.Fingerprint]*wire.Authenticated)
	server := gws.NewServer(m, nil)
	server.OnError = func(net.Conn, error) {}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.accept(server, listener, config)
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return m
}

func (m *model) accept(server *gws.Server, listener net.Listener, config *tls.Config) {
	var sockets sync.WaitGroup
	defer sockets.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		sockets.Go(func() {
			defer conn.Close()
			secure := tls.Server(conn, config)
			reader := bufio.NewReader(secure)
			if request, err := http.ReadRequest(reader); err == nil {
				server.OnRequest(secure, reader, request)
			}
		})
	}
}

// OnMessage answers a request.
func (m *model) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	var frame wire.ClientFrame
	if err := frame.UnmarshalVT(message.Bytes()); err != nil {
		socket.WriteClose(1003, nil)
		return
	}
	m.state.Lock()
	defer m.state.Unlock()
	reply := &wire.ServerFrame{Id: frame.Id}
	after := func() {}
	switch body := frame.Body.(type) {
	case *wire.ClientFrame_Hello:
		reply.Body = &wire.ServerFrame_Hello{Hello: &wire.HelloReply{Version: 1, Authenticated: m.state.devices[peer(socket)]}}
	case *wire.ClientFrame_Register:
		reply.Body = &wire.ServerFrame_Registered{Registered: m.register(socket, body.Register)}
	case *wire.ClientFrame_CreateRoom:
		id := ident.RoomID(body.CreateRoom.Room)
		m.state.rooms[id] = &modelRoom{head: ident.EmptyHead(id), followers: make(map[*gws.Conn]bool)}
		reply.Body = &wire.ServerFrame_Room{Room: &wire.Room{Room: id[:]}}
	case *wire.ClientFrame_Submit:
		var a *wire.Ack
		a, after = m.submit(socket, body.Submit)
		reply.Body = &wire.ServerFrame_Ack{Ack: a}
	case *wire.ClientFrame_Follow:
		after = func() { m.follow(socket, body.Follow) }
		reply.Body = &wire.ServerFrame_Done{Done: &wire.Done{}}
	case *wire.ClientFrame_Ping:
		reply.Body = &wire.ServerFrame_Pong{Pong: &wire.Pong{}}
	default:
		reply.Body = &wire.ServerFrame_Done{Done: &wire.Done{}}
	}
	send(socket, reply)
	after()
}

// OnClose forgets a follower.
func (m *model) OnClose(socket *gws.Conn, _ error) {
	m.state.Lock()
	defer m.state.Unlock()
	for _, r := range m.state.rooms {
		delete(r.followers, socket)
	}
}

func (m *model) register(socket *gws.Conn, r *wire.Register) *wire.Registered {
	chain, err := ident.ParseChain(r.Chain)
	if err != nil {
		panic(err)
	}
	account, device := chain.Account(), chain.Devices()[0].ID
	a := &wire.Authenticated{Account: account[:], Device: device[:], Handle: r.Handle}
	m.state.devices[peer(socket)] = a
	return &wire.Registered{Authenticated: a}
}

// submit appends an entry; what it returns delivers it.
func (m *model) submit(socket *gws.Conn, s *wire.Submit) (*wire.Ack, func()) {
	id := ident.RoomID(s.Room)
	r, sender := m.state.rooms[id], m.state.devices[peer(socket)]
	e := &wire.Entry{
		Seq: uint64(len(r.entries)) + 1, Kind: s.Kind, Device: sender.Device, Account: sender.Account, Id: s.Id,
		Epoch: s.Epoch, At: time.Now().UnixMilli(), Payload: s.Payload,
	}
	m.chain(id, r.head, e)
	r.head = ident.Hash(e.Head)
	r.entries = append(r.entries, e)
	a := &wire.Ack{Seq: e.Seq, Head: e.Head, At: e.At}
	if m.lie != nil {
		m.lie(a)
	}
	return a, func() {
		for follower := range r.followers {
			m.deliver(follower, id, e)
		}
	}
}

// chain sets an entry's head.
func (m *model) chain(room ident.RoomID, before ident.Hash, e *wire.Entry) {
	head := ident.NextHead(before, ident.LogEntry{
		Room: room, Seq: e.Seq, Kind: uint8(e.Kind), Sender: ident.DeviceID(e.Device), Message: ident.MessageID(e.Id),
		Epoch: e.Epoch, UnixMilli: uint64(e.At), Payload: ident.PayloadHash(e.Payload),
	})
	e.Head = head[:]
}

func (m *model) follow(socket *gws.Conn, f *wire.Follow) {
	for _, cursor := range f.Rooms {
		id := ident.RoomID(cursor.Room)
		r := m.state.rooms[id]
		r.followers[socket] = true
		for _, e := range r.entries[cursor.After:] {
			m.deliver(socket, id, e)
		}
	}
}

func (m *model) deliver(socket *gws.Conn, room ident.RoomID, e *wire.Entry) {
	entries := []*wire.Entry{e}
	if m.fault != nil {
		entries = m.fault(e)
	}
	if len(entries) > 0 {
		send(socket, &wire.ServerFrame{Body: &wire.ServerFrame_Entries{Entries: &wire.Entries{Room: room[:], Entries: entries}}})
	}
}

func send(socket *gws.Conn, frame *wire.ServerFrame) {
	b, err := frame.MarshalVT()
	if err != nil {
		panic(err)
	}
	// A client that is gone has its own test's error to tell.
	_ = socket.WriteMessage(gws.OpcodeBinary, b)
}

func peer(socket *gws.Conn) mtls.Fingerprint {
	p, err := mtls.PeerKey(socket.NetConn().(*tls.Conn).ConnectionState())
	if err != nil {
		panic(err)
	}
	return p.Fingerprint
}
