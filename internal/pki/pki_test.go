package pki_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"snug/internal/pki"
	"snug/mtls"
)

// A clock is when a test plays.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func (c *clock) pass(d time.Duration) { c.Time = c.Add(d) }

func newClock() *clock { return &clock{time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)} }

// newAuthority makes one without a passphrase, on a clock of its own.
func newAuthority(t testing.TB, plan pki.Plan) (*pki.Authority, *clock) {
	t.Helper()
	c := newClock()
	if plan.Name == "" {
		plan.Name = "a test's authority"
	}
	a, err := pki.Init(pki.Settings{Dir: filepath.Join(t.TempDir(), "ca"), Now: c.now}, plan)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

func names(t testing.TB, texts ...string) []mtls.Name {
	t.Helper()
	var all []mtls.Name
	for _, text := range texts {
		name, err := mtls.ParseName(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	return all
}

func must(t testing.TB) func(*pki.Issued, error) *pki.Issued {
	return func(issued *pki.Issued, err error) *pki.Issued {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
}

// TestInit looks at the authority's certificate (RFC 5280, Section 4.2.1).
func TestInit(t *testing.T) {
	for _, kind := range []pki.Algorithm{pki.P256, pki.Ed25519} {
		a, clock := newAuthority(t, pki.Plan{Algorithm: kind, Permit: []string{"dns:example.org", "ip:10.0.0.0/8", "uri:example.org"}})
		cert := a.Certificate()
		if !cert.IsCA || cert.MaxPathLen != 0 || !cert.MaxPathLenZero || cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || len(cert.ExtKeyUsage) > 0 {
			t.Errorf("%s: authority %v, path length %d, key usage %b, %v", kind, cert.IsCA, cert.MaxPathLen, cert.KeyUsage, cert.ExtKeyUsage)
		}
		critical := make(map[string]bool)
		for _, extension := range cert.Extensions {
			critical[extension.Id.String()] = extension.Critical
		}
		for oid, what := range map[string]string{"2.5.29.19": "basic constraints", "2.5.29.15": "key usage", "2.5.29.30": "name constraints"} {
			if !critical[oid] {
				t.Errorf("%s: %s are not critical", kind, what)
			}
		}
		if !cert.NotBefore.Before(clock.Time) || cert.NotAfter.Before(clock.AddDate(9, 0, 0)) || cert.SerialNumber.BitLen() > 128 {
			t.Errorf("%s: from %v to %v, serial number of %d bits", kind, cert.NotBefore, cert.NotAfter, cert.SerialNumber.BitLen())
		}
		if _, err := pki.Init(pki.Settings{Dir: filepath.Dir(a.Path("x"))}, pki.Plan{Name: "another"}); !errors.Is(err, pki.ErrExists) {
			t.Errorf("another one in its place: %v, want ErrExists", err)
		}
		if again, err := pki.Open(pki.Settings{Dir: filepath.Dir(a.Path("x"))}); err != nil || !again.Certificate().Equal(cert) {
			t.Errorf("opened again: %v", err)
		}
	}
	if _, err := pki.Open(pki.Settings{Dir: t.TempDir()}); !errors.Is(err, pki.ErrNone) {
		t.Errorf("an empty directory: %v, want ErrNone", err)
	}
	for _, plan := range []pki.Plan{{}, {Name: strings.Repeat("x", 65)}, {Name: "x", Algorithm: "rsa"}, {Name: "x", Permit: []string{"example.org"}}, {Name: "x", Permit: []string{"ip:10.0.0.1"}}, {Name: "x", Permit: []string{"dns:*.example.org"}}} {
		dir := filepath.Join(t.TempDir(), "ca")
		if _, err := pki.Init(pki.Settings{Dir: dir}, plan); err == nil {
			t.Errorf("%v: made", plan)
		} else if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v: the directory was made all the same", plan)
		}
	}
}

// TestIssue looks at what is issued, and sees that mtls takes it for what it is.
func TestIssue(t *testing.T) {
	a, clock := newAuthority(t, pki.Plan{})
	for _, row := range []struct {
		name   string
		r      pki.Request
		names  []string
		usages []x509.ExtKeyUsage
		ends   time.Duration
	}{
		{"as it is", pki.Request{Name: "db.example.org"}, []string{"dns:db.example.org", "cn:db.example.org"},
			[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, pki.DefaultTTL},
		{"a client", pki.Request{Name: "web", Names: names(t, "spiffe://example.org/web"), Client: true, TTL: time.Hour, Algorithm: pki.Ed25519},
			[]string{"uri:spiffe://example.org/web", "cn:web"}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, time.Hour},
		{"a server", pki.Request{Name: "api", Names: names(t, "api.example.org", "192.0.2.1", "2001:db8::1"), Server: true},
			[]string{"dns:api.example.org", "ip:192.0.2.1", "ip:2001:db8::1", "cn:api"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, pki.DefaultTTL},
		{"longer than the authority", pki.Request{Name: "old", TTL: 100 * 365 * 24 * time.Hour}, []string{"dns:old", "cn:old"},
			[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, a.Certificate().NotAfter.Sub(clock.Time)},
	} {
		t.Run(row.name, func(t *testing.T) {
			issued := must(t)(a.Issue(row.r))
			cert := issued.Certificate
			if cert.IsCA || !cert.BasicConstraintsValid || cert.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(cert.ExtKeyUsage, row.usages) {
				t.Errorf("authority %v, key usage %b, %v", cert.IsCA, cert.KeyUsage, cert.ExtKeyUsage)
			}
			if got := cert.NotAfter.Sub(clock.Time); got != row.ends.Truncate(time.Second) || !cert.NotBefore.Before(clock.Time) {
				t.Errorf("from %v for %v, want %v", cert.NotBefore, got, row.ends)
			}
			if bits := cert.SerialNumber.BitLen(); bits > 128 || bits < 64 {
				t.Errorf("a serial number of %d bits", bits)
			}
			id, err := mtls.LoadCertificate(issued.CertificatePath, issued.KeyPath)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, name := range id.Names() {
				got = append(got, name.String())
			}
			if !slices.Equal(got, row.names) {
				t.Errorf("named %v, want %v", got, row.names)
			}
		})
	}
	for _, path := range []string{pki.KeyFile, "index.txt", "issued/web.key"} {
		info, err := os.Stat(a.Path(path))
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", path, info.Mode(), err)
		}
	}
}

// TestIssueRefuses leaves everything as it was.
func TestIssueRefuses(t *testing.T) {
	a, _ := newAuthority(t, pki.Plan{Permit: []string{"dns:example.org", "ip:10.0.0.0/8"}})
	must(t)(a.Issue(pki.Request{Name: "taken", Names: names(t, "taken.example.org")}))
	before := snapshot(t, a)
	for name, r := range map[string]pki.Request{
		"no name":                {},
		"a path":                 {Name: "../x"},
		"capitals":               {Name: "Db"},
		"no DNS name":            {Name: "a_-"},
		"too short":              {Name: "x", Names: names(t, "x.example.org"), TTL: time.Second},
		"before it begins":       {Name: "x", Names: names(t, "x.example.org"), TTL: -time.Hour},
		"a common name":          {Name: "x", Names: names(t, "cn:x")},
		"a name not permitted":   {Name: "x", Names: names(t, "example.com")},
		"an address not so":      {Name: "x", Names: names(t, "192.0.2.1")},
		"the beginning of one":   {Name: "x", Names: names(t, "notexample.org")},
		"one that holds already": {Name: "taken", Names: names(t, "taken.example.org")},
		"a kind of key":          {Name: "x", Names: names(t, "x.example.org"), Algorithm: "rsa"},
	} {
		if issued, err := a.Issue(r); err == nil {
			t.Errorf("%s: issued for %v", name, issued.Certificate.DNSNames)
		}
		if after := snapshot(t, a); after != before {
			t.Fatalf("%s: the directory has changed:\n%s", name, after)
		}
	}
}

// snapshot is all that lies in the directory.
func snapshot(t testing.TB, a *pki.Authority) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(a.Path(""), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s\n%s\n", path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestRenew keeps names, purposes and length, and the key unless it is to be a new one.
func TestRenew(t *testing.T) {
	a, clock := newAuthority(t, pki.Plan{})
	first := must(t)(a.Issue(pki.Request{Name: "web", Names: names(t, "web.example.org", "spiffe://example.org/web"), Client: true, TTL: 90 * time.Hour, Algorithm: pki.Ed25519}))
	if renewed, next, err := a.RenewDue("web"); renewed || err != nil || !next.After(clock.Add(59*time.Hour)) || !next.Before(clock.Add(60*time.Hour)) {
		t.Errorf("at once: %v, %v, %v; want two thirds of 90 hours", renewed, next, err)
	}
	clock.pass(60 * time.Hour)
	if renewed, next, err := a.RenewDue("web"); !renewed || err != nil || !next.After(clock.Add(59*time.Hour)) {
		t.Errorf("after 60 hours: %v, %v, %v", renewed, next, err)
	}
	second := must(t)(a.Show("web"))
	if fingerprint(second) != fingerprint(first) || second.Certificate.NotAfter.Sub(clock.Time) != 90*time.Hour || second.Certificate.SerialNumber.Cmp(first.Certificate.SerialNumber) == 0 {
		t.Errorf("renewed until %v, serial number %x", second.Certificate.NotAfter, second.Certificate.SerialNumber)
	}
	third := must(t)(a.Renew("web", pki.Renewal{NewKey: true}))
	if fingerprint(third) == fingerprint(first) || third.Certificate.PublicKeyAlgorithm != x509.Ed25519 {
		t.Error("the key is the old one, or of another kind")
	}
	for _, issued := range []*pki.Issued{second, third} {
		cert := issued.Certificate
		if !slices.Equal(cert.DNSNames, first.Certificate.DNSNames) || len(cert.URIs) != 1 || !slices.Equal(cert.ExtKeyUsage, first.Certificate.ExtKeyUsage) || cert.Subject.CommonName != "web" {
			t.Errorf("renewed for %v, %v, %v", cert.DNSNames, cert.URIs, cert.ExtKeyUsage)
		}
	}
	if _, err := mtls.LoadCertificate(third.CertificatePath, third.KeyPath); err != nil {
		t.Errorf("the new pair: %v", err)
	}
	if _, err := a.Renew("nobody", pki.Renewal{}); !errors.Is(err, pki.ErrNone) {
		t.Errorf("nobody's: %v, want ErrNone", err)
	}
	// One that has ended is renewed too: whoever was away for long comes back.
	clock.pass(1000 * time.Hour)
	if renewed, _, err := a.RenewDue("web"); !renewed || err != nil {
		t.Errorf("long after: %v, %v", renewed, err)
	}
}

func fingerprint(issued *pki.Issued) mtls.Fingerprint { return mtls.FingerprintOf(issued.Certificate) }

// TestRevoke withdraws all that a name has, and the list says so.
func TestRevoke(t *testing.T) {
	a, clock := newAuthority(t, pki.Plan{})
	web := must(t)(a.Issue(pki.Request{Name: "web", Names: names(t, "web")}))
	must(t)(a.Renew("web", pki.Renewal{NewKey: true}))
	db := must(t)(a.Issue(pki.Request{Name: "db", Names: names(t, "db")}))
	revoked, err := a.Revoke("web", "key-compromise")
	if err != nil || len(revoked) != 2 {
		t.Fatalf("revoked %d, %v; want both certificates of the name", len(revoked), err)
	}
	list := revocations(t, a)
	if len(list.RevokedCertificateEntries) != 2 || list.RevokedCertificateEntries[0].ReasonCode != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(web.Certificate.SerialNumber) != 0 {
		t.Errorf("the list has %v", list.RevokedCertificateEntries)
	}
	if again, err := a.Revoke("web", ""); err != nil || len(again) != 0 {
		t.Errorf("again: %d, %v", len(again), err)
	}
	if number := revocations(t, a).Number; number.Cmp(list.Number) <= 0 {
		t.Errorf("the list's number went from %v to %v", list.Number, number)
	}
	for name, want := range map[string]error{"nobody": pki.ErrNone, "": pki.ErrNone, "we": pki.ErrNone, "WEB": pki.ErrNone} {
		if _, err := a.Revoke(name, ""); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	if _, err := a.Revoke("db", "boredom"); err == nil {
		t.Error("revoked for a reason that is none")
	}
	if _, err := a.Renew("web", pki.Renewal{NewKey: true}); err == nil {
		t.Error("what was revoked was renewed")
	}
	// A name is free again, and a serial number is enough.
	must(t)(a.Issue(pki.Request{Name: "web", Names: names(t, "web")}))
	if revoked, err := a.Revoke(fmt.Sprintf("%x", db.Certificate.SerialNumber), "superseded"); err != nil || len(revoked) != 1 || revoked[0].Name != "db" {
		t.Errorf("by serial number: %v, %v", revoked, err)
	}
	for _, form := range []string{"%x", "0%x", "%040X"} {
		if _, err := a.Revoke(fmt.Sprintf(form, db.Certificate.SerialNumber), ""); err != nil {
			t.Errorf("by serial number as %s: %v", form, err)
		}
	}
	entries, err := a.List()
	if err != nil {
		t.Fatal(err)
	}
	clock.pass(pki.DefaultTTL + time.Hour)
	var states []string
	for _, e := range entries {
		states = append(states, e.Name+" "+string(e.StateAt(clock.Time)))
	}
	if got, want := strings.Join(states, ", "), "web revoked, web revoked, db revoked, web expired"; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
	if _, err := a.Revoke("nothing", ""); !errors.Is(err, pki.ErrNone) {
		t.Errorf("nothing: %v", err)
	}
}

// revocations reads the list as those do who rely on it.
func revocations(t testing.TB, a *pki.Authority) *x509.RevocationList {
	t.Helper()
	text, err := os.ReadFile(a.Path(pki.ListFile))
	if err != nil {
		t.Fatal(err)
	}
	lists, err := mtls.ParseRevocationLists(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := lists[0].CheckSignatureFrom(a.Certificate()); err != nil {
		t.Fatal(err)
	}
	return lists[0]
}

// TestCrash: whatever fails on the way, what was signed is in the index, and the next call goes on.
func TestCrash(t *testing.T) {
	a, _ := newAuthority(t, pki.Plan{})
	for _, blocked := range []string{"issued/web.key", "issued/web.pem", pki.ListFile} {
		os.Remove(a.Path(blocked))
		if err := os.Mkdir(a.Path(blocked), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(a.Path(blocked), "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Issue(pki.Request{Name: "web", Names: names(t, "web")}); err == nil {
			t.Fatalf("%s cannot be written, and nobody said so", blocked)
		}
		os.RemoveAll(a.Path(blocked))
		if entries, err := a.List(); err != nil || len(entries) == 0 {
			t.Errorf("%s: %d entries, %v; want the one that may be out there", blocked, len(entries), err)
		}
		if revoked, err := a.Revoke("web", ""); err != nil || len(revoked) != 1 {
			t.Errorf("%s: revoked %d, %v", blocked, len(revoked), err)
		}
	}
	// What a process that was killed has left half-written goes.
	for _, path := range []string{".new-1", "issued/.new-2"} {
		if err := os.WriteFile(a.Path(path), []byte("half a key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.SignList(); err != nil {
		t.Fatal(err)
	}
	if all := snapshot(t, a); strings.Contains(all, "half a key") {
		t.Error("what was half-written is still there")
	}
	// An index that is gone, or was written into, is not taken for an empty one.
	text, err := os.ReadFile(a.Path("index.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string][]byte{"cut": text[:len(text)-10], "twice": append(bytes.Clone(text), text...), "words": []byte("hello\n")} {
		if err := os.WriteFile(a.Path("index.txt"), broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Issue(pki.Request{Name: "db"}); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: %v, want the line named", name, err)
		}
	}
	os.Remove(a.Path("index.txt"))
	if _, err := a.Issue(pki.Request{Name: "db2"}); err == nil || !strings.Contains(err.Error(), "index") {
		t.Errorf("no index: %v", err)
	}
}

// TestConcurrent issues and revokes from several at a time: nothing is lost.
func TestConcurrent(t *testing.T) {
	a, clock := newAuthority(t, pki.Plan{})
	var running sync.WaitGroup
	const each = 12
	failed := make(chan error, 2*each)
	for n := range each {
		running.Go(func() {
			mine, err := pki.Open(pki.Settings{Dir: a.Path(""), Now: clock.now})
			if err == nil {
				_, err = mine.Issue(pki.Request{Name: fmt.Sprintf("n%d", n)})
			}
			if err == nil && n%2 == 0 {
				_, err = mine.Revoke(fmt.Sprintf("n%d", n), "")
			}
			failed <- err
		})
	}
	running.Wait()
	for range each {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	entries, err := a.List()
	if err != nil || len(entries) != each || len(revocations(t, a).RevokedCertificateEntries) != each/2 {
		t.Errorf("%d entries, %d revoked, %v; want %d and half of that", len(entries), len(revocations(t, a).RevokedCertificateEntries), err, each)
	}
	if got := revocations(t, a).Number.Int64(); got != 1+each+each/2 {
		t.Errorf("the list's number is %d, want one for each change", got)
	}
}

// FuzzIndex: what parses is written so that it parses to the same.
func FuzzIndex(f *testing.F) {
	f.Add([]byte("V\t260608120000Z\t\t0A1B\tunknown\t/CN=web\n"))
	f.Add([]byte("R\t20500608120000Z\t260601120000Z,keyCompromise\t01\tunknown\t/C=NL/CN=web/emailAddress=a@b\n"))
	f.Add([]byte("R\t500608120000Z\t260601120000Z,holdInstruction,x\t01\tunknown\t/CN=web\nE\t260608120000Z\t\t02\tunknown\t/O=x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := pki.Reindex(text)
		if err != nil {
			return
		}
		if twice, err := pki.Reindex(once); err != nil || !bytes.Equal(twice, once) {
			t.Errorf("%q is written %q, and that %q, %v", text, once, twice, err)
		}
	})
}
