package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"snug/client"
	"snug/internal/tunnel"
)

func tunnelVerbs() []*verb {
	return []*verb{
		{
			name: "tunnel", flags: tunnelFlags, events: true,
			example: "tunnel --listen :5433 --to 127.0.0.1:5432 --tls accept --peer FINGERPRINT",
			does:    "Wrap a TCP service in TLS between known keys: one line where it is (--tls accept), one where it is used (--tls connect)",
		},
		{
			name: "tunnel top", flags: topFlags, example: "tunnel top --metrics 127.0.0.1:9120",
			does: "Show who uses a running tunnel, and how much",
		},
		{
			name: "doctor", args: "[HOST:PORT]", least: 0, most: 1, flags: doctorFlags, example: "doctor example.org:5433 --peer FINGERPRINT",
			does: "Say why a handshake with a socket or tunnel fails: on which side, and what to type; without an address, which rooms are not well",
		},
	}
}

// tunnelOptions are what the flags say.
type tunnelOptions struct {
	routes  string
	metrics string
	drain   time.Duration
	check   bool
	debug   bool
	secrets *tunnelSecrets
	// words are the directives of the one route, in their order.
	words [][2]string
}

func tunnelFlags(set *flag.FlagSet) action {
	addHome(set)
	o := &tunnelOptions{secrets: addTunnelSecrets(set)}
	set.StringVar(&o.routes, "routes", "", "several routes, from this `FILE` (docs/tunnel.md), in the place of flags")
	set.StringVar(&o.metrics, "metrics", "", "metrics for Prometheus and health at this `ADDRESS` of loopback")
	set.DurationVar(&o.drain, "drain", tunnel.DefaultDrain, "let streams go on for this `TIME` after SIGTERM")
	set.BoolVar(&o.check, "check", false, "see that routes and files are right, and stop")
	set.BoolVar(&o.debug, "debug", false, "log each stream that breaks")
	set.Func("peer", "accept the peer with this `FINGERPRINT` or remembered name: short for --allow key: and --allow peer:", func(v string) error {
		rule, err := peerRule(v)
		o.words = append(o.words, [2]string{"allow", rule})
		return err
	})
	for name, d := range tunnel.Directives {
		set.Func(name, d.Usage, func(v string) error {
			if v == "" {
				return errors.New("nothing in it")
			}
			o.words = append(o.words, [2]string{name, v})
			return nil
		})
	}
	return o.run
}

// run carries streams until it is stopped.
func (o *tunnelOptions) run(ctx context.Context, c *call) error {
	if err := o.secrets.begin(ctx); err != nil {
		return err
	}
	config, err := o.config(c)
	if err != nil {
		return err
	}
	if err := o.secrets.unlock(c, config); err != nil {
		return err
	}
	if o.check {
		if err := tunnel.Check(config); err != nil {
			return tunnelError(err)
		}
		return c.print(struct {
			Routes  int     `json:"routes"`
			Metrics string  `json:"metrics,omitempty"`
			Drain   float64 `json:"drain"` // in seconds
		}{len(config.Routes), config.Metrics, config.Drain.Seconds()}, "%d of routes, and all files that they name are right", len(config.Routes))
	}
	t, err := tunnel.New(ctx, config, tunnel.Options{Log: o.log(c), Passed: tunnel.PassedSockets()})
	if err != nil {
		return tunnelError(err)
	}
	o.secrets.running.Store(true)
	addrs := t.Addrs()
	for _, name := range slices.Sorted(maps.Keys(addrs)) {
		c.tell(socketEvent{Event: "listening", Name: name, Addr: addrs[name]}, "route %s listens on %s", name, addrs[name])
	}
	if at := t.Metrics(); at != "" {
		c.tell(socketEvent{Event: "metrics", Addr: at}, "metrics at http://%s/metrics", at)
	}
	reloading := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(reloading)
		o.reload(ctx, c, t, stop)
	}()
	err = t.Run(ctx)
	close(stop)
	<-reloading
	return err
}

// reload reads the routes again at each SIGHUP. What cannot be used changes nothing.
func (o *tunnelOptions) reload(ctx context.Context, c *call, t *tunnel.Tunnel, stop <-chan struct{}) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, reloadSignals...)
	defer signal.Stop(signals)
	for {
		select {
		case <-signals:
		case <-stop:
			return
		}
		config, err := o.config(c)
		if err == nil {
			err = o.secrets.unlock(c, config)
		}
		if err == nil {
			err = t.Reload(ctx, config)
		}
		if err != nil {
			c.tell(socketEvent{Event: "failed", Reason: err.Error()}, "not reloaded, and all stays as it was: %v", err)
			continue
		}
		c.tell(socketEvent{Event: "reloaded"}, "reloaded")
	}
}

// config is the routes of the file, or the one of the flags.
func (o *tunnelOptions) config(c *call) (*tunnel.Config, error) {
	files, err := c.tunnelFiles()
	if err != nil {
		return nil, err
	}
	files.Secrets = o.secrets.Secrets
	if o.drain < 0 {
		return nil, usageErrorf("snug "+c.verb.example+" --drain 30s", "tunnel: --drain %v: streams cannot end before they are told to", o.drain)
	}
	if o.routes != "" {
		if len(o.words) > 0 {
			return nil, usageErrorf("snug tunnel --routes "+o.routes, "tunnel: --%s belongs in the file of --routes", o.words[0][0])
		}
		return o.file(c, files)
	}
	route, err := tunnel.NewRoute("main", files, o.words)
	if err != nil {
		return nil, usageErrorf("snug "+c.verb.example, "tunnel: %v", err)
	}
	return &tunnel.Config{Routes: []tunnel.Route{route}, Metrics: o.metrics, Drain: o.drain}, nil
}

// file reads the file of routes. Flags of the whole tunnel are for where it says nothing.
func (o *tunnelOptions) file(c *call, files tunnel.Files) (*tunnel.Config, error) {
	text, err := os.ReadFile(o.routes)
	if err != nil {
		return nil, &client.Error{Code: client.Failed, Message: fmt.Sprintf("reading routes: %v", err), Hint: "--routes names a file in the format of docs/tunnel.md; one route needs none: snug " + c.verb.example}
	}
	dir, err := filepath.Abs(filepath.Dir(o.routes))
	if err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	config, err := tunnel.ParseConfig(string(text), dir, files, tunnel.Config{Metrics: o.metrics, Drain: o.drain})
	if err != nil {
		return nil, &client.Error{Code: client.Usage, Message: fmt.Sprintf("%s, %v", o.routes, err), Hint: "docs/tunnel.md has the format; snug tunnel --routes FILE --check tries it"}
	}
	return config, nil
}

// tunnelFiles are the files of this home, made where they are not there yet.
func (c *call) tunnelFiles() (tunnel.Files, error) {
	if _, err := c.socketIdentity(); err != nil {
		return tunnel.Files{}, err
	}
	dir, err := homeDir(c.home)
	if err != nil {
		return tunnel.Files{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return tunnel.Files{}, err
	}
	return tunnel.Files{Key: filepath.Join(dir, socketKey), Peers: filepath.Join(dir, peersFile)}, nil
}

// tunnelError says what to do.
func tunnelError(err error) error {
	if errors.Is(err, errInterrupted) {
		return errInterrupted
	}
	message := strings.NewReplacer("tunnel: ", "", "mtls: ", "", "pki: ", "").Replace(err.Error())
	if errors.Is(err, tunnel.ErrNobody) {
		return &client.Error{Code: client.NotFound, Message: message, Hint: "snug key add NAME FINGERPRINT, which `snug key show` prints on the other side"}
	}
	return &client.Error{Code: client.Failed, Message: message, Hint: hintOfTunnel(err)}
}

// hintOfTunnel is what to do about a tunnel that does not start.
func hintOfTunnel(err error) string {
	var sealed *sealedError
	var place *net.OpError
	switch {
	case hintOf(err) != "":
		return hintOf(err)
	case errors.As(err, &sealed):
		return "try: " + sealed.flag
	case errors.As(err, &place) && place.Net == "unix" && errors.Is(err, fs.ErrNotExist):
		return "the directory of a Unix socket has to be there"
	case errors.As(err, &place):
		return hintOfListening(err)
	case strings.Contains(err.Error(), "has passed no socket"):
		return "systemd passes it by a socket unit with that FileDescriptorName; or --listen HOST:PORT"
	case strings.Contains(err.Error(), "metrics are for this machine"):
		return "try: --metrics 127.0.0.1:9120"
	}
	if hint := hintOfFile(err); hint != "" {
		return hint
	}
	return "docs/tunnel.md has the words and their values; --check tries them and the files"
}

func (o *tunnelOptions) log(c *call) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if o.debug {
		options.Level = slog.LevelDebug
	}
	if c.json {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}
