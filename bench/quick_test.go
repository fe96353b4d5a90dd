package main

import (
	"os"
	"testing"
)

// TestQuick runs the quick plan against the real server.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the server")
	}
	b, err := newBench(t.Context(), quickPlan, t.TempDir(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	r, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Bounds) != 2 || len(r.Messages) != 2 || len(r.Fanout) != 1 || len(r.CatchUp) != 2 {
		t.Errorf("got %d bounds, %d message runs, %d fan-outs, %d catch-ups",
			len(r.Bounds), len(r.Messages), len(r.Fanout), len(r.CatchUp))
	}
	if r.Startup.EmptySeconds == 0 || r.Startup.DataSeconds == 0 || r.Idle.AfterKiB == 0 {
		t.Errorf("got %+v and %+v", r.Startup, r.Idle)
	}
	if _, err := os.Stat(b.data); err != nil {
		t.Error(err)
	}
}
