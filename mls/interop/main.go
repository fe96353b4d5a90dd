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
	"syscall"

	"snug/mls/interop/server"
)

const usage = `usage: interop serve [--listen ADDRESS] [--reload]
       interop play [--steps N] [--seed N] [--lenient] [--in-epoch] ADDRESS...
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("interop: wrong arguments")

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
	f.Usage = func() {}
	return f
}

// serve answers runners until it is interrupted.
func serve(ctx context.Context, args []string) error {
	f := flags("serve")
	address := f.String("listen", "127.0.0.1:50001", "where to listen, on loopback")
	reload := f.Bool("reload", false, "load every state anew after each call")
	if f.Parse(args) != nil || f.NArg() > 0 {
		return errUsage
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return errors.Join(errors.New("private keys are handed out here: listen on loopback"), listener.Close())
	}
	fmt.Println(listener.Addr())
	return server.New(server.Options{Reload: *reload}).Listen(ctx, listener)
}
