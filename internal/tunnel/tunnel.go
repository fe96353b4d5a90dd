// Package tunnel puts TLS between known keys around services that have none: what comes in plain text on one machine
// goes, authenticated on both ends, to one fixed place on another. Begin with ParseConfig or NewRoute, and with New and
// Run.
//
// A route lets nobody in without a rule that names them, leads to no place but its own, and forgets whoever it trusts no
// more within two seconds, the streams that they have included. Between two tunnels one connection carries one stream
// after another (docs/tunnel.md); with all others it is plain TLS 1.3.
//
// It is internal to Snug and promises nothing across versions.
package tunnel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a tunnel takes from its surroundings.
type Options struct {
	Log    *slog.Logger
	Passed *Passed
	// Now is the clock for deadlines and rates of streams, and for dates of certificates and lists; nil means time.Now. It
	// must be safe from any goroutine.
	Now func() time.Time
	// Pause waits where a peer is over its rate, a second at most; nil means time.Sleep. Many goroutines call it at a time.
	Pause func(time.Duration)
}

// A Tunnel is some routes at work. Methods are safe from any goroutine.
type Tunnel struct {
	log    *slog.Logger
	passed *Passed
	now    func() time.Time
	pause  func(time.Duration)
	clock  atomic.Int64
	// sweeping is held by Sweep, and guards the routes' watches and collecting.
	sweeping   sync.Mutex
	collecting collecting

	parker  *parker
	running sync.WaitGroup
	hard    context.Context // ends with the drain
	cut     context.CancelFunc

	at struct {
		sync.Mutex
		drain   time.Duration
		routes  map[string]*route
		retired []*route // whose last streams go on
		ending  bool     // no reload opens anything any more
		// metrics are nil where nobody has asked for them; metricsAt is the address that was asked for.
		metrics   *metrics
		metricsAt string
	}
}

// New opens the routes' places, reads their files, and refuses whatever is missing. Run has to be called then.
func New(ctx context.Context, c *Config, o Options) (*Tunnel, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pause == nil {
		o.Pause = time.Sleep
	}
	t := &Tunnel{log: o.Log, passed: o.Passed, now: o.Now, pause: o.Pause, parker: newParker()}
	t.hard, t.cut = context.WithCancel(context.WithoutCancel(ctx))
	t.clock.Store(o.Now().UnixNano())
	t.at.routes = make(map[string]*route)
	if err := t.apply(ctx, c); err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

// Run carries streams until ctx ends and the last of them has ended, or the drain's time has.
func (t *Tunnel) Run(ctx context.Context) error {
	defer t.cut()
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
			t.Sweep()
		case <-ctx.Done():
		}
	}
	t.at.Lock()
	t.at.ending = true
	t.at.Unlock()
	for _, r := range t.all() {
		r.close()
	}
	t.drain(ticker.C)
	t.end()
	return nil
}

// drain waits for the last streams.
func (t *Tunnel) drain(tick <-chan time.Time) {
	t.at.Lock()
	patience := t.at.drain
	t.at.Unlock()
	deadline := t.now().Add(patience)
	for t.now().Before(deadline) {
		left := 0
		for _, r := range t.all() {
			left += r.count()
		}
		if left == 0 {
			return
		}
		<-tick
		t.Sweep()
	}
	t.log.Warn("streams are cut: the time to drain is over")
}

// end cuts whatever is left.
func (t *Tunnel) end() {
	t.cut()
	for _, r := range t.all() {
		r.close()
		r.cutAll()
	}
	t.at.Lock()
	m := t.at.metrics
	t.at.Unlock()
	if m != nil {
		m.close()
	}
	t.running.Wait()
	if t.parker != nil {
		t.parker.close()
	}
}

// Sweep looks at deadlines and files once. Run does it four times a second.
func (t *Tunnel) Sweep() {
	t.sweeping.Lock()
	defer t.sweeping.Unlock()
	now := t.now()
	t.clock.Store(now.UnixNano())
	for _, r := range t.all() {
		r.sweep(now)
	}
	var handshakes int64
	handshaking := 0
	for _, r := range t.all() {
		handshakes += r.shaken()
		handshaking += len(r.handshaking)
	}
	t.collecting.tidy(handshakes)
	t.collecting.pace(handshaking)
}

// all gives the routes, and behind them the retired ones that have something left: a carrier of those may wait for its
// next stream as long as there is an heir to take it.
func (t *Tunnel) all() []*route {
	t.at.Lock()
	defer t.at.Unlock()
	kept := t.at.retired[:0]
	for _, r := range t.at.retired {
		if r.count() > 0 {
			kept = append(kept, r)
		}
	}
	t.at.retired = kept
	return append(slices.Collect(maps.Values(t.at.routes)), kept...)
}

// errEnding refuses other routes to a tunnel that only waits for its last streams.
var errEnding = errors.New("tunnel: it is ending, and nobody new is let in")

// Reload puts other routes in the place of those that there are. One with the same name, side and place goes on with
// its connections, under its new rules; one that is gone lets nobody in any more, and its streams go on to their end.
// Where its place is another route's now, that one has whoever has come and is not in yet, and all who come.
// Metrics that have another address are there when it returns, and at the old one no more. Where it fails all stays as it
// was.
func (t *Tunnel) Reload(ctx context.Context, c *Config) error { return t.apply(ctx, c) }

// apply puts a configuration in use, and then ends what has no place in it.
func (t *Tunnel) apply(ctx context.Context, c *Config) error {
	if err := c.check(); err != nil {
		return err
	}
	left, err := t.change(ctx, c)
	if left != nil {
		left.close()
	}
	return err
}

// change prepares everything before it changes anything. left are metrics that have moved or that nobody asks for any
// more: they are to be closed without the lock, which their readers take.
func (t *Tunnel) change(ctx context.Context, c *Config) (left *metrics, err error) {
	t.at.Lock()
	defer t.at.Unlock()
	if t.at.ending {
		return nil, errEnding
	}
	p, err := t.prepare(ctx, c)
	m := t.at.metrics
	if err == nil && c.Metrics != t.at.metricsAt {
		m, left = nil, m
		if c.Metrics != "" {
			m, err = newMetrics(ctx, t, c.Metrics)
		}
	}
	if err != nil {
		for _, opened := range p.opened {
			opened.Close()
		}
		return nil, err
	}
	t.at.drain, t.at.metrics, t.at.metricsAt = c.Drain, m, c.Metrics
	t.settle(p)
	return left, nil
}

// A plan is what a configuration comes to: routes by name, what they are to go by, and the places that were opened for
// it.
type plan struct {
	routes    map[string]*route
	standings map[*route]*standing
	opened    []*place
}

// prepare reads all files, and opens the places that are not open yet. Those that were opened are in the plan where it
// fails too.
func (t *Tunnel) prepare(ctx context.Context, c *Config) (*plan, error) {
	p := &plan{make(map[string]*route, len(c.Routes)), make(map[*route]*standing, len(c.Routes)), nil}
	places := make(map[Address]*place, len(t.at.routes))
	for _, r := range t.at.routes {
		if a := r.place.address; a.Network != "tcp" || !strings.HasSuffix(a.Text, ":0") { // any free port is a new one each time
			places[a] = r.place
		}
	}
	for _, config := range c.Routes {
		r := t.at.routes[config.Name]
		if r == nil || r.accept != config.Accept || r.place.address != config.Listen {
			r = newRouteAt(config, t)
			r.place = places[config.Listen]
			r.watch.start(config.Files.paths())
		}
		s, err := read(config, t.now, r.known())
		if err == nil && r.place == nil {
			if r.place, err = open(ctx, config.Listen, t.passed); err == nil {
				p.opened = append(p.opened, r.place)
			}
		}
		if err != nil {
			return p, fmt.Errorf("route %s: %w", config.Name, err)
		}
		p.routes[config.Name], p.standings[r] = r, s
	}
	return p, nil
}

// settle puts a plan in use: nothing in it can fail. No two of its routes have one place, so that each that was there
// goes to one heir, or is closed with its route.
func (t *Tunnel) settle(p *plan) {
	for r, s := range p.standings {
		r.set(s)
	}
	before := t.at.routes
	t.at.routes = p.routes
	for _, r := range p.routes {
		if r.place.owner.Load() != r {
			r.place.give(r)
		}
	}
	for _, opened := range p.opened {
		t.running.Go(func() { opened.run(t.hard) })
	}
	for name, r := range before {
		if p.routes[name] != r {
			if r.heir.Load() == nil {
				r.close()
			}
			t.at.retired = append(t.at.retired, r)
		}
	}
}

// Check reports what would keep the routes from being opened, besides their places being taken.
func Check(c *Config) error {
	if err := c.check(); err != nil {
		return err
	}
	for _, r := range c.Routes {
		if _, err := read(r, time.Now, nil); err != nil {
			return fmt.Errorf("route %s: %w", r.Name, err)
		}
	}
	return nil
}

// read makes the first standing of a route.
func read(config Route, now func() time.Time, before *policy) (*standing, error) {
	p, err := loadPolicy(&config, now, before)
	if err != nil {
		return nil, err
	}
	if p.config == nil {
		return nil, ErrNobody
	}
	return &standing{Route: config, target: newTarget(&config), policy: p}, nil
}

// Addrs gives the places of the routes by their names.
func (t *Tunnel) Addrs() map[string]string {
	t.at.Lock()
	defer t.at.Unlock()
	addrs := make(map[string]string, len(t.at.routes))
	for name, r := range t.at.routes {
		addrs[name] = r.place.Addr().String()
	}
	return addrs
}

// Metrics gives the address of metrics and health, or "".
func (t *Tunnel) Metrics() string {
	t.at.Lock()
	defer t.at.Unlock()
	if t.at.metrics == nil {
		return ""
	}
	return t.at.metrics.listener.Addr().String()
}

// Health says what is wrong, or nil.
func (t *Tunnel) Health() error {
	var problems []error
	t.at.Lock()
	defer t.at.Unlock()
	for name, r := range t.at.routes {
		if problem := r.standing.Load().problem(); problem != nil {
			problems = append(problems, fmt.Errorf("route %s: %w", name, problem))
		}
	}
	return errors.Join(problems...)
}
