package tunnel_test

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"snug/internal/pki"
	"snug/internal/tunnel"
	"snug/mtls"
)

// TestRenewal: a running tunnel renews its certificate when two thirds of its life are over, shows the new one from then
// on, and cuts nobody for it; what the authority revokes is cut.
func TestRenewal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	// Five days of seven ago, so that far's is due; near's is new.
	past := pki.Settings{Dir: dir, Now: func() time.Time { return time.Now().Add(-5 * 24 * time.Hour) }}
	early, err := pki.Init(past, pki.Plan{Name: "an authority"})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := pki.Open(pki.Settings{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	spiffe, err := mtls.ParseName("spiffe://example.org/near")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Issue(pki.Request{Name: "far"}); err != nil {
		t.Fatal(err)
	}
	if _, err := authority.Issue(pki.Request{Name: "near", Names: []mtls.Name{spiffe}}); err != nil {
		t.Fatal(err)
	}
	if err := authority.SignList(); err != nil {
		t.Fatal(err)
	}
	home := newHome(t)
	farEnd := start(t, home.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "pki "+dir+"/far", "allow spiffe://example.org/near"))
	nearEnd := start(t, home.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "pki "+dir+"/near", "allow dns:far"))
	conn := opened(t, nearEnd.addr())
	nearExpires := nearEnd.Snapshot().Expires["main"]
	until(t, "what is due is renewed and in use", func() bool {
		return time.Unix(farEnd.Snapshot().Expires["main"], 0).After(time.Now().Add(6 * 24 * time.Hour))
	})
	until(t, "new connections are shown it", func() bool {
		if got, err := askAt(nearEnd.addr(), "hello"); err != nil || got != "hello" {
			t.Fatalf("got %q, %v", got, err)
		}
		return nearEnd.row("main").Expires == farEnd.Snapshot().Expires["main"]
	})
	answers(t, conn)
	if got := nearEnd.Snapshot().Expires["main"]; got != nearExpires {
		t.Errorf("what is not due was renewed: it ends %d, before %d", got, nearExpires)
	}
	if _, err := authority.Revoke("near", "unspecified"); err != nil {
		t.Fatal(err)
	}
	broken(t, conn)
	if got, err := askAt(nearEnd.addr(), "hello"); err == nil {
		t.Errorf("a revoked certificate: got %q", got)
	}
	if !strings.Contains(farEnd.log.String(), "the certificate is renewed") {
		t.Error("the log does not say that it is renewed")
	}
}

// sealedAuthority makes an authority under a passphrase, and certificates that are due: of far, whose key is under
// another one, and of near.
func sealedAuthority(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "pki")
	settings := pki.Settings{
		Dir: dir, Now: func() time.Time { return time.Now().Add(-5 * 24 * time.Hour) },
		Passphrase: func() ([]byte, error) { return []byte("the authority's"), nil },
	}
	authority, err := pki.Init(settings, pki.Plan{Name: "an authority"})
	if err != nil {
		t.Fatal(err)
	}
	for name, passphrase := range map[string]string{"far": "far's", "near": ""} {
		if _, err := authority.Issue(pki.Request{Name: name, Passphrase: []byte(passphrase)}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRenewalSealed: each passphrase is asked for once, when the tunnel starts, and serves for every reading after that
// and for the renewal.
func TestRenewalSealed(t *testing.T) {
	t.Parallel()
	dir := sealedAuthority(t)
	asked := make(map[string]int)
	secrets := pki.NewSecrets(func(path string, authority bool) ([]byte, error) {
		asked[filepath.Base(path)]++
		if authority {
			return []byte("the authority's"), nil
		}
		return []byte("far's"), nil
	})
	home := newHome(t)
	route := home.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "pki "+dir+"/far", "allow dns:near")
	route.Files.Secrets = secrets
	if err := route.Unlock(); err != nil {
		t.Fatal(err)
	}
	farEnd := start(t, route)
	until(t, "what is due is renewed and in use", func() bool {
		return time.Unix(farEnd.Snapshot().Expires["main"], 0).After(time.Now().Add(6 * 24 * time.Hour))
	})
	nearRoute := home.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "pki "+dir+"/near", "allow dns:far")
	nearRoute.Files.Secrets = secrets
	if got, err := askAt(start(t, nearRoute).addr(), "hello"); err != nil || got != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if asked["far.key"] != 1 || asked["ca.key"] != 1 || asked["near.key"] != 0 {
		t.Errorf("asked %v times, want once for each key that is sealed", asked)
	}
}

// TestSecretsWrong: a passphrase that does not fit opens nothing, and is asked for anew the next time.
func TestSecretsWrong(t *testing.T) {
	t.Parallel()
	dir := sealedAuthority(t)
	given := "wrong"
	secrets := pki.NewSecrets(func(string, bool) ([]byte, error) { return []byte(given), nil })
	route := newHome(t).route(t, "main", "listen 127.0.0.1:0", "to 127.0.0.1:1", "tls accept", "pki "+dir+"/far", "allow dns:near")
	if err := tunnel.Check(&tunnel.Config{Routes: []tunnel.Route{route}}); err == nil || !strings.Contains(err.Error(), "under a passphrase") {
		t.Errorf("without secrets: %v, want that the key is under a passphrase", err)
	}
	route.Files.Secrets = secrets
	for name, try := range map[string]func() error{
		"the route's key":     func() error { return tunnel.Check(&tunnel.Config{Routes: []tunnel.Route{route}}) },
		"the authority's key": route.Unlock,
	} {
		given = "wrong"
		if err := try(); err == nil || !strings.Contains(err.Error(), "wrong passphrase") {
			t.Errorf("%s: %v, want a wrong passphrase", name, err)
		}
		given = map[string]string{"the route's key": "far's", "the authority's key": "the authority's"}[name]
		if err := try(); err != nil {
			t.Errorf("%s, the next time: %v", name, err)
		}
	}
}

// TestRenewalLocked: a renewal that nobody gave the passphrase for is told once, however often it is tried.
func TestRenewalLocked(t *testing.T) {
	t.Parallel()
	dir := sealedAuthority(t)
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	route := newHome(t).route(t, "main", "listen 127.0.0.1:0", "to 127.0.0.1:1", "tls accept", "pki "+dir+"/near", "allow dns:far")
	end := startHeld(t, now, route)
	for range 10 {
		end.Sweep()
		until(t, "it was tried", func() bool { return !end.Renewing("main") })
		later.Add(int64(2 * time.Minute))
	}
	if log := end.log.String(); strings.Count(log, "the certificate is not renewed") != 1 || !strings.Contains(log, "under a passphrase") {
		t.Errorf("the log is\n%s\nwant once that it is not renewed, and why", log)
	}
}

// TestRenewalWaits: a renewal that waits, as for another process or a disk, keeps nobody in who is revoked meanwhile.
func TestRenewalWaits(t *testing.T) {
	t.Parallel()
	home, near := newHome(t), newHome(t)
	dir := filepath.Join(t.TempDir(), "pki")
	early, err := pki.Init(pki.Settings{Dir: dir, Now: func() time.Time { return time.Now().Add(-5 * 24 * time.Hour) }}, pki.Plan{Name: "an authority"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Issue(pki.Request{Name: "far"}); err != nil {
		t.Fatal(err)
	}
	lines := []string{"listen 127.0.0.1:0", "to " + backend(t, echo), "tls accept", "pki " + dir + "/far", "allow dns:nobody", "allow " + near.rule(), "revoked " + home.write(t, "revoked", "")}
	farEnd := startHeld(t, time.Now, home.route(t, "main", lines...))
	release := blockReading(t, filepath.Join(dir, pki.KeyFile))
	defer release()
	nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow dns:far", "authority "+filepath.Join(dir, pki.CertificateFile)))
	live := opened(t, nearEnd.addr())
	farEnd.Sweep()
	if !farEnd.Renewing("main") {
		t.Fatal("nothing is renewed")
	}
	home.write(t, "revoked", near.id.Fingerprint().String()+"\n")
	farEnd.promised(t)
	broken(t, live)
	if !farEnd.Renewing("main") {
		t.Error("the renewal has not waited")
	}
}
