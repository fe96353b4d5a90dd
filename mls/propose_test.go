package mls_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"snug/mls"
)

// hear hands a message to all but its sender.
func (w *world) hear(from *device, message []byte, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	from.save()
	for _, d := range w.members {
		if d != from {
			d.process(message)
		}
	}
}

// TestProposals commits each kind of proposal by reference, made by one member and committed by another.
func TestProposals(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 4)
		alice, bob, carol := w.members[0], w.members[1], w.members[2]
		m, err := bob.group.ProposeUpdate(mls.LeafOptions{Extensions: mls.Extensions{{Type: deviceExtension, Data: []byte("renewed")}}})
		w.hear(bob, m, err)
		c := w.commit(alice, mls.CommitOptions{})
		if len(c.Updated()) != 2 || c.Updated()[0].Index != 1 {
			t.Errorf("updated %v", c.Updated())
		}
		if data, _ := bob.group.OwnLeaf().Extensions.Get(deviceExtension); string(data) != "renewed" {
			t.Errorf("the leaf has %q", data)
		}

		eve := newDevice(t, suite, "eve")
		m, err = carol.group.ProposeAdd(eve.keyPackage())
		w.hear(carol, m, err)
		c = alice.commit(mls.CommitOptions{NoPath: true})
		w.deliver(alice, c)
		eve.join(c.Welcome())
		w.members = append(w.members, eve)
		w.agree()

		m, err = bob.group.ProposeGroupContextExtensions(bob.group.Extensions().Set(roomExtension, []byte("renamed")))
		w.hear(bob, m, err)
		w.commit(eve, mls.CommitOptions{})
		if data, _ := alice.group.Extensions().Get(roomExtension); string(data) != "renamed" {
			t.Errorf("the room is %q", data)
		}

		m, err = carol.group.ProposeLeave()
		w.hear(carol, m, err)
		w.commit(bob, mls.CommitOptions{})
		if len(w.members) != 4 {
			t.Error("the member that left is still there")
		}
	})
}

// TestPreSharedKey mixes external and resumption keys into an epoch, for members and joiners alike.
func TestPreSharedKey(t *testing.T) {
	w := newWorld(t, 1, 3)
	known := func(id mls.PreSharedKeyID) (mls.Secret, error) {
		if string(id.ID) == "shared" {
			return mls.Secret("known to all"), nil
		}
		return nil, nil
	}
	alice, bob := w.members[0], w.members[1]
	dave := newDevice(t, 1, "dave")
	current := mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: mls.UsageApplication, GroupID: alice.group.GroupID(), Epoch: alice.group.Epoch()}
	external := mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("shared")}

	w.commit(alice, mls.CommitOptions{ByValue: []mls.Proposal{&mls.PreSharedKey{PSK: current}}, NoPath: true})
	current.Epoch = alice.group.Epoch()
	m, err := bob.group.ProposePreSharedKey(current)
	w.hear(bob, m, err)
	w.commit(alice, mls.CommitOptions{})

	opts := mls.CommitOptions{ByValue: []mls.Proposal{&mls.PreSharedKey{PSK: external}, &mls.Add{KeyPackage: dave.keyPackage()}}, NoPath: true}
	if _, err := alice.group.Commit(opts); err == nil {
		t.Fatal("committed a key that is not known")
	}
	group, err := loadWith(alice, known)
	if err != nil {
		t.Fatal(err)
	}
	c, err := group.Commit(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.group.Process(c.Message()); err == nil {
		t.Fatal("followed a key that is not known")
	}
	if group, err = loadWith(bob, known); err != nil {
		t.Fatal(err)
	}
	r, err := group.Process(c.Message())
	if err != nil || !bytes.Equal(r.(*mls.StagedCommit).EpochAuthenticator(), c.EpochAuthenticator()) {
		t.Fatal("the epochs differ", err)
	}
	cfg := dave.config()
	if _, err := mls.Join(cfg, c.Welcome(), dave.find, mls.JoinOptions{}); err == nil {
		t.Fatal("joined without the key")
	}
	cfg.PSK = known
	if _, err := mls.Join(cfg, c.Welcome(), dave.find, mls.JoinOptions{}); err != nil {
		t.Fatal(err)
	}
}

// loadWith loads a device's group with this source of pre-shared keys.
func loadWith(d *device, psk func(mls.PreSharedKeyID) (mls.Secret, error)) (*mls.Group, error) {
	cfg := d.config()
	cfg.PSK = psk
	return mls.LoadGroup(cfg, maps.All(d.store))
}

// TestConflicts has proposals that do not go together: the committer takes those that do.
func TestConflicts(t *testing.T) {
	w := newWorld(t, 1, 5)
	alice := w.members[0]
	for _, d := range w.members[1:4] {
		m, err := d.group.ProposeRemove(4)
		w.hear(d, m, err)
	}
	m, err := w.members[4].group.ProposeUpdate(mls.LeafOptions{})
	w.hear(w.members[4], m, err)
	m, err = w.members[3].group.ProposeRemove(0)
	w.hear(w.members[3], m, err)
	m, err = w.members[3].group.ProposeUpdate(mls.LeafOptions{})
	w.hear(w.members[3], m, err)
	m, err = alice.group.ProposeUpdate(mls.LeafOptions{})
	w.hear(alice, m, err)
	c := w.commit(alice, mls.CommitOptions{})
	if len(c.Removed()) != 1 || c.Removed()[0].Index != 4 || len(c.Proposals()) != 2 {
		t.Errorf("removed %v with %d proposals", c.Removed(), len(c.Proposals()))
	}
}

// TestLastResort makes a key package that may be used twice.
func TestLastResort(t *testing.T) {
	eve := newDevice(t, 1, "eve")
	kp, private, err := mls.NewKeyPackage(mls.KeyPackageOptions{
		Suite: 1, Credential: mls.BasicCredential([]byte("eve")), Signer: eve.signer, Lifetime: lifetime, Capabilities: capabilities, LastResort: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	eve.packages[kp.Ref()] = private.Save()
	if !kp.LastResort() || private.KeyPackage().Ref() != kp.Ref() || eve.keyPackage().LastResort() {
		t.Error("last resort is not marked")
	}
	if m := kp.Member(); string(m.Credential.Identity) != "eve" {
		t.Errorf("the key package is of %q", m.Credential.Identity)
	}
	for range 2 {
		w := newWorld(t, 1, 1)
		c := w.members[0].commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: kp}}})
		w.members[0].merge(c)
		eve.join(c.Welcome())
	}
	extensions := mls.Extensions{{Type: 0xF001}, {Type: 0xF002}}
	if _, _, err := mls.NewKeyPackage(mls.KeyPackageOptions{
		Suite: 1, Credential: mls.BasicCredential(nil), Signer: eve.signer, Lifetime: lifetime, LeafExtensions: append(extensions, extensions[0]),
	}); err == nil {
		t.Error("made a leaf with an extension twice")
	}
	if left := extensions.Without(0xF001); len(left) != 1 || left[0].Type != 0xF002 {
		t.Errorf("left are %v", left)
	}
	if _, _, err := mls.NewKeyPackage(mls.KeyPackageOptions{Suite: 1, Signer: eve.signer, Lifetime: lifetime}); err == nil {
		t.Error("made a leaf without a credential")
	}
	if _, _, err := mls.NewKeyPackage(mls.KeyPackageOptions{Suite: 2, Signer: eve.signer, Lifetime: lifetime, Credential: mls.BasicCredential(nil)}); !errors.Is(err, mls.ErrSigner) {
		t.Errorf("a key of another suite: %v", err)
	}
}

// TestLifetimes checks key packages against the time that the caller gives.
func TestLifetimes(t *testing.T) {
	w := newWorld(t, 1, 2)
	eve := newDevice(t, 1, "eve")
	opts := mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: eve.keyPackage()}}}
	for at, want := range map[int64]bool{999: false, 1000: true, 2000: true, 2001: false, -5: false} {
		opts.Now = time.Unix(at, 0)
		c, err := w.members[0].group.Commit(opts)
		if (err == nil) != want {
			t.Errorf("adding at %d: %v", at, err)
		}
		if err != nil {
			continue
		}
		for at, want := range map[int64]bool{999: false, 1500: true, 2001: false} {
			_, err := mls.Join(eve.config(), c.Welcome(), eve.find, mls.JoinOptions{Now: time.Unix(at, 0)})
			if (err == nil) != want {
				t.Errorf("joining at %d: %v", at, err)
			}
		}
	}
}

// TestCapabilities checks that nobody is added who does not support what the group needs.
func TestCapabilities(t *testing.T) {
	w := newWorld(t, 1, 2)
	alice := w.members[0]
	signer := newSigner(t, 1)
	kp, _, err := mls.NewKeyPackage(mls.KeyPackageOptions{Suite: 1, Credential: mls.BasicCredential([]byte("eve")), Signer: signer, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	var rule *mls.ValidationError
	if _, err := alice.group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: kp}}}); !errors.As(err, &rule) {
		t.Errorf("adding a device without the group's extension: %v", err)
	}
	unknown := alice.group.Extensions().Set(0xF0F0, nil)
	if _, err := alice.group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.GroupContextExtensions{Extensions: unknown}}}); !errors.As(err, &rule) {
		t.Errorf("adding an extension that nobody supports: %v", err)
	}
	required := mls.RequiredCapabilities{Extensions: []mls.ExtensionType{roomExtension}, Credentials: []mls.CredentialType{mls.CredentialBasic}}
	ok := alice.group.Extensions().Set(mls.ExtensionRequiredCapabilities, required.Marshal())
	w.commit(alice, mls.CommitOptions{ByValue: []mls.Proposal{&mls.GroupContextExtensions{Extensions: ok}}})
	required.Proposals = []mls.ProposalType{0xF0F0}
	no := alice.group.Extensions().Set(mls.ExtensionRequiredCapabilities, required.Marshal())
	if _, err := alice.group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.GroupContextExtensions{Extensions: no}}}); !errors.As(err, &rule) {
		t.Errorf("requiring a proposal that nobody supports: %v", err)
	}
}

// TestNewKey renews a member's signature key.
func TestNewKey(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		w := newWorld(t, suite, 3)
		alice := w.members[0]
		fresh := newSigner(t, suite)
		c := alice.commit(mls.CommitOptions{Leaf: mls.LeafOptions{Signer: fresh}})
		old := alice.signer
		alice.signer = fresh
		w.deliver(alice, c)
		w.agree()
		alice.signer = old
		if _, err := mls.LoadGroup(alice.config(), maps.All(alice.store)); !errors.Is(err, mls.ErrSigner) {
			t.Errorf("loading with the old key: %v", err)
		}
	})
}

// TestRandomLife has a group of up to 20 do random things for many epochs.
func TestRandomLife(t *testing.T) {
	forSuites(t, func(t *testing.T, suite mls.CipherSuite) {
		for seed := range uint64(2) {
			r := rand.New(rand.NewPCG(seed, uint64(suite)))
			w := newWorld(t, suite, 2)
			for range 20 {
				w.step(r)
			}
		}
	})
}

// step does one random thing.
func (w *world) step(r *rand.Rand) {
	by := w.members[r.IntN(len(w.members))]
	opts := mls.CommitOptions{Public: r.IntN(2) == 0, NoPath: r.IntN(2) == 0}
	for _, d := range w.members {
		if d == by || r.IntN(4) > 0 {
			continue
		}
		m, err := d.group.ProposeUpdate(mls.LeafOptions{})
		w.hear(d, m, err)
	}
	for _, d := range w.members {
		if d != by && len(w.members) > 2 && r.IntN(10) == 0 {
			opts.ByValue = append(opts.ByValue, &mls.Remove{Removed: d.group.OwnLeaf().Index})
		}
	}
	var fresh []*device
	for range r.IntN(4) {
		if len(w.members)+len(fresh) >= 20 {
			break
		}
		d := newDevice(w.t, w.suite, fmt.Sprint(r.Uint64()))
		fresh = append(fresh, d)
		opts.ByValue = append(opts.ByValue, &mls.Add{KeyPackage: d.keyPackage()})
	}
	c := by.commit(opts)
	w.deliver(by, c)
	for _, d := range fresh {
		d.join(c.Welcome())
	}
	w.members = append(w.members, fresh...)
	w.agree()
}

// TestNonsense has a member propose what is valid by itself and cannot be committed. The others commit without it, and the good
// proposals with what is committed.
func TestNonsense(t *testing.T) {
	now := time.Unix(1500, 0)
	for _, row := range []struct {
		name    string
		propose func(t *testing.T, bob *device) ([]byte, error)
	}{
		{"a pre-shared key that nobody knows", func(t *testing.T, bob *device) ([]byte, error) {
			return bob.group.ProposePreSharedKey(mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("nobody knows")})
		}},
		{"a key package that has expired", func(t *testing.T, bob *device) ([]byte, error) {
			eve := newDevice(t, 1, "eve")
			kp, _, err := mls.NewKeyPackage(mls.KeyPackageOptions{
				Suite: 1, Credential: mls.BasicCredential([]byte("eve")), Signer: eve.signer, Lifetime: mls.Lifetime{NotAfter: 10},
				Capabilities: capabilities,
			})
			if err != nil {
				t.Fatal(err)
			}
			return bob.group.ProposeAdd(kp)
		}},
		{"extensions that nobody supports", func(t *testing.T, bob *device) ([]byte, error) {
			return bob.group.ProposeGroupContextExtensions(mls.Extensions{{Type: 0xF0F0}})
		}},
		{"an update to a credential that nobody supports", func(t *testing.T, bob *device) ([]byte, error) {
			x509 := mls.Credential{Type: mls.CredentialX509, Certificates: [][]byte{{1}}}
			return bob.group.ProposeUpdate(mls.LeafOptions{Credential: &x509})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, 1, 4)
			alice, bob := w.members[0], w.members[1]
			m, err := row.propose(t, bob)
			w.hear(bob, m, err)
			m, err = w.members[2].group.ProposeRemove(3)
			w.hear(w.members[2], m, err)
			c := w.commit(alice, mls.CommitOptions{Now: now})
			if len(c.Proposals()) != 1 || len(c.Removed()) != 1 || c.Removed()[0].Index != 3 {
				t.Errorf("%d proposals committed, want the removal alone", len(c.Proposals()))
			}
			if _, err := alice.group.Commit(mls.CommitOptions{Now: now, ByValue: []mls.Proposal{&mls.Remove{Removed: 9}}}); err == nil {
				t.Error("nonsense by value was committed")
			}
		})
	}
}
