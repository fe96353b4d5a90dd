package client

import "fmt"

// Code is what kind of failure an Error is: what a caller can do about it differs by code.
type Code int

const (
	// Failed is a failure of the machinery: a full disk, a broken store, a server that breaks the protocol; or of a wait that
	// was ended from here, with a hint like those of Unreachable.
	Failed Code = iota + 1
	// Usage is an argument that cannot be right: a malformed handle, a text that is too long.
	Usage
	// Refused was decided against by a rule or for want of trust: wrong passphrase, used invite, taken handle, not a
	// member, wrong pin.
	Refused
	// NotFound is a handle, room or message that does not exist, or that this device may not know of.
	NotFound
	// Unreachable is a server that could not be reached, or did not answer, in the time given. The hint says which of three
	// holds: nothing was changed; what was asked is kept, and done later; or it is not known whether it was done.
	Unreachable
)

// Error is the error of every verb.
type Error struct {
	Code Code
	// Message says what failed: lower case, no stop.
	Message string
	// Hint says what to do about it, wherever one is. May be empty.
	Hint string
	// Command is the command line that does it, for who sits at a terminal: others have buttons. May be empty.
	Command string

	cause error
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause, where there is one in this process.
func (e *Error) Unwrap() error { return e.cause }

// refuse makes an error of code.
func refuse(code Code, hint, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// run names the command line that helps.
func (e *Error) run(command string) *Error {
	e.Command = command
	return e
}

// failed wraps a failure of the machinery.
func failed(doing string, err error) *Error {
	if already, ok := err.(*Error); ok {
		return already
	}
	return &Error{Code: Failed, Message: fmt.Sprintf("%s: %v", doing, err), cause: err}
}
