package main_test

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestLogoutLast: the only device says what goes with it and does not sign out unasked; of two, either just goes.
func TestLogoutLast(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	alice.must("room", "create", "diary")
	alice.must("archive", "off", "diary", "--yes")
	alice.must("send", "diary", "for my eyes")
	alice.must("send", "@bob", "hello")
	bob.must("tail", "@alice", "--once")

	for _, row := range []struct {
		name, hint string
		args       []string
	}{
		{"signing out", "try: snug logout --yes", []string{"logout"}},
		{"forgetting", "try: snug logout --forget --yes", []string{"logout", "--forget"}},
	} {
		o := alice.unasked(row.args...)
		if o.status != 2 || !strings.Contains(o.stderr, row.hint) || !strings.Contains(o.stderr, "only device") ||
			!strings.Contains(o.stderr, "not archived") || !strings.Contains(o.stderr, "before it is in one room") {
			t.Errorf("%s: exit %d, %q, want 2, what is lost, and %q", row.name, o.status, o.stderr, row.hint)
		}
		alice.must("whoami")
	}

	laptop := newPerson(t, "alice")
	laptop.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	if o := laptop.unasked("logout"); o.status != 0 || len(o.objects) != 1 {
		t.Errorf("one of two devices: exit %d, %q, want that it just goes", o.status, o.stderr)
	}
	if o := alice.unasked("logout", "--yes"); o.status != 0 || o.objects[0]["signed_out"] != true {
		t.Errorf("--yes: exit %d, %q", o.status, o.stderr)
	}
	alice.mustRefuse(3, "nobody is signed in", "whoami")
}

// unasked runs a verb where there is no terminal to ask on.
func (p *person) unasked(args ...string) outcome {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &out, &errOut, alone
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return outcome{objects: parseLines(p.t, &out), stderr: errOut.String(), status: cmd.ProcessState.ExitCode()}
}
