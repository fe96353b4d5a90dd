package mls

import (
	"bytes"
	"testing"
)

// FuzzOutside offers anything to a group that lets outsiders in.
func FuzzOutside(f *testing.F) {
	members, signer := withSender(f, 3)
	info, err := members[0].GroupInfo()
	if err != nil {
		f.Fatal(err)
	}
	cfg, kp, _ := party(f, "eve")
	j, err := JoinExternally(cfg, info, ExternalOptions{Credential: BasicCredential([]byte("eve"))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(j.Message())
	place := Place{1, members[0].GroupID(), members[0].Epoch()}
	for _, p := range []Proposal{&Remove{1}, &Add{kp}, &ReInit{GroupID: []byte("next"), Version: MLS10, Suite: 1}} {
		message, err := ProposeExternally(place, 0, signer, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	own, err := ProposeOwnAdd(place, kp, cfg.Signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Fuzz(func(t *testing.T, b []byte) {
		g := members[1].Clone()
		before := stateOf(g)
		if _, err := g.Process(b); err == nil {
			g.Commit(CommitOptions{})
			return
		}
		for key, value := range stateOf(g) {
			if !bytes.Equal(before[key], value) {
				t.Fatal("a refusal has changed the group")
			}
		}
	})
}

// FuzzExternalCommitInside has a stranger sign any commit in the name of a leaf that it holds, so that what lies under the
// signature is fuzzed too.
func FuzzExternalCommitInside(f *testing.F) {
	members := groupOf(f, 3)
	openTo(members)
	info, err := members[0].GroupInfo()
	if err != nil {
		f.Fatal(err)
	}
	cfg, _, _ := party(f, "eve")
	j, err := JoinExternally(cfg, info, ExternalOptions{Credential: BasicCredential([]byte("eve"))})
	if err != nil {
		f.Fatal(err)
	}
	r := reader{b: bytes.Clone(j.Message())}
	readHeader(&r, wirePublicMessage)
	m := decodePublicMessage(&r)
	var w writer
	m.content.commit.encode(&w)
	f.Add(w.b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{b: bytes.Clone(b)}
		c := decodeCommit(&r)
		if r.end() != nil || c.path == nil {
			return
		}
		wrong := *m
		content := *m.content
		content.commit = c
		wrong.content, wrong.confirmationTag = &content, random(32)
		if err := wrong.sign(members[0].suite, cfg.Signer, members[0].encoded); err != nil {
			t.Fatal(err)
		}
		out := newMessage(wirePublicMessage)
		wrong.encode(out)
		if r, err := members[1].Clone().Process(out.b); err == nil && !r.(*StagedCommit).RemovesSelf() {
			t.Error("a commit with a random confirmation tag was accepted")
		}
	})
}

// FuzzGroupInfoInside has a member describe its group with any tree and any key for external commits.
func FuzzGroupInfoInside(f *testing.F) {
	members := groupOf(f, 3)
	g := members[0]
	cfg, _, _ := party(f, "eve")
	pub, err := g.externalPub()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(g.RatchetTree(), pub)
	f.Add(g.RatchetTree()[:100], pub[:8])
	f.Fuzz(func(t *testing.T, tree, pub []byte) {
		info := &groupInfo{context: g.context, confirmationTag: g.confirmationTag, extensions: Extensions{
			{ExtensionRatchetTree, tree}, {ExtensionExternalPub, pub},
		}}
		if parsed, err := parseRatchetTree(g.suite, bytes.Clone(tree)); err == nil && parsed.checkUnmerged() == nil {
			info.context.treeHash = parsed.rootHash()
		}
		encoded, err := info.marshal(g.suite, g.cfg.Signer)
		if err != nil {
			t.Fatal(err)
		}
		w := newMessage(wireGroupInfo)
		w.raw(encoded)
		if j, err := JoinExternally(cfg, w.b, ExternalOptions{Credential: BasicCredential(nil)}); err == nil {
			j.Group().Commit(CommitOptions{})
		}
	})
}

func FuzzExternalJoin(f *testing.F) {
	members := groupOf(f, 2)
	info, err := members[0].GroupInfo()
	if err != nil {
		f.Fatal(err)
	}
	cfg, _, _ := party(f, "eve")
	j, err := JoinExternally(cfg, info, ExternalOptions{Credential: BasicCredential([]byte("eve"))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(j.Save()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if j, err := LoadExternalJoin(cfg, b); err == nil {
			if !bytes.Equal(j.Save(), b) {
				t.Error("what was loaded saves differently")
			}
			g := j.Group()
			g.Seal([]byte("hello"), nil)
			g.Commit(CommitOptions{})
		}
	})
}
