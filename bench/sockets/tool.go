package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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
	bound   bool // neither ours nor a peer: what there is to reach
	env     []string
	// lines gives the command lines of both ends, the accepting one first.
	lines func(m *machine, w way) ([][]string, error)
}

const plainName = "plain loopback"

// asOld leaves the hybrid out of what a Go program offers, for the key exchange that programs with OpenSSL 3.0 have.
var asOld = []string{"GODEBUG=tlsmlkem=0"}

var kinds = []kind{
	{name: plainName, bound: true},
	{name: "snug", ours: true, lines: snugLines()},
	{name: "snug without reuse", ours: true, lines: snugLines("--carriers", "0")},
	{name: "snug without reuse (X25519)", ours: true, env: asOld, lines: snugLines("--carriers", "0")},
	{name: "bare Go pair", bound: true, lines: bareLines},
	{name: "bare Go pair (X25519)", bound: true, env: asOld, lines: bareLines},
	{name: "nginx", program: "nginx", lines: nginxLines},
	{name: "haproxy", program: "haproxy", lines: haproxyLines},
	{name: "stunnel", program: "stunnel", lines: stunnelLines},
	{name: "ghostunnel", program: "ghostunnel", lines: ghostunnelLines},
	{name: "spiped", program: "spiped", lines: spipedLines},
	{name: "socat", program: "socat", forks: true, lines: socatLines},
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
	if k.lines == nil {
		return t, nil
	}
	far := freePort()
	return t, m.run(t, k, way{near: freePort(), far: far, through: far, back: t.address})
}

// look starts both ends with an onlooker between them, and gives what they agree on. It looks at the second connection,
// which may have learned from the first.
func (m *machine) look(k kind) (string, error) {
	t := &tool{name: k.name}
	far := freePort()
	o, err := newOnlooker(far)
	if err != nil {
		return "", err
	}
	defer o.running.Wait()
	defer o.Close()
	defer t.stop()
	if err := m.run(t, k, way{near: freePort(), far: far, through: o.Addr().String(), back: m.backend.Addr().String()}); err != nil {
		return "", err
	}
	if err := echo(t.address); err != nil {
		return "", err
	}
	return o.terms()
}

// run starts the ends of a tool.
func (m *machine) run(t *tool, k kind, w way) error {
	lines, err := k.lines(m, w)
	if err != nil {
		return err
	}
	t.address = w.near
	log, err := os.Create(m.path(strings.ReplaceAll(k.name, " ", "-") + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	for _, line := range lines {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, m.directory
		cmd.Env = append(os.Environ(), k.env...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.stop()
			return err
		}
		t.processes = append(t.processes, cmd)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if err = echo(t.address); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			t.stop()
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("no echo came through: %w; it says: %s", err, strings.TrimSpace(string(said[max(0, len(said)-400):])))
		}
	}
}

// echo sees whether one comes through.
func echo(address string) error {
	conn, err := begin(address, doEcho)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return answer(conn)
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

// freePort gives an address of loopback that was free a moment ago.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}
