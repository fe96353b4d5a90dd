package mtls_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/mtls"
)

// A home is a directory with the files of an identity and a trust.
type home struct {
	t     *testing.T
	dir   string
	files mtls.Files
	told  chan telling
}

type telling struct {
	cut int
	err error
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

// put replaces a file as everybody should: whole.
func (h *home) put(name string, text []byte) {
	h.t.Helper()
	if err := os.WriteFile(h.path("new"), text, 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(h.path("new"), h.path(name)); err != nil {
		h.t.Fatal(err)
	}
}

// certify puts a new certificate and its key.
func (h *home) certify(ca *authority, name string) {
	h.t.Helper()
	key := newKey(h.t)
	leaf := ca.sign(&x509.Certificate{
		SerialNumber: newSerial(ca), DNSNames: []string{name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}, ca.cert, &key.PublicKey)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.put("identity.pem", append(pemOf("PRIVATE KEY", der), pemOf("CERTIFICATE", leaf.Raw)...))
}

// newHome has a certificate for a name, who trusts the authority for another, and lists of its own.
func newHome(t *testing.T, ca *authority, name, peer string) (*home, *mtls.Watcher) {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), told: make(chan telling, 16)}
	h.certify(ca, name)
	h.put("ca.pem", pemOf("CERTIFICATE", ca.cert.Raw))
	h.put("crl.pem", pemOf("X509 CRL", ca.list(5).Raw))
	h.put("keys", []byte("# nobody yet\n"))
	trust := ca.trust(peer)
	trust.Authority.Roots = nil
	h.files = mtls.Files{
		Certificate: h.path("identity.pem"), Key: h.path("identity.pem"), Authorities: []string{h.path("ca.pem")},
		Lists: []string{h.path("crl.pem")}, RevokedKeys: h.path("keys"), Trust: trust,
	}
	w, err := mtls.Watch(h.files, func(cut int, err error) { h.told <- telling{cut, err} })
	if err != nil {
		t.Fatal(err)
	}
	return h, w
}

func newSerial(ca *authority) *big.Int {
	ca.next++
	return big.NewInt(ca.next)
}

// TestWatcher rewrites the files under two who are connected.
func TestWatcher(t *testing.T) {
	ca := newAuthority(t, "ours")
	_, dialing := newHome(t, ca, "alice", "bob")
	h, listening := newHome(t, ca, "bob", "alice")
	meeting := func() (dialed, accepted *mtls.Conn, dialError, refusal error) {
		return rendezvous(t, &mtls.ClientOptions{Live: dialing.Live()}, &mtls.ListenerOptions{Live: listening.Live()})
	}
	dialed, accepted, dialError, refusal := meeting()
	if dialError != nil {
		t.Fatal(dialError, refusal)
	}
	quiet := func(what string) {
		t.Helper()
		if err := listening.Check(); err != nil || len(h.told) != 0 {
			t.Fatalf("%s: %v, and told %d times", what, err, len(h.told))
		}
	}
	taken := func(what string, cut int) {
		t.Helper()
		if err := listening.Check(); err != nil || len(h.told) != 1 {
			t.Fatalf("%s: %v, and told %d times", what, err, len(h.told))
		}
		if told := <-h.told; told.err != nil || told.cut != cut {
			t.Errorf("%s: told %v, want %d cut", what, told, cut)
		}
	}
	refused := func(what, words string) {
		t.Helper()
		before := listening.Live().Identity()
		for range 2 { // and told once
			if err := listening.Check(); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: got %v, want %q", what, err, words)
			}
		}
		if len(h.told) != 1 || listening.Live().Identity() != before {
			t.Fatalf("%s: told %d times, want once, and nothing changed", what, len(h.told))
		}
		if told := <-h.told; told.err == nil {
			t.Errorf("%s: told of success", what)
		}
	}
	quiet("nothing changed")
	h.put("keys", []byte("# nobody yet\n"))
	quiet("written again as it was")

	// New certificates go on with the connections that are there.
	before := listening.Live().Identity().Fingerprint()
	h.certify(ca, "bob")
	taken("a new certificate", 0)
	if listening.Live().Identity().Fingerprint() == before {
		t.Error("the identity is the old one")
	}
	again, _, dialError, refusal := meeting()
	if dialError != nil {
		t.Fatal(dialError, refusal)
	}
	if got := again.Peer().Fingerprint; got == before {
		t.Error("a new handshake has the old certificate")
	}

	// What is broken changes nothing.
	good, err := os.ReadFile(h.path("identity.pem"))
	if err != nil {
		t.Fatal(err)
	}
	h.put("identity.pem", good[:len(good)/2])
	refused("half a file", "identity.pem")
	if err := os.Remove(h.path("identity.pem")); err != nil {
		t.Fatal(err)
	}
	if err := listening.Check(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want ErrNotExist", err)
	}
	<-h.told
	h.put("identity.pem", good)
	quiet("the old file again")
	h.put("crl.pem", pemOf("X509 CRL", ca.list(4).Raw))
	refused("an older revocation list", "older than the one before")
	h.put("crl.pem", pemOf("X509 CRL", newAuthority(t, "ours").list(6).Raw))
	refused("a revocation list by another", "not signed by it")
	h.put("crl.pem", nil)
	refused("an empty revocation list", "crl.pem")
	h.put("ca.pem", pemOf("CERTIFICATE", accepted.Peer().Certificate.Raw))
	h.put("crl.pem", pemOf("X509 CRL", ca.list(5).Raw))
	refused("a root that is none", "cannot be an authority")
	h.put("ca.pem", pemOf("CERTIFICATE", ca.cert.Raw))
	listening.Check()
	for len(h.told) > 0 {
		<-h.told
	}
	dialed.Write([]byte("x"))
	if _, err := accepted.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the first connection is gone: %v", err)
	}

	// A key that is revoked ends both connections.
	h.put("keys", []byte(dialing.Live().Identity().Fingerprint().String()+"\n"))
	taken("a revoked key", 2)
	_, err = accepted.Read(make([]byte, 1))
	wantRule(t, err, mtls.RuleRevoked)
	_, _, dialError, refusal = meeting()
	wantRefused(t, dialError)
	wantRule(t, refusal, mtls.RuleRevoked)
}

// TestWatcherInTime: what is written is in force within the 5 s that are promised, whenever in its rounds it comes.
func TestWatcherInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, "ours")
		h, w := newHome(t, ca, "alice", "bob")
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- w.Run(ctx) }()
		for i := range 5 {
			time.Sleep(1234 * time.Millisecond)
			began, key := time.Now(), mtls.Fingerprint{byte(i)}
			h.put("keys", []byte(key.String()+"\n"))
			if told := <-h.told; told.err != nil {
				t.Error(told.err)
			}
			took, taken := time.Since(began), slices.Contains(w.Live().Trust().Revoked.Keys, key)
			if !taken || took > 5*time.Second {
				t.Errorf("change %d: in force %t, told after %v; want it in force, after 5 s at most", i, taken, took)
			}
		}
		stop()
		<-ran
	})
}

// TestWatcherRuns: nobody has to say that a list has changed.
func TestWatcherRuns(t *testing.T) {
	ca := newAuthority(t, "ours")
	h, dialing := newHome(t, ca, "alice", "bob")
	_, listening := newHome(t, ca, "bob", "alice")
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- dialing.Run(ctx) }()
	dialed, accepted, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Live: dialing.Live()}, &mtls.ListenerOptions{Live: listening.Live()})
	if dialError != nil {
		t.Fatal(dialError, refusal)
	}
	h.put("crl.pem", pemOf("X509 CRL", ca.list(6, listening.Live().Identity()).Raw))
	_, err := dialed.Read(make([]byte, 1))
	wantRule(t, err, mtls.RuleRevoked)
	if _, err := accepted.Read(make([]byte, 1)); !errors.Is(err, mtls.ErrTruncated) {
		t.Errorf("the revoked reads %v, want ErrTruncated", err)
	}
	stop()
	if err := <-ran; err != context.Canceled {
		t.Errorf("Run gave %v", err)
	}
}

// TestFilesRefuse: what does not fit together is one error.
func TestFilesRefuse(t *testing.T) {
	ca := newAuthority(t, "ours")
	h, _ := newHome(t, ca, "alice", "bob")
	for name, change := range map[string]func(*mtls.Files){
		"an identity twice": func(f *mtls.Files) { f.Identity = identity(t, "alice") },
		"no certificate":    func(f *mtls.Files) { f.Certificate = h.path("none") },
		// What is known of revocation when a process starts is what the files say: without them it does not.
		"a list that is not there":      func(f *mtls.Files) { f.Lists = []string{h.path("none")} },
		"a key list that is not there":  func(f *mtls.Files) { f.RevokedKeys = h.path("none") },
		"a list that cannot be read":    func(f *mtls.Files) { f.Lists = []string{h.dir} },
		"an authority not there":        func(f *mtls.Files) { f.Authorities = []string{h.path("none")} },
		"a certificate for a list":      func(f *mtls.Files) { f.Lists = []string{h.path("ca.pem")} },
		"a list for an authority":       func(f *mtls.Files) { f.Authorities = []string{h.path("crl.pem")} },
		"no authority":                  func(f *mtls.Files) { f.Authorities = nil },
		"a certificate for a key list":  func(f *mtls.Files) { f.RevokedKeys = h.path("ca.pem") },
		"a key that is not to be found": func(f *mtls.Files) { f.Key = h.path("ca.pem") },
	} {
		files := h.files
		change(&files)
		if _, err := mtls.Watch(files, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
