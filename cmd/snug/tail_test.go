package main_test

import (
	"fmt"
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
