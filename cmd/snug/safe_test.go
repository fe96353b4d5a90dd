package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"snug/client"
)

// TestTerminalIsTheirs: what a server or a peer says reaches the terminal as text, in errors, hints and what is said on the side.
func TestTerminalIsTheirs(t *testing.T) {
	const evil = "\x1b]52;c;cm0gLXJmCg==\a\x1b[2J\u009b31m\u202e\r\nsnug: verified"
	for name, tell := range map[string]func(w *bytes.Buffer){
		"an error": func(w *bytes.Buffer) { report(w, errors.New(evil)) },
		"a hint": func(w *bytes.Buffer) {
			report(w, &client.Error{Code: client.Refused, Message: "refused", Hint: evil, Command: evil})
		},
		"a word on the side": func(w *bytes.Buffer) { (&call{streams: streams{err: w}}).say("%s; trying again", evil) },
		"an event of a socket": func(w *bytes.Buffer) {
			(&call{streams: streams{err: w}}).tell(socketEvent{Event: "refused"}, "refused: %s", evil)
		},
	} {
		var w bytes.Buffer
		tell(&w)
		text := strings.ReplaceAll(w.String(), "\nsnug: ", "\n") // the program's own lines
		if strings.ContainsAny(text, "\x1b\a\r\u009b\u202e") || strings.Contains(text, "\nverified") || !strings.Contains(text, "52;c;") {
			t.Errorf("%s is told as %q", name, w.String())
		}
	}
}
