package tunnel_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"snug/internal/tunnel"
	"snug/mtls"
)

const proxySignature = "0d0a0d0a000d0a515549540a"

// TestProxyGolden has the bytes of headers as proxy-protocol.txt describes them, written and read.
func TestProxyGolden(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, row := range []struct {
		name                string
		source, destination netip.AddrPort
		tlvs                []tunnel.TLV
		want                string
	}{
		{name: "IPv4", source: at("192.0.2.1:4660"), destination: at("198.51.100.7:443"),
			want: proxySignature + "2111000c" + "c0000201" + "c6336407" + "1234" + "01bb"},
		{name: "IPv4 written as IPv6", source: at("[::ffff:192.0.2.1]:4660"), destination: at("198.51.100.7:443"),
			want: proxySignature + "2111000c" + "c0000201" + "c6336407" + "1234" + "01bb"},
		{name: "IPv6", source: at("[2001:db8::1]:4660"), destination: at("[2001:db8::2]:443"),
			want: proxySignature + "21210024" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "1234" + "01bb"},
		{name: "mixed", source: at("192.0.2.1:4660"), destination: at("[2001:db8::2]:443"),
			want: proxySignature + "21210024" + "00000000000000000000ffffc0000201" + "20010db8000000000000000000000002" + "1234" + "01bb"},
		{name: "with a TLV", source: at("192.0.2.1:4660"), destination: at("198.51.100.7:443"), tlvs: []tunnel.TLV{tunnel.MakeTLV(0xe1, "cn:x")},
			want: proxySignature + "21110013" + "c0000201" + "c6336407" + "1234" + "01bb" + "e10004636e3a78"},
		{name: "no address", want: proxySignature + "21000000"},
	} {
		got := tunnel.ProxyHeader(row.source, row.destination, row.tlvs...)
		if hex.EncodeToString(got) != row.want {
			t.Errorf("%s: got %x, want %s", row.name, got, row.want)
		}
		source, destination, tlvs, err := tunnel.ReadProxy(bytes.NewReader(got))
		plain := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
		if err != nil || source != plain(row.source) || destination != plain(row.destination) || len(tlvs) != len(row.tlvs) {
			t.Errorf("%s: read %v, %v, %d TLVs, %v", row.name, source, destination, len(tlvs), err)
		}
	}
}

// TestProxyRefused reads what is no header, or only half of one.
func TestProxyRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                 "",
		"another protocol":        hex.EncodeToString([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
		"version 1":               hex.EncodeToString([]byte("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n")),
		"cut in the signature":    proxySignature[:10],
		"cut in the addresses":    proxySignature + "2111000cc0000201",
		"version 3":               proxySignature + "3111000cc0000201c6336407123401bb",
		"a command there is not":  proxySignature + "2211000cc0000201c6336407123401bb",
		"a family there is not":   proxySignature + "2171000cc0000201c6336407123401bb",
		"datagrams":               proxySignature + "2112000cc0000201c6336407123401bb",
		"addresses too short":     proxySignature + "2111000400000000",
		"a TLV without a length":  proxySignature + "2111000ec0000201c6336407123401bbe100",
		"a TLV beyond the header": proxySignature + "2111000fc0000201c6336407123401bbe10001",
		"too long":                proxySignature + "2111ffff" + strings.Repeat("00", 65535),
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if source, _, _, err := tunnel.ReadProxy(bytes.NewReader(b)); !errors.Is(err, tunnel.ErrProxy) {
			t.Errorf("%s: got %v, %v; want ErrProxy", name, source, err)
		}
	}
	// A health check of the balancer's own is none of anybody's.
	b, _ := hex.DecodeString(proxySignature + "20000003aabbcc")
	if source, _, _, err := tunnel.ReadProxy(bytes.NewReader(b)); err != nil || source.IsValid() {
		t.Errorf("local: got %v, %v; want no address and no error", source, err)
	}
}

// heard is what a service is told of a connection, and what comes behind that.
type heard struct {
	source string
	tlvs   map[byte]string
	rest   string
}

// listens runs a service that reads to the end.
func listens(t testing.TB) (addr string, got chan heard) {
	t.Helper()
	got = make(chan heard, 1)
	return backend(t, func(conn *net.TCPConn) {
		source, _, tlvs, err := tunnel.ReadProxy(conn)
		if err != nil {
			t.Error(err)
		}
		h := heard{source: source.Addr().String(), tlvs: make(map[byte]string)}
		for _, one := range tlvs {
			kind, value := tunnel.OfTLV(one)
			h.tlvs[kind] = value
		}
		rest, _ := io.ReadAll(conn)
		h.rest = string(rest)
		got <- h
		conn.Close()
	}), got
}

// TestAttribution: a peer counts for a rule that it satisfies, and its service is told no name that nobody was allowed
// to certify: below an authority whose names are constrained a common name is none, and in a certificate of one's own
// neither.
func TestAttribution(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		permitted []string
		allow     []string // "key" is the peer's
		rule, cn  string
	}{
		{"a common name", nil, []string{"cn:admin", "dns:web.example.org"}, "cn:admin", "admin"},
		{"by another name", nil, []string{"dns:web.example.org"}, "dns:web.example.org", "admin"},
		{"below constraints", []string{"example.org"}, []string{"cn:admin", "dns:web.example.org"}, "dns:web.example.org", ""},
		{"below constraints, in another order", []string{"example.org"}, []string{"dns:web.example.org", "cn:admin"}, "dns:web.example.org", ""},
		{"by its key", nil, []string{"cn:admin", "key"}, "key", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t, row.permitted...)
			far, near := newHome(t), newHome(t)
			cert := ca.certify(t, near, &x509.Certificate{Subject: pkix.Name{CommonName: "admin"}, DNSNames: []string{"web.example.org"}})
			service, got := listens(t)
			lines := []string{"listen 127.0.0.1:0", "to " + service, "tls accept", "proxy-to v2", "authority " + far.write(t, "ca.pem", pemOf(ca.cert))}
			key := "key:" + mtls.FingerprintOf(cert).String()
			for _, rule := range row.allow {
				lines = append(lines, "allow "+strings.Replace(rule, "key", key, 1))
			}
			farEnd := start(t, far.route(t, "main", lines...))
			nearEnd := start(t, near.route(t, "main", append(ca.certified(t, near), "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule())...))
			if _, err := askAt(nearEnd.addr(), "hello"); err != nil {
				t.Fatal(err)
			}
			h, want := <-got, strings.Replace(row.rule, "key", key, 1)
			if h.tlvs[0xe1] != want {
				t.Errorf("the service hears of the rule %q, want %q", h.tlvs[0xe1], want)
			}
			ssl := "\x07\x00\x00\x00\x00" + "\x21\x00\x07TLSv1.3"
			if row.cn != "" {
				ssl += "\x22\x00" + string(rune(len(row.cn))) + row.cn
			}
			if h.tlvs[0x20] != ssl {
				t.Errorf("the service hears of TLS %q, want %q", h.tlvs[0x20], ssl)
			}
			until(t, "the stream is counted", func() bool {
				for _, r := range farEnd.Snapshot().Rows {
					if r.Ended > 0 && r.Peer != want {
						t.Fatalf("it counts for %s, want %s", r.Peer, want)
					} else if r.Ended > 0 {
						return true
					}
				}
				return false
			})
		})
	}
}

// FuzzProxy: what is read is written as something that reads the same, and not a byte behind the header is touched.
func FuzzProxy(f *testing.F) {
	f.Add(tunnel.ProxyHeader(netip.MustParseAddrPort("192.0.2.1:4660"), netip.MustParseAddrPort("198.51.100.7:443"), tunnel.MakeTLV(1, "h2")))
	f.Add(tunnel.ProxyHeader(netip.AddrPort{}, netip.AddrPort{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 16 {
			return
		}
		r := bytes.NewReader(append(bytes.Clone(b), "rest"...))
		source, destination, tlvs, err := tunnel.ReadProxy(r)
		if err != nil {
			return
		}
		size := 16 + int(binary.BigEndian.Uint16(b[14:16]))
		if got := len(b) + len("rest") - r.Len(); got != size {
			t.Errorf("took %d bytes, want the header's %d", got, size)
		}
		again := tunnel.ProxyHeader(source, destination, tlvs...)
		source2, destination2, tlvs2, err := tunnel.ReadProxy(bytes.NewReader(again))
		plain := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
		if err != nil || plain(source) != plain(source2) || plain(destination) != plain(destination2) || source.IsValid() && len(tlvs) != len(tlvs2) {
			t.Errorf("%v, %v, %d TLVs become %v, %v, %d, %v", source, destination, len(tlvs), source2, destination2, len(tlvs2), err)
		}
	})
}
