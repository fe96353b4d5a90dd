package tunnel_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
)

// An authority issues certificates.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial atomic.Int64
}

// newAuthority makes one, which may give no other DNS names than those at and below the permitted ones, if there are any.
func newAuthority(t testing.TB, permitted ...string) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomains: permitted, PermittedDNSDomainsCritical: len(permitted) > 0,
	})
	return a
}

// issue makes a certificate, the authority's own if it is the first.
func (a *authority) issue(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.BasicConstraintsValid = big.NewInt(a.serial.Add(1)), true
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	} else {
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// list makes a revocation list.
func (a *authority) list(t testing.TB, number int64, serials ...*big.Int) string {
	t.Helper()
	return a.listFor(t, time.Hour, number, serials...)
}

// listFor makes one that holds for so long.
func (a *authority) listFor(t testing.TB, d time.Duration, number int64, serials ...*big.Int) string {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(d)}
	for _, serial := range serials {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// certify gives a home a key and a certificate of the authority, as files.
func (a *authority) certify(t testing.TB, h *home, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	cert, key := a.issue(t, template)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "leaf.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	h.write(t, "leaf.crt", pemOf(cert))
	return cert
}

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// certified gives the lines of a route that uses those files and believes the authority.
func (a *authority) certified(t testing.TB, h *home) []string {
	return []string{"key " + h.path("leaf.key"), "certificate " + h.path("leaf.crt"), "authority " + h.write(t, "ca.pem", pemOf(a.cert))}
}

// TestRules: each kind of rule lets in whom it names, and nobody else.
func TestRules(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t), newAuthority(t)
	spiffe := func(text string) []*url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}
	named := func(cn string) *x509.Certificate { return &x509.Certificate{Subject: pkix.Name{CommonName: cn}} }
	for _, row := range []struct {
		name, rule string
		issuer     *authority
		template   *x509.Certificate
		in         bool
	}{
		{"common name", "cn:web", ours, named("web"), true},
		{"another common name", "cn:web", ours, named("web2"), false},
		{"a common name in another case", "cn:web", ours, named("Web"), false},
		{"a common name of another authority", "cn:web", others, named("web"), false},
		{"DNS", "dns:web.example.org", ours, &x509.Certificate{DNSNames: []string{"x.example.org", "web.example.org"}}, true},
		{"DNS as a common name", "dns:web.example.org", ours, named("web.example.org"), false},
		{"a wildcard", "dns:web.example.org", ours, &x509.Certificate{DNSNames: []string{"*.example.org"}}, false},
		{"a domain below", "dns:example.org", ours, &x509.Certificate{DNSNames: []string{"web.example.org"}}, false},
		{"an address", "ip:192.0.2.1", ours, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}, true},
		{"another address", "ip:192.0.2.1", ours, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 11)}}, false},
		{"SPIFFE", "spiffe://example.org/web", ours, &x509.Certificate{URIs: spiffe("spiffe://example.org/web")}, true},
		{"SPIFFE below", "spiffe://example.org/web", ours, &x509.Certificate{URIs: spiffe("spiffe://example.org/web/x")}, false},
		{"SPIFFE of another domain", "spiffe://example.org/web", ours, &x509.Certificate{URIs: spiffe("spiffe://example.com/web")}, false},
		{"two SPIFFE IDs", "spiffe://example.org/web", ours, &x509.Certificate{URIs: append(spiffe("spiffe://example.org/web"), spiffe("spiffe://example.org/db")...)}, false},
		{"out of date", "cn:web", ours, &x509.Certificate{Subject: pkix.Name{CommonName: "web"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			far, near := newHome(t), newHome(t)
			ours.certify(t, far, named("far"))
			row.issuer.certify(t, near, row.template)
			farEnd := start(t, far.route(t, "main", append(ours.certified(t, far), "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+row.rule)...))
			nearEnd := start(t, near.route(t, "main", append(ours.certified(t, near), "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow cn:far")...))
			answer, err := askAt(nearEnd.addr(), "hello")
			if in := err == nil && answer == "hello"; in != row.in {
				t.Errorf("got %q, %v; want in %t", answer, err, row.in)
			}
			if got := farEnd.Snapshot().Handshakes["main"]; (got["ok"] > 0) != row.in {
				t.Errorf("the far end counts %v", got)
			}
		})
	}
}

// TestDenyByDefault: a stranger's key, and a stranger with a member's copied certificate names, get nowhere, on either
// end; what the client has said reaches no service.
func TestDenyByDefault(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{}, 8)
	service := backend(t, func(*net.TCPConn) { heard <- struct{}{} })
	far, near, stranger := newHome(t), newHome(t), newHome(t)
	farEnd := start(t, far.route(t, "main", "listen 127.0.0.1:0", "to "+service, "tls accept", "allow "+near.rule()))
	for name, end := range map[string]*running{
		"a stranger who enters": start(t, stranger.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule())),
		"a stranger who waits":  start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+stranger.rule())),
	} {
		refused(t, name, end.addr())
	}
	until(t, "the far end has refused both", func() bool {
		got := farEnd.Snapshot().Handshakes["main"]
		return got["key"] == 1 && got["refused"] == 1
	})
	if len(heard) != 0 {
		t.Error("somebody reached the service")
	}
}

// TestNobodyRemembered: a rule for a peer who is not remembered lets nobody in, so there is nothing to start.
func TestNobodyRemembered(t *testing.T) {
	h := newHome(t)
	r := h.route(t, "main", "listen 127.0.0.1:0", "to 127.0.0.1:1", "tls accept", "allow peer:bob")
	if _, err := tunnel.New(t.Context(), &tunnel.Config{Routes: []tunnel.Route{r}}, tunnel.Options{Log: discard()}); !errors.Is(err, tunnel.ErrNobody) {
		t.Errorf("got %v, want ErrNobody", err)
	}
	h.write(t, "peers", "bob aaaa\n")
	if _, err := tunnel.New(t.Context(), &tunnel.Config{Routes: []tunnel.Route{r}}, tunnel.Options{Log: discard()}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a file that is not as we write it: got %v, want its line", err)
	}
}

// TestRevocation: each way to revoke cuts the streams of that peer on both ends within the sweeps that two seconds have at
// least, without a signal, lets nobody in by that key from then on, and leaves the other peers alone. No other sweep takes
// place on either end.
func TestRevocation(t *testing.T) {
	ca := newAuthority(t)
	for _, row := range []struct {
		name  string
		lines func(far, bob, carol *home, bobs *x509.Certificate) []string
		// revoke is carried out on the end that accepts.
		revoke func(far, bob, carol *home, bobs *x509.Certificate)
	}{
		{"a key on the list", func(far, bob, carol *home, _ *x509.Certificate) []string {
			return []string{"allow " + bob.rule(), "allow " + carol.rule(), "revoked " + far.write(t, "revoked", "# nobody yet\n")}
		}, func(far, bob, _ *home, _ *x509.Certificate) {
			far.write(t, "revoked", bob.id.Fingerprint().String()+"\n")
		}},
		{"a peer that is forgotten", func(far, bob, carol *home, _ *x509.Certificate) []string {
			far.write(t, "peers", "bob "+bob.id.Fingerprint().String()+"\ncarol "+carol.id.Fingerprint().String()+"\n")
			return []string{"allow peer:bob", "allow peer:carol"}
		}, func(far, bob, carol *home, _ *x509.Certificate) {
			far.write(t, "peers", "carol "+carol.id.Fingerprint().String()+"\n")
		}},
		{"a certificate on the authority's list", func(far, bob, carol *home, bobs *x509.Certificate) []string {
			return []string{"authority " + far.write(t, "ca.pem", pemOf(ca.cert)), "list " + far.write(t, "ca.crl", ca.list(t, 1)), "allow cn:bob", "allow " + carol.rule()}
		}, func(far, bob, carol *home, bobs *x509.Certificate) {
			far.write(t, "ca.crl", ca.list(t, 2, bobs.SerialNumber))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			far, bob, carol := newHome(t), newHome(t), newHome(t)
			bobs := ca.certify(t, bob, &x509.Certificate{Subject: pkix.Name{CommonName: "bob"}})
			farEnd := startHeld(t, time.Now, far.route(t, "main", append(row.lines(far, bob, carol, bobs), "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept")...))
			bobLines := []string{"listen 127.0.0.1:0", "to " + farEnd.addr(), "tls connect", "allow " + far.rule()}
			if strings.Contains(row.name, "authority") {
				bobLines = append(bobLines, "key "+bob.path("leaf.key"), "certificate "+bob.path("leaf.crt"))
			}
			bobEnd := startHeld(t, time.Now, bob.route(t, "main", bobLines...))
			carolEnd := start(t, carol.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule()))
			bobConn, carolConn := dial(t, bobEnd.addr()), dial(t, carolEnd.addr())
			for _, conn := range []net.Conn{bobConn, carolConn} {
				io.WriteString(conn, "x")
				if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			row.revoke(far, bob, carol, bobs)
			farEnd.promised(t)
			if n, err := bobConn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the revoked peer's client got %d bytes, %v; want a reset", n, err)
			}
			until(t, "both ends have cut the stream", func() bool {
				return bobEnd.row("main").Streams == 0 && bobEnd.row("main").Connections == 0 && bobEnd.row("main").Broken == 1
			})
			refused(t, "the revoked peer's next stream", bobEnd.addr())
			io.WriteString(carolConn, "y")
			if _, err := io.ReadFull(carolConn, make([]byte, 1)); err != nil {
				t.Errorf("the other peer's stream: %v", err)
			}
			until(t, "the far end counts the refusal", func() bool {
				got := farEnd.Snapshot().Handshakes["main"]
				return got["revoked"]+got["key"]+got["authority"] > 0
			})
		})
	}
}

// TestRevocationOfTheFarEnd: the connecting end cuts likewise, as quickly.
func TestRevocationOfTheFarEnd(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	ended := make(chan error, 1)
	farEnd := startHeld(t, time.Now, far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, func(conn *net.TCPConn) {
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}), "tls accept", "allow "+near.rule()))
	nearEnd := startHeld(t, time.Now, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule(), "revoked "+near.write(t, "revoked", "")))
	conn := dial(t, nearEnd.addr())
	io.WriteString(conn, "x")
	until(t, "the stream is there", func() bool { return farEnd.row("main").Streams == 1 && nearEnd.row("main").Streams == 1 })
	near.write(t, "revoked", far.id.Fingerprint().String()+"\n")
	nearEnd.promised(t)
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %d bytes, %v; want a reset", n, err)
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the service got %v, want a reset", err)
	}
}

// TestBrokenFiles: files that cannot be read let nobody new in, cut nobody, and heal.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	list := far.write(t, "revoked", "")
	farEnd := start(t, far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule(), "revoked "+list))
	nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule(), "carriers 0"))
	conn := dial(t, nearEnd.addr())
	io.WriteString(conn, "x")
	io.ReadFull(conn, make([]byte, 1))
	far.write(t, "revoked", "not a fingerprint\n")
	until(t, "the tunnel is not healthy", func() bool { return farEnd.Health() != nil })
	refused(t, "somebody new", nearEnd.addr())
	io.WriteString(conn, "y")
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Errorf("the stream that there was: %v", err)
	}
	far.write(t, "revoked", "")
	until(t, "the tunnel is healthy", func() bool { return farEnd.Health() == nil })
	if got, err := askAt(nearEnd.addr(), "new"); err != nil || got != "new" {
		t.Errorf("after it healed: %q, %v", got, err)
	}
}

// TestFilesTriedAgain: what keeps files from being used may go without a trace in them, and the revocation that came
// meanwhile bites then.
func TestFilesTriedAgain(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode of a key's file does not tell there")
	}
	far, near, clock := newHome(t), newHome(t), newClock()
	list := far.write(t, "revoked", "")
	farEnd := startHeld(t, clock.now, far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule(), "revoked "+list))
	nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule()))
	conn := opened(t, nearEnd.addr())
	mode := func(m os.FileMode) {
		if err := os.Chmod(far.path("socket.pem"), m); err != nil {
			t.Fatal(err)
		}
	}
	mode(0o644)
	far.write(t, "revoked", near.id.Fingerprint().String()+"\n")
	for range time.Minute / tunnel.SweepEvery {
		clock.pass(tunnel.SweepEvery)
		farEnd.Sweep()
	}
	if err := farEnd.Health(); err == nil {
		t.Error("it is healthy with a key that all can read")
	}
	if n := strings.Count(farEnd.log.String(), "cannot be used"); n != 1 {
		t.Errorf("told of it %d times", n)
	}
	answers(t, conn)
	mode(0o600)
	clock.pass(tunnel.RereadEvery)
	farEnd.Sweep()
	if err := farEnd.Health(); err != nil {
		t.Errorf("with the key's mode set right: %v", err)
	}
	broken(t, conn)
}

// TestLedElsewhere: somebody on the way leads a peer of two services from the one to the other. With a key of its own for
// each nobody gets there; one key is no protection against it, which docs/tunnel.md says.
func TestLedElsewhere(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		keys  bool // each service has one
		heard string
	}{
		{"a key for each", true, ""},
		{"one key", false, "prod"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			staging, near := newHome(t), newHome(t)
			prod := staging
			if row.keys {
				prod = newHome(t)
			}
			serve := func(name string) string {
				return backend(t, func(conn *net.TCPConn) {
					io.WriteString(conn, name)
					conn.CloseWrite()
					io.Copy(io.Discard, conn)
				})
			}
			farEnd := start(t,
				staging.route(t, "staging", "listen 127.0.0.1:0", "to "+serve("staging"), "tls accept", "allow "+near.rule()),
				prod.route(t, "prod", "listen 127.0.0.1:0", "to "+serve("prod"), "tls accept", "allow "+near.rule()))
			reach := func(port string) string {
				end := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.Addrs()[port], "tls connect", "allow "+staging.rule()))
				answer, _ := askAt(end.addr(), "")
				return answer
			}
			if got := reach("staging"); got != "staging" {
				t.Errorf("the way there: got %q", got)
			}
			if got := reach("prod"); got != row.heard {
				t.Errorf("led from staging to prod: got %q, want %q", got, row.heard)
			}
		})
	}
}
