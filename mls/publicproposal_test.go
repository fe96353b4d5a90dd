package mls_test

import (
	"bytes"
	"crypto/ecdh"
	"testing"

	"snug/mls"
)

// TestPublicProposals sends each kind of proposal as a PublicMessage, and commits it by its reference.
func TestPublicProposals(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 3)
		alice, bob := w.members[0], w.members[1]
		current := mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: mls.UsageApplication, GroupID: bob.group.GroupID()}
		for _, row := range []struct {
			name    string
			propose func(*mls.Group) ([]byte, error)
		}{
			{"update", func(g *mls.Group) ([]byte, error) { return g.ProposeUpdate(mls.LeafOptions{}) }},
			{"context", func(g *mls.Group) ([]byte, error) { return g.ProposeGroupContextExtensions(g.Extensions()) }},
			{"psk", func(g *mls.Group) ([]byte, error) {
				current.Epoch = g.Epoch()
				return g.ProposePreSharedKey(current)
			}},
			{"remove", func(g *mls.Group) ([]byte, error) { return g.ProposeRemove(2) }},
		} {
			cfg := bob.config()
			cfg.PublicProposals = true
			bob.group = bob.loaded(cfg)
			m, err := row.propose(bob.group)
			w.hear(bob, m, err)
			if want := []byte{0, 1, 0, 1}; !bytes.HasPrefix(m, want) {
				t.Errorf("%s: the message begins with %x, want a PublicMessage", row.name, m[:4])
			}
			if _, ok := bob.process(m).(*mls.OwnMessage); !ok {
				t.Errorf("%s: the own proposal is not one", row.name)
			}
			ours, theirs := bob.group.Pending(), alice.group.Pending()
			if len(ours) != 1 || len(theirs) != 1 || ours[0].Ref() != theirs[0].Ref() || ours[0].Ref() == "" {
				t.Fatalf("%s: pending are %v here and %v there, want one under the same reference", row.name, ours, theirs)
			}
			c := w.commit(alice, mls.CommitOptions{Pending: func(p *mls.ReceivedProposal) bool { return p.Ref() == ours[0].Ref() }})
			if len(c.Proposals()) != 1 || !c.Proposals()[0].ByReference {
				t.Errorf("%s: the commit has %v", row.name, c.Proposals())
			}
		}
		if len(w.members) != 2 {
			t.Errorf("%d members are left, want 2", len(w.members))
		}
	})
}

// TestKeyPackageKeys holds the private keys of a key package against its public ones.
func TestKeyPackageKeys(t *testing.T) {
	d := newDevice(t, 1, "device")
	kp := d.keyPackage()
	initKey, encryptionKey := d.find(kp.Ref()).Keys()
	for _, pair := range []struct {
		name    string
		private mls.Secret
		public  []byte
	}{{"init", initKey, kp.InitKey}, {"encryption", encryptionKey, kp.LeafNode.EncryptionKey}} {
		key, err := ecdh.X25519().NewPrivateKey(pair.private)
		if err != nil {
			t.Fatalf("%s key: %v", pair.name, err)
		}
		if got := key.PublicKey().Bytes(); !bytes.Equal(got, pair.public) {
			t.Errorf("%s key is of %x, want %x", pair.name, got, pair.public)
		}
	}
}
