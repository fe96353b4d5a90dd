package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// A report gathers samples, and says what they come to.
type report struct {
	plan    plan
	samples map[string]map[string][]float64 // by program, and by what was measured
	terms   map[string]string               // by program: what its two ends agree on
	skipped []string
	failed  []string
	ours    bool // something of ours failed
}

func newReport(p plan) *report {
	return &report{plan: p, samples: make(map[string]map[string][]float64), terms: make(map[string]string)}
}

func (r *report) add(name, what string, v float64) {
	if r.samples[name] == nil {
		r.samples[name] = make(map[string][]float64)
	}
	r.samples[name][what] = append(r.samples[name][what], v)
}

func (r *report) skip(name, why string) { r.skipped = append(r.skipped, name+": "+why) }

func (r *report) fail(name string, err error) {
	r.failed = append(r.failed, name+": "+err.Error())
	r.ours = r.ours || kindOf(name).ours
}

// broken is an error where we have failed ourselves.
func (r *report) broken() error {
	if r.ours {
		return errors.New(strings.Join(r.failed, "; "))
	}
	return nil
}

// median gives that of the samples.
func (r *report) median(name, what string) (float64, bool) {
	s := slices.Sorted(slices.Values(r.samples[name][what]))
	if len(s) == 0 {
		return 0, false
	}
	if len(s)%2 == 0 {
		return (s[len(s)/2-1] + s[len(s)/2]) / 2, true
	}
	return s[len(s)/2], true
}

// Names of samples of processor time for each unit of a work, in microseconds.
const (
	endsCost      = "cost of "
	generatorCost = "generator's cost of "
)

// A column is a kind of figure.
type column struct {
	what, title string
	digits      int
	less        bool    // less is better
	scale       float64 // of samples to what is printed; 0 is 1
}

// columns are the figures of the work, as one sees them from outside.
func (r *report) columns() []column {
	var all []column
	for _, n := range r.plan.streams {
		all = append(all, column{what: fmt.Sprintf("bulk %d", n), title: fmt.Sprintf("bulk ×%d MiB/s", n)})
	}
	return append(all,
		column{what: "connections", title: "new conn/s"},
		column{what: "ping p50", title: "ping p50 µs", digits: 1, less: true},
		column{what: "ping p99", title: "p99 µs", digits: 1, less: true},
		column{what: "idle", title: "idle KiB", digits: 1, less: true})
}

// costs are the processor time that the same work takes, of both ends or of generator and backend.
func (r *report) costs(of string) []column {
	var all []column
	for _, n := range r.plan.streams {
		// Samples are microseconds for a MiB.
		all = append(all, column{what: of + fmt.Sprintf("bulk %d", n), title: fmt.Sprintf("bulk ×%d ms/GiB", n), less: true, scale: 1024.0 / 1000})
	}
	return append(all,
		column{what: of + "connections", title: "µs/conn", less: true},
		column{what: of + "ping", title: "µs/ping", digits: 1, less: true})
}

// print writes medians, and ratios to the best peer and to plain loopback.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d processors, medians of %d rounds", runtime.Version(), runtime.NumCPU(), r.plan.rounds)
	fmt.Fprintf(out, "; connections by %d at a time; idle with %d connections, both ends\n\n", r.plan.concurrent, r.plan.idle)
	r.table(out, r.columns(), true)
	fmt.Fprint(out, "\nProcessor time, user and system, of both ends:\n\n")
	r.table(out, r.costs(endsCost), true)
	fmt.Fprint(out, "\nThe same of generator and backend, which share the processors with them:\n\n")
	r.table(out, r.costs(generatorCost), false)
	fmt.Fprintln(out)
	for _, c := range slices.Concat(r.columns(), r.costs(endsCost)) {
		if name, v := r.best(c); name != "" {
			fmt.Fprintf(out, "best peer, %s: %s with %.*f\n", c.title, name, c.digits, v)
		}
	}
	if len(r.terms) > 0 {
		fmt.Fprint(out, "\nWhat the two ends agree on, as their ServerHello says; all keys are of P-256, which sign by ecdsa_secp256r1_sha256 and nothing else in TLS 1.3:\n\n")
	}
	for _, k := range kinds {
		if terms := r.terms[k.name]; terms != "" {
			fmt.Fprintf(out, "%s: %s\n", k.name, terms)
		}
	}
	for _, line := range r.skipped {
		fmt.Fprintln(out, "not measured: "+line)
	}
	for _, line := range r.failed {
		fmt.Fprintln(out, "failed: "+line)
	}
}

// table writes the columns of which there is anything.
func (r *report) table(out io.Writer, columns []column, ratios bool) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer w.Flush()
	columns = slices.DeleteFunc(columns, func(c column) bool {
		return !slices.ContainsFunc(kinds, func(k kind) bool { return len(r.samples[k.name][c.what]) > 0 })
	})
	head := "\t"
	for _, c := range columns {
		head += c.title + "\t"
	}
	fmt.Fprintln(w, head)
	for _, k := range kinds {
		if r.samples[k.name] == nil {
			continue
		}
		line := k.name + "\t"
		for _, c := range columns {
			text := "-"
			if v, ok := r.figure(k.name, c); ok {
				text = fmt.Sprintf("%.*f", c.digits, v)
			}
			line += text + "\t"
		}
		fmt.Fprintln(w, line)
	}
	for _, k := range kinds {
		if k.ours && ratios {
			r.ratios(w, k.name, columns)
		}
	}
}

// ratios compares one of ours; for all figures more is better then.
func (r *report) ratios(w io.Writer, name string, columns []column) {
	if r.samples[name] == nil {
		return
	}
	toBest, toPlain := name+" ÷ best peer\t", name+" ÷ plain\t"
	for _, c := range columns {
		ours, _ := r.figure(name, c)
		_, best := r.best(c)
		plain, _ := r.figure(plainName, c)
		toBest += ratio(ours, best, c.less) + "\t"
		toPlain += ratio(ours, plain, c.less) + "\t"
	}
	fmt.Fprintln(w, toBest)
	fmt.Fprintln(w, toPlain)
}

// figure gives what is printed of a column.
func (r *report) figure(name string, c column) (float64, bool) {
	v, ok := r.median(name, c.what)
	if c.scale != 0 {
		v *= c.scale
	}
	return v, ok
}

// best gives the best of the others.
func (r *report) best(c column) (name string, best float64) {
	for _, k := range kinds {
		v, ok := r.figure(k.name, c)
		if !ok || k.ours || k.bound {
			continue
		}
		if name == "" || c.less && v < best || !c.less && v > best {
			name, best = k.name, v
		}
	}
	return name, best
}

func ratio(ours, other float64, less bool) string {
	if ours <= 0 || other <= 0 {
		return "-"
	}
	if less {
		ours, other = other, ours
	}
	return fmt.Sprintf("%.2f", ours/other)
}
