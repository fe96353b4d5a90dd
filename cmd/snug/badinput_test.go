package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// whileDown kills the server, changes what it has stored, and starts it again.
func (s *server) whileDown(change string, args ...any) {
	s.t.Helper()
	s.kill()
	conn, err := sqlite.OpenConn(filepath.Join(s.data, "snug.db"), sqlite.OpenReadWrite)
	if err != nil {
		s.t.Fatal(err)
	}
	err = sqlitex.Execute(conn, change, &sqlitex.ExecOptions{Args: args})
	if err == nil && conn.Changes() == 0 {
		s.t.Errorf("%s: nothing was changed", change)
	}
	if closed := conn.Close(); err == nil {
		err = closed
	}
	if err != nil {
		s.t.Fatalf("%s: %v", change, err)
	}
	s.start()
}

// TestBadInputSaysWhatNext is the table of what people get wrong, or come too late for: each has a message of its own, a
// hint that says what to do, and a status by which a script knows it; nothing is used up by it.
func TestBadInputSaysWhatNext(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice := people[0]
	invite := func() string { return alice.must("invite")[0]["invite"].(string) }
	used, expired, fresh := invite(), "", ""
	newPerson(t, "carol").register(s, used)
	expired = invite()
	s.whileDown("UPDATE invite SET expires_at = 1 WHERE used_by IS NULL AND NOT owner")
	fresh = invite()

	dave := newPerson(t, "dave")
	register := func(handle, invite string) []string {
		return []string{"register", handle, "--server", s.address(), "--invite", invite, "--passphrase-file", dave.passphraseFile}
	}
	login := func(handle, file string) []string {
		return []string{"login", handle, "--server", s.address(), "--passphrase-file", file}
	}
	link := func(code string) []string { return []string{"login", "--server", s.address(), "--link", code} }
	rows := []struct {
		name          string
		args          []string
		status        int
		message, hint string
	}{
		{"wrong passphrase", login("alice", dave.wrongPassphrase()), 3, "unknown handle or wrong passphrase", "by a code"},
		{"taken handle", register("alice", fresh), 3, "that handle is taken", "choose another"},
		{"malformed handle", register("Dave!", fresh), 2, `"Dave!" is no handle: 3 to 32 of a-z`, "try: snug register"},
		{"weak passphrase", append(register("dave", fresh)[:6], "--passphrase-file", dave.file("password1234")), 2, "passphrase", "a few random words"},
		{"no invite", register("dave", ""), 3, "this server needs an invite", "ask somebody who is on it"},
		{"malformed invite", register("dave", "none at all"), 3, "there is no such invite here", "all of it was copied"},
		{"unknown invite", register("dave", strings.Repeat("a", 26)), 3, "there is no such invite here", "all of it was copied"},
		{"used invite", register("dave", used), 3, "that invite was used before", "if it was you, sign in"},
		{"expired invite", register("dave", expired), 3, "that invite has expired", "for a new one"},
		{"malformed link code", link(fresh), 2, "that is no link code", "snug device link"},
		{"unknown link code", link("snug-link-" + strings.Repeat("a", 26)), 4, "that link code is not in use", "show a new one"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o := dave.try("", row.args...)
			// Before them stands what takes its time.
			lines := strings.Split(strings.TrimSpace("-\n"+o.stderr), "\n")
			message, hint := lines[len(lines)-2], lines[len(lines)-1]
			if o.status != row.status || len(o.objects) != 0 {
				t.Errorf("exit %d and %v, want %d and nothing", o.status, o.objects, row.status)
			}
			if !strings.HasPrefix(message, "snug: ") || !strings.Contains(message, row.message) || !strings.Contains(hint, row.hint) {
				t.Errorf("it says %q, then %q; want %q, then %q", message, hint, row.message, row.hint)
			}
		})
	}
	// Nothing was used up, and nobody is half signed in.
	dave.mustRefuse(3, "nobody is signed in", "whoami")
	dave.register(s, fresh)
}

// TestLinkCodeOnce: a code lets one device in; whoever comes second is told so, and what to do.
func TestLinkCodeOnce(t *testing.T) {
	s := serve(t)
	alice := everybody(t, s, "alice")[0]
	phone, late := newPerson(t, "alice"), newPerson(t, "alice")
	old := alice.begin("device", "link")
	code := old.next("link_code")
	fresh := phone.begin("login", "--server", s.address(), "--link", "-")
	fresh.say(code)
	old.next("digits")
	fresh.next("digits")
	old.say("y")
	fresh.say("y")
	if a, b := old.status(), fresh.status(); a != 0 || b != 0 {
		t.Fatalf("exit %d and %d\n%s%s", a, b, old.stderr, fresh.stderr)
	}
	late.mustRefuse(4, "it is good for ten minutes and for one device: show a new one", "login", "--server", s.address(), "--link", code)
	late.mustRefuse(3, "nobody is signed in", "whoami")
	if got := len(alice.must("devices")); got != 2 {
		t.Errorf("alice has %d devices, want 2", got)
	}
}

// TestVaultThatDoesNotOpen damages the vault on the server. Who signs in is told that the passphrase is right and what
// helps; a device that lives puts its own copy in the place, and then the same passphrase opens every room.
func TestVaultThatDoesNotOpen(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice := people[0]
	alice.must("send", "@bob", "before the damage")
	s.whileDown("UPDATE account SET vault = CAST(substr(vault, 1, length(vault) - 16) || zeroblob(16) AS BLOB) WHERE handle = ?", "alice")

	laptop := newPerson(t, "alice")
	login := []string{"login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile}
	laptop.mustRefuse(3, "the passphrase is right, but the vault that the server has does not open with it", login...)
	laptop.mustRefuse(3, "--repair", login...)
	laptop.mustRefuse(3, "nobody is signed in", "whoami")
	again := []string{"passphrase", "--passphrase-file", alice.passphraseFile}
	alice.mustRefuse(3, "the vault that the server shows", again...)
	alice.mustRefuse(3, "--repair", again...)
	alice.must(append(again, "--repair")...)
	laptop.must(login...)
	alice.must("send", "@bob", "after the repair")
	laptop.waitFor("the message after the repair", func(messages []map[string]any) bool {
		return len(messages) > 0 && messages[len(messages)-1]["text"] == "after the repair"
	}, "history", "@bob")
}

// TestDamagedHome: whoever's home does not open is told how to go on, and what is told works.
func TestDamagedHome(t *testing.T) {
	s := serve(t)
	alice := everybody(t, s, "alice")[0]
	device := alice.must("whoami")[0]["device"].(string)
	alice.mustRefuse(2, "nothing is done in 0s", "rooms", "--timeout", "0")
	store := filepath.Join(alice.home, "store.db")
	whole, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(store + ".key")
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"a database that is none": func() error { return os.WriteFile(store, []byte(strings.Repeat("no database ", 1000)), 0o600) },
		"another key":             func() error { return os.WriteFile(store+".key", []byte(strings.Repeat("k", len(key))), 0o600) },
		"half a key":              func() error { return os.WriteFile(store+".key", key[:16], 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		o := alice.try("", "rooms")
		if want := "snug login HANDLE --server " + s.address() + " --home DIR; there snug device revoke"; o.status != 1 || !strings.Contains(o.stderr, want) {
			t.Errorf("%s: exit %d, %q; want 1, and %q in it", name, o.status, o.stderr, want)
		}
		if err := os.WriteFile(store, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(store+".key", key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := newPerson(t, "alice")
	other.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	other.must("device", "revoke", device)
}

// TestFalseHandles: an account that the server shows under what is no handle is shown to nobody.
func TestFalseHandles(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice := people[0]
	common := alice.must("rooms")[0]["room"].(string)
	s.whileDown("UPDATE account SET handle = ? WHERE handle = 'bob'", "\x1b]0;owned\abob")
	for _, args := range [][]string{{"users"}, {"room", "members", common}} {
		list := alice.must(args...)
		if len(list) != 1 || list[0]["handle"] != "alice" {
			t.Errorf("snug %s lists %v, want alice alone", strings.Join(args, " "), list)
		}
	}
}
