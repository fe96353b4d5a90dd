package main_test

import (
	"strings"
	"testing"
)

// TestRoomInvite lets somebody in by a link that one terminal makes and another opens, and says why not where it does not.
func TestRoomInvite(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob", "carol")
	alice, bob, carol := people[0], people[1], people[2]
	room := alice.must("room", "create", "garden")[0]["room"].(string)
	alice.mustRefuse(2, "1 to 100 people", "room", "invite", "garden", "--uses", "0")
	alice.mustRefuse(2, "a minute to 30 days", "room", "invite", "garden", "--for", "0s")
	made := alice.must("room", "invite", "garden")[0]
	link, _ := made["link"].(string)
	if !strings.HasPrefix(link, "https://") || !strings.Contains(link, "/#snug-room-"+room+"-") || made["uses"] != 1.0 {
		t.Fatalf("got %v", made)
	}
	waiting := bob.joins(link, "--timeout", "10s").objects[0]
	if waiting["room"] != room || waiting["joined"] != false || waiting["waiting"] != true {
		t.Fatalf("got %v, want a room that bob waits for", waiting)
	}
	follow := alice.follow(room)
	defer follow.stop()
	in := bob.joins(link).objects[0]
	if in["room"] != room || in["joined"] != true || in["name"] != "garden" || in["role"] != "member" {
		t.Fatalf("got %v, want garden", in)
	}
	for _, row := range []struct {
		name string
		link string
		want string
	}{
		{"a second use", link, "good for one person"},
		{"a malformed link", link[:len(link)-1], "no invite to a room"},
		{"four other characters at the end", link[:len(link)-4] + "aaaa", "typing error"},
		{"nothing", "", "no invite to a room"},
		{"another server", "https://elsewhere.example/" + link[strings.Index(link, "#"):], "elsewhere.example"},
	} {
		if o := carol.joins(row.link); o.status == 0 || !strings.Contains(o.stderr, row.want) {
			t.Errorf("%s: exit %d, %q, want %q", row.name, o.status, o.stderr, row.want)
		}
	}
	another := alice.must("room", "invite", "garden", "--uses", "3", "--for", "1h", "--reader")[0]
	alice.must("room", "uninvite", "garden", another["invite"].(string))
	if o := carol.joins(another["link"].(string)); o.status == 0 || !strings.Contains(o.stderr, "withdrawn") {
		t.Errorf("withdrawn: exit %d, %q", o.status, o.stderr)
	}
	list := alice.must("room", "invites", "garden")
	if len(list) != 2 || list[0]["revoked"] != true || list[1]["used"] != 1.0 || list[1]["maker"] != "@alice" {
		t.Errorf("got %v", list)
	}
	// As an argument it works, and says why not to.
	if o := bob.try("", "join", link); o.status != 0 || o.objects[0]["joined"] != true || !strings.Contains(o.stderr, "among the arguments") {
		t.Errorf("as an argument: exit %d, %q, want it to work and to say who sees it", o.status, o.stderr)
	}
	if o := carol.unasked("join"); o.status != 2 || !strings.Contains(o.stderr, "snug join - < FILE") {
		t.Errorf("without a terminal: exit %d, %q, want 2 and the form for scripts", o.status, o.stderr)
	}
	if got := len(carol.must("rooms")); got != 1 {
		t.Errorf("carol has %d rooms, want the common one", got)
	}
}

// joins opens a link that is read from standard input: the arguments of a process are no secret.
func (p *person) joins(link string, flags ...string) outcome {
	p.t.Helper()
	return p.try(link+"\n", append([]string{"join", "-"}, flags...)...)
}
