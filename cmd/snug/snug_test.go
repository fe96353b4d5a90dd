package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests; nothing is expected to come near it.
const patience = 60 * time.Second

// binary is the real program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "snug-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "snug")
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return 1
		}
		return m.Run()
	}())
}

// A server is a running `snug serve`.
type server struct {
	t    *testing.T
	data string
	args []string
	// wrap is a command that the server is started by.
	wrap []string
	cmd  *exec.Cmd
	// log is all that it prints. printed is closed when there is no more to come, after it has ended.
	log     *lockedBuffer
	printed chan struct{}
	// From the ready object.
	TLS    string `json:"tls"`
	HTTP   string `json:"http"`
	Pin    string `json:"pin"`
	Invite string `json:"owner_invite"`
	Event  string `json:"event"`
}

// serve starts a server in an empty directory on free ports.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, data: filepath.Join(t.TempDir(), "data"), args: args, log: new(lockedBuffer), TLS: "127.0.0.1:0", HTTP: "127.0.0.1:0"}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start runs the program and waits for its first object. Started again it keeps its addresses.
func (s *server) start() {
	s.t.Helper()
	args := append(slices.Clone(s.wrap), binary, "serve", "--json", "--data", s.data, "--tls", s.TLS, "--http", s.HTTP)
	args = append(args, s.args...)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Stderr = s.log
	out, to, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Stdout = to
	err = s.cmd.Start()
	to.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	printed := bufio.NewReader(out)
	line, err := printed.ReadBytes('\n')
	if err != nil {
		s.t.Fatalf("serve printed no line: %v\n%s", err, s.log)
	}
	s.log.Write(line)
	s.printed = make(chan struct{})
	go func(all chan struct{}) {
		defer close(all)
		defer out.Close()
		_, _ = io.Copy(s.log, printed)
	}(s.printed)
	s.Invite = ""
	if err := json.Unmarshal(line, s); err != nil || s.Event != "ready" {
		s.t.Fatalf("first line is %q (%v), want the ready object", line, err)
	}
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}

// address is what clients are told.
func (s *server) address() string { return s.TLS + "#" + s.Pin }

// lockedBuffer collects what a process prints while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
	// more is closed when something is written, and then made again.
	more chan struct{}
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	return b.buf.Write(p)
}

// waitFor waits until what was printed is as it should be, and reports whether it came to that.
func (b *lockedBuffer) waitFor(good func(text string) bool) bool {
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		text := b.buf.String()
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		if good(text) {
			return true
		}
		select {
		case <-more:
		case <-deadline:
			return false
		}
	}
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lockedBuffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Len()
}

// A person is a home directory in which somebody is signed in.
type person struct {
	t      *testing.T
	handle string
	home   string
	// passphraseFile holds the passphrase.
	passphraseFile string
	passphrase     string
}

// newPerson gives somebody a home and a passphrase, and no account yet.
func newPerson(t *testing.T, handle string) *person {
	t.Helper()
	dir := t.TempDir()
	p := &person{t: t, handle: handle, home: filepath.Join(dir, "home"), passphraseFile: filepath.Join(dir, "passphrase")}
	p.passphrase = "walnut orbit " + handle + " canvas thirteen"
	if err := os.WriteFile(p.passphraseFile, []byte(p.passphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// register makes the account.
func (p *person) register(s *server, invite string) *person {
	p.t.Helper()
	p.must("register", p.handle, "--server", s.address(), "--invite", invite, "--passphrase-file", p.passphraseFile)
	return p
}

// everybody registers the owner and then the others, each by an invite of the owner's.
func everybody(t *testing.T, s *server, owner string, others ...string) []*person {
	t.Helper()
	people := []*person{newPerson(t, owner).register(s, s.Invite)}
	for _, handle := range others {
		invite := people[0].must("invite")[0]["invite"].(string)
		people = append(people, newPerson(t, handle).register(s, invite))
	}
	return people
}

// command prepares a verb with --json in the person's home.
func (p *person) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append(args, "--json")...)
	cmd.Env = append(os.Environ(), "SNUG_HOME="+p.home)
	return cmd
}

// An outcome is what a verb printed and how it ended.
type outcome struct {
	objects []map[string]any
	stderr  string
	status  int
}

// try runs a verb to its end.
func (p *person) try(stdin string, args ...string) outcome {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	err := cmd.Run()
	timer.Stop()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return outcome{objects: parseLines(p.t, &out), stderr: errOut.String(), status: cmd.ProcessState.ExitCode()}
}

// must runs a verb that has to be carried out.
func (p *person) must(args ...string) []map[string]any {
	p.t.Helper()
	o := p.try("", args...)
	if o.status != 0 {
		p.t.Fatalf("%s: snug %s: exit %d\n%s", p.handle, strings.Join(args, " "), o.status, o.stderr)
	}
	return o.objects
}

// mustRefuse runs a verb that has to end with this status and a reason that holds these words.
func (p *person) mustRefuse(status int, reason string, args ...string) {
	p.t.Helper()
	o := p.try("", args...)
	if o.status != status || !strings.Contains(o.stderr, reason) {
		p.t.Errorf("%s: snug %s: exit %d, want %d; stderr %q, want %q in it", p.handle, strings.Join(args, " "), o.status, status, o.stderr, reason)
	}
	if len(o.objects) != 0 {
		p.t.Errorf("%s: snug %s: a refused verb printed %v", p.handle, strings.Join(args, " "), o.objects)
	}
}

// parseLines reads one object per line.
func parseLines(t *testing.T, r io.Reader) []map[string]any {
	t.Helper()
	var objects []map[string]any
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var object map[string]any
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			t.Fatalf("stdout has the line %q: %v", lines.Text(), err)
		}
		objects = append(objects, object)
	}
	return objects
}

// A follower is a `snug tail` that runs.
type follower struct {
	t       *testing.T
	cmd     *exec.Cmd
	objects chan map[string]any
	stderr  *lockedBuffer
}

// follow starts tail.
func (p *person) follow(args ...string) *follower {
	p.t.Helper()
	f := &follower{t: p.t, cmd: p.command(append([]string{"tail"}, args...)...), objects: make(chan map[string]any, 4096), stderr: new(lockedBuffer)}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	f.cmd.Stderr = f.stderr
	if err := f.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(f.objects)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var object map[string]any
			if json.Unmarshal(lines.Bytes(), &object) == nil {
				f.objects <- object
			}
		}
	}()
	p.t.Cleanup(f.stop)
	return f
}

// stop ends tail as ctrl-C does, and checks that this is no failure.
func (f *follower) stop() {
	if f.cmd.ProcessState != nil {
		return
	}
	f.cmd.Process.Signal(syscall.SIGINT)
	for range f.objects {
	}
	if err := f.cmd.Wait(); err != nil {
		f.t.Errorf("tail ended with %v\n%s", err, f.stderr)
	}
}

// texts waits until n messages have come, and returns all up to the last of them.
func (f *follower) texts(n int) []map[string]any {
	f.t.Helper()
	deadline := time.After(patience)
	var messages []map[string]any
	for len(messages) < n {
		select {
		case object, ok := <-f.objects:
			if !ok {
				f.t.Fatalf("tail ended after %d messages, want %d\n%s", len(messages), n, f.stderr)
			}
			cause, gap := object["gap"]
			if why, _ := cause.(string); why == "this device was not in the room yet" || strings.HasPrefix(why, "what was said before") {
				continue // what was before is none of its business, or not archived yet
			}
			if gap {
				f.t.Fatalf("tail has a gap: %v", cause)
			}
			if _, text := object["text"]; text {
				messages = append(messages, object)
			}
		case <-deadline:
			f.t.Fatalf("tail has %d messages, want %d\n%s", len(messages), n, f.stderr)
		}
	}
	return messages
}
