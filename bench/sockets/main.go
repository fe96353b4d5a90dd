// Command sockets measures `snug tunnel` beside other programs that put TLS around a TCP service: stunnel, ghostunnel,
// spiped, socat, haproxy and nginx, whichever are on the machine. All carry the same work in the same run, one after the
// other in each round, and what is printed is the median of the rounds. docs/performance.md says how to read it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A plan is how much is measured.
type plan struct {
	rounds int
	work   []string
	// bulk is how many bytes go through in a sample, all streams together.
	bulk    int64
	streams []int
	// span is how long connections are made, and how long ping and pong go to and fro.
	span       time.Duration
	concurrent int
	idle       int
	settle     time.Duration
}

var (
	wholePlan = plan{rounds: 5, work: allWork, bulk: 1 << 30, streams: []int{1, 8}, span: 2 * time.Second, concurrent: 64, idle: 2000, settle: 6 * time.Second}
	quickPlan = plan{rounds: 1, work: allWork, bulk: 16 << 20, streams: []int{1, 2}, span: 100 * time.Millisecond, concurrent: 8, idle: 32, settle: 500 * time.Millisecond}
)

// The kinds of work.
const (
	workBulk        = "bulk"
	workConnections = "connections"
	workPing        = "ping"
	workIdle        = "idle"
)

var allWork = []string{workBulk, workConnections, workPing, workIdle}

func main() {
	if len(os.Args) > 1 && os.Args[1] == bareVerb {
		if err := bareEnd(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench: "+err.Error())
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	quick := flag.Bool("quick", false, "seconds: does it work? The figures say nothing")
	binary := flag.String("snug", "", "measure this binary instead of building one")
	only := flag.String("only", "", "measure these programs, separated by commas")
	work := flag.String("work", strings.Join(allWork, ","), "do these kinds of work, separated by commas")
	rounds := flag.Int("rounds", 0, "rounds; 5 where it is not given")
	flag.Parse()
	p := wholePlan
	if *quick {
		p = quickPlan
	}
	if *rounds > 0 {
		p.rounds = *rounds
	}
	p.work = strings.Split(*work, ",")
	var wanted []string
	if *only != "" {
		wanted = strings.Split(*only, ",")
	}
	if err := p.check(wanted); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(2)
	}
	if err := measure(ctx, p, *binary, wanted, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

// check refuses names that nothing has.
func (p plan) check(wanted []string) error {
	for _, name := range wanted {
		if kindOf(name).name == "" {
			return fmt.Errorf("no program is called %q", name)
		}
	}
	for _, work := range p.work {
		if !slices.Contains(allWork, work) {
			return fmt.Errorf("no work is called %q: %s", work, strings.Join(allWork, ", "))
		}
	}
	return nil
}

// does reports whether a kind of work is to be done.
func (p plan) does(work string) bool { return slices.Contains(p.work, work) }

// measure runs all programs through all rounds and prints the report.
func measure(ctx context.Context, p plan, binary string, wanted []string, out, log io.Writer) error {
	directory, err := os.MkdirTemp("", "bench-sockets-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	if binary == "" {
		if binary, err = build(ctx, directory); err != nil {
			return err
		}
	}
	m := &machine{directory: directory, snug: binary, log: log}
	if err := m.makeKeys(); err != nil {
		return err
	}
	if m.backend, err = newBackend(); err != nil {
		return err
	}
	defer m.backend.close()
	r := newReport(p)
	m.lookAll(ctx, wanted, r)
	running, err := m.startAll(wanted, r)
	defer func() {
		for _, t := range running {
			t.stop()
		}
	}()
	if err != nil {
		return err
	}
	if err := m.rounds(ctx, p, running, r); err != nil {
		return err
	}
	for _, t := range running {
		t.stop()
	}
	running = nil
	if p.does(workIdle) {
		m.idleAll(ctx, p, wanted, r)
	}
	r.print(out)
	return r.broken()
}

// rounds takes the samples.
func (m *machine) rounds(ctx context.Context, p plan, running []*tool, r *report) error {
	for round := range p.rounds {
		for i := range running {
			// Another one is first in each round.
			t := running[(i+round)%len(running)]
			fmt.Fprintf(m.log, "bench: round %d of %d: %s\n", round+1, p.rounds, t.name)
			if err := m.sample(ctx, p, t, r); err != nil {
				r.fail(t.name, err)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// build compiles the binary from the checkout.
func build(ctx context.Context, directory string) (string, error) {
	binary := filepath.Join(directory, "snug")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "snug/cmd/snug").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building snug: %w\n%s", err, out)
	}
	return binary, nil
}

// lookAll notes what each pair agrees on.
func (m *machine) lookAll(ctx context.Context, wanted []string, r *report) {
	for _, k := range kinds {
		if k.lines == nil || k.program != "" && which(k.program) == "" || len(wanted) > 0 && !slices.Contains(wanted, k.name) || ctx.Err() != nil {
			continue
		}
		terms, err := m.look(k)
		if err != nil {
			terms = err.Error()
		}
		r.terms[k.name] = terms
	}
}

// startAll starts what is there.
func (m *machine) startAll(wanted []string, r *report) (running []*tool, err error) {
	for _, k := range kinds {
		if len(wanted) > 0 && !slices.Contains(wanted, k.name) {
			continue
		}
		if k.program != "" && which(k.program) == "" {
			r.skip(k.name, k.program+" is not there")
			continue
		}
		t, err := m.start(k)
		if err != nil {
			if k.ours {
				return running, fmt.Errorf("%s: %w", k.name, err)
			}
			r.skip(k.name, err.Error())
			continue
		}
		running = append(running, t)
	}
	return running, nil
}

// sample takes every kind of figure once, but for memory.
func (m *machine) sample(ctx context.Context, p plan, t *tool, r *report) error {
	if p.does(workBulk) {
		for _, n := range p.streams {
			what := fmt.Sprintf("bulk %d", n)
			y, err := t.metered(r, what, func() (yield, error) { return bulk(t.address, n, p.bulk) })
			if err != nil {
				return fmt.Errorf("bulk: %w", err)
			}
			r.add(t.name, what, y.rate())
		}
	}
	if p.does(workConnections) {
		y, err := t.metered(r, "connections", func() (yield, error) { return connections(ctx, t.address, p.concurrent, p.span) })
		if err != nil {
			return fmt.Errorf("connections: %w", err)
		}
		r.add(t.name, "connections", y.rate())
	}
	if p.does(workPing) {
		var half, worst float64
		_, err := t.metered(r, "ping", func() (y yield, err error) {
			y, half, worst, err = ping(t.address, p.span)
			return y, err
		})
		if err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		r.add(t.name, "ping p50", half)
		r.add(t.name, "ping p99", worst)
	}
	return nil
}

// metered does some work, and notes the processor time that it took for each unit: of both ends, and of this process.
func (t *tool) metered(r *report, what string, work func() (yield, error)) (yield, error) {
	ends, err := t.spent()
	if err != nil {
		return yield{}, err
	}
	ours := ourSpent()
	y, err := work()
	if err != nil {
		return yield{}, err
	}
	ours = ourSpent() - ours
	after, err := t.spent()
	if err != nil {
		return yield{}, err
	}
	if t.processes != nil {
		r.add(t.name, endsCost+what, (after-ends).Seconds()*1e6/y.units)
	}
	r.add(t.name, generatorCost+what, ours.Seconds()*1e6/y.units)
	return y, nil
}

// idleAll measures memory, of one program after the other, started anew.
func (m *machine) idleAll(ctx context.Context, p plan, wanted []string, r *report) {
	for _, k := range kinds {
		if k.lines == nil || k.forks || len(wanted) > 0 && !slices.Contains(wanted, k.name) || k.program != "" && which(k.program) == "" {
			continue
		}
		t, err := m.start(k)
		if err != nil {
			r.fail(k.name, err)
			continue
		}
		kib, err := m.idle(ctx, p, t)
		t.stop()
		if err != nil {
			r.fail(k.name, fmt.Errorf("idle: %w", err))
			continue
		}
		r.add(k.name, "idle", kib)
	}
}
