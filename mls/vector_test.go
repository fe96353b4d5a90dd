package mls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// hexBytes is a byte string in the vectors.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// vectorFolder is where the working group's vectors lie.
func vectorFolder(t testing.TB) string {
	t.Helper()
	dir := vectorPath()
	if !haveVectors() {
		if os.Getenv("SNUG_REQUIRE") != "" {
			t.Fatalf("no vectors in %s", dir)
		}
		t.Skipf("NOT TESTED: no vectors in %s; git clone https://github.com/mlswg/mls-implementations, and set SNUG_MLS_VECTORS to its test-vectors", dir)
	}
	return dir
}

func vectorPath() string {
	if dir := os.Getenv("SNUG_MLS_VECTORS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "shared", "mls-vectors")
}

func haveVectors() bool {
	files, _ := filepath.Glob(filepath.Join(vectorPath(), "*.json"))
	return len(files) > 0
}

// TestMissingVectorsAreSaid runs what `make test` says at its end, without vectors and with an empty folder in their place, and with one
// that has some: go test itself is silent about what a package skips.
func TestMissingVectorsAreSaid(t *testing.T) {
	path, err := exec.LookPath("make")
	if err != nil {
		t.Skip("SKIPPED: make is not installed: apt-get install make")
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "some.json"), []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, dir string
		said      bool
	}{
		{"no folder", filepath.Join(full, "none"), true},
		{"an empty folder", t.TempDir(), true},
		{"a folder", full, false},
	} {
		cmd := exec.CommandContext(t.Context(), path, "--no-print-directory", "-C", "..", "untested")
		cmd.Env = append(os.Environ(), "SNUG_MLS_VECTORS="+row.dir, "MAKEFLAGS=")
		out, err := cmd.CombinedOutput()
		if said := bytes.Contains(out, []byte("NOT TESTED: mls")); err != nil || said != row.said {
			t.Errorf("%s: said %t, want %t (%v): %s", row.name, said, row.said, err, out)
		}
		if row.said && !bytes.Contains(out, []byte("git clone")) {
			t.Errorf("%s: not a word about how to get them: %s", row.name, out)
		}
	}
}

// readVectors reads a file of test vectors.
func readVectors[T any](t testing.TB, name string) []T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorFolder(t), name))
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// counted checks how many vectors of a file were used: a file that shrinks must not go unnoticed.
func counted(t *testing.T, what string, got, want int) {
	t.Helper()
	t.Logf("%s: %d", what, got)
	if got != want {
		t.Errorf("%s: used %d, want %d", what, got, want)
	}
}

// vectorSuite returns the suite, or nil for those with X448, which is not supported.
func vectorSuite(t testing.TB, id CipherSuite) *suite {
	s, err := id.suite()
	if err != nil && id != 4 && id != 6 {
		t.Fatal(err)
	}
	return s
}

func equal(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: got %x, want %x", what, got, want)
	}
}

// signerFrom makes a signer of a private key as the vectors write it.
func signerFrom(t testing.TB, s *suite, private []byte) crypto.Signer {
	t.Helper()
	scheme, ok := s.scheme.(ecdsaScheme)
	if !ok {
		switch len(private) {
		case ed25519.SeedSize:
			return ed25519.NewKeyFromSeed(private)
		case ed25519.PrivateKeySize:
			return ed25519.PrivateKey(private)
		}
		t.Fatalf("an Ed25519 key of %d bytes", len(private))
	}
	size := (scheme.curve.Params().BitSize + 7) / 8
	padded := append(make([]byte, max(0, size-len(private))), private...)
	key, err := ecdsa.ParseRawPrivateKey(scheme.curve, padded)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// hpkeFrom makes a private key of its encoding, which may lack leading zeros.
func hpkeFrom(t testing.TB, s *suite, private []byte) *privateKey {
	t.Helper()
	if scheme, ok := s.scheme.(ecdsaScheme); ok {
		size := (scheme.curve.Params().BitSize + 7) / 8
		private = append(make([]byte, max(0, size-len(private))), private...)
	}
	key := &privateKey{secret: private}
	if _, err := key.hpkeKey(s); err != nil {
		t.Fatal(err)
	}
	return key
}

// reencodes checks that what was decoded encodes to the same bytes.
func reencodes(t testing.TB, what string, want []byte, encode func(*writer)) {
	t.Helper()
	var w writer
	encode(&w)
	equal(t, what+" encoded again", w.b, want)
}
