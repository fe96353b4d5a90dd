//go:build linux

package main_test

import (
	"io"
	"testing"
)

// TestInterrupted: ctrl-C leaves wherever a verb waits for a line of standard input.
func TestInterrupted(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	phone := newPerson(t, "alice")
	for _, row := range []struct {
		name  string
		args  []string
		shows string
	}{
		{"send", []string{"send", "@bob", "--home", alice.home}, "type what to say"},
		{"join", []string{"join", "-", "--home", bob.home}, "type the link"},
		{"a link's code", []string{"login", "--server", s.address(), "--link", "-", "--home", phone.home}, "type the code"},
	} {
		t.Run(row.name, func(t *testing.T) {
			screen := onScreen(t, nil, row.args...)
			screen.shows(row.shows)
			screen.interrupt()
			screen.shows("interrupted")
			screen.ends(1)
		})
	}

	old := onScreen(t, nil, "device", "link", "--home", alice.home)
	code := old.shows("--link (snug-link-[a-z2-7]+)")[1]
	fresh := onScreen(t, nil, "login", "--server", s.address(), "--link", code, "--home", phone.home)
	const question = "Does the other one show the same"
	old.shows(question)
	fresh.shows(question)
	old.interrupt()
	old.shows("interrupted")
	old.ends(1)
	fresh.types("y")
	fresh.shows("the link has ended")
	fresh.ends(3)
	phone.mustRefuse(3, "nobody is signed in", "whoami")
}

// interrupt is ctrl-C.
func (s *screen) interrupt() {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, "\x03"); err != nil {
		s.t.Fatal(err)
	}
}
