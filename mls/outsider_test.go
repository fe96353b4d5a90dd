package mls_test

import (
	"bytes"
	"crypto"
	"errors"
	"maps"
	"testing"

	"snug/mls"
)

// A service is an external sender.
type service struct {
	signer crypto.Signer
	entry  mls.ExternalSender
}

func newService(t testing.TB, suite mls.CipherSuite, name string) *service {
	t.Helper()
	signer := newSigner(t, suite)
	entry, err := mls.NewExternalSender(suite, signer, mls.BasicCredential([]byte(name)))
	if err != nil {
		t.Fatal(err)
	}
	read, err := mls.ParseExternalSender(entry.Marshal())
	if err != nil || !bytes.Equal(read.SignatureKey, entry.SignatureKey) || !read.Credential.Equal(entry.Credential) {
		t.Fatalf("read %v: %v", read, err)
	}
	return &service{signer, read}
}

// appoint has the group name its external senders.
func (w *world) appoint(services ...*service) {
	w.t.Helper()
	var entries []mls.ExternalSender
	for _, s := range services {
		entries = append(entries, s.entry)
	}
	x := w.members[0].group.Extensions().Set(mls.ExtensionExternalSenders, mls.MarshalExternalSenders(entries))
	w.commit(w.members[0], mls.CommitOptions{ByValue: []mls.Proposal{&mls.GroupContextExtensions{Extensions: x}}})
}

// place is where the group is, as outsiders learn it.
func (w *world) place() mls.Place {
	w.t.Helper()
	d := w.members[0]
	info, err := mls.ParseGroupInfo(d.groupInfo())
	if err != nil {
		w.t.Fatal(err)
	}
	members, err := info.Members(nil)
	if err != nil || len(members) != len(w.members) || !info.Context().Equal(d.group.Extensions()) {
		w.t.Fatalf("%d members from outside: %v", len(members), err)
	}
	return info.Place()
}

// receive hands a proposal from outside to all members.
func (w *world) receive(message []byte, err error) (last *mls.ReceivedProposal) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range w.members {
		p, ok := d.process(message).(*mls.ReceivedProposal)
		if !ok || p.Own {
			w.t.Fatalf("%s: not a proposal of another", d.name)
		}
		last = p
	}
	return last
}

// TestExternalSenders has a service propose each kind that it may, and members commit it.
func TestExternalSenders(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 4)
		w.open()
		hr, ops := newService(t, suite, "hr"), newService(t, suite, "ops")
		w.appoint(hr, ops)
		dave := w.outsider("dave")
		p := w.receive(mls.ProposeExternally(w.place(), 0, hr.signer, &mls.Add{KeyPackage: dave.keyPackage()}))
		if p.From != mls.SenderExternal || string(p.Sender.Credential.Identity) != "hr" {
			t.Errorf("from %d, %q", p.From, p.Sender.Credential.Identity)
		}
		w.receive(mls.ProposeExternally(w.place(), 1, ops.signer, &mls.Remove{Removed: 2}))
		var seen []mls.CommittedProposal
		w.members[1].policy = func(c *mls.CommitContext) error { seen = c.Proposals; return nil }
		c := w.members[0].commit(mls.CommitOptions{})
		w.deliver(w.members[0], c)
		dave.join(c.Welcome())
		w.members = append(w.members, dave)
		w.agree()
		if len(seen) != 2 || seen[0].From != mls.SenderExternal || string(seen[1].Sender.Credential.Identity) != "ops" || !seen[1].ByReference {
			t.Errorf("the policy saw %+v", seen)
		}
		x := w.members[0].group.Extensions().Set(roomExtension, []byte("renamed from outside"))
		w.receive(mls.ProposeExternally(w.place(), 0, hr.signer, &mls.GroupContextExtensions{Extensions: x}))
		w.commit(w.members[1], mls.CommitOptions{})
		if data, _ := dave.group.Extensions().Get(roomExtension); string(data) != "renamed from outside" {
			t.Errorf("the room is %q", data)
		}
		psk := mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: mls.UsageApplication, GroupID: dave.group.GroupID(), Epoch: dave.group.Epoch()}
		w.receive(mls.ProposeExternally(w.place(), 0, hr.signer, &mls.PreSharedKey{PSK: psk}))
		w.commit(w.members[2], mls.CommitOptions{NoPath: true})
		w.receive(mls.ProposeExternally(w.place(), 0, hr.signer, &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: suite}))
		c = w.members[0].commit(mls.CommitOptions{})
		if c.ReInit() == nil {
			t.Error("the reinit of a service is not committed")
		}
	})
}

// TestProposeOwnAdd has a newcomer ask to be added.
func TestProposeOwnAdd(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 3)
		w.open()
		eve := w.outsider("eve")
		p := w.receive(mls.ProposeOwnAdd(w.place(), eve.keyPackage(), eve.signer))
		if p.From != mls.SenderNewMemberProposal || string(p.Sender.Credential.Identity) != "eve" {
			t.Errorf("from %d, %q", p.From, p.Sender.Credential.Identity)
		}
		c := w.members[1].commit(mls.CommitOptions{})
		if got := c.Proposals()[0]; got.From != mls.SenderNewMemberProposal {
			t.Errorf("committed as of %d", got.From)
		}
		saved, err := mls.LoadStagedCommit(w.members[1].group, c.Save())
		if err != nil || saved.Proposals()[0].From != mls.SenderNewMemberProposal {
			t.Errorf("the candidate loads as another: %v", err)
		}
		w.deliver(w.members[1], c)
		eve.join(c.Welcome())
		w.members = append(w.members, eve)
		w.agree()
	})
}

// TestAdmission checks that outsiders' proposals are put to the application before they become pending, and that a configuration
// that says nothing lets none in.
func TestAdmission(t *testing.T) {
	w := newWorld(t, 1, 2)
	hr := newService(t, 1, "hr")
	w.appoint(hr)
	eve := newDevice(t, 1, "eve")
	own, err := mls.ProposeOwnAdd(w.place(), eve.keyPackage(), eve.signer)
	if err != nil {
		t.Fatal(err)
	}
	external, err := mls.ProposeExternally(w.place(), 0, hr.signer, &mls.Remove{Removed: 0})
	if err != nil {
		t.Fatal(err)
	}
	bob := w.members[1]
	for _, m := range [][]byte{own, external} {
		asked := 0
		bob.outside = nil
		bob.reloadGroup()
		for range 2 {
			before := bob.snapshot()
			_, err := bob.group.Process(m)
			var rule *mls.ValidationError
			if !errors.As(err, &rule) || rule.Rule != "admitting a proposal from outside of the group" {
				t.Errorf("got %v", err)
			}
			if len(bob.group.Pending()) != 0 || !maps.EqualFunc(before, bob.snapshot(), bytes.Equal) {
				t.Error("a refusal has changed the group")
			}
			bob.outside = func(c *mls.Config) {
				c.Admit = func(p *mls.ReceivedProposal) error { asked++; return errRefused }
			}
			bob.reloadGroup()
		}
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	}
	bob.openTo()
	for range 2 { // the second time it is known
		for _, m := range [][]byte{own, external} {
			if p, ok := bob.process(m).(*mls.ReceivedProposal); !ok || p.Ref() == "" {
				t.Error("not a proposal")
			}
		}
	}
	if n := len(bob.group.Pending()); n != 2 {
		t.Errorf("%d proposals are pending", n)
	}
	if _, err := bob.group.Seal(nil, nil); !errors.Is(err, mls.ErrPendingProposals) {
		t.Errorf("sealing before they are committed: %v", err)
	}
	for _, p := range bob.group.Pending() {
		bob.group.Ignore(p)
	}
	if _, err := bob.group.Seal(nil, nil); err != nil {
		t.Errorf("sealing when they are ignored: %v", err)
	}
}

// TestProposeFromOutside refuses to make what no member would take.
func TestProposeFromOutside(t *testing.T) {
	w := newWorld(t, 1, 1)
	hr := newService(t, 1, "hr")
	place := w.place()
	eve := newDevice(t, 1, "eve")
	for name, p := range map[string]mls.Proposal{
		"nothing": nil, "an update": &mls.Update{}, "an init": &mls.ExternalInit{}, "a self-remove": &mls.SelfRemove{},
		"a proposal of the application": &mls.CustomProposal{ProposalType: 0xF00B},
	} {
		if _, err := mls.ProposeExternally(place, 0, hr.signer, p); err == nil {
			t.Errorf("%s is proposed from outside", name)
		}
	}
	if _, err := mls.ProposeOwnAdd(place, eve.keyPackage(), hr.signer); !errors.Is(err, mls.ErrSigner) {
		t.Errorf("an add with another's key: %v", err)
	}
	other := place
	other.Suite = 2
	var rule *mls.ValidationError
	if _, err := mls.ProposeOwnAdd(other, eve.keyPackage(), eve.signer); !errors.As(err, &rule) || rule.Rule != "an add without a key package of the group's suite" {
		t.Errorf("an add to a group of another suite: %v", err)
	}
	other.Suite = 99
	if _, err := mls.ProposeExternally(other, 0, hr.signer, &mls.Remove{}); !errors.Is(err, mls.ErrUnsupported) {
		t.Errorf("a suite that is not known: %v", err)
	}
	list := []mls.ExternalSender{hr.entry}
	if got, err := mls.ParseExternalSenders(mls.MarshalExternalSenders(list)); err != nil || len(got) != 1 ||
		!got[0].Credential.Equal(hr.entry.Credential) || !bytes.Equal(got[0].SignatureKey, hr.entry.SignatureKey) {
		t.Errorf("read %v: %v", got, err)
	}
}
