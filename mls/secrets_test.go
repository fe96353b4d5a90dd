package mls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
)

// recordsOf applies a group's delta to its records.
func recordsOf(g *Group, records map[string][]byte) (changed int) {
	d := g.Delta()
	for _, r := range d.Puts {
		records[r.Key] = r.Value
	}
	for _, key := range d.Deletes {
		delete(records, key)
	}
	return len(d.Puts) + len(d.Deletes)
}

// holds tells which of the secrets still lie in the records.
func holds(records map[string][]byte, secrets map[string]Secret) (left []string) {
	for name, secret := range secrets {
		for _, v := range records {
			if len(secret) > 0 && bytes.Contains(v, secret) {
				left = append(left, name)
			}
		}
	}
	return left
}

// TestForwardSecrecy checks that the records lose the keys of messages that were opened or sealed, and at a merge everything
// of the past epoch.
func TestForwardSecrecy(t *testing.T) {
	members := groupOf(t, 4)
	alice, bob := members[0], members[1]
	records := make(map[string][]byte)
	recordsOf(bob, records)
	first, err := bob.ratchets.find(ratchetID{0, applicationRatchet}, 0)
	if err != nil {
		t.Fatal(err)
	}
	third, err := bob.ratchets.find(ratchetID{0, applicationRatchet}, 2)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]Secret{"encryption secret": bob.ratchets.nodes[bob.tree.root()], "key": third.key, "nonce": third.nonce}
	var messages [][]byte
	for range 4 {
		m, err := alice.Seal([]byte("hello"), nil)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	for i, at := range []int{2, 3, 0} {
		if _, err := bob.Process(messages[at]); err != nil {
			t.Fatal(err)
		}
		n := recordsOf(bob, records)
		t.Logf("opening message %d changes %d records", i, n)
		if i > 0 && n != 1 {
			t.Errorf("a message changes %d records, want 1", n)
		}
	}
	used["skipped key"] = first.key
	if left := holds(records, used); len(left) > 0 {
		t.Errorf("the records still hold %v", left)
	}
	pastEpoch(t, members, records)
}

// pastEpoch merges a commit and looks for what the epoch before left behind.
func pastEpoch(t *testing.T, members []*Group, records map[string][]byte) {
	bob := members[1]
	past := make(map[string]Secret)
	for i, secret := range bob.secrets.all() {
		past[fmt.Sprint("epoch secret ", i)] = *secret
	}
	for x, secret := range bob.ratchets.nodes {
		past[fmt.Sprint("secret node ", x)] = secret
	}
	for id, r := range bob.ratchets.ratchets {
		past[fmt.Sprint("ratchet ", id)] = r.secret
		for _, k := range r.skipped {
			past[fmt.Sprint("skipped ", id)] = k.key
		}
	}
	past["own leaf"] = bob.keys[bob.own.node()].secret
	past["root"] = bob.keys[bob.tree.root()].secret
	if left := holds(records, past); len(left) != len(past) {
		t.Errorf("the records hold %d of %d secrets before the merge", len(left), len(past))
	}
	c, err := bob.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, members, c)
	recordsOf(bob, records)
	if left := holds(records, past); len(left) > 0 {
		t.Errorf("after the merge the records still hold %v", left)
	}
	if _, err := LoadGroup(bob.cfg, maps.All(records)); err != nil {
		t.Error(err)
	}
}

// TestSignerIsNotSaved looks for the signature key in everything that is saved.
func TestSignerIsNotSaved(t *testing.T) {
	cfg, kp, private := party(t, "alice")
	g := groupOf(t, 2)[0]
	seed := g.cfg.Signer.(interface{ Seed() []byte }).Seed()
	c, err := g.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	records := map[string][]byte{"commit": c.Save()}
	recordsOf(g, records)
	if len(holds(records, map[string]Secret{"seed": seed})) > 0 {
		t.Error("saved state holds the signature key")
	}
	records = map[string][]byte{"": private.Save()}
	if len(holds(records, map[string]Secret{"": cfg.Signer.(interface{ Seed() []byte }).Seed()})) > 0 {
		t.Error("a saved key package holds the signature key")
	}
}

// TestSecretsDoNotPrint prints, logs and marshals all that holds secrets.
func TestSecretsDoNotPrint(t *testing.T) {
	g := groupOf(t, 3)[0]
	_, _, private := party(t, "alice")
	c, err := g.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	exported, err := g.Export("label", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{g.secrets.exporter, g.secrets.init.Secret, private.initKey, private.leafKey, exported,
		c.next.secrets.senderData, g.keys[0].secret}
	for _, v := range []any{Secret(exported), g.secrets, *g.secrets, g.epoch, g, c, private, g.secrets.init,
		g.keys[0], g.ratchets, *c.next, messageKey{key: exported}, &pathSecrets{secrets: []Secret{exported}}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "v", v)
		marshalled, _ := json.Marshal(v)
		for _, out := range []string{fmt.Sprint(v), fmt.Sprintf("%v %+v %#v %s %d %x %q", v, v, v, v, v, v, v), log.String(), string(marshalled)} {
			for _, secret := range secrets {
				for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprint(secret), fmt.Sprintf("%v", []byte(secret))} {
					if strings.Contains(out, form) {
						t.Errorf("%T prints a secret: %.80s", v, out)
					}
				}
			}
		}
	}
	if got := fmt.Sprintf("%x %q %d %v", exported, exported, exported, exported); strings.Contains(got, fmt.Sprintf("%x", []byte(exported))) {
		t.Errorf("a secret prints as %s", got)
	}
}
