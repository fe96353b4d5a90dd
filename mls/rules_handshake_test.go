package mls

import (
	"crypto"
	"errors"
	"testing"
)

// inNameOf is a member's group that takes itself for another member: it has the secrets of the epoch, and so the key of any message
// that nobody has sent yet. The signature key it has not.
func inNameOf(evil *Group, other LeafIndex) *Group {
	g := evil.Clone()
	g.own = other
	return g
}

// TestPrivateHandshakeRules has a member seal proposals and commits that it did not sign, or not with its own leaf's key. All else is
// as it should be, confirmation tag included: the signature alone can give it away.
func TestPrivateHandshakeRules(t *testing.T) {
	members := groupOf(t, 4)
	evil, good := members[0], members[1]
	_, kp, _ := party(t, "eve")
	stranger := newSignerOf(t, suites[0])
	propose := func(g *Group, signer crypto.Signer) []byte {
		a := g.frame(ContentProposal, []byte("data"), false)
		a.content.proposal = &Remove{3}
		if err := a.sign(g.suite, signer, g.encoded); err != nil {
			t.Fatal(err)
		}
		message, _, err := g.protect(a)
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	commit := func(g *Group, signer crypto.Signer, noPath bool) []byte {
		g = g.Clone()
		return careless{t: t, g: g, list: committed(g, &Add{kp}), noPath: noPath, private: true, signer: signer}.commit().Message()
	}
	for _, row := range []struct {
		name    string
		want    error
		message []byte
	}{
		{"a proposal", nil, propose(evil, evil.cfg.Signer)},
		{"a proposal in another's name", ErrVerify, propose(inNameOf(evil, 2), evil.cfg.Signer)},
		{"a proposal that a stranger signed", ErrVerify, propose(evil, stranger)},
		{"a proposal that another member signed", ErrVerify, propose(evil, members[2].cfg.Signer)},
		{"a commit", nil, commit(evil, nil, false)},
		{"a commit without a path", nil, commit(evil, nil, true)},
		{"a commit in another's name", ErrVerify, commit(inNameOf(evil, 2), nil, true)},
		{"a commit that a stranger signed", ErrVerify, commit(evil, stranger, false)},
		{"a commit that another member signed", ErrVerify, commit(evil, members[2].cfg.Signer, false)},
	} {
		if row.want != nil {
			refuses(t, row.name, good.Clone(), row.message, "", row.want)
		} else if _, err := good.Clone().Process(row.message); err != nil {
			t.Errorf("%s, honest: %v", row.name, err)
		}
	}
}

// TestProposalKeysAreSpent processes two private proposals in disorder. The key of the one that was skipped is saved until it has come;
// then it is gone, and neither comes twice.
func TestProposalKeysAreSpent(t *testing.T) {
	members := groupOf(t, 3)
	alice, bob := members[0], members[1]
	records := make(map[string][]byte)
	id := ratchetID{alice.own, handshakeRatchet}
	var messages [][]byte
	keys := make([]map[string]Secret, 2)
	for n := range keys {
		use, err := bob.ratchets.find(id, uint32(n))
		if err != nil {
			t.Fatal(err)
		}
		keys[n] = map[string]Secret{"key": use.key, "nonce": use.nonce, "ratchet": use.after.secret}
		message, err := alice.ProposeRemove(LeafIndex(1 + n))
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, message)
	}
	root := map[string]Secret{"encryption secret": bob.ratchets.nodes[bob.tree.root()]}
	recordsOf(bob, records)
	if len(holds(records, root)) != 1 {
		t.Fatal("the test looks for nothing: the secret of all is not there to begin with")
	}
	delete(keys[0], "ratchet") // of the second key, which comes before the first
	for _, step := range []struct{ process, kept int }{{1, 2}, {0, 0}} {
		if _, err := bob.Process(messages[step.process]); err != nil {
			t.Fatal(err)
		}
		recordsOf(bob, records)
		if left := holds(records, keys[0]); len(left) != step.kept {
			t.Errorf("after proposal %d the records hold %v of proposal 0, want %d of it", step.process, left, step.kept)
		}
	}
	delete(keys[1], "ratchet") // of the next message
	for what, used := range map[string]map[string]Secret{"the proposals' past": root, "proposal 1": keys[1]} {
		if left := holds(records, used); len(left) > 0 {
			t.Errorf("of %s the records hold %v", what, left)
		}
	}
	for n, message := range messages {
		before := stateOf(bob)
		_, err := bob.Process(message)
		var generation *GenerationError
		if !errors.As(err, &generation) || !generation.Replayed() || generation.Generation != uint32(n) {
			t.Errorf("proposal %d again: got %v, want a *GenerationError", n, err)
		}
		if len(stateOf(bob)) != len(before) || len(bob.pending) != 2 {
			t.Errorf("proposal %d again has changed the group", n)
		}
	}
}
