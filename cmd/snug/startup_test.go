package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestIdleMemory: a server is small while nobody is there. Figures, and how soon it is ready, are made by
// `go run ./bench --only startup`; the bound here is far from them.
func TestIdleMemory(t *testing.T) {
	s := serve(t)
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
