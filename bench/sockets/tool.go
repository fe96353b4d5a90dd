package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A machine is what all programs share.
type machine struct {
	directory string
	snug      string
	backend   *backend
	log       io.Writer
}

// A tool is a program at work: its two ends, and where clients connect.
type tool struct {
	name      string
	address   string
	processes []*exec.Cmd
}

// A kind is a program that can be measured.
type kind struct {
	name    string
	program string // to be found on the machine; empty for ours
	ours    bool
	forks   bool // a process for each connection: its memory is not compared
	// start gives the command lines of both ends: far listens on far and leads to back, near listens on near.
	start func(m *machine, near, far, back string) (lines [][]string, err error)
}

const plainName = "plain loopback"

var kinds = []kind{
	{name: plainName},
	{name: "snug", ours: true, start: snugLines(nil)},
	{name: "snug without reuse", ours: true, start: snugLines([]string{"--carriers", "0"})},
	{name: "nginx", program: "nginx", start: nginxLines},
	{name: "haproxy", program: "haproxy", start: haproxyLines},
	{name: "stunnel", program: "stunnel", start: stunnelLines},
	{name: "ghostunnel", program: "ghostunnel", start: ghostunnelLines},
	{name: "spiped", program: "spiped", start: spipedLines},
	{name: "socat", program: "socat", forks: true, start: socatLines},
}

func kindOf(name string) kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	return kind{}
}

// which finds a program, also where only administrators look.
func which(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	home, _ := os.UserHomeDir()
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", filepath.Join(home, "go", "bin")} {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

// start runs both ends and waits until an echo comes through.
func (m *machine) start(k kind) (*tool, error) {
	t := &tool{name: k.name, address: m.backend.Addr().String()}
	if k.start == nil {
		return t, nil
	}
	near, far := freePort(), freePort()
	lines, err := k.start(m, near, far, t.address)
	if err != nil {
		return nil, err
	}
	t.address = near
	log, err := os.Create(m.path(strings.ReplaceAll(k.name, " ", "-") + ".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	for _, line := range lines {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, m.directory
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.stop()
			return nil, err
		}
		t.processes = append(t.processes, cmd)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := begin(near, doEcho)
		if err == nil {
			conn.SetDeadline(time.Now().Add(2 * time.Second))
			err = answer(conn)
			conn.Close()
		}
		if err == nil {
			return t, nil
		}
		if time.Now().After(deadline) {
			t.stop()
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("no echo came through: %w; it says: %s", err, strings.TrimSpace(string(said[max(0, len(said)-400):])))
		}
	}
}

// stop ends both ends, with all that they have started.
func (t *tool) stop() {
	for _, cmd := range t.processes {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(3 * time.Second):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	}
	t.processes = nil
}

// resident gives the bytes of resident memory of both ends, with all that they have started.
func (t *tool) resident() (int64, error) {
	groups := make(map[int]bool)
	for _, cmd := range t.processes {
		groups[cmd.Process.Pid] = true
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return 0, errors.New("no /proc to read memory from")
	}
	var pages int64
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// Behind the name, which may have anything in it: state, parent, group, …; pages are the 22nd.
		_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
		fields := strings.Fields(rest)
		if len(fields) < 22 {
			continue
		}
		if group, _ := strconv.Atoi(fields[2]); groups[group] {
			n, _ := strconv.ParseInt(fields[21], 10, 64)
			pages += n
		}
	}
	return pages * int64(os.Getpagesize()), nil
}

// freePort gives an address of loopback that was free a moment ago.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}
