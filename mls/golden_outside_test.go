package mls_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"snug/mls"
)

const goldenOutsideFile = "testdata/state-v1-outside.txt"

// writeGoldenOutside makes what outsiders leave in a group's state: their proposals pending, a commit of theirs staged, the candidate of a
// joiner; and a group that was reinitialized.
func writeGoldenOutside(t *testing.T) {
	t.Helper()
	w := newWorld(t, 1, 3)
	w.open()
	hr := newService(t, 1, "hr")
	w.appoint(hr)
	bob, eve, dave := w.members[1], w.outsider("eve"), w.outsider("dave")
	var out bytes.Buffer
	line := func(name string, b []byte) { fmt.Fprintf(&out, "%s: %x\n", name, b) }
	line("signer", bob.signer.(ed25519.PrivateKey).Seed())
	line("joiner's signer", eve.signer.(ed25519.PrivateKey).Seed())
	opts := eve.externalOptions()
	opts.Replaces = func(m mls.Member) bool { return m.Index == 2 }
	opts.Credential = mls.BasicCredential([]byte("device 2"))
	j := eve.joinExternally(w.members[0].groupInfo(), opts)
	line("join", j.Save())
	line("join authenticator", j.Group().EpochAuthenticator())
	line("commit", bob.process(j.Message()).(*mls.StagedCommit).Save())
	w.receive(mls.ProposeExternally(w.place(), 0, hr.signer, &mls.Remove{Removed: 0}))
	w.receive(mls.ProposeOwnAdd(w.place(), dave.keyPackage(), dave.signer))
	m, err := w.members[2].group.ProposeSelfRemove()
	w.hear(w.members[2], m, err)
	for _, key := range slices.Sorted(maps.Keys(bob.store)) {
		line("record "+key, bob.store[key])
	}
	reinit := &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: 2}
	c := w.members[0].commit(mls.CommitOptions{ByValue: []mls.Proposal{reinit}, Pending: func(*mls.ReceivedProposal) bool { return false }})
	end := bob.process(c.Message()).(*mls.StagedCommit)
	line("end", end.Save())
	line("end authenticator", end.EpochAuthenticator())
	if err := os.WriteFile(goldenOutsideFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenOutside loads what an earlier build saved of outsiders, and goes on from it.
func TestGoldenOutside(t *testing.T) {
	if *update {
		writeGoldenOutside(t)
	}
	things, records := readGolden(t, goldenOutsideFile)
	load := func() *device {
		bob := newDevice(t, 1, "device 1")
		bob.signer, bob.store = ed25519.NewKeyFromSeed(things["signer"]), maps.Clone(records)
		bob.openTo()
		bob.reloadGroup()
		return bob
	}
	bob := load()
	if got := bob.snapshot(); !maps.EqualFunc(got, records, bytes.Equal) {
		t.Error("the state saves differently")
	}
	var from []mls.SenderType
	for _, p := range bob.group.Pending() {
		from = append(from, p.From)
	}
	if want := []mls.SenderType{mls.SenderExternal, mls.SenderNewMemberProposal, mls.SenderMember}; !slices.Equal(from, want) {
		t.Errorf("proposals of %v are pending, want %v", from, want)
	}
	c, err := mls.LoadStagedCommit(bob.group, things["commit"])
	if err != nil || !bytes.Equal(c.Save(), things["commit"]) {
		t.Fatalf("the commit saves differently: %v", err)
	}
	if !c.External() || c.Sender().Index != 2 || len(c.Removed()) != 1 || c.Proposals()[0].From != mls.SenderNewMemberCommit {
		t.Errorf("the commit is of %v, with %v", c.Sender(), c.Proposals())
	}
	eve := newDevice(t, 1, "device 2")
	eve.signer = ed25519.NewKeyFromSeed(things["joiner's signer"])
	j, err := mls.LoadExternalJoin(eve.config(), things["join"])
	if err != nil || !bytes.Equal(j.Save(), things["join"]) {
		t.Fatalf("the candidate saves differently: %v", err)
	}
	bob.merge(c)
	eve.group = j.Group()
	eve.save()
	for _, d := range []*device{bob, eve} {
		if !bytes.Equal(d.group.EpochAuthenticator(), things["join authenticator"]) {
			t.Errorf("%s: the commit leads elsewhere", d.name)
		}
	}
	if got := bob.open(eve.seal("hello")); got != "hello" {
		t.Errorf("read %q", got)
	}
	bob = load()
	end, err := mls.LoadStagedCommit(bob.group, things["end"])
	if err != nil || end.ReInit() == nil {
		t.Fatalf("the last commit: %v", err)
	}
	bob.merge(end)
	if r, ok := bob.group.Reinitialized(); !ok || r.Suite != 2 || !bytes.Equal(bob.group.EpochAuthenticator(), things["end authenticator"]) {
		t.Errorf("the group ends for %v", r)
	}
}
