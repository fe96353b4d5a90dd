//go:build !js

package transport_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"snug/client"
	"snug/client/sqlite"
	"snug/internal/ident"
	"snug/internal/server"
	store "snug/internal/server/sqlite"
	"snug/internal/transport"
	"snug/internal/wire"
	"snug/mtls"
)

const passphrase = "velvet tundra 9 mosaic harpoon glacier"

// patience bounds every wait of these tests; nothing is expected to come near it.
const patience = time.Minute

// serve runs a server until the test ends.
func serve(t *testing.T) transport.Address {
	t.Helper()
	identity, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.TempDir(), store.Config{Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), server.Config{Store: db, Rand: rand.Reader, ID: identity.Fingerprint(),
		Registration: wire.RegistrationMode_REGISTRATION_MODE_OPEN})
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
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, server.Ports{TLS: listener, TLSConfig: config}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server: %v", err)
		}
		db.Close()
	})
	return transport.Address{HostPort: listener.Addr().String(), Pin: identity.Fingerprint()}
}

// run runs a client on the home directory until the test ends.
func run(t *testing.T, home string, address transport.Address) *client.Client {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(home, "client.db"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(t.Context(), client.Config{Store: s, Transport: transport.NewNative(address), Now: time.Now,
		Rand: rand.Reader, Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		c.Close()
		s.Close()
	})
	return c
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func register(t *testing.T, home string, address transport.Address, handle string) *client.Client {
	t.Helper()
	c := run(t, home, address)
	_, err := c.Register(limit(t), client.RegisterOptions{Handle: handle, Passphrase: passphrase, DeviceName: "laptop"})
	if err != nil {
		t.Fatalf("registering %s: %v", handle, err)
	}
	return c
}

// TestConversation has three processes of two homes talk over a real server: two of them share a store.
func TestConversation(t *testing.T) {
	address := serve(t)
	homes := []string{t.TempDir(), t.TempDir()}
	alice, bob := register(t, homes[0], address, "alice"), register(t, homes[1], address, "bob")
	second := run(t, homes[1], address) // bob's other process
	events := second.Events()
	defer events.Close()
	room, err := alice.Direct(limit(t), "bob")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 10 {
		say(t, alice, room, fmt.Sprint("a", i))
		there, err := bob.Resolve(limit(t), "@alice")
		if err != nil {
			t.Fatal(err)
		}
		say(t, bob, there, fmt.Sprint("b", i))
		want = append(want, fmt.Sprint("a", i), fmt.Sprint("b", i))
	}
	for _, c := range []*client.Client{alice, bob, second} {
		if got := history(t, c, room); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var shown []string
	for len(shown) < len(want) {
		select {
		case event := <-events.C:
			if m, ok := event.(client.MessageChanged); ok && m.Message.Kind == client.Text && m.Message.Seq > 0 {
				shown = append(shown, m.Message.Text)
			}
		case <-time.After(patience):
			t.Fatalf("bob's other process showed only %q", shown)
		}
	}
	if !slices.Equal(shown, want) {
		t.Errorf("bob's other process showed %q, want %q", shown, want)
	}
}

func say(t *testing.T, c *client.Client, room ident.RoomID, text string) {
	t.Helper()
	if _, err := c.Send(limit(t), room, text); err != nil {
		t.Fatalf("sending %q: %v", text, err)
	}
}

func history(t *testing.T, c *client.Client, room ident.RoomID) (texts []string) {
	t.Helper()
	if err := c.CatchUp(limit(t), room); err != nil {
		t.Fatal(err)
	}
	messages, err := c.History(limit(t), room, client.HistoryOptions{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Kind != client.Notice {
			texts = append(texts, m.Text+m.Gap)
		}
	}
	return texts
}

func code(err error) client.Code {
	var refusal *client.Error
	if !errors.As(err, &refusal) {
		return 0
	}
	return refusal.Code
}

func TestRefusedServers(t *testing.T) {
	address := serve(t)
	other, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		address transport.Address
		within  time.Duration
		want    client.Code
	}{
		{"another key", transport.Address{HostPort: address.HostPort, Pin: other.Fingerprint()}, time.Minute, client.Refused},
		{"nobody there", transport.Address{HostPort: "127.0.0.1:1", Pin: address.Pin}, time.Second, client.Unreachable},
		{"TLS 1.2", oldServer(t), time.Second, client.Unreachable},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := run(t, t.TempDir(), row.address)
			ctx, cancel := context.WithTimeout(t.Context(), row.within)
			defer cancel()
			_, err := c.Login(ctx, client.LoginOptions{Handle: "alice", Passphrase: passphrase, DeviceName: "x"})
			if code(err) != row.want {
				t.Errorf("got %v (code %d), want code %d", err, code(err), row.want)
			}
		})
	}
}

// oldServer speaks nothing newer than TLS 1.2.
func oldServer(t *testing.T) transport.Address {
	identity, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	config, err := mtls.ServerTLS(identity, nil)
	if err != nil {
		t.Fatal(err)
	}
	config = config.Clone()
	config.GetConfigForClient = nil
	config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	return transport.Address{HostPort: listener.Addr().String(), Pin: identity.Fingerprint()}
}

func TestParseAddress(t *testing.T) {
	identity, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	good := "example.org:8443#" + identity.Fingerprint().String()
	if a, err := transport.ParseAddress(good); err != nil || a.String() != good {
		t.Errorf("got %q, %v", a, err)
	}
	for text, want := range map[string]client.Code{
		"example.org:8443": client.Refused, "example.org:8443#": client.Usage, "#" + identity.Fingerprint().String(): client.Usage,
		"example.org:8443#abc": client.Usage, "": client.Refused,
	} {
		if _, err := transport.ParseAddress(text); err == nil || code(err) != want && code(err) != client.Usage && code(err) != client.Refused {
			t.Errorf("%q: got %v, want code %d", text, err, want)
		}
	}
}

// TestMembership has accounts and devices come and go on a real server.
func TestMembership(t *testing.T) {
	address := serve(t)
	homes := []string{t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()}
	alice, bob := register(t, homes[0], address, "alice"), register(t, homes[1], address, "bob")
	carol := register(t, homes[2], address, "carol")
	made, err := alice.CreateRoom(limit(t), client.CreateRoomOptions{Name: "friends", Handles: []string{"bob", "carol"}})
	if err != nil {
		t.Fatal(err)
	}
	room := made.ID
	say(t, alice, room, "one")
	eventually(t, "carol joins", func() bool { _, err := carol.Resolve(limit(t), "friends"); return err == nil })
	say(t, carol, room, "two")
	if err := alice.RemoveMembers(limit(t), room, "carol"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "carol is out", func() bool { r, err := carol.Room(limit(t), room); return err == nil && !r.Joined })
	phone := run(t, homes[3], address)
	if _, err := phone.Login(limit(t), client.LoginOptions{Handle: "bob", Passphrase: passphrase, DeviceName: "phone"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob's phone is in", func() bool { r, err := phone.Room(limit(t), room); return err == nil && r.Joined })
	say(t, phone, room, "three")
	if err := alice.AddMembers(limit(t), room, "carol"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "carol is in again", func() bool { r, err := carol.Room(limit(t), room); return err == nil && r.Joined })
	say(t, carol, room, "four")
	if err := bob.LeaveRoom(limit(t), room); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob has left", func() bool { m, err := alice.Members(limit(t), room); return err == nil && len(m) == 2 })
	say(t, alice, room, "five")
	if got, want := history(t, alice, room), []string{"one", "two", "three", "four", "five"}; !slices.Equal(got, want) {
		t.Errorf("alice has %q, want %q", got, want)
	}
	if got, want := history(t, carol, room), []string{"one", "two", "this device was out of the room", "four", "five"}; !slices.Equal(got, want) {
		t.Errorf("carol has %q, want %q", got, want)
	}
	if err := phone.Logout(limit(t)); err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}
