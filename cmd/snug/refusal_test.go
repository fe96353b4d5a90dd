package main_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutsider is the mistake of `if user in room_name`: an account whose handle is part of another's, and who is no
// member, can neither read, write nor learn of the room.
func TestOutsider(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob", "ali")
	alice, ali := people[0], people[2]
	sent := alice.must("send", "@bob", "not for ali")[0]
	room := sent["room"].(string)
	for _, name := range []string{room, "alice", "bob"} {
		ali.mustRefuse(4, "", "history", name)
		ali.mustRefuse(4, "", "send", name, "hello")
		ali.mustRefuse(4, "", "room", "join", name)
		ali.mustRefuse(4, "", "room", "members", name)
	}
	for _, r := range ali.must("rooms") {
		if r["room"] == room {
			t.Errorf("ali is shown %v", r)
		}
	}
	for _, m := range ali.must("tail", "--once") {
		if m["text"] == "not for ali" {
			t.Errorf("ali reads %v", m)
		}
	}
}

// TestTrust refuses servers that are not the pinned one, and clients that are not enrolled.
func TestTrust(t *testing.T) {
	s, other := serve(t), serve(t)
	alice := newPerson(t, "alice")
	file := []string{"--passphrase-file", alice.passphraseFile}
	register := func(address string) []string {
		return append([]string{"register", "alice", "--invite", s.Invite, "--server", address}, file...)
	}
	alice.mustRefuse(3, "pin", register(s.TLS+"#"+other.Pin)...)
	alice.mustRefuse(3, "pin", register(s.TLS)...)
	alice.mustRefuse(3, "pin", register(s.TLS+"#")...)
	alice.mustRefuse(2, "malformed", register(s.TLS+"#short")...)
	alice.mustRefuse(5, "", append(register(nowhere+"#"+s.Pin), "--timeout", "3s")...)
	alice.register(s, s.Invite)

	// The server's key changes under a device that knows it: somebody else answers at its address.
	serverFile := filepath.Join(alice.home, "server")
	if err := os.WriteFile(serverFile, []byte(other.TLS+"#"+s.Pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.mustRefuse(3, "pin", "users")
	// A server that never enrolled this device's key.
	if err := os.WriteFile(serverFile, []byte(other.address()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.mustRefuse(3, "", "users")
}

// nowhere is where nobody listens: a port that was free may be somebody else's by now.
const nowhere = "127.0.0.1:1"

// TestDowngrade offers the server less than TLS 1.3.
func TestDowngrade(t *testing.T) {
	s := serve(t)
	for _, protocols := range [][]string{nil, {"http/1.1"}, {"snug/1"}} {
		config := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, NextProtos: protocols, ServerName: "localhost"}
		conn, err := tls.Dial("tcp", s.TLS, config)
		if err == nil {
			conn.Close()
			t.Errorf("protocols %q: a TLS 1.2 handshake went through", protocols)
		} else if !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("protocols %q: refused with %v, want the protocol version named", protocols, err)
		}
	}
}

// TestServeRefuses starts no server on what contradicts itself or gives people away.
func TestServeRefuses(t *testing.T) {
	data := t.TempDir()
	nobody := newPerson(t, "nobody")
	nobody.mustRefuse(2, "this machine only", "serve", "--data", data, "--http", "0.0.0.0:0")
	nobody.mustRefuse(2, "this machine only", "serve", "--data", data, "--http", ":8080")
	nobody.mustRefuse(2, "this machine only", "serve", "--data", data, "--http", "example.org:8080")
	nobody.mustRefuse(2, "no address", "serve", "--data", data, "--http", "on")
	nobody.mustRefuse(2, "no size", "serve", "--data", data, "--quota", "lots")
	nobody.mustRefuse(2, "no size", "serve", "--data", data, "--quota", "-1GiB")
	nobody.mustRefuse(2, "no address of a proxy", "serve", "--data", data, "--trusted-proxy", "127.0.0.1,proxy.example")
	nobody.mustRefuse(2, "registration", "serve", "--data", data, "--registration", "everybody")
	s := serve(t)
	nobody.mustRefuse(1, "", "serve", "--data", s.data, "--tls", "127.0.0.1:0", "--http", "off") // in use
}

// TestBadInput gives each kind of it a clear error and loses nothing by it.
func TestBadInput(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	invite := alice.must("invite")[0]["invite"].(string)
	carol := newPerson(t, "carol").register(s, invite)

	stranger := newPerson(t, "dave")
	as := func(handle, invite string) []string {
		return []string{"register", handle, "--server", s.address(), "--invite", invite, "--passphrase-file", stranger.passphraseFile}
	}
	stranger.mustRefuse(3, "invite", as("dave", invite)...)               // used
	stranger.mustRefuse(3, "invite", as("dave", s.Invite)...)             // the owner's, used
	stranger.mustRefuse(3, "invite", as("dave", "not-an-invite-code")...) // malformed
	fresh := alice.must("invite")[0]["invite"].(string)
	stranger.mustRefuse(3, "taken", as("alice", fresh)...)
	stranger.mustRefuse(2, "handle", as("Alice Smith", fresh)...)
	stranger.mustRefuse(2, "handle", as("al/../ice", fresh)...)
	// The refusals above used nothing up.
	stranger.register(s, fresh)

	elsewhere := newPerson(t, "alice")
	elsewhere.mustRefuse(3, "passphrase", "login", "alice", "--server", s.address(), "--passphrase-file", elsewhere.wrongPassphrase())
	elsewhere.mustRefuse(3, "passphrase", "login", "nobody-at-all", "--server", s.address(), "--passphrase-file", elsewhere.passphraseFile)
	elsewhere.mustRefuse(3, "signed in", "whoami")

	alice.mustRefuse(4, "", "send", "no-such-room", "hello")
	alice.mustRefuse(4, "", "send", "@nobody", "hello")
	alice.mustRefuse(4, "", "history", "@carol")
	alice.mustRefuse(2, "", "frobnicate")
	alice.mustRefuse(2, "", "send")
	alice.mustRefuse(2, "", "send", "@bob", "--no-such-flag")
	alice.mustRefuse(2, "longer", "send", "@bob", strings.Repeat("x", 33<<10))
	alice.mustRefuse(2, "", "send", "@bob", "  ")
	alice.mustRefuse(3, "", "register", "alice2", "--server", s.address(), "--passphrase-file", alice.passphraseFile)

	// Odd but good input arrives as it was.
	odd := "line one\nline two\ttab \x1b[31mred \u202eesrever 🙂 " + strings.Repeat("long ", 5000)
	if o := alice.try(odd, "send", "@bob"); o.status != 0 {
		t.Fatalf("send from stdin: exit %d\n%s", o.status, o.stderr)
	}
	got := bob.must("history", "@alice")
	if text := got[len(got)-1]["text"]; text != odd {
		t.Errorf("bob reads %.80q, want what was sent", text)
	}
	if len(carol.must("users")) != 4 {
		t.Errorf("carol sees %v, want four people", carol.must("users"))
	}
}

// wrongPassphrase is a file with another passphrase than the person's.
func (p *person) wrongPassphrase() string {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "wrong")
	if err := os.WriteFile(file, []byte("this is not the passphrase at all\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return file
}
