package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Route is one way through the tunnel: connections that come at Listen go on to To, and on one of the two sides there
// is TLS between known keys.
type Route struct {
	// Name tells routes apart, in metrics and logs.
	Name string
	// Listen is where connections come: HOST:PORT, unix:PATH, or fd:NAME for a socket that systemd passes.
	Listen Address
	// To is the one place where they go: HOST:PORT or unix:PATH.
	To Address
	// Accept says that TLS is on the side of Listen; else it is on the side of To.
	Accept bool
	// Allow says who may be at the other end of TLS; at least one rule.
	Allow []Rule
	// From are the addresses from which plain connections may come, without Accept. None means this machine: Listen is
	// on loopback, a Unix socket or systemd's then.
	From []netip.Prefix
	// Within, if not empty, are the addresses that To's name may stand for.
	Within []netip.Prefix
	// ProxyFrom are the addresses of balancers in front, which begin every connection with a header of the PROXY
	// protocol; others are not let in then. None means that no header is read.
	ProxyFrom []netip.Prefix
	// ProxyTo begins every connection to To with such a header.
	ProxyTo bool
	// Streams is how many streams, and connections for them, each rule's peers may have at a time; Rate how many bytes a
	// second they may send and be sent in all, 0 for any number.
	Streams int
	Rate    int64
	// Idle ends a stream on which nothing went either way for so long, Total one that has lasted so long; 0 is never.
	Idle, Total time.Duration
	// Carriers is how many idle carriers are kept for the next streams, without Accept; 0 means a handshake for each
	// stream.
	Carriers int
	// Files are where keys and certificates lie.
	Files Files
}

// Config is all that a tunnel is told.
type Config struct {
	Routes []Route
	// Metrics is the loopback address of metrics and health, or empty.
	Metrics string
	// Drain is how long streams may go on after the tunnel was told to stop.
	Drain time.Duration
}

// An Address is a network and an address in it.
type Address struct {
	Network string // "tcp", "unix" or "fd"
	Text    string
}

// ParseAddress reads HOST:PORT, unix:PATH with an absolute path, or fd:NAME.
func ParseAddress(s string) (Address, error) {
	if path, found := strings.CutPrefix(s, "unix:"); found {
		if !filepath.IsAbs(path) || len(path) > maxUnixPath || strings.ContainsRune(path, 0) {
			return Address{}, fmt.Errorf("%q: want unix: and an absolute path of at most %d bytes", s, maxUnixPath)
		}
		return Address{"unix", path}, nil
	}
	if name, found := strings.CutPrefix(s, "fd:"); found {
		if name == "" || strings.ContainsAny(name, ": ") {
			return Address{}, fmt.Errorf("%q: want fd: and the name of a socket unit, or its number from 0 on", s)
		}
		return Address{"fd", name}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return Address{}, fmt.Errorf("%q is no address: HOST:PORT or unix:/PATH", s)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return Address{}, fmt.Errorf("%q is no port", port)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Address{}, fmt.Errorf("%q is no host", host)
	}
	return Address{"tcp", s}, nil
}

// maxUnixPath is what a Unix address has room for, with the zero behind it, on the systems where it is shortest.
const maxUnixPath = 103

// String gives what ParseAddress reads.
func (a Address) String() string {
	if a.Network == "tcp" {
		return a.Text
	}
	return a.Network + ":" + a.Text
}

// local reports whether only this machine can come here.
func (a Address) local() bool {
	if a.Network != "tcp" {
		return true
	}
	host, _, _ := net.SplitHostPort(a.Text)
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// newRoute gives a route with its defaults.
func newRoute(name string, files Files) *Route {
	return &Route{Name: name, Files: files, Idle: DefaultIdle, Streams: DefaultStreams, Carriers: DefaultCarriers}
}

// check refuses a route that is not complete, or that lets in more than was said.
func (r *Route) check() error {
	switch {
	case r.Listen == Address{}:
		return errors.New("where does it listen? listen ADDRESS")
	case r.To == Address{}:
		return errors.New("where does it lead? to ADDRESS")
	case r.To.Network == "fd":
		return errors.New("to: a socket that is passed is for listening only")
	case len(r.Allow) == 0:
		return errors.New("who may be at the other end? allow RULE; there is no rule for just anybody")
	case !r.Accept && len(r.From) == 0 && !r.Listen.local():
		return errors.New("anybody who reaches " + r.Listen.String() + " would get in: listen on 127.0.0.1 or unix:/PATH, or say from where: from PREFIX")
	case r.Accept && len(r.From) > 0:
		return errors.New("from is for tls connect: with tls accept the rules say who may enter")
	case slices.ContainsFunc(r.Allow, Rule.named) && r.Files.Authority == "":
		return errors.New("a name in a rule needs the authority that has certified it: authority FILE")
	case r.Files.List != "" && r.Files.Authority == "":
		return errors.New("a revocation list needs the authority that has signed it: authority FILE")
	}
	return nil
}

// check refuses two routes of one name, or in one place.
func (c *Config) check() error {
	if len(c.Routes) == 0 {
		return errors.New("tunnel: no route")
	}
	names, places := make(map[string]bool), make(map[Address]bool)
	for _, r := range c.Routes {
		if names[r.Name] {
			return fmt.Errorf("tunnel: two routes are called %s", r.Name)
		}
		if places[r.Listen] && !strings.HasSuffix(r.Listen.Text, ":0") {
			return fmt.Errorf("tunnel: two routes listen on %s", r.Listen)
		}
		names[r.Name], places[r.Listen] = true, true
		if err := r.check(); err != nil {
			return fmt.Errorf("tunnel: route %s: %w", r.Name, err)
		}
	}
	if c.Metrics != "" {
		if a, err := ParseAddress(c.Metrics); err != nil || a.Network != "tcp" || !a.local() {
			return fmt.Errorf("tunnel: metrics are for this machine only, such as 127.0.0.1:9120: not %s", c.Metrics)
		}
	}
	return nil
}
