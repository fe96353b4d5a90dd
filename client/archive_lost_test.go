package client_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"snug/internal/testkit"
)

// TestArchiveLostKeys: what a device has passed without keys it reads in the archive, when another device of the account has
// it; its own gaps are archived for nobody.
func TestArchiveLostKeys(t *testing.T) {
	for _, row := range []struct {
		name   string
		damage func(map[string][]byte)
	}{
		{"of the keys", func(records map[string][]byte) {
			maps.DeleteFunc(records, func(key string, _ []byte) bool { return strings.HasPrefix(key, "group/") })
		}},
		{"of the room", func(records map[string][]byte) {
			for key, value := range records {
				if strings.HasPrefix(key, "room/") {
					records[key] = value[:len(value)/2]
				}
			}
		}},
		{"of what is archived", func(records map[string][]byte) {
			for key, value := range records {
				if strings.HasPrefix(key, "archive") {
					records[key] = value[:len(value)/2]
				}
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			world(t, func(t *testing.T, net *testkit.Net) {
				alice, bob, room := pair(t, net)
				phone := newDevice(t, net, "bob", true)
				alice.send(room, "three")
				time.Sleep(5 * time.Minute)
				bob.stop()
				phone.stop()
				alice.send(room, "four")
				alice.stop() // nobody lets it in
				phone = reopens(t, net, phone, row.damage)
				time.Sleep(5 * time.Minute)
				bob = start(t, net, bob.disk, true) // the account's other device does
				wait()
				want := []string{"alice: one", "bob: two", "alice: three", "alice: four"}
				equal(t, bob.texts(room), want)
				time.Sleep(5 * time.Minute)
				equal(t, phone.texts(room), want)
				equal(t, newDevice(t, net, "bob", true).texts(room), want)
				if a := phone.archive(); a.Problem != "" {
					t.Errorf("the archive has a problem: %s", a.Problem)
				}
				if r := phone.room(room); r.Problem != "" {
					t.Errorf("the room has a problem: %s", r.Problem)
				}
			})
		})
	}
}
