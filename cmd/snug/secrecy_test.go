package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snug/client/sqlite"
	"snug/internal/ident"
)

// TestServerHoldsNothing looks for what people said in a sealed room, for their passphrases and for their private keys, in every byte that the
// server keeps or prints, while it runs (so that its WAL and its mapped files are there) and after it was killed.
func TestServerHoldsNothing(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	const said, seen = "canary-in-the-sealed-room", "canary-in-the-open-room"
	const name = "canary-name-of-the-room"
	room := alice.must("room", "create", name, "@bob")[0]["room"].(string)
	alice.must("send", room, said)
	alice.must("send", "@bob", said)
	bob.must("send", "@alice", said)
	alice.must("send", openRoom, seen)
	if got := bob.must("history", room); len(got) == 0 {
		t.Fatal("bob reads nothing")
	}
	// All of it is in alice's archive, from which a new device of hers reads it.
	online := alice.follow()
	laptop := newPerson(t, "alice")
	laptop.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	laptop.reads(room, said)
	online.stop()

	secrets := map[string]string{
		"what was said": said, "the room's name": name, "alice's passphrase": alice.passphrase, "bob's passphrase": bob.passphrase,
	}
	for _, p := range people {
		for record, secret := range p.privateKeys() {
			secrets[p.handle+"'s "+record+" key"] = secret
		}
	}
	search := func() {
		found := false
		text := s.log.String()
		for what, secret := range secrets {
			if holds([]byte(text), secret) {
				t.Errorf("the log holds %s", what)
			}
		}
		if strings.Contains(text, seen) {
			t.Errorf("the log holds what was said in the open room")
		}
		eachServerFile(t, s.data, func(path string, text []byte) {
			found = found || holds(text, seen)
			for what, secret := range secrets {
				if holds(text, secret) {
					t.Errorf("%s holds %s", path, what)
				}
			}
		})
		// What is open must be found, or the search proves nothing.
		if !found {
			t.Error("the search does not find what was said in the open room either")
		}
	}
	search()
	s.kill()
	search()
}

// privateKeys are the device's own key and the account's identity key, as the home keeps them, by record.
func (p *person) privateKeys() map[string]string {
	p.t.Helper()
	store, err := sqlite.Open(filepath.Join(p.home, "store.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer store.Close()
	keys := make(map[string]string)
	for _, record := range []string{"device", "identity", "vaultkey"} {
		secret, err := store.Get(p.t.Context(), record)
		if err != nil || len(secret) != ident.SeedSize {
			p.t.Fatalf("%s: the record %q has %d bytes, %v; want a private key", p.handle, record, len(secret), err)
		}
		keys[record] = string(secret)
	}
	return keys
}

// holds looks for a secret in the forms in which it could have been stored without encryption.
func holds(text []byte, secret string) bool {
	forms := []string{
		secret, hex.EncodeToString([]byte(secret)),
		// Base64 of it wherever it begins: the middle is the same for one of three.
		base64.StdEncoding.EncodeToString([]byte(secret))[:len(secret)*4/3-4],
		base64.StdEncoding.EncodeToString([]byte("x" + secret))[4 : len(secret)*4/3-4],
		base64.StdEncoding.EncodeToString([]byte("xx" + secret))[4 : len(secret)*4/3-4],
	}
	for _, form := range forms {
		if bytes.Contains(text, []byte(form)) {
			return true
		}
	}
	return false
}

// eachServerFile calls f for each file below the server's data directory.
func eachServerFile(t *testing.T, dir string, f func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", path, info.Mode())
		}
		f(path, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestClientFiles looks at a home: only its owner may open it, and the passphrase and what was said are not in it in
// the clear.
func TestClientFiles(t *testing.T) {
	s := serve(t)
	alice := newPerson(t, "alice").register(s, s.Invite)
	const said = "canary-in-the-open-room"
	alice.must("send", openRoom, said)
	files := 0
	eachServerFile(t, alice.home, func(path string, text []byte) {
		files++
		if holds(text, alice.passphrase) || holds(text, said) {
			t.Errorf("%s holds the passphrase or what was said", path)
		}
	})
	if files == 0 {
		t.Error("the home is empty")
	}
}
