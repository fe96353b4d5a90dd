package player_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	pb "snug/mls/interop/mlsclient"
	"snug/mls/interop/player"
	"snug/mls/interop/server"
	"snug/mls/interop/stdio"
)

// tsMLS starts ts-mls in node, or skips the test where it is not installed.
func tsMLS(t *testing.T) *player.Client {
	t.Helper()
	const where = "../ts"
	_, err := os.Stat(filepath.Join(where, "node_modules", "ts-mls"))
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err != nil {
		if os.Getenv("SNUG_REQUIRE") == "all" {
			t.Fatalf("ts-mls is not installed (npm ci in mls/interop/ts): %v", err)
		}
		t.Skipf("SKIPPED: ts-mls is not installed; npm ci in mls/interop/ts, or make test, installs it (%v)", err)
	}
	process, err := stdio.Start(os.Stderr, "node", filepath.Join(where, "client.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := player.NewClient(t.Context(), pb.NewMLSClientClient(process))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestLiveSession has members of both implementations in one group of about three, over random epochs: 200 with
// everything in suites 1 and 2, and otherwise fewer.
func TestLiveSession(t *testing.T) {
	ours, theirs := serve(t, server.Options{Reload: true}), tsMLS(t)
	settings := player.Settings(ours, theirs)
	if !everything() {
		settings = quick(settings, ours)
	}
	for i, setting := range settings {
		setting.Seed = uint64(i)
		// SameExtensions and KeepFirst: docs/mls-interop.md says what ts-mls 1.6.4 does wrong.
		session := player.Session{Steps: 25, CommitsOnly: true, Fewest: 2, Most: 4, SameExtensions: true, KeepFirst: true, NoOutsiders: true}
		if everything() && setting.Suite <= 2 {
			session.Steps = 200
		}
		t.Run(setting.String(), func(t *testing.T) {
			if err := player.Play(t.Context(), player.Random(session), setting); err != nil {
				t.Error(err)
			}
		})
	}
}

// wrong are scenarios that ts-mls 1.6.4 gets wrong: it reads one external sender where there is a list of them.
var wrong = []string{"commits of extensions", "two external signers"}

// TestForeignScenarios plays the scenarios with ts-mls that need no call which its side does not have.
func TestForeignScenarios(t *testing.T) {
	clients := []*player.Client{serve(t, server.Options{}), tsMLS(t)}
	played := 0
	for _, scenario := range player.Scenarios() {
		if slices.Contains(wrong, scenario.Name) {
			continue
		}
		t.Run(scenario.Name, func(t *testing.T) {
			for _, setting := range player.Settings(clients...) {
				if (setting.Suite != 1 || !setting.Encrypt) && !everything() {
					continue
				}
				err := player.Play(t.Context(), scenario, setting)
				if player.Unimplemented(err) {
					t.Skip(err)
				}
				if err != nil {
					t.Error(err)
				}
			}
			played++
		})
	}
	if want := 15; played != want {
		t.Errorf("played %d scenarios, want %d", played, want)
	}
}
