// Command interop plays Messaging Layer Security between implementations, over the interface of the working group's test
// runner (package mlsclient). It is for the laboratory: what it serves hands out private keys, and trusts everybody.
//
//	go run . serve --listen 127.0.0.1:50001               # this implementation, for anybody's runner
//	go run . play 127.0.0.1:50001 127.0.0.1:50002         # our scenarios, over every mix of these two
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"snug/mls/interop/server"
)

const usage = `usage: interop serve [--listen ADDRESS] [--reload]
       interop play [flags] ADDRESS...      flags: interop play --help
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "interop:", strings.TrimPrefix(err.Error(), "interop: "))
		os.Exit(1)
	}
}

var (
	errUsage     = errors.New("interop: wrong arguments")
	errReachable = errors.New("interop: private keys are handed out here: listen on loopback")
)

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:])
	case "play":
		return play(ctx, args[1:])
	}
	return errUsage
}

func flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(os.Stderr)
	return f
}

// parse reads flags. What is wrong with them is said already.
func parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errUsage
	}
	return err
}

// serve answers runners until it is interrupted.
func serve(ctx context.Context, args []string) error {
	f := flags("serve")
	address := f.String("listen", "127.0.0.1:50001", "where to listen, on loopback")
	reload := f.Bool("reload", false, "load every state anew after each call")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return errUsage
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return errors.Join(errReachable, listener.Close())
	}
	fmt.Println(listener.Addr())
	return server.New(server.Options{Reload: *reload}).Listen(ctx, listener)
}
