package mtls

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name is one name that a peer's certificate can carry, in the text that String
// gives: "dns:db.example.org", "ip:192.0.2.1", "uri:spiffe://example.org/db" or
// "cn:db". Names are equal or they are not: there are no patterns, and a wildcard
// in a certificate stands for nothing. The zero Name is carried by no certificate.
type Name struct {
	kind  nameKind
	value string // in canonical form, so that == compares
}

type nameKind string

const (
	dnsName    nameKind = "dns"
	ipName     nameKind = "ip"
	uriName    nameKind = "uri"
	commonName nameKind = "cn"
)

const (
	// maxName bounds a name's value in bytes: RFC 3696 has addresses of 2,048 for
	// URIs, and SPIFFE has taken that over.
	maxName = 2048
	// maxDNSName and maxLabelDNS are those of RFC 1035, Section 2.3.4, in text.
	maxDNSName  = 253
	maxLabelDNS = 63
)

// ParseName reads what String gives. Without a kind in front it is a URI where it
// has "://" in it, an address where it is one, and a DNS name else; a common name
// is never meant without saying so.
func ParseName(s string) (Name, error) {
	kind, value, found := strings.Cut(s, ":")
	switch nameKind(kind) {
	case dnsName, ipName, uriName, commonName:
		if found {
			return newName(nameKind(kind), value)
		}
	}
	if strings.Contains(s, "://") {
		return newName(uriName, s)
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return newName(ipName, s)
	}
	return newName(dnsName, s)
}

// NameOfHost gives the name to expect of who is dialed at HOST:PORT, for dialers
// that mean whoever the authority has certified for that host.
func NameOfHost(hostPort string) (Name, error) {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return Name{}, fmt.Errorf("mtls: %q is not HOST:PORT", hostPort)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return newName(ipName, host)
	}
	return newName(dnsName, host)
}

func newName(kind nameKind, value string) (Name, error) {
	if len(value) > maxName {
		return Name{}, fmt.Errorf("mtls: a name of %d bytes, at most %d", len(value), maxName)
	}
	canonical, err := value, error(nil)
	switch kind {
	case dnsName:
		canonical, err = canonicalDNS(value)
	case ipName:
		canonical, err = canonicalIP(value)
	case uriName:
		canonical, err = canonicalURI(value)
	case commonName:
		if value == "" || !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			err = errors.New("empty, or with what does not print")
		}
	}
	if err != nil {
		return Name{}, fmt.Errorf("mtls: %q is no name of the kind %s: %w", value, kind, err)
	}
	return Name{kind, canonical}, nil
}

// String gives kind, colon and value, or "" for the zero Name.
func (n Name) String() string {
	if n.IsZero() {
		return ""
	}
	return string(n.kind) + ":" + n.value
}

// IsZero reports whether n was never set.
func (n Name) IsZero() bool { return n == Name{} }

// MarshalText gives what String gives.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads as ParseName does.
func (n *Name) UnmarshalText(b []byte) (err error) {
	*n, err = ParseName(string(b))
	return err
}

// Kind gives "dns", "ip", "uri" or "cn".
func (n Name) Kind() string { return string(n.kind) }

// Value gives the name without its kind.
func (n Name) Value() string { return n.value }

// canonicalDNS takes letters, digits, dash and underscore. An internationalized
// name has to come as its A-labels: two spellings of one name would not be equal.
func canonicalDNS(s string) (string, error) {
	if s == "" || len(s) > maxDNSName {
		return "", fmt.Errorf("%d bytes, want 1 to %d", len(s), maxDNSName)
	}
	s = strings.ToLower(s)
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabelDNS || label[0] == '-' || label[len(label)-1] == '-' {
			return "", fmt.Errorf("the label %q", label)
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return "", fmt.Errorf("%q in it", c)
			}
		}
	}
	return s, nil
}

func canonicalIP(s string) (string, error) {
	address, err := netip.ParseAddr(s)
	if err != nil || address.Zone() != "" {
		return "", errors.New("want an address of IPv4 or IPv6")
	}
	return address.Unmap().String(), nil
}

// canonicalURI takes absolute URIs with a host.
func canonicalURI(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("want SCHEME://HOST and perhaps a path")
	}
	if u.Scheme == spiffe && !isSPIFFE(s) {
		return "", errors.New("want spiffe://TRUST-DOMAIN/PATH")
	}
	return u.String(), nil
}

const spiffe = "spiffe"

// isSPIFFE judges by SPIFFE ID, Section 2: one spelling for each, so nothing to
// unescape and nothing to walk up.
func isSPIFFE(s string) bool {
	rest, found := strings.CutPrefix(s, spiffe+"://")
	domain, path, below := strings.Cut(rest, "/")
	if !found || domain == "" || strings.ToLower(domain) != domain || len(domain) > 255 {
		return false
	}
	if strings.ContainsFunc(domain+path, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-/", r)
	}) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if below && (segment == "" || segment == "." || segment == "..") {
			return false
		}
	}
	return true
}

// NamesOf gives the names that a certificate carries, whoever has signed it. What is in no canonical form, and what
// is there twice where there has to be one, is left out.
func NamesOf(cert *x509.Certificate) []Name {
	var names []Name
	add := func(kind nameKind, value string) {
		if name, err := newName(kind, value); err == nil {
			names = append(names, name)
		}
	}
	for _, value := range cert.DNSNames {
		add(dnsName, value)
	}
	for _, address := range cert.IPAddresses {
		add(ipName, address.String())
	}
	for _, uri := range cert.URIs {
		// X.509-SVID, Section 2: not more than one URI, or it is nobody's ID.
		if uri.Scheme != spiffe || len(cert.URIs) == 1 {
			add(uriName, uri.String())
		}
	}
	if cn, one := onlyCommonName(cert); one {
		add(commonName, cn)
	}
	return names
}

var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// onlyCommonName gives the subject's common name if it has one and no more: with
// two it would depend on the reader which one is meant.
func onlyCommonName(cert *x509.Certificate) (cn string, one bool) {
	n := 0
	for _, attribute := range cert.Subject.Names {
		if attribute.Type.Equal(oidCommonName) {
			n++
			cn, _ = attribute.Value.(string)
		}
	}
	return cn, n == 1
}
