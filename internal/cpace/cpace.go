// Package cpace proves to two sides of a connection that they know the same
// password, and to nobody anything else: CPace (draft-irtf-cfrg-cpace), in the
// suite CPACE-RISTR255-SHA512 with initiator and responder, followed by an
// explicit key confirmation in both directions. Whoever listens in learns nothing;
// whoever takes part can test one password, and both sides notice.
//
// Begin with Initiate on one side and Respond on the other. A connection that is
// encrypted already, with keys that nobody vouches for, is vouched for by binding
// the run to it: see Input.
//
// It gives no key and stores nothing: counting the tries is its caller's, and
// Respond says when.
package cpace

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// ErrPassword says that the other side does not know the password, or not for
// this connection: a wrong one, or somebody in between. Which, nobody can tell.
var ErrPassword = errors.New("cpace: the passwords differ, or somebody is in between")

// ErrRefused says that the other side ended the connection before it let us try.
var ErrRefused = errors.New("cpace: the other side takes no try")

// Input is what both sides must have the same of.
type Input struct {
	Password Password
	// Channel is what is known of the two sides beforehand, the initiator's part
	// first: CI in the draft.
	Channel []byte
	// Session is unique to the connection, and known to its two ends only where it
	// is exported from TLS: sid in the draft. At least 16 bytes.
	Session []byte
}

// minSession is the least size of a Session in bytes: with fewer, two connections
// could have the same by chance.
const minSession = 16

func (in Input) check() error {
	if in.Password.reveal == nil || in.Password.reveal() == "" {
		return errors.New("cpace: no password")
	}
	if len(in.Session) < minSession {
		return fmt.Errorf("cpace: a session of %d bytes, at least %d", len(in.Session), minSession)
	}
	return nil
}

// Password is a low-entropy secret. It prints as "secret".
type Password struct {
	// A function, of which nothing can be printed but its address.
	reveal func() string
}

// ParsePassword reads a password as people type it: case, the white space around
// and between words, and hyphens in its place make no difference.
func ParsePassword(text string) Password {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" \t\r\n-", r) })
	normal := strings.Join(words, "-")
	return Password{reveal: func() string { return normal }}
}

const hidden = "secret"

// String says "secret".
func (Password) String() string { return hidden }

// GoString says "secret".
func (Password) GoString() string { return hidden }

// Format says "secret" whatever the verb.
func (Password) Format(s fmt.State, _ rune) { io.WriteString(s, hidden) }

// LogValue says "secret".
func (Password) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText says "secret".
func (Password) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON says "secret", quoted.
func (Password) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
