// Command bench loads a Snug server from outside and measures it. It builds and starts `snug serve` in a directory of
// its own, registers devices, and speaks the protocol of proto/snug/v1 over mutual TLS as any native client does; in the
// same run it measures what the disk and the WebSocket library allow.
//
// Begin with `go run ./bench --quick`; docs/performance.md says what is measured and how to read it. Everything that
// was acked must have been delivered, once, in order and with the right heads, or the run fails with exit 1.
//
// It links no MLS: the payloads are random bytes of the size of sealed ones, and the server cannot tell.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

const usageText = `Usage: go run ./bench [flags]

Starts a server, loads it, prints what it reached. Exit 1: something failed, or a message was lost.

  --quick               small numbers, under 20 seconds: does it work, not how fast
  --json                one object on stdout instead of tables
  --payload BYTES       the size of a message's payload (300)
  --senders LIST        how many senders, each in turn (64,256)
  --windows LIST        unanswered messages of a sender, each in turn (1,16)
  --measure DURATION    how long each message scenario counts (5s)
  --data-parent DIR     where the run's directory is made; not a tmpfs (build/ of the checkout)
  --binary FILE         a snug binary to measure instead of building one
  --serve-flags FLAGS   more flags for "snug serve", separated by spaces
  --only LIST           scenarios, separated by commas: startup bounds messages fanout catchup idle (all)

Example: go run ./bench --json > bench.json
`

// wholeTimeout ends a run that hangs, from the outside of all the smaller limits.
const wholeTimeout = 10 * time.Minute

func main() {
	if len(os.Args) == 2 && os.Args[1] == echoVerb {
		exit(serveEcho())
	}
	exit(measure(os.Args[1:]))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func measure(args []string) error {
	o := parse(args)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	b, err := newBench(ctx, o.plan, o.parent, os.Stderr)
	if err != nil {
		return err
	}
	defer b.close()
	b.binary, b.serveArgs = o.binary, strings.Fields(o.serveFlags)
	report, err := b.run(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return report.writeJSON(os.Stdout)
	}
	return report.writeTable(os.Stdout)
}

// options are what the flags say.
type options struct {
	plan                       plan
	parent, binary, serveFlags string
	json                       bool
}

// parse reads the flags, and ends the program with exit 2 where they are wrong.
func parse(args []string) options {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usageText) }
	o := options{plan: wholePlan}
	quick := flags.Bool("quick", false, "")
	flags.BoolVar(&o.json, "json", false, "")
	payload := flags.Int("payload", wholePlan.payload, "")
	senders := flags.String("senders", "", "")
	windows := flags.String("windows", "", "")
	length := flags.Duration("measure", 0, "")
	flags.StringVar(&o.parent, "data-parent", "", "")
	flags.StringVar(&o.binary, "binary", "", "")
	flags.StringVar(&o.serveFlags, "serve-flags", "", "")
	only := flags.String("only", "", "")
	flags.Parse(args)
	if *quick {
		o.plan = quickPlan
	}
	o.plan.payload, o.plan.only = *payload, list(*only)
	if *length > 0 {
		o.plan.measure = *length
	}
	err := errors.Join(numbers(*senders, &o.plan.senders), numbers(*windows, &o.plan.windows), o.plan.check())
	if err != nil || flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: %v\n\n%s", cmp.Or(err, errArguments), usageText)
		os.Exit(2)
	}
	return o
}

var errArguments = errors.New("there are flags only")

// list splits at commas.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// numbers reads a list of whole numbers over the one that is there, if it has any.
func numbers(s string, to *[]int) error {
	var read []int
	for _, one := range list(s) {
		n, err := strconv.Atoi(one)
		if err != nil {
			return fmt.Errorf("%q is no list of numbers", s)
		}
		read = append(read, n)
	}
	if len(read) > 0 {
		*to = read
	}
	return nil
}
