package tunnel_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

const patience = tunnel.Patience

// nowhere is where nobody listens: a port that was free may be another test's by now.
const nowhere = "127.0.0.1:1"

// A home is a directory with a key, as that of `snug key show`.
type home struct {
	dir string
	id  *mtls.Identity
}

func newHome(t testing.TB) *home {
	t.Helper()
	h := &home{dir: t.TempDir()}
	var err error
	if h.id, err = mtls.LoadOrGenerate(filepath.Join(h.dir, "socket.pem"), mtls.Generate); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *home) files() tunnel.Files {
	return tunnel.Files{Key: h.path("socket.pem"), Peers: h.path("peers"), Revoked: ""}
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

// rule lets this home in.
func (h *home) rule() string { return "key:" + h.id.Fingerprint().String() }

// write puts a file in the home, whole.
func (h *home) write(t testing.TB, name, text string) string {
	t.Helper()
	path := h.path(name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// route makes a route of lines, "to 127.0.0.1:80" for instance.
func (h *home) route(t testing.TB, name string, lines ...string) tunnel.Route {
	t.Helper()
	var words [][2]string
	for _, line := range lines {
		word, value, _ := strings.Cut(line, " ")
		words = append(words, [2]string{word, value})
	}
	r, err := tunnel.NewRoute(name, h.files(), words)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A running tunnel, and what it logs.
type running struct {
	*tunnel.Tunnel
	stop  context.CancelFunc
	ended chan error
	log   *safeBuffer
}

// start runs routes until the test ends.
func start(t testing.TB, routes ...tunnel.Route) *running {
	t.Helper()
	return startWith(t, &tunnel.Config{Routes: routes, Drain: 2 * time.Second}, nil)
}

func startWith(t testing.TB, c *tunnel.Config, now func() time.Time) *running {
	t.Helper()
	r, err := tryStart(t, c, tunnel.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryStart(t testing.TB, c *tunnel.Config, o tunnel.Options) (*running, error) {
	r := &running{ended: make(chan error, 1), log: new(safeBuffer)}
	o.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if r.Tunnel, err = tunnel.New(t.Context(), c, o); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case <-r.ended:
		case <-time.After(patience):
			stacks := make([]byte, 1<<20)
			t.Errorf("the tunnel does not end\n%s", stacks[:runtime.Stack(stacks, true)])
		}
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	return r, nil
}

// startHeld runs routes for which no time goes by: only the test sweeps.
func startHeld(t testing.TB, now func() time.Time, routes ...tunnel.Route) *running {
	t.Helper()
	r := &running{log: new(safeBuffer)}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if r.Tunnel, err = tunnel.New(t.Context(), &tunnel.Config{Routes: routes}, tunnel.Options{Log: log, Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		over, stop := context.WithCancel(context.Background())
		stop()
		if err := r.Run(over); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	return r
}

// promised sweeps as often as it happens at least within the two seconds in which who is out has to be out. What is cut
// afterwards is cut by that.
func (r *running) promised(t testing.TB) {
	t.Helper()
	const sweeps = 3
	if took := sweeps * tunnel.SweepEvery; took > time.Second {
		t.Errorf("%d sweeps take %v, want one second at most of the two", sweeps, took)
	}
	for range sweeps {
		r.Sweep()
	}
}

// addr gives the place of the route that is called main.
func (r *running) addr() string { return r.Addrs()["main"] }

// row gives what is counted for the only rule of a route.
func (r *running) row(route string) tunnel.Row {
	for _, row := range r.Snapshot().Rows {
		if row.Route == route {
			return row
		}
	}
	return tunnel.Row{}
}

// until waits for something that another goroutine is about to make true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to pass that %s", what)
		}
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// backend runs a service on loopback, a goroutine for each connection.
func backend(t testing.TB, serve func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, func(conn net.Conn) { serve(conn.(*net.TCPConn)) })
	return l.Addr().String()
}

func serveOn(t testing.TB, l net.Listener, serve func(net.Conn)) {
	var conns sync.Map
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, true)
			running.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		running.Wait()
	})
}

// echo sends back what comes, and ends when that has ended.
func echo(conn *net.TCPConn) {
	io.Copy(conn, conn)
	conn.CloseWrite()
}

// pair is a tunnel from the address that it gives to a backend, both ends in this process.
type pair struct {
	near, far         *running
	nearHome, farHome *home
}

func newPair(t testing.TB, target string, lines ...string) *pair {
	t.Helper()
	p := &pair{nearHome: newHome(t), farHome: newHome(t)}
	p.far = start(t, p.farHome.route(t, "main", append([]string{"listen 127.0.0.1:0", "to " + target, "tls accept", "allow " + p.nearHome.rule()}, lines...)...))
	p.near = start(t, p.nearHome.route(t, "main", "listen 127.0.0.1:0", "to "+p.far.addr(), "tls connect", "allow "+p.farHome.rule()))
	return p
}

// dial connects to the near end.
func (p *pair) dial(t testing.TB) *net.TCPConn { return dial(t, p.near.addr()) }

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

// ask says something, ends its direction, and gives all that is answered.
func ask(conn *net.TCPConn, question []byte) ([]byte, error) {
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Write(question)
		failed <- errors.Join(err, conn.CloseWrite())
	}()
	answer, err := io.ReadAll(conn)
	return answer, errors.Join(err, <-failed)
}

// askAt is ask on a new connection. One that is refused may be reset before it is made.
func askAt(addr, question string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	answer, err := ask(conn.(*net.TCPConn), []byte(question))
	return string(answer), err
}

// refused sees that a connection is reset instead of being answered.
func refused(t testing.TB, who, addr string) {
	t.Helper()
	if got, err := askAt(addr, "let me in"); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%s: got %q, %v; want a reset", who, got, err)
	}
}

// TestStreams carries streams of many sizes one after another, and sees that they share a connection.
func TestStreams(t *testing.T) {
	p := newPair(t, backend(t, echo))
	sizes := []int{0, 1, 3, 4, 16 << 10, 16<<10 + 1, 128<<10 - 4, 128 << 10, 1 << 20, 5<<20 + 7}
	for _, size := range sizes {
		question := make([]byte, size)
		rand.Read(question)
		answer, err := ask(p.dial(t), question)
		if err != nil || !bytes.Equal(answer, question) {
			t.Fatalf("%d bytes: got %d back, %v", size, len(answer), err)
		}
		until(t, "the stream ends, and its carrier waits for another", func() bool {
			return p.near.Idle("main") == 1 && p.far.row("main").Streams == 0
		})
	}
	if got := p.far.Snapshot().Handshakes["main"]["ok"]; got != 1 {
		t.Errorf("%d streams took %d handshakes, want 1", len(sizes), got)
	}
	if got := p.far.row("main"); got.Ended != int64(len(sizes)) || got.Broken != 0 {
		t.Errorf("the far end counts %+v, want %d streams", got, len(sizes))
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
