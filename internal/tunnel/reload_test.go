package tunnel_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"snug/internal/tunnel"
)

// healthy reports whether health is served at an address.
func healthy(addr string) bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + addr + "/healthz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return err == nil && string(text) == "ok\n"
}

// TestReloadMetrics: metrics move with the configuration, from none to a place and back, and where their new place is
// taken all stays as it was.
func TestReloadMetrics(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	target := backend(t, echo)
	lines := []string{"to " + target, "tls accept", "allow " + near.rule()}
	main := far.route(t, "main", append(lines, "listen 127.0.0.1:0")...)
	taken := backend(t, func(conn *net.TCPConn) { conn.Close() })
	const one, two = "127.0.0.1:0", "localhost:0"
	end := startWith(t, &tunnel.Config{Routes: []tunnel.Route{main}}, nil)
	at, there := end.addr(), "" // where they are now
	for _, row := range []struct {
		name, metrics string
		works, moves  bool
	}{
		{"from none to one", one, true, true},
		{"the same again", one, true, false},
		{"to another", two, true, true},
		{"to one that is taken", taken, false, false},
		{"to one that is not this machine's", "192.0.2.1:9120", false, false},
		{"to none", "", true, true},
		{"from none to one that is taken", taken, false, false},
		{"back", one, true, true},
	} {
		routes := []tunnel.Route{main}
		if !row.works { // what else is new must not be there then
			routes = append(routes, far.route(t, "added", append(lines, "listen 127.0.0.1:0")...))
		}
		err := end.Reload(t.Context(), &tunnel.Config{Routes: routes, Metrics: row.metrics})
		if (err == nil) != row.works {
			t.Errorf("%s: got %v, want it to work: %t", row.name, err, row.works)
		}
		before := there
		there = end.Metrics()
		if moved := there != before; moved != row.moves || row.works && (there == "") != (row.metrics == "") {
			t.Errorf("%s: metrics were at %q and are at %q; want them to move: %t", row.name, before, there, row.moves)
		}
		if there != "" && !healthy(there) {
			t.Errorf("%s: nothing answers at %s", row.name, there)
		}
		if row.moves && before != "" && healthy(before) {
			t.Errorf("%s: %s still answers", row.name, before)
		}
		if addrs := end.Addrs(); len(addrs) != 1 || addrs["main"] != at {
			t.Errorf("%s: routes at %v, want main at %s alone", row.name, addrs, at)
		}
	}
}
