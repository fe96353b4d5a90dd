package tunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A ParseError says where a file of routes is wrong.
type ParseError struct {
	Line    int
	Problem string
}

// Error gives line and problem.
func (e *ParseError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// maxRoutes bounds the routes of one tunnel.
const maxRoutes = 1024

var routeName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// ParseConfig reads a file of routes. files are those of a route that does not name its own; relative names are taken
// from dir. c's Metrics and Drain count where the file says nothing of them. The format, line by line:
//
//	# a comment
//	metrics 127.0.0.1:9120     before the first route, each at most once:
//	drain 30s
//	key FILE                   and certificate, authority, list, revoked, peers: for all routes that follow
//	route NAME                 begins a route, whose lines are:
//	    listen ADDRESS         each of these once
//	    to ADDRESS
//	    tls accept             or tls connect
//	    allow RULE             once or more
//	    …                      and any other of Directives
//
// A word that is not known, a value that does not parse, a line too many or too few: the error is a *ParseError, and
// nothing of the file counts.
func ParseConfig(text, dir string, files Files, c Config) (*Config, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("tunnel: %d bytes of routes, at most %d", len(text), maxFile)
	}
	p := &parser{dir: dir, files: files, config: Config{Metrics: c.Metrics, Drain: c.Drain}, seen: make(map[string]bool)}
	for line := range strings.Lines(text) {
		p.line++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, value, _ := strings.Cut(line, " ")
		if err := p.directive(word, strings.TrimSpace(value)); err != nil {
			return nil, &ParseError{p.line, err.Error()}
		}
	}
	if err := p.end(); err != nil {
		return nil, &ParseError{p.began, err.Error()}
	}
	if err := p.config.check(); err != nil {
		return nil, err
	}
	return &p.config, nil
}

// A parser is in the middle of a file.
type parser struct {
	dir    string
	files  Files
	config Config
	line   int
	route  *Route // under way
	began  int    // its line
	seen   map[string]bool
}

func (p *parser) directive(word, value string) error {
	if value == "" {
		return fmt.Errorf("%s: nothing behind it", word)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return fmt.Errorf("%s: what does not print", word)
	}
	if word == "route" {
		return p.begin(value)
	}
	set, known := Directives[word]
	switch {
	case p.route == nil && (word == "metrics" || word == "drain"):
	case !known:
		return fmt.Errorf("there is no %q here", word)
	case p.route == nil && !set.file:
		return fmt.Errorf("%s belongs to a route: route NAME comes first", word)
	}
	if p.seen[word] && !set.many {
		return fmt.Errorf("%s a second time", word)
	}
	p.seen[word] = true
	switch {
	case p.route != nil:
		return set.set(p.route, p.path(set, value))
	case word == "metrics":
		p.config.Metrics = value
		return nil
	case word == "drain":
		return parseDuration(&p.config.Drain, value)
	}
	shared := Route{Files: p.files}
	err := set.set(&shared, p.path(set, value))
	p.files = shared.Files
	return err
}

// path takes the name of a file from the file of routes on.
func (p *parser) path(d Directive, value string) string {
	if d.file && !filepath.IsAbs(value) {
		return filepath.Join(p.dir, value)
	}
	return value
}

// begin ends the route under way and begins another.
func (p *parser) begin(name string) error {
	if err := p.end(); err != nil {
		return fmt.Errorf("the route before, of line %d: %w", p.began, err)
	}
	if !routeName.MatchString(name) {
		return fmt.Errorf("%q is no name for a route: at most 32 of a-z, 0-9, dot, dash and underscore", name)
	}
	if len(p.config.Routes) == maxRoutes {
		return fmt.Errorf("more than %d routes", maxRoutes)
	}
	for _, r := range p.config.Routes {
		if r.Name == name {
			return fmt.Errorf("two routes are called %s", name)
		}
	}
	p.route, p.began, p.seen = newRoute(name, p.files), p.line, make(map[string]bool)
	return nil
}

// end completes the route under way.
func (p *parser) end() error {
	if p.route == nil {
		return nil
	}
	if !p.seen["tls"] {
		return errors.New("on which side is TLS? tls accept or tls connect")
	}
	if err := p.route.check(); err != nil {
		return err
	}
	p.config.Routes = append(p.config.Routes, *p.route)
	p.route = nil
	return nil
}

// A Directive is a word of a file of routes, and a flag of `snug tunnel`.
type Directive struct {
	// Value and Usage are for the flag's help.
	Value, Usage string
	// many says that it may be repeated, file that it names a file, and may also stand before the first route.
	many, file bool
	set        func(r *Route, value string) error
}

// Directives are the words of a route, besides route itself.
var Directives = map[string]Directive{
	"listen": {Value: "ADDRESS", Usage: "take connections at this `ADDRESS`: HOST:PORT, unix:/PATH, or fd:NAME from systemd",
		set: func(r *Route, v string) error { return parseAddress(&r.Listen, v) }},
	"to": {Value: "ADDRESS", Usage: "lead them to this `ADDRESS`: HOST:PORT or unix:/PATH",
		set: func(r *Route, v string) error { return parseAddress(&r.To, v) }},
	"tls": {Value: "SIDE", Usage: "`SIDE` of TLS: accept, where connections come, or connect, where they go",
		set: parseTLS},
	"allow": {Value: "RULE", Usage: "accept who satisfies this `RULE`: key:FINGERPRINT, peer:NAME, cn:, dns:, ip: or uri:NAME, spiffe://ID; may be given several times",
		many: true, set: parseAllow},
	"from": {Value: "PREFIX", Usage: "with tls connect: let plain connections in from this `PREFIX`, such as 192.0.2.0/24; may be given several times",
		many: true, set: func(r *Route, v string) error { return parsePrefix(&r.From, v) }},
	"within": {Value: "PREFIX", Usage: "addresses that the name in --to may stand for, by `PREFIX`; may be given several times",
		many: true, set: func(r *Route, v string) error { return parsePrefix(&r.Within, v) }},
	"proxy-from": {Value: "PREFIX", Usage: "demand a header of the PROXY protocol, version 2, from balancers in this `PREFIX`, and let in nobody else; may be given several times",
		many: true, set: func(r *Route, v string) error { return parsePrefix(&r.ProxyFrom, v) }},
	"proxy-to": {Value: "VERSION", Usage: "begin connections to the target with a header of the PROXY protocol: `VERSION` v2",
		set: parseProxyTo},
	"streams": {Value: "N", Usage: "at most `N` streams at a time for the peers of one rule",
		set: func(r *Route, v string) error { return parseNumber(&r.Streams, v, 1) }},
	"rate": {Value: "BYTES", Usage: "at most so many `BYTES` a second for the peers of one rule, both directions together",
		set: parseRate},
	"carriers": {Value: "N", Usage: "keep at most `N` idle connections for the next streams; 0 makes a new one for each",
		set: func(r *Route, v string) error { return parseNumber(&r.Carriers, v, 0) }},
	"idle": {Value: "TIME", Usage: "end streams on which nothing went for this `TIME`, such as 10m; 0 never does",
		set: func(r *Route, v string) error { return parseDuration(&r.Idle, v) }},
	"total": {Value: "TIME", Usage: "end streams after this `TIME`",
		set: func(r *Route, v string) error { return parseDuration(&r.Total, v) }},
	"pki": {Value: "DIR/NAME", Usage: "key, certificate, authority and revocation list of NAME in a directory of snug pki, renewed while the tunnel runs: `DIR/NAME`", file: true,
		set: usePKI},
	"key": {Value: "FILE", Usage: "private key in PEM; without it, that of `FILE` in the home", file: true,
		set: func(r *Route, v string) error { r.Files.Key = v; return nil }},
	"certificate": {Value: "FILE", Usage: "certificate of an authority for the key, in a `FILE` in PEM", file: true,
		set: func(r *Route, v string) error { r.Files.Certificate = v; return nil }},
	"authority": {Value: "FILE", Usage: "certificates of the authority that rules with names are about, in a `FILE` in PEM", file: true,
		set: func(r *Route, v string) error { r.Files.Authority = v; return nil }},
	"list": {Value: "FILE", Usage: "revocation list of the authority, in a `FILE` in PEM or DER", file: true,
		set: func(r *Route, v string) error { r.Files.List = v; return nil }},
	"revoked": {Value: "FILE", Usage: "refuse the keys in this `FILE`, a fingerprint to a line, whatever the rules say", file: true,
		set: func(r *Route, v string) error { r.Files.Revoked = v; return nil }},
	"peers": {Value: "FILE", Usage: "remembered peers; without it, those of the home; a `FILE` as `snug key add` writes it", file: true,
		set: func(r *Route, v string) error { r.Files.Peers = v; return nil }},
}

// ProbeRoute makes a route for Diagnose: to an address, with directives that are about who is there and who we are.
func ProbeRoute(to string, files Files, words [][2]string) (*Route, error) {
	r, err := fill("probe", files, append([][2]string{{"to", to}}, words...))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(r.Allow, Rule.named) && r.Files.Authority == "" {
		return nil, errors.New("a name needs the authority that has certified it: authority FILE")
	}
	return r, nil
}

// fill makes a route of directives, complete or not.
func fill(name string, files Files, words [][2]string) (*Route, error) {
	r, seen := newRoute(name, files), make(map[string]bool)
	for _, w := range words {
		d, known := Directives[w[0]]
		if !known || seen[w[0]] && !d.many {
			return nil, fmt.Errorf("%s a second time", w[0])
		}
		seen[w[0]] = true
		if err := d.set(r, w[1]); err != nil {
			return nil, fmt.Errorf("%s: %w", w[0], err)
		}
	}
	return r, nil
}

// NewRoute makes one route of directives in their order, as a command line gives them.
func NewRoute(name string, files Files, words [][2]string) (Route, error) {
	r, err := fill(name, files, words)
	if err != nil {
		return Route{}, err
	}
	if !slices.ContainsFunc(words, func(w [2]string) bool { return w[0] == "tls" }) {
		return Route{}, errors.New("on which side is TLS? tls accept or tls connect")
	}
	return *r, r.check()
}

func parseAddress(a *Address, v string) (err error) {
	*a, err = ParseAddress(v)
	return err
}

func parseTLS(r *Route, v string) error {
	if v != "accept" && v != "connect" {
		return fmt.Errorf("%q: tls accept, where connections come, or tls connect, where they go", v)
	}
	r.Accept = v == "accept"
	return nil
}

func parseAllow(r *Route, v string) error {
	rule, err := ParseRule(v)
	if err != nil {
		return err
	}
	r.Allow = append(r.Allow, rule)
	return nil
}

func parsePrefix(all *[]netip.Prefix, v string) error {
	prefix, err := netip.ParsePrefix(v)
	if err != nil {
		address, addressErr := netip.ParseAddr(v)
		if addressErr != nil || address.Zone() != "" {
			return fmt.Errorf("%q is no prefix of addresses, such as 192.0.2.0/24", v)
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if prefix.Addr().Is4In6() {
		return fmt.Errorf("%s would hold for nobody: addresses of IPv4 are written as such, 192.0.2.0/24", v)
	}
	if prefix != prefix.Masked() {
		return fmt.Errorf("%s has bits behind its prefix: %s is meant, or an address alone", v, prefix.Masked())
	}
	*all = append(*all, prefix)
	return nil
}

func parseProxyTo(r *Route, v string) error {
	if v != "v2" {
		return fmt.Errorf("%q: only v2 is spoken", v)
	}
	r.ProxyTo = true
	return nil
}

func parseNumber(n *int, v string, least int) error {
	number, err := strconv.Atoi(v)
	if err != nil || number < least || number > 1<<20 || v[0] == '+' {
		return fmt.Errorf("%q is no number from %d to %d", v, least, 1<<20)
	}
	*n = number
	return nil
}

func parseRate(r *Route, v string) error {
	rate, err := strconv.ParseInt(v, 10, 64)
	if err != nil || rate < 1024 || v[0] == '+' {
		return fmt.Errorf("%q is no number of bytes a second, at least 1024", v)
	}
	r.Rate = rate
	return nil
}

func parseDuration(d *time.Duration, v string) error {
	duration, err := time.ParseDuration(v)
	if v == "0" {
		duration, err = 0, nil
	}
	if err != nil || duration < 0 || duration > 0 && duration < time.Second {
		return fmt.Errorf("%q is no time of a second or more, such as 90s, 10m or 2h", v)
	}
	*d = duration
	return nil
}
