package mtls_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// port serves a messenger's port: it answers each connection with a line that says
// what it saw, and closes. The channel tells how each handshake ended.
func port(t *testing.T, id *mtls.Identity, opts *mtls.ServerOptions) (net.Addr, <-chan error) {
	t.Helper()
	config, err := mtls.ServerTLS(id, opts)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	ended, handshakes := make(chan struct{}), make(chan error, 64)
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handshakes <- answer(conn.(*tls.Conn))
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return l.Addr(), handshakes
}

func answer(conn *tls.Conn) error {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		io.Copy(io.Discard, conn.NetConn())
		return err
	}
	state := conn.ConnectionState()
	peer, err := mtls.PeerKey(state)
	if err != nil {
		_, err = fmt.Fprintf(conn, "%q nobody", state.NegotiatedProtocol)
		return err
	}
	_, err = fmt.Fprintf(conn, "%q %s", state.NegotiatedProtocol, peer.Fingerprint)
	return err
}

// ask connects, and gives the line.
func ask(t *testing.T, addr net.Addr, config *tls.Config) (string, error) {
	t.Helper()
	raw, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	conn := tls.Client(raw, config)
	if err := conn.Handshake(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(conn)
	return string(b), err
}

// browser shows no certificate and takes whatever the server shows, as somebody does
// who clicks the warning away.
func browser(t *testing.T, server *mtls.Identity, protocols ...string) *tls.Config {
	t.Helper()
	config, err := mtls.ClientTLS(server, server.Fingerprint(), "x")
	if err != nil {
		t.Fatal(err)
	}
	config.GetClientCertificate, config.Certificates = nil, nil
	config.VerifyConnection = nil
	config.NextProtos = protocols
	return config
}

func TestMessengerPort(t *testing.T) {
	server, alice := identity(t, "server"), identity(t, "alice")
	addr, _ := port(t, server, nil)
	native, err := mtls.ClientTLS(alice, server.Fingerprint(), mtls.Messenger)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(t, addr, native)
	if want := fmt.Sprintf("%q %s", "snug/1", alice.Fingerprint()); err != nil || got != want {
		t.Errorf("native: got %q, %v, want %q", got, err, want)
	}
	for name, row := range map[string]struct {
		protocols []string
		want      string
	}{
		"browser":          {[]string{"h2", "http/1.1"}, `"http/1.1" nobody`},
		"browser's socket": {[]string{"http/1.1"}, `"http/1.1" nobody`},
		"no protocol":      {nil, `"" nobody`},
	} {
		if got, err := ask(t, addr, browser(t, server, row.protocols...)); err != nil || got != row.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, row.want)
		}
	}
}

func TestMessengerPortRefuses(t *testing.T) {
	server, alice, mallory := identity(t, "server"), identity(t, "alice"), identity(t, "mallory")
	addr, handshakes := port(t, server, &mtls.ServerOptions{Judge: func(p mtls.Peer) error {
		if p.Fingerprint == mallory.Fingerprint() {
			return errors.New("revoked")
		}
		return nil
	}})
	native := func(id *mtls.Identity) *tls.Config {
		config, err := mtls.ClientTLS(id, server.Fingerprint(), mtls.Messenger)
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	nameless := native(alice)
	nameless.GetClientCertificate, nameless.Certificates = nil, nil
	old := native(alice)
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	other := browser(t, server, "h2", "smtp")
	both := browser(t, server, "http/1.1", "snug/1")
	for name, row := range map[string]struct {
		config *tls.Config
		reason string
	}{
		"no certificate for snug/1":     {nameless, "didn't provide a certificate"},
		"TLS 1.2":                       {old, "unsupported versions"},
		"other protocols":               {other, "unsupported application protocols"},
		"snug/1 hidden behind http/1.1": {both, "didn't provide a certificate"},
		"judged":                        {native(mallory), "revoked"},
		"RSA-1024":                      {withCertificate(native(alice), weakCertificate(t, 1024, x509.SHA256WithRSA)), "weak key: RSA of 1024 bits"},
		"SHA-1":                         {withCertificate(native(alice), weakCertificate(t, 2048, x509.SHA1WithRSA)), "weak signature: SHA1-RSA"},
	} {
		if got, err := ask(t, addr, row.config); err == nil {
			t.Errorf("%s: accepted as %q", name, got)
		}
		if err := <-handshakes; err == nil || !strings.Contains(err.Error(), row.reason) {
			t.Errorf("%s: the server says %v, want %q", name, err, row.reason)
		}
	}
	if _, err := ask(t, addr, withCertificate(native(alice), weakCertificate(t, 2048, x509.SHA256WithRSA))); err != nil {
		t.Errorf("RSA-2048 with SHA-256, expired in 2002: %v", err)
	}
	if _, err := ask(t, addr, native(alice)); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
}

func TestMessengerClientRefuses(t *testing.T) {
	server, alice, mallory := identity(t, "server"), identity(t, "alice"), identity(t, "mallory")
	config, err := mtls.ClientTLS(alice, server.Fingerprint(), mtls.Messenger)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := port(t, mallory, nil)
	_, err = ask(t, addr, config)
	wantPeerError(t, err, "unknown key", mallory.Fingerprint())

	// A listener of ours, but for sockets: right key, wrong protocol.
	l, _ := listener(t, server, alice.Fingerprint())
	if _, err = ask(t, l.Addr(), config); err == nil {
		t.Error("a socket's listener passed for a messenger")
	}
	// A server that does not choose a protocol at all.
	silent, err := tls.Listen("tcp", "127.0.0.1:0", silentConfig(t, server))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		if conn, err := silent.Accept(); err == nil {
			answer(conn.(*tls.Conn))
		}
	}()
	_, err = ask(t, silent.Addr(), config)
	wantPeerError(t, err, `protocol ""`, mtls.Fingerprint{})
}

func TestWebCertificate(t *testing.T) {
	server, public := identity(t, "server"), weakCertificate(t, 2048, x509.SHA256WithRSA)
	addr, _ := port(t, server, &mtls.ServerOptions{
		WebCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &public, nil },
	})
	config := browser(t, server, "http/1.1")
	var seen mtls.Fingerprint
	config.VerifyConnection = func(state tls.ConnectionState) error {
		seen = mtls.FingerprintOf(state.PeerCertificates[0])
		return nil
	}
	if _, err := ask(t, addr, config); err != nil || seen != mtls.FingerprintOf(public.Leaf) {
		t.Errorf("a browser saw %v, %v", seen, err)
	}
	native, err := mtls.ClientTLS(server, server.Fingerprint(), mtls.Messenger)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, addr, native); err != nil {
		t.Errorf("a native client does not see the identity: %v", err)
	}
}

func TestPeerKeyNeedsAHandshake(t *testing.T) {
	leaf, err := x509.ParseCertificate(identity(t, "alice").Certificate())
	if err != nil {
		t.Fatal(err)
	}
	state := tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{leaf}}
	if _, err := mtls.PeerKey(state); err == nil {
		t.Error("a peer before it has proven its key")
	}
	state.HandshakeComplete = true
	if _, err := mtls.PeerKey(state); err != nil {
		t.Error(err)
	}
	state.Version = tls.VersionTLS12
	if _, err := mtls.PeerKey(state); err == nil {
		t.Error("a peer in TLS 1.2")
	}
}

func withCertificate(config *tls.Config, certificate tls.Certificate) *tls.Config {
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	return config
}

func silentConfig(t *testing.T, id *mtls.Identity) *tls.Config {
	t.Helper()
	config, err := mtls.ServerConfig(id, mtls.Pin(id.Fingerprint()), mtls.Messenger)
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos, config.VerifyConnection = nil, nil
	return config
}

func weakCertificate(t *testing.T, bits int, algorithm x509.SignatureAlgorithm) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	shape := template()
	shape.SignatureAlgorithm = algorithm
	der, err := x509.CreateCertificate(rand.Reader, shape, shape, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
