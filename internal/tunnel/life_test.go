package tunnel_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// opened gives a connection that has had an answer: its stream is there on both ends.
func opened(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn := dial(t, addr)
	answers(t, conn)
	return conn
}

// answers sees that an echo still comes back.
func answers(t testing.TB, conn net.Conn) {
	t.Helper()
	io.WriteString(conn, "x")
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Errorf("no answer: %v", err)
	}
}

// broken sees that a connection is reset.
func broken(t testing.TB, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %d bytes, %v; want a reset", n, err)
	}
}

// TestDeadlines ends a stream on which nothing goes, and one that goes on for ever, by a clock of the test's.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()) }
	far, near := newHome(t), newHome(t)
	config := &tunnel.Config{Routes: []tunnel.Route{
		far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule(), "idle 10m", "total 1h"),
	}}
	farEnd := startWith(t, config, clock)
	nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule()))
	busy, quiet := opened(t, nearEnd.addr()), opened(t, nearEnd.addr())
	pass := func(d time.Duration) {
		now.Add(int64(d))
		farEnd.Sweep()
	}
	pass(9 * time.Minute)
	answers(t, busy)
	answers(t, quiet)
	pass(9 * time.Minute)
	answers(t, busy)
	pass(9 * time.Minute)
	broken(t, quiet) // after 18 minutes; the limit is 10
	for range 3 {
		answers(t, busy)
		pass(9 * time.Minute)
	}
	answers(t, busy) // 54 minutes old
	pass(9 * time.Minute)
	broken(t, busy) // after 63 minutes; the limit is 60
	until(t, "two streams are counted as broken", func() bool { return farEnd.row("main").Broken == 2 })
}

// enters reports whether one home gets in at another's address. Where that one has gone somebody else may listen meanwhile.
func enters(t *testing.T, who, far *home, addr string) bool {
	conn, err := mtls.Dial(t.Context(), "tcp", addr, &mtls.ClientOptions{Identity: who.id, Trust: mtls.Pin(far.id.Fingerprint())})
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// TestReload: other rules and targets hold for the next streams, streams that there are go on, and whom the new rules do
// not name is cut.
func TestReload(t *testing.T) {
	t.Parallel()
	far, bob, carol := newHome(t), newHome(t), newHome(t)
	lines := []string{"listen 127.0.0.1:0", "to " + backend(t, echo), "tls accept", "allow " + bob.rule()}
	farEnd := start(t, far.route(t, "main", append(lines, "allow "+carol.rule())...))
	ends := make(map[string]*running)
	for name, h := range map[string]*home{"bob": bob, "carol": carol} {
		ends[name] = start(t, h.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule()))
	}
	bobs, carols := opened(t, ends["bob"].addr()), opened(t, ends["carol"].addr())
	addr := farEnd.addr()

	bad := far.route(t, "main", append(lines, "key "+far.path("none.pem"))...)
	if err := farEnd.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{bad}}); err == nil {
		t.Error("a file that is not there: no error")
	}
	answers(t, bobs)
	answers(t, carols)

	shouting := backend(t, func(conn *net.TCPConn) {
		b, _ := io.ReadAll(conn)
		conn.Write(bytes.ToUpper(b))
		conn.Close()
	})
	other := append([]string{}, lines...)
	other[1] = "to " + shouting
	if err := farEnd.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{far.route(t, "main", other...)}, Drain: time.Second}); err != nil {
		t.Fatal(err)
	}
	if farEnd.addr() != addr {
		t.Errorf("listens on %s, want %s still", farEnd.addr(), addr)
	}
	answers(t, bobs)
	broken(t, carols)
	refused(t, "whom no rule names any more", ends["carol"].addr())
	if got, err := askAt(ends["bob"].addr(), "louder"); err != nil || got != "LOUDER" {
		t.Errorf("the new target: got %q, %v", got, err)
	}

	// A route that is gone lets nobody in, and its streams go on.
	elsewhere := append([]string{}, lines...)
	if err := farEnd.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{far.route(t, "other", elsewhere...)}, Drain: time.Second}); err != nil {
		t.Fatal(err)
	}
	answers(t, bobs)
	if enters(t, bob, far, addr) {
		t.Error("the route that is gone lets somebody in")
	}
}

// TestDrain: a tunnel that is stopped lets nobody in, and its streams end by themselves; after the deadline it cuts them.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, patient := range []bool{true, false} {
		t.Run(fmt.Sprint("patient ", patient), func(t *testing.T) {
			t.Parallel()
			far, near := newHome(t), newHome(t)
			drain := patience
			if !patient {
				drain = time.Second
			}
			farEnd := startWith(t, &tunnel.Config{Drain: drain, Routes: []tunnel.Route{
				far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule()),
			}}, nil)
			nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule()))
			conn := opened(t, nearEnd.addr())
			addr := farEnd.addr()
			farEnd.stop()
			until(t, "nobody is let in", func() bool { return !enters(t, near, far, addr) })
			if !patient {
				broken(t, conn)
			} else if got, err := ask(conn, []byte("last words")); err != nil || string(got) != "last words" {
				t.Errorf("got %q, %v", got, err)
			}
			select {
			case err := <-farEnd.ended:
				if err != nil {
					t.Error(err)
				}
				farEnd.ended <- nil
			case <-time.After(patience):
				t.Error("it does not end")
			}
		})
	}
}

// TestProxyOut: the service hears in front of everything who the peer is.
func TestProxyOut(t *testing.T) {
	t.Parallel()
	service, got := listens(t)
	p := newPair(t, service, "proxy-to v2")
	conn := p.dial(t)
	io.WriteString(conn, "hello")
	conn.CloseWrite()
	h := <-got
	print := p.nearHome.id.Fingerprint().String()
	if h.source != "127.0.0.1" || h.rest != "hello" || h.tlvs[0xe0] != print || h.tlvs[0xe1] != "key:"+print || h.tlvs[1] != tunnel.Protocol {
		t.Errorf("got %+v", h)
	}
	if want := "0700000000" + "210007" + hex.EncodeToString([]byte("TLSv1.3")); hex.EncodeToString([]byte(h.tlvs[0x20])) != want {
		t.Errorf("of TLS: got %x, want %s", h.tlvs[0x20], want)
	}
}

// TestProxyIn: a balancer says for whom it comes, and nobody else gets to say that.
func TestProxyIn(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	source := make(chan string, 1)
	service := backend(t, func(conn *net.TCPConn) {
		from, _, _, _ := tunnel.ReadProxy(conn)
		source <- from.String()
		conn.Close()
	})
	header, _ := hex.DecodeString(proxySignature + "2111000c" + "c0000201" + "c6336407" + "1234" + "01bb")
	for _, row := range []struct {
		name, from string
		header     []byte
		in         bool
	}{
		{"a balancer", "127.0.0.0/8", header, true},
		{"a balancer without a header", "127.0.0.0/8", []byte("hello, is anybody there?"), false},
		{"somebody else", "192.0.2.0/24", header, false},
	} {
		farEnd := start(t, far.route(t, "main", "listen 127.0.0.1:0", "to "+service, "tls accept", "allow "+near.rule(), "proxy-from "+row.from, "proxy-to v2"))
		// The balancer of the test puts the header in front.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serveOn(t, l, func(front net.Conn) {
			back := dial(t, farEnd.addr())
			back.Write(row.header)
			go func() { io.Copy(back, front); back.Close() }()
			io.Copy(front, back)
			front.Close()
		})
		nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+l.Addr().String(), "tls connect", "allow "+far.rule()))
		if !row.in {
			refused(t, row.name, nearEnd.addr())
			until(t, "the refusal is counted", func() bool { return farEnd.Snapshot().Handshakes["main"]["proxy"] == 1 })
			continue
		}
		askAt(nearEnd.addr(), "hello")
		if got := <-source; got != "192.0.2.1:4660" {
			t.Errorf("%s: the service hears of %s", row.name, got)
		}
	}
}

// TestFrom: a plain place for others than this machine lets in who comes from where it was said.
func TestFrom(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	farEnd := start(t, far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule()))
	for prefix, in := range map[string]bool{"127.0.0.0/8": true, "192.0.2.0/24": false} {
		end := start(t, near.route(t, "main", "listen 0.0.0.0:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule(), "from "+prefix))
		_, port, _ := net.SplitHostPort(end.addr())
		if got, err := askAt("127.0.0.1:"+port, "hello"); (err == nil && got == "hello") != in {
			t.Errorf("from %s: got %q, %v; want in %t", prefix, got, err, in)
		}
	}
}

// TestMetrics: what was carried is counted under the rule that let it in, and only this machine's programs may ask.
func TestMetrics(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	farEnd := startWith(t, &tunnel.Config{Metrics: "127.0.0.1:0", Routes: []tunnel.Route{
		far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+near.rule(), "revoked "+far.write(t, "revoked", "")),
	}}, nil)
	nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule()))
	if _, err := askAt(nearEnd.addr(), strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	until(t, "its carrier waits for another stream", func() bool { return nearEnd.Idle("main") == 1 })
	opened(t, nearEnd.addr())
	until(t, "the first stream has ended, and all is counted", func() bool {
		row := farEnd.row("main")
		return row.Ended == 1 && row.Sent == 5001 && row.Received == 5001
	})
	for range 2 {
		stranger := newHome(t)
		end := start(t, stranger.route(t, "main", "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule()))
		refused(t, "a stranger", end.addr())
		got := end.Snapshot()
		if row := end.row("main"); row.Handshakes["refused"] != 1 || got.Handshakes["main"]["refused"] != 1 || len(got.Strangers["main"]) != 0 {
			t.Errorf("whom the far end has refused counts %v for its rule, and %v of strangers", row.Handshakes, got.Strangers)
		}
	}
	until(t, "both strangers are counted", func() bool { return farEnd.Snapshot().Strangers["main"]["key"] == 2 })
	get := func(path, name, value string) (int, string) {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+farEnd.Metrics()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name == "Host" {
			request.Host = value
		} else if name != "" {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	status, text := get("/metrics", "", "")
	peer := `{peer="` + near.rule() + `",route="main"}`
	for _, want := range []string{
		"snug_tunnel_streams" + peer + " 1\n",
		`snug_tunnel_streams_total{peer="` + near.rule() + `",result="ended",route="main"} 1`,
		`snug_tunnel_bytes_total{direction="received",peer="` + near.rule() + `",route="main"} 5001`,
		`snug_tunnel_bytes_total{direction="sent",peer="` + near.rule() + `",route="main"} 5001`,
		`snug_tunnel_handshakes_total{peer="` + near.rule() + `",result="ok",route="main"} 1` + "\n",
		`snug_tunnel_handshakes_total{peer="",result="key",route="main"} 2` + "\n",
		`snug_tunnel_certificate_expiry_days{of="own",peer="",route="main"}`,
		`snug_tunnel_certificate_expiry_days{of="peer",peer="` + near.rule() + `",route="main"}`,
		"snug_tunnel_healthy 1\n",
	} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, text)
		}
	}
	if got := strings.Count(text, "snug_tunnel_handshakes_total{"); got != 2 {
		t.Errorf("%d series of handshakes, want 2:\n%s", got, text)
	}
	if status, text := get("/healthz", "", ""); status != 200 || text != "ok\n" {
		t.Errorf("health: %d %q", status, text)
	}
	for name, value := range map[string]string{"Origin": "https://example.org", "Host": "rebound.example.org"} {
		if status, _ := get("/top", name, value); status != 403 {
			t.Errorf("with %s %s: status %d, want 403", name, value, status)
		}
	}
	if err := os.Remove(far.path("revoked")); err != nil {
		t.Fatal(err)
	}
	until(t, "health says what is wrong", func() bool {
		status, text := get("/healthz", "", "")
		return status == 503 && strings.Contains(text, "revoked")
	})
}
