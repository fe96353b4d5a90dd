//go:build linux

package main_test

import (
	"strings"
	"testing"
)

// TestChatAlerts: who talks in a terminal is told of a device that signs in elsewhere while it does, and when the next chat
// begins.
func TestChatAlerts(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice := people[0]
	chat := onScreen(t, nil, "chat", "@bob", "--home", alice.home)
	chat.shows("sealed: only you and @bob can read this")
	chat.types("hello")
	chat.shows("@alice.* hello")
	newPerson(t, "alice").must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile, "--device", "laptop")
	chat.shows(`snug: new device signed in: "laptop", [0-9-]{10} [0-9:]{5}\r\nsnug: if that was not you: snug devices`)
	chat.types("\x04")
	chat.ends(0)
	chat = onScreen(t, nil, "chat", "@bob", "--home", alice.home)
	chat.shows(`snug: new device signed in: "laptop", `)
	chat.types("\x04")
	chat.ends(0)
	alice.must("alerts", "--dismiss")
	chat = onScreen(t, nil, "chat", "@bob", "--home", alice.home)
	chat.shows("hello")
	chat.types("\x04")
	chat.ends(0)
	if strings.Contains(chat.text.String(), "signed in") {
		t.Errorf("after it was dismissed the screen shows\n%s", chat.text)
	}
}
