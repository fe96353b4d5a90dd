package main_test

import (
	"strings"
	"testing"
)

// TestBlock has a stranger's room asked about, accepted and declined, and somebody blocked, in a terminal.
func TestBlock(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	garden := alice.must("room", "create", "garden", "@bob")[0]["room"].(string)
	sheds := alice.must("room", "create", "sheds", "@bob")[0]["room"].(string)
	find := func(id string) map[string]any {
		for _, r := range bob.must("rooms") {
			if r["room"] == id {
				return r
			}
		}
		return nil
	}
	if r := find(garden); r["request"] != "@alice" {
		t.Fatalf("got %v, want a request of alice's", r)
	}
	bob.must("decline", "sheds")
	if r := find(sheds); r != nil {
		t.Errorf("a declined room is listed: %v", r)
	}
	bob.must("accept", "garden")
	if r := find(garden); r["request"] != nil {
		t.Errorf("an accepted room still asks: %v", r)
	}
	bob.must("block", "@alice")
	if list := bob.must("blocked"); len(list) != 1 || list[0]["handle"] != "alice" {
		t.Errorf("got %v, want alice", list)
	}
	alice.must("send", "garden", "the key is under the mat")
	alice.must("send", "@bob", "did you read it?")
	if m := bob.must("tail", "garden", "--once"); m[len(m)-1]["blocked"] != true {
		t.Errorf("got %v, want the last to be blocked", m)
	}
	if o := bob.try("", "send", "@alice", "no"); o.status == 0 || !strings.Contains(o.stderr, "snug unblock @alice") {
		t.Errorf("writing to who is blocked: exit %d, %q", o.status, o.stderr)
	}
	for _, verb := range []string{"tail", "history"} {
		bob.mustRefuse(3, "snug unblock @alice", verb, "@alice")
	}
	bob.mustRefuse(2, "nobody blocks themselves", "block", "@bob")
	bob.must("unblock", "@alice")
	bob.must("tail", "@alice", "--once")
}
