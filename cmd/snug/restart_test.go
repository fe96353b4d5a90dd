package main_test

import "testing"

// TestLastDevice: somebody signs out on their only device. By handle and passphrase alone, on a new machine, they have the
// room back in which nobody else is, with its name and topic, to write in and to let others into.
func TestLastDevice(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	id := alice.must("room", "create", "diary")[0]["room"].(string)
	alice.must("room", "set", "diary", "--topic", "what was")
	alice.must("send", "diary", "before")
	alice.must("logout", "--yes")

	laptop := newPerson(t, "alice")
	laptop.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	laptop.waitFor("the room of before", func(rooms []map[string]any) bool {
		for _, r := range rooms {
			if r["room"] == id && r["name"] == "diary" && r["joined"] == true {
				return true
			}
		}
		return false
	}, "rooms")
	laptop.must("send", "diary", "after")
	laptop.reads("diary", "after")
	laptop.must("room", "add", "diary", "@bob")
	laptop.must("send", "diary", "hello bob")
	bob.reads("diary", "hello bob")
	if got := laptop.must("doctor"); len(got) > 0 {
		t.Errorf("the doctor finds %v", got)
	}
}
