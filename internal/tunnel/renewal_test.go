package tunnel_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snug/internal/pki"
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
