package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Passed are the listening sockets that systemd has passed to this process (sd_listen_fds), by the names of their units
// and by their numbers from 0 on. Each is there once: who takes it closes it.
type Passed struct {
	sync.Mutex
	byName map[string]*os.File
}

// firstPassed is the descriptor of the first of them.
const firstPassed = 3

// PassedSockets takes them from the environment, and the variables out of it. What is not for this process is left
// alone.
func PassedSockets() *Passed {
	p := &Passed{byName: make(map[string]*os.File)}
	pid, n := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	count, err := strconv.Atoi(n)
	if pid != strconv.Itoa(os.Getpid()) || err != nil || count < 0 || count > maxRoutes {
		return p
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name)
	}
	for i := range count {
		file := os.NewFile(uintptr(firstPassed+i), "socket "+strconv.Itoa(i)+" of systemd")
		p.byName[strconv.Itoa(i)] = file
		if i < len(names) && names[i] != "" && p.byName[names[i]] == nil {
			p.byName[names[i]] = file
		}
	}
	return p
}

// listener gives a passed socket. The descriptor stays, so that a route that goes and comes back finds it again.
func (p *Passed) listener(name string) (net.Listener, error) {
	p.Lock()
	defer p.Unlock()
	file := p.byName[name]
	if file == nil {
		return nil, fmt.Errorf("tunnel: listening: systemd has passed no socket %q", name)
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("tunnel: listening on the socket %q of systemd: %w", name, err)
	}
	return l, nil
}

// open opens the place where a route's connections come.
func open(ctx context.Context, a Address, passed *Passed) (*place, error) {
	l, err := listen(ctx, a, passed)
	if err != nil {
		return nil, err
	}
	return &place{Listener: l, address: a}, nil
}

func listen(ctx context.Context, a Address, passed *Passed) (net.Listener, error) {
	switch a.Network {
	case "fd":
		return passed.listener(a.Text)
	case "unix":
		return listenUnix(ctx, a.Text)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", a.Text)
	if err != nil {
		return nil, fmt.Errorf("tunnel: %w", err)
	}
	return l, nil
}

// listenUnix makes the socket for its owner alone: who else may come in is for its directory to say. One that a dead
// process has left behind is removed, anything else at that path is not.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("tunnel: listening: %s is there and no socket", path)
		}
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, fmt.Errorf("tunnel: listening: somebody listens on %s already", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("tunnel: listening: %w", err)
		}
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("tunnel: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("tunnel: listening: %w", err)
	}
	return l, nil
}

// accept hands on what comes until the listener is closed. fails is told why nobody can come at the moment, once.
func accept(ctx context.Context, l net.Listener, take func(net.Conn), fails func(error)) {
	backoff := time.Duration(0)
	for {
		conn, err := l.Accept()
		if err == nil {
			backoff = 0
			take(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if backoff == 0 {
			fails(err)
		}
		backoff = min(max(2*backoff, 5*time.Millisecond), maxBackoff)
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return
		}
	}
}
