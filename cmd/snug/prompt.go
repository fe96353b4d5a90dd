package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"snug/client"
)

// maxLine bounds what is read of a typed line in bytes: what a terminal holds of one.
const maxLine = 4096

// A terminal is where a person is asked.
type terminal struct {
	*os.File
	// pending is a line that is being read, of a question that nobody waits for any more.
	pending <-chan typed
}

// openTerminal is the person's terminal, wherever stdin comes from.
func openTerminal() (*os.File, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, usageErrorf("--passphrase-file FILE", "there is no terminal to ask for the passphrase on")
	}
	return tty, nil
}

// typed is a line, or why there is none.
type typed struct {
	text string
	err  error
}

// ask asks, and gives the line that is typed. Not from two goroutines at once.
func (t *terminal) ask(ctx context.Context, prompt string) (string, error) {
	select {
	case <-t.pending: // an answer that came too late is none to the next question
		t.pending = nil
	default:
	}
	if _, err := fmt.Fprint(t, prompt); err != nil {
		return "", err
	}
	if t.pending == nil {
		t.pending = reading(func() (string, error) {
			b := make([]byte, maxLine)
			// A terminal gives a line at a time.
			n, err := t.Read(b)
			if err == io.EOF {
				err = nil // ctrl-D is Enter with nothing before it
			}
			return string(b[:n]), err
		})
	}
	select {
	case line := <-t.pending:
		t.pending = nil
		return line.text, line.err
	case <-ctx.Done():
		return "", interruption(ctx)
	}
}

var errInterrupted = errors.New("interrupted")

// interruption is why nobody waits for an answer any more.
func interruption(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &client.Error{Code: client.Refused, Message: "nobody has answered in time"}
	}
	return errInterrupted
}

// askSecretly asks on the terminal, and does not show what is typed. hint is what to do where there is none.
func askSecretly(ctx context.Context, prompt, hint string) (string, error) {
	tty, err := openTerminal()
	if err != nil {
		return "", usageErrorf(hint, "there is no terminal to ask for it on")
	}
	defer tty.Close()
	// The terminal stops showing what is typed before it is asked for: x/term's own ReadPassword asks for nothing, and
	// who types at once would be seen.
	before, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(tty.Fd()), before)
	select {
	case line := <-reading(func() (string, error) { return term.NewTerminal(tty, "").ReadPassword(prompt) }):
		// The prompt goes again, on the line before: what stays on the screen is the verb's answer.
		fmt.Fprint(tty, "\x1b[A\r\x1b[K")
		if line.err == io.EOF { // ctrl-C and ctrl-D
			line.err = errInterrupted
		}
		return line.text, line.err
	case <-ctx.Done():
		fmt.Fprint(tty, "\r\x1b[K")
		return "", interruption(ctx)
	}
}

// await gives what read reads, as long as it is waited for.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	select {
	case line := <-reading(read):
		return line.text, line.err
	case <-ctx.Done():
		return "", interruption(ctx)
	}
}

// reading reads on the side. What blocks there when nobody waits for it any more stays so to the end of the process.
func reading(read func() (string, error)) <-chan typed {
	done := make(chan typed, 1)
	go func() {
		text, err := read()
		done <- typed{text, err}
	}()
	return done
}
