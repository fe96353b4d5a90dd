package main_test

import (
	"strings"
	"testing"
)

// TestOutcomeWords: without the server, each verb says of what it was asked for whether that is kept. What it says is
// found when the server is back.
func TestOutcomeWords(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	room := alice.must("send", "@bob", "before")[0]["room"].(string)
	phone := newPerson(t, "alice")
	id := phone.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)[0]["device"].(string)
	alice.must("devices")
	s.kill()
	newcomer := newPerson(t, "bob")
	for _, row := range []struct {
		who  *person
		want string
		args []string
	}{
		{alice, "nothing was changed: try again", []string{"device", "revoke", id}},
		{alice, "nothing was changed: try again", []string{"room", "create", "garden", "@bob"}},
		{alice, "nothing was changed: try again", []string{"archive", "off", "--yes"}},
		{alice, "nothing was changed: try again", []string{"verify", "@bob"}},
		{alice, "nothing was changed: try again, or leave without the server", []string{"logout"}},
		{newcomer, "nothing was changed: try again", []string{"login", "bob", "--server", s.address(), "--passphrase-file", bob.passphraseFile}},
		{alice, "the message is kept", []string{"send", room, "after"}},
	} {
		timeout := "1s"
		if strings.Contains(row.want, "kept") {
			timeout = "3s" // in which it has to come as far as that
		}
		o := row.who.try("", append(row.args, "--timeout", timeout)...)
		if o.status != 5 || !strings.Contains(o.stderr, row.want) || strings.Contains(o.stderr, "kept") != strings.Contains(row.want, "kept") {
			t.Errorf("snug %s: exit %d, want 5; stderr %q, want %q in it", strings.Join(row.args, " "), o.status, o.stderr, row.want)
		}
	}
	s.start()
	if got := alice.must("archive")[0]["on"]; got != true {
		t.Errorf("the archive is on: %v, want what it was", got)
	}
	if got := alice.must("devices"); len(got) != 2 {
		t.Errorf("alice has the devices %v, want two", got)
	}
	alice.must("send", room, "last")
	if got := strings.Join(bob.reads("@alice", "last"), " "); got != "before after last" {
		t.Errorf("bob reads %q, want what was kept too", got)
	}
}
