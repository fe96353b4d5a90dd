package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestStartup keeps the promises of a bare machine: ready within a second, and small while nobody is there. Figures are
// made by `go run ./bench --only startup`; the bounds here are far from them.
func TestStartup(t *testing.T) {
	began := time.Now()
	s := serve(t)
	took := time.Since(began)
	t.Logf("start to ready in an empty directory: %v", took.Round(time.Millisecond))
	if took > time.Second {
		t.Errorf("the server was ready after %v, want 1 s at most", took)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Skipf("SKIPPED: memory is read from /proc: %v", err)
	}
	var kib int
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			fmt.Sscan(rest, &kib)
		}
	}
	t.Logf("memory of an idle server: %d KiB", kib)
	if kib == 0 || kib > 64<<10 {
		t.Errorf("an idle server takes %d KiB, want 64 MiB at most", kib)
	}
}
