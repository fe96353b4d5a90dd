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
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // whoever asks twice does not wait for what the first time has begun
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
	if err == nil {
		return exitDone
	}
	if v != nil && v.events && wantsJSON(args) {
		reportEvent(s.err, err)
	} else {
		report(s.err, err)
	}
	return exitCode(err)
}

// findVerb returns the verb that the command line names, of one or two words, and the arguments after it.
func findVerb(args []string) (*verb, []string, error) {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args[0] = "help"
	case "-version", "--version":
		args[0] = "version"
	}
	for n := min(2, len(args)); n > 0; n-- {
		name := strings.Join(args[:n], " ")
		for _, v := range verbs() {
			if v.name == name {
				return v, args[n:], nil
			}
		}
	}
	if family := verbsOf(args[0]); len(family) > 0 {
		var second []string
		for _, v := range family {
			second = append(second, strings.TrimPrefix(v.name, args[0]+" "))
		}
		return nil, nil, usageErrorf("snug help "+args[0], "which of %s?", strings.Join(second, ", "))
	}
	if strings.HasPrefix(args[0], "-") {
		return nil, nil, usageErrorf("snug help", "%s stands before the verb: flags come after it", args[0])
	}
	return nil, nil, usageErrorf(didYouMean(args[0]), "there is no verb %q", args[0])
}

// verbsOf returns the verbs of two words of which this is the first.
func verbsOf(first string) (family []*verb) {
	for _, v := range verbs() {
		if strings.HasPrefix(v.name, first+" ") {
			family = append(family, v)
		}
	}
	return family
}

// didYouMean returns the command line of the verb nearest to word.
func didYouMean(word string) string {
	best, least := "help", 3
	for _, v := range verbs() {
		if d := distance(word, v.name); d < least {
			best, least = v.name, d
		}
	}
	return "snug " + best
}

// distance is how many letters must be put in, taken out or exchanged to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// report tells a person what went wrong and, where known, what to do about it.
func report(w io.Writer, err error) {
	if errors.Is(err, errHelpShown) {
		return
	}
	// Part of it may be the server's words, or a peer's.
	fmt.Fprintf(w, "snug: %s\n", safe(strings.ReplaceAll(err.Error(), "\n", " ")))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(w, "snug: %s\n", safe(hint))
	}
}
