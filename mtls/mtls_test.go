package mtls_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"snug/mtls"
)

// patience is how long is waited for what has to come: long, for machines that have much else to do.
const patience = time.Minute

// identity makes one from a seed, so that it is the same in every run.
func identity(t testing.TB, seed string) *mtls.Identity {
	t.Helper()
	var b [ed25519.SeedSize]byte
	copy(b[:], seed)
	id, err := mtls.FromKey(ed25519.NewKeyFromSeed(b[:]))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// listener listens on loopback for these pins, and tells of refusals.
func listener(t testing.TB, id *mtls.Identity, pins ...mtls.Fingerprint) (*mtls.Listener, <-chan error) {
	t.Helper()
	refusals := make(chan error, 16)
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: id, Trust: mtls.Pin(pins...),
		Refused: func(_ net.Addr, err error) { refusals <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, refusals
}

func dial(t testing.TB, l net.Addr, id *mtls.Identity, pins ...mtls.Fingerprint) (*mtls.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := mtls.Dial(ctx, "tcp", l.String(), &mtls.ClientOptions{Identity: id, Trust: mtls.Pin(pins...)})
	if err == nil {
		conn.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// pair gives two ends of one connection.
func pair(t testing.TB) (alice, bob *mtls.Conn) {
	t.Helper()
	a, b := identity(t, "alice"), identity(t, "bob")
	l, _ := listener(t, b, a.Fingerprint())
	alice, err := dial(t, l.Addr(), a, b.Fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	bob, err = l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	bob.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { bob.Close() })
	return alice, bob
}

func wantPeerError(t *testing.T, err error, reason string, got mtls.Fingerprint) {
	t.Helper()
	var peer *mtls.PeerError
	if !errors.As(err, &peer) || !strings.Contains(peer.Reason, reason) || peer.Got != got {
		t.Errorf("got %v, want a PeerError: %s, got %s", err, reason, got)
	}
}

func wantRefused(t *testing.T, err error) {
	t.Helper()
	var refused *mtls.RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("got %v, want a RefusedError", err)
	}
}

func TestDial(t *testing.T) {
	alice, bob := pair(t)
	for _, end := range []struct {
		conn *mtls.Conn
		peer string
	}{{alice, "bob"}, {bob, "alice"}} {
		state := end.conn.ConnectionState()
		if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 || state.DidResume || state.NegotiatedProtocol != mtls.Protocol {
			t.Errorf("version %x, curve %v, resumed %v, protocol %q", state.Version, state.CurveID, state.DidResume, state.NegotiatedProtocol)
		}
		if got, want := end.conn.Peer().Fingerprint, identity(t, end.peer).Fingerprint(); got != want {
			t.Errorf("peer = %v, want %v", got, want)
		}
		if key, ok := end.conn.Peer().Ed25519(); !ok || key == [32]byte{} {
			t.Error("the peer has no Ed25519 key")
		} else if got := mtls.FingerprintOfEd25519(key); got != end.conn.Peer().Fingerprint {
			t.Errorf("its fingerprint is %v, want %v", got, end.conn.Peer().Fingerprint)
		}
	}
}

func TestHalfClose(t *testing.T) {
	alice, bob := pair(t)
	io.WriteString(alice, "question")
	if err := alice.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(bob); err != nil || string(b) != "question" {
		t.Fatalf("read %q, %v", b, err)
	}
	io.WriteString(bob, "answer")
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(alice); err != nil || string(b) != "answer" {
		t.Fatalf("read %q, %v", b, err)
	}
}

func TestDeadline(t *testing.T) {
	alice, _ := pair(t)
	alice.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := alice.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want ErrDeadlineExceeded", err)
	}
}

// TestTruncated: a connection that is cut between two records is not one that ended.
func TestTruncated(t *testing.T) {
	alice, bob := pair(t)
	io.WriteString(alice, "half of it")
	alice.NetConn().Close()
	if b, err := io.ReadAll(bob); !errors.Is(err, mtls.ErrTruncated) || string(b) != "half of it" {
		t.Errorf("read %q, %v, want ErrTruncated", b, err)
	}
}

// TestUnpinned: nobody is dialed without a pin.
func TestUnpinned(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	var came atomic.Bool
	go func() {
		if _, err := tcp.Accept(); err == nil {
			came.Store(true)
		}
	}()
	id := identity(t, "alice")
	for name, pins := range map[string][]mtls.Fingerprint{
		"no pin": nil, "zero pin": {{}}, "zero among others": {id.Fingerprint(), {}},
	} {
		if _, err := dial(t, tcp.Addr(), id, pins...); err != mtls.ErrUnpinned {
			t.Errorf("%s: Dial gave %v, want ErrUnpinned", name, err)
		}
		if _, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{Identity: id, Trust: mtls.Pin(pins...)}); err != mtls.ErrUnpinned {
			t.Errorf("%s: Listen gave %v, want ErrUnpinned", name, err)
		}
	}
	if _, err := mtls.ClientTLS(id, mtls.Fingerprint{}, mtls.Messenger); err != mtls.ErrUnpinned {
		t.Errorf("ClientTLS gave %v, want ErrUnpinned", err)
	}
	if _, err := dial(t, tcp.Addr(), nil, id.Fingerprint()); err == nil {
		t.Error("dialed without an identity")
	}
	if came.Load() {
		t.Error("somebody was dialed without a pin")
	}
}

func TestWrongListener(t *testing.T) {
	alice, bob, mallory := identity(t, "alice"), identity(t, "bob"), identity(t, "mallory")
	l, refusals := listener(t, mallory, alice.Fingerprint())
	_, err := dial(t, l.Addr(), alice, bob.Fingerprint())
	wantPeerError(t, err, "unknown key", mallory.Fingerprint())
	for _, f := range []mtls.Fingerprint{bob.Fingerprint(), mallory.Fingerprint()} {
		if !strings.Contains(err.Error(), f.String()) {
			t.Errorf("%q does not name %s", err, f)
		}
	}
	if err := <-refusals; err == nil {
		t.Error("the listener was not told")
	}
}

// TestRefusedDialer: Dial itself fails, so nothing can be written and lost.
func TestRefusedDialer(t *testing.T) {
	alice, bob, mallory := identity(t, "alice"), identity(t, "bob"), identity(t, "mallory")
	l, refusals := listener(t, bob, alice.Fingerprint())
	for range 20 { // a reset that overtakes the alert would show now and then
		_, err := dial(t, l.Addr(), mallory, bob.Fingerprint())
		wantRefused(t, err)
		wantPeerError(t, <-refusals, "unknown key", mallory.Fingerprint())
	}
	if _, err := dial(t, l.Addr(), alice, bob.Fingerprint()); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
}

// TestManInTheMiddle puts one between who ends TLS on both sides with a key of
// its own.
func TestManInTheMiddle(t *testing.T) {
	alice, bob, mallory := identity(t, "alice"), identity(t, "bob"), identity(t, "mallory")
	real, atBob := listener(t, bob, alice.Fingerprint())
	fake, _ := listener(t, mallory, alice.Fingerprint())
	_, err := dial(t, fake.Addr(), alice, bob.Fingerprint())
	wantPeerError(t, err, "unknown key", mallory.Fingerprint())
	_, err = dial(t, real.Addr(), mallory, bob.Fingerprint())
	wantRefused(t, err)
	wantPeerError(t, <-atBob, "unknown key", mallory.Fingerprint())
}

// TestStolenCertificate shows a certificate without its key.
func TestStolenCertificate(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	l, refusals := listener(t, bob, alice.Fingerprint())
	_, other, _ := ed25519.GenerateKey(nil)
	err := foreign(t, l.Addr(), &tls.Config{
		NextProtos:   []string{mtls.Protocol},
		Certificates: []tls.Certificate{{Certificate: [][]byte{alice.Certificate()}, PrivateKey: other}},
	}, bob)
	if err == nil {
		t.Error("a stolen certificate came through")
	}
	if err := <-refusals; err == nil {
		t.Error("the listener accepted a stolen certificate")
	}
}

func TestForeignDialers(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		t.Fatal(err)
	}
	strong := certificateFor(t, key)
	l, refusals := listener(t, bob, alice.Fingerprint(), mtls.FingerprintOf(strong.Leaf))
	shown := []tls.Certificate{strong}
	for name, row := range map[string]struct {
		config *tls.Config
		good   bool
	}{
		"RSA-2048, pinned": {&tls.Config{NextProtos: []string{mtls.Protocol}, Certificates: shown}, true},
		"TLS 1.2":          {&tls.Config{NextProtos: []string{mtls.Protocol}, Certificates: shown, MaxVersion: tls.VersionTLS12}, false},
		"no certificate":   {&tls.Config{NextProtos: []string{mtls.Protocol}}, false},
		"no protocol":      {&tls.Config{Certificates: shown}, false},
		"another protocol": {&tls.Config{NextProtos: []string{"snug/1"}, Certificates: shown}, false},
	} {
		err := foreign(t, l.Addr(), row.config, bob)
		if (err == nil) != row.good {
			t.Errorf("%s: got %v", name, err)
		}
		if !row.good {
			if err := <-refusals; err == nil {
				t.Errorf("%s: the listener was not told", name)
			}
			continue
		}
		conn, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

func TestGarbage(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	l, refusals := listener(t, bob, alice.Fingerprint())
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", strings.Repeat("\x00", 1000), ""} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, garbage)
		conn.(*net.TCPConn).CloseWrite()
		if err := <-refusals; err == nil {
			t.Errorf("%q was accepted", garbage)
		}
		conn.Close()
	}
	if _, err := dial(t, l.Addr(), alice, bob.Fingerprint()); err != nil {
		t.Errorf("after the garbage: %v", err)
	}
}

// TestListenerThatSaysNothing: Dial waits for the confirmation, and no longer than
// its context.
func TestListenerThatSaysNothing(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	for name, row := range map[string]struct {
		answer func(net.Conn)
		within time.Duration
		want   error
	}{
		"silence": {func(c net.Conn) { io.Copy(io.Discard, c) }, 300 * time.Millisecond, context.DeadlineExceeded},
		"cut":     {func(c net.Conn) { c.(*tls.Conn).NetConn().Close() }, patience, mtls.ErrTruncated},
	} {
		ours, theirs := net.Pipe()
		config, err := mtls.ServerConfig(bob, mtls.Pin(alice.Fingerprint()), mtls.Protocol)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			server := tls.Server(theirs, config)
			if server.Handshake() == nil {
				row.answer(server)
			}
			theirs.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), row.within)
		_, err = mtls.Client(ctx, ours, &mtls.ClientOptions{Identity: alice, Trust: mtls.Pin(bob.Fingerprint())})
		if !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", name, err, row.want)
		}
		cancel()
		<-ended
	}
}

func TestListenerClose(t *testing.T) {
	bob := identity(t, "bob")
	l, _ := listener(t, bob, bob.Fingerprint())
	slow, err := net.Dial("tcp", l.Addr().String()) // never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v, want ErrClosed", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close again: %v, want ErrClosed", err)
	}
}

// foreign dials as a program of somebody else, who does not care whom it reaches,
// shows what config says, and reads the confirmation.
func foreign(t *testing.T, addr net.Addr, config *tls.Config, bob *mtls.Identity) error {
	t.Helper()
	ours, err := mtls.ClientTLS(bob, bob.Fingerprint(), "x")
	if err != nil {
		t.Fatal(err)
	}
	ours.NextProtos, ours.Certificates = config.NextProtos, config.Certificates
	ours.GetClientCertificate = nil
	ours.VerifyConnection = nil
	if config.MaxVersion != 0 {
		ours.MinVersion, ours.MaxVersion = config.MaxVersion, config.MaxVersion
	}
	raw, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	conn := tls.Client(raw, ours)
	if err := conn.Handshake(); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

func certificateFor(t *testing.T, key *rsa.PrivateKey) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(nil, template(), template(), &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
