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
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

const usage = `Usage: go run ./bench [flags]

Starts a server, loads it, prints what it reached. Exit 1: something failed, or a message was lost.

  --quick               small numbers, under 20 seconds: does it work, not how fast
  --json                one object on stdout instead of tables
  --payload BYTES       the size of a message's payload (300)
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
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	quick := flags.Bool("quick", false, "")
	asJSON := flags.Bool("json", false, "")
	payload := flags.Int("payload", wholePlan.payload, "")
	length := flags.Duration("measure", 0, "")
	parent := flags.String("data-parent", "", "")
	binary := flags.String("binary", "", "")
	serveFlags := flags.String("serve-flags", "", "")
	only := flags.String("only", "", "")
	flags.Parse(args)
	if flags.NArg() > 0 || *payload < stampSize {
		flags.Usage()
		os.Exit(2)
	}
	p := wholePlan
	if *quick {
		p = quickPlan
	}
	p.payload = *payload
	if *length > 0 {
		p.measure = *length
	}
	p.only = strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	b, err := newBench(ctx, p, *parent, os.Stderr)
	if err != nil {
		return err
	}
	defer b.close()
	b.binary, b.serveArgs = *binary, strings.Fields(*serveFlags)
	report, err := b.run(ctx)
	if err != nil {
		return err
	}
	if *asJSON {
		return report.writeJSON(os.Stdout)
	}
	return report.writeTable(os.Stdout)
}
