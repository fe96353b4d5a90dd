package main_test

import (
	"strings"
	"testing"
)

// TestChatPiped: a program that talks line by line learns by the status that a line was not sent, and why.
func TestChatPiped(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	room := alice.must("room", "create", "band", "@bob")[0]["room"].(string)
	const most = 32 << 10
	for _, row := range []struct {
		name, input string
		status      int
		says        string
	}{
		{"two lines", "one\ntwo\n", 0, ""},
		{"the longest line", strings.Repeat("x", most) + "\n", 0, ""},
		{"the longest line, from Windows", strings.Repeat("x", most) + "\r\n", 0, ""},
		{"a longer line", "three\n" + strings.Repeat("x", most+1) + "\nfour\n", 2, "snug: one line was not sent: the message has 32769 bytes, at most 32768 are possible\nsnug: send it in parts"},
		{"a line that is too long to be held", strings.Repeat("x", 2*most) + "\n", 2, "snug: a line is longer than 32 KiB\nsnug: it was not sent"},
		{"no text", "\xff\n", 2, "snug: one line was not sent: the message is not valid UTF-8"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := alice.try(row.input, "chat", room)
			if o.status != row.status || !strings.Contains(o.stderr, row.says) {
				t.Errorf("exit %d, want %d; stderr %q, want %q in it", o.status, row.status, o.stderr, row.says)
			}
		})
	}
	bob.must("accept", room)
	alice.must("room", "role", room, "@bob", "reader")
	o := bob.try("may I?\nnow?\n", "chat", room)
	if o.status != 3 || !strings.Contains(o.stderr, "snug: 2 lines were not sent, the first because you may only read in this room") {
		t.Errorf("a reader's chat: exit %d, want 3; stderr %q", o.status, o.stderr)
	}
}

// TestSendSlowly: what is piped into send takes the time that it takes; the verb's own begins when it is there.
func TestSendSlowly(t *testing.T) {
	const timeout = "5s"
	s := serve(t)
	alice := everybody(t, s, "alice")[0]
	room := alice.must("room", "create", "notes")[0]["room"].(string)
	send := alice.begin("send", room, "--timeout", timeout)
	// As long as a verb of the same time takes that waits for a server which is not there.
	newPerson(t, "bob").mustRefuse(5, "", "login", "bob", "--server", nowhere+"#"+s.Pin, "--passphrase-file", alice.passphraseFile, "--timeout", timeout)
	send.say("the build is done")
	send.in.Close()
	if status := send.status(); status != 0 {
		t.Errorf("exit %d, want 0\n%s", status, send.stderr)
	}
	if m := alice.must("history", room); m[len(m)-1]["text"] != "the build is done" {
		t.Errorf("the room ends with %v", m[len(m)-1])
	}
}
