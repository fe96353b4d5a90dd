// Command snug is all of Snug in one binary: the server, and one verb for each thing that a person or a script does with
// it. `snug help` lists them; each verb has a file, and wiring happens here and nowhere else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses, relied on by scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// streams are what a verb reads and writes: data on out, everything for people on err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run carries out one command line and returns the exit status.
func run(ctx context.Context, args []string, s streams) int {
	v, args, err := findVerb(args)
	if err == nil {
		err = v.call(ctx, args, s)
	}
	if err == nil || errors.Is(err, errHelpShown) {
		return exitDone
	}
	fmt.Fprintf(s.err, "snug: %v\n", err)
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(s.err, "snug: %s\n", usage.hint)
		return exitUsage
	}
	return exitFailed
}

// findVerb returns the verb that the command line names, and the arguments after it.
func findVerb(args []string) (*verb, []string, error) {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args = append([]string{"help"}, args[1:]...)
	case "-version", "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	for _, v := range verbs() {
		if v.name == args[0] {
			return v, args[1:], nil
		}
	}
	return nil, nil, usageErrorf("snug help", "there is no verb %q", args[0])
}

// A usageError is a command line that cannot be carried out.
type usageError struct{ problem, hint string }

// Error says what is wrong with it.
func (e *usageError) Error() string { return e.problem }

// usageErrorf makes a usageError; try is a command line that would be right.
func usageErrorf(try, format string, args ...any) error {
	return &usageError{problem: fmt.Sprintf(format, args...), hint: "try: " + try}
}

// errHelpShown ends a verb that was asked for its usage and has printed it.
var errHelpShown = errors.New("help shown")
