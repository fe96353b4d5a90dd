package client_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/mls"
)

// A deed is what a member commits or proposes. The roles are those that may commit it by value, by the rules as
// docs/protocol.md has them; by reference nobody may, whoever commits it, but for what referred says.
type deed struct {
	name string
	by   string // the roles that may, of "owner admin member reader"
	do   func(w *insiders, me *hacked, g *mls.Group) []mls.Proposal
	// referred says that it may be committed from a proposal.
	referred bool
}

// insiders are a room of all roles, and two people who are none of the attackers: carol, on whom things are done, and zoe, who
// judges. Dave is a stranger.
type insiders struct {
	t                          *testing.T
	room                       ident.RoomID
	alice, ann, bob, rita      *hacked
	carol, zoe, dave           *target
	daves, carols              *mls.KeyPackage
	tried, allowed, impossible int
}

func newInsiders(t *testing.T, s *evil.Service) *insiders {
	t.Helper()
	people := make(map[string]*target)
	for _, handle := range []string{"alice", "ann", "bob", "rita", "carol", "zoe", "dave"} {
		people[handle] = settle(t, s, handle)
	}
	w := &insiders{t: t, carol: people["carol"], zoe: people["zoe"], dave: people["dave"]}
	for _, who := range []string{"zoe", "alice", "ann"} {
		packageOf(t, people[who], "dave") // so that they know dave's chain
	}
	alice := people["alice"]
	w.room = club(t, "garden", alice, people["ann"], people["bob"], people["rita"], people["carol"], people["zoe"])
	for handle, role := range map[string]string{"ann": "admin", "rita": "reader"} {
		if err := alice.SetRole(alice.ctx(), w.room, handle, role); err != nil {
			t.Fatal(err)
		}
	}
	wait()
	equal(t, w.zoe.members(w.room), []string{"alice owner 1", "ann admin 1", "bob member 1", "carol member 1", "rita reader 1", "zoe member 1"})
	w.alice, w.ann, w.bob, w.rita = hack(t, alice), hack(t, people["ann"]), hack(t, people["bob"]), hack(t, people["rita"])
	w.daves, w.carols = w.parse(w.dave), w.parse(w.carol)
	return w
}

func (w *insiders) parse(p *target) *mls.KeyPackage {
	w.t.Helper()
	parsed, err := mls.ParseKeyPackage(p.keyPackage().KeyPackage)
	if err != nil {
		w.t.Fatal(err)
	}
	return parsed
}

// roster is a change of GroupContext extensions by these edits.
func roster(g *mls.Group, edits ...client.RosterEdit) mls.Proposal {
	return &mls.GroupContextExtensions{Extensions: client.EditRoster(g.Extensions(), edits...)}
}

// leafIn gives the place of somebody's device.
func (w *insiders) leafIn(g *mls.Group, p *target) mls.LeafIndex {
	w.t.Helper()
	id := ident.Credential{Account: p.me().Account, Device: p.me().Device}.Marshal()
	for m := range g.Members() {
		if bytes.Equal(m.Credential.Identity, id) {
			return m.Index
		}
	}
	w.t.Fatalf("%s is not in the room", p.handle())
	return 0
}

func deeds() []deed {
	const all, office = "owner admin member reader", "owner admin"
	one := func(do func(w *insiders, me *hacked, g *mls.Group) mls.Proposal) func(*insiders, *hacked, *mls.Group) []mls.Proposal {
		return func(w *insiders, me *hacked, g *mls.Group) []mls.Proposal { return []mls.Proposal{do(w, me, g)} }
	}
	edit := func(edits func(w *insiders, me *hacked) []client.RosterEdit) func(*insiders, *hacked, *mls.Group) []mls.Proposal {
		return one(func(w *insiders, me *hacked, g *mls.Group) mls.Proposal { return roster(g, edits(w, me)...) })
	}
	addDave := func(role string, statements uint64) func(*insiders, *hacked, *mls.Group) []mls.Proposal {
		return func(w *insiders, _ *hacked, g *mls.Group) []mls.Proposal {
			return []mls.Proposal{&mls.Add{KeyPackage: w.daves}, roster(g, client.Ranked(w.dave.me().Account, role, statements))}
		}
	}
	remove := func(who func(w *insiders) *target) func(*insiders, *hacked, *mls.Group) []mls.Proposal {
		return func(w *insiders, _ *hacked, g *mls.Group) []mls.Proposal {
			return []mls.Proposal{&mls.Remove{Removed: w.leafIn(g, who(w))}, roster(g, client.Gone(who(w).me().Account))}
		}
	}
	carol := func(w *insiders) *target { return w.carol }
	other := mls.Extension{Type: 0xF5FF, Data: []byte("anything")}
	return []deed{
		{"renew one's keys", all, func(*insiders, *hacked, *mls.Group) []mls.Proposal { return nil }, true},
		{"add a stranger as a member", office, addDave("member", 2), false},
		{"add a stranger as a reader", office, addDave("reader", 2), false},
		{"add a stranger as an admin", "", addDave("admin", 2), false},
		{"add a stranger by a chain that nobody has", "", addDave("member", 9), false},
		{"add a stranger unchecked", "", addDave("member", 0), false},
		{"add a stranger's device only", "", one(func(w *insiders, _ *hacked, _ *mls.Group) mls.Proposal { return &mls.Add{KeyPackage: w.daves} }), false},
		{"put a stranger on the roster only", "", edit(func(w *insiders, _ *hacked) []client.RosterEdit {
			return []client.RosterEdit{client.Ranked(w.dave.me().Account, "member", 2)}
		}), false},
		{"add a device that is there", "", one(func(w *insiders, _ *hacked, _ *mls.Group) mls.Proposal { return &mls.Add{KeyPackage: w.carols} }), false},
		{"remove a member", office, remove(carol), false},
		{"remove an admin", "owner", remove(func(w *insiders) *target { return w.ann.target }), false},
		{"remove the owner", "", remove(func(w *insiders) *target { return w.alice.target }), false},
		{"remove a member's device only", "", one(func(w *insiders, _ *hacked, g *mls.Group) mls.Proposal {
			return &mls.Remove{Removed: w.leafIn(g, w.carol)}
		}), false},
		{"take a member off the roster only", "", edit(func(w *insiders, _ *hacked) []client.RosterEdit {
			return []client.RosterEdit{client.Gone(w.carol.me().Account)}
		}), false},
		{"rename the room", office, edit(func(*insiders, *hacked) []client.RosterEdit { return []client.RosterEdit{client.Named("lair")} }), false},
		{"change the topic", office, edit(func(*insiders, *hacked) []client.RosterEdit { return []client.RosterEdit{client.About("lair")} }), false},
		{"let members add", "owner", edit(func(*insiders, *hacked) []client.RosterEdit { return []client.RosterEdit{client.AddedBy("member")} }), false},
		{"make it a 1:1 room", "", edit(func(*insiders, *hacked) []client.RosterEdit { return []client.RosterEdit{client.Paired()} }), false},
		{"make oneself the owner", "owner", edit(func(w *insiders, me *hacked) []client.RosterEdit {
			return []client.RosterEdit{client.Ranked(me.me().Account, "owner", 2)}
		}), false},
		{"make a friend an admin", "owner", edit(func(w *insiders, _ *hacked) []client.RosterEdit {
			return []client.RosterEdit{client.Ranked(w.carol.me().Account, "admin", 2)}
		}), false},
		{"silence a member", office, edit(func(w *insiders, _ *hacked) []client.RosterEdit {
			return []client.RosterEdit{client.Ranked(w.carol.me().Account, "reader", 2)}
		}), false},
		{"go by an older chain of a member's", "", edit(func(w *insiders, _ *hacked) []client.RosterEdit {
			return []client.RosterEdit{client.Ranked(w.carol.me().Account, "member", 1)}
		}), false},
		{"go by a chain of a member's that nobody has", "", edit(func(w *insiders, _ *hacked) []client.RosterEdit {
			return []client.RosterEdit{client.Ranked(w.carol.me().Account, "member", 9)}
		}), false},
		{"another extension", "", one(func(_ *insiders, _ *hacked, g *mls.Group) mls.Proposal {
			return &mls.GroupContextExtensions{Extensions: g.Extensions().Set(other.Type, other.Data)}
		}), false},
		{"an external sender", "", one(func(_ *insiders, me *hacked, g *mls.Group) mls.Proposal {
			sender, err := mls.NewExternalSender(g.Suite(), me.key.Signer(), g.OwnLeaf().Credential)
			if err != nil {
				panic(err)
			}
			return &mls.GroupContextExtensions{Extensions: g.Extensions().Set(mls.ExtensionExternalSenders, mls.MarshalExternalSenders([]mls.ExternalSender{sender}))}
		}), false},
		{"no roster at all", "", one(func(_ *insiders, _ *hacked, g *mls.Group) mls.Proposal {
			return &mls.GroupContextExtensions{Extensions: g.Extensions().Without(client.RosterType)}
		}), false},
		{"a pre-shared key", "", one(func(_ *insiders, _ *hacked, g *mls.Group) mls.Proposal {
			return &mls.PreSharedKey{PSK: mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: mls.UsageApplication, GroupID: g.GroupID(), Epoch: g.Epoch()}}
		}), false},
		{"a new group for the old one", "", one(func(_ *insiders, _ *hacked, g *mls.Group) mls.Proposal {
			return &mls.ReInit{GroupID: []byte("elsewhere"), Version: mls.MLS10, Suite: g.Suite()}
		}), false},
		{"a proposal of one's own kind", "", one(func(*insiders, *hacked, *mls.Group) mls.Proposal {
			return &mls.CustomProposal{ProposalType: 0xF0F0, Data: []byte("x")}
		}), false},
	}
}

// TestInsiders has members of each role try each deed on each path: in a commit by value, received by an honest client;
// the same made by their own honest client; from proposals of theirs, in a commit of theirs and in one of the owner's. The
// honest ones are the real client over the real server; what they are given is made without any rule.
func TestInsiders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newInsiders(t, evil.Start(t))
		before, keys := w.zoe.dump(), groupRecords(w.zoe.disk)
		for _, d := range deeds() {
			for role, me := range map[string]*hacked{"owner": w.alice, "admin": w.ann, "member": w.bob, "reader": w.rita} {
				may := slices.Contains(strings.Fields(d.by), role)
				w.received(d, role, me, may)
				w.sent(d, role, me, may)
				w.referred(d, role, me, me, may && d.referred)
				w.referred(d, role, me, w.alice, may && d.referred)
			}
		}
		w.leaving()
		w.fromOutside()
		w.zoe.unchanged(before)
		if !bytes.Equal(groupRecords(w.zoe.disk), keys) {
			t.Error("judging has changed zoe's group")
		}
		t.Logf("%d deeds tried, %d allowed, %d that mls itself does not make", w.tried, w.allowed, w.impossible)
		if w.allowed < 20 || w.impossible > w.tried/4 {
			t.Errorf("of %d deeds %d were allowed and %d not even made", w.tried, w.allowed, w.impossible)
		}
	})
}

// verdict compares a judgement with the rules.
func (w *insiders) verdict(what string, err error, may bool) {
	w.t.Helper()
	w.tried++
	if err == nil {
		w.allowed++
	}
	if (err == nil) != may {
		w.t.Errorf("%s: got %v, want allowed=%v", what, err, may)
	}
}

func (w *insiders) received(d deed, role string, me *hacked, may bool) {
	w.t.Helper()
	g := me.group(w.room)
	staged, err := g.Commit(mls.CommitOptions{ByValue: d.do(w, me, g), Now: time.Now()})
	if err != nil {
		w.impossible++
		if may {
			w.t.Errorf("%s by %s: %v", d.name, role, err)
		}
		return
	}
	w.verdict(fmt.Sprintf("%s, committed by the %s, received", d.name, role), w.zoe.Judge(w.zoe.ctx(), w.room, staged.Message()), may)
	// Where RFC 9420 asks for no path it may be left out, and the rules are the same.
	if bare, err := me.group(w.room).Commit(mls.CommitOptions{ByValue: d.do(w, me, g), NoPath: true}); err == nil {
		w.verdict(fmt.Sprintf("%s, committed by the %s without a path", d.name, role), w.zoe.Judge(w.zoe.ctx(), w.room, bare.Message()), may)
	}
}

func (w *insiders) sent(d deed, role string, me *hacked, may bool) {
	w.t.Helper()
	proposals := d.do(w, me, me.group(w.room))
	err := me.WouldCommit(me.ctx(), w.room, mls.CommitOptions{ByValue: proposals, Now: time.Now()})
	w.verdict(fmt.Sprintf("%s, committed by the %s, sent", d.name, role), err, may)
}

// referred has a member propose and another one, or the same, commit it.
func (w *insiders) referred(d deed, role string, me, committer *hacked, may bool) {
	w.t.Helper()
	g := me.group(w.room)
	messages := w.propose(g, d.do(w, me, g))
	if messages == nil {
		return
	}
	by := g
	if committer != me {
		by = committer.group(w.room)
		for _, m := range messages {
			if _, err := by.Process(m); err != nil {
				w.t.Fatalf("%s: the committer: %v", d.name, err)
			}
		}
	}
	staged, err := by.Commit(mls.CommitOptions{Pending: func(*mls.ReceivedProposal) bool { return true }})
	if err != nil {
		w.impossible++
		return
	}
	what := fmt.Sprintf("%s, proposed by the %s, committed by %s", d.name, role, committer.handle())
	w.verdict(what, w.zoe.Judge(w.zoe.ctx(), w.room, append(messages, staged.Message())...), may)
}

// propose makes the messages of proposals; nil where mls makes none of that kind.
func (w *insiders) propose(g *mls.Group, proposals []mls.Proposal) (messages [][]byte) {
	w.t.Helper()
	if proposals == nil {
		b, err := g.ProposeUpdate(mls.LeafOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		return [][]byte{b}
	}
	for _, p := range proposals {
		var b []byte
		var err error
		switch p := p.(type) {
		case *mls.Add:
			b, err = g.ProposeAdd(p.KeyPackage)
		case *mls.Remove:
			b, err = g.ProposeRemove(p.Removed)
		case *mls.GroupContextExtensions:
			b, err = g.ProposeGroupContextExtensions(p.Extensions)
		case *mls.PreSharedKey:
			b, err = g.ProposePreSharedKey(p.PSK)
		case *mls.ReInit:
			b, err = g.ProposeReInit(*p)
		case *mls.CustomProposal:
			b, err = g.ProposeCustom(*p)
		}
		if err != nil {
			w.impossible++
			return nil
		}
		messages = append(messages, b)
	}
	return messages
}

// leaving has everybody ask to go: anybody may commit that, and nobody their own; and nobody asks for another.
func (w *insiders) leaving() {
	w.t.Helper()
	for _, me := range []*hacked{w.ann, w.bob, w.rita} {
		g := me.group(w.room)
		b, err := g.ProposeLeave()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, committer := range []*hacked{w.alice, w.bob, w.rita} {
			if committer == me {
				continue
			}
			by := committer.group(w.room)
			if _, err := by.Process(b); err != nil {
				w.t.Fatal(err)
			}
			staged := committer.commit(by, mls.CommitOptions{ByValue: []mls.Proposal{roster(by, client.Gone(me.me().Account))}})
			w.verdict(fmt.Sprintf("%s leaves, committed by %s", me.handle(), committer.handle()),
				w.zoe.Judge(w.zoe.ctx(), w.room, b, staged.Message()), true)
			kept := committer.commit(by, mls.CommitOptions{})
			w.verdict(fmt.Sprintf("%s leaves and is kept on the roster by %s", me.handle(), committer.handle()),
				w.zoe.Judge(w.zoe.ctx(), w.room, b, kept.Message()), false)
		}
	}
	// The removal of somebody else is not the owner's because the owner carries it out.
	g := w.rita.group(w.room)
	b, err := g.ProposeRemove(w.leafIn(g, w.carol))
	if err != nil {
		w.t.Fatal(err)
	}
	by := w.alice.group(w.room)
	if _, err := by.Process(b); err != nil {
		w.t.Fatal(err)
	}
	staged := w.alice.commit(by, mls.CommitOptions{ByValue: []mls.Proposal{roster(by, client.Gone(w.carol.me().Account))}})
	w.verdict("the reader proposes a member's removal and the owner commits it", w.zoe.Judge(w.zoe.ctx(), w.room, b, staged.Message()), false)
}

// fromOutside has a stranger ask to be let in, and members commit it; has members ask for a device of theirs that is there;
// and has members, and a stranger, come in by an external commit: in another's place, and in their own, which no client takes
// either.
func (w *insiders) fromOutside() {
	w.t.Helper()
	dave := hack(w.t, w.dave)
	g := w.alice.group(w.room)
	place := mls.Place{Suite: g.Suite(), GroupID: g.GroupID(), Epoch: g.Epoch()}
	for name, asks := range map[string]struct {
		by  *hacked
		pkg *mls.KeyPackage
	}{"a stranger": {dave, w.daves}, "a device that is there": {hack(w.t, w.carol), w.carols}} {
		b, err := mls.ProposeOwnAdd(place, asks.pkg, asks.by.key.Signer())
		if err != nil {
			w.t.Fatal(err)
		}
		for role, me := range map[string]*hacked{"owner": w.alice, "admin": w.ann, "member": w.bob, "reader": w.rita} {
			by := me.group(w.room)
			if _, err := by.Process(b); err != nil {
				w.t.Fatal(err)
			}
			staged, err := by.Commit(mls.CommitOptions{Pending: func(*mls.ReceivedProposal) bool { return true }})
			if err != nil {
				w.impossible++
				continue
			}
			w.verdict(fmt.Sprintf("%s asks to be added, committed by the %s", name, role), w.zoe.Judge(w.zoe.ctx(), w.room, b, staged.Message()), false)
		}
	}
	info, err := g.GroupInfo()
	if err != nil {
		w.t.Fatal(err)
	}
	victim := w.leafIn(g, w.carol)
	lair := dave.group(club(w.t, "lair", w.dave)).OwnLeaf()
	for name, who := range map[string]struct {
		*hacked
		leaf  mls.Member
		place mls.LeafIndex
	}{
		"a stranger in a member's place": {dave, lair, victim},
		"an admin in a member's place":   {w.ann, w.ann.group(w.room).OwnLeaf(), victim},
		"a member in another's place":    {w.bob, w.bob.group(w.room).OwnLeaf(), victim},
		"a member in its own place":      {w.bob, w.bob.group(w.room).OwnLeaf(), w.bob.group(w.room).OwnLeaf().Index},
		"the owner in its own place":     {w.alice, w.alice.group(w.room).OwnLeaf(), w.alice.group(w.room).OwnLeaf().Index},
	} {
		certificate, _ := who.leaf.Extensions.Get(client.CertificateType)
		joined, err := mls.JoinExternally(who.config(), info, mls.ExternalOptions{Credential: who.leaf.Credential,
			LeafExtensions: mls.Extensions{{Type: client.CertificateType, Data: certificate}},
			Capabilities:   mls.Capabilities{Extensions: []mls.ExtensionType{client.RosterType}},
			Replaces:       func(m mls.Member) bool { return m.Index == who.place }})
		if err != nil {
			w.impossible++
			continue
		}
		w.verdict(name+" comes in from outside", w.zoe.Judge(w.zoe.ctx(), w.room, joined.Message()), false)
	}
}
