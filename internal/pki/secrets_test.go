package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"snug/internal/pki"
)

// TestSecrets: a passphrase is asked for once for each file, and anew where it does not fit any more.
func TestSecrets(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(passphrase string) []byte {
		text, err := pki.MarshalKey(key, []byte(passphrase))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	asked, given := 0, "old"
	secrets := pki.NewSecrets(func(path string, authority bool) ([]byte, error) {
		asked++
		if path != "db.key" || authority {
			t.Errorf("asked for %s, of an authority: %v; want db.key, which is none's", path, authority)
		}
		return []byte(given), nil
	})
	open := secrets.Opener("db.key", false)
	old, other := sealed("old"), sealed("new")
	for _, row := range []struct {
		name, given string
		text        []byte
		asked       int
		err         error
	}{
		{"no passphrase needed", "old", sealed(""), 0, nil},
		{"the first time", "old", old, 1, nil},
		{"again", "wrong", old, 1, nil},
		{"the file is sealed anew, by the same", "wrong", sealed("old"), 1, nil},
		{"the file is sealed anew, by another", "new", other, 2, nil},
		{"nobody knows it", "wrong", old, 3, pki.ErrPassphrase},
		{"the next time somebody does", "old", old, 4, nil},
	} {
		given = row.given
		got, err := open(row.text)
		if !errors.Is(err, row.err) || err == nil && !key.Equal(got) {
			t.Errorf("%s: %v, want the key, or %v", row.name, err, row.err)
		}
		if asked != row.asked {
			t.Errorf("%s: asked %d times, want %d", row.name, asked, row.asked)
		}
	}
	if _, err := (*pki.Secrets)(nil).Opener("db.key", false)(old); !errors.Is(err, pki.ErrSealed) {
		t.Errorf("without secrets: %v, want %v", err, pki.ErrSealed)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("all of it", "secrets", secrets)
	text, err := json.Marshal(secrets)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s", secrets, secrets, secrets, secrets), log.String(), string(text)} {
		if err != nil || !strings.Contains(printed, "secret") || strings.Contains(printed, "db.key") {
			t.Errorf("it prints as %q, %v", printed, err)
		}
	}
}
