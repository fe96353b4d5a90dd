package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestQuick measures our own pair and plain loopback, and whatever else is there, in the quick plan.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	var out bytes.Buffer
	p := quickPlan
	if err := measure(t.Context(), p, "", []string{plainName, "snug", "snug without reuse"}, &out, t.Output()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"plain loopback", "snug ", "snug without reuse", "snug ÷ plain", "new conn/s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "failed:") {
		t.Errorf("got\n%s", &out)
	}
}

// TestReport: medians, the best of the others whichever way is better, and ratios for which more is better.
func TestReport(t *testing.T) {
	r := newReport(plan{streams: []int{1}, rounds: 3})
	for name, samples := range map[string][]float64{plainName: {1000, 4000, 2000}, "snug": {900, 300, 600}, "nginx": {500, 100, 300}, "haproxy": {200}} {
		for _, v := range samples {
			r.add(name, "bulk 1", v)
		}
	}
	for name, v := range map[string]float64{plainName: 5, "snug": 40, "nginx": 50, "haproxy": 30} {
		r.add(name, "ping p50", v)
	}
	r.skip("socat", "socat is not there")
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"best peer, bulk ×1 MiB/s: nginx with 300", "best peer, ping p50 µs: haproxy with 30.0", "not measured: socat: socat is not there"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	for _, line := range strings.Split(out.String(), "\n") {
		fields := strings.Fields(line)
		switch {
		case strings.Contains(line, "snug ÷ best peer") && (fields[4] != "2.00" || fields[6] != "0.75"):
			t.Errorf("ratios to the best are %q, want 2.00 and 0.75", fields)
		case strings.Contains(line, "snug ÷ plain") && (fields[3] != "0.30" || fields[5] != "0.12" && fields[5] != "0.13"):
			t.Errorf("ratios to plain are %q, want 0.30 and 0.12", fields)
		}
	}
}
