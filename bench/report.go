package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Report is everything that a run has measured.
type Report struct {
	Cores     int     `json:"cores"`
	GoVersion string  `json:"go"`
	Payload   int     `json:"payload_bytes"`
	Seconds   float64 `json:"run_seconds"`
	// Bounds were measured before and after the scenarios. Unrest is the largest ratio between the two; where it is over
	// maxUnrest the machine was doing something else, and the figures are of no use to anybody.
	Bounds   []Bounds   `json:"bounds"`
	Unrest   float64    `json:"unrest"`
	Startup  Startup    `json:"startup"`
	Messages []Messages `json:"messages"`
	Fanout   []Fanout   `json:"fanout"`
	CatchUp  []CatchUp  `json:"catch_up"`
	Idle     Idle       `json:"idle"`
	Goals    []Goal     `json:"goals"`

	hasGoals bool
}

// Bounds is what disk and library allow on this machine, at this moment.
type Bounds struct {
	Disk DiskBound   `json:"disk"`
	Echo []EchoBound `json:"echo"`
}

// Goal is what we promise ourselves, and what the run reached.
type Goal struct {
	Name  string  `json:"name"`
	Want  float64 `json:"want"`
	Got   float64 `json:"got"`
	Unit  string  `json:"unit"`
	AtMin bool    `json:"at_least"` // else at most
	Met   bool    `json:"met"`
}

// The goals are for two cores with the generator beside the server, and an fdatasync before every ack.
const (
	goalWindow1    = 10_000 // messages/s
	goalWindow16   = 30_000 // messages/s
	goalIdle       = 30     // KiB for each of 5,000 connections
	goalReady      = 1      // s
	goalServerIdle = 64     // MiB
)

func newReport(p plan) *Report {
	return &Report{Cores: runtime.NumCPU(), GoVersion: runtime.Version(), Payload: p.payload, hasGoals: p.goals}
}

// maxUnrest is how far the bounds may differ on a machine that counts as quiet.
const maxUnrest = 1.25

// compare fills in the ratios to the bounds, and the goals.
func (r *Report) compare() {
	r.Unrest = r.unrest()
	worst := make(map[int]float64) // of all numbers of senders, by window
	for i := range r.Messages {
		m := &r.Messages[i]
		if echo := r.echo(m.Senders, m.Window); echo > 0 {
			m.TimesEcho = m.AckedPerSecond / echo
		}
		if syncs := r.mean(func(b Bounds) float64 { return b.Disk.SyncsPerSecond }); syncs > 0 {
			m.PerSync = m.AckedPerSecond / syncs
		}
		reached := min(m.AckedPerSecond, m.DeliveredPerSecond)
		if before, ok := worst[m.Window]; !ok || reached < before {
			worst[m.Window] = reached
		}
	}
	if r.hasGoals {
		r.compareGoals(worst)
	}
}

// compareGoals takes the slowest of all numbers of senders by window.
func (r *Report) compareGoals(worst map[int]float64) {
	for _, goal := range []struct {
		window int
		want   float64
	}{{1, goalWindow1}, {16, goalWindow16}} {
		if reached, ok := worst[goal.window]; ok {
			r.atLeast(fmt.Sprintf("messages at window %d", goal.window), reached, goal.want, "/s")
		}
	}
	if r.Idle.Connections > 0 {
		r.atMost("idle connection", r.Idle.PerConnectionKiB, goalIdle, "KiB")
	}
	if r.Startup.Starts > 0 {
		r.atMost("start to ready, empty directory", r.Startup.EmptyMostSeconds, goalReady, "s")
		r.atMost("start to ready, with data", r.Startup.DataSeconds, goalReady, "s")
		r.atMost("idle server", float64(r.Startup.IdleKiB)/1024, goalServerIdle, "MiB")
	}
}

func (r *Report) atLeast(name string, got, want float64, unit string) {
	r.Goals = append(r.Goals, Goal{Name: name, Want: want, Got: got, Unit: unit, AtMin: true, Met: got >= want})
}

func (r *Report) atMost(name string, got, want float64, unit string) {
	r.Goals = append(r.Goals, Goal{Name: name, Want: want, Got: got, Unit: unit, Met: got <= want})
}

// unrest gives the largest ratio between what bounds were before and after.
func (r *Report) unrest() float64 {
	most := 1.0
	if len(r.Bounds) != 2 {
		return most
	}
	note := func(a, b float64) {
		if low := min(a, b); low > 0 {
			most = max(most, max(a, b)/low)
		}
	}
	before, after := r.Bounds[0], r.Bounds[1]
	note(before.Disk.SyncsPerSecond, after.Disk.SyncsPerSecond)
	note(before.Disk.BatchedPerSecond, after.Disk.BatchedPerSecond)
	for i := range min(len(before.Echo), len(after.Echo)) {
		note(before.Echo[i].PerSecond, after.Echo[i].PerSecond)
	}
	return most
}

// echo gives the mean of the echo bounds measured with these connections and window.
func (r *Report) echo(connections, window int) float64 {
	return r.mean(func(b Bounds) float64 {
		for _, e := range b.Echo {
			if e.Connections == connections && e.Window == window {
				return e.PerSecond
			}
		}
		return 0
	})
}

func (r *Report) mean(of func(Bounds) float64) float64 {
	var sum float64
	for _, b := range r.Bounds {
		sum += of(b)
	}
	if len(r.Bounds) == 0 {
		return 0
	}
	return sum / float64(len(r.Bounds))
}

// writeJSON prints the report as one object.
func (r *Report) writeJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// writeTable prints the report for people.
func (r *Report) writeTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") }
	title := func(text string) {
		// Flushed, so that every table has columns of its own.
		w.Flush()
		fmt.Fprintf(out, "\n%s\n", text)
	}
	fmt.Fprintf(out, "%d cores, %s, payloads of %d bytes, %.0f s in all; latencies in milliseconds\n",
		r.Cores, r.GoVersion, r.Payload, r.Seconds)
	for _, table := range []func(func(string), func(...string)){
		r.boundsTable, r.messagesTable, r.fanoutTable, r.catchUpTable, r.idleTable, r.startupTable,
	} {
		table(title, row)
	}
	if r.Unrest > maxUnrest {
		title(fmt.Sprintf("THE MACHINE WAS NOT QUIET: bounds differ by a factor of %s between before and after", figure(r.Unrest)))
	}
	if len(r.Goals) > 0 {
		title("goals")
	}
	for _, g := range r.Goals {
		relation, verdict := "at most", "missed"
		if g.AtMin {
			relation = "at least"
		}
		if g.Met {
			verdict = "met"
		}
		row(g.Name, figure(g.Got)+" "+g.Unit, relation+" "+figure(g.Want), verdict)
	}
	return w.Flush()
}

func (r *Report) boundsTable(title func(string), row func(...string)) {
	if len(r.Bounds) == 0 {
		return
	}
	title("bounds: the disk, and an echo over the same TLS and WebSocket library")
	row("", "fdatasync/s", fmt.Sprintf("in %ds, messages/s", diskBatch))
	for i, b := range r.Bounds {
		row(moment(i), figure(b.Disk.SyncsPerSecond), figure(b.Disk.BatchedPerSecond))
	}
	title("")
	row("", "connections", "window", "echo/s", "p50", "p99", "CPU µs")
	for i, b := range r.Bounds {
		for _, e := range b.Echo {
			row(moment(i), count(e.Connections), count(e.Window), figure(e.PerSecond), ms(e.RoundTrip.P50), ms(e.RoundTrip.P99),
				figure(e.ServerCPU))
		}
	}
}

func moment(i int) string {
	if i == 0 {
		return "before"
	}
	return "after"
}

func (r *Report) messagesTable(title func(string), row func(...string)) {
	if len(r.Messages) == 0 {
		return
	}
	title("messages: each sender in a sealed room with one follower; acked is durable")
	row("senders", "window", "acked/s", "delivered/s", "ack p50", "p90", "p99", "p99.9", "delivery p50", "p90", "p99", "p99.9",
		"server CPU µs", "generator µs", "bytes written", "× echo", "per fdatasync")
	for _, m := range r.Messages {
		row(count(m.Senders), count(m.Window), figure(m.AckedPerSecond), figure(m.DeliveredPerSecond),
			ms(m.Ack.P50), ms(m.Ack.P90), ms(m.Ack.P99), ms(m.Ack.P999),
			ms(m.Delivery.P50), ms(m.Delivery.P90), ms(m.Delivery.P99), ms(m.Delivery.P999),
			figure(m.ServerCPU), figure(m.GeneratorCPU), figure(m.Written), figure(m.TimesEcho), figure(m.PerSync))
	}
}

func (r *Report) fanoutTable(title func(string), row func(...string)) {
	if len(r.Fanout) == 0 {
		return
	}
	title("fan-out: one sender, one room; a message is under way until the last follower has it")
	row("followers", "window", "messages", "deliveries/s", "to the last: p50", "p90", "p99", "to each: p50", "p99", "server CPU µs")
	for _, f := range r.Fanout {
		row(count(f.Followers), count(f.Window), count(f.Messages), figure(f.DeliveriesPerSecond),
			ms(f.LastDelivery.P50), ms(f.LastDelivery.P90), ms(f.LastDelivery.P99),
			ms(f.EachDelivery.P50), ms(f.EachDelivery.P99), figure(f.ServerCPU))
	}
}

func (r *Report) catchUpTable(title func(string), row func(...string)) {
	if len(r.CatchUp) == 0 {
		return
	}
	title("catch-up: a log read from where the device came in")
	row("entries", "devices at once", "seconds", "entries/s", "server CPU µs")
	for _, c := range r.CatchUp {
		row(count(c.Entries), count(c.Devices), figure(c.Seconds), figure(c.EntriesPerSecond), figure(c.ServerCPU))
	}
}

func (r *Report) idleTable(title func(string), row func(...string)) {
	if r.Idle.Connections == 0 {
		return
	}
	title("idle connections: authenticated, each following a room")
	row("connections", "RSS before MiB", "RSS after MiB", "KiB each", "connected/s")
	row(count(r.Idle.Connections), mib(r.Idle.BeforeKiB), mib(r.Idle.AfterKiB), figure(r.Idle.PerConnectionKiB),
		figure(r.Idle.ConnectedPerSecond))
}

func (r *Report) startupTable(title func(string), row func(...string)) {
	if r.Startup.Starts == 0 {
		return
	}
	title("start to ready")
	row("data", "seconds", "longest", "idle RSS MiB")
	row("none", figure(r.Startup.EmptySeconds), figure(r.Startup.EmptyMostSeconds), mib(r.Startup.IdleKiB))
	row(figure(r.Startup.DataMiB)+" MiB", figure(r.Startup.DataSeconds), "", mib(r.Startup.DataIdleKiB))
}

// count prints a whole number.
func count[T int | uint64](n T) string { return thousands(strconv.FormatUint(uint64(n), 10)) }

func ms(us float64) string { return figure(us / 1e3) }

func mib(kib int64) string { return figure(float64(kib) / 1024) }

// figure prints a number with three digits that matter, and thousands apart.
func figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0:
		return "-" + figure(-v)
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100 && v != float64(int64(v)):
		return fmt.Sprintf("%.1f", v)
	}
	return thousands(fmt.Sprintf("%.0f", v))
}

func thousands(digits string) string {
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
