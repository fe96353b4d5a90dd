package main_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A socket is `snug listen` or `snug dial`, running.
type socket struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *lockedBuffer
	events chan map[string]any
	log    *lockedBuffer
	plain  *lockedBuffer // what is no JSON, which nothing may be
	status chan int
}

// keyOf is the fingerprint of a home's sockets.
func keyOf(t *testing.T, home string) string {
	t.Helper()
	out, err := exec.Command(binary, "key", "show", "--json", "--home", home).Output()
	if err != nil {
		t.Fatal(err)
	}
	var object struct{ Fingerprint string }
	if err := json.Unmarshal(out, &object); err != nil || object.Fingerprint == "" {
		t.Fatalf("key show prints %q (%v)", out, err)
	}
	return object.Fingerprint
}

// socketOf starts a verb in a home, for a peer that is known.
func socketOf(t *testing.T, home, verb, address, peer string, flags ...string) *socket {
	t.Helper()
	return openSocket(t, home, verb, address, append([]string{"--peer", peer}, flags...)...)
}

// openSocket starts a verb in a home.
func openSocket(t *testing.T, home, verb, address string, flags ...string) *socket {
	t.Helper()
	return startSocket(t, append([]string{verb, address, "--home", home}, flags...)...)
}

// startSocket starts a verb.
func startSocket(t *testing.T, args ...string) *socket {
	t.Helper()
	return running(t, append(args, "--json")...)
}

// running starts a command line whose events are on stderr.
func running(t *testing.T, args ...string) *socket {
	t.Helper()
	out := new(lockedBuffer)
	cmd := exec.Command(binary, args...)
	cmd.Stdout = out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := observed(t, cmd)
	s.in, s.out = in, out
	return s
}

// observed starts a command whose events are on stderr.
func observed(t *testing.T, cmd *exec.Cmd) *socket {
	t.Helper()
	s := &socket{
		t: t, cmd: cmd, log: new(lockedBuffer), plain: new(lockedBuffer),
		events: make(chan map[string]any, 64), status: make(chan int, 1),
	}
	s.cmd.SysProcAttr = alone
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(s.events)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			s.log.Write(append(lines.Bytes(), '\n'))
			var event map[string]any
			if json.Unmarshal(lines.Bytes(), &event) != nil {
				s.plain.Write(append(lines.Bytes(), '\n'))
				continue
			}
			s.events <- event
		}
	}()
	go func() {
		<-read
		s.cmd.Wait()
		s.status <- s.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		if s.plain.Len() > 0 {
			t.Errorf("%s --json has on stderr what is no JSON object:\n%s", s.cmd.Args[1], s.plain)
		}
	})
	return s
}

// event waits for one of this kind, and returns it.
func (s *socket) event(kind string) map[string]any {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case event, ok := <-s.events:
			if !ok {
				s.t.Fatalf("it ended without the event %q\n%s", kind, s.log)
			}
			if event["event"] == kind {
				return event
			}
		case <-deadline:
			s.t.Fatalf("no event %q\n%s", kind, s.log)
		}
	}
}

// prints waits until stdout is this.
func (s *socket) prints(want string) {
	s.t.Helper()
	if !s.out.waitFor(func(text string) bool { return text == want }) {
		s.t.Fatalf("%s printed %q, want %q\n%s", s.cmd.Args[1], s.out, want, s.log)
	}
}

// ends waits until the process has ended with this status.
func (s *socket) ends(status int) {
	s.t.Helper()
	select {
	case got := <-s.status:
		if got != status {
			s.t.Errorf("%s: exit %d, want %d\n%s", s.cmd.Args[1], got, status, s.log)
		}
	case <-time.After(patience):
		s.t.Fatalf("%s does not end\n%s", s.cmd.Args[1], s.log)
	}
}

// listening has two homes that know each other's keys, the first of them listening.
func listening(t *testing.T, flags ...string) (listener *socket, address, dialer, listenerKey string) {
	t.Helper()
	here, there := filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "there")
	listener = socketOf(t, here, "listen", "127.0.0.1:0", keyOf(t, there), flags...)
	return listener, listener.event("listening")["addr"].(string), there, keyOf(t, here)
}

// TestSocketBothWays sends a megabyte each way at once.
func TestSocketBothWays(t *testing.T) {
	listener, address, home, key := listening(t)
	dialer := socketOf(t, home, "dial", address, key)
	there, back := make([]byte, 1<<20), make([]byte, 1<<20)
	rand.Read(there)
	rand.Read(back)
	for s, b := range map[*socket][]byte{dialer: there, listener: back} {
		go func() {
			s.in.Write(b)
			s.in.Close()
		}()
	}
	dialer.ends(0)
	listener.ends(0)
	if listener.out.String() != string(there) || dialer.out.String() != string(back) {
		t.Error("what arrived is not what was sent")
	}
	for _, s := range []*socket{listener, dialer} {
		if ended := s.event("ended"); ended["received"] != float64(1<<20) || ended["sent"] != float64(1<<20) {
			t.Errorf("%s counts %v", s.cmd.Args[1], ended)
		}
	}
}

// TestSocketExitEvent: whatever ends a socket with another status than 0 is the last event, with its status and what to do.
func TestSocketExitEvent(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	key := keyOf(t, home)
	for _, row := range []struct {
		name         string
		status       int
		reason, hint string
		args         []string
	}{
		{"nobody there", 5, "reaching", "snug listen", []string{"dial", nowhere, "--peer", key}},
		{"a port in use", 1, "in use", "listens there already", []string{"listen", inUse(t), "--peer", key}},
		{"an unknown name", 4, "bob", "snug key add bob", []string{"dial", "127.0.0.1:1", "--peer", "bob"}},
		{"no address", 2, "HOST:PORT", "try: snug dial", []string{"dial", "127.0.0.1", "--peer", key}},
		{"no such flag", 2, "-insecure", "try: snug listen", []string{"listen", ":0", "--insecure"}},
		{"a tunnel without rules", 2, "who may be at the other end", "try: snug tunnel", []string{"tunnel", "--listen", ":0", "--to", "127.0.0.1:1", "--tls", "accept"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := startSocket(t, append(row.args, "--home", home)...)
			s.ends(row.status)
			var last map[string]any
			for event := range s.events {
				last = event
			}
			reason, _ := last["reason"].(string)
			hint, _ := last["hint"].(string)
			if last["event"] != "exit" || last["status"] != float64(row.status) || !strings.Contains(reason, row.reason) || !strings.Contains(hint, row.hint) {
				t.Errorf("the last event is %v; want exit with %d, %q, %q", last, row.status, row.reason, row.hint)
			}
		})
	}
	// To people it says the same in words.
	out, _ := exec.Command(binary, "dial", nowhere, "--peer", key, "--home", home).CombinedOutput()
	if !strings.HasPrefix(string(out), "snug: reaching") {
		t.Errorf("without --json: %q", out)
	}
}

// TestSocketHalfClose ends one direction, and uses the other one after that.
func TestSocketHalfClose(t *testing.T) {
	for _, first := range []string{"listener", "dialer"} {
		t.Run(first, func(t *testing.T) {
			listener, address, home, key := listening(t)
			dialer := socketOf(t, home, "dial", address, key)
			asks, answers := listener, dialer
			if first == "dialer" {
				asks, answers = dialer, listener
			}
			io.WriteString(asks.in, "is that all?")
			asks.in.Close()
			answers.prints("is that all?")
			// The answer comes in two parts, so that the first cannot have been on its way before the question's end.
			io.WriteString(answers.in, "not yet, ")
			asks.prints("not yet, ")
			io.WriteString(answers.in, "now")
			answers.in.Close()
			listener.ends(0)
			dialer.ends(0)
			if got := asks.out.String(); got != "not yet, now" {
				t.Errorf("the answer is %q", got)
			}
		})
	}
}

// TestSocketRefusals: whoever is not the one is told so on both sides, and the listener waits on.
func TestSocketRefusals(t *testing.T) {
	listener, address, home, key := listening(t)
	stranger := filepath.Join(t.TempDir(), "stranger")

	// The listener does not know this one.
	unknown := socketOf(t, stranger, "dial", address, key)
	io.WriteString(unknown.in, "let me in")
	unknown.ends(3)
	if reason, _ := unknown.event("refused")["reason"].(string); !strings.Contains(reason, "refused by the peer") {
		t.Errorf("the one who was refused hears %q", reason)
	}
	if reason := listener.event("refused")["reason"].(string); !strings.Contains(reason, keyOf(t, stranger)) {
		t.Errorf("the listener says %q, want the key that came named", reason)
	}
	// This one expects somebody else.
	elsewhere := socketOf(t, home, "dial", address, keyOf(t, stranger))
	elsewhere.ends(3)
	if !strings.Contains(elsewhere.log.String(), key) {
		t.Errorf("the dialer says %q, want the key that came named", elsewhere.log)
	}
	listener.event("refused")
	// No certificate, too old a protocol, garbage.
	for _, version := range []uint16{tls.VersionTLS13, tls.VersionTLS12} {
		conn, err := tls.Dial("tcp", address, &tls.Config{
			ServerName: "localhost", MinVersion: tls.VersionTLS12, MaxVersion: version, NextProtos: []string{"snug-mtls/1"},
		})
		if err == nil {
			conn.Close()
			t.Errorf("a dialer that checks certificates accepted a self-signed one")
		}
		listener.event("refused")
	}
	if listener.out.String() != "" {
		t.Errorf("%q reached the application", listener.out)
	}
	dialer := socketOf(t, home, "dial", address, key)
	io.WriteString(dialer.in, "it is me")
	dialer.in.Close()
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)
	if got := listener.out.String(); got != "it is me" {
		t.Errorf("the listener received %q, want what the right peer sent", got)
	}
}

// TestSocketCut kills one side in the middle: the other never takes what it has for all there is.
func TestSocketCut(t *testing.T) {
	for _, victim := range []string{"listener", "dialer"} {
		t.Run(victim, func(t *testing.T) {
			listener, address, home, key := listening(t)
			dialer := socketOf(t, home, "dial", address, key)
			dialer.event("connected")
			listener.event("connected")
			killed, left := listener, dialer
			if victim == "dialer" {
				killed, left = dialer, listener
			}
			killed.cmd.Process.Kill()
			left.ends(6)
			if !strings.Contains(left.log.String(), "cut") {
				t.Errorf("it says %q, want the cut named", left.log)
			}
		})
	}
}

// TestSocketEndings tells the ways apart in which a stream ends that was not ended.
func TestSocketEndings(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(front, back *net.TCPConn)
		want string
	}{
		{"reset", func(front, back *net.TCPConn) {
			for _, conn := range []*net.TCPConn{front, back} {
				conn.SetLinger(0) // Close then sends a reset
				conn.Close()
			}
		}, "reset"},
		{"truncated", func(front, back *net.TCPConn) {
			front.CloseWrite()
			back.CloseWrite()
		}, "went away"},
	} {
		t.Run(row.name, func(t *testing.T) {
			listener, address, home, key := listening(t)
			way, conns := relay(t, address)
			dialer := socketOf(t, home, "dial", way, key)
			io.WriteString(dialer.in, "half of")
			listener.prints("half of")
			row.end(<-conns, <-conns)
			for _, s := range []*socket{listener, dialer} {
				s.ends(6)
				if reason := s.event("failed")["reason"].(string); !strings.Contains(reason, "the stream was cut: ") || !strings.Contains(reason, row.want) {
					t.Errorf("%s says %q, want %q", s.cmd.Args[1], reason, row.want)
				}
			}
		})
	}
}

// relay is a line between a dialer and a listener that carries one connection, and gives its two sides.
func relay(t *testing.T, behind string) (address string, conns chan *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns = make(chan *net.TCPConn, 2)
	go func() {
		defer l.Close()
		front, err := l.Accept()
		if err != nil {
			return
		}
		back, err := net.Dial("tcp", behind)
		if err != nil {
			front.Close()
			return
		}
		go io.Copy(front, back)
		go io.Copy(back, front)
		conns <- front.(*net.TCPConn)
		conns <- back.(*net.TCPConn)
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), conns
}

// TestSocketOwnTrouble: what breaks on one side, on its stdin or stdout, is a failure there and a cut for the other side,
// never an end.
func TestSocketOwnTrouble(t *testing.T) {
	for name, row := range map[string]struct{ redirect, want string }{
		"stdin breaks":  {"< /", "reading what to send"},
		"stdout breaks": {"> /dev/full", "writing what was received"},
	} {
		listener, address, home, key := listening(t)
		cmd := exec.Command("sh", "-c", `"$0" dial "$1" --peer "$2" --home "$3" `+row.redirect, binary, address, key, home)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		io.WriteString(listener.in, "something to write")
		cmd.Run()
		if status := cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(stderr.String(), row.want) {
			t.Errorf("%s: exit %d, %q; want 1 and %q", name, status, &stderr, row.want)
		}
		listener.ends(6)
	}
}

// TestSocketLeavesStdin: of who is refused the stdin is whole, for the next command in the same script.
func TestSocketLeavesStdin(t *testing.T) {
	listener, address, home, key := listening(t)
	const secret = "for the right peer only\n"
	script := `"$1" dial "$2" --peer "$3" --home "$4"; echo "exit $?"; cat`
	stranger := filepath.Join(t.TempDir(), "stranger")
	for name, row := range map[string][]string{
		"refused by the listener": {stranger, key},
		"refusing the listener":   {home, keyOf(t, home)},
	} {
		cmd := exec.Command("sh", "-c", script, "sh", binary, address, row[1], row[0])
		cmd.Stdin = strings.NewReader(secret)
		out, err := cmd.Output()
		if err != nil || string(out) != "exit 3\n"+secret {
			t.Errorf("%s: %q, %v; want exit 3 and stdin untouched", name, out, err)
		}
		listener.event("refused")
	}
	if listener.out.Len() != 0 {
		t.Errorf("%q reached the application", listener.out)
	}
}

// TestKeyShow: the same key every time, for people with words, for scripts without.
func TestKeyShow(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	key := keyOf(t, home)
	cmd := exec.Command(binary, "key", "show", "--home", home)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil || string(out) != key+"\n" {
		t.Errorf("key show prints %q, %v; want %s", out, err, key)
	}
	_, four, _ := strings.Cut(words.String(), "glance: ")
	if n := len(strings.Fields(four)); n != 4 {
		t.Errorf("key show says %q, want four words", &words)
	}
}

// inUse is an address that somebody else listens on.
func inUse(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// TestSocketBadKey: a key file that is not as we made it is refused, and not replaced.
func TestSocketBadKey(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"readable by others": func(path string) error { return os.Chmod(path, 0o644) },
		"cut short":          func(path string) error { return os.Truncate(path, 60) },
		"empty":              func(path string) error { return os.Truncate(path, 0) },
		"something else": func(path string) error {
			return os.WriteFile(path, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
		},
	} {
		home := filepath.Join(t.TempDir(), "home")
		key := keyOf(t, home)
		path := filepath.Join(home, "socket.pem")
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"listen", "127.0.0.1:0", "--peer", key}, {"dial", "127.0.0.1:1", "--peer", key}, {"key", "show"}, {"dial", "127.0.0.1:1", "--password-file", os.DevNull}} {
			cmd := exec.Command(binary, append(args, "--home", home)...)
			out, _ := cmd.CombinedOutput()
			if status := cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(string(out), path) || strings.Count(string(out), "\n") > 2 {
				t.Errorf("%s: %v: exit %d, %q; want 1, and the file named", name, args, status, out)
			}
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// TestSocketBadInput gives each kind of it its status.
func TestSocketBadInput(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	key := keyOf(t, home)
	if err := os.WriteFile(filepath.Join(home, "peers"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	keyOf(t, other)
	run := func(args ...string) (int, string) {
		cmd := exec.Command(binary, append(args, "--home", home)...)
		cmd.SysProcAttr = alone
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Run()
		return cmd.ProcessState.ExitCode(), stderr.String()
	}
	for _, row := range []struct {
		name   string
		status int
		words  string
		args   []string
	}{
		{"nobody named", 2, "--peer", []string{"listen", "127.0.0.1:0"}},
		{"nobody named to dial", 2, "key show", []string{"dial", "127.0.0.1:1"}},
		{"nobody named, and no terminal", 2, "no terminal to ask on", []string{"dial", "127.0.0.1:1"}},
		{"nobody named, by a script", 2, "nobody is asked", []string{"dial", "127.0.0.1:1", "--json"}},
		{"no terminal for a password", 2, "--password-file", []string{"dial", "127.0.0.1:1", "--password"}},
		{"no file of a password", 1, "reading the password: open", []string{"dial", "127.0.0.1:1", "--password-file", home + "/none"}},
		{"a password and a peer", 2, "do not go with it", []string{"dial", "127.0.0.1:1", "--peer", key, "--password"}},
		{"a password for many", 2, "one peer", []string{"listen", "127.0.0.1:0", "--password", "--keep", "--exec", "cat"}},
		{"a name for a peer that is known", 2, "--remember", []string{"dial", "127.0.0.1:1", "--peer", key, "--remember", "bob"}},
		{"no name", 2, "no name", []string{"listen", "127.0.0.1:0", "--password", "--remember", "Bob Smith"}},
		{"a token for anybody", 2, "--peer", []string{"dial", "127.0.0.1:1", "--token-file", "/dev/null"}},
		{"no file of a token", 1, "key token", []string{"dial", "127.0.0.1:1", "--peer", key, "--token-file", home + "/none"}},
		{"no token", 2, "holds no token", []string{"dial", "127.0.0.1:1", "--peer", key, "--token-file", "/dev/null"}},
		{"no file of tokens", 1, "reading the tokens: open", []string{"listen", "127.0.0.1:0", "--token-file", home + "/none"}},
		{"tokens and a peer", 2, "do not go with it", []string{"listen", "127.0.0.1:0", "--token-file", "/dev/null", "--peer", key}},
		{"another's key", 1, "the private key is not that of the certificate", []string{"dial", "127.0.0.1:1", "--peer", key, "--cert", home + "/socket.pem", "--key", other + "/socket.pem"}},
		{"no certificate", 1, "snug pki issue", []string{"dial", "127.0.0.1:1", "--peer", key, "--cert", home + "/none"}},
		{"no port to dial", 5, "0 to 65535", []string{"dial", "127.0.0.1:99999", "--peer", key}},
		{"no port to listen on", 1, "0 to 65535", []string{"listen", "127.0.0.1:99999", "--peer", key}},
		{"a port in use", 1, "something listens there already", []string{"listen", inUse(t), "--peer", key}},
		{"no address of ours", 1, "no address of this machine", []string{"listen", "192.0.2.1:0", "--peer", key}},
		{"no fingerprint", 2, "52 of a-z", []string{"dial", "127.0.0.1:1", "--peer", strings.ToUpper(key)}},
		{"an unknown name", 4, "key add bob", []string{"dial", "127.0.0.1:1", "--peer", "bob"}},
		{"no port", 2, "HOST:PORT", []string{"dial", "127.0.0.1", "--peer", key}},
		{"nobody there", 5, "reaching", []string{"dial", nowhere, "--peer", key}},
		{"limits of one connection", 2, "need --keep", []string{"listen", "127.0.0.1:0", "--peer", key, "--streams", "4"}},
		{"room for nobody", 2, "at least 1", []string{"listen", "127.0.0.1:0", "--peer", key, "--keep", "--exec", "cat", "--commands", "0"}},
		{"going on with one stdin", 2, "--exec", []string{"listen", "127.0.0.1:0", "--peer", key, "--keep"}},
		{"an authority and no name", 2, "--name", []string{"dial", "127.0.0.1:1", "--ca", "ca.pem"}},
		{"an authority's anybody, dialed", 2, "-any-name", []string{"dial", "127.0.0.1:1", "--ca", "ca.pem", "--any-name"}},
		{"a name and no authority", 2, "--ca", []string{"dial", "127.0.0.1:1", "--peer", key, "--name", "bob"}},
		{"a name that is none", 2, "wildcard.*", []string{"dial", "127.0.0.1:1", "--ca", "ca.pem", "--name", "wildcard.*"}},
		{"a key and no certificate", 2, "--cert", []string{"dial", "127.0.0.1:1", "--peer", key, "--key", "key.pem"}},
		{"an authority that is not there", 1, "none.pem", []string{"dial", "127.0.0.1:1", "--ca", filepath.Join(home, "none.pem"), "--name", "bob"}},
		{"an authority that is none", 1, "CERTIFICATE", []string{"dial", "127.0.0.1:1", "--ca", filepath.Join(home, "peers"), "--name", "bob"}},
		{"a certificate that is not there", 1, "none.pem", []string{"dial", "127.0.0.1:1", "--peer", key, "--cert", filepath.Join(home, "none.pem")}},
		{"a flag to accept anybody", 2, "", []string{"listen", "127.0.0.1:0", "--insecure"}},
	} {
		status, stderr := run(row.args...)
		if status != row.status || !strings.Contains(stderr, row.words) {
			t.Errorf("%s: exit %d, %q; want %d with %q", row.name, status, stderr, row.status, row.words)
		}
		// What went wrong in one line, and what to do in another; to a script both in one.
		want := 2
		if slices.Contains(row.args, "--json") {
			want = 1
		}
		if lines := strings.Count(stderr, "\n"); lines != want || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: %d lines: %s", row.name, lines, stderr)
		}
	}
	// The messenger's port is another protocol: it does not pass for a socket.
	s := serve(t)
	if status, stderr := run("dial", s.TLS, "--peer", s.Pin); status != 3 || !strings.Contains(stderr, "another protocol") {
		t.Errorf("dialing the messenger's port: exit %d, %q; want 3, and the protocol named", status, stderr)
	}
	info, err := os.Stat(filepath.Join(home, "socket.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file is %v, %v; want 0600", info.Mode(), err)
	}
}
