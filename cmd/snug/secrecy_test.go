package main_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"snug/client/sqlite"
	"snug/internal/ident"

	"golang.org/x/crypto/argon2"
	database "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestServerHoldsNothing looks for what people said in a sealed room, for their passphrases, for what these are stretched to and for
// their private keys, in every byte that the server keeps or prints, while it runs (so that its WAL and its mapped files are
// there) and after it was killed.
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
	laptop.mustRefuse(3, "", "login", "alice", "--server", s.address(), "--passphrase-file", laptop.wrongPassphrase())
	laptop.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	laptop.reads(room, said)
	online.stop()

	secrets := map[string]string{
		"what was said": said, "the room's name": name, "alice's passphrase": alice.passphrase, "bob's passphrase": bob.passphrase,
		"a wrong passphrase": "this is not the passphrase at all",
	}
	for _, p := range people {
		for record, secret := range p.privateKeys() {
			secrets[p.handle+"'s "+record+" key"] = secret
		}
		secrets[p.handle+"'s auth key"], secrets[p.handle+"'s wrap key"] = p.passphraseKeys(s)
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
	<-s.printed
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

// passphraseKeys are what the person's passphrase is stretched to. The first comes to the server at each sign-in, which is to
// keep a slow hash of it only.
func (p *person) passphraseKeys(s *server) (auth, wrap string) {
	p.t.Helper()
	conn, err := database.OpenConn(filepath.Join(s.data, "snug.db"), database.OpenReadWrite)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.Execute(conn, "SELECT salt, memory_kib, passes, lanes, auth FROM account WHERE handle = ?", &sqlitex.ExecOptions{
		Args: []any{p.handle},
		ResultFunc: func(row *database.Stmt) error {
			salt, stored := make([]byte, row.ColumnLen(0)), make([]byte, row.ColumnLen(4))
			row.ColumnBytes(0, salt)
			row.ColumnBytes(4, stored)
			// A wrap key tells itself to nobody: this is what ident does.
			keys := argon2.IDKey([]byte(p.passphrase), salt, uint32(row.ColumnInt(2)), uint32(row.ColumnInt(1)), uint8(row.ColumnInt(3)), 64)
			auth, wrap = string(keys[:32]), string(keys[32:])
			key, err := ident.AuthKeyFromSecret(keys[:32])
			if err == nil && !ident.VerifyAuthKey(stored, key) {
				err = errors.New("the auth key is not the one that the server knows")
			}
			return err
		},
	})
	if err != nil || auth == "" {
		p.t.Fatalf("%s: the keys of the passphrase: %v", p.handle, err)
	}
	return auth, wrap
}

// holds looks for a secret in the forms in which it could have been stored or printed without encryption.
func holds(text []byte, secret string) bool {
	raw := []byte(secret)
	digits := strings.Trim(fmt.Sprint(raw), "[]")
	forms := []string{
		secret, strings.Trim(strconv.Quote(secret), `"`), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		digits, strings.ReplaceAll(digits, " ", ","), strings.ReplaceAll(digits, " ", ", "), fmt.Sprintf("% x", raw),
	}
	// A whole number of letters of base64 is 3 bytes, and of base32 5: the middle depends on where in them the secret begins.
	for before := range 3 {
		forms = append(forms, middle(base64.StdEncoding.EncodeToString, 6, before, raw), middle(base64.URLEncoding.EncodeToString, 6, before, raw))
	}
	for before := range 5 {
		upper := middle(base32.StdEncoding.EncodeToString, 5, before, raw)
		forms = append(forms, upper, strings.ToLower(upper))
	}
	return slices.ContainsFunc(forms, func(form string) bool { return bytes.Contains(text, []byte(form)) })
}

// middle gives the letters, of so many bits each, that say nothing but the secret where so many bytes stand before it.
func middle(encode func([]byte) string, bits, before int, secret []byte) string {
	text := encode(append(make([]byte, before), secret...))
	return text[(8*before+bits-1)/bits : 8*(before+len(secret))/bits]
}

// TestHolds: the search finds a secret in every form that somebody could have written it in, wherever it begins.
func TestHolds(t *testing.T) {
	secret := "\xfb\xff\xfe" + strings.Repeat("\x00\"k\x9d", 7) + "\x7f"
	for _, row := range []struct {
		name string
		form func(b []byte) string
	}{
		{"raw", func(b []byte) string { return string(b) }},
		{"quoted", func(b []byte) string { return strconv.Quote(string(b)) }},
		{"hex", hex.EncodeToString},
		{"hex in capitals", func(b []byte) string { return fmt.Sprintf("%X", b) }},
		{"hex with spaces", func(b []byte) string { return fmt.Sprintf("% x", b) }},
		{"numbers", func(b []byte) string { return fmt.Sprint(b) }},
		{"JSON numbers", func(b []byte) string { return strings.ReplaceAll(fmt.Sprint(b), " ", ",") }},
		{"Go", func(b []byte) string { return strings.ReplaceAll(fmt.Sprint(b), " ", ", ") }},
		{"base64", base64.StdEncoding.EncodeToString},
		{"base64 for URLs", base64.RawURLEncoding.EncodeToString},
		{"base32", base32.StdEncoding.EncodeToString},
		{"base32 of our codes", func(b []byte) string { return strings.ToLower(base32.StdEncoding.EncodeToString(b)) }},
	} {
		for before := range 7 {
			text := "key=" + row.form([]byte(strings.Repeat("y", before)+secret+"z")) + "\n"
			if !holds([]byte(text), secret) {
				t.Errorf("%s after %d bytes: not found in %q", row.name, before, text)
			}
			if other := []byte(secret[:len(secret)-3] + "abc"); holds([]byte(row.form(other)), secret) {
				t.Errorf("%s: another secret is taken for it", row.name)
			}
		}
	}
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
