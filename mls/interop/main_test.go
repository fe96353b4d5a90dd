package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"strings"
	"testing"

	"snug/mls/interop/server"
)

// TestPlay plays what is asked for with a server at an address.
func TestPlay(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.New(server.Options{}).Listen(ctx, listener) }()
	err = run(t.Context(), []string{"play", "--only", "messages in order", "--steps", "0", listener.Addr().String()})
	stop()
	if err := errors.Join(err, <-done); err != nil {
		t.Error(err)
	}
}

// TestWrongArguments are refused, and so is an address that others can reach.
func TestWrongArguments(t *testing.T) {
	for _, row := range []struct {
		args string
		want error
	}{
		{"", errUsage},
		{"listen", errUsage},
		{"play", errUsage},
		{"play --steps many 127.0.0.1:1", errUsage},
		{"serve 127.0.0.1:1", errUsage},
		{"serve --help", flag.ErrHelp},
		{"serve --listen 0.0.0.0:0", errReachable},
	} {
		if err := run(t.Context(), strings.Fields(row.args)); !errors.Is(err, row.want) {
			t.Errorf("%q: %v, want %v", row.args, err, row.want)
		}
	}
}
