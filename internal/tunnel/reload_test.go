package tunnel_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
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

// networks are where a route of these tests listens, besides any free port.
var networks = []string{"tcp", "unix"}

// startAt runs routes at n addresses of a network that were free. A port can be taken by another program before it is
// ours: then others are tried.
func startAt(t testing.TB, network string, n int, routes func(at []string) []tunnel.Route) (*running, []string) {
	t.Helper()
	for {
		at := free(t, network, n)
		r, err := tryStart(t, &tunnel.Config{Routes: routes(at), Drain: 2 * time.Second}, tunnel.Options{})
		if err == nil {
			return r, at
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// free gives addresses where nobody listens.
func free(t testing.TB, network string, n int) (at []string) {
	t.Helper()
	if network == "unix" {
		dir, err := os.MkdirTemp("", "snug") // t.TempDir's may be too long for a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		for i := range n {
			at = append(at, "unix:"+filepath.Join(dir, fmt.Sprint(i)))
		}
		return at
	}
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // together, so that no two are the same
		at = append(at, l.Addr().String())
	}
	return at
}

// says runs a service that answers with its name.
func says(t testing.TB, name string) string {
	return backend(t, func(conn *net.TCPConn) {
		io.Copy(io.Discard, conn)
		io.WriteString(conn, name)
		conn.Close()
	})
}

// to runs a connecting end to an address, of the home, with a handshake for each stream.
func (h *home) to(t testing.TB, addr string, far *home) string {
	t.Helper()
	return start(t, h.route(t, "main", "listen 127.0.0.1:0", "to "+addr, "tls connect", "carriers 0", "allow "+far.rule())).addr()
}

// TestReloadRenamed: a route of another name in the same place takes it over. Its rules and its target are for all who
// come from then on; the streams of the old one go on. Where the configuration cannot be used the old one stays.
func TestReloadRenamed(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			far, bob, carol := newHome(t), newHome(t), newHome(t)
			before, after := backend(t, echo), says(t, "after")
			end, at := startAt(t, network, 1, func(at []string) []tunnel.Route {
				return []tunnel.Route{far.route(t, "old", "listen "+at[0], "to "+before, "tls accept", "allow "+bob.rule(), "allow "+carol.rule())}
			})
			toBob, toCarol := bob.to(t, at[0], far), carol.to(t, at[0], far)
			bobs, carols := opened(t, toBob), opened(t, toCarol)

			lines := []string{"listen " + at[0], "to " + after, "tls accept", "allow " + bob.rule()}
			renamed := far.route(t, "new", lines...)
			for name, other := range map[string]tunnel.Route{
				"a key that is not there": far.route(t, "other", append(lines[1:], "listen 127.0.0.1:0", "key "+far.path("none.pem"))...),
				"a place that is taken":   far.route(t, "other", append(lines[1:], "listen "+before)...),
			} {
				if err := end.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{renamed, other}}); err == nil {
					t.Errorf("%s: no error", name)
				}
				if addrs := end.Addrs(); len(addrs) != 1 || addrs["old"] == "" {
					t.Errorf("%s: routes at %v, want the old one alone", name, addrs)
				}
				for who, addr := range map[string]string{"bob": toBob, "carol": toCarol} {
					if got, err := askAt(addr, "hello"); err != nil || got != "hello" {
						t.Errorf("%s: %s got %q, %v; want the old target's answer", name, who, got, err)
					}
				}
			}

			addr := end.Addrs()["old"]
			if err := end.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{renamed}}); err != nil {
				t.Fatal(err)
			}
			if got, want := end.Addrs(), map[string]string{"new": addr}; !maps.Equal(got, want) {
				t.Errorf("routes at %v, want %v", got, want)
			}
			if got, err := askAt(toBob, "hello"); err != nil || got != "after" {
				t.Errorf("got %q, %v; want the new target's answer", got, err)
			}
			refused(t, "whom the new route does not name", toCarol)
			answers(t, bobs)
			answers(t, carols)
			until(t, "the new route counts one handshake and one unknown key", func() bool { // after the far end has heard
				got := end.Snapshot().Handshakes["new"]
				return got["ok"] == 1 && got["key"] == 1
			})
		})
	}
}

// TestReloadBetween: who was accepted by a route and has not shaken hands when another takes its place is judged by that
// one's rules, and led to its target.
func TestReloadBetween(t *testing.T) {
	t.Parallel()
	far, bob, carol := newHome(t), newHome(t), newHome(t)
	before, after := says(t, "before"), says(t, "after")
	end, at := startAt(t, "tcp", 1, func(at []string) []tunnel.Route {
		return []tunnel.Route{far.route(t, "old", "listen "+at[0], "to "+before, "tls accept", "allow "+bob.rule(), "allow "+carol.rule())}
	})
	early := map[*home]net.Conn{bob: dial(t, at[0]), carol: dial(t, at[0])}
	until(t, "both are accepted", func() bool { return end.Held("old") == 2 })
	renamed := far.route(t, "new", "listen "+at[0], "to "+after, "tls accept", "allow "+bob.rule())
	if err := end.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{renamed}}); err != nil {
		t.Fatal(err)
	}
	shake := func(h *home) (*mtls.Conn, error) {
		return mtls.Client(t.Context(), early[h], &mtls.ClientOptions{Identity: h.id, Trust: mtls.Pin(far.id.Fingerprint())})
	}
	if conn, err := shake(carol); err == nil {
		conn.Close()
		t.Error("whom the new route does not name is in")
	}
	conn, err := shake(bob)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Error(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || string(answer) != "after" {
		t.Errorf("got %q, %v; want the new target's answer", answer, err)
	}
}

// TestReloadSwapped: two routes that change places have each other's callers from then on, and their own streams still.
func TestReloadSwapped(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			far, bob, carol := newHome(t), newHome(t), newHome(t)
			echoing := backend(t, echo)
			config := func(bobs, carols string) []tunnel.Route {
				return []tunnel.Route{
					far.route(t, "bobs", "listen "+bobs, "to "+echoing, "tls accept", "allow "+bob.rule()),
					far.route(t, "carols", "listen "+carols, "to "+echoing, "tls accept", "allow "+carol.rule()),
				}
			}
			end, at := startAt(t, network, 2, func(at []string) []tunnel.Route { return config(at[0], at[1]) })
			there := end.Addrs()
			streams := []net.Conn{opened(t, bob.to(t, at[0], far)), opened(t, carol.to(t, at[1], far))}
			refused(t, "carol in bob's place", carol.to(t, at[0], far))
			if err := end.Reload(t.Context(), &tunnel.Config{Routes: config(at[1], at[0])}); err != nil {
				t.Fatal(err)
			}
			if got, want := end.Addrs(), map[string]string{"bobs": there["carols"], "carols": there["bobs"]}; !maps.Equal(got, want) {
				t.Errorf("routes at %v, want %v", got, want)
			}
			for _, conn := range streams {
				answers(t, conn)
			}
			for name, row := range map[string]struct {
				who *home
				at  string
				in  bool
			}{
				"bob where he was": {bob, at[0], false}, "bob where carol was": {bob, at[1], true},
				"carol where she was": {carol, at[1], false}, "carol where bob was": {carol, at[0], true},
			} {
				addr := row.who.to(t, row.at, far)
				if !row.in {
					refused(t, name, addr)
				} else if got, err := askAt(addr, "hello"); err != nil || got != "hello" {
					t.Errorf("%s: got %q, %v", name, got, err)
				}
			}
		})
	}
}

// TestReloadLosesNobody renames the routes of both ends again and again while streams come without a pause, on carriers
// and on connections of their own: each of them has an answer, and after a reload it is the new target's.
func TestReloadLosesNobody(t *testing.T) {
	t.Parallel()
	const reloads, askers = 30, 4
	for _, carriers := range []string{"carriers 0", "carriers 8"} {
		t.Run(carriers, func(t *testing.T) {
			t.Parallel()
			far, near := newHome(t), newHome(t)
			targets := map[string]string{"even": says(t, "even"), "odd": says(t, "odd")}
			farRoutes := func(name, at string) []tunnel.Route {
				return []tunnel.Route{far.route(t, name, "listen "+at, "to "+targets[name], "tls accept", "allow "+near.rule())}
			}
			farEnd, farAt := startAt(t, "tcp", 1, func(at []string) []tunnel.Route { return farRoutes("even", at[0]) })
			nearRoutes := func(name, at string) []tunnel.Route {
				return []tunnel.Route{near.route(t, name, "listen "+at, "to "+farAt[0], "tls connect", carriers, "allow "+far.rule())}
			}
			nearEnd, nearAt := startAt(t, "tcp", 1, func(at []string) []tunnel.Route { return nearRoutes("even", at[0]) })

			var over atomic.Bool
			var asking sync.WaitGroup
			for range askers {
				asking.Go(func() {
					for !over.Load() {
						if got, err := askAt(nearAt[0], "hello"); err != nil || targets[got] == "" {
							t.Errorf("somebody who came meanwhile got %q, %v", got, err)
							return
						}
					}
				})
			}
			for i := range reloads {
				name := []string{"odd", "even"}[i%2]
				if err := farEnd.Reload(t.Context(), &tunnel.Config{Routes: farRoutes(name, farAt[0])}); err != nil {
					t.Fatal(err)
				}
				if got, err := askAt(nearAt[0], "hello"); err != nil || got != name {
					t.Errorf("after a reload of the far end: got %q, %v; want %q", got, err, name)
				}
				if err := nearEnd.Reload(t.Context(), &tunnel.Config{Routes: nearRoutes(name, nearAt[0])}); err != nil {
					t.Fatal(err)
				}
				if got, err := askAt(nearAt[0], "hello"); err != nil || got != name {
					t.Errorf("after a reload of the near end: got %q, %v; want %q", got, err, name)
				}
			}
			over.Store(true)
			asking.Wait()
		})
	}
}

// TestReloadEnding: a tunnel that was told to stop opens nothing any more, whatever it is told to reload.
func TestReloadEnding(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	lines := []string{"listen 127.0.0.1:0", "to " + backend(t, echo), "tls accept", "allow " + near.rule()}
	end := startWith(t, &tunnel.Config{Drain: patience, Routes: []tunnel.Route{far.route(t, "main", lines...)}}, nil)
	conn := opened(t, near.to(t, end.addr(), far))
	addrs := end.Addrs()
	end.stop()
	until(t, "nobody is let in", func() bool { return !enters(t, near, far, addrs["main"]) })
	more := &tunnel.Config{Metrics: "127.0.0.1:0", Routes: []tunnel.Route{far.route(t, "main", lines...), far.route(t, "more", lines...)}}
	if err := end.Reload(t.Context(), more); err == nil {
		t.Error("no error")
	}
	if got := end.Addrs(); !maps.Equal(got, addrs) || end.Metrics() != "" {
		t.Errorf("routes at %v and metrics at %q, want %v and none", got, end.Metrics(), addrs)
	}
	if got, err := ask(conn, []byte("last words")); err != nil || string(got) != "last words" {
		t.Errorf("the stream under way: got %q, %v", got, err)
	}
}
