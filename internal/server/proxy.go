package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress is who a connection comes from: the peer's address, or where that is a
// trusted proxy's, the last address in X-Forwarded-For that is none. Each proxy appends
// the address that it has seen; what stands before the first one that we do not trust
// anybody can have written. A list that does not parse is read as far as it does.
func (s *Server) clientAddress(peer string, r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	address := ap.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap()
	}
	return address
}

func (s *Server) trusts(address netip.Addr) bool {
	for _, proxy := range s.Proxies {
		if proxy.Contains(address) {
			return true
		}
	}
	return false
}

// addressPrefix is what addresses are limited by: a /24 of IPv4 or a /48 of IPv6, which
// is what somebody with many addresses commonly has. The zero prefix is not limited:
// loopback, where a proxy that is not configured, or a test, speaks for many; what is
// limited by account is limited there as well.
func addressPrefix(address netip.Addr) netip.Prefix {
	if !address.IsValid() || address.IsLoopback() {
		return netip.Prefix{}
	}
	bits := 48
	if address.Is4() {
		bits = 24
	}
	p, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
