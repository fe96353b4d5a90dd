package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shouter runs a service that answers in capitals, as it hears.
func shouter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				// Who does not read yet does not keep the service from hearing.
				heard := make(chan []byte, 1<<10)
				go func() {
					defer close(heard)
					for b, err := []byte(nil), error(nil); err == nil; {
						n := 0
						b = make([]byte, 32<<10)
						n, err = conn.Read(b)
						heard <- b[:n]
					}
				}()
				for b := range heard {
					conn.Write(bytes.ToUpper(b))
				}
			}()
		}
	}()
	return l.Addr().String()
}

// greeter runs a service that speaks first, as those for mail do.
func greeter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "220 mail.example.org\r\n")
			go func() { io.Copy(io.Discard, conn); conn.Close() }()
		}
	}()
	return l.Addr().String()
}

// say says something to an address, and gives the whole answer.
func say(network, address, text string) (string, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	conn.(interface{ CloseWrite() error }).CloseWrite()
	b, err := io.ReadAll(conn)
	return string(b), err
}

// says sees that the answer is the shouter's.
func says(t *testing.T, network, address, text string) {
	t.Helper()
	if got, err := say(network, address, text); err != nil || got != strings.ToUpper(text) {
		t.Errorf("%s: got %q, %v; want %q", address, got, err, strings.ToUpper(text))
	}
}

// tunnelPair starts both ends, in a line each.
func tunnelPair(t *testing.T, service string, flags ...string) (far, near *socket, address string, homes [2]string) {
	t.Helper()
	homes = [2]string{filepath.Join(t.TempDir(), "far"), filepath.Join(t.TempDir(), "near")}
	far = running(t, append([]string{"tunnel", "--listen", "127.0.0.1:0", "--to", service, "--tls", "accept", "--peer", keyOf(t, homes[1]), "--home", homes[0], "--json"}, flags...)...)
	address = far.event("listening")["addr"].(string)
	near = running(t, "tunnel", "--listen", "127.0.0.1:0", "--to", address, "--tls", "connect", "--peer", keyOf(t, homes[0]), "--home", homes[1], "--json")
	return far, near, address, homes
}

// TestTunnel: both ends in one line each; SIGTERM ends them when their streams have ended.
func TestTunnel(t *testing.T) {
	far, near, _, _ := tunnelPair(t, shouter(t))
	at := near.event("listening")["addr"].(string)
	for _, text := range []string{"hello", "", strings.Repeat("all of it ", 100_000)} {
		says(t, "tcp", at, text)
	}
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "last words")
	b := make([]byte, len("LAST WORDS"))
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "LAST WORDS" {
		t.Fatalf("before it drains: got %q, %v", b, err)
	}
	for _, end := range []*socket{near, far} {
		end.cmd.Process.Signal(syscall.SIGTERM)
	}
	io.WriteString(conn, ", and more")
	conn.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(conn); err != nil || string(b) != ", AND MORE" {
		t.Errorf("while it drains: got %q, %v", b, err)
	}
	near.ends(0)
	far.ends(0)
}

// TestTunnelRoutes: a file of routes with remembered peers; SIGHUP reads it again, and a mistake in it changes nothing.
func TestTunnelRoutes(t *testing.T) {
	service, dir := shouter(t), t.TempDir()
	far, near := filepath.Join(dir, "far"), filepath.Join(dir, "near")
	for home, other := range map[string]string{far: near, near: far} {
		if out, err := exec.Command(binary, "key", "add", "friend", keyOf(t, other), "--home", home).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	file := filepath.Join(dir, "routes")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tls := filepath.Join(dir, "tls")
	route := "route %s\n\tlisten unix:" + dir + "/%s\n\tto " + service + "\n\ttls accept\n\tallow peer:friend\n"
	write(fmt.Sprintf(route, "first", "tls"))
	end := running(t, "tunnel", "--routes", file, "--home", far, "--json")
	end.event("listening")
	nearEnd := running(t, "tunnel", "--listen", "127.0.0.1:0", "--to", "unix:"+tls, "--tls", "connect", "--peer", "friend", "--home", near, "--json")
	at := nearEnd.event("listening")["addr"].(string)
	says(t, "tcp", at, "first")

	write("route first\n\tlisten nowhere\n")
	end.cmd.Process.Signal(syscall.SIGHUP)
	if reason, _ := end.event("failed")["reason"].(string); !strings.Contains(reason, "line 2") {
		t.Errorf("the mistake is told as %q, want its line", reason)
	}
	says(t, "tcp", at, "still there")

	write(fmt.Sprintf(route, "first", "tls") + fmt.Sprintf(route, "second", "tls2"))
	end.cmd.Process.Signal(syscall.SIGHUP)
	end.event("reloaded")
	says(t, "tcp", at, "and still")
	second := running(t, "tunnel", "--listen", "unix:"+dir+"/plain2", "--to", "unix:"+tls+"2", "--tls", "connect", "--peer", "friend", "--home", near, "--json")
	second.event("listening")
	says(t, "unix", dir+"/plain2", "second")

	// Whoever is forgotten is out, without a signal.
	if out, err := exec.Command(binary, "key", "forget", "friend", "--home", far).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := say("tcp", at, "out"); errors.Is(err, syscall.ECONNRESET) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("a forgotten peer gets %v, want a reset", err)
		}
	}
}

// TestTunnelRoutesFlags: flags of the whole tunnel hold beside a file that says nothing of them.
func TestTunnelRoutesFlags(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	route := "route only\n\tlisten 127.0.0.1:0\n\tto 127.0.0.1:1\n\ttls accept\n\tallow key:" + keyOf(t, home) + "\n"
	for _, row := range []struct{ name, text, want string }{
		{"silent", route, `{"routes":1,"metrics":"127.0.0.1:9120","drain":5}`},
		{"not-silent", "metrics 127.0.0.1:9121\ndrain 1m\n" + route, `{"routes":1,"metrics":"127.0.0.1:9121","drain":60}`},
	} {
		file := filepath.Join(dir, row.name)
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(binary, "tunnel", "--routes", file, "--drain", "5s", "--metrics", "127.0.0.1:9120", "--home", home, "--check", "--json").Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != row.want {
			t.Errorf("%s: got %s, %v; want %s", row.name, got, err, row.want)
		}
	}
}

// TestTunnelActivation: systemd passes a listening socket, and the tunnel takes it by its name.
func TestTunnelActivation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	homes := [2]string{filepath.Join(t.TempDir(), "far"), filepath.Join(t.TempDir(), "near")}
	cmd := exec.Command("sh", "-c", `export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=database; exec "$@"`, "sh",
		binary, "tunnel", "--listen", "fd:database", "--to", shouter(t), "--tls", "accept", "--peer", keyOf(t, homes[1]), "--home", homes[0], "--json")
	cmd.ExtraFiles = []*os.File{file}
	log := new(lockedBuffer)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	file.Close()
	l.Close()
	near := running(t, "tunnel", "--listen", "127.0.0.1:0", "--to", l.Addr().String(), "--tls", "connect", "--peer", keyOf(t, homes[0]), "--home", homes[1], "--json")
	says(t, "tcp", near.event("listening")["addr"].(string), "passed on")
	if strings.Contains(log.String(), "failed") {
		t.Errorf("it says\n%s", log)
	}
}

// TestTunnelBadInput gives each kind of it its status and one line that says what to do.
func TestTunnelBadInput(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	key, service := keyOf(t, home), shouter(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	bad := filepath.Join(t.TempDir(), "routes")
	if err := os.WriteFile(bad, []byte("route a\n\tlisten 127.0.0.1:0\n\tto x:1\n\ttls sideways\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "key", "add", "friend", key, "--home", home).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	good := []string{"--listen", "127.0.0.1:0", "--to", service, "--tls", "accept"}
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	keyOf(t, other)
	shared := filepath.Join(dir, "shared")
	for path, mode := range map[string]os.FileMode{shared: 0o644, filepath.Join(dir, "web.pem"): 0o644} {
		text, err := os.ReadFile(filepath.Join(home, "socket.pem"))
		if err == nil {
			err = os.WriteFile(path, text, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name   string
		status int
		words  string
		todo   string
		args   []string
	}{
		{"nobody named", 2, "who may be at the other end", "--peer FINGERPRINT", good},
		{"a peer who is not remembered", 4, "none of the peers", "snug key add", append(good, "--peer", "bob")},
		{"a contact, where a peer is remembered by that name", 2, "do not know contacts", "--peer FINGERPRINT", append(good, "--check", "--peer", "@friend")},
		{"no side of TLS", 2, "on which side is TLS", "--tls accept", []string{"--listen", ":1", "--to", service, "--peer", key}},
		{"an open door", 2, "anybody who reaches", "try: snug tunnel", []string{"--listen", ":0", "--to", service, "--tls", "connect", "--peer", key}},
		{"a name without an authority", 2, "authority FILE", "try: snug tunnel", append(good, "--allow", "cn:web")},
		{"no key file", 1, "no such file", "snug pki issue", append(good, "--peer", key, "--key", "/nonexistent")},
		{"a key that others can read", 1, "must be 0600", "chmod 600", append(good, "--peer", key, "--key", shared)},
		{"a key of another certificate", 1, "is not that of the certificate", "go together", append(good, "--peer", key, "--certificate", filepath.Join(dir, "web.pem"), "--key", filepath.Join(other, "socket.pem"))},
		{"no certificate in the file", 1, "CERTIFICATE", "PEM", append(good, "--peer", key, "--certificate", bad)},
		{"no authority there", 1, "no such file", "snug pki init", append(good, "--allow", "cn:web", "--authority", "/nonexistent")},
		{"a port in use", 1, "address already in use", "listens there already", []string{"--listen", busy.Addr().String(), "--to", service, "--tls", "accept", "--peer", key}},
		{"no address of ours", 1, "assign requested address", "no address of this machine", []string{"--listen", "192.0.2.1:0", "--to", service, "--tls", "accept", "--peer", key}},
		{"no directory for a Unix socket", 1, "no such file", "the directory of a Unix socket", []string{"--listen", "unix:/nonexistent/socket", "--to", service, "--tls", "accept", "--peer", key}},
		{"metrics for everybody", 1, "this machine only", "--metrics 127.0.0.1:9120", append(good, "--peer", key, "--metrics", "0.0.0.0:0")},
		{"metrics at a port in use", 1, "address already in use", "listens there already", append(good, "--peer", key, "--metrics", busy.Addr().String())},
		{"a socket that nobody passed", 1, "has passed no socket", "FileDescriptorName", []string{"--listen", "fd:x", "--to", service, "--tls", "accept", "--peer", key}},
		{"no file of routes", 1, "no such file", "docs/tunnel.md", []string{"--routes", "/nonexistent"}},
		{"a mistake in the file", 2, "line 4", "docs/tunnel.md", []string{"--routes", bad}},
		{"a file and flags", 2, "belongs in the file", "try: snug tunnel --routes", append(good, "--routes", bad)},
		{"a drain before its time", 2, "--drain", "--drain 30s", append(good, "--check", "--peer", key, "--drain", "-5s")},
		{"a flag to accept anybody", 2, "there is no flag -insecure", "try: snug tunnel", append(good, "--insecure")},
	} {
		cmd := exec.Command(binary, append([]string{"tunnel", "--home", home}, row.args...)...)
		cmd.SysProcAttr = alone
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Run()
		// What went wrong in one line, and what to do in another.
		what, todo, _ := strings.Cut(stderr.String(), "\n")
		if status := cmd.ProcessState.ExitCode(); status != row.status || !strings.Contains(what, row.words) {
			t.Errorf("%s: exit %d, %q; want %d with %q", row.name, status, what, row.status, row.words)
		}
		if strings.Count(todo, "\n") != 1 || !strings.HasPrefix(todo, "snug: ") || !strings.Contains(todo, row.todo) {
			t.Errorf("%s: to do is %q; want one line with %q", row.name, todo, row.todo)
		}
	}
	out, err := exec.Command(binary, append([]string{"tunnel", "--home", home, "--check", "--peer", key}, good...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "right") {
		t.Errorf("--check: %s, %v", out, err)
	}
}

// TestDoctorVerb: the line, what to type, and the status.
func TestDoctorVerb(t *testing.T) {
	_, _, address, homes := tunnelPair(t, shouter(t))
	stranger := filepath.Join(t.TempDir(), "stranger")
	strangerKey, farKey := keyOf(t, stranger), keyOf(t, homes[0])
	for _, row := range []struct {
		name   string
		status int
		words  []string
		args   []string
	}{
		{"well", 0, []string{"both sides accept each other"}, []string{address, "--home", homes[1], "--peer", farKey}},
		{"nobody named", 3, []string{"its key is " + farKey, "--peer " + farKey}, []string{address, "--home", homes[1]}},
		{"another expected", 3, []string{"the rule here is key:" + strangerKey, "--peer " + farKey}, []string{address, "--home", homes[1], "--peer", strangerKey}},
		{"refused there", 3, []string{"refuses us", "--peer " + strangerKey}, []string{address, "--home", stranger, "--peer", farKey}},
		{"nobody there", 5, []string{"nobody listens"}, []string{nowhere, "--home", stranger, "--peer", farKey}},
		{"no TLS there", 3, []string{"speaks no TLS"}, []string{greeter(t), "--home", stranger, "--peer", farKey}},
		{"a contact", 2, []string{"do not know contacts"}, []string{address, "--home", homes[1], "--peer", "@friend"}},
		{"no address", 2, []string{"HOST:PORT"}, []string{"example", "--home", stranger}},
	} {
		cmd := exec.Command(binary, append([]string{"doctor"}, row.args...)...)
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.ExitCode(); status != row.status {
			t.Errorf("%s: exit %d, %s; want %d", row.name, status, out, row.status)
		}
		for _, want := range row.words {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: %s; want %q", row.name, out, want)
			}
		}
	}
}
