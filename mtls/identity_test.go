package mtls_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// template is of a certificate that ended long ago.
func template() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2002, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func TestIdentityIsStable(t *testing.T) {
	a, b := identity(t, "alice"), identity(t, "alice")
	if a.Fingerprint() != b.Fingerprint() || !bytes.Equal(a.Certificate(), b.Certificate()) {
		t.Error("one Ed25519 key gave two certificates")
	}
	if a.Fingerprint() == identity(t, "bob").Fingerprint() {
		t.Error("two keys have one fingerprint")
	}
	leaf, err := x509.ParseCertificate(a.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	if leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) != nil || leaf.NotAfter.Year() != 9999 || leaf.IsCA {
		t.Errorf("certificate ends %v, authority %v", leaf.NotAfter, leaf.IsCA)
	}
}

func TestFromKeyRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mtls.FromKey(nil); err == nil {
		t.Error("an identity of no key")
	}
	if _, err := mtls.FromKey(p384); err == nil {
		t.Error("an identity of P-384")
	}
	if _, err := mtls.FromKey(weak); err == nil {
		t.Error("an identity of RSA")
	}
}

func TestSaveLoad(t *testing.T) {
	for name, generate := range map[string]func() (*mtls.Identity, error){"Ed25519": mtls.Generate, "P-256": mtls.GenerateP256} {
		path := filepath.Join(t.TempDir(), "identity.pem")
		id, err := mtls.LoadOrGenerate(path, generate)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", name, info.Mode(), err)
		}
		for _, load := range []func() (*mtls.Identity, error){
			func() (*mtls.Identity, error) { return mtls.Load(path) },
			func() (*mtls.Identity, error) { return mtls.LoadOrGenerate(path, generate) },
		} {
			if got, err := load(); err != nil || got.Fingerprint() != id.Fingerprint() {
				t.Errorf("%s: loaded %v, want the same fingerprint", name, err)
			}
		}
		before, _ := os.ReadFile(path)
		if err := identity(t, "other").Save(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: saving over a file gave %v, want ErrExist", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
			t.Errorf("%s: the file changed", name)
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("%s: %d files, want 1", name, len(entries))
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: identity(t, "alice").Certificate()})
	for name, row := range map[string]struct {
		content string
		mode    fs.FileMode
	}{
		"empty":       {"", 0o600},
		"no key":      {string(certificate), 0o600},
		"broken key":  {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600},
		"for all":     {string(certificate), 0o644},
		"for a group": {string(certificate), 0o640},
		"far too big": {strings.Repeat("x", 20_000), 0o600},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(row.content), row.mode); err != nil {
			t.Fatal(err)
		}
		_, err := mtls.Load(path)
		if err == nil {
			t.Errorf("%s: loaded", name)
		} else if row.mode != 0o600 && runtime.GOOS != "windows" && !strings.Contains(err.Error(), "0600") {
			t.Errorf("%s: %v does not say what to do", name, err)
		}
	}
	if _, err := mtls.Load(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want ErrNotExist", err)
	}
}

func TestFingerprint(t *testing.T) {
	f := identity(t, "alice").Fingerprint()
	s := f.String()
	if got, err := mtls.ParseFingerprint(s); err != nil || !got.Equal(f) || len(s) != mtls.FingerprintSize {
		t.Errorf("ParseFingerprint(%q) = %v, %v", s, got, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "short": s[1:], "long": s + "a", "upper case": strings.ToUpper(s), "line break": s[:51] + "\n",
		"padding": s[:51] + "=", "stray bits": s[:51] + "b", "zero digit": "0" + s[1:],
	} {
		if _, err := mtls.ParseFingerprint(bad); err != mtls.ErrFingerprint {
			t.Errorf("%s: got %v, want ErrFingerprint", name, err)
		}
	}
}

func TestParseAddress(t *testing.T) {
	f := identity(t, "alice").Fingerprint()
	for _, addr := range []string{"example.org:8443", "127.0.0.1:1", "[::1]:8443"} {
		got, pin, err := mtls.ParseAddress(addr + "#" + f.String())
		if err != nil || got != addr || pin != f {
			t.Errorf("%s: got %s, %v, %v", addr, got, pin, err)
		}
		for _, unpinned := range []string{addr, addr + "#"} {
			if _, _, err := mtls.ParseAddress(unpinned); err != mtls.ErrUnpinned {
				t.Errorf("%s: got %v, want ErrUnpinned", unpinned, err)
			}
		}
	}
	for _, bad := range []string{"", "#" + f.String(), "host#" + f.String(), ":1#" + f.String(), "host:#" + f.String(), "host:1#x", "host:1#" + f.String() + "#"} {
		if _, _, err := mtls.ParseAddress(bad); err == nil {
			t.Errorf("%q parsed", bad)
		}
	}
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add(strings.Repeat("a", 52))
	f.Add(strings.Repeat("a", 51) + "b")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := mtls.ParseFingerprint(s); err == nil && got.String() != s {
			t.Errorf("%q is written %q", s, got)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	f.Add("[::1]:8443#" + strings.Repeat("a", 52))
	f.Fuzz(func(t *testing.T, s string) {
		if addr, pin, err := mtls.ParseAddress(s); err == nil && addr+"#"+pin.String() != s {
			t.Errorf("%q is written %q", s, addr+"#"+pin.String())
		}
	})
}

// TestSecretsDoNotPrint: neither an identity nor a struct or config that holds one.
func TestSecretsDoNotPrint(t *testing.T) {
	seed := []byte("a seed of exactly thirty-two by.")
	id := identity(t, string(seed))
	config, err := mtls.ClientTLS(id, id.Fingerprint(), mtls.Messenger)
	if err != nil {
		t.Fatal(err)
	}
	forms := []string{string(seed), hex.EncodeToString(seed), strings.Trim(fmt.Sprint(seed), "[]"), base64.StdEncoding.EncodeToString(seed)[:40]}
	for _, v := range []any{id, *id, struct{ id *mtls.Identity }{id}, struct{ id mtls.Identity }{*id}, config.Certificates, mtls.ClientOptions{Identity: id}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			printed := fmt.Sprintf(verb, v)
			for _, form := range forms {
				if strings.Contains(printed, form) {
					t.Errorf("%s of %T shows the seed", verb, v)
				}
			}
			if v == any(id) && printed != "secret" {
				t.Errorf("%s gives %q, want secret", verb, printed)
			}
		}
	}
	b, err := json.Marshal(id)
	if err != nil || string(b) != `"secret"` {
		t.Errorf("JSON gives %s, %v", b, err)
	}
	var text, lines bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", id)
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", "v", id)
	if !strings.Contains(text.String(), "v=secret") || !strings.Contains(lines.String(), `"v":"secret"`) {
		t.Errorf("slog gives %s and %s", &text, &lines)
	}
}

// hardware is a key that cannot be copied.
type hardware struct{ ed25519.PrivateKey }

func TestKeyThatLiesElsewhere(t *testing.T) {
	id, err := mtls.FromKey(hardware{ed25519.NewKeyFromSeed(make([]byte, 32))})
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Save(filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("a key that lies elsewhere was saved")
	}
}
