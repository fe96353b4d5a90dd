// Command mls runs the benchmarks of package mls, natively and as WebAssembly in node, and prints one table of both.
//
//	go run ./bench/mls                          # everything but 10,000 members in wasm; about an hour
//	go run ./bench/mls --run 'n=1000$/update'   # a part, by the benchmarks' names
//
// docs/performance.md says what is measured and how to read it.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	pattern := flag.String("run", "", "which benchmarks, as a regular expression for what follows BenchmarkMLS/")
	quick := flag.Bool("quick", false, "each operation for 50 ms, and no groups of 10,000: does it work, not how fast")
	native := flag.Bool("native", false, "not in wasm")
	all := flag.Bool("all", false, "groups of 10,000 in wasm too")
	flag.Parse()
	if err := run(*pattern, *quick, *native, *all); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(pattern string, quick, native, all bool) error {
	results, err := measure(nil, pattern, quick, quick)
	if err != nil {
		return fmt.Errorf("measuring natively: %w", err)
	}
	if !native {
		if _, err := exec.LookPath("node"); err != nil {
			return errors.New("wasm needs node (apt-get install nodejs), or --native")
		}
		inNode, err := measure([]string{"GOOS=js", "GOARCH=wasm"}, pattern, quick, quick || !all)
		if err != nil {
			return fmt.Errorf("measuring in node: %w", err)
		}
		for i, r := range results {
			results[i].wasm = find(inNode, r.name)
		}
	}
	return printTable(results)
}

// A result is one line of the benchmarks' output: its metrics by unit.
type result struct {
	name    string
	metrics map[string]float64
	wasm    map[string]float64
}

func find(results []result, name string) map[string]float64 {
	for _, r := range results {
		if r.name == name {
			return r.metrics
		}
	}
	return nil
}

// measure runs the benchmarks on one processor, as a browser's worker has it, and shows what it does on the way.
func measure(env []string, pattern string, quick, short bool) ([]result, error) {
	args := []string{"test", "-run", "^$", "-bench", "^BenchmarkMLS$/" + pattern, "-cpu", "1", "-timeout", "6h"}
	if quick {
		args = append(args, "-benchtime", "50ms")
	}
	if short {
		args = append(args, "-short")
	}
	if len(env) > 0 {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return nil, err
		}
		args = append(args, "-exec", filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec"))
	}
	cmd := exec.Command("go", append(args, "snug/mls")...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var results []result
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if r, ok := parseLine(lines.Text()); ok {
			results = append(results, r)
			fmt.Fprintf(os.Stderr, "\r\x1b[K%s", r.name)
		} else if strings.Contains(lines.Text(), "FAIL") {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}
	fmt.Fprint(os.Stderr, "\r\x1b[K")
	return results, cmd.Wait()
}

var benchmarkLine = regexp.MustCompile(`^BenchmarkMLS/(\S+)\s+\d+\s+(.*)$`)

// parseLine reads a line such as "BenchmarkMLS/suite=0x1/filled/n=10/seal  100  25000 ns/op  1.2 x-primitives".
func parseLine(line string) (result, bool) {
	m := benchmarkLine.FindStringSubmatch(line)
	if m == nil {
		return result{}, false
	}
	fields := strings.Fields(m[2])
	r := result{name: m[1], metrics: make(map[string]float64)}
	for i := 0; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return result{}, false
		}
		r.metrics[fields[i+1]] = v
	}
	return r, true
}

func printTable(results []result) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "suite\ttree\tn\toperation\ttime\t× primitives\tallocs\tbytes\trows\tin wasm\t× primitives\t")
	for _, r := range results {
		for _, part := range strings.Split(r.name, "/") {
			_, value, named := strings.Cut(part, "=")
			if !named {
				value = part
			}
			fmt.Fprint(w, value, "\t")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", duration(r.metrics), number(r.metrics, "x-primitives", 2), number(r.metrics, "allocs/op", 0),
			number(r.metrics, "B/op", 0), number(r.metrics, "rows", 0), duration(r.wasm), number(r.wasm, "x-primitives", 2))
	}
	return w.Flush()
}

func duration(metrics map[string]float64) string {
	ns, ok := metrics["ns/op"]
	if !ok {
		return "-"
	}
	d := time.Duration(ns)
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

func number(metrics map[string]float64, unit string, decimals int) string {
	v, ok := metrics[unit]
	if !ok {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
