package tunnel_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"snug/internal/tunnel"
)

const someKey = "key:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaq"

// manual gives the example in docs/tunnel.md, which has to be one that works.
func manual(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "tunnel.md"))
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```routes\n(.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatal("docs/tunnel.md has no example of routes")
	}
	return string(example[1])
}

// TestParseConfig reads the manual's example, and sees what it says in it.
func TestParseConfig(t *testing.T) {
	c, err := tunnel.ParseConfig(manual(t), "/etc/snug", tunnel.Files{Key: "/home/socket.pem", Peers: "/home/peers"}, tunnel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Routes) != 3 || c.Metrics != "127.0.0.1:9120" || c.Drain != time.Minute {
		t.Fatalf("got %d routes, metrics %q, drain %v", len(c.Routes), c.Metrics, c.Drain)
	}
	postgres, web, mail := c.Routes[0], c.Routes[1], c.Routes[2]
	if postgres.Name != "postgres" || !postgres.Accept || postgres.Listen.String() != ":5433" || postgres.To.String() != "127.0.0.1:5432" ||
		len(postgres.Allow) != 2 || postgres.Streams != 200 || postgres.Idle != 10*time.Minute || postgres.Files.Revoked != "/etc/snug/revoked" {
		t.Errorf("postgres is %+v", postgres)
	}
	if !web.ProxyTo || len(web.ProxyFrom) != 1 || web.ProxyFrom[0] != netip.MustParsePrefix("10.0.0.0/28") || web.Listen.Network != "fd" || web.To.String() != "unix:/run/web.sock" ||
		web.Files.Authority != "/etc/snug/ca.pem" || web.Files.Certificate != "/etc/snug/web.crt" {
		t.Errorf("web is %+v", web)
	}
	if mail.Accept || mail.Listen.String() != "127.0.0.1:1143" || mail.Carriers != 16 || mail.Files.Key != "/home/socket.pem" || mail.Files.Certificate != "" {
		t.Errorf("mail is %+v", mail)
	}
}

// TestParseConfigDefaults: what is said beside the file counts where the file is silent, and nowhere else.
func TestParseConfigDefaults(t *testing.T) {
	beside := tunnel.Config{Metrics: "127.0.0.1:1", Drain: 7 * time.Second}
	route := "route a\nlisten 127.0.0.1:1\nto 127.0.0.1:2\ntls accept\nallow " + someKey
	for _, row := range []struct {
		name, text, metrics string
		drain               time.Duration
	}{
		{"the file is silent", route, "127.0.0.1:1", 7 * time.Second},
		{"the file says it", "metrics 127.0.0.1:2\ndrain 0\n" + route, "127.0.0.1:2", 0},
	} {
		c, err := tunnel.ParseConfig(row.text, "/", tunnel.Files{Key: "/k"}, beside)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		} else if c.Metrics != row.metrics || c.Drain != row.drain {
			t.Errorf("%s: got metrics %q, drain %v; want %q, %v", row.name, c.Metrics, c.Drain, row.metrics, row.drain)
		}
	}
}

// TestParseConfigRefuses: what is wrong is refused whole, with its line.
func TestParseConfigRefuses(t *testing.T) {
	good := []string{"route a", "listen 127.0.0.1:1", "to 127.0.0.1:2", "tls accept", "allow " + someKey}
	with := func(more ...string) string { return strings.Join(append(good[:len(good):len(good)], more...), "\n") }
	without := func(word string) string {
		return strings.Join(slicesWithout(good, word), "\n")
	}
	for _, row := range []struct {
		name, text string
		line       int
		words      string
	}{
		{"nothing", "", 0, "no route"},
		{"nobody may enter", without("allow"), 1, "who may be at the other end"},
		{"no place", without("listen"), 1, "where does it listen"},
		{"no target", without("to"), 1, "where does it lead"},
		{"no side", without("tls"), 1, "on which side"},
		{"an unknown word", with("lissten :1"), 6, "there is no"},
		{"a word twice", with("to 127.0.0.1:3"), 6, "a second time"},
		{"a word with nothing", with("idle"), 6, "nothing behind it"},
		{"a line before the route", "idle 10m\n" + with(), 1, "belongs to a route"},
		{"metrics within a route", with("metrics 127.0.0.1:1"), 6, "there is no"},
		{"metrics for everybody", "metrics 0.0.0.0:9120\n" + with(), 0, "this machine only"},
		{"the same route twice", with(good...), 6, "two routes are called"},
		{"two in one place", with("route b", good[1], good[2], good[3], good[4]), 0, "two routes listen on"},
		{"a bad name", "route ../x\n", 1, "no name for a route"},
		{"just anybody", with("allow *"), 6, "is no rule"},
		{"half a fingerprint", with("allow key:aaaa"), 6, "no fingerprint"},
		{"a pattern", with("allow dns:*.example.org"), 6, "is no name"},
		{"a name of nobody's authority", with("allow cn:web"), 1, "authority FILE"},
		{"a list of nobody's authority", with("list x.crl"), 1, "authority FILE"},
		{"an address without a port", with("within 10.0.0.0/8", "proxy-to v2", "allow spiffe:x"), 8, "is no name"},
		{"PROXY version 1", with("proxy-to v1"), 6, "only v2"},
		{"a prefix with more", with("within 10.0.0.1/8"), 6, "10.0.0.0/8 is meant"},
		{"IPv4 as IPv6", with("within ::ffff:10.0.0.0/104"), 6, "written as such"},
		{"an address of IPv4 as IPv6", with("proxy-from ::ffff:10.0.0.1"), 6, "written as such"},
		{"a negative number", with("streams -1"), 6, "is no number"},
		{"no streams", with("streams 0"), 6, "is no number"},
		{"a time without a unit", with("idle 10"), 6, "is no time"},
		{"a time too short", with("idle 10ms"), 6, "is no time"},
		{"a relative socket", "route a\nlisten unix:x.sock", 2, "absolute path"},
		{"a passed socket as target", "route a\nlisten 127.0.0.1:1\nto fd:x\ntls accept\nallow " + someKey, 1, "listening only"},
		{"an open door", "route a\nlisten :1\nto h:2\ntls connect\nallow " + someKey, 1, "anybody who reaches"},
		{"from with accept", with("from 10.0.0.0/8"), 1, "the rules say who may enter"},
		{"what does not print", with("key a\x00b"), 6, "does not print"},
		{"too much", strings.Repeat("#", 2<<20), 0, "at most"},
	} {
		c, err := tunnel.ParseConfig(row.text, "/", tunnel.Files{Key: "/k"}, tunnel.Config{})
		var at *tunnel.ParseError
		line := 0
		if errors.As(err, &at) {
			line = at.Line
		}
		if err == nil || c != nil || line != row.line || !strings.Contains(err.Error(), row.words) {
			t.Errorf("%s: got %v, want line %d and %q", row.name, err, row.line, row.words)
		}
	}
}

func slicesWithout(lines []string, word string) (rest []string) {
	for _, line := range lines {
		if !strings.HasPrefix(line, word+" ") {
			rest = append(rest, line)
		}
	}
	return rest
}

// FuzzParseConfig: no text makes it panic, and none makes a route without a rule.
func FuzzParseConfig(f *testing.F) {
	f.Add(manual(f))
	f.Add("route a\nlisten 127.0.0.1:1\nto x:2\ntls connect\nallow " + someKey + "\nfrom 10.0.0.0/8")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := tunnel.ParseConfig(text, "/", tunnel.Files{Key: "/k"}, tunnel.Config{})
		if err != nil {
			return
		}
		for _, r := range c.Routes {
			if len(r.Allow) == 0 || r.Listen.Network == "" || r.To.Network == "" || !r.Accept && len(r.From) == 0 && strings.HasPrefix(r.Listen.String(), "0.0.0.0") {
				t.Errorf("got the route %+v", r)
			}
		}
	})
}

// TestTargets: a target's name may not lead to what its owner alone decides: this machine, the cloud's metadata, others'
// networks. An address that the route itself names was meant.
func TestTargets(t *testing.T) {
	for _, row := range []struct {
		name, to, within, address string
		refused                   bool
	}{
		{"a public address", "db.example.org:5432", "", "203.0.113.9", false},
		{"a private one", "db.example.org:5432", "", "10.1.2.3", false},
		{"link-local", "db.example.org:5432", "", "169.254.169.254", true},
		{"link-local in IPv6", "db.example.org:5432", "", "fe80::1", true},
		{"link-local as IPv6", "db.example.org:5432", "", "::ffff:169.254.169.254", true},
		{"metadata in IPv6", "db.example.org:5432", "", "fd00:ec2::254", true},
		{"metadata elsewhere", "db.example.org:5432", "", "100.100.100.200", true},
		{"metadata of a third", "db.example.org:5432", "", "168.63.129.16", true},
		{"metadata of a fourth", "db.example.org:5432", "", "fd20:ce::254", true},
		{"metadata of a fifth", "db.example.org:5432", "", "fd00:42::42", true},
		{"a private one in IPv6", "db.example.org:5432", "", "fd12:3456::1", false},
		{"loopback", "db.example.org:5432", "", "127.0.0.1", true},
		{"loopback in IPv6", "db.example.org:5432", "", "::1", true},
		{"loopback as IPv6", "db.example.org:5432", "", "::ffff:127.0.0.1", true},
		{"loopback by translation", "db.example.org:5432", "", "64:ff9b::7f00:1", true},
		{"loopback by a network's own translation", "db.example.org:5432", "", "64:ff9b:1::7f00:1", true},
		{"loopback as IPv6 of old", "db.example.org:5432", "", "::127.0.0.1", true},
		{"metadata by 6to4", "db.example.org:5432", "", "2002:a9fe:a9fe::1", true},
		{"metadata by Teredo", "db.example.org:5432", "", "2001:0:a9fe:a9fe::1", true},
		{"nothing", "db.example.org:5432", "", "0.0.0.0", true},
		{"nothing in IPv6", "db.example.org:5432", "", "::", true},
		{"multicast", "db.example.org:5432", "", "224.0.0.1", true},
		{"broadcast", "db.example.org:5432", "", "255.255.255.255", true},
		{"localhost itself", "localhost:5432", "", "127.0.0.1", false},
		{"under localhost", "db.localhost:5432", "", "::1", false},
		{"what only ends alike", "notlocalhost:5432", "", "127.0.0.1", true},
		{"a named link-local", "169.254.169.254:80", "", "169.254.169.254", false},
		{"within what was allowed", "db.example.org:5432", "169.254.0.0/16", "169.254.169.254", false},
		{"not within", "db.example.org:5432", "10.0.0.0/8", "203.0.113.9", true},
	} {
		lines := []string{"listen 127.0.0.1:0", "to " + row.to, "tls accept", "allow " + someKey}
		if row.within != "" {
			lines = append(lines, "within "+row.within)
		}
		r := newHome(t).route(t, "main", lines...)
		err := tunnel.JudgeTarget(r, netip.MustParseAddr(row.address))
		var refusal *tunnel.TargetError
		if errors.As(err, &refusal) != row.refused {
			t.Errorf("%s: got %v, want refused %t", row.name, err, row.refused)
		}
	}
}

// TestLimiter: what is over the rate is waited for, a second at most at a time.
func TestLimiter(t *testing.T) {
	take := tunnel.NewLimiter(1000)
	now := time.Unix(1_000_000, 0)
	for _, row := range []struct {
		after time.Duration
		n     int
		want  time.Duration
	}{
		{0, 1000, 0},
		{0, 500, 500 * time.Millisecond},
		{500 * time.Millisecond, 0, 0},
		{0, 250, 250 * time.Millisecond},
		{0, 100_000, time.Second},
		{10 * time.Second, 0, time.Second}, // of 100.25 s
		{time.Hour, 1000, 0},               // at most a second's worth is saved up
		{0, 100, 100 * time.Millisecond},
		{-time.Hour, 0, 100 * time.Millisecond},
	} {
		now = now.Add(row.after)
		if got := take(row.n, now); got != row.want {
			t.Errorf("after %v and %d bytes: wait %v, want %v", row.after, row.n, got, row.want)
		}
	}
}
