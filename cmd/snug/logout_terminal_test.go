//go:build linux

package main_test

import "testing"

// TestLogoutAsks: at a terminal nothing but a yes signs the only device out.
func TestLogoutAsks(t *testing.T) {
	alice := newPerson(t, "alice")
	s := serve(t)
	alice.register(s, s.Invite)
	for _, row := range []struct {
		name, answer string
		status       int
		shows        string
	}{
		{"no", "no", 3, "still signed in"},
		{"Enter", "", 3, "still signed in"},
		{"yes", "yes", 0, "signed out here"},
	} {
		screen := onScreen(t, nil, "logout", "--home", alice.home)
		screen.shows("only device.*Type yes: ")
		screen.types(row.answer)
		screen.shows(row.shows)
		screen.ends(row.status)
	}
	alice.mustRefuse(3, "nobody is signed in", "whoami")
}
