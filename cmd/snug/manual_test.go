//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A manualJob is a job of docs/sockets.md: what is typed on each side, in order. The first pair has to do it from nothing.
type manualJob struct {
	title       string
	there, here []string
}

// manualJobs reads them from the page.
func manualJobs(t *testing.T) (jobs []manualJob) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "sockets.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		if !strings.HasPrefix(title, "Job ") {
			continue
		}
		job := manualJob{title: title}
		for _, block := range regexp.MustCompile("(?s)```sh (there|here)\n(.*?)```").FindAllStringSubmatch(body, -1) {
			if block[1] == "there" {
				job.there = append(job.there, block[2])
			} else {
				job.here = append(job.here, block[2])
			}
		}
		if len(job.there) == 0 || len(job.there) != len(job.here) {
			t.Errorf("%s: %d commands there and %d here, want as many, and one at least", title, len(job.there), len(job.here))
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// A machine is one of the two that the manual speaks of: a home, a directory to work in, and snug.
type machine struct {
	t        *testing.T
	dir      string
	replaced *strings.Replacer // the addresses
	env      []string
}

// machines are the two. Their addresses of loopback are nobody else's, so the manual's ports are free.
func machines(t *testing.T, job int, service string) (there, here *machine) {
	t.Helper()
	address := func(side int) string {
		return fmt.Sprintf("127.%d.%d.%d", 64+2*job+side, 1+os.Getpid()>>8%250, 1+os.Getpid()%250)
	}
	// The service is where the tests have one; in the tunnel's place here nothing listens yet.
	there = newMachine(t, strings.NewReplacer(" :9000", " "+address(0)+":9000", " :5433", " "+address(0)+":5433", "127.0.0.1:5432", service))
	here = newMachine(t, strings.NewReplacer("HOST:", address(0)+":", "127.0.0.1:5432", address(1)+":5432"))
	return there, here
}

func newMachine(t *testing.T, replaced *strings.Replacer) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), replaced: replaced}
	bin := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(bin, "snug")); err != nil {
		t.Fatal(err)
	}
	m.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "SNUG_HOME="+filepath.Join(t.TempDir(), "home"))
	return m
}

// A script is a block of the manual, running.
type script struct {
	t      *testing.T
	line   string
	out    *lockedBuffer // stdout and stderr
	status chan int
}

// runs starts a block as it stands in the manual, but for its addresses.
func (m *machine) runs(block string, env ...string) *script {
	m.t.Helper()
	s := &script{t: m.t, line: m.replaced.Replace(block), out: new(lockedBuffer), status: make(chan int, 1)}
	cmd := exec.Command("sh", "-c", s.line)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = m.dir, append(m.env, env...), alone
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		s.status <- cmd.ProcessState.ExitCode()
	}()
	// Alone, it is a group of its own, with all that it has started.
	m.t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return s
}

// says waits for what matches, and gives the group.
func (s *script) says(pattern string) string {
	s.t.Helper()
	re, found := regexp.MustCompile(pattern), []string(nil)
	if !s.out.waitFor(func(text string) bool { found = re.FindStringSubmatch(text); return found != nil }) {
		s.t.Fatalf("%s\nsays\n%s\nwant %q", s.line, s.out, pattern)
	}
	return found[len(found)-1]
}

func (s *script) ends() {
	s.t.Helper()
	if status := <-s.status; status != 0 {
		s.t.Fatalf("%s\nends with %d\n%s", s.line, status, s.out)
	}
}

// byPassword runs a pair whose first command makes a password, which the second is given.
func byPassword(there, here *machine, on, from string) (listener, dialer *script) {
	there.t.Helper()
	listener = there.runs(on)
	return listener, here.runs(from, "SNUG_PASSWORD="+listener.says(`tries: (\S+)\n`))
}

// TestManualJobs runs what docs/sockets.md says of each of its five jobs: two commands, from nothing, on two machines.
func TestManualJobs(t *testing.T) {
	does := []func(t *testing.T, job manualJob, there, here *machine){manualTalk, manualPipe, manualCommand, manualTunnel, manualTunnel}
	jobs := manualJobs(t)
	if len(jobs) != len(does) {
		t.Fatalf("the manual has %d jobs, want %d", len(jobs), len(does))
	}
	for i, job := range jobs {
		t.Run(job.title, func(t *testing.T) {
			there, here := machines(t, i, shouter(t))
			does[i](t, job, there, here)
		})
	}
}

// manualTalk has two people accept each other and exchange a line.
func manualTalk(t *testing.T, job manualJob, there, here *machine) {
	on := func(m *machine, block string) *screen {
		words := strings.Fields(m.replaced.Replace(block))
		if words[0] != "snug" {
			t.Fatalf("%q is no command for a terminal", block)
		}
		return onScreen(t, nil, append(words[1:], "--home", filepath.Join(m.dir, "home"))...)
	}
	listener := on(there, job.there[0])
	listener.shows("listening on ")
	dialer := on(here, job.here[0])
	for _, s := range []*screen{listener, dialer} {
		s.keys()
		s.types("yes")
		s.shows("A name to remember it by.*: ")
		s.types("friend")
	}
	listener.shows("connected with friend")
	dialer.shows("connected with friend")
	dialer.types("good to meet you")
	listener.shows("good to meet you")
	listener.types("\x04")
	dialer.ends(0)
	listener.ends(0)
}

// manualPipe makes a backup.
func manualPipe(t *testing.T, job manualJob, there, here *machine) {
	const name, text = "letter", "all of it\n"
	if err := os.WriteFile(filepath.Join(here.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, dialer := byPassword(there, here, job.there[0], job.here[0])
	dialer.ends()
	listener.ends()
	got, err := exec.Command("tar", "xOf", filepath.Join(there.dir, "backup.tar"), "./"+name).Output()
	if err != nil || string(got) != text {
		t.Errorf("the backup has %q, %v; want %q", got, err, text)
	}
}

// manualCommand asks the command by a password, and then by the names that were remembered.
func manualCommand(t *testing.T, job manualJob, there, here *machine) {
	listener, dialer := byPassword(there, here, job.there[0], job.here[0])
	dialer.ends()
	listener.ends()
	dialer.says("HELLO\n")
	there.runs(job.there[1]).says("listening on ")
	for range 2 {
		again := here.runs(job.here[1])
		again.ends()
		again.says("HELLO AGAIN\n")
	}
}

// manualTunnel uses the service through the tunnel.
func manualTunnel(t *testing.T, job manualJob, there, here *machine) {
	far, near := byPassword(there, here, job.there[0], job.here[0])
	far.says("route main listens on ")
	says(t, "tcp", near.says(`route main listens on (\S+)\n`), "through the tunnel")
}
