package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// keep gives the account a vault that opens, as a client's.
func (p *person) keep(t testing.TB) *ident.Vault {
	t.Helper()
	vault, err := ident.SealVault(ident.Random(), wrapKey(t, "first"), p.chain.Account(), p.identity, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.register.Vault = vault.Marshal()
	return vault
}

// wrapKey stretches a passphrase cheaply.
func wrapKey(t testing.TB, passphrase string) ident.WrapKey {
	t.Helper()
	_, wrap, err := ident.DerivePassphraseKeysInsecure(passphrase, make([]byte, ident.SaltSize), ident.PassphraseParams{MemoryKiB: 8, Passes: 1, Lanes: 1})
	if err != nil {
		t.Fatal(err)
	}
	return wrap
}

// rewrap gives the next vault.
func rewrap(t testing.TB, vault *ident.Vault) *ident.Vault {
	t.Helper()
	opened, err := ident.OpenVault(vault, vault.Account(), wrapKey(t, "first"))
	if err == nil {
		vault, err = vault.Rewrap(ident.Random(), opened.Key, wrapKey(t, "first"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return vault
}

func change(vault []byte, auth byte) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_ChangePassphrase{ChangePassphrase: &wire.ChangePassphrase{
		AuthKey: bytes.Repeat([]byte{auth}, 32), Salt: bytes.Repeat([]byte{auth}, ident.SaltSize),
		Argon2: &wire.Argon2Parameters{MemoryKib: 64 << 10, Passes: 3, Lanes: 1}, Vault: vault,
	}}}
}

func TestChangePassphrase(t *testing.T) {
	h := open(t)
	alice, who := h.newcomer(t, "alice", "")
	vault := who.keep(t)
	if alice.ask(register(who)).GetRegistered() == nil {
		t.Fatal("registering is refused")
	}
	getVault := func() []byte {
		return alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_GetVault{GetVault: &wire.GetVault{}}}).GetVault().GetVault()
	}
	if !bytes.Equal(getVault(), vault.Marshal()) {
		t.Fatal("the vault is another")
	}
	late := h.connect(t, newKey(t))
	if late.ask(login("alice", who.authKey)).GetLoggedIn() == nil {
		t.Fatal("logging in is refused")
	}
	second := rewrap(t, vault)
	for range 2 { // the same again is the same answer
		if reply := alice.ask(change(second.Marshal(), 'b')); reply.GetDone() == nil {
			t.Fatalf("changing: %v", reply)
		}
	}
	if !bytes.Equal(getVault(), second.Marshal()) {
		t.Error("the vault was not replaced")
	}
	late.refused(credentials, login("alice", who.authKey))
	reply := late.ask(login("alice", bytes.Repeat([]byte("b"), 32))).GetLoggedIn()
	if !bytes.Equal(reply.GetVault(), second.Marshal()) {
		t.Errorf("logged in with %v", reply)
	}
	how := late.ask(&wire.ClientFrame{Body: &wire.ClientFrame_GetLoginParameters{GetLoginParameters: &wire.GetLoginParameters{Handle: "alice"}}}).GetLoginParameters()
	if !bytes.Equal(how.GetSalt(), bytes.Repeat([]byte("b"), ident.SaltSize)) {
		t.Errorf("the salt is %x", how.GetSalt())
	}
}

// TestChangePassphraseRefuses: whatever is refused changes nothing.
func TestChangePassphraseRefuses(t *testing.T) {
	h := open(t)
	alice, who := h.newcomer(t, "alice", "")
	vault := who.keep(t)
	if alice.ask(register(who)).GetRegistered() == nil {
		t.Fatal("registering is refused")
	}
	second := rewrap(t, vault)
	if alice.ask(change(second.Marshal(), 'b')).GetDone() == nil {
		t.Fatal("changing is refused")
	}
	_, bob := h.joinPerson(t, "bob")
	stranger := h.connect(t, newKey(t))
	stranger.refused(noAuth, change(rewrap(t, second).Marshal(), 'c'))
	stranger.refused(noAuth, &wire.ClientFrame{Body: &wire.ClientFrame_GetVault{GetVault: &wire.GetVault{}}})
	for _, row := range []struct {
		name  string
		code  wire.ErrorCode
		frame *wire.ClientFrame
	}{
		{"the same vault with another passphrase", conflict, change(second.Marshal(), 'c')},
		{"a vault of the same revision", conflict, change(rewrap(t, vault).Marshal(), 'c')},
		{"a revision left out", conflict, change(rewrap(t, rewrap(t, second)).Marshal(), 'c')},
		{"the first vault", conflict, change(vault.Marshal(), 'c')},
		{"another account's vault", bad, change(rewrap(t, bob.keep(t)).Marshal(), 'c')},
		{"no vault", bad, change(nil, 'c')},
		{"a vault that is too large", tooLarge, change(make([]byte, wire.MaxVault+1), 'c')},
	} {
		if e := alice.refused(row.code, row.frame); e.Message == "" {
			t.Errorf("%s: no message", row.name)
		}
	}
	spoil := change(rewrap(t, second).Marshal(), 'c')
	spoil.GetChangePassphrase().Argon2.MemoryKib = 1024
	if e := alice.ask(spoil).GetError(); e.GetCode() != bad && e.GetCode() != rateLimited {
		t.Errorf("weak parameters: %v", e)
	}
	if h.connect(t, newKey(t)).ask(login("alice", bytes.Repeat([]byte("b"), 32))).GetLoggedIn() == nil {
		t.Error("what was refused has changed the passphrase")
	}
}

// TestLateLogin: who logged in with a passphrase that was changed meanwhile enrols no device.
func TestLateLogin(t *testing.T) {
	h := open(t)
	alice, who := h.newcomer(t, "alice", "")
	vault := who.keep(t)
	if alice.ask(register(who)).GetRegistered() == nil {
		t.Fatal("registering is refused")
	}
	key := newKey(t)
	late := h.connect(t, key)
	if late.ask(login("alice", who.authKey)).GetLoggedIn() == nil {
		t.Fatal("logging in is refused")
	}
	if alice.ask(change(rewrap(t, vault).Marshal(), 'b')).GetDone() == nil {
		t.Fatal("changing is refused")
	}
	grown := who.chain.Clone()
	if err := grown.Append(who.identity, ident.Enrol{Key: key.Public(), Name: "late"}, h.clock.now()); err != nil {
		t.Fatal(err)
	}
	late.refused(conflict, &wire.ClientFrame{Body: &wire.ClientFrame_EnrolDevice{EnrolDevice: &wire.EnrolDevice{Chain: grown.Marshal()}}})
}

// TestLoginWork: an unknown handle and a wrong passphrase cost the same slow hash, one for each try.
func TestLoginWork(t *testing.T) {
	h := open(t)
	h.joinPerson(t, "alice")
	p := h.connect(t, newKey(t))
	for _, handle := range []string{"alice", "nobody", "alice", "nobody"} {
		before := server.Hashed(h.server)
		p.refused(credentials, login(handle, bytes.Repeat([]byte("w"), 32)))
		if n := server.Hashed(h.server) - before; n != 1 {
			t.Errorf("%s: %d slow hashes, want 1", handle, n)
		}
	}
	before := server.Hashed(h.server)
	for range 3 {
		for _, handle := range []string{"alice", "nobody"} {
			p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_GetLoginParameters{GetLoginParameters: &wire.GetLoginParameters{Handle: handle}}})
		}
	}
	if n := server.Hashed(h.server) - before; n != 0 {
		t.Errorf("asking for parameters: %d slow hashes, want 0", n)
	}
}

// TestLoginLimits: tries are limited by account wherever they come from, for handles that nobody has as well.
func TestLoginLimits(t *testing.T) {
	h := open(t)
	h.clock.stop()
	h.joinPerson(t, "alice")
	for _, handle := range []string{"alice", "nobody"} {
		refused := 0
		for i := range 12 {
			p, err := h.browser(t, http.Header{"X-Forwarded-For": {fmt.Sprintf("192.0.%d.1", i)}}) // nobody's word is taken for it
			if err != nil {
				t.Fatal(err)
			}
			if e := p.ask(login(handle, make([]byte, 32))).GetError(); e.GetCode() == rateLimited {
				refused++
				if e.RetryAfterMs <= 0 || e.Hint == "" {
					t.Errorf("%s: %v does not say what to do", handle, e)
				}
			}
		}
		if refused != 2 {
			t.Errorf("%s: %d of 12 tries refused, want 2", handle, refused)
		}
	}
}

// TestAddresses: what counts as one place that tries come from.
func TestAddresses(t *testing.T) {
	const none = "invalid Prefix"
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, row := range []struct {
		name, peer string
		forwarded  []string
		proxies    []netip.Prefix
		want       string
	}{
		{"IPv4", "192.0.2.77:9", nil, nil, "192.0.2.0/24"},
		{"IPv6", "[2001:db8:1:2:3::4]:9", nil, nil, "2001:db8:1::/48"},
		{"IPv6 with a zone", "[fe80::1%eth0]:9", nil, nil, "fe80::/48"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.77]:9", nil, nil, "192.0.2.0/24"},
		{"loopback", "127.0.0.1:9", nil, nil, none},
		{"no address", "@", nil, nil, none},
		{"a header from anybody", "192.0.2.77:9", []string{"198.51.100.1"}, nil, "192.0.2.0/24"},
		{"a header from nobody's proxy", "127.0.0.1:9", []string{"198.51.100.1"}, nil, none},
		{"a header from a stranger", "192.0.2.77:9", []string{"198.51.100.1"}, proxies, "192.0.2.0/24"},
		{"the proxy's header", "127.0.0.1:9", []string{"198.51.100.1"}, proxies, "198.51.100.0/24"},
		{"what the client wrote before", "127.0.0.1:9", []string{"203.0.113.5, 198.51.100.1"}, proxies, "198.51.100.0/24"},
		{"two proxies", "127.0.0.1:9", []string{"203.0.113.5, 198.51.100.1", "10.1.2.3"}, proxies, "198.51.100.0/24"},
		{"nonsense", "127.0.0.1:9", []string{"198.51.100.1, <script>"}, proxies, none},
		{"nonsense behind a proxy's proxy", "127.0.0.1:9", []string{"unknown, 10.1.2.3"}, proxies, "10.1.2.0/24"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := server.Prefix(row.proxies, row.peer, row.forwarded).String(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
