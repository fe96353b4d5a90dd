// Package client is the SDK of Snug: one device of one account, with its rooms, its messages and its outbox. Begin with
// Open, start Run in a goroutine, sign in with Register or Login, then Send and read Events.
//
// Inside is a state machine (Core) without goroutines, clock, randomness or sockets: its inputs are commands, frames and
// ticks, its outputs one batch of store writes, frames and events. Client is the thin driver that owns its goroutine
// and keeps the one rule that everything rests on: persist, then speak. Several processes (or browser tabs) may hold the
// same Store at once.
//
// The package opens no sockets and no files: a Transport and a Store are handed in (internal/transport, client/sqlite).
// It does not render, does not resolve server addresses, and keeps nothing but what is in the Store. Until version 1 the
// API may change with notice in the CHANGELOG; what is stored stays readable.
package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"snug/internal/ident"
)

// Config is what a Client is made of. Every field is mandatory unless it says otherwise.
type Config struct {
	// Store holds the durable state of this device. Close does not close it: who opened it does.
	Store Store
	// Transport reaches the one server of this device.
	Transport Transport
	// Now is the clock, time.Now outside of tests. Timers are the runtime's own, so a test that hands in another clock
	// runs in testing/synctest.
	Now func() time.Time
	// Rand is the source of every key, id and jitter: crypto/rand.Reader outside of tests.
	Rand io.Reader
	// Log is optional. It gets ids and error texts, never handles, names or content.
	Log Logger
	// Agent is the program's name and version for the operator's eyes, such as "snug/0.1 (terminal)".
	Agent string
}

// Logger is what *slog.Logger has of use here. The package does not import log/slog, which would bring encoding/json into
// every browser's download.
type Logger interface {
	Warn(message string, args ...any)
	Error(message string, args ...any)
}

// silence is the Logger of who wants none.
type silence struct{}

func (silence) Warn(string, ...any)  {}
func (silence) Error(string, ...any) {}

// Client is one device. Its methods are safe from any goroutine; those that need the core wait for Run to be running.
type Client struct {
	cfg  Config
	core *Core // owned by Run once it has started
	// generation is the store's, as far as the core has read and written; owned like core.
	generation uint64

	// stretch and params are how passphrases become keys.
	stretch stretch
	params  func() ident.PassphraseParams

	calls    chan verb
	nextCall atomic.Uint64
	stopped  chan struct{} // closed when Run has ended

	shared struct {
		sync.Mutex
		me            Me
		signedIn      bool
		connection    ConnectionChanged
		subscriptions map[*Subscription]struct{}
	}
}

// Open reads the store and gives the client of the device in it; a device that has not signed in yet is no error. It
// does not touch the network.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Store == nil || cfg.Transport == nil || cfg.Now == nil || cfg.Rand == nil || cfg.Agent == "" {
		return nil, errors.New("client: Config needs Store, Transport, Now, Rand and Agent")
	}
	if cfg.Log == nil {
		cfg.Log = silence{}
	}
	c := &Client{cfg: cfg, stretch: ident.DerivePassphraseKeys, params: ident.DefaultPassphraseParams,
		calls: make(chan verb), stopped: make(chan struct{})}
	c.shared.subscriptions = make(map[*Subscription]struct{})
	c.core = newCore(coreConfig{rand: cfg.Rand, agent: cfg.Agent, provesDevice: cfg.Transport.ProvesDevice(), log: cfg.Log})
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends every subscription. Run ends by its context, before Close.
func (c *Client) Close() error {
	c.shared.Lock()
	defer c.shared.Unlock()
	for s := range c.shared.subscriptions {
		s.end()
	}
	c.shared.subscriptions = nil
	return nil
}

// Me tells who is signed in on this device. It never waits.
func (c *Client) Me() (Me, bool) {
	c.shared.Lock()
	defer c.shared.Unlock()
	return c.shared.me, c.shared.signedIn
}
