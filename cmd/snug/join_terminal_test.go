//go:build linux

package main_test

import (
	"strings"
	"testing"
)

// TestJoinAsks: the link of an invite is asked for on the terminal, and is neither on the screen nor in what ps shows.
func TestJoinAsks(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	room := alice.must("room", "create", "garden")[0]["room"].(string)
	link := alice.must("room", "invite", "garden")[0]["link"].(string)
	follow := alice.follow(room)
	defer follow.stop()
	screen := onScreen(t, nil, "join", "--home", bob.home)
	screen.shows("the link of the invite: ")
	screen.types(link)
	screen.shows("sealed .* garden")
	screen.ends(0)
	if secret := link[strings.LastIndex(link, "-")+1:]; strings.Contains(screen.text.String(), secret) {
		t.Errorf("the screen shows the invite:\n%s", screen.text)
	}
}
