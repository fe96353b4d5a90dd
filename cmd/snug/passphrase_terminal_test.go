//go:build linux

package main_test

import (
	"io"
	"testing"
)

// TestPassphrasePrompts: whoever is asked for a passphrase can leave, by ctrl-C, at each question, and no account has been made
// then; a weak one and two that differ say what to do.
func TestPassphrasePrompts(t *testing.T) {
	const ctrlC, ctrlD = "\x03", "\x04"
	s := serve(t)
	alice := newPerson(t, "alice")
	register := []string{"register", "alice", "--server", s.address(), "--invite", s.Invite, "--home", alice.home}
	login := []string{"login", "alice", "--server", s.address(), "--home", alice.home}
	const proposed = `Enter when you have: `
	for _, row := range []struct {
		name   string
		args   []string
		says   []string // what is shown, and then what is typed, in turn
		status int
		shows  string
	}{
		{"ctrl-C in place of a passphrase", register, []string{"for a good one", ctrlC}, 1, "snug: interrupted"},
		{"ctrl-C under the proposed one", register, []string{"for a good one", "\r", proposed, ctrlC}, 1, "snug: interrupted"},
		{"ctrl-D under the proposed one", register, []string{"for a good one", "\r", proposed, ctrlD}, 1, "snug: interrupted"},
		{"ctrl-C at the second time", register, []string{"for a good one", "walnut orbit canvas thirteen\r", "the same again", ctrlC}, 1, "snug: interrupted"},
		{"ctrl-C when signing in", login, []string{"passphrase: ", ctrlC}, 1, "snug: interrupted"},
		{"a weak one", register, []string{"for a good one", "password1234\r"}, 2, "snug: a weak passphrase: it is easy to guess.*\r\nsnug: a few random words"},
		{"two that differ", register, []string{"for a good one", "walnut orbit canvas thirteen\r", "the same again", "walnut orbit canvas\r"}, 2,
			"snug: the two passphrases differ.*\r\nsnug: nothing was changed: begin again"},
	} {
		t.Run(row.name, func(t *testing.T) {
			screen := onScreen(t, nil, row.args...)
			for i, text := range row.says {
				if i%2 == 0 {
					screen.shows(text)
				} else if _, err := io.WriteString(screen.tty, text); err != nil {
					t.Fatal(err)
				}
			}
			screen.shows(row.shows)
			screen.ends(row.status)
		})
	}
	alice.mustRefuse(3, "nobody is signed in", "whoami")
	alice.register(s, s.Invite) // which nobody has used
}
