package main

import "testing"

func TestParseLine(t *testing.T) {
	r, ok := parseLine("BenchmarkMLS/suite=0x1/filled/n=10/seal \t  3300\t  35871 ns/op\t  1.388 x-primitives\t  4034 B/op\t  7 allocs/op")
	if !ok || r.name != "suite=0x1/filled/n=10/seal" {
		t.Fatalf("got %q, %v", r.name, ok)
	}
	for unit, want := range map[string]float64{"ns/op": 35871, "x-primitives": 1.388, "B/op": 4034, "allocs/op": 7} {
		if got := r.metrics[unit]; got != want {
			t.Errorf("%s: got %v, want %v", unit, got, want)
		}
	}
	if got := duration(r.metrics); got != "35.9µs" {
		t.Errorf("got %s, want 35.9µs", got)
	}
	if got := number(r.metrics, "rows", 0); got != "-" {
		t.Errorf("a metric that is not there: %q", got)
	}
	for _, line := range []string{"PASS", "goos: linux", "BenchmarkMLS/suite=0x1/filled/n=10/seal", "BenchmarkOther/x 1 2 ns/op"} {
		if _, ok := parseLine(line); ok {
			t.Errorf("%q is taken for a result", line)
		}
	}
}
