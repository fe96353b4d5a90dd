// Package evil is a delivery service whose operator lies: the real server on its real store, and between it and every
// client a layer that by script changes, forges, drops, holds back, reorders and repeats what passes, for each victim
// apart. The operator has the database too: it can restore an old one, write in it, and run two servers from one.
//
// Begin with Start and Service.Victim, which is a client.Transport. All of it runs in a synctest bubble: connections are
// pipes. Only tests import it; it is apart from package testkit because that one is compiled for browsers as well.
package evil

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Service is the evil operator's. Its methods are called from the test's goroutine only.
type Service struct {
	t       testing.TB
	id      [32]byte
	config  server.Config
	main    *house
	victims []*Victim
	ahead   atomic.Int64 // of the server's clock, in ns
}

// Turn puts the server's clock forward.
func (s *Service) Turn(by time.Duration) { s.ahead.Add(int64(by)) }

// Start runs a service, where anybody may register, until the test ends.
func Start(t testing.TB) *Service { return StartWith(t, wire.RegistrationMode_REGISTRATION_MODE_OPEN) }

// StartWith is Start with another rule of who may register.
func StartWith(t testing.TB, mode wire.RegistrationMode) *Service {
	t.Helper()
	s := &Service{t: t}
	if _, err := rand.Read(s.id[:]); err != nil {
		t.Fatal(err)
	}
	s.config = server.Config{Registration: mode, ID: s.id, Rand: rand.Reader,
		Now: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }}
	s.main = s.open(t.TempDir())
	return s
}

// Server is the real server, which is another one after Operate, Restore and Split.
func (s *Service) Server() *server.Server { return s.main.server }

// house is a real server at work.
type house struct {
	dir    string
	server *server.Server
	door   *door
	close  func()
}

// open starts a server on a directory, and gives the clients a new door.
func (s *Service) open(dir string) *house {
	s.t.Helper()
	store, err := sqlite.Open(dir, sqlite.Config{Rand: rand.Reader})
	if err != nil {
		s.t.Fatal(err)
	}
	config := s.config
	config.Store = store
	h := &house{dir: dir, door: newDoor()}
	if h.server, err = server.New(context.Background(), config); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.server.Run(ctx, server.Ports{HTTP: h.door}) }()
	h.close = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the real server: %v", err)
		}
		if err := store.Close(); err != nil {
			s.t.Errorf("the real server's store: %v", err)
		}
	})
	s.t.Cleanup(func() { h.close() })
	return h
}

// Backup is a copy of the operator's database.
type Backup struct{ dir string }

// Backup copies the database. Connections are cut for it.
func (s *Service) Backup() Backup {
	s.t.Helper()
	s.main.close()
	b := Backup{s.copy(s.main.dir)}
	s.reopen(s.main.dir)
	return b
}

// Restore goes on from a backup, as if nothing had happened since.
func (s *Service) Restore(b Backup) {
	s.t.Helper()
	s.main.close()
	s.reopen(s.copy(b.dir))
}

// Operate writes in the database what the server itself never would.
func (s *Service) Operate(query string, args ...any) {
	s.t.Helper()
	s.main.close()
	conn, err := zombiezen.OpenConn(filepath.Join(s.main.dir, "snug.db"), zombiezen.OpenReadWrite)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{Args: args}); err != nil {
		s.t.Fatalf("the operator's %q: %v", query, err)
	}
	if conn.Changes() == 0 {
		s.t.Fatalf("the operator's %q changed nothing", query)
	}
	if err := conn.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.reopen(s.main.dir)
}

// Split runs a second server on a copy of the database and leads some victims to it: two halves, each with an honest
// server, that know nothing of each other.
func (s *Service) Split(half ...*Victim) {
	s.t.Helper()
	s.main.close()
	other := s.open(s.copy(s.main.dir))
	s.reopen(s.main.dir)
	for _, v := range half {
		v.move(other)
	}
}

// Join leads everybody to the first server again.
func (s *Service) Join() {
	for _, v := range s.victims {
		v.move(s.main)
	}
}

// Cut ends all connections. They come again.
func (s *Service) Cut() {
	for _, v := range s.victims {
		v.Cut()
	}
}

// reopen goes on with the main server from a directory.
func (s *Service) reopen(dir string) {
	s.t.Helper()
	was := s.main
	s.main = s.open(dir)
	for _, v := range s.victims {
		if v.at(was) {
			v.move(s.main)
		}
	}
}

func (s *Service) copy(dir string) string {
	s.t.Helper()
	to := filepath.Join(s.t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		s.t.Fatal(err)
	}
	return to
}

// door is the listener of a server whose clients are in the same process.
type door struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newDoor() *door { return &door{conns: make(chan net.Conn), done: make(chan struct{})} }

// knock gives the client's end of a new connection.
func (d *door) knock(ctx context.Context) (net.Conn, error) {
	inside, outside := net.Pipe()
	select {
	case d.conns <- local{inside}:
		return outside, nil
	case <-d.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept is net.Listener's.
func (d *door) Accept() (net.Conn, error) {
	select {
	case conn := <-d.conns:
		return conn, nil
	case <-d.done:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (d *door) Close() error {
	d.once.Do(func() { close(d.done) })
	return nil
}

// Addr is net.Listener's.
func (d *door) Addr() net.Addr { return loopback }

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

// local is a pipe that says that it comes from this machine.
type local struct{ net.Conn }

// RemoteAddr is net.Conn's.
func (local) RemoteAddr() net.Addr { return loopback }
