package main_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestListenExec runs a command for each of several peers at once, until it is stopped.
func TestListenExec(t *testing.T) {
	listener, address, home, key := listening(t, "--keep", "--exec", `echo "$SNUG_PEER"; tr a-z A-Z`)
	dialers := make([]*socket, 3)
	for i := range dialers {
		dialers[i] = socketOf(t, home, "dial", address, key)
		dialers[i].prints(keyOf(t, home) + "\n") // each has its own while the others are there
	}
	for _, d := range dialers {
		io.WriteString(d.in, "shout")
		d.in.Close()
	}
	for _, d := range dialers {
		d.ends(0)
		if want := keyOf(t, home) + "\nSHOUT"; d.out.String() != want {
			t.Errorf("the command answered %q, want %q", d.out, want)
		}
	}
	listener.cmd.Process.Signal(syscall.SIGINT)
	listener.ends(0)
}

// TestListenInterrupted: who waits for a stream and is stopped before anybody came has nothing that a script may take for
// all of it. With --keep there is no such stream.
func TestListenInterrupted(t *testing.T) {
	someone := keyOf(t, filepath.Join(t.TempDir(), "someone"))
	for _, row := range []struct {
		name   string
		signal syscall.Signal
		status int
		flags  []string
	}{
		{"a known key, SIGTERM", syscall.SIGTERM, 6, []string{"--peer", someone}},
		{"a known key, SIGINT", syscall.SIGINT, 6, []string{"--peer", someone}},
		{"a password, SIGTERM", syscall.SIGTERM, 6, []string{"--password"}},
		{"a command, SIGTERM", syscall.SIGTERM, 6, []string{"--peer", someone, "--exec", "cat"}},
		{"a command for each, SIGTERM", syscall.SIGTERM, 0, []string{"--peer", someone, "--exec", "cat", "--keep"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			listener := openSocket(t, filepath.Join(t.TempDir(), "home"), "listen", "127.0.0.1:0", row.flags...)
			listener.event("listening")
			listener.cmd.Process.Signal(row.signal)
			listener.ends(row.status)
			if row.status != 0 && !strings.Contains(listener.log.String(), "interrupted before anybody came") {
				t.Errorf("it says %q, want why it has nothing", listener.log)
			}
		})
	}
}

// TestListenExecEndings: what ends a command, and what its end is to the peer.
func TestListenExecEndings(t *testing.T) {
	for _, row := range []struct {
		name, command    string
		listener, dialer int
	}{
		{"it has seen enough", "head -c 4", 0, 0},
		{"it reads nothing", "echo done; exit 0", 0, 0},
		{"it fails after half of its answer", "echo half; exit 7", 1, 6},
		{"it is killed", "echo half; kill -9 $$", 1, 6},
		{"it is not there", "exec 2>/dev/null; /nonexistent/command", 1, 6}, // the shell would say so among the events
	} {
		t.Run(row.name, func(t *testing.T) {
			listener, address, home, key := listening(t, "--exec", row.command)
			dialer := socketOf(t, home, "dial", address, key)
			go func() {
				io.WriteString(dialer.in, strings.Repeat("much ", 50_000))
				dialer.in.Close()
			}()
			dialer.ends(row.dialer)
			listener.ends(row.listener)
		})
	}
}

// TestListenExecCut: a command whose peer is cut off does not get to take what came for all there is.
func TestListenExecCut(t *testing.T) {
	dir := t.TempDir()
	complete := filepath.Join(dir, "complete")
	// The command is a child of the shell: it must go with it. What it has received it says on the listener's stderr,
	// as JSON, because that is where the events are.
	listener, address, home, key := listening(t, "--exec", "(tee /dev/stderr >/dev/null; touch '"+complete+"'); true")
	dialer := socketOf(t, home, "dial", address, key)
	const half = `{"half":"of it"}` + "\n"
	io.WriteString(dialer.in, half)
	if !listener.log.waitFor(func(text string) bool { return strings.Contains(text, half) }) {
		t.Fatalf("the command never saw its input\n%s", listener.log)
	}
	dialer.cmd.Process.Kill()
	listener.ends(6)
	if _, err := os.Stat(complete); err == nil {
		t.Error("the command took a cut for an end")
	}
}
