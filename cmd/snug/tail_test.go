package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTailPages: a tail prints each message once and in order, over the ends of its pages and while more comes.
func TestTailPages(t *testing.T) {
	const lines = 450 // more than two pages
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	room := alice.must("room", "create", "--open", "square")[0]["room"].(string)
	bob.must("room", "join", room)
	var said strings.Builder
	for i := range lines {
		fmt.Fprintf(&said, "line %d\n", i)
	}
	meanwhile := bob.follow(room, "--since", "0")
	if o := alice.try(said.String(), "chat", room); o.status != 0 {
		t.Fatalf("chat ends with %d\n%s", o.status, o.stderr)
	}
	check := func(name string, messages []map[string]any) {
		t.Helper()
		for i, m := range messages {
			if want := fmt.Sprint("line ", i); i >= lines || m["text"] != want {
				t.Fatalf("%s: text %d is %q, want %q", name, i, m["text"], want)
			}
		}
	}
	check("while it was said", meanwhile.texts(lines))
	meanwhile.stop()
	var after []map[string]any
	for _, o := range bob.must("tail", room, "--once") {
		if o["text"] != nil && o["kind"] != "notice" {
			after = append(after, o)
		}
	}
	check("afterwards", after)
	if len(after) != lines {
		t.Errorf("afterwards: %d texts, want %d", len(after), lines)
	}
}

// TestTailOnce: --once prints what the server has when it is called, whatever this home has fetched before, in rooms that it knew
// of, in rooms that have just come, and in open rooms that nobody here has joined.
func TestTailOnce(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	square := alice.must("room", "create", "--open", "square")[0]["room"].(string)
	bob.must("room", "join", square)
	market := alice.must("room", "create", "--open", "market")[0]["room"].(string)
	prints := func(want string, args ...string) {
		t.Helper()
		var got []string
		for _, o := range bob.must(append([]string{"tail", "--once"}, args...)...) {
			if text, ok := o["text"].(string); ok {
				got = append(got, text)
			}
		}
		if len(args) == 0 {
			slices.Sort(got) // the rooms stand in the order in which they were last heard of
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("tail --once %s prints %q, want %q", strings.Join(args, " "), got, want)
		}
	}
	for seq, text := range []string{"first", "second", "third"} {
		alice.must("send", square, text)
		prints(text, square, "--since", fmt.Sprint(seq))
	}
	alice.must("send", "@bob", "hello")
	prints("hello", "@alice")
	alice.must("room", "create", "den", "@bob")
	alice.must("send", "den", "indoors")
	prints("first hello indoors second third")
	alice.must("send", market, "pears")
	prints("pears", market)
	bob.mustRefuse(3, "snug room join "+market, "tail", market)
}

// TestTailEndsWithLogout: a tail does not outlive the sign-out of its home by another process.
func TestTailEndsWithLogout(t *testing.T) {
	s := serve(t)
	alice := everybody(t, s, "alice")[0]
	follower := alice.follow("common", "--since", "0")
	alice.must("send", "common", "and that was that")
	follower.texts(1)
	s.kill() // it is not the server that tells it
	alice.must("logout", "--forget", "--yes")
	follower.ends()
	if text := follower.stderr.String(); !strings.Contains(text, "snug: signed out on this device") {
		t.Errorf("tail ends with %q, want why", text)
	}
}
