package ident_test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
)

// start is when the tests begin; what a chain records of time is for people.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// cheap are parameters that no account has.
var cheap = ident.PassphraseParams{MemoryKiB: 64, Passes: 1, Lanes: 1}

// seeded gives the same bytes in every run.
func seeded(label string) io.Reader {
	var seed [32]byte
	copy(seed[:], label)
	return rand.NewChaCha8(seed)
}

// person is an account with its first device.
type person struct {
	identity ident.IdentityKey
	chain    *ident.Chain
	device   ident.DeviceKey
}

func newPerson(t testing.TB, handle string) person {
	t.Helper()
	random := seeded(handle)
	identity, chain := must2(ident.NewAccount(random, must(ident.ParseHandle(handle)), start))(t)
	p := person{identity: identity, chain: chain}
	p.device = p.enrol(t, random, "laptop")
	return p
}

// enrol adds a device and gives its key.
func (p person) enrol(t testing.TB, random io.Reader, name string) ident.DeviceKey {
	t.Helper()
	key := must(ident.NewDeviceKey(random))
	if err := p.chain.Append(p.identity, ident.Enrol{Key: key.Public(), Name: name}, start); err != nil {
		t.Fatal(err)
	}
	return key
}

func (p person) id() ident.DeviceID { return ident.NewDeviceID(p.chain.Account(), p.device.Public()) }

// must is for calls that cannot fail with a generator that does not.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[A, B any](a A, b B, err error) func(testing.TB) (A, B) {
	return func(t testing.TB) (A, B) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
}

// TestInsecureStaysInTests looks for callers of the derivation without a floor.
func TestInsecureStaysInTests(t *testing.T) {
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "node_modules" || name == "testkit" || name == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, filepath.Join("ident", "passphrase.go")) {
			return nil
		}
		files++
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), "DerivePassphraseKeysInsecure") {
			t.Errorf("%s uses DerivePassphraseKeysInsecure", path)
		}
		return err
	})
	if err != nil || files < 10 {
		t.Fatalf("looked at %d files: %v", files, err)
	}
}
