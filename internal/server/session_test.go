package server_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
	"snug/mtls"

	"github.com/lxzan/gws"
)

// end waits until the server has closed the connection and gives the close code.
func (p *peer) end() uint16 {
	p.t.Helper()
	select {
	case <-p.closed:
	case <-time.After(patience):
		p.t.Fatal("the connection is still open")
	}
	var c *gws.CloseError
	if !errors.As(p.cause, &c) {
		return 0
	}
	return c.Code
}

func hello(versions ...uint32) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: &wire.Hello{Versions: versions}}}
}

func ping() *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_Ping{Ping: &wire.Ping{}}}
}

func (h *house) raw(t *testing.T) *peer {
	t.Helper()
	p, err := h.dial(t, newKey(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestVersions(t *testing.T) {
	h := open(t)
	p := h.raw(t)
	p.refused(wire.ErrorCode_ERROR_CODE_VERSION, hello(2, 3))
	if code := p.end(); code != 1008 {
		t.Errorf("closed with %d, want 1008", code)
	}
	p = h.raw(t)
	p.refused(bad, ping())
	p.end()
	p = h.raw(t)
	if reply := p.ask(hello(9, 1)).GetHello(); reply.GetVersion() != 1 || !bytes.Equal(reply.ServerId, fingerprint(h)) || len(reply.Nonce) != 32 {
		t.Errorf("Hello is answered with %v", reply)
	}
	p.refused(bad, hello(1))
}

func fingerprint(h *house) []byte { f := h.id.Fingerprint(); return f[:] }

// TestGarbage: what is no frame ends the connection; what we do not know does not.
func TestGarbage(t *testing.T) {
	h := open(t)
	for name, send := range map[string]func(*peer) error{
		"garbage": func(p *peer) error { return p.socket.WriteMessage(gws.OpcodeBinary, []byte{0xff, 0xff, 0xff}) },
		"crowd": func(p *peer) error {
			return p.socket.WriteMessage(gws.OpcodeBinary, append([]byte{0x08, 1, 0xd2, 2, 0x80, 0x80, 0x10}, bytes.Repeat([]byte{0x0a, 0}, 128<<10)...))
		},
		"text": func(p *peer) error { return p.socket.WriteMessage(gws.OpcodeText, []byte("{}")) },
	} {
		p := h.connect(t, newKey(t))
		if err := send(p); err != nil {
			t.Fatal(err)
		}
		if code := p.end(); code != 1003 {
			t.Errorf("%s: closed with %d, want 1003", name, code)
		}
	}
	p := h.connect(t, newKey(t))
	// Field 1000, which does not exist yet, and no body that we know; id 77.
	if err := p.socket.WriteMessage(gws.OpcodeBinary, []byte{0x08, 77, 0xc2, 0x3e, 0x00}); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, bad, p.answer(77))
	p.refused(bad, &wire.ClientFrame{})
	if err := p.socket.WriteMessage(gws.OpcodeBinary, nil); err != nil { // an empty frame: id 0, no body
		t.Fatal(err)
	}
	refusedWith(t, bad, p.answer(0))
	if p.ask(ping()).GetPong() == nil {
		t.Error("the connection does not go on")
	}
}

// padded is a request of so many bytes: it has a field that nobody knows.
func (p *peer) padded(f *wire.ClientFrame, size int) (id uint64, b []byte) {
	p.next++
	f.Id = p.next
	b = append(marshal(f), 0xc2, 0x3e)
	rest := size - len(b)
	rest -= len(binary.AppendUvarint(nil, uint64(rest-3))) // at the bounds of a length's length it is off by one
	b = append(binary.AppendUvarint(b, uint64(rest)), make([]byte, rest)...)
	if len(b) != size {
		p.t.Fatalf("a request of %d bytes has %d", size, len(b))
	}
	return p.next, b
}

// TestFrameLimits: each message may be as large as who sends it is known, and not by a byte larger, in however many
// fragments; other lengths end the connection and nothing else.
func TestFrameLimits(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	for _, who := range []struct {
		name    string
		connect func() *peer
		f       func() *wire.ClientFrame
		limit   int
	}{
		{"before Hello", func() *peer { return h.raw(t) }, func() *wire.ClientFrame { return hello(1) }, server.MaxGreeting},
		{"a stranger", func() *peer { return h.connect(t, newKey(t)) }, ping, server.MaxStranger},
		{"a device", func() *peer { return h.connect(t, alice.key) }, ping, wire.MaxFrame},
	} {
		t.Run(who.name, func(t *testing.T) {
			p := who.connect()
			id, b := p.padded(who.f(), who.limit)
			p.write(clientFrame(0x82, b))
			if e := p.answer(id).GetError(); e != nil {
				t.Errorf("the largest is refused: %v", e)
			}
			for name, cut := range map[string]func([]byte) []byte{
				"in one": func(b []byte) []byte { return clientFrame(0x82, b) },
				"in two": func(b []byte) []byte { return append(clientFrame(0x02, b[:500]), clientFrame(0x80, b[500:])...) },
				"around a ping": func(b []byte) []byte {
					return slices.Concat(clientFrame(0x02, b[:500]), clientFrame(0x89, nil), clientFrame(0x80, b[500:]))
				},
			} {
				p := who.connect()
				id, b := p.padded(who.f(), who.limit+1)
				p.write(cut(b))
				p.end()
				if f := p.take(func(f *wire.ServerFrame) bool { return f.Id == id }); f != nil {
					t.Errorf("a byte more, %s, is answered with %v", name, f)
				}
			}
			p = who.connect()
			p.write(append([]byte{0x82, 0xff}, bytes.Repeat([]byte{0xff}, 12)...)) // -1, to who takes it for a signed length
			p.end()
		})
	}
	if alice.ask(ping()).GetPong() == nil {
		t.Error("somebody else's connection is harmed")
	}
}

// clientFrame is a WebSocket frame as clients mask it, by a mask of zeros.
func clientFrame(first byte, b []byte) []byte {
	h := []byte{first, 0x80 | 127}
	h = append(binary.BigEndian.AppendUint64(h, uint64(len(b))), 0, 0, 0, 0)
	if len(b) < 126 {
		h = []byte{first, 0x80 | byte(len(b)), 0, 0, 0, 0}
	}
	return append(h, b...)
}

// write sends bytes as they are; the server may hang up meanwhile.
func (p *peer) write(b []byte) { _, _ = p.socket.NetConn().Write(b) }

// TestOversize: what a device may send at most, by what it is.
func TestOversize(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	room := alice.room()
	refusedWith(t, tooLarge, alice.ask(sealed(room, 0, strings.Repeat("x", wire.MaxPayload+1))))
	alice.acked(sealed(room, 0, strings.Repeat("x", wire.MaxPayload)))
	message := bytes.Repeat([]byte("c"), wire.MaxCommit-len(alice.commit(room, 0, nil, nil).GetSubmit().Payload))
	largest := alice.committing(room, 0, message, new(wire.CommitEnvelope), nil)
	alice.acked(largest)
	message = append(message, make([]byte, wire.MaxCommit+1-len(largest.GetSubmit().Payload))...)
	alice.refused(tooLarge, alice.committing(room, 1, message, new(wire.CommitEnvelope), nil))
}

// TestPending: a client that sends without listening is made to wait, and every
// request is answered exactly once, submits in their order.
func TestPending(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	room := alice.room()
	const n = 5 * wire.MaxPending
	ids := make([]uint64, n)
	for i := range n {
		ids[i] = alice.send(sealed(room, 0, fmt.Sprint(i)))
	}
	for i, id := range ids {
		if ack := alice.answer(id).GetAck(); ack.GetSeq() != uint64(i+1) {
			t.Fatalf("submit %d is answered with %v", i, ack)
		}
	}
}

// TestPendingBounds: while the disk takes its time, one connection has but so many submits wait, and so many bytes of them.
func TestPendingBounds(t *testing.T) {
	for _, row := range []struct {
		name                 string
		sent, size, n, bytes int
	}{
		{"many", wire.MaxPending + 50, 10, wire.MaxPending, 1 << 20},
		{"large", 22, 60_000, 17, 1 << 20},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := open(t)
			alice, bob := h.join(t, "alice"), h.join(t, "bob")
			room := alice.room()
			h.held.hold()
			defer h.held.release()
			var last uint64
			for range row.sent {
				last = alice.send(sealed(room, 0, strings.Repeat("x", row.size)))
			}
			for deadline := time.Now().Add(patience); ; bob.ask(ping()) {
				if n, _ := h.held.held(); n >= row.n {
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("%d submits wait, want %d", n, row.n)
				}
			}
			for range 200 { // time for more, if more were taken
				bob.ask(ping())
			}
			if n, bytes := h.held.held(); n > row.n || bytes > row.bytes {
				t.Errorf("%d submits of %d bytes wait, want at most %d of %d", n, bytes, row.n, row.bytes)
			}
			h.held.release()
			if ack := alice.answer(last).GetAck(); ack.GetSeq() != uint64(row.sent) {
				t.Errorf("the last is answered with %v", ack)
			}
		})
	}
}

// TestStrangers: whoever is no device may sign up or in, and nothing else; a third
// account finds no trace of others' sealed room, whatever it is called.
func TestStrangers(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.room()
	alice.acked(alice.commit(room, 0, []*wire.DeviceRef{bob.ref()}, nil))
	unknown := h.connect(t, newKey(t))
	al := h.join(t, "ali")
	nowhere, err := ident.NewRoomID(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []ident.RoomID{room, nowhere} {
		for _, f := range []func() *wire.ClientFrame{
			func() *wire.ClientFrame { return fetch(id, 0) },
			func() *wire.ClientFrame { return follow(id, 0) },
			func() *wire.ClientFrame { return sealed(id, 1, "x") },
			func() *wire.ClientFrame { return al.commit(id, 1, nil, nil) },
			func() *wire.ClientFrame {
				return &wire.ClientFrame{Body: &wire.ClientFrame_ListMembers{ListMembers: &wire.ListMembers{Room: id[:]}}}
			},
			func() *wire.ClientFrame {
				return &wire.ClientFrame{Body: &wire.ClientFrame_JoinRoom{JoinRoom: &wire.JoinRoom{Room: id[:]}}}
			},
			func() *wire.ClientFrame {
				return &wire.ClientFrame{Body: &wire.ClientFrame_LeaveRoom{LeaveRoom: &wire.LeaveRoom{Room: id[:]}}}
			},
		} {
			al.refused(notFound, f())
			unknown.refused(noAuth, f())
		}
	}
	for _, f := range []*wire.ClientFrame{
		{Body: &wire.ClientFrame_ListAccounts{ListAccounts: &wire.ListAccounts{}}},
		{Body: &wire.ClientFrame_GetChains{GetChains: &wire.GetChains{}}},
		{Body: &wire.ClientFrame_CreateInvite{CreateInvite: &wire.CreateInvite{}}},
		{Body: &wire.ClientFrame_WatchAccounts{WatchAccounts: &wire.WatchAccounts{}}},
		{Body: &wire.ClientFrame_EnrolDevice{EnrolDevice: &wire.EnrolDevice{}}},
		{Body: &wire.ClientFrame_PutKeyPackages{PutKeyPackages: &wire.PutKeyPackages{}}},
		{Body: &wire.ClientFrame_ClaimKeyPackages{ClaimKeyPackages: &wire.ClaimKeyPackages{}}},
		{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{}}},
		{Body: &wire.ClientFrame_RenameDevice{RenameDevice: &wire.RenameDevice{}}},
		{Body: &wire.ClientFrame_GetVault{GetVault: &wire.GetVault{}}},
		{Body: &wire.ClientFrame_ChangePassphrase{ChangePassphrase: &wire.ChangePassphrase{}}},
		{Body: &wire.ClientFrame_OpenLink{OpenLink: &wire.OpenLink{}}},
		{Body: &wire.ClientFrame_CreateRoom{CreateRoom: &wire.CreateRoom{}}},
		{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{}}},
		{Body: &wire.ClientFrame_TakeWelcome{TakeWelcome: &wire.TakeWelcome{}}},
	} {
		unknown.refused(noAuth, f)
	}
	if n := len(alice.fetch(room, 0).Entries); n != 1 {
		t.Errorf("the log has %d entries, want 1", n)
	}
}

// TestRemovedFollower: a follower that a commit removes gets that commit and
// nothing after it.
func TestRemovedFollower(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.room()
	alice.acked(alice.commit(room, 0, []*wire.DeviceRef{bob.ref()}, nil))
	bob.ask(follow(room, 0))
	bob.entries(room, 1)
	// Pipelined, so that they land together and the tail has them all.
	var last uint64
	for i := range 50 {
		alice.send(sealed(room, 1, fmt.Sprint(i)))
	}
	alice.send(alice.commit(room, 1, nil, []*wire.DeviceRef{bob.ref()}))
	for i := range 50 {
		last = alice.send(sealed(room, 2, fmt.Sprint(i)))
	}
	alice.answer(last)
	got := bob.entries(room, 51)
	if e := got[len(got)-1]; e.Kind != wire.EntryKind_ENTRY_KIND_COMMIT || len(got) != 51 {
		t.Fatalf("the last of %d entries is %v", len(got), e)
	}
	bob.refused(forbidden, sealed(room, 2, "x"))
	bob.ask(ping())
	if f := bob.take(func(f *wire.ServerFrame) bool { return f.GetEntries() != nil }); f != nil {
		t.Errorf("after its removal it got %v", f)
	}
	// Nor does following again give more.
	bob.ask(follow(room, 50))
	got = bob.entries(room, 2)
	bob.ask(ping())
	if f := bob.take(func(f *wire.ServerFrame) bool { return f.GetEntries() != nil }); f != nil || len(got) != 2 {
		t.Errorf("followed again it got %d entries and %v", len(got), f)
	}
	if n := bob.fetch(room, 0); len(n.Entries) != 52 || n.Seq != 52 {
		t.Errorf("fetched: %d entries, end %d", len(n.Entries), n.Seq)
	}
}

// TestFollowCatchesUp: a follower far behind gets everything in order, while more
// lands.
func TestFollowCatchesUp(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	room := alice.room()
	send := func(n int) {
		var last uint64
		for range n {
			last = alice.send(sealed(room, 0, strings.Repeat("y", 1000)))
		}
		alice.answer(last)
	}
	send(600)
	alice.ask(follow(room, 0))
	send(600)
	entries := alice.entries(room, 1200)
	head := ident.EmptyHead(room)
	for i, e := range entries {
		head = checkEntry(t, room, head, uint64(i+1), e)
	}
	// Stopped, it hears no more; its place in another connection's is another.
	alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Follow{Follow: &wire.Follow{Rooms: []*wire.Cursor{{Room: room[:], Stop: true}}}}})
	send(1)
	alice.ask(ping())
	if f := alice.take(func(f *wire.ServerFrame) bool { return f.GetEntries() != nil }); f != nil {
		t.Errorf("after stop: %v", f)
	}
}

// TestSlowReader: who does not read costs the server a bounded amount of memory,
// and nobody else's time.
func TestSlowReader(t *testing.T) {
	h := open(t)
	alice, slow := h.join(t, "alice"), h.join(t, "slow")
	room := alice.room()
	alice.acked(alice.commit(room, 0, []*wire.DeviceRef{slow.ref()}, nil))
	slow.ask(follow(room, 1))
	paused := make(chan struct{})
	slow.paused.Store(&paused)
	for range 10 {
		var last uint64
		for range 50 {
			last = alice.send(sealed(room, 1, strings.Repeat("z", 50_000)))
		}
		alice.answer(last)
	}
	// 25 MB later it reads on, and gets them all.
	if n := server.Waiting(h.server); n > 4<<20 {
		t.Errorf("%d bytes wait for slow readers", n)
	}
	close(paused)
	if got := slow.entries(room, 500); got[499].Seq != 501 {
		t.Errorf("the last entry has seq %d, want 501", got[499].Seq)
	}
}

func TestTLS(t *testing.T) {
	h := open(t)
	for name, change := range map[string]func(*tls.Config){
		"TLS 1.2":        func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
		"wrong ALPN":     func(c *tls.Config) { c.NextProtos = []string{"h2"} },
		"no certificate": func(c *tls.Config) { c.Certificates, c.GetClientCertificate = nil, nil },
	} {
		p, err := h.dial(t, newKey(t), change, nil)
		if err == nil {
			p.end()
			t.Errorf("%s: connected", name)
		}
	}
	wrong, err := h.dial(t, newKey(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	wrong.ask(hello(1))
}

// TestEndlessRequest: who never comes to the end of its request for a socket is not listened to for long.
func TestEndlessRequest(t *testing.T) {
	const most = 4 << 20 // what the system may hold for a reader that is gone, and more
	h := open(t)
	id, err := mtls.FromKey(newKey(t).Signer())
	if err != nil {
		t.Fatal(err)
	}
	config, err := mtls.ClientTLS(id, h.id.Fingerprint(), wire.ALPN)
	if err != nil {
		t.Fatal(err)
	}
	for begin, more := range map[string]string{"GET /": "a", "GET " + wire.Path + " HTTP/1.1\r\n": "x: y\r\n"} {
		conn, err := tls.Dial("tcp", h.tls, config)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		said, err := conn.Write([]byte(begin))
		for line := bytes.Repeat([]byte(more), 2<<10); err == nil && said < 10*most; {
			var n int
			n, err = conn.Write(line)
			said += n
		}
		if said > most {
			t.Errorf("after %q the server has read %d bytes", begin, said)
		}
	}
}

// TestBrowser signs up and in without a key in TLS, over plain HTTP.
func TestBrowser(t *testing.T) {
	h := open(t)
	p, err := h.browser(t, http.Header{"Origin": {"http://" + h.http}})
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	who := newPerson(t, "webby", key.Public())
	account, device := who.chain.Account(), who.chain.Devices()[0].ID
	sign := func(p *peer) []byte {
		return ident.SignLogin(key, ident.Login{Server: [32]byte(p.hello.ServerId), Nonce: [32]byte(p.hello.Nonce), Account: account, Device: device})
	}
	p.refused(noAuth, &wire.ClientFrame{Body: &wire.ClientFrame_Register{Register: who.register}})
	who.register.Signature = sign(p)
	for range 2 { // the same again gives the same
		if reply := p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Register{Register: who.register}}); reply.GetRegistered() == nil {
			t.Fatalf("registering: %v", reply)
		}
	}
	again, err := h.browser(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	auth := &wire.Authenticate{Account: account[:], Device: device[:], Signature: sign(p)} // of the other connection
	again.refused(noAuth, &wire.ClientFrame{Body: &wire.ClientFrame_Authenticate{Authenticate: auth}})
	auth.Signature = sign(again)
	if reply := again.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Authenticate{Authenticate: auth}}); reply.GetAuthenticated().GetHandle() != "webby" {
		t.Errorf("authenticating: %v", reply)
	}
	if _, err := h.browser(t, http.Header{"Origin": {"https://evil.example"}}); err == nil {
		t.Error("a page of another site opened the socket")
	}
}

// TestDrain: who is connected is told, new requests are refused, and what is under way is answered.
func TestDrain(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	room := alice.room()
	ids := make([]uint64, 200)
	for i := range ids {
		ids[i] = alice.send(sealed(room, 0, "x"))
	}
	alice.answer(ids[0])
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	alice.end()
	alice.event("Draining", func(f *wire.ServerFrame) bool { return f.GetDraining() != nil })
	acked := 1
	for _, id := range ids[1:] {
		f := alice.take(func(f *wire.ServerFrame) bool { return f.Id == id })
		if f.GetAck() != nil {
			acked++
		} else if f != nil {
			refusedWith(t, wire.ErrorCode_ERROR_CODE_UNAVAILABLE, f)
		}
	}
	if strings.Contains(h.log.String(), "level=ERROR") {
		t.Errorf("the log has errors:\n%s", h.log)
	}
}

// TestSilent: a connection that says nothing is closed.
func TestSilent(t *testing.T) {
	h := open(t)
	p := h.connect(t, newKey(t))
	server.Sweep(h.server)
	if p.ask(ping()).GetPong() == nil {
		t.Fatal("closed too early")
	}
	h.clock.turn(3*wire.PingEvery + time.Second)
	server.Sweep(h.server)
	p.end()
}

// TestRefusedFollowLeavesNothing: a Follow that names one room that there is and then one that is malformed or not
// there, again and again, would otherwise fill the server's memory with cursors that nobody reads.
func TestRefusedFollowLeavesNothing(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	room := alice.room()
	many := func(rooms ...[]byte) *wire.ClientFrame {
		m := new(wire.Follow)
		for _, r := range rooms {
			m.Rooms = append(m.Rooms, &wire.Cursor{Room: r})
		}
		return &wire.ClientFrame{Body: &wire.ClientFrame_Follow{Follow: m}}
	}
	before := server.Followed(h.server)
	alice.refused(bad, many(room[:], []byte("short")))
	alice.refused(notFound, many(room[:], bytes.Repeat([]byte("x"), 16)))
	if got := server.Followed(h.server); got != before {
		t.Errorf("%d cursors are kept for Follows that were refused, want %d", got, before)
	}
	crowd := make([][]byte, 10_001)
	for i := range crowd {
		crowd[i] = room[:]
	}
	alice.refused(tooLarge, many(crowd...))
	if alice.ask(many(room[:])).GetDone() == nil {
		t.Error("a good Follow is refused after bad ones")
	}
}
