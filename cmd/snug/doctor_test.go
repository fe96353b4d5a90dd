package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"snug/client"
	"snug/client/sqlite"
)

// TestDoctorRooms: whose rooms are well hears nothing; of a store that has lost its keys is told what it waits for, and that helps.
func TestDoctorRooms(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	room := alice.must("send", "@bob", "before")[0]["room"].(string)
	bob.must("tail", "@alice", "--once")
	if got := bob.must("doctor"); len(got) != 0 {
		t.Fatalf("the doctor says %v of rooms that are well, want nothing", got)
	}
	bob.mustRefuse(2, "for the address", "doctor", "--peer", "alice")
	bob.losesKeys()
	o := bob.try("", "doctor")
	if o.status != 1 || len(o.objects) != 1 || !strings.Contains(o.stderr, "rooms that are not well: 1") {
		t.Fatalf("doctor: exit %d, %v, %q, want exit 1 and one room", o.status, o.objects, o.stderr)
	}
	got := o.objects[0]
	if got["room"] != room || got["problem"] != "this device has lost the keys of the room" || !strings.Contains(got["try"].(string), "as soon as @alice") {
		t.Errorf("the doctor says %v, want room %s, the keys, and for whom it waits", got, room)
	}
	// Each command is online for a moment only: the request, the answer and the Welcome are one's each.
	for tries := 0; bob.try("", "doctor").status != 0; tries++ {
		if tries == 20 {
			t.Fatal("bob is not let in anew")
		}
		alice.must("send", "@bob", "after")
	}
	alice.must("send", "@bob", "last")
	if got := bob.must("tail", "@alice", "--once"); len(got) == 0 || got[len(got)-1]["text"] != "last" {
		t.Errorf("bob reads %v, want what alice said last", got)
	}
}

// losesKeys deletes the keys of all rooms from the person's store.
func (p *person) losesKeys() {
	p.t.Helper()
	store, err := sqlite.Open(filepath.Join(p.home, "store.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer store.Close()
	generation, err := store.Generation(p.t.Context())
	if err == nil {
		_, err = store.Commit(p.t.Context(), generation, client.Batch{DeletePrefixes: []string{"group/"}})
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
