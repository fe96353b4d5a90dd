package player_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"

	"snug/mls/interop/player"
	"snug/mls/interop/server"
)

// everything says that all settings are asked for, and not those alone that differ in what they exercise.
func everything() bool { return os.Getenv("SNUG_INTEROP") == "all" }

// serve starts this implementation and connects to it.
func serve(t *testing.T, opts server.Options) *player.Client {
	t.Helper()
	client, err := player.Connect(t.Context(), listen(t, opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// listen starts this implementation and returns where.
func listen(t *testing.T, opts server.Options) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.New(opts).Listen(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// pair is this implementation twice; the second loads its states anew after each call.
func pair(t *testing.T) []*player.Client {
	return []*player.Client{serve(t, server.Options{}), serve(t, server.Options{Reload: true})}
}

// quick leaves of the settings those of one Edwards, one NIST and the default suite, with the first client in the first part.
func quick(settings []player.Setting, first *player.Client) []player.Setting {
	var kept []player.Setting
	for _, s := range settings {
		if (s.Suite == 1 || s.Suite == 2 || s.Suite == 0xF002) && s.Cast[0] == first {
			kept = append(kept, s)
		}
	}
	return kept
}

// TestScenarios plays every scenario between two of our servers.
func TestScenarios(t *testing.T) {
	clients := pair(t)
	if got, want := fmt.Sprint(player.Suites(clients...)), "[1 2 3 5 7 61441 61442 61443 61444 61445]"; got != want {
		t.Fatalf("the suites are %s, want %s", got, want)
	}
	settings := player.Settings(clients...)
	if !everything() {
		settings = quick(settings, clients[0])
	}
	for _, scenario := range player.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			for _, setting := range settings {
				if err := player.Play(t.Context(), scenario, setting); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Logf("%d scenarios in %d settings", len(player.Scenarios()), len(settings))
}

// TestRandomSession plays a thousand steps in suite 1, and fewer in others.
func TestRandomSession(t *testing.T) {
	clients := pair(t)
	settings := player.Settings(clients...)
	if !everything() {
		settings = quick(settings, clients[0])
	}
	for i, setting := range settings {
		setting.Seed = uint64(i)
		session := player.Session{Steps: 30, Fewest: 2, Most: 6}
		if setting.Suite == 1 && setting.Encrypt && setting.Cast[0] == clients[0] {
			session.Steps = 1000
		}
		t.Run(setting.String(), func(t *testing.T) {
			if err := player.Play(t.Context(), player.Random(session), setting); err != nil {
				t.Error(err)
			}
		})
	}
}
