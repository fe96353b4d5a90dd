package player_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snug/mls/interop/server"
)

// TestWorkingGroupRunner lets the working group's own runner play all its scripts against us, where it is named:
// SNUG_MLS_RUNNER is the binary, SNUG_MLS_CONFIGS the folder of its configs (docs/mls-interop.md says how to build it).
func TestWorkingGroupRunner(t *testing.T) {
	runner, configs := os.Getenv("SNUG_MLS_RUNNER"), os.Getenv("SNUG_MLS_CONFIGS")
	if runner == "" || configs == "" {
		t.Skip("SKIPPED: SNUG_MLS_RUNNER and SNUG_MLS_CONFIGS do not name the working group's runner and its configs")
	}
	files, err := filepath.Glob(filepath.Join(configs, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no configs in %s: %v", configs, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			// One suite is enough for the session of 1,670 steps and 840 actors, unless everything is asked for.
			args := []string{"--client", listen(t, server.Options{}), "--config", file}
			if name == "deep_random" && !everything() {
				args = append(args, "--suite", "1")
			}
			out, err := exec.CommandContext(t.Context(), runner, args...).Output()
			if err != nil {
				t.Errorf("the runner: %v", err)
			}
			count(t, out)
		})
	}
}

// count reports what the runner printed: how often each script was played, and how often to its end.
func count(t *testing.T, out []byte) {
	t.Helper()
	var results struct {
		Scripts map[string][]struct {
			Error      any  `json:"error"`
			FailedStep *int `json:"failed_step"`
		} `json:"scripts"`
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&results); err != nil {
		t.Fatalf("the runner's results: %v", err)
	}
	if len(results.Scripts) == 0 {
		t.Fatal("the runner played no script")
	}
	for script, plays := range results.Scripts {
		passed := 0
		for _, play := range plays {
			if play.FailedStep == nil {
				passed++
			} else {
				t.Errorf("%s: step %d: %v", script, *play.FailedStep, play.Error)
			}
		}
		t.Logf("%s: %d of %d", script, passed, len(plays))
	}
}
