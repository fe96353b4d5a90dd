package mtls_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"crypto/x509"

	"snug/mtls"
)

func TestParseName(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"db.example.org", "dns:db.example.org"},
		{"DB.Example.org", "dns:db.example.org"},
		{"dns:localhost", "dns:localhost"},
		{"dns:192.0.2.1", "dns:192.0.2.1"}, // it says so
		{"192.0.2.1", "ip:192.0.2.1"},
		{"ip:::1", "ip:::1"},
		{"2001:DB8::0:1", "ip:2001:db8::1"},
		{"::ffff:192.0.2.1", "ip:192.0.2.1"},
		{"spiffe://example.org/a/b", "uri:spiffe://example.org/a/b"},
		{"uri:https://example.org/?q=1", "uri:https://example.org/?q=1"},
		{"cn:Bob the Builder", "cn:Bob the Builder"},
		{"cn:a:b", "cn:a:b"},
	} {
		name, err := mtls.ParseName(row.text)
		if err != nil || name.String() != row.want {
			t.Errorf("%q: got %v, %v, want %s", row.text, name, err, row.want)
			continue
		}
		if again, err := mtls.ParseName(name.String()); err != nil || again != name {
			t.Errorf("%q is read back as %v, %v", name, again, err)
		}
	}
	for _, bad := range []string{
		"", "dns:", "*.example.org", "a..b", ".a", "a.", "-a", "a-", "a b", "bücher.example", "a/b", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a",
		"ip:1", "ip:fe80::1%eth0", "uri:x", "uri:mailto:a@b", "spiffe://", "spiffe://Example.org/a", "spiffe://example.org:1/a",
		"spiffe://example.org/a?b", "spiffe://example.org/a#b", "spiffe://u@example.org/a", "spiffe://example.org/a/", "spiffe://example.org/%61", "spiffe://example.org/a/../b", "spiffe://example.org//a", "uri:https://example.org/a b",
		"cn:", "cn:a\nb", "cn:a\u009bb", "cn:a\u202eb", "cn:\xff", "cn:" + strings.Repeat("a", 2049),
	} {
		if name, err := mtls.ParseName(bad); err == nil || !name.IsZero() {
			t.Errorf("%q was read as %v", bad, name)
		}
	}
}

func TestNameOfHost(t *testing.T) {
	for hostPort, want := range map[string]string{"db.example.org:1": "dns:db.example.org", "[::1]:1": "ip:::1", "127.0.0.1:1": "ip:127.0.0.1"} {
		if name, err := mtls.NameOfHost(hostPort); err != nil || name.String() != want {
			t.Errorf("%s: got %v, %v, want %s", hostPort, name, err, want)
		}
	}
	for _, bad := range []string{"db.example.org", ":1", "spiffe://x:1"} {
		if name, err := mtls.NameOfHost(bad); err == nil {
			t.Errorf("%q gives %v", bad, name)
		}
	}
}

// TestAmbiguousNames: what a certificate says twice, where there has to be one, it does not say.
func TestAmbiguousNames(t *testing.T) {
	ca := newAuthority(t, "ours")
	cn := asn1.ObjectIdentifier{2, 5, 4, 3}
	for name, row := range map[string]struct {
		names  []string
		change func(*x509.Certificate)
		want   string
	}{
		"two SPIFFE IDs": {[]string{"uri:spiffe://example.org/a", "uri:spiffe://example.org/b", "dns:x"}, nil, "dns:x"},
		"two other URIs": {[]string{"uri:https://example.org/a", "uri:https://example.org/b"}, nil, "uri:https://example.org/a uri:https://example.org/b"},
		"two common names": {[]string{"dns:x"}, func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: cn, Value: "a"}, {Type: cn, Value: "b"}}
		}, "dns:x"},
		"a wildcard":         {[]string{"dns:*.example.org", "dns:x"}, nil, "dns:x"},
		"a URI without host": {[]string{"uri:urn:x", "cn:a"}, nil, "cn:a"},
	} {
		var got []string
		for _, n := range ca.issue(row.names, row.change).Names() {
			got = append(got, n.String())
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: got %v, want %s", name, got, row.want)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"db.example.org", "ip:::ffff:1.2.3.4", "spiffe://example.org/a", "uri:HTTP://Example.org/%7e", "cn:a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := mtls.ParseName(s)
		if err != nil {
			return
		}
		if again, err := mtls.ParseName(name.String()); err != nil || again != name {
			t.Errorf("%q gives %q, read back as %v, %v", s, name, again, err)
		}
	})
}

func FuzzParseRevocationLists(f *testing.F) {
	ca := newAuthority(f, "ours")
	f.Add(ca.list(1, ca.issue(nil, nil)).Raw)
	f.Add(pemOf("X509 CRL", ca.list(2).Raw))
	f.Fuzz(func(t *testing.T, b []byte) {
		lists, err := mtls.ParseRevocationLists(b)
		if err != nil && len(lists) > 0 {
			t.Error("lists, and an error")
		}
		for _, list := range lists {
			if list.NextUpdate.IsZero() {
				t.Error("a list without an end")
			}
		}
	})
}

func FuzzParseKeyList(f *testing.F) {
	f.Add("# retired\n\n" + strings.Repeat("a", 52) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		keys, err := mtls.ParseKeyList([]byte(s))
		for _, key := range keys {
			if err != nil || !strings.Contains(s, key.String()) {
				t.Errorf("%q gives %v, %v", s, keys, err)
			}
		}
	})
}
