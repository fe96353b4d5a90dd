package pki_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snug/internal/pki"
	"snug/mtls"
)

// openssl runs it, and gives what it prints, on stdout and stderr.
func openssl(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("SNUG_REQUIRE") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("SKIPPED: openssl is not installed: apt-get install openssl")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// wantSSL runs it and looks for words in what it prints.
func wantSSL(t testing.TB, dir string, words string, args ...string) string {
	t.Helper()
	out, err := openssl(t, dir, args...)
	if err != nil || !strings.Contains(out, words) {
		t.Errorf("openssl %s: %v, want %q in\n%s", strings.Join(args, " "), err, words, out)
	}
	return out
}

func secret(passphrase string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(passphrase), nil }
}

// TestOpenSSLReads has openssl read every file of an authority. It plays today: not every openssl can be told the time.
func TestOpenSSLReads(t *testing.T) {
	// One of them under a passphrase: it is slow on purpose.
	for kind, passphrase := range map[pki.Algorithm]func() ([]byte, error){pki.P256: secret("open sesame"), pki.Ed25519: nil} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "ca")
			a, err := pki.Init(pki.Settings{Dir: dir, Passphrase: passphrase}, pki.Plan{Name: "ours", Algorithm: kind, Permit: []string{"dns:example.org"}})
			if err != nil {
				t.Fatal(err)
			}
			web := must(t)(a.Issue(pki.Request{Name: "web", Names: names(t, "web.example.org", "spiffe://example.org/web"), Algorithm: kind, Passphrase: []byte("tick"), Server: true}))
			gone := must(t)(a.Issue(pki.Request{Name: "gone", Names: names(t, "gone.example.org"), Algorithm: kind}))
			if _, err := a.Revoke("gone", "key-compromise"); err != nil {
				t.Fatal(err)
			}
			must(t)(a.Renew("web", pki.Renewal{})) // a second one of the name
			text := wantSSL(t, dir, "CA:TRUE, pathlen:0", "x509", "-in", "ca.pem", "-noout", "-text")
			for _, words := range []string{"Certificate Sign, CRL Sign", "Permitted:", "DNS:example.org"} {
				if !strings.Contains(text, words) {
					t.Errorf("openssl does not read %q in\n%s", words, text)
				}
			}
			text = wantSSL(t, dir, "TLS Web Server Authentication", "x509", "-in", web.CertificatePath, "-noout", "-text")
			for _, words := range []string{"CA:FALSE", "DNS:web.example.org", "URI:spiffe://example.org/web", "Digital Signature"} {
				if !strings.Contains(text, words) {
					t.Errorf("openssl does not read %q in\n%s", words, text)
				}
			}
			wantSSL(t, dir, "OK", "verify", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "-crl_check", "-x509_strict", "-purpose", "sslserver", web.CertificatePath)
			if out, err := openssl(t, dir, "verify", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "-crl_check", gone.CertificatePath); err == nil || !strings.Contains(out, "revoked") {
				t.Errorf("openssl takes what is revoked: %v\n%s", err, out)
			}
			wantSSL(t, dir, "verify OK", "crl", "-in", "crl.pem", "-CAfile", "ca.pem", "-noout")
			wantSSL(t, dir, "Key Compromise", "crl", "-in", "crl.pem", "-noout", "-text")
			wantSSL(t, dir, "PUBLIC KEY", "pkey", "-in", "ca.key", "-passin", "pass:open sesame", "-pubout")
			wantSSL(t, dir, "PUBLIC KEY", "pkey", "-in", web.KeyPath, "-passin", "pass:tick", "-pubout")
			wantSSL(t, dir, "PUBLIC KEY", "pkey", "-in", gone.KeyPath, "-pubout")
			if out, err := openssl(t, dir, "pkey", "-in", "ca.key", "-passin", "pass:open", "-pubout"); err == nil && passphrase != nil {
				t.Errorf("openssl opens the key with another passphrase\n%s", out)
			}

			// Its own authority goes on with ours: it finds our certificates in the index, and its next list holds ours.
			config := configure(t, dir, "ca.pem", "ca.key")
			entries, err := a.List()
			if err != nil {
				t.Fatal(err)
			}
			// Its exit status says whether there was anything else to do.
			if out, _ := openssl(t, dir, "ca", "-config", config, "-status", entries[0].Hex()); !strings.Contains(out, entries[0].Hex()+"=Valid (V)") {
				t.Errorf("openssl does not find our certificate in the index\n%s", out)
			}
			wantSSL(t, dir, "", "ca", "-config", config, "-passin", "pass:open sesame", "-gencrl", "-out", "theirs.pem")
			der, err := os.ReadFile(filepath.Join(dir, "theirs.pem"))
			if err != nil {
				t.Fatal(err)
			}
			lists, err := mtls.ParseRevocationLists(der)
			if err != nil || len(lists[0].RevokedCertificateEntries) != 1 || lists[0].RevokedCertificateEntries[0].SerialNumber.Cmp(gone.Certificate.SerialNumber) != 0 {
				t.Fatalf("openssl's list: %v", err)
			}
			if err := lists[0].CheckSignatureFrom(a.Certificate()); err != nil {
				t.Error(err)
			}
			if ours := revocations(t, a); lists[0].Number.Cmp(ours.Number) <= 0 {
				t.Errorf("openssl's list has the number %v, after our %v", lists[0].Number, ours.Number)
			}
		})
	}
}

// configure writes what `openssl ca` wants to be told.
func configure(t testing.TB, dir, certificate, key string) string {
	t.Helper()
	path := filepath.Join(dir, "openssl.cnf")
	text := `[ca]
default_ca = here
[here]
dir = .
database = ./index.txt
new_certs_dir = .
certificate = ./` + certificate + `
private_key = ./` + key + `
serial = ./serial
crlnumber = ./crlnumber
default_md = default
default_days = 30
default_crl_days = 30
policy = any
crl_extensions = list
[any]
commonName = supplied
[list]
authorityKeyIdentifier = keyid
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
subjectAltName = DNS:old.example.org
extendedKeyUsage = clientAuth
[req]
distinguished_name = dn
prompt = no
[dn]
CN = theirs
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOpenSSLsOwn takes over authorities that openssl has made, with each kind of key that it makes, and what they issued.
func TestOpenSSLsOwn(t *testing.T) {
	for _, row := range []struct {
		name string
		make [][]string // makes ca.key
		pass string
		want string // an error's words
	}{
		{"RSA", [][]string{{"genrsa", "-out", "ca.key", "2048"}}, "", ""},
		{"RSA in PKCS #1", [][]string{{"genrsa", "-traditional", "-out", "ca.key", "2048"}}, "", ""},
		{"P-256", [][]string{{"ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key"}}, "", ""},
		{"Ed25519", [][]string{{"genpkey", "-algorithm", "ed25519", "-out", "ca.key"}}, "", ""},
		{"under a passphrase", [][]string{{"genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:tick", "-out", "ca.key"}}, "tick", ""},
		{"under AES-128", [][]string{{"genpkey", "-algorithm", "ed25519", "-aes128", "-pass", "pass:tick", "-out", "ca.key"}}, "tick", ""},
		{"with SHA-512", [][]string{{"genpkey", "-algorithm", "ed25519", "-out", "open.key"}, {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-in", "open.key", "-passout", "pass:tick", "-out", "ca.key"}}, "tick", ""},
		{"another passphrase", [][]string{{"genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:tick", "-out", "ca.key"}}, "tock", "wrong passphrase"},
		{"with SHA-1", [][]string{{"genpkey", "-algorithm", "ed25519", "-out", "open.key"}, {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1", "-in", "open.key", "-passout", "pass:tick", "-out", "ca.key"}}, "tick", "hmacWithSHA256"},
		{"with scrypt", [][]string{{"genpkey", "-algorithm", "ed25519", "-out", "open.key"}, {"pkcs8", "-topk8", "-scrypt", "-in", "open.key", "-passout", "pass:tick", "-out", "ca.key"}}, "tick", "scrypt"},
		{"with DES", [][]string{{"genpkey", "-algorithm", "ed25519", "-des3", "-pass", "pass:tick", "-out", "ca.key"}}, "tick", "cipher"},
		{"RSA-1024", [][]string{{"genrsa", "-out", "ca.key", "1024"}}, "", "1024 bits"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			config := configure(t, dir, "ca.pem", "ca.key")
			for _, args := range row.make {
				wantSSL(t, dir, "", args...)
			}
			os.Chmod(filepath.Join(dir, "ca.key"), 0o600)
			sealed := []string{}
			if row.pass != "" {
				sealed = []string{"-passin", "pass:tick"}
			}
			wantSSL(t, dir, "", append([]string{"req", "-x509", "-config", config, "-extensions", "authority", "-key", "ca.key", "-days", "100", "-out", "ca.pem"}, sealed...)...)
			for name, text := range map[string]string{"index.txt": "", "index.txt.attr": "unique_subject = no\n", "serial": "1001\n", "crlnumber": "2A\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// It has issued two, and revoked one.
			for _, name := range []string{"kept", "lost"} {
				wantSSL(t, dir, "", "req", "-new", "-config", config, "-subj", "/CN="+name, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name+".key", "-out", name+".csr")
				wantSSL(t, dir, "", append([]string{"ca", "-batch", "-config", config, "-extensions", "leaf", "-in", name + ".csr", "-out", name + ".pem"}, sealed...)...)
			}
			wantSSL(t, dir, "", append([]string{"ca", "-config", config, "-revoke", "lost.pem", "-crl_reason", "superseded"}, sealed...)...)

			from := pki.Import{Certificate: filepath.Join(dir, "ca.pem"), Key: filepath.Join(dir, "ca.key"), Index: filepath.Join(dir, "index.txt"), Number: filepath.Join(dir, "crlnumber")}
			if row.pass != "" {
				from.Passphrase = secret(row.pass)
			}
			a, err := pki.Take(pki.Settings{Dir: filepath.Join(dir, "taken")}, from)
			if row.want != "" {
				if err == nil || !strings.Contains(err.Error(), row.want) {
					t.Errorf("got %v, want %q", err, row.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			list := revocations(t, a)
			if list.Number.Int64() != 0x2a || len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].ReasonCode != 4 {
				t.Errorf("list %v revokes %v; want what openssl revoked", list.Number, list.RevokedCertificateEntries)
			}
			if revoked, err := a.Revoke("kept", ""); err != nil || len(revoked) != 1 || revoked[0].Hex() != "1001" {
				t.Errorf("revoking what openssl issued: %v, %v", revoked, err)
			}
			web := must(t)(a.Issue(pki.Request{Name: "web"}))
			wantSSL(t, dir, "OK", "verify", "-CAfile", "ca.pem", "-CRLfile", a.Path(pki.ListFile), "-crl_check", web.CertificatePath)
			if out, err := openssl(t, dir, "verify", "-CAfile", "ca.pem", "-CRLfile", a.Path(pki.ListFile), "-crl_check", "kept.pem"); err == nil {
				t.Errorf("openssl takes what we have revoked\n%s", out)
			}
		})
	}
}

// TestTakeRefuses what is no authority.
func TestTakeRefuses(t *testing.T) {
	a, clock := newAuthority(t, pki.Plan{})
	other, _ := newAuthority(t, pki.Plan{})
	leaf := must(t)(a.Issue(pki.Request{Name: "leaf"}))
	late := *clock
	late.pass(20 * 365 * 24 * time.Hour)
	for name, row := range map[string]struct {
		from  pki.Import
		clock func() time.Time
		words string
	}{
		"a leaf":            {pki.Import{Certificate: leaf.CertificatePath, Key: leaf.KeyPath}, clock.now, "do not say CA"},
		"another key":       {pki.Import{Certificate: a.Path("ca.pem"), Key: other.Path("ca.key")}, clock.now, "is not the key"},
		"one that is over":  {pki.Import{Certificate: a.Path("ca.pem"), Key: a.Path("ca.key")}, late.now, "has ended"},
		"a key as an index": {pki.Import{Certificate: a.Path("ca.pem"), Key: a.Path("ca.key"), Index: a.Path("ca.key")}, clock.now, "line 1"},
		"a key as a number": {pki.Import{Certificate: a.Path("ca.pem"), Key: a.Path("ca.key"), Number: a.Path("ca.key")}, clock.now, "no number"},
		"no certificate":    {pki.Import{Certificate: a.Path("ca.key"), Key: a.Path("ca.key")}, clock.now, "no certificate"},
		"no such file":      {pki.Import{Certificate: a.Path("none"), Key: a.Path("ca.key")}, clock.now, "none"},
	} {
		dir := filepath.Join(t.TempDir(), "ca")
		if _, err := pki.Take(pki.Settings{Dir: dir, Now: row.clock}, row.from); err == nil || !strings.Contains(err.Error(), row.words) {
			t.Errorf("%s: got %v, want %q", name, err, row.words)
		}
		if _, err := pki.Open(pki.Settings{Dir: dir}); !errors.Is(err, pki.ErrNone) {
			t.Errorf("%s: there is an authority now: %v", name, err)
		}
	}
}

// TestSealedKey opens by its passphrase alone; and a changed file never gives another key.
func TestSealedKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := pki.Init(pki.Settings{Dir: dir, Passphrase: secret("open sesame")}, pki.Plan{Name: "ours"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, pki.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		passphrase func() ([]byte, error)
		want       error
	}{
		"the right one": {secret("open sesame"), nil},
		"another":       {secret("open sesamE"), pki.ErrPassphrase},
		"an empty one":  {secret(""), pki.ErrPassphrase},
		"none":          {nil, pki.ErrSealed},
	} {
		a, err := pki.Open(pki.Settings{Dir: dir, Passphrase: row.passphrase})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.SignList(); !errors.Is(err, row.want) {
			t.Errorf("%s: signing gives %v, want %v", name, err, row.want)
		}
	}
	if bytes.Contains(text, []byte("BEGIN PRIVATE")) {
		t.Error("the key lies open")
	}
	if _, err := pki.Init(pki.Settings{Dir: filepath.Join(dir, "x"), Passphrase: secret("")}, pki.Plan{Name: "ours"}); err == nil {
		t.Error("an empty passphrase was taken")
	}
}

func FuzzParseKey(f *testing.F) {
	sealed, err := pki.MarshalKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), []byte("tick"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Ask, and give up: what PBKDF2 costs would be all that is tested.
		give := errors.New("asked")
		signer, err := pki.ParseKey(text, func() ([]byte, error) { return nil, give })
		if (signer == nil) == (err == nil) {
			t.Errorf("got %v and %v", signer, err)
		}
		if signer != nil {
			if _, err := x509.MarshalPKIXPublicKey(signer.Public()); err != nil {
				t.Error(err)
			}
		}
	})
}
