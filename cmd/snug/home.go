package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"snug/client"
	"snug/client/sqlite"
	"snug/internal/ident"
	"snug/internal/transport"
)

// homeFlags adds the flags of every verb that acts for a person's device.
func homeFlags(set *flag.FlagSet) {
	addHome(set)
	set.Duration("timeout", defaultTimeout, "give up after this `TIME`, such as 2m")
}

// addHome adds --home.
func addHome(set *flag.FlagSet) {
	set.String("home", "", "the `DIR` of this device (default $SNUG_HOME, else below $XDG_DATA_HOME)")
}

// homeDir is the directory of this device: the flag, SNUG_HOME, or the XDG base directory's.
func homeDir(flagged string) (string, error) {
	if flagged != "" {
		return flagged, nil
	}
	if dir := os.Getenv("SNUG_HOME"); dir != "" {
		return dir, nil
	}
	return dataDir("snug")
}

// dataDir is a directory of this name where the XDG base directory specification, or the system, wants it.
func dataDir(name string) (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir()
		return filepath.Join(dir, name), err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding your home directory: %w", err)
	}
	return filepath.Join(home, ".local", "share", name), nil
}

// A device is an open home: a client that runs, and what must be closed after it.
type device struct {
	*client.Client
	server transport.Address
	store  client.Store
	stop   context.CancelFunc
	done   chan error
}

// The files of a home.
const (
	serverFile = "server"
	storeFile  = "store.db"
)

// openHome opens the device that lives in the call's home. It must have signed in already.
func (c *call) openHome(ctx context.Context) (*device, error) {
	dir, err := homeDir(c.home)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, serverFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notSignedIn()
	}
	if err != nil {
		return nil, err
	}
	server, err := transport.ParseAddress(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	d, err := openDevice(ctx, dir, server)
	if err != nil {
		return nil, err
	}
	if _, signedIn := d.Me(); !signedIn {
		d.Close()
		return nil, notSignedIn()
	}
	return d, nil
}

// notSignedIn is the error of a home without a device.
func notSignedIn() error {
	return &client.Error{
		Code: client.Refused, Message: "nobody is signed in here",
		Hint: "snug register HANDLE --server HOST:PORT#PIN, or snug login HANDLE --server HOST:PORT#PIN",
	}
}

// newHome opens a home in which nobody is signed in yet, for a device of that server.
func (c *call) newHome(ctx context.Context, address string) (*device, error) {
	server, err := transport.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	dir, err := homeDir(c.home)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d, err := openDevice(ctx, dir, server)
	if err != nil {
		return nil, err
	}
	if me, signedIn := d.Me(); signedIn {
		d.Close()
		return nil, &client.Error{
			Code: client.Refused, Message: "@" + me.Handle + " is signed in here already",
			Hint: "another home for another person: --home DIR; or snug logout first",
		}
	}
	// Where this device's server is must be known before the server knows the device, or a crash in between would leave
	// an account that cannot be reached.
	if err := writeFile(filepath.Join(dir, serverFile), []byte(server.String()+"\n")); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// writeFile writes a file that is either the old one or the new one whole, whatever happens.
func writeFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// openDevice opens the store and lets the client run.
func openDevice(ctx context.Context, dir string, server transport.Address) (*device, error) {
	store, err := sqlite.Open(filepath.Join(dir, storeFile))
	if err != nil {
		return nil, damaged(server, err)
	}
	cl, err := client.Open(ctx, client.Config{
		Store:     store,
		Transport: transport.NewNative(server),
		Now:       time.Now,
		Rand:      ident.Random(),
		Log:       slog.New(slog.DiscardHandler),
		Agent:     "snug/" + version + " (terminal)",
	})
	if err != nil {
		store.Close()
		return nil, damaged(server, err)
	}
	// The client outlives the verb's deadline by the moment that it takes to write down what it has.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &device{Client: cl, server: server, store: store, stop: stop, done: make(chan error, 1)}
	go func() { d.done <- cl.Run(running) }()
	return d, nil
}

// sayLoopback tells who hands on an address that it leads others to their own machine.
func (c *call) sayLoopback(d *device) {
	host, _, err := net.SplitHostPort(d.server.HostPort)
	ip := net.ParseIP(host)
	if err == nil && !c.json && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		c.say("%s is this machine: for somebody elsewhere, put the server's name or address in its place", host)
	}
}

// damaged adds to the error of a home that does not open how its person goes on: the account is not in it alone.
func damaged(server transport.Address, err error) error {
	var refusal *client.Error
	if errors.As(err, &refusal) && refusal.Hint != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &client.Error{Code: client.Failed, Message: err.Error(), Hint: "if the files of this home are damaged, sign in anew in another one: snug login HANDLE --server " +
		server.String() + " --home DIR; there snug device revoke ends this device"}
}

// Close lets the client finish what it is writing.
func (d *device) Close() error {
	d.stop()
	err := <-d.done
	d.Client.Close()
	d.store.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// withHome makes an action of one that needs the device of the home, with a deadline for all of it.
func withHome(act func(ctx context.Context, c *call, d *device) error) action {
	return func(ctx context.Context, c *call) error {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		return withDevice(act)(ctx, c)
	}
}

// withDevice is withHome without the deadline, for verbs that go on until they are stopped.
func withDevice(act func(ctx context.Context, c *call, d *device) error) action {
	return func(ctx context.Context, c *call) error {
		d, err := c.openHome(ctx)
		if err != nil {
			return err
		}
		quiet := d.tellProblems(c)
		err = act(ctx, c, d)
		quiet()
		if closing := d.Close(); err == nil {
			err = closing
		}
		return err
	}
}

// tellProblems tells a person when the server cannot be reached, so that nobody waits without knowing what for. The
// function that it returns ends that.
func (d *device) tellProblems(c *call) (end func()) {
	events := d.Events()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		told := ""
		for event := range events.C {
			changed, ok := event.(client.ConnectionChanged)
			if _, in := d.Me(); !in {
				continue // signed out: nothing is tried again
			}
			if ok && !changed.Online && changed.Problem != "" && changed.Problem != told {
				told = changed.Problem
				c.say("%s; trying again", told)
			}
		}
	}()
	return func() {
		events.Close()
		<-ended
	}
}
