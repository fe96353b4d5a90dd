package main_test

import (
	"slices"
	"strings"
	"testing"
)

// TestOutside: who signs in where nobody else is there is told that the account has rooms, and what opens them.
func TestOutside(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	den := alice.must("room", "create", "den", "@bob")[0]["room"].(string)
	alice.must("send", "@bob", "hello")
	bob.must("tail", "@alice", "--once")

	laptop := newPerson(t, "alice")
	o := laptop.try("", "login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	if o.status != 0 || !strings.Contains(o.stderr, "2 of your rooms have not let this device in yet: another device of yours, or a member's") {
		t.Fatalf("login: exit %d, %q, want it to say that two rooms wait", o.status, o.stderr)
	}
	states := func() (states []string) {
		for _, room := range laptop.must("rooms") {
			states = append(states, room["name"].(string)+" "+room["state"].(string))
		}
		slices.Sort(states)
		return states
	}
	if got, want := states(), []string{" outside", "@bob outside", "common joined"}; !slices.Equal(got, want) {
		t.Errorf("rooms: got %q, want %q", got, want)
	}
	if o := laptop.try("", "rooms"); !strings.Contains(o.stderr, "2 of your rooms") {
		t.Errorf("rooms says %q, want how many wait", o.stderr)
	}
	laptop.mustRefuse(4, "it may be one of the 2 that this device has not been let into", "history", "den")
	laptop.mustRefuse(4, "once it is online for some seconds", "history", den)
	o = laptop.try("", "doctor")
	if o.status != 1 || len(o.objects) != 2 || !strings.Contains(o.stderr, "rooms that are not well: 2") ||
		!strings.Contains(o.objects[0]["try"].(string), "another device of yours") {
		t.Errorf("doctor: exit %d, %v, %q, want two rooms and what opens them", o.status, o.objects, o.stderr)
	}

	// Each command is online for a moment only: bob lets the laptop in, and the laptop takes what it was sent.
	want := []string{"@bob joined", "common joined", "den joined"}
	for tries := 0; !slices.Equal(states(), want); tries++ {
		if tries == 20 {
			t.Fatalf("rooms: got %q, want %q", states(), want)
		}
		bob.must("send", "@alice", "after")
		bob.must("send", "den", "after")
	}
	if got := laptop.must("doctor"); len(got) != 0 {
		t.Errorf("the doctor says %v, want nothing", got)
	}
}
