package tunnel

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// A TargetError refuses to connect to what a target's name stands for. Nothing was sent.
type TargetError struct {
	Target  string
	Address netip.Addr
	Why     string
}

// Error names all three.
func (e *TargetError) Error() string {
	return fmt.Sprintf("tunnel: %s stands for %s, which is %s", e.Target, e.Address, e.Why)
}

// metadata are the addresses outside of link-local ones where clouds answer their machines' questions, credentials
// included, and 0.0.0.0/8 and others that connect to this machine or to nobody.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),          // Amazon
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba
	netip.MustParsePrefix("fd00:100::100:200/128"),  // Alibaba
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
	netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"),  // Linode
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("64:ff9b::/96"), // IPv4 in disguise: what it translates to is not looked at
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"),
}

// A target is where a route leads: one place, fixed when the route was read. Whoever rules over a name in it must not be
// able to lead it elsewhere, so every address that it stands for is judged again, on the socket itself and just before
// it connects. An address that the route itself names was meant.
type target struct {
	address Address
	host    string
	literal bool
	within  []netip.Prefix
	dialer  net.Dialer
}

func newTarget(r *Route) *target {
	t := &target{address: r.To, within: r.Within}
	t.host, _, _ = net.SplitHostPort(r.To.Text)
	_, err := netip.ParseAddr(t.host)
	t.literal = err == nil || t.host == ""
	t.dialer = net.Dialer{Timeout: connectTimeout, ControlContext: t.control}
	return t
}

// dial connects.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	return t.dialer.DialContext(ctx, t.address.Network, t.address.Text)
}

// control is called for each address before it is connected to.
func (t *target) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("tunnel: connecting to %s: %w", address, err)
	}
	return t.judge(to.Addr())
}

// judge says why an address is not what the target's name may stand for.
func (t *target) judge(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	refuse := func(why string) error { return &TargetError{t.host, a, why} }
	if len(t.within) > 0 {
		if !slices.ContainsFunc(t.within, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return refuse("not within what the route allows")
		}
		return nil
	}
	switch {
	case t.literal:
		return nil
	case a.IsLinkLocalUnicast():
		return refuse("link-local, where clouds answer for credentials")
	case a.IsLoopback() && isLocalhost(t.host):
		return nil
	case a.IsLoopback():
		return refuse("this machine itself")
	case a.IsMulticast(), a.IsUnspecified(), a.Is4() && a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return refuse("nobody's own")
	case slices.ContainsFunc(metadata, func(p netip.Prefix) bool { return p.Contains(a) }):
		return refuse("where clouds answer for credentials, or reserved")
	}
	return nil
}

// isLocalhost reports whether a name is one of this machine's own (RFC 6761, Section 6.3).
func isLocalhost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
