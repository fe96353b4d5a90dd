package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

// file writes a passphrase for --passphrase-file.
func (p *person) file(passphrase string) string {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte(passphrase+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// TestPassphrase: a passphrase that is changed on one device holds at once, and nobody else notices.
func TestPassphrase(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	laptop := newPerson(t, "alice")
	laptop.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	next := laptop.file("saddle 8 prairie clarinet bucket")
	laptop.mustRefuse(2, "passphrase", "passphrase", "--passphrase-file", laptop.file("password1234"))
	if got := laptop.must("passphrase", "--passphrase-file", next)[0]["passphrase_changed"]; got != true {
		t.Errorf("passphrase_changed is %v", got)
	}
	tablet := newPerson(t, "alice")
	tablet.mustRefuse(3, "wrong passphrase", "login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	tablet.must("login", "alice", "--server", s.address(), "--passphrase-file", next)
	alice.must("send", "@bob", "the first device goes on")
	if got := len(bob.must("tail", "@alice", "--once")); got == 0 {
		t.Error("bob reads nothing")
	}
	if got := len(alice.must("devices")); got != 3 {
		t.Errorf("alice has %d devices, want 3", got)
	}
}

// TestDeviceVerbs: a device is renamed and revoked from another one, by id or by name.
func TestDeviceVerbs(t *testing.T) {
	s := serve(t)
	alice := everybody(t, s, "alice")[0]
	phone, twin := newPerson(t, "alice"), newPerson(t, "alice")
	for _, p := range []*person{phone, twin} {
		p.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile, "--device", "phone")
	}
	id := phone.must("whoami")[0]["device"].(string)
	alice.mustRefuse(2, "several devices", "device", "revoke", "phone")
	alice.mustRefuse(4, "no device", "device", "revoke", "phon")
	if got := alice.must("device", "rename", id, "lost phone")[0]["name"]; got != "lost phone" {
		t.Errorf("renamed to %v", got)
	}
	alice.mustRefuse(2, "name", "device", "rename", id, "")
	if got := phone.must("devices"); len(got) != 3 || got[1]["name"] != "lost phone" {
		t.Errorf("the phone sees %v", got)
	}
	follower := phone.follow("common")
	alice.must("device", "revoke", "lost phone")
	follower.ends()
	phone.mustRefuse(3, "signed in", "whoami")
	alice.mustRefuse(4, "no device", "device", "revoke", "lost phone")
	alice.mustRefuse(2, "logout", "device", "revoke", alice.must("whoami")[0]["device"].(string))
	alice.mustRefuse(2, "which of", "device")
	twin.must("send", "common", "the other phone goes on")

	// The server is gone for good: there is a way out.
	s.kill()
	twin.mustRefuse(5, "--forget", "logout", "--timeout", "2s")
	if got := twin.must("logout", "--forget")[0]; got["revoked"] != false {
		t.Errorf("forgetting printed %v", got)
	}
	twin.mustRefuse(3, "nobody is signed in", "whoami")
}

// ends waits until tail has ended by itself.
func (f *follower) ends() {
	f.t.Helper()
	for range f.objects {
	}
	if err := f.cmd.Wait(); err == nil {
		f.t.Error("tail ended well, want a failure that says why")
	}
}

// TestVerifyVerb: both people see one number, and only that one verifies.
func TestVerifyVerb(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob", "carol")
	alice, bob := people[0], people[1]
	number := bob.must("verify", "@alice")[0]["safety_number"].(string)
	if got := alice.must("verify", "bob")[0]; got["safety_number"] != number || got["verified"] != false {
		t.Errorf("alice sees %v, bob %q", got, number)
	}
	other := alice.must("verify", "@carol")[0]["safety_number"].(string)
	alice.mustRefuse(3, "differ", "verify", "@bob", "--number", other)
	alice.mustRefuse(2, "60 digits", "verify", "@bob", "--number", "12345")
	alice.mustRefuse(2, "exclude", "verify", "@bob", "--matches", "--forget")
	alice.mustRefuse(4, "", "verify", "@nobody")
	alice.mustRefuse(2, "oneself", "verify", "@alice")
	if got := alice.must("verify", "@bob", "--number", number)[0]; got["verified"] != true {
		t.Errorf("verifying printed %v", got)
	}
	if got := alice.must("verify", "@bob")[0]; got["verified"] != true || got["changed"] != false {
		t.Errorf("afterwards: %v", got)
	}
	if got := alice.must("verify", "@bob", "--forget")[0]; got["verified"] != false {
		t.Errorf("forgetting printed %v", got)
	}
}
