package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall/js"
	"time"

	"snug/client"
	"snug/internal/bridge"
	"snug/internal/idb"
	"snug/internal/ident"
	"snug/internal/transport"
)

// agent is what the operator sees of this program.
const agent = "snug/0.1 (browser)"

func main() {
	if err := run(context.Background()); err != nil {
		js.Global().Get("snugPort").Call("fail", err.Error())
		os.Exit(1)
	}
}

// run serves the page until the core or the page ends.
func run(ctx context.Context) error {
	port := newPort(js.Global().Get("snugPort"))
	store, err := idb.Open(ctx, "snug")
	if err != nil {
		return err
	}
	core, err := client.Open(ctx, client.Config{
		Store:     store,
		Transport: transport.NewPage(js.Global().Get("location").Get("origin").String()),
		Now:       time.Now,
		Rand:      ident.Random(),
		Log:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Agent:     agent,
	})
	if err != nil {
		return fmt.Errorf("opening this device: %w", err)
	}
	page := bridge.New(core, port, ident.Random())
	served := make(chan error, 1)
	go func() { served <- page.Serve(ctx) }()
	ran := make(chan error, 1)
	go func() { ran <- core.Run(ctx) }()
	port.ready()
	select {
	case err = <-served:
	case err = <-ran:
	}
	if err == nil {
		err = errors.New("the core has ended")
	}
	return err
}

// port is bridge.Port over the worker's object of the same name.
type port struct {
	worker js.Value
	news   chan struct{} // holds a token while the inbox may have something

	mu    sync.Mutex
	inbox [][]byte // guarded by mu
}

func newPort(worker js.Value) *port {
	p := &port{worker: worker, news: make(chan struct{}, 1)}
	// Never released: the worker ends with the program.
	worker.Set("receive", js.FuncOf(func(_ js.Value, args []js.Value) any {
		b := make([]byte, args[0].Length())
		js.CopyBytesToGo(b, args[0])
		p.mu.Lock()
		p.inbox = append(p.inbox, b)
		p.mu.Unlock()
		select {
		case p.news <- struct{}{}:
		default:
		}
		return nil
	}))
	return p
}

// ready tells the worker that calls are answered from here on.
func (p *port) ready() { p.worker.Call("ready") }

// Post implements bridge.Port.
func (p *port) Post(packet []byte) {
	array := js.Global().Get("Uint8Array").New(len(packet))
	js.CopyBytesToJS(array, packet)
	p.worker.Call("post", array)
}

// Receive implements bridge.Port.
func (p *port) Receive(ctx context.Context) ([]byte, error) {
	for {
		p.mu.Lock()
		if len(p.inbox) > 0 {
			call := p.inbox[0]
			p.inbox = p.inbox[1:]
			p.mu.Unlock()
			return call, nil
		}
		p.mu.Unlock()
		select {
		case <-p.news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
