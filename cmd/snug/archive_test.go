package main_test

import (
	"strings"
	"testing"
	"time"
)

// reads asks for a room's history until a text is in it, and gives all of it.
func (p *person) reads(room, text string) (texts []string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		texts = nil
		for _, m := range p.try("", "history", room).objects {
			if said, ok := m["text"].(string); ok && m["kind"] != "notice" {
				texts = append(texts, said)
			}
			if cause, gap := m["gap"].(string); gap {
				texts = append(texts, "gap: "+cause)
			}
		}
		if strings.Contains(strings.Join(texts, "\n"), text) {
			return texts
		}
	}
	p.t.Fatalf("%s never reads %q in %s, but %q", p.handle, text, room, texts)
	return nil
}

// TestArchiveVerbs: who signs in on a new machine reads what was said before, in the terminal, until the archive is turned
// off; what that costs stands where it is turned on, and what it deletes where it is turned off.
func TestArchiveVerbs(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	room := alice.must("room", "create", "garden", "@bob")[0]["room"].(string)
	alice.must("send", room, "before the laptop")
	bob.reads(room, "before the laptop")
	online := alice.follow()
	laptop := newPerson(t, "alice")
	laptop.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	if got := laptop.reads(room, "before the laptop"); len(got) != 1 {
		t.Errorf("the laptop reads %q", got)
	}

	if got := laptop.must("archive")[0]; got["on"] != true {
		t.Errorf("the archive is %v at first, want on", got)
	}
	laptop.mustRefuse(2, "neither on nor off", "archive", "maybe")
	laptop.mustRefuse(4, "no room is called", "archive", "on", "nowhere")
	if got := laptop.must("archive", "off", room, "--yes")[0]; got["archived"] != false {
		t.Errorf("the room's archive is %v, want off", got)
	}
	if got := alice.must("archive")[0]; got["on"] != true || len(got["off"].([]any)) != 1 {
		t.Errorf("the other device has %v, want one room off", got)
	}
	if got := laptop.must("archive", "off", "--yes")[0]; got["on"] != false {
		t.Errorf("the archive is %v, want off", got)
	}
	tablet := newPerson(t, "alice")
	tablet.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile)
	if got := tablet.reads(room, "gap: "); len(got) != 1 || !strings.Contains(got[0], "the archive is off") {
		t.Errorf("the tablet reads %q, want a gap: the archive is off", got)
	}
	help := tablet.command("archive", "--help")
	if out, err := help.Output(); err != nil || !strings.Contains(string(out), "however old it is") {
		t.Errorf("the help does not say what it costs: %s, %v", out, err)
	}
	online.stop()
}
