package tunnel_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"snug/internal/tunnel"
)

// percent gives what the runtime goes by.
func percent() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

// TestPace: garbage may lie about while many shake hands at once, and no longer; GOGC is the last word. It is the
// process's, so no test runs beside this one.
func TestPace(t *testing.T) {
	before := percent()
	defer debug.SetGCPercent(before)
	t.Setenv("GOGC", "")
	debug.SetGCPercent(100)
	runtime.GC() // by what it finds in use: not by what the tests before this one have left
	pace := tunnel.NewPace()
	for _, step := range []struct {
		name        string
		handshaking int
		more        bool
	}{{"one by one", tunnel.Crowd - 1, false}, {"a crowd", tunnel.Crowd, true}, {"still", 10 * tunnel.Crowd, true}, {"over", 0, false}, {"again", tunnel.Crowd, true}} {
		pace(step.handshaking)
		if got := percent(); (got > 100) != step.more || got < 100 || got > 1600 {
			t.Errorf("%s: %d%%, want more than 100: %t", step.name, got, step.more)
		}
	}
	debug.SetGCPercent(50)
	t.Setenv("GOGC", "50")
	if pace(0); percent() != 50 {
		t.Errorf("with GOGC: %d%%, want 50", percent())
	}
}
