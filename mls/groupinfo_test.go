package mls_test

import (
	"bytes"
	"testing"

	"snug/mls"
)

// TestExports compares what members of one epoch derive and describe.
func TestExports(t *testing.T) {
	w := newWorld(t, 1, 3)
	alice, bob := w.members[0].group, w.members[1].group
	a, err := alice.Export("label", []byte("context"), 100)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bob.Export("label", []byte("context"), 100)
	if err != nil || !bytes.Equal(a, b) {
		t.Error("two members export differently", err)
	}
	if c, _ := bob.Export("label", []byte("other"), 100); bytes.Equal(a, c) {
		t.Error("two contexts export the same")
	}
	for _, n := range []int{-1, 255*32 + 1, 1 << 40} {
		if _, err := alice.Export("label", nil, n); err == nil {
			t.Errorf("exported %d bytes", n)
		}
	}
	if !bytes.Equal(alice.ResumptionPSK(), bob.ResumptionPSK()) || !bytes.Equal(alice.RatchetTree(), bob.RatchetTree()) {
		t.Error("two members have different epochs")
	}
	if alice.Suite() != 1 || alice.OwnLeaf().Index != 0 || bob.OwnLeaf().Index != 1 {
		t.Error("the group describes itself wrongly")
	}
	if m, ok := alice.Member(2); !ok || string(m.Credential.Identity) != "device 2" {
		t.Error("member 2 is another")
	}
	if _, ok := alice.Member(3); ok {
		t.Error("there is a member 3")
	}
	info, err := alice.GroupInfo()
	if err != nil || len(info) == 0 {
		t.Error(err)
	}
	if info, err = w.members[0].commit(mls.CommitOptions{}).GroupInfo(); err != nil || len(info) == 0 {
		t.Error(err)
	}
}

// TestSuites has every suite of the table carry a conversation.
func TestSuites(t *testing.T) {
	for _, suite := range []mls.CipherSuite{1, 2, 3, 5, 7, 0xF001, 0xF002, 0xF003, 0xF004, 0xF005} {
		w := newWorld(t, suite, 2)
		w.add(w.members[1], 1)
		w.commit(w.members[2], mls.CommitOptions{})
	}
	for _, suite := range []mls.CipherSuite{4, 6, 0xFFFF} {
		if suite.Supported() {
			t.Errorf("suite %d is said to be supported", suite)
		}
	}
}
