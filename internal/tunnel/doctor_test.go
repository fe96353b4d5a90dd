package tunnel_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// TestDoctor has a handshake fail in each way that it can, and reads on which side, why, and what to type.
func TestDoctor(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	cn := func(name string) *x509.Certificate { return &x509.Certificate{Subject: pkix.Name{CommonName: name}} }
	past := func(c *x509.Certificate) *x509.Certificate {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		return c
	}
	future := func(c *x509.Certificate) *x509.Certificate {
		c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		return c
	}
	far, near := newHome(t), newHome(t)
	service := backend(t, echo)

	// pinned is an end between keys; certified one with a certificate, which lets in cn:near.
	pinned := func(target string, lines ...string) string {
		return start(t, far.route(t, "main", append([]string{"listen 127.0.0.1:0", "to " + target, "tls accept", "allow " + near.rule()}, lines...)...)).addr()
	}
	certified := func(a *authority, template *x509.Certificate) string {
		h := newHome(t)
		a.certify(t, h, template)
		return start(t, h.route(t, "main", append(ca.certified(t, h), "listen 127.0.0.1:0", "to "+service, "tls accept", "allow cn:near")...)).addr()
	}
	// ours are the lines of who has a certificate of an authority.
	ours := func(a *authority, template *x509.Certificate, lines ...string) (*home, []string) {
		h := newHome(t)
		a.certify(t, h, template)
		return h, append(ca.certified(t, h), lines...)
	}
	foreign := func(config *tls.Config) string {
		cert, key := ca.issue(t, cn("far"))
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serveOn(t, l, func(conn net.Conn) { tls.Server(conn, config).Handshake(); conn.Close() })
		return l.Addr().String()
	}
	row := func(name, side, problem, try, address string, h *home, lines ...string) {
		t.Run(name, func(t *testing.T) {
			var words [][2]string
			for _, line := range lines {
				word, value, _ := strings.Cut(line, " ")
				words = append(words, [2]string{word, value})
			}
			r, err := tunnel.ProbeRoute(address, h.files(), words)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			d := tunnel.Diagnose(ctx, r, time.Now())
			if d.Side != side || !strings.Contains(d.Problem, problem) || !strings.Contains(d.Try, try) || d.OK != (side == "none") {
				t.Errorf("got %+v; want side %q, %q, try %q", d, side, problem, try)
			}
		})
	}
	// shown is an end that shows a chain which no authority of ours would issue.
	shown := func(key crypto.Signer, chain ...*x509.Certificate) string {
		config := &tls.Config{Certificates: []tls.Certificate{{PrivateKey: key}}}
		for _, cert := range chain {
			config.Certificates[0].Certificate = append(config.Certificates[0].Certificate, cert.Raw)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serveOn(t, l, func(conn net.Conn) { tls.Server(conn, config).Handshake(); conn.Close() })
		return l.Addr().String()
	}
	farKey, nearKey := far.id.Fingerprint().String(), near.id.Fingerprint().String()

	row("well", "none", "both sides accept each other", "", pinned(service), near, "allow "+far.rule())
	row("nobody named", "here", "its key is "+farKey, "--peer "+farKey, pinned(service), near)
	row("another expected", "here", "the rule here is "+near.rule(), "--peer "+farKey, pinned(service), near, "allow "+near.rule())
	stranger := newHome(t)
	row("refused there", "there", "our key is "+stranger.id.Fingerprint().String(), "--peer "+stranger.id.Fingerprint().String(), pinned(service), stranger, "allow "+far.rule())
	row("revoked there", "there", "our key is "+nearKey, "never if it is revoked", pinned(service, "revoked "+far.write(t, "revoked", nearKey+"\n")), near, "allow "+far.rule())
	row("revoked here", "there", "revoked", "a new key", pinned(service), near, "allow "+far.rule(), "revoked "+near.write(t, "revoked", farKey+"\n"))
	row("no service", "there", "its target cannot be reached", "--to", pinned(nowhere), near, "allow "+far.rule())
	row("nobody there", "there", "nobody listens on", "snug tunnel", nowhere, near, "allow "+far.rule())
	row("no such host", "here", "no host is called", "", "nobody.invalid:1", near, "allow "+far.rule())
	row("a balancer's place", "there", "hung up", "PROXY", pinned(service, "proxy-from 192.0.2.0/24"), near, "allow "+far.rule())
	row("a peer not remembered", "here", "none of the peers", "", pinned(service), near, "allow peer:bob")

	h, lines := ours(ca, cn("near"), "allow cn:far")
	row("well by an authority", "none", "both sides", "", certified(ca, cn("far")), h, lines...)
	row("another name", "here", "the rule here is cn:far, and it says cn:elsewhere", "--allow", certified(ca, cn("elsewhere")), h, lines...)
	row("out of date there", "there", "out of date", "snug pki renew", certified(ca, past(cn("far"))), h, lines...)
	row("not yet valid there", "between", "not valid yet", "clock", certified(ca, future(cn("far"))), h, lines...)
	row("another authority there", "here", "another authority", "--authority", certified(other, cn("far")), h, lines...)
	servers := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	p256, weak := newKey(t), newWeakKey(t)
	row("another purpose there", "there", "for something else", "snug pki issue --server", shown(p256, ca.sign(t, p256, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})), h, lines...)
	row("too weak there", "there", "too weak", "a new key, RSA of 2048 bits", shown(weak, ca.sign(t, weak, &x509.Certificate{ExtKeyUsage: servers})), h, lines...)
	row("an unknown extension there", "there", "asks for what we do not know", "without that extension",
		shown(p256, ca.sign(t, p256, &x509.Certificate{ExtKeyUsage: servers, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}})), h, lines...)
	between := newKey(t)
	noAuthority := &authority{key: between, cert: ca.sign(t, between, &x509.Certificate{Subject: pkix.Name{CommonName: "no authority"}})}
	row("certified by nobody who may", "there", "was not allowed to certify", "constraints", shown(p256, noAuthority.sign(t, p256, &x509.Certificate{ExtKeyUsage: servers}), noAuthority.cert), h, lines...)
	one := ca.sign(t, p256, &x509.Certificate{ExtKeyUsage: servers})
	row("too long a chain there", "there", "more certificates", "nothing else", shown(p256, slices.Repeat([]*x509.Certificate{one}, 40)...), h, lines...)
	stale := h.write(t, "stale.pem", ca.listUntil(t, 1, time.Now().Add(-time.Minute)))
	row("a list out of date", "here", "cannot be told", "--list with a revocation list that is in date", certified(ca, cn("far")), h, append(lines, "list "+stale)...)
	revoking := newHome(t)
	row("revoked here, by a list", "there", "revoked", "a new key", func() string {
		cert := ca.certify(t, revoking, cn("far"))
		h.write(t, "revoked.pem", ca.list(t, 2, cert.SerialNumber))
		return start(t, revoking.route(t, "main", append(ca.certified(t, revoking), "listen 127.0.0.1:0", "to "+service, "tls accept", "allow cn:near")...)).addr()
	}(), h, append(lines, "list "+h.path("revoked.pem"))...)

	// Of those who refuse us nobody says why; what is known here helps.
	h = newHome(t)
	leaf := ca.certify(t, h, cn("near"))
	lines = append(ca.certified(t, h), "allow cn:far")
	list := ca.list(t, 3, leaf.SerialNumber)
	refusing := start(t, func() tunnel.Route {
		far := newHome(t)
		ca.certify(t, far, cn("far"))
		return far.route(t, "main", append(ca.certified(t, far), "list "+far.write(t, "list.pem", list), "listen 127.0.0.1:0", "to "+service, "tls accept", "allow cn:near")...)
	}()).addr()
	row("revoked there, by a list", "there", "which says cn:near, or it is revoked there", "here: snug pki issue makes a new key", refusing, h, lines...)
	row("revoked there, by a list that is here too", "here", "our key or certificate is revoked", "a new key and a certificate", refusing, h, append(lines, "list "+h.write(t, "list.pem", list))...)
	h.write(t, "leaf.crt", pemOf(ca.sign(t, loadedKey(t, h.path("leaf.key")), &x509.Certificate{Subject: pkix.Name{CommonName: "near"}, ExtKeyUsage: servers})))
	row("another purpose here", "here", "our certificate is for something else", "snug pki issue --client", certified(ca, cn("far")), h, lines...)
	h, lines = ours(ca, future(cn("near")), "allow cn:far")
	row("not yet valid here", "here", "our certificate is not valid yet", "clock", certified(ca, cn("far")), h, lines...)
	h, lines = ours(other, cn("near"), "allow cn:far")
	row("another authority here", "here", "of another authority", "--authority of ours", certified(ca, cn("far")), h, lines...)
	h, lines = ours(ca, cn("elsewhere"), "allow cn:far")
	row("another name here", "there", "which says cn:elsewhere", "--allow with one of our names", certified(ca, cn("far")), h, lines...)

	h, lines = ours(ca, past(cn("near")), "allow cn:far")
	row("out of date here", "here", "our certificate is out of date", "snug pki renew", certified(ca, cn("far")), h, lines...)
	h, lines = ours(ca, cn("near"), "allow cn:far")
	row("TLS 1.2", "there", "speaks no TLS 1.3", "TLS 1.3", foreign(&tls.Config{MaxVersion: tls.VersionTLS12}), h, lines...)
	row("no room there", "there", "too many connections at once", "--streams", full(t, far, near), near, "allow "+far.rule())
	row("another protocol", "there", "another protocol", "--password", foreign(&tls.Config{NextProtos: []string{"h2"}}), h, lines...)
}

// full is a listener of package mtls that knows a peer, and has room for nobody.
func full(t *testing.T, far, near *home) string {
	t.Helper()
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: far.id, Trust: mtls.Pin(near.id.Fingerprint()),
		Admit: func(mtls.Peer, net.Addr) (func(), error) { return nil, errors.New("no room") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// newWeakKey makes one that nobody should accept.
func newWeakKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// loadedKey reads a private key as certify writes it.
func loadedKey(t *testing.T, path string) crypto.Signer {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

// sign certifies a key, whatever is asked for.
func (a *authority) sign(t *testing.T, key crypto.Signer, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	template.SerialNumber, template.BasicConstraintsValid = big.NewInt(a.serial.Add(1)), true
	template.NotBefore, template.NotAfter, template.KeyUsage = time.Now().Add(-time.Hour), time.Now().Add(time.Hour), x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// listUntil makes a revocation list of nobody that has ended, or will.
func (a *authority) listUntil(t *testing.T, number int64, until time.Time) string {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: until.Add(-time.Hour), NextUpdate: until,
	}, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// TestDoctorKnowsEveryRule reads the rules of mtls from its source: each has an advice, for them and for us, and no one
// who was refused for more than being unknown is to be pinned.
func TestDoctorKnowsEveryRule(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "mtls", "error.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != "Rule" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		rules++
		theirs, ours := tunnel.Advice(mtls.Rule(text))
		for whose, a := range map[string][3]string{"theirs": theirs, "ours": ours} {
			side, problem, try := a[0], a[1], a[2]
			if !slices.Contains([]string{"here", "there", "between"}, side) || problem == "" || try == "" {
				t.Errorf("%s, of %s: got side %q, %q, try %q; want all three", text, whose, side, problem, try)
			}
			if strings.Contains(try, "--peer") != (text == string(mtls.RuleKey)) {
				t.Errorf("%s, of %s: try %q; want --peer for an unknown key alone", text, whose, try)
			}
		}
		return true
	})
	if rules < 14 {
		t.Errorf("found %d rules in the source, want 14 at least", rules)
	}
}
