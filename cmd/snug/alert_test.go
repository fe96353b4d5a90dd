package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// told gives the alerts that a verb lists, without what differs between runs.
func told(t *testing.T, objects []map[string]any) (list []string) {
	t.Helper()
	for _, o := range objects {
		if o["alert"].(float64) < 1 || o["at"] == "" || (o["device"] == nil) != (o["kind"] == "passphrase_replaced") {
			t.Errorf("the alert %v", o)
		}
		list = append(list, fmt.Sprint(o["kind"], " ", o["device_name"], " ", o["revoked"]))
	}
	return list
}

// TestAlertVerbs: the verbs that a person uses say what was done to the account elsewhere until it is dismissed there, and a
// script can read it.
func TestAlertVerbs(t *testing.T) {
	s := serve(t)
	alice := newPerson(t, "alice").register(s, s.Invite)
	tail := alice.follow(openRoom)
	alice.must("send", openRoom, "before")
	tail.texts(1) // it has read its alerts: of what comes now it is told

	other := newPerson(t, "alice")
	other.must("login", "alice", "--server", s.address(), "--passphrase-file", alice.passphraseFile, "--device", "somebody's laptop")
	const says = `new device signed in: "somebody's laptop", `
	if !tail.stderr.waitFor(func(text string) bool {
		return strings.Contains(text, says) && strings.Contains(text, "snug device revoke, and snug passphrase")
	}) {
		t.Errorf("a running tail says %q, want %q in it", tail.stderr, says)
	}
	tail.stop()
	if n := strings.Count(tail.stderr.String(), says); n != 1 {
		t.Errorf("a running tail says it %d times, want once", n)
	}
	for _, verb := range []string{"devices", "rooms", "doctor"} {
		if o := alice.try("", verb); o.status != 0 || !strings.Contains(o.stderr, says) {
			t.Errorf("%s: exit %d, %q, want %q in it", verb, o.status, o.stderr, says)
		}
		if o := other.try("", verb); strings.Contains(o.stderr, "signed in") {
			t.Errorf("%s on the new device says %q", verb, o.stderr)
		}
	}
	news := func(p *person) (list []bool) {
		for _, d := range p.must("devices") {
			list = append(list, d["new"].(bool))
		}
		return list
	}
	if got := news(alice); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("the devices are new: %v, want the second", got)
	}
	if got := news(other); !slices.Equal(got, []bool{false, false}) {
		t.Errorf("to the new device the devices are new: %v, want none", got)
	}
	other.must("passphrase", "--passphrase-file", alice.file("walnut 8 saddle prairie clarinet bucket"))
	other.must("logout", "--yes")
	want := []string{"device_added somebody's laptop true", "passphrase_replaced <nil> false"}
	// A verb waits for two seconds to hear what there is, which a busy machine may need several times.
	for tries := 0; !slices.Equal(told(t, alice.must("alerts")), want); tries++ {
		if tries == 20 {
			t.Fatalf("got %q, want %q", told(t, alice.must("alerts")), want)
		}
	}
	if got := told(t, alice.must("alerts", "--dismiss")); !slices.Equal(got, want) {
		t.Errorf("dismissed %q, want %q", got, want)
	}
	o := alice.try("", "alerts")
	if o.status != 0 || len(o.objects) > 0 || o.stderr != "" {
		t.Errorf("after they are dismissed: exit %d, %v, %q", o.status, o.objects, o.stderr)
	}
}
