package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"
	"snug/mtls"
)

const (
	defaultTLS  = "127.0.0.1:8443"
	defaultHTTP = "127.0.0.1:8080"
	// defaultQuota is some two million messages of 300 bytes, with what the server keeps beside each.
	defaultQuota = "1GiB"
	// serverKey is the server's identity in its data directory.
	serverKey = "server.pem"
)

func serverVerbs() []*verb {
	return []*verb{{
		name: "serve", does: "Run a server: everything it keeps is in one directory", example: "serve --data ./snug-data",
		flags: func(set *flag.FlagSet) action {
			o := &serveOptions{}
			set.StringVar(&o.data, "data", "", "keep everything in `DIR` (default $XDG_DATA_HOME/snug-server)")
			set.StringVar(&o.tls, "tls", defaultTLS, "take native clients and browsers at `ADDR`, with TLS; port 0 picks a free one")
			set.StringVar(&o.http, "http", defaultHTTP, "take browsers at `ADDR`, in plain HTTP; off for not at all")
			set.StringVar(&o.registration, "registration", "invite", "who may make an account: `MODE` open, invite or closed")
			set.StringVar(&o.proxies, "trusted-proxy", "", "believe the X-Forwarded-For of the proxies at `ADDR`, or in ADDR/BITS; several with commas")
			set.StringVar(&o.quota, "quota", defaultQuota, "let each account store so much: `SIZE` as 512MiB or 2GiB; off for no bound")
			set.BoolVar(&o.debug, "debug", false, "log what a developer asks for; it names addresses")
			return o.serve
		},
	}}
}

// serveOptions are what `snug serve` can be told.
type serveOptions struct {
	data, tls, http, registration, proxies, quota string
	debug                                         bool
}

// serve runs a server until the context ends.
func (o *serveOptions) serve(ctx context.Context, c *call) (err error) {
	mode, err := registrationMode(o.registration)
	if err != nil {
		return err
	}
	if err := o.checkHTTP(); err != nil {
		return err
	}
	proxies, err := trustedProxies(o.proxies)
	if err != nil {
		return err
	}
	quota, err := parseQuota(o.quota)
	if err != nil {
		return err
	}
	path := o.data
	if path == "" {
		if path, err = dataDir("snug-server"); err != nil {
			return err
		}
	}
	dir, err := server.OpenDataDir(path)
	if errors.Is(err, server.ErrInUse) {
		return &client.Error{Code: client.Failed, Message: "another server is using the data directory " + path,
			Hint: "stop that one, or give this one a directory of its own: --data DIR"}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	identity, err := mtls.LoadOrGenerate(dir.File(serverKey), mtls.GenerateP256)
	if err != nil {
		return err
	}
	ports, err := o.listen(ctx, identity)
	if err != nil {
		return err
	}
	store, err := sqlite.Open(dir.Path(), sqlite.Config{Rand: ident.Random(), Quota: quota})
	if err != nil {
		return errors.Join(err, closePorts(ports))
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s, err := server.New(ctx, server.Config{
		Store: store, Registration: mode, ID: identity.Fingerprint(), Proxies: proxies,
		Page: page(), Rand: ident.Random(), Log: o.log(c),
	})
	if err == nil {
		err = announce(ctx, c, s, ports, identity)
	}
	if err != nil {
		return errors.Join(err, closePorts(ports))
	}
	return s.Run(ctx, ports)
}

// parseQuota reads how many bytes an account may store; 0 stands for no bound.
func parseQuota(text string) (int64, error) {
	if text == "off" {
		return 0, nil
	}
	for unit, size := range map[string]int64{"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40} {
		number, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.ParseInt(number, 10, 20); ok && err == nil && n > 0 && number[0] != '+' {
			return n * size, nil
		}
	}
	return 0, usageErrorf("snug serve --quota "+defaultQuota, "serve: %q is no size: a whole number with MiB, GiB or TiB, or off", text)
}

// checkHTTP keeps plain HTTP on this machine: on its way to another one, anybody could read what is typed and change the
// page that handles the keys.
func (o *serveOptions) checkHTTP() error {
	if o.http == "off" {
		return nil
	}
	host, port, err := net.SplitHostPort(o.http)
	if err != nil {
		return usageErrorf("snug serve --http "+defaultHTTP, "serve: %q is no address: HOST:PORT, or off", o.http)
	}
	if address, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !address.IsLoopback()) {
		return usageErrorf("snug serve --http 127.0.0.1:"+port, "serve: plain HTTP is for this machine only; browsers elsewhere use https and the port of --tls")
	}
	return nil
}

// trustedProxies reads a list of addresses and prefixes.
func trustedProxies(list string) (proxies []netip.Prefix, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		proxy, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil {
			proxy, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, usageErrorf("snug serve --trusted-proxy 127.0.0.1,10.0.0.0/8", "serve: %q is no address of a proxy", text)
		}
		proxies = append(proxies, proxy)
	}
	return proxies, nil
}

func registrationMode(name string) (wire.RegistrationMode, error) {
	switch name {
	case "open":
		return wire.RegistrationMode_REGISTRATION_MODE_OPEN, nil
	case "invite":
		return wire.RegistrationMode_REGISTRATION_MODE_INVITE, nil
	case "closed":
		return wire.RegistrationMode_REGISTRATION_MODE_CLOSED, nil
	}
	return 0, usageErrorf("snug serve --registration invite", "serve: registration is open, invite or closed, not %q", name)
}

func (o *serveOptions) listen(ctx context.Context, identity *mtls.Identity) (ports server.Ports, err error) {
	if ports.TLSConfig, err = mtls.ServerTLS(identity, nil); err != nil {
		return ports, err
	}
	if ports.TLS, err = listenFor(ctx, "tls", o.tls); err != nil {
		return ports, err
	}
	if o.http == "off" {
		return ports, nil
	}
	if ports.HTTP, err = listenFor(ctx, "http", o.http); err != nil {
		return ports, errors.Join(err, ports.TLS.Close())
	}
	return ports, nil
}

// listenFor listens at the address of a flag.
func listenFor(ctx context.Context, name, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	hint := "--" + name + " ADDR takes another address"
	if cause := hintOfListening(err); cause != "" {
		hint = cause + "; " + hint
	}
	return nil, &client.Error{Code: client.Failed, Message: fmt.Sprintf("listening on %s: %v", addr, err), Hint: hint}
}

func closePorts(ports server.Ports) error {
	err := ports.TLS.Close()
	if ports.HTTP != nil {
		err = errors.Join(err, ports.HTTP.Close())
	}
	return err
}

func (o *serveOptions) log(c *call) *slog.Logger {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
}

// announce says that the ports are open, and how the first account is made.
func announce(ctx context.Context, c *call, s *server.Server, ports server.Ports, identity *mtls.Identity) error {
	invite, err := s.OwnerInvite(ctx)
	if err != nil {
		return err
	}
	ready := struct {
		Event  string `json:"event"`
		TLS    string `json:"tls"`
		HTTP   string `json:"http,omitempty"`
		Pin    string `json:"pin"`
		Invite string `json:"owner_invite,omitempty"`
	}{Event: "ready", TLS: ports.TLS.Addr().String(), Pin: identity.Fingerprint().String(), Invite: invite}
	if ports.HTTP != nil {
		ready.HTTP = ports.HTTP.Addr().String()
	}
	return c.print(ready, "Snug is running. Stop it with Ctrl-C.\n%s", invitation(ports, ready.Pin, invite))
}

// invitation says in lines for people where the server is, and how its first account is made.
func invitation(ports server.Ports, pin, invite string) string {
	tls, page := from(ports.TLS.Addr(), "127.0.0.1"), ""
	if page = "https://" + tls + "/"; ports.HTTP != nil {
		page = "http://" + ports.HTTP.Addr().String() + "/"
	}
	lines := "\n  In a browser:    " + page
	if invite != "" {
		lines = "\n  Become its owner in a browser:\n    " + page + "#invite=" + invite +
			"\n  or in a terminal:\n    snug register HANDLE --server " + tls + "#" + pin + " --invite " + invite
	}
	switch others := from(ports.TLS.Addr(), "HOST"); {
	case others != tls:
		lines += "\n\n  Others reach it at this, HOST being this machine's name or address:\n    " + others + "#" + pin +
			"\n  in a browser:\n    https://" + others + "/"
	case loopback(ports.TLS.Addr()):
		lines += "\n\n  Others on this machine reach it at this; --tls 0.0.0.0:8443 lets in other machines:\n    " + tls + "#" + pin
	default:
		lines += "\n\n  Others reach it at:\n    " + tls + "#" + pin + "\n  in a browser:\n    https://" + tls + "/"
	}
	return lines
}

// from is an address to connect to: of all addresses of this machine the given host stands for one.
func from(addr net.Addr, host string) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
