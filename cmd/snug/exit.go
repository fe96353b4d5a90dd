package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"snug/client"
)

// The exit statuses, relied on by scripts.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3 // by policy or for want of trust
	exitNotFound    = 4
	exitUnreachable = 5 // or timed out
	exitCut         = 6 // a socket's stream broke off
)

// A usageError is a command line that cannot be carried out.
type usageError struct{ problem, hint string }

func (e *usageError) Error() string { return e.problem }

// usageErrorf makes a usageError; try is a command line that would be right.
func usageErrorf(try, format string, args ...any) error {
	return &usageError{problem: fmt.Sprintf(format, args...), hint: "try: " + try}
}

// errHelpShown ends a verb that was asked for its usage and has printed it.
var errHelpShown = errors.New("help shown")

// exitCode is the status for an error.
func exitCode(err error) int {
	var usage *usageError
	var refusal *client.Error
	var cut *cutError
	switch {
	case errors.As(err, &cut):
		return exitCut
	case err == nil, errors.Is(err, errHelpShown):
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refusal):
		switch refusal.Code {
		case client.Usage:
			return exitUsage
		case client.Refused:
			return exitRefused
		case client.NotFound:
			return exitNotFound
		case client.Unreachable:
			return exitUnreachable
		}
	case errors.Is(err, context.DeadlineExceeded):
		return exitUnreachable
	}
	return exitFailed
}

// hintOf is what an error says that a person can do.
func hintOf(err error) string {
	var usage *usageError
	var refusal *client.Error
	switch {
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &refusal) && refusal.Command != "":
		return strings.TrimPrefix(refusal.Hint+"; try: "+refusal.Command, "; ")
	case errors.As(err, &refusal):
		return refusal.Hint
	}
	return ""
}
