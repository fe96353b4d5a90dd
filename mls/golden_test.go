package mls_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"snug/mls"
)

var update = flag.Bool("update", false, "write the golden files anew")

const goldenFile = "testdata/state-v1.txt"

// A golden file has a line for each thing: a name and hexadecimal. The records of the group have their keys after "record ".
func readGolden(t *testing.T, file string) (map[string][]byte, store) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	things, records := map[string][]byte{}, store{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), ": ")
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if key, ok := strings.CutPrefix(name, "record "); ok {
			records[key] = b
		} else {
			things[name] = b
		}
	}
	return things, records
}

// writeGolden makes a group with all kinds of records in it: skipped keys, secret tree nodes, pending proposals, a candidate.
func writeGolden(t *testing.T) {
	t.Helper()
	w := newWorld(t, 1, 5)
	w.commit(w.members[2], mls.CommitOptions{})
	alice, bob := w.members[0], w.members[1]
	skipped, next := alice.seal("skipped"), alice.seal("next")
	bob.open(next)
	eve := newDevice(t, 1, "eve")
	candidate := bob.commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: eve.keyPackage()}}})
	for _, propose := range []func() ([]byte, error){
		func() ([]byte, error) { return bob.group.ProposeUpdate(mls.LeafOptions{}) },
		func() ([]byte, error) { return bob.group.ProposeRemove(4) },
	} {
		if _, err := propose(); err != nil {
			t.Fatal(err)
		}
		bob.save()
	}
	var out bytes.Buffer
	line := func(name string, b []byte) { fmt.Fprintf(&out, "%s: %x\n", name, b) }
	line("signer", bob.signer.(ed25519.PrivateKey).Seed())
	line("authenticator", bob.group.EpochAuthenticator())
	line("skipped", skipped)
	line("candidate", candidate.Save())
	line("next authenticator", candidate.EpochAuthenticator())
	for _, saved := range eve.packages {
		line("key package", saved)
	}
	for _, key := range slices.Sorted(maps.Keys(bob.store)) {
		line("record "+key, bob.store[key])
	}
	if err := os.WriteFile(goldenFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGolden loads state that an earlier build saved, goes on from it, and saves it as it was.
func TestGolden(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	things, records := readGolden(t, goldenFile)
	bob := newDevice(t, 1, "device 1")
	bob.signer = ed25519.NewKeyFromSeed(things["signer"])
	bob.store = records
	load := func() {
		g, err := mls.LoadGroup(bob.config(), maps.All(records))
		if err != nil {
			t.Fatal(err)
		}
		bob.group = g
	}
	load()
	if !bytes.Equal(bob.group.EpochAuthenticator(), things["authenticator"]) {
		t.Error("another epoch authenticator")
	}
	if got := bob.snapshot(); !maps.EqualFunc(got, records, bytes.Equal) {
		t.Error("the state saves differently")
	}
	if n := len(bob.group.Pending()); n != 2 {
		t.Errorf("%d proposals pending, want 2", n)
	}
	if got := bob.open(things["skipped"]); got != "skipped" {
		t.Errorf("read %q", got)
	}
	c, err := mls.LoadStagedCommit(bob.group, things["candidate"])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Save(), things["candidate"]) {
		t.Error("the candidate saves differently")
	}
	bob.merge(c)
	if !bytes.Equal(bob.group.EpochAuthenticator(), things["next authenticator"]) {
		t.Error("the candidate leads elsewhere")
	}
	private, err := mls.LoadKeyPackagePrivate(things["key package"])
	if err != nil || !bytes.Equal(private.Save(), things["key package"]) {
		t.Error("the key package saves differently", err)
	}
}

// TestVersions checks that state of a later version is refused by name.
func TestVersions(t *testing.T) {
	things, records := readGolden(t, goldenFile)
	bob := newDevice(t, 1, "device 1")
	bob.signer = ed25519.NewKeyFromSeed(things["signer"])
	for key, value := range records {
		later := maps.Clone(records)
		later[key] = append([]byte{2}, value[1:]...)
		if _, err := mls.LoadGroup(bob.config(), maps.All(later)); err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Fatalf("record %s of version 2: %v", key, err)
		}
	}
}
