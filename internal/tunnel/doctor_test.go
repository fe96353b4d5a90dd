package tunnel_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"strings"
	"testing"
	"time"

	"snug/internal/tunnel"
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
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

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
	farKey, nearKey := far.id.Fingerprint().String(), near.id.Fingerprint().String()

	row("well", "none", "both sides accept each other", "", pinned(service), near, "allow "+far.rule())
	row("nobody named", "here", "its key is "+farKey, "--peer "+farKey, pinned(service), near)
	row("another expected", "here", "the rule here is "+near.rule(), "--peer "+farKey, pinned(service), near, "allow "+near.rule())
	stranger := newHome(t)
	row("refused there", "there", "our key is "+stranger.id.Fingerprint().String(), "--peer "+stranger.id.Fingerprint().String(), pinned(service), stranger, "allow "+far.rule())
	row("revoked there", "there", "our key is "+nearKey, "", pinned(service, "revoked "+far.write(t, "revoked", nearKey+"\n")), near, "allow "+far.rule())
	row("revoked here", "there", "revoked", "a new key", pinned(service), near, "allow "+far.rule(), "revoked "+near.write(t, "revoked", farKey+"\n"))
	row("no service", "there", "its target cannot be reached", "--to", pinned(closed.Addr().String()), near, "allow "+far.rule())
	row("nobody there", "there", "nobody listens on", "snug tunnel", closed.Addr().String(), near, "allow "+far.rule())
	row("no such host", "here", "no host is called", "", "nobody.invalid:1", near, "allow "+far.rule())
	row("a balancer's place", "there", "hung up", "PROXY", pinned(service, "proxy-from 192.0.2.0/24"), near, "allow "+far.rule())
	row("a peer not remembered", "here", "none of the peers", "", pinned(service), near, "allow peer:bob")

	h, lines := ours(ca, cn("near"), "allow cn:far")
	row("well by an authority", "none", "both sides", "", certified(ca, cn("far")), h, lines...)
	row("another name", "here", "the rule here is cn:far, and it says cn:elsewhere", "--allow", certified(ca, cn("elsewhere")), h, lines...)
	row("out of date there", "there", "out of date", "snug pki renew", certified(ca, past(cn("far"))), h, lines...)
	row("not yet valid there", "between", "not valid yet", "clock", certified(ca, future(cn("far"))), h, lines...)
	row("another authority there", "here", "another authority", "--authority", certified(other, cn("far")), h, lines...)
	h, lines = ours(ca, past(cn("near")), "allow cn:far")
	row("out of date here", "here", "our certificate is out of date", "snug pki renew", certified(ca, cn("far")), h, lines...)
	h, lines = ours(ca, cn("near"), "allow cn:far")
	row("TLS 1.2", "there", "speaks no TLS 1.3", "TLS 1.3", foreign(&tls.Config{MaxVersion: tls.VersionTLS12}), h, lines...)
	row("another protocol", "there", "another protocol", "another port", foreign(&tls.Config{NextProtos: []string{"h2"}}), h, lines...)
}
