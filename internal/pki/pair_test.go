package pki_test

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"snug/internal/pki"
	"snug/mtls"
)

// errKilled is what becomes of each step of a process that was killed.
var errKilled = errors.New("killed")

// killedAt is settings of a process that is killed before a step, and how many steps it came to.
func killedAt(s pki.Settings, last int) (killed pki.Settings, steps *int) {
	steps = new(int)
	return pki.Watched(s, func(string) error {
		if *steps++; *steps > last {
			return errKilled
		}
		return nil
	}), steps
}

// keysIn counts the private keys of a file.
func keysIn(t *testing.T, path string) (n int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		n++
	}
	return n
}

// TestCrashBetweenKeyAndCertificate kills a process at each step of replacing a pair: what lies there then is a pair, the
// old or the new one, that the index knows; and the next try replaces it, and leaves nothing behind.
func TestCrashBetweenKeyAndCertificate(t *testing.T) {
	for _, row := range []struct {
		name    string
		every   int // so many steps; both ways write a pair by the same ones
		passes  time.Duration
		replace func(a *pki.Authority) (*pki.Issued, error)
	}{
		{"renewed", 1, 0, func(a *pki.Authority) (*pki.Issued, error) {
			return a.Renew("web", pki.Renewal{NewKey: true})
		}},
		{"issued again", 5, pki.DefaultTTL + time.Hour, func(a *pki.Authority) (*pki.Issued, error) {
			return a.Issue(pki.Request{Name: "web"})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pattern, clock := newAuthority(t, pki.Plan{})
			oldKey := mtls.FingerprintOf(must(t)(pattern.Issue(pki.Request{Name: "web"})).Certificate)
			clock.pass(row.passes)
			ended := false
			for last := 0; !ended; last += row.every {
				whole := pki.Settings{Dir: filepath.Join(t.TempDir(), "ca"), Now: clock.now}
				if err := os.CopyFS(whole.Dir, os.DirFS(pattern.Path(""))); err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{pki.KeyFile, "issued/web.key"} {
					if err := os.Chmod(filepath.Join(whole.Dir, key), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				a, err := pki.Open(whole)
				if err != nil {
					t.Fatal(err)
				}
				old := must(t)(a.Show("web"))
				settings, steps := killedAt(whole, last)
				killed, err := pki.Open(settings)
				if err != nil {
					t.Fatal(err)
				}
				issued, err := row.replace(killed)
				if ended = err == nil; !ended && !errors.Is(err, errKilled) {
					t.Fatalf("killed before step %d: %v", last+1, err)
				}
				id, err := mtls.LoadCertificate(old.CertificatePath, old.KeyPath)
				if err != nil {
					t.Fatalf("killed before step %d: %v", last+1, err)
				}
				if ended && (id.Fingerprint() == oldKey || id.Fingerprint() != mtls.FingerprintOf(issued.Certificate)) {
					t.Errorf("after all of it the pair is that of %v", id.Fingerprint())
				}
				if ended && *steps < 30 {
					t.Errorf("replacing a pair took %d steps: most of it was not looked at", *steps)
				}
				lying, err := a.Show("web")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := a.StateOf(lying); err != nil {
					t.Errorf("killed before step %d: %v", last+1, err)
				}
				if _, err := a.Renew("web", pki.Renewal{NewKey: true}); err != nil {
					t.Fatalf("killed before step %d, and tried again: %v", last+1, err)
				}
				if again, err := mtls.LoadCertificate(old.CertificatePath, old.KeyPath); err != nil || again.Fingerprint() == id.Fingerprint() {
					t.Errorf("killed before step %d, and tried again: %v, %v", last+1, again, err)
				}
				left, _ := filepath.Glob(filepath.Join(a.Path("issued"), ".*"))
				if n := keysIn(t, old.KeyPath); n != 1 || len(left) > 0 {
					t.Errorf("killed before step %d, and tried again: %d keys, and %v are left", last+1, n, left)
				}
			}
		})
	}
}

// TestPairIsThereAtEachStep reads the pair before each step of replacing it, and has a Watcher follow: there is no moment
// without one, and none at which it is neither the old nor the new one.
func TestPairIsThereAtEachStep(t *testing.T) {
	a, clock := newAuthority(t, pki.Plan{})
	old := must(t)(a.Issue(pki.Request{Name: "web"}))
	files := mtls.Files{Certificate: old.CertificatePath, Key: old.KeyPath, Authorities: []string{a.Path(pki.CertificateFile)}}
	files.Trust.Authority = &mtls.Authority{Names: names(t, "web")}
	watcher, err := mtls.Watch(files, func(_ int, err error) {
		if err != nil {
			t.Errorf("a Watcher was told: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[mtls.Fingerprint]bool)
	watched, err := pki.Open(pki.Watched(pki.Settings{Dir: a.Path(""), Now: clock.now}, func(step string) error {
		id, err := mtls.LoadCertificate(old.CertificatePath, old.KeyPath)
		if err != nil {
			t.Errorf("before the step %q: %v", step, err)
			return nil
		}
		seen[id.Fingerprint()] = true
		if err := watcher.Check(); err != nil || watcher.Live().Identity().Fingerprint() != id.Fingerprint() {
			t.Errorf("before the step %q a Watcher has %v, %v", step, watcher.Live().Identity().Fingerprint(), err)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	renewed := must(t)(watched.Renew("web", pki.Renewal{NewKey: true}))
	if len(seen) != 2 || !seen[mtls.FingerprintOf(old.Certificate)] || !seen[mtls.FingerprintOf(renewed.Certificate)] {
		t.Errorf("seen were %v, want the old one and the new one", seen)
	}
}

// TestCrashUnderPassphrase: keys under a passphrase, of which nobody can tell here which is the certificate's, are all kept
// until it can be told again.
func TestCrashUnderPassphrase(t *testing.T) {
	a, clock := newAuthority(t, pki.Plan{})
	secret := []byte("open sesame")
	old := must(t)(a.Issue(pki.Request{Name: "web", Passphrase: secret}))
	load := func() (mtls.Fingerprint, error) {
		id, _, err := (&mtls.Files{
			Certificate: old.CertificatePath, Key: old.KeyPath, Trust: mtls.Pin(mtls.FingerprintOf(old.Certificate)),
			OpenKey: pki.KeyOpener(func() ([]byte, error) { return secret, nil }),
		}).Load()
		if err != nil {
			return mtls.Fingerprint{}, err
		}
		return id.Fingerprint(), nil
	}
	renamed := 0
	killed, err := pki.Open(pki.Watched(pki.Settings{Dir: a.Path(""), Now: clock.now}, func(step string) error {
		if step == "rename" {
			renamed++
		}
		if renamed > 2 { // the index and the keys
			return errKilled
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := killed.Renew("web", pki.Renewal{NewKey: true, Passphrase: secret}); !errors.Is(err, errKilled) {
		t.Fatalf("it was not killed: %v", err)
	}
	if key, err := load(); err != nil || key != mtls.FingerprintOf(old.Certificate) || keysIn(t, old.KeyPath) != 2 {
		t.Errorf("after a crash: %v, %v, of %d keys; want the old one of 2", key, err, keysIn(t, old.KeyPath))
	}
	renewed := must(t)(a.Renew("web", pki.Renewal{NewKey: true, Passphrase: secret}))
	if key, err := load(); err != nil || key != mtls.FingerprintOf(renewed.Certificate) || keysIn(t, old.KeyPath) != 1 {
		t.Errorf("tried again: %v, %v, of %d keys; want the new one of 1", key, err, keysIn(t, old.KeyPath))
	}
}

// TestTooManyKeys: a file does not grow with each crash for ever.
func TestTooManyKeys(t *testing.T) {
	a, _ := newAuthority(t, pki.Plan{})
	old := must(t)(a.Issue(pki.Request{Name: "web"}))
	sealed := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("of somebody")})
	for _, n := range []int{1, 8, 9} {
		if err := os.WriteFile(old.KeyPath, []byte(strings.Repeat(string(sealed), n)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Renew("web", pki.Renewal{NewKey: true}); (err == nil) != (n < 8) {
			t.Errorf("%d keys that nobody can tell apart: %v", n, err)
		}
	}
}

// TestRenewedByTwo: who renews a certificate that another process replaces meanwhile, its key too, leaves a pair; and one that
// is not due any more is left alone.
func TestRenewedByTwo(t *testing.T) {
	for name, renew := range map[string]func(*pki.Authority) (serials int, err error){
		"renewed": func(a *pki.Authority) (int, error) { _, err := a.Renew("web", pki.Renewal{}); return 3, err },
		"due":     func(a *pki.Authority) (int, error) { _, _, err := a.RenewDue("web"); return 2, err },
	} {
		t.Run(name, func(t *testing.T) {
			other, clock := newAuthority(t, pki.Plan{})
			old := must(t)(other.Issue(pki.Request{Name: "web"}))
			clock.pass(pki.DefaultTTL - time.Hour)
			var between sync.Once
			ours, err := pki.Open(pki.Watched(pki.Settings{Dir: other.Path(""), Now: clock.now}, func(string) error {
				// Before the first step, which is the lock.
				between.Do(func() { must(t)(other.Renew("web", pki.Renewal{NewKey: true})) })
				return nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			serials, err := renew(ours)
			if err != nil {
				t.Fatal(err)
			}
			if id, err := mtls.LoadCertificate(old.CertificatePath, old.KeyPath); err != nil || id.Fingerprint() == mtls.FingerprintOf(old.Certificate) {
				t.Errorf("what lies there: %v, %v; want a pair of the new key", id, err)
			}
			if entries, err := ours.List(); err != nil || len(entries) != serials {
				t.Errorf("%d certificates were issued, %v; want %d", len(entries), err, serials)
			}
		})
	}
}
