package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"snug/mtls"
)

const (
	// startTimeout bounds the time to the ready line, recovery of a database included.
	startTimeout = 30 * time.Second
	// stopTimeout bounds a server's drain after TERM.
	stopTimeout = 15 * time.Second
)

// process is a server that runs as a program of its own, as it does for its users.
type process struct {
	command *exec.Cmd
	pid     int
	address string
	pin     mtls.Fingerprint
	// toReady is from exec to the ready line.
	toReady time.Duration
	stderr  *os.File
}

// ready is the first object that `snug serve --json` prints.
type ready struct {
	Event string `json:"event"`
	TLS   string `json:"tls"`
	Pin   string `json:"pin"`
}

// build compiles the server's binary into the directory.
func build(ctx context.Context, directory string) (binary string, err error) {
	binary = filepath.Join(directory, "snug")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "snug/cmd/snug").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the server: %w\n%s", err, out)
	}
	return binary, nil
}

// root gives the checkout's directory.
func root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "snug").Output()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// serve starts a program that prints a ready object, and waits for that. What it logs goes to a file of the directory.
func serve(directory, program string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(directory, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	p := &process{command: exec.Command(program, args...), stderr: log}
	p.command.Stderr = log
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	begin := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	p.pid = p.command.Process.Pid
	line := make(chan error, 1)
	go func() { line <- p.readReady(out, begin) }()
	select {
	case err = <-line:
	case <-time.After(startTimeout):
		err = fmt.Errorf("no ready line within %v", startTimeout)
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("starting the server: %w%s", err, tail(log.Name()))
	}
	return p, nil
}

// readReady reads the ready line and leaves a goroutine that throws away what comes after it.
func (p *process) readReady(out io.Reader, begin time.Time) error {
	lines := bufio.NewReader(out)
	text, err := lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the ready line: %w", err)
	}
	p.toReady = time.Since(begin)
	var r ready
	if err := json.Unmarshal([]byte(text), &r); err != nil || r.Event != "ready" {
		return fmt.Errorf("the first line is no ready object: %s", strings.TrimSpace(text))
	}
	if p.pin, err = mtls.ParseFingerprint(r.Pin); err != nil {
		return err
	}
	p.address = r.TLS
	go io.Copy(io.Discard, lines)
	return nil
}

// stop asks the server to drain and waits for its end.
func (p *process) stop() error {
	defer p.stderr.Close()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	timer := time.AfterFunc(stopTimeout, func() { p.command.Process.Kill() })
	defer timer.Stop()
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("stopping the server: %w%s", err, tail(p.stderr.Name()))
	}
	return nil
}

// kill ends the server where something went wrong before.
func (p *process) kill() {
	p.command.Process.Kill()
	p.command.Wait()
	p.stderr.Close()
}

// tail gives the end of a log for an error's text.
func tail(path string) string {
	const most = 1 << 10
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return ""
	}
	return "\nits log ends with:\n" + string(b[max(0, len(b)-most):])
}
