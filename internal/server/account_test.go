package server_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"
)

const (
	inviteInvalid = wire.ErrorCode_ERROR_CODE_INVITE_INVALID
	handleTaken   = wire.ErrorCode_ERROR_CODE_HANDLE_TAKEN
	credentials   = wire.ErrorCode_ERROR_CODE_CREDENTIALS
	closed        = wire.ErrorCode_ERROR_CODE_REGISTRATION_CLOSED
	rateLimited   = wire.ErrorCode_ERROR_CODE_RATE_LIMITED
)

func register(who *person) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_Register{Register: who.register}}
}

func login(handle string, authKey []byte) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_Login{Login: &wire.Login{Handle: handle, AuthKey: authKey}}}
}

// newcomer connects with a fresh key and prepares a registration for it.
func (h *house) newcomer(t *testing.T, handle, invite string) (*peer, *person) {
	t.Helper()
	key := newKey(t)
	p := h.connect(t, key)
	who := newPerson(t, handle, key.Public())
	who.register.Invite = invite
	return p, who
}

func (h *house) ownerInvite(t *testing.T) string {
	t.Helper()
	code, err := h.server.OwnerInvite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestInvites(t *testing.T) {
	h := openAs(t, wire.RegistrationMode_REGISTRATION_MODE_INVITE, sqlite.Config{})
	former := h.ownerInvite(t)
	owners := h.ownerInvite(t)
	p, who := h.newcomer(t, "alice", "")
	p.refused(inviteInvalid, register(who))
	who.register.Invite = former
	p.refused(inviteInvalid, register(who))
	who.register.Invite = "no code"
	p.refused(inviteInvalid, register(who))
	who.register.Invite = owners
	if reply := p.ask(register(who)); !reply.GetRegistered().GetOwner() {
		t.Fatalf("registering as the owner: %v", reply)
	}
	if code := h.ownerInvite(t); code != "" {
		t.Error("a second owner's invite was made")
	}
	create := &wire.ClientFrame{Body: &wire.ClientFrame_CreateInvite{CreateInvite: &wire.CreateInvite{ValidHours: 2}}}
	code := p.ask(create).GetInvite().GetCode()
	late := p.ask(create).GetInvite().GetCode()
	for _, hours := range []uint32{30*24 + 1, 2_562_048, 1<<32 - 1} { // the second is a negative time.Duration
		p.refused(bad, &wire.ClientFrame{Body: &wire.ClientFrame_CreateInvite{CreateInvite: &wire.CreateInvite{ValidHours: hours}}})
	}
	bob, hers := h.newcomer(t, "bob", code)
	if reply := bob.ask(register(hers)); reply.GetRegistered() == nil || reply.GetRegistered().Owner {
		t.Fatalf("registering by invite: %v", reply)
	}
	bob.refused(forbidden, create)
	eve, his := h.newcomer(t, "eve", code)
	eve.refused(inviteInvalid, register(his))
	h.clock.turn(2*time.Hour + time.Minute)
	his.register.Invite = late
	eve.refused(inviteInvalid, register(his))
}

func TestClosed(t *testing.T) {
	h := openAs(t, wire.RegistrationMode_REGISTRATION_MODE_CLOSED, sqlite.Config{})
	p, who := h.newcomer(t, "alice", "")
	p.refused(closed, register(who))
	who.register.Invite = h.ownerInvite(t)
	if reply := p.ask(register(who)); !reply.GetRegistered().GetOwner() {
		t.Fatalf("the owner of a closed server: %v", reply)
	}
}

func TestRegister(t *testing.T) {
	h := open(t)
	alice, who := h.joinPerson(t, "alice")
	if reply := alice.ask(register(who)); reply.GetRegistered() == nil {
		t.Errorf("the same again: %v", reply)
	}
	other := newPerson(t, "alice", newKey(t).Public())
	p, taken := h.newcomer(t, "alice", "")
	p.refused(handleTaken, register(taken))
	p.refused(forbidden, register(other)) // another device's key than in TLS
	for name, spoil := range map[string]func(*wire.Register){
		"handle":   func(m *wire.Register) { m.Handle = "bob" },
		"chain":    func(m *wire.Register) { m.Chain = m.Chain[:len(m.Chain)-1] },
		"auth key": func(m *wire.Register) { m.AuthKey = nil },
		"salt":     func(m *wire.Register) { m.Salt = nil },
		"cost":     func(m *wire.Register) { m.Argon2 = &wire.Argon2Parameters{MemoryKib: 8, Passes: 1, Lanes: 1} },
		"no cost":  func(m *wire.Register) { m.Argon2 = nil },
	} {
		p, who := h.newcomer(t, "carol", "")
		spoil(who.register)
		if e := p.refused(bad, register(who)); e.Message == "" {
			t.Errorf("%s: no message", name)
		}
	}
	// The account exists with another passphrase now: no way to find out more.
	who.register.AuthKey = bytes.Repeat([]byte("q"), 32)
	alice.refused(conflict, register(who))
	reply := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{}}}).GetRooms()
	if len(reply.GetRooms()) != 1 || reply.Rooms[0].Name != server.CommonRoom || !reply.Rooms[0].Joined {
		t.Errorf("a new account sees %v, want the common room", reply)
	}
}

// TestLogin: a wrong passphrase and an unknown handle are one answer.
func TestLogin(t *testing.T) {
	h := open(t)
	_, who := h.joinPerson(t, "alice")
	p := h.connect(t, newKey(t))
	wrong := p.refused(credentials, login("alice", bytes.Repeat([]byte("w"), 32)))
	unknown := p.refused(credentials, login("nobody", bytes.Repeat([]byte("w"), 32)))
	if !wrong.EqualVT(unknown) {
		t.Errorf("the answers differ: %v and %v", wrong, unknown)
	}
	ask := func(handle string) *wire.LoginParameters {
		return p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_GetLoginParameters{GetLoginParameters: &wire.GetLoginParameters{Handle: handle}}}).GetLoginParameters()
	}
	if a, b := ask("nobody"), ask("nobody"); !a.EqualVT(b) || len(a.GetSalt()) != 16 {
		t.Errorf("login parameters of nobody are %v and %v", a, b)
	}
	if real, fake := ask("alice"), ask("nobody"); !real.Argon2.EqualVT(fake.Argon2) {
		t.Errorf("the parameters tell: %v and %v", real, fake)
	}
	reply := p.ask(login("alice", who.authKey)).GetLoggedIn()
	if reply == nil || !bytes.Equal(reply.Chain, who.chain.Marshal()) || string(reply.Vault) != "sealed vault of alice" {
		t.Fatalf("logged in: %v", reply)
	}
	// Logged in is not yet a device.
	p.refused(noAuth, &wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{}}})
	h.clock.stop()
	for range 20 {
		if e := p.ask(login("alice", make([]byte, 32))).GetError(); e.GetCode() == rateLimited && e.RetryAfterMs > 0 {
			if !strings.HasPrefix(e.Hint, "wait ") {
				t.Errorf("the hint is %q, want how long to wait", e.Hint)
			}
			return
		}
	}
	t.Error("20 wrong passphrases, and no limit")
}

// TestRenameDevice: everybody who shares a room hears of the name.
func TestRenameDevice(t *testing.T) {
	h := open(t)
	alice, who := h.joinPerson(t, "alice")
	friend := h.join(t, "bob")
	room := alice.room()
	alice.acked(alice.commit(room, 0, []*wire.DeviceRef{friend.ref()}, nil))
	rename := func(s ident.Statement) *wire.ClientFrame {
		chain := who.chain.Clone()
		if err := chain.Append(who.identity, s, h.clock.now()); err != nil {
			t.Fatal(err)
		}
		return &wire.ClientFrame{Body: &wire.ClientFrame_RenameDevice{RenameDevice: &wire.RenameDevice{Chain: chain.Marshal()}}}
	}
	h.connect(t, newKey(t)).refused(noAuth, rename(ident.Rename{Device: alice.device.ID, Name: "desk"}))
	alice.refused(bad, rename(ident.Revoke{Device: alice.device.ID}))
	alice.refused(bad, rename(ident.Enrol{Key: newKey(t).Public(), Name: "x"}))
	friend.refused(bad, rename(ident.Rename{Device: alice.device.ID, Name: "desk"}))
	named := rename(ident.Rename{Device: alice.device.ID, Name: "desk"})
	for range 2 {
		if reply := alice.ask(named); reply.GetDone() == nil {
			t.Fatalf("renaming: %v", reply)
		}
	}
	e := friend.event("the chain", func(f *wire.ServerFrame) bool { return f.GetChain() != nil }).GetChain()
	if !bytes.Equal(e.Chain, named.GetRenameDevice().Chain) {
		t.Error("the chain told is another")
	}
	alice.refused(conflict, rename(ident.Rename{Device: alice.device.ID, Name: "late"}))
}

// TestRevokedHangsUp: a revoked device's connections end, also of one that reads nothing and says nothing, and in less
// time than is promised.
func TestRevokedHangsUp(t *testing.T) {
	if longest := server.CloseWithin + server.Farewell; longest >= 5*time.Second {
		t.Errorf("a connection may live %v after its device was revoked, want less than 5 s", longest)
	}
	h := open(t)
	first, who := h.joinPerson(t, "alice")
	key := newKey(t)
	chain := who.chain.Clone()
	if err := chain.Append(who.identity, ident.Enrol{Key: key.Public(), Name: "lost"}, h.clock.now()); err != nil {
		t.Fatal(err)
	}
	lost := h.connect(t, key)
	lost.ask(login("alice", who.authKey))
	if lost.ask(&wire.ClientFrame{Body: &wire.ClientFrame_EnrolDevice{EnrolDevice: &wire.EnrolDevice{Chain: chain.Marshal()}}}).GetAuthenticated() == nil {
		t.Fatal("enrolling is refused")
	}
	deaf := h.connect(t, key)
	paused := make(chan struct{})
	deaf.paused.Store(&paused)
	id := ident.NewDeviceID(chain.Account(), key.Public())
	if err := chain.Append(who.identity, ident.Revoke{Device: id}, h.clock.now()); err != nil {
		t.Fatal(err)
	}
	if first.ask(&wire.ClientFrame{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{Chain: chain.Marshal()}}}).GetDone() == nil {
		t.Fatal("revoking is refused")
	}
	lost.end()
	close(paused)
	deaf.end()
	if first.ask(ping()).GetPong() == nil {
		t.Error("the device that revoked was cut as well")
	}
	// Coming back it is shown the proof, and let in nowhere.
	back := h.connect(t, key)
	if e := back.event("the chain", func(f *wire.ServerFrame) bool { return f.GetChain() != nil }); !bytes.Equal(e.GetChain().Chain, chain.Marshal()) {
		t.Error("the chain shown is another")
	}
	back.refused(noAuth, &wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{}}})
}

// TestDevices: a second device by passphrase; its revocation ends its connection.
func TestDevices(t *testing.T) {
	h := open(t)
	first, who := h.joinPerson(t, "alice")
	friend, stranger := h.join(t, "bob"), newKey(t)
	room := first.room()
	first.acked(first.commit(room, 0, []*wire.DeviceRef{friend.ref()}, nil))
	key := newKey(t)
	second := h.connect(t, key)
	second.ask(login("alice", who.authKey))

	at := time.Unix(1_800_000_001, 0)
	grown := who.chain.Clone()
	enrol := func(chain *ident.Chain) *wire.ClientFrame {
		return &wire.ClientFrame{Body: &wire.ClientFrame_EnrolDevice{EnrolDevice: &wire.EnrolDevice{Chain: chain.Marshal(), LastResortKeyPackage: []byte("last")}}}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	other := who.chain.Clone()
	must(other.Append(who.identity, ident.Enrol{Key: stranger.Public(), Name: "x"}, at))
	second.refused(forbidden, enrol(other)) // a key that it does not have
	must(grown.Append(who.identity, ident.Enrol{Key: key.Public(), Name: "tablet"}, at))
	twice := grown.Clone()
	must(twice.Append(who.identity, ident.Enrol{Key: newKey(t).Public(), Name: "y"}, at))
	second.refused(conflict, enrol(twice)) // two statements at once
	device := second.ask(enrol(grown)).GetAuthenticated()
	if device.GetHandle() != "alice" {
		t.Fatalf("enrolled as %v", device)
	}
	if again := second.ask(enrol(grown)).GetAuthenticated(); !again.EqualVT(device) {
		t.Errorf("enrolled again as %v", again)
	}
	// It may not have heard so, and begin anew: nothing is added.
	if second.ask(login("alice", who.authKey)).GetLoggedIn() == nil {
		t.Error("a device cannot begin anew")
	}
	if again := second.ask(enrol(grown)).GetAuthenticated(); !again.EqualVT(device) {
		t.Errorf("enrolled anew as %v", again)
	}
	friend.refused(bad, login("alice", who.authKey))
	e := friend.event("the grown chain", func(f *wire.ServerFrame) bool { return f.GetChain() != nil }).GetChain()
	if !bytes.Equal(e.Chain, grown.Marshal()) {
		t.Error("the chain told is another")
	}
	if again := h.connect(t, key); !again.hello.GetAuthenticated().EqualVT(device) {
		t.Errorf("connected again as %v", again.hello.Authenticated)
	}
	third := h.connect(t, newKey(t))
	third.ask(login("alice", who.authKey))
	third.refused(conflict, enrol(other)) // the chain has grown meanwhile

	revoked := grown.Clone()
	must(revoked.Append(who.identity, ident.Revoke{Device: ident.DeviceID(device.Device)}, at))
	revoke := &wire.ClientFrame{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{Chain: revoked.Marshal()}}}
	friend.refused(bad, revoke)
	for range 2 {
		if reply := first.ask(revoke); reply.GetDone() == nil {
			t.Fatalf("revoking: %v", reply)
		}
	}
	second.end()
	if p := h.connect(t, key); p.hello.Authenticated != nil {
		t.Error("a revoked device's key is let in")
	}
	chains := friend.ask(&wire.ClientFrame{Body: &wire.ClientFrame_GetChains{GetChains: &wire.GetChains{
		Accounts: [][]byte{first.device.Account[:], make([]byte, 16)},
	}}}).GetChains()
	if len(chains.GetChains()) != 1 || !bytes.Equal(chains.Chains[0].Chain, revoked.Marshal()) {
		t.Errorf("chains are %v", chains)
	}
}

func TestKeyPackages(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	claim := func() []string {
		var got []string
		reply := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ClaimKeyPackages{ClaimKeyPackages: &wire.ClaimKeyPackages{
			Accounts: [][]byte{bob.device.Account[:]},
		}}}).GetKeyPackages()
		for _, p := range reply.GetKeyPackages() {
			if !bytes.Equal(p.Device, bob.device.ID[:]) {
				t.Errorf("claimed %v", p)
			}
			got = append(got, string(p.KeyPackage))
		}
		return got
	}
	for _, want := range []string{"one-time 1 of bob", "one-time 2 of bob", "last resort of bob", "last resort of bob"} {
		if got := claim(); !slices.Equal(got, []string{want}) {
			t.Errorf("claimed %q, want %q", got, want)
		}
	}
	put := &wire.PutKeyPackages{KeyPackages: [][]byte{[]byte("a"), []byte("b")}, LastResortKeyPackage: []byte("new")}
	if n := bob.ask(&wire.ClientFrame{Body: &wire.ClientFrame_PutKeyPackages{PutKeyPackages: put}}).GetKeyPackages().GetRemaining(); n != 2 {
		t.Errorf("%d remain, want 2", n)
	}
	put.KeyPackages = [][]byte{make([]byte, wire.MaxKeyPackage+1)}
	bob.refused(tooLarge, &wire.ClientFrame{Body: &wire.ClientFrame_PutKeyPackages{PutKeyPackages: put}})
}

// TestPresence: who watches hears who comes and goes.
func TestPresence(t *testing.T) {
	h := open(t)
	alice := h.join(t, "alice")
	if alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_WatchAccounts{WatchAccounts: &wire.WatchAccounts{}}}).GetDone() == nil {
		t.Fatal("watching is refused")
	}
	bob := h.join(t, "bob")
	hear := func(online bool) {
		t.Helper()
		alice.event("bob's coming or going", func(f *wire.ServerFrame) bool {
			return slices.ContainsFunc(f.GetAccountsChanged().GetAccounts(), func(a *wire.Account) bool {
				return a.Handle == "bob" && a.Online == online && (online || a.SeenAt > 0)
			})
		})
	}
	hear(true)
	bob.socket.NetConn().Close()
	hear(false)
	list := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListAccounts{ListAccounts: &wire.ListAccounts{Limit: 1}}}).GetAccounts()
	if len(list.GetAccounts()) != 1 || list.Accounts[0].Handle != "alice" || !list.Accounts[0].Online || !list.More {
		t.Errorf("the first page is %v", list)
	}
	list = alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListAccounts{ListAccounts: &wire.ListAccounts{After: "alice"}}}).GetAccounts()
	if len(list.GetAccounts()) != 1 || list.Accounts[0].Online || list.Accounts[0].SeenAt == 0 || list.More {
		t.Errorf("the second page is %v", list)
	}
}

// TestOpenRoom: members append what they have signed, everybody reads.
func TestOpenRoom(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	rooms := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{}}}).GetRooms()
	room := ident.RoomID(rooms.Rooms[0].Room)
	say := func(by *peer, signer ident.DeviceKey, text string) *wire.ClientFrame {
		id, err := ident.NewMessageID(ident.Random())
		if err != nil {
			t.Fatal(err)
		}
		content := []byte(text)
		payload, err := (&wire.OpenPayload{Content: content, Signature: ident.SignOpen(signer, room, id, content)}).MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		return submit(&wire.Submit{Room: room[:], Kind: wire.EntryKind_ENTRY_KIND_OPEN, Id: id[:], Payload: payload})
	}
	alice.acked(say(alice, alice.key, "hello"))
	bob.refused(forbidden, say(bob, alice.key, "as alice"))
	bob.refused(bad, sealed(room, 0, "sealed"))
	if got := bob.fetch(room, 0); len(got.Entries) != 1 {
		t.Errorf("bob reads %d entries, want 1", len(got.Entries))
	}
	if n := len(bob.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ListMembers{ListMembers: &wire.ListMembers{Room: room[:]}}}).GetMembers().GetMembers()); n != 2 {
		t.Errorf("%d members, want 2", n)
	}
	leave := &wire.ClientFrame{Body: &wire.ClientFrame_LeaveRoom{LeaveRoom: &wire.LeaveRoom{Room: room[:]}}}
	if bob.ask(leave).GetDone() == nil {
		t.Error("leaving is refused")
	}
	bob.refused(forbidden, say(bob, bob.key, "out"))
	// Anybody makes open rooms, but not many: they stand in everybody's list.
	garden := func(i int) *wire.ClientFrame {
		return &wire.ClientFrame{Body: &wire.ClientFrame_CreateRoom{CreateRoom: &wire.CreateRoom{
			Room: bytes.Repeat([]byte{byte('a' + i)}, 16), Kind: wire.RoomKind_ROOM_KIND_OPEN, Name: fmt.Sprintf("garden %d", i),
		}}}
	}
	for i := range 10 {
		if bob.ask(garden(i)).GetRoom() == nil {
			t.Errorf("open room %d is refused", i)
		}
	}
	bob.refused(wire.ErrorCode_ERROR_CODE_RATE_LIMITED, garden(10))
}

// TestWelcomeWaits: a welcome is handed out on every connection until it is taken.
func TestWelcomeWaits(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.room()
	bob.socket.NetConn().Close()
	alice.acked(alice.commit(room, 0, []*wire.DeviceRef{bob.ref()}, nil))
	welcome := func(f *wire.ServerFrame) bool { return bytes.Equal(f.GetWelcome().GetRoom(), room[:]) }
	h.connect(t, bob.key).event("the welcome", welcome)
	again := h.connect(t, bob.key)
	again.event("the welcome", welcome)
	take := &wire.ClientFrame{Body: &wire.ClientFrame_TakeWelcome{TakeWelcome: &wire.TakeWelcome{Room: room[:], Seq: 1}}}
	if again.ask(take).GetDone() == nil {
		t.Fatal("taking is refused")
	}
	last := h.connect(t, bob.key)
	last.ask(ping())
	if f := last.take(welcome); f != nil {
		t.Error("a welcome that was taken is handed out")
	}
}
