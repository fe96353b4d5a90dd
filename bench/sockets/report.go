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
	skipped []string
	failed  []string
	ours    bool // something of ours failed
}

func newReport(p plan) *report {
	return &report{plan: p, samples: make(map[string]map[string][]float64)}
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

// A column is a kind of figure.
type column struct {
	what, title string
	digits      int
	less        bool // less is better
}

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

// print writes medians, and ratios to the best peer and to plain loopback.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d processors, medians of %d rounds", runtime.Version(), runtime.NumCPU(), r.plan.rounds)
	fmt.Fprintf(out, "; connections by %d at a time; idle with %d connections, both ends\n\n", r.plan.concurrent, r.plan.idle)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	columns := r.columns()
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
			if v, ok := r.median(k.name, c.what); ok {
				text = fmt.Sprintf("%.*f", c.digits, v)
			}
			line += text + "\t"
		}
		fmt.Fprintln(w, line)
	}
	for _, k := range kinds {
		if k.ours {
			r.ratios(w, k.name, columns)
		}
	}
	w.Flush()
	fmt.Fprintln(out)
	for _, c := range columns {
		if name, v := r.best(c); name != "" {
			fmt.Fprintf(out, "best peer, %s: %s with %.*f\n", c.title, name, c.digits, v)
		}
	}
	for _, line := range r.skipped {
		fmt.Fprintln(out, "not measured: "+line)
	}
	for _, line := range r.failed {
		fmt.Fprintln(out, "failed: "+line)
	}
}

// ratios compares one of ours; for all figures more is better then.
func (r *report) ratios(w io.Writer, name string, columns []column) {
	if r.samples[name] == nil {
		return
	}
	toBest, toPlain := name+" ÷ best peer\t", name+" ÷ plain\t"
	for _, c := range columns {
		ours, _ := r.median(name, c.what)
		_, best := r.best(c)
		plain, _ := r.median(plainName, c.what)
		toBest += ratio(ours, best, c.less) + "\t"
		toPlain += ratio(ours, plain, c.less) + "\t"
	}
	fmt.Fprintln(w, toBest)
	fmt.Fprintln(w, toPlain)
}

// best gives the best of the others.
func (r *report) best(c column) (name string, best float64) {
	for _, k := range kinds {
		v, ok := r.median(k.name, c.what)
		if !ok || k.ours || k.name == plainName {
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
