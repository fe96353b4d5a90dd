package tunnel_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"testing"

	"snug/internal/tunnel"
)

// TestHalfPair: a running tunnel whose key and certificate are replaced one after the other, or were left half replaced,
// shows the pair of before, lets in who may come, says that something is wrong, and cuts who is revoked meanwhile.
func TestHalfPair(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"leaf.key", "leaf.crt"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			ca, far, near, next, clock := newAuthority(t), newHome(t), newHome(t), newHome(t), newClock()
			name := func() *x509.Certificate { return &x509.Certificate{Subject: pkix.Name{CommonName: "far"}} }
			ca.certify(t, far, name())
			lines := append(ca.certified(t, far), "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule(), "revoked "+far.write(t, "revoked", ""))
			farEnd := startHeld(t, clock.now, far.route(t, "main", lines...))
			nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow cn:far", "authority "+far.path("ca.pem"), "carriers 0"))
			live := opened(t, nearEnd.addr())
			expires := farEnd.Snapshot().Expires["main"]

			replacement := name()
			replacement.NotBefore, replacement.NotAfter = clock.now().Add(-tunnel.RereadEvery), clock.now().Add(3*60*tunnel.RereadEvery)
			ca.certify(t, next, replacement)
			replace := func(file string) {
				text, err := os.ReadFile(next.path(file))
				if err != nil {
					t.Fatal(err)
				}
				far.write(t, file, string(text))
				farEnd.promised(t)
			}
			replace(first)
			if farEnd.Health() == nil {
				t.Error("with half a pair: healthy")
			}
			if got := farEnd.Snapshot().Expires["main"]; got != expires {
				t.Errorf("shown is what ends at %d, want %d", got, expires)
			}
			if got, err := askAt(nearEnd.addr(), "hello"); err != nil || got != "hello" {
				t.Errorf("with half a pair somebody new: got %q, %v", got, err)
			}
			answers(t, live)

			far.write(t, "revoked", near.id.Fingerprint().String()+"\n")
			farEnd.promised(t)
			broken(t, live)
			refused(t, "who is revoked meanwhile", nearEnd.addr())
			far.write(t, "revoked", "")

			for _, file := range []string{"leaf.key", "leaf.crt"} {
				replace(file)
			}
			if err := farEnd.Health(); err != nil {
				t.Errorf("with the whole pair: %v", err)
			}
			if got := farEnd.Snapshot().Expires["main"]; got != replacement.NotAfter.Unix() {
				t.Errorf("shown is what ends at %d, want %d", got, replacement.NotAfter.Unix())
			}
			if got, err := askAt(nearEnd.addr(), "hello"); err != nil || got != "hello" {
				t.Errorf("with the whole pair: got %q, %v", got, err)
			}

			// A tunnel that begins with half a pair has none to show.
			ca.certify(t, next, name())
			replace(first)
			if _, err := tryStart(t, &tunnel.Config{Routes: []tunnel.Route{far.route(t, "main", lines...)}}, tunnel.Options{}); err == nil {
				t.Error("half a pair is enough to begin with")
			}
		})
	}
}

// TestNoListNoStart: a tunnel knows who is revoked from its files, and does not start without one that the route names.
func TestNoListNoStart(t *testing.T) {
	t.Parallel()
	ca, far, near := newAuthority(t), newHome(t), newHome(t)
	ca.certify(t, far, &x509.Certificate{Subject: pkix.Name{CommonName: "far"}})
	common := append(ca.certified(t, far), "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule())
	start(t, far.route(t, "main", common...))
	for name, lines := range map[string][]string{
		"no revocation list":       {"list " + far.path("none")},
		"a list that is no list":   {"list " + far.path("ca.pem")},
		"a list of somebody else":  {"list " + far.write(t, "other.crl", newAuthority(t).list(t, 1))},
		"no list of keys":          {"revoked " + far.path("none")},
		"keys that are none":       {"revoked " + far.path("ca.pem")},
		"a list that nobody reads": {"list " + far.dir},
	} {
		_, err := tryStart(t, &tunnel.Config{Routes: []tunnel.Route{far.route(t, "main", append(lines, common...)...)}}, tunnel.Options{})
		if err == nil {
			t.Errorf("%s: it starts", name)
		}
	}
}
