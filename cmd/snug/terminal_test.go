//go:build linux

package main_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"snug/internal/qr"
)

// A screen is a person's terminal with a command on it.
type screen struct {
	t      *testing.T
	tty    *os.File // the person's end
	text   *lockedBuffer
	status chan int
	seen   int // bytes of text that were looked for already
}

// openTerminal makes a pair of pseudo-terminals (pty(7)): the person's end and the command's.
func openTerminal(t *testing.T) (person, command *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	var unlocked, number uint32
	for request, argument := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(argument))); errno != 0 {
			t.Fatal(errno)
		}
	}
	command, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, command
}

// onScreen starts a command on a terminal of its own. What is given as stdin is in the terminal's place.
func onScreen(t *testing.T, stdin io.Reader, args ...string) *screen {
	t.Helper()
	person, command := openTerminal(t)
	s := &screen{t: t, tty: person, text: new(lockedBuffer), status: make(chan int, 1)}
	cmd := exec.Command(binary, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = command, command, command
	if stdin != nil {
		cmd.Stdin = stdin
	}
	// Ctty is a descriptor of the command: its stderr.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	command.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(s.text, person) // ends with the last one who has the terminal open
	}()
	go func() {
		cmd.Wait()
		<-read
		s.status <- cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		person.Close()
	})
	return s
}

// shows waits until the screen shows text that matches, after what was looked for before, and returns its groups.
func (s *screen) shows(pattern string) []string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	ok := s.text.waitFor(func(text string) bool {
		at := re.FindStringSubmatchIndex(text[s.seen:])
		if at == nil {
			return false
		}
		found = re.FindStringSubmatch(text[s.seen:])
		s.seen += at[1]
		return true
	})
	if !ok {
		s.t.Fatalf("the screen does not show %q after byte %d:\n%s", pattern, s.seen, s.text)
	}
	return found
}

func (s *screen) types(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) ends(status int) {
	s.t.Helper()
	if got := <-s.status; got != status {
		s.t.Errorf("exit %d, want %d\n%s", got, status, s.text)
	}
}

// question is how two keys are shown: what is in the groups is the peer's digits and words, and ours.
const question = `(?s)its key +([0-9 \r\n]+?)\r?\n +([a-z ]+)\r\n.*your key +([0-9 \r\n]+?)\r?\n +([a-z ]+)\r\n.*anything else refuses: `

// keys are two keys on a screen, without what only lays them out.
func (s *screen) keys() (peer, ours string) {
	s.t.Helper()
	found := s.shows(question)
	line := func(i int) string {
		return strings.Join(strings.Fields(found[i]), "") + " " + strings.TrimSpace(found[i+1])
	}
	peer, ours = line(1), line(3)
	if len(strings.Fields(peer)) != 5 || len(strings.Fields(peer)[0]) != 60 {
		s.t.Fatalf("the peer's key is shown as %q, want 60 digits and four words", peer)
	}
	return peer, ours
}

// meeting has two people who know nothing of each other at their terminals.
func meeting(t *testing.T, between func(behind string) string) (listener, dialer *screen, here, there string) {
	t.Helper()
	here, there = filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "there")
	listener = onScreen(t, nil, "listen", "127.0.0.1:0", "--home", here)
	address := listener.shows(`listening on ([0-9.:]+); `)[1]
	if between != nil {
		address = between(address)
	}
	return listener, onScreen(t, nil, "dial", address, "--home", there), here, there
}

// TestFirstContact: both people compare, both accept, each remembers the other, and the next time needs no question.
func TestFirstContact(t *testing.T) {
	listener, dialer, here, there := meeting(t, nil)
	listenersPeer, listenersOwn := listener.keys()
	dialersPeer, dialersOwn := dialer.keys()
	if listenersPeer != dialersOwn || dialersPeer != listenersOwn {
		t.Errorf("the listener sees %q and %q, the dialer %q and %q", listenersPeer, listenersOwn, dialersPeer, dialersOwn)
	}
	listener.types("yes")
	listener.shows("A name to remember it by.*: ")
	listener.types("No Name")
	listener.shows("A name has at most")
	listener.types("alice")
	_, words, _ := strings.Cut(dialersPeer, " ")
	dialer.types(strings.ToUpper(words))
	dialer.shows("A name to remember it by.*: ")
	dialer.types("bob")
	listener.shows("connected with alice")
	dialer.shows("connected with bob")
	dialer.types("good to meet you")
	listener.shows("good to meet you")
	listener.types("\x04")
	dialer.ends(0)
	listener.ends(0)

	again := socketOf(t, here, "listen", "127.0.0.1:0", "alice")
	dialed := socketOf(t, there, "dial", again.event("listening")["addr"].(string), "bob")
	dialed.in.Close()
	again.in.Close()
	dialed.ends(0)
	again.ends(0)
}

// TestFirstContactRefused: anything but yes and the words is a no, and nobody is remembered.
func TestFirstContactRefused(t *testing.T) {
	for _, answer := range []string{"", "y", "no", "yes yes", "four other words here", "\x04"} {
		listener, dialer, _, there := meeting(t, nil)
		listener.keys()
		dialer.keys()
		dialer.types(answer)
		dialer.shows("was not accepted")
		if status := <-dialer.status; status != 3 {
			t.Errorf("%q: exit %d, want 3\n%s", answer, status, dialer.text)
		}
		listener.types(answer)
		listener.shows("refused 127")
		if list := (&person{t: t, handle: "dialer", home: there}).must("key", "list"); len(list) != 0 {
			t.Errorf("%q: %v is remembered", answer, list)
		}
	}
}

// TestFirstContactMiddle: with somebody in between, what the two people see is not what the other one has.
func TestFirstContactMiddle(t *testing.T) {
	listener, dialer, _, _ := meeting(t, func(behind string) string { return inBetween(t, behind, "snug-mtls/1") })
	listenersPeer, listenersOwn := listener.keys()
	dialersPeer, dialersOwn := dialer.keys()
	if listenersPeer == dialersOwn || dialersPeer == listenersOwn {
		t.Errorf("the listener sees %q and %q, the dialer %q and %q: the one in between is not seen", listenersPeer, listenersOwn, dialersPeer, dialersOwn)
	}
}

// TestFirstContactTaken: who is accepted under a name that is another's is refused all the same, loudly.
func TestFirstContactTaken(t *testing.T) {
	listener, dialer, here, _ := meeting(t, nil)
	(&person{t: t, handle: "listener", home: here}).must("key", "add", "bob", keyOf(t, here))
	dialer.keys()
	listener.keys()
	listener.types("yes")
	listener.shows("A name to remember it by.*: ")
	listener.types("bob")
	listener.shows("bob IS REMEMBERED WITH ANOTHER KEY")
	dialer.types("yes")
	dialer.shows("A name to remember it by.*: ")
	dialer.types("")
	dialer.ends(3)
}

// TestPasswordInterrupted: ctrl-C in the place of a password is an interruption like any other, and no try.
func TestPasswordInterrupted(t *testing.T) {
	_, address, password := inviting(t)
	dialer := onScreen(t, nil, "dial", address, "--password", "--home", filepath.Join(t.TempDir(), "home"))
	dialer.shows("password: ")
	dialer.types("\x03")
	dialer.shows("snug: interrupted\r?\n")
	dialer.ends(6)
	knows := dialKnowing(t, address, password)
	knows.event("connected")
}

// TestPasswordTyped: the password is asked for, and not shown.
func TestPasswordTyped(t *testing.T) {
	listener, address, password := inviting(t)
	dialer := onScreen(t, nil, "dial", address, "--password", "--home", filepath.Join(t.TempDir(), "home"))
	dialer.shows("password: ")
	dialer.types(password[:3] + "x\x7f" + password[3:]) // with a slip taken back
	dialer.shows("connected with")
	if strings.Contains(dialer.text.String(), password) {
		t.Errorf("the screen shows the password: %s", dialer.text)
	}
	dialer.types("\x04")
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)
}

// TestKeyShown: on a terminal the key is there to be typed, compared and scanned.
func TestKeyShown(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	shown := onScreen(t, nil, "key", "show", "--home", home)
	shown.shows(`to compare, all of it: (\d{5} ){11}\d{5}\r\n`)
	shown.shows("at a glance: [a-z]+ [a-z]+ [a-z]+ [a-z]+\r\n")
	code, err := qr.Encode(keyOf(t, home))
	if err != nil {
		t.Fatal(err)
	}
	shown.shows(regexp.QuoteMeta(strings.ReplaceAll(code.Terminal(), "\n", "\r\n")))
	shown.shows(keyOf(t, home) + "\r\n")
	shown.ends(0)
}

// TestSocketProgress: whoever pipes sees on the terminal how far it has come; in the end the line is gone.
func TestSocketProgress(t *testing.T) {
	content := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(content, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(content)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writing.Close()
	// They are there before the others, so that they would have shown a line when those do: a script, and a talk.
	quiet := make(map[string]*screen)
	for name, stdin := range map[string]io.Reader{"a script": strings.NewReader("text"), "a talk": nil} {
		listener, address, home, key := listening(t)
		args := []string{"dial", address, "--peer", key, "--home", home}
		if name == "a script" {
			args = append(args, "--json")
		}
		quiet[name] = onScreen(t, stdin, args...)
		listener.event("connected")
		quiet[name].shows("connected")
	}
	for name, row := range map[string]struct {
		stdin *os.File
		want  string
	}{
		"a pipe": {reading, `\r\x1b\[Ksnug: 1\.00 MiB sent, [0-9.]+ [KM]iB/s`},
		"a file": {file, `\r\x1b\[Ksnug: 1\.00 MiB of 1\.00 MiB sent, [0-9.]+ [KM]iB/s, 0:00 left`},
	} {
		listener, address, home, key := listening(t)
		dialer := onScreen(t, row.stdin, "dial", address, "--peer", key, "--home", home)
		if row.stdin == reading {
			writing.Write(make([]byte, 1<<20))
		}
		dialer.shows(row.want)
		if row.stdin == reading {
			writing.Close()
		}
		listener.in.Close() // only now is the dialer done
		dialer.ends(0)
		listener.ends(0)
		if !strings.Contains(dialer.text.String(), "\r\x1b[Ksnug: ended: 0 bytes received, 1048576 sent") {
			t.Errorf("%s: the line stays: %q", name, dialer.text)
		}
	}
	for name, dialer := range quiet {
		if text := dialer.text.String(); strings.Contains(text, "B/s") {
			t.Errorf("%s: the screen shows %q", name, text)
		}
	}
}
