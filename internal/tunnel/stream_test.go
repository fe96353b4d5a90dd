package tunnel_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// TestHalfClose: each direction ends by itself, and the other one goes on.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"client", "service"} {
		t.Run(first, func(t *testing.T) {
			served := make(chan *net.TCPConn, 1)
			p := newPair(t, backend(t, func(conn *net.TCPConn) { served <- conn }))
			client := p.dial(t)
			service := <-served
			service.SetDeadline(time.Now().Add(patience))
			asks, answers := client, service
			if first == "service" {
				asks, answers = service, client
			}
			io.WriteString(asks, "is that all?")
			asks.CloseWrite()
			if got, err := io.ReadAll(answers); err != nil || string(got) != "is that all?" {
				t.Fatalf("got %q, %v", got, err)
			}
			// In two parts, so that the answer cannot have been on its way before the question's end.
			for _, part := range []string{"not yet, ", "now"} {
				io.WriteString(answers, part)
				b := make([]byte, len(part))
				if _, err := io.ReadFull(asks, b); err != nil || string(b) != part {
					t.Fatalf("got %q, %v; want %q", b, err, part)
				}
			}
			answers.CloseWrite()
			if n, err := asks.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("got %d bytes, %v; want the end", n, err)
			}
		})
	}
}

// TestReset: a connection that breaks on one side breaks on the other, and does not look ended there.
func TestReset(t *testing.T) {
	t.Parallel()
	for _, breaks := range []string{"client", "service"} {
		t.Run(breaks, func(t *testing.T) {
			served := make(chan *net.TCPConn, 1)
			p := newPair(t, backend(t, func(conn *net.TCPConn) { served <- conn }))
			client := p.dial(t)
			io.WriteString(client, "half of ")
			service := <-served
			b := make([]byte, 8)
			if _, err := io.ReadFull(service, b); err != nil {
				t.Fatal(err)
			}
			broken, other := client, service
			if breaks == "service" {
				broken, other = service, client
			}
			broken.SetLinger(0)
			broken.Close()
			other.SetDeadline(time.Now().Add(patience))
			if n, err := other.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %d bytes, %v; want a reset", n, err)
			}
			until(t, "both ends count a stream that broke", func() bool {
				return p.near.row("main").Broken == 1 && p.far.row("main").Broken == 1
			})
			// The next stream is as good as any.
			go func() { echo(<-served) }()
			if got, err := ask(p.dial(t), []byte("again")); err != nil || string(got) != "again" {
				t.Errorf("the next stream: got %q, %v", got, err)
			}
		})
	}
}

// A middle is somebody on the way who can cut it.
type middle struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func between(t testing.TB, behind string) *middle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middle{Listener: l}
	serveOn(t, l, func(front net.Conn) {
		back, err := net.Dial("tcp", behind)
		if err != nil {
			front.Close()
			return
		}
		m.mu.Lock()
		m.conns = append(m.conns, front, back)
		m.mu.Unlock()
		go func() { io.Copy(back, front); back.Close() }()
		io.Copy(front, back)
		front.Close()
	})
	t.Cleanup(m.cut)
	return m
}

// cut ends all connections as anybody on the way can: with ends of file.
func (m *middle) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, conn := range m.conns {
		conn.Close()
	}
}

// TestTruncation: where somebody on the way ends the connections, both sides see streams that broke.
func TestTruncation(t *testing.T) {
	t.Parallel()
	served := make(chan *net.TCPConn, 1)
	far, near := newHome(t), newHome(t)
	farEnd := start(t, far.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, func(c *net.TCPConn) { served <- c }), "tls accept", "allow "+near.rule()))
	way := between(t, farEnd.addr())
	nearEnd := start(t, near.route(t, "main", "listen 127.0.0.1:0", "to "+way.Addr().String(), "tls connect", "allow "+far.rule()))
	client := dial(t, nearEnd.addr())
	service := <-served
	service.SetDeadline(time.Now().Add(patience))
	io.WriteString(client, "all of it")
	io.ReadFull(service, make([]byte, 9))
	way.cut()
	for name, conn := range map[string]net.Conn{"client": client, "service": service} {
		if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %d bytes, %v; want a reset", name, n, err)
		}
	}
}

// TestForeign: with who speaks no carrier it is TLS for one stream, in both roles: sockets of package mtls.
func TestForeign(t *testing.T) {
	t.Parallel()
	t.Run("dialer", func(t *testing.T) {
		home, alice := newHome(t), newHome(t)
		end := start(t, home.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, echo), "tls accept", "allow "+alice.rule()))
		for range 3 {
			conn, err := mtls.Dial(t.Context(), "tcp", end.addr(), &mtls.ClientOptions{Identity: alice.id, Trust: mtls.Pin(home.id.Fingerprint())})
			if err != nil {
				t.Fatal(err)
			}
			question := make([]byte, 300_000)
			rand.Read(question)
			go func() { conn.Write(question); conn.CloseWrite() }()
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, question) {
				t.Errorf("got %d bytes, %v; want %d", len(got), err, len(question))
			}
			conn.Close()
		}
		_, err := mtls.Dial(t.Context(), "tcp", end.addr(), &mtls.ClientOptions{Identity: newHome(t).id, Trust: mtls.Pin(home.id.Fingerprint())})
		var refused *mtls.RefusedError
		if !errors.As(err, &refused) {
			t.Errorf("a stranger: got %v, want a refusal", err)
		}
	})
	t.Run("listener", func(t *testing.T) {
		home, bob := newHome(t), newHome(t)
		l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{Identity: bob.id, Trust: mtls.Pin(home.id.Fingerprint())})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		serveOn(t, l, func(conn net.Conn) { io.Copy(conn, conn); conn.(*mtls.Conn).CloseWrite() })
		end := start(t, home.route(t, "main", "listen 127.0.0.1:0", "to "+l.Addr().String(), "tls connect", "allow "+bob.rule()))
		question := make([]byte, 300_000)
		rand.Read(question)
		if got, err := ask(dial(t, end.addr()), question); err != nil || !bytes.Equal(got, question) {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(question))
		}
	})
	t.Run("a cut dialer", func(t *testing.T) {
		home, alice := newHome(t), newHome(t)
		ends := make(chan error, 1)
		end := start(t, home.route(t, "main", "listen 127.0.0.1:0", "to "+backend(t, func(conn *net.TCPConn) {
			_, err := io.Copy(io.Discard, conn)
			ends <- err
		}), "tls accept", "allow "+alice.rule()))
		conn, err := mtls.Dial(t.Context(), "tcp", end.addr(), &mtls.ClientOptions{Identity: alice.id, Trust: mtls.Pin(home.id.Fingerprint())})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "half of it")
		conn.NetConn().Close()
		if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the service got %v, want a reset", err)
		}
	})
}

// TestUnix leads from one Unix socket over TLS to another.
func TestUnix(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, entry := filepath.Join(dir, "service"), filepath.Join(dir, "entry")
	l, err := net.Listen("unix", target)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, func(conn net.Conn) {
		io.Copy(conn, conn)
		conn.(*net.UnixConn).CloseWrite()
	})
	far, near := newHome(t), newHome(t)
	farEnd := start(t, far.route(t, "main", "listen unix:"+filepath.Join(dir, "tls"), "to unix:"+target, "tls accept", "allow "+near.rule()))
	// One that a dead process has left behind is no obstacle.
	dead, err := net.Listen("unix", entry)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	start(t, near.route(t, "main", "listen unix:"+entry, "to unix:"+farEnd.addr(), "tls connect", "allow "+far.rule()))
	if info, err := os.Stat(entry); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has %v, %v; want 0600", info.Mode(), err)
	}
	conn, err := net.Dial("unix", entry)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "through two sockets")
	conn.(*net.UnixConn).CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "through two sockets" {
		t.Errorf("got %q, %v", got, err)
	}
	// A file that is no socket is not removed, and neither is a socket that is in use.
	file := near.write(t, "file", "precious")
	for _, path := range []string{file, entry} {
		r := near.route(t, "main", "listen unix:"+path, "to 127.0.0.1:1", "tls connect", "allow "+far.rule())
		if _, err := tunnel.New(t.Context(), &tunnel.Config{Routes: []tunnel.Route{r}}, tunnel.Options{Log: discard()}); err == nil {
			t.Errorf("listens on %s", path)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s is gone: %v", path, err)
		}
	}
}

// TestMany carries a thousand streams at a time, and leaves nothing behind.
func TestMany(t *testing.T) {
	streams := 1000
	if testing.Short() {
		streams = 200 // the race detector makes a handshake ten times as dear
	}
	before := runtime.NumGoroutine()
	t.Run("streams", func(t *testing.T) {
		p := newPair(t, backend(t, echo))
		conns := make([]*net.TCPConn, streams)
		var running sync.WaitGroup
		var wrong atomic.Int64
		for i := range conns {
			running.Go(func() {
				conns[i] = p.dial(t)
				if _, err := fmt.Fprintf(conns[i], "%08d", i); err != nil {
					wrong.Add(1)
				}
			})
		}
		running.Wait()
		until(t, "all streams are there at a time", func() bool { return p.far.row("main").Streams == int64(streams) })
		for i, conn := range conns {
			running.Go(func() {
				got, err := ask(conn, bytes.Repeat([]byte{byte(i)}, 1000))
				if want := fmt.Sprintf("%08d", i) + strings.Repeat(string([]byte{byte(i)}), 1000); err != nil || string(got) != want {
					wrong.Add(1)
				}
			})
		}
		running.Wait()
		if n := wrong.Load(); n > 0 {
			t.Errorf("%d of %d streams went wrong", n, streams)
		}
		until(t, "all streams end", func() bool {
			near, far := p.near.row("main"), p.far.row("main")
			return near.Ended == int64(streams) && far.Ended == int64(streams)
		})
		until(t, "idle carriers are no more than they may be", func() bool {
			return p.near.row("main").Connections <= tunnel.DefaultCarriers && p.far.row("main").Connections <= tunnel.DefaultCarriers
		})
	})
	until(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// TestRefusedTarget: where the service is away the client is told so at once, by a reset, and the carrier stays.
func TestRefusedTarget(t *testing.T) {
	t.Parallel()
	p := newPair(t, nowhere)
	for range 3 {
		refused(t, "a client", p.near.addr())
	}
	until(t, "the refusals are counted", func() bool { return p.near.row("main").Refused == 3 && p.far.row("main").Refused == 3 })
	if got := p.far.Snapshot().Handshakes["main"]["ok"]; got != 1 {
		t.Errorf("took %d handshakes, want 1", got)
	}
}
