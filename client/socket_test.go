package client_test

import (
	"errors"
	"slices"
	"testing"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// key is the public key of a person's device.
func (p *person) key() ident.PublicKey {
	p.t.Helper()
	key, err := p.DeviceKey(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	return key.Public()
}

// keysOf are the keys of somebody's devices, as a person's device has them.
func (p *person) keysOf(handle string) []ident.PublicKey {
	p.t.Helper()
	keys, err := p.DeviceKeys(p.ctx(), handle)
	if err != nil {
		p.t.Fatal(err)
	}
	return keys
}

// TestDeviceKeys: of whom a person has verified, and of nobody else; with every device that the account has, and none
// that it had.
func TestDeviceKeys(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		_, err := bob.DeviceKeys(bob.ctx(), "@nobody")
		refusedAs(t, err, client.NotFound)
		hers := bob.find("alice")
		_, err = bob.DeviceKeys(bob.ctx(), "@alice")
		refusedAs(t, err, client.Refused)

		if _, err := bob.Verify(bob.ctx(), hers.Account, hers.SafetyNumber); err != nil {
			t.Fatal(err)
		}
		if keys := bob.keysOf("@alice"); !slices.Equal(keys, []ident.PublicKey{alice.key()}) {
			t.Errorf("alice has %v, want %v", keys, alice.key())
		}
		phone := signsIn(t, net, passphrase)
		both := []ident.PublicKey{alice.key(), phone.key()}
		if keys := bob.keysOf("alice"); !slices.Equal(keys, both) {
			t.Errorf("alice has %v, want %v", keys, both)
		}
		if keys := alice.keysOf("alice"); !slices.Equal(keys, both) {
			t.Errorf("alice sees her own as %v, want %v", keys, both)
		}
		if err := phone.Logout(phone.ctx()); err != nil {
			t.Fatal(err)
		}
		if keys := bob.keysOf("alice"); !slices.Equal(keys, both[:1]) {
			t.Errorf("alice has %v, want %v: the phone has signed out", keys, both[:1])
		}
		if _, err := bob.Unverify(bob.ctx(), hers.Account); err != nil {
			t.Fatal(err)
		}
		_, err = bob.DeviceKeys(bob.ctx(), "@alice")
		refusedAs(t, err, client.Refused)
	})
}

// TestDeviceKeysImpostor: an account to which the server gives a verified one's handle is not taken for it, nor when a
// person has accepted it without comparing; and what this device has seen is enough where the server is not there.
func TestDeviceKeysImpostor(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		alice, bob := register(t, net, "alice", true), register(t, net, "bob", true)
		his := alice.find("bob")
		if _, err := alice.Verify(alice.ctx(), his.Account, his.SafetyNumber); err != nil {
			t.Fatal(err)
		}
		want := []ident.PublicKey{bob.key()}
		net.Do(func(m *testkit.Model) { m.Expel("bob") })
		mallory := register(t, net, "bob", true)
		if keys := alice.keysOf("bob"); !slices.Equal(keys, want) {
			t.Errorf("bob has %v, want %v and never %v", keys, want, mallory.key())
		}
		net.Cut(errors.New("no network"))
		wait()
		if keys := alice.keysOf("bob"); !slices.Equal(keys, want) {
			t.Errorf("without the server bob has %v, want %v", keys, want)
		}
		net.Cut(nil)
		wait()
		if _, err := alice.AcceptContact(alice.ctx(), alice.find("bob").Account); err != nil {
			t.Fatal(err)
		}
		_, err := alice.DeviceKeys(alice.ctx(), "bob")
		refusedAs(t, err, client.Refused)
	})
}
