package main_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A house is an authority and the home of who runs it.
type house struct {
	*person
	dir string
}

// newHouse makes an authority.
func newHouse(t *testing.T, flags ...string) *house {
	t.Helper()
	h := &house{&person{t: t, handle: "alice", home: filepath.Join(t.TempDir(), "alice")}, filepath.Join(t.TempDir(), "ca")}
	h.pki("init", append([]string{"ours"}, flags...)...)
	return h
}

// pki runs one of its verbs.
func (h *house) pki(verb string, args ...string) []map[string]any {
	h.t.Helper()
	return h.must(append([]string{"pki", verb, "--dir", h.dir}, args...)...)
}

// flags are those by which a certificate of the house and a peer of it are used.
func (h *house) flags(own string, peer ...string) []string {
	issued := filepath.Join(h.dir, "issued", own)
	return append([]string{"--home", h.home, "--ca", filepath.Join(h.dir, "ca.pem"), "--crl", filepath.Join(h.dir, "crl.pem"), "--cert", issued + ".pem", "--key", issued + ".key"}, peer...)
}

// listens starts a listener with a certificate of the house.
func (h *house) listens(own string, flags ...string) (*socket, string) {
	h.t.Helper()
	s := startSocket(h.t, append([]string{"listen", "127.0.0.1:0"}, h.flags(own, flags...)...)...)
	return s, s.event("listening")["addr"].(string)
}

func (h *house) dials(address, own string, flags ...string) *socket {
	h.t.Helper()
	return startSocket(h.t, append([]string{"dial", address}, h.flags(own, flags...)...)...)
}

// TestAuthoritySockets: two that know nothing of each other but the authority and a name, and others whom it has
// certified too.
func TestAuthoritySockets(t *testing.T) {
	h := newHouse(t)
	h.pki("issue", "db", "--name", "db.example.org", "--server")
	h.pki("issue", "web", "--name", "spiffe://example.org/web", "--client", "--days", "1")
	h.pki("issue", "other", "--name", "other.example.org")

	listener, address := h.listens("db", "--name", "spiffe://example.org/web")
	for name, row := range map[string]struct {
		flags []string
		words string
	}{
		"another name":               {h.flags("web", "--name", "other.example.org"), "wrong name"},
		"a part of the name":         {h.flags("web", "--name", "example.org"), "wrong name"},
		"the name and another's key": {h.flags("web", "--name", "db.example.org", "--peer", keyOf(t, h.home)), "unknown key"},
		"who is not expected":        {h.flags("other", "--name", "db.example.org"), "refused by the peer"},
		"no certificate":             {h.flags("web", "--name", "db.example.org")[:6], "name"},
	} {
		dialer := startSocket(t, append([]string{"dial", address}, row.flags...)...)
		want := 3
		if name == "no certificate" {
			want = 2
		}
		dialer.ends(want)
		if !strings.Contains(dialer.log.String(), row.words) {
			t.Errorf("%s: it says %s, want %q", name, dialer.log, row.words)
		}
	}
	dialer := h.dials(address, "web", "--name", "db.example.org")
	io.WriteString(dialer.in, "from web")
	dialer.in.Close()
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)
	if got := listener.out.String(); got != "from web" {
		t.Errorf("the listener received %q", got)
	}
	// A client's certificate does not do for a server, and who is certified for both does.
	pretender, address := h.listens("web", "--name", "other.example.org")
	pretended := h.dials(address, "other", "--name", "spiffe://example.org/web")
	pretended.ends(3)
	if !strings.Contains(pretended.log.String(), "wrong purpose: expected a certificate for servers, got one for clients") {
		t.Errorf("it says %s", pretended.log)
	}
	if pretender.out.Len() != 0 {
		t.Errorf("the pretender received %q", pretender.out)
	}
}

// TestAnyName lets in whom the authority has certified, if that is said, and nobody else.
func TestAnyName(t *testing.T) {
	h, stranger := newHouse(t), newHouse(t)
	for _, house := range []*house{h, stranger} {
		house.pki("issue", "db")
		house.pki("issue", "web")
	}
	h.mustRefuse(2, "--name", "listen", "127.0.0.1:0", "--ca", filepath.Join(h.dir, "ca.pem"))
	listener, address := h.listens("db", "--any-name")
	// The stranger trusts the listener's authority, and shows what its own has issued.
	foreign := stranger.flags("web", "--name", "db")
	foreign[3], foreign[5] = filepath.Join(h.dir, "ca.pem"), filepath.Join(h.dir, "crl.pem")
	startSocket(t, append([]string{"dial", address}, foreign...)...).ends(3)
	if reason := listener.event("refused")["reason"].(string); !strings.Contains(reason, "another authority of the same name") {
		t.Errorf("the listener says %q", reason)
	}
	dialer := h.dials(address, "web", "--name", "db")
	dialer.in.Close()
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)
}

// TestRevocationCuts revokes one of two that are connected, on a list that lies where both look: it is over without any
// signal. How soon is for TestWatcherInTime of package mtls.
func TestRevocationCuts(t *testing.T) {
	h := newHouse(t)
	h.pki("issue", "db")
	h.pki("issue", "web")
	listener, address := h.listens("db", "--name", "web")
	dialer := h.dials(address, "web", "--name", "db")
	listener.event("connected")
	dialer.event("connected")

	// A renewal on the way is taken over, and cuts nothing.
	h.pki("renew", "db", "--new-key")
	listener.event("reloaded")
	io.WriteString(dialer.in, "still here")
	listener.prints("still here")

	h.pki("revoke", "web", "--reason", "key-compromise")
	listener.ends(6)
	dialer.ends(6)
	if !strings.Contains(listener.log.String(), "revoked by") {
		t.Errorf("the listener says %s", listener.log)
	}
	again, address := h.listens("db", "--name", "web")
	h.dials(address, "web", "--name", "db").ends(3)
	if reason := again.event("refused")["reason"].(string); !strings.Contains(reason, "revoked by") {
		t.Errorf("the listener says %q", reason)
	}
}

// TestRevokedKey cuts a peer off that is known by its key, without any authority.
func TestRevokedKey(t *testing.T) {
	here, there := filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "there")
	revoked := filepath.Join(t.TempDir(), "revoked")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(revoked, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("# nobody yet\n")
	listener := socketOf(t, here, "listen", "127.0.0.1:0", keyOf(t, there), "--revoked", revoked)
	address := listener.event("listening")["addr"].(string)
	dialer := socketOf(t, there, "dial", address, keyOf(t, here))
	listener.event("connected")
	put("not a key\n")
	if reason := listener.event("stale")["reason"].(string); !strings.Contains(reason, "line 1") {
		t.Errorf("the listener says %q", reason)
	}
	put("# retired in June\n" + keyOf(t, there) + "\n")
	listener.ends(6)
	dialer.ends(6)
	if !strings.Contains(listener.log.String(), "the key is revoked") {
		t.Errorf("the listener says %s", listener.log)
	}
	startSocket(t, "listen", "127.0.0.1:0", "--home", here, "--peer", keyOf(t, there), "--revoked", filepath.Join(here, "none")).ends(1)
}

// TestAuthorityVerbs: what scripts rely on, and what is refused.
func TestAuthorityVerbs(t *testing.T) {
	secrets := t.TempDir()
	word := func(name, text string) string {
		path := filepath.Join(secrets, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right, wrong, own := word("right", "open sesame"), word("wrong", "open says me"), word("own", "tick tock")
	h := newHouse(t, "--passphrase-file", right, "--algorithm", "ed25519", "--permit", "dns:example.org")
	h.mustRefuse(3, "passphrase", "pki", "issue", "db", "--dir", h.dir, "--passphrase-file", wrong)
	issued := h.pki("issue", "db", "--name", "db.example.org", "--ttl", "2h", "--passphrase-file", right, "--key-passphrase-file", own)[0]
	until, err := time.Parse(time.RFC3339, issued["expires"].(string))
	if left := time.Until(until); err != nil || left > 2*time.Hour || left < 119*time.Minute {
		t.Errorf("issued for %v, %v; want 2 h", left, err)
	}
	if shown := h.pki("show", "db")[0]; shown["serial"] != issued["serial"] || shown["state"] != "valid" || shown["fingerprint"] != issued["fingerprint"] {
		t.Errorf("shown %v, issued %v", shown, issued)
	}
	key, err := os.ReadFile(issued["key"].(string))
	if err != nil || !strings.Contains(string(key), "ENCRYPTED PRIVATE KEY") {
		t.Errorf("the key is not under its passphrase: %v", err)
	}
	h.mustRefuse(3, "there already", "pki", "issue", "db", "--dir", h.dir, "--passphrase-file", right, "--name", "db.example.org")
	h.mustRefuse(1, "may not certify", "pki", "issue", "x", "--dir", h.dir, "--passphrase-file", right, "--name", "example.com")
	h.mustRefuse(3, "there already", "pki", "init", "ours", "--dir", h.dir)
	h.mustRefuse(4, "nobody", "pki", "renew", "nobody", "--dir", h.dir, "--passphrase-file", right)
	h.mustRefuse(4, "nobody", "pki", "revoke", "nobody", "--dir", h.dir, "--passphrase-file", right)
	h.mustRefuse(4, "nobody", "pki", "show", "nobody", "--dir", h.dir)
	h.mustRefuse(4, "no authority", "pki", "list", "--dir", secrets)
	h.mustRefuse(2, "--days or --ttl", "pki", "issue", "x", "--dir", h.dir, "--days", "1", "--ttl", "1h")
	h.mustRefuse(2, "no reason", "pki", "revoke", "db", "--dir", h.dir, "--reason", "boredom")
	h.mustRefuse(2, "go together", "pki", "init", "theirs", "--dir", secrets, "--from-cert", "ca.pem")
	h.mustRefuse(2, "which of init", "pki")

	// The key under a passphrase serves a listener that is told it, and no other.
	listener := startSocket(t, append([]string{"listen", "127.0.0.1:0", "--any-name", "--key-passphrase-file", own}, h.flags("db")...)...)
	listener.event("listening")
	startSocket(t, append([]string{"listen", "127.0.0.1:0", "--any-name", "--key-passphrase-file", wrong}, h.flags("db")...)...).ends(1)

	// Files that do not go together are one line with a hint.
	other := h.pki("issue", "other", "--name", "other.example.org", "--passphrase-file", right)[0]
	certificate := func(certificate, key any) []string {
		return []string{"dial", "127.0.0.1:1", "--peer", keyOf(t, h.home), "--cert", certificate.(string), "--key", key.(string), "--key-passphrase-file", own}
	}
	h.mustRefuse(1, "not that of the certificate", certificate(issued["cert"], other["key"])...)
	if err := os.Chmod(other["key"].(string), 0o640); err != nil {
		t.Fatal(err)
	}
	h.mustRefuse(1, "must be 0600", certificate(other["cert"], other["key"])...)
	h.mustRefuse(1, "wrong passphrase", append(certificate(issued["cert"], issued["key"])[:8], "--key-passphrase-file", wrong)...)

	h.pki("revoke", "db", "--passphrase-file", right)
	list := h.pki("list")
	if len(list) != 2 || list[0]["state"] != "revoked" || list[0]["name"] != "db" {
		t.Errorf("listed %v", list)
	}
	before := h.pki("show")[0]
	if after := h.pki("renew", "--passphrase-file", right)[0]; after["crl_expires"] == "" || after["crl"] != before["crl"] {
		t.Errorf("the list: %v", after)
	}
}
