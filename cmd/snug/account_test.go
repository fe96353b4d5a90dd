package main_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	twin.mustRefuse(5, "the message is kept", "send", "common", "for later", "--timeout", "3s")
	if o := twin.unasked("logout", "--forget"); o.status != 2 || !strings.Contains(o.stderr, "one message was written here and not sent") {
		t.Errorf("forgetting what waits: exit %d, %q, want 2 and what is lost", o.status, o.stderr)
	}
	if got := twin.must("logout", "--forget", "--yes")[0]; got["revoked"] != false {
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

// A dialogue is a verb that prints objects and waits for answers.
type dialogue struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr *lockedBuffer
}

func (p *person) begin(args ...string) *dialogue {
	p.t.Helper()
	d := &dialogue{t: p.t, cmd: p.command(args...), stderr: new(lockedBuffer)}
	d.cmd.Stderr = d.stderr
	out, err := d.cmd.StdoutPipe()
	if err == nil {
		d.in, err = d.cmd.StdinPipe()
	}
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	d.out = bufio.NewScanner(out)
	timer := time.AfterFunc(patience, func() { d.cmd.Process.Kill() })
	p.t.Cleanup(func() {
		timer.Stop()
		d.cmd.Process.Kill()
	})
	return d
}

// next waits for an object and gives one of its texts.
func (d *dialogue) next(key string) string {
	d.t.Helper()
	if !d.out.Scan() {
		d.t.Fatalf("no %s: the verb has ended\n%s", key, d.stderr)
	}
	var object map[string]any
	if err := json.Unmarshal(d.out.Bytes(), &object); err != nil {
		d.t.Fatalf("%q: %v", d.out.Bytes(), err)
	}
	value, ok := object[key].(string)
	if !ok {
		d.t.Fatalf("%v has no %s", object, key)
	}
	return value
}

func (d *dialogue) say(line string) {
	d.t.Helper()
	if _, err := io.WriteString(d.in, line+"\n"); err != nil {
		d.t.Fatal(err)
	}
}

// status waits for the end.
func (d *dialogue) status() int {
	for d.out.Scan() {
	}
	_ = d.cmd.Wait()
	return d.cmd.ProcessState.ExitCode()
}

// TestLinkVerbs lets a device in from another one without the passphrase; a no on either side brings nobody in.
func TestLinkVerbs(t *testing.T) {
	s := serve(t)
	alice := everybody(t, s, "alice")[0]
	phone := newPerson(t, "alice")
	link := func() (old, fresh *dialogue) {
		old = alice.begin("device", "link")
		code := old.next("link_code")
		fresh = phone.begin("login", "--server", s.address(), "--link", "-", "--device", "phone")
		fresh.say(code)
		if a, b := old.next("digits"), fresh.next("digits"); a != b || len(a) != 6 {
			t.Fatalf("the old device shows %s, the new one %s", a, b)
		}
		return old, fresh
	}
	old, fresh := link()
	fresh.say("y") // first: once the other one has said no, nobody may be there to hear it
	old.say("n")
	if a, b := old.status(), fresh.status(); a != 3 || b != 3 {
		t.Errorf("after a no: exit %d and %d, want 3 and 3\n%s%s", a, b, old.stderr, fresh.stderr)
	}
	phone.mustRefuse(3, "nobody is signed in", "whoami")
	if got := len(alice.must("devices")); got != 1 {
		t.Fatalf("alice has %d devices after a no, want 1", got)
	}

	old, fresh = link()
	old.say("y")
	fresh.say("yes")
	if id, name := fresh.next("device"), old.next("name"); name != "phone" || id == "" {
		t.Errorf("linked %s as %s", id, name)
	}
	if a, b := old.status(), fresh.status(); a != 0 || b != 0 {
		t.Fatalf("exit %d and %d\n%s%s", a, b, old.stderr, fresh.stderr)
	}
	phone.must("send", "common", "from the new device")
	if got := len(alice.must("devices")); got != 2 {
		t.Errorf("alice has %d devices, want 2", got)
	}
	tablet := newPerson(t, "alice")
	server := []string{"login", "--server", s.address()}
	tablet.mustRefuse(2, "no link code", append(server, "--link", alice.must("invite")[0]["invite"].(string))...)
	tablet.mustRefuse(4, "not in use", append(server, "--link", "snug-link-"+strings.Repeat("a", 26))...)
	tablet.mustRefuse(2, "HANDLE", append(server, "alice", "--link", "x")...)
	tablet.mustRefuse(2, "HANDLE", server...)
	tablet.mustRefuse(3, "invite", "register", "mallory", "--server", s.address(), "--invite", "snug-link-"+strings.Repeat("a", 26), "--passphrase-file", tablet.passphraseFile)
}
