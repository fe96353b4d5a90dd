package main_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListenKeepLimits: a peer that has as many connections as it may, or that comes where there are as many as there may
// be, is told so, and runs no command; others get in, and so does it when one has ended.
func TestListenKeepLimits(t *testing.T) {
	alice, bob, home := filepath.Join(t.TempDir(), "alice"), filepath.Join(t.TempDir(), "bob"), filepath.Join(t.TempDir(), "home")
	key := keyOf(t, home)
	server := &person{t: t, handle: "server", home: home}
	server.must("key", "add", "alice", keyOf(t, alice))
	server.must("key", "add", "bob", keyOf(t, bob))
	for _, row := range []struct {
		name, reason string
		flags        []string
		bob          int // his status while alice is connected
	}{
		{"of one peer", "alice has 1 connections already", []string{"--streams", "1"}, 0},
		{"in all", "there are 1 connections already", []string{"--commands", "1"}, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			listener := openSocket(t, home, "listen", "127.0.0.1:0", append([]string{"--peer", "alice", "--peer", "bob", "--keep", "--exec", "cat"}, row.flags...)...)
			address := listener.event("listening")["addr"].(string)
			first := socketOf(t, alice, "dial", address, key)
			first.event("connected")
			listener.event("connected")
			second := socketOf(t, alice, "dial", address, key)
			io.WriteString(second.in, "me too")
			second.ends(3)
			if reason, _ := second.event("refused")["reason"].(string); !strings.Contains(reason, "too many connections at once") {
				t.Errorf("the dialer says %q", reason)
			}
			if reason, _ := listener.event("refused")["reason"].(string); !strings.Contains(reason, row.reason) {
				t.Errorf("the listener says %q, want %q", reason, row.reason)
			}
			other := socketOf(t, bob, "dial", address, key)
			other.in.Close()
			other.ends(row.bob)
			if row.bob == 0 {
				listener.event("ended")
			}
			io.WriteString(first.in, "hello")
			first.in.Close()
			first.ends(0)
			first.prints("hello")
			listener.event("ended") // the room is there again before it is told of
			again := socketOf(t, alice, "dial", address, key)
			again.in.Close()
			again.ends(0)
		})
	}
}

// TestListenKeepLimitOfTokens: the limit is of the token. Keys cost nothing, and each home has another one.
func TestListenKeepLimitOfTokens(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	tokens, token := filepath.Join(t.TempDir(), "tokens"), filepath.Join(t.TempDir(), "laptop")
	server := &person{t: t, handle: "server", home: home}
	text := server.must("key", "token", "laptop", tokens)[0]["token"].(string)
	if err := os.WriteFile(token, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener := openSocket(t, home, "listen", "127.0.0.1:0", "--token-file", tokens, "--keep", "--streams", "1", "--exec", "cat")
	address, key := listener.event("listening")["addr"].(string), keyOf(t, home)
	dial := func() *socket {
		return openSocket(t, filepath.Join(t.TempDir(), "client"), "dial", address, "--token-file", token, "--peer", key)
	}
	first := dial()
	first.event("connected")
	dial().ends(3)
	if reason, _ := listener.event("refused")["reason"].(string); !strings.Contains(reason, "laptop has 1 connections already") {
		t.Errorf("the listener says %q", reason)
	}
	first.in.Close()
	first.ends(0)
}
