package client_test

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestSiegeOfTheAlerts has the server keep back what was done to an account, say it again, and make it up.
func TestSiegeOfTheAlerts(t *testing.T) {
	besiege(t, []siege{
		{"a sign-in kept back", `
			A thief has alice's passphrase and signs in, with a friend at the server, who keeps the new chain from alice's laptop.
			They hope to read along while she is told nothing.`, signInWithheld},
		{"a sign-in told again", `
			Alice has dismissed the alert of her phone. The server shows her chain again, the one from before the phone, and comes
			back from a backup. It hopes that she stops reading alerts.`, signInReplayed},
		{"a sign-in made up", `
			The server shows alice chains of hers with one more device, which it signs itself or takes from elsewhere. It hopes that
			she revokes a device of her own, or changes her passphrase while somebody looks.`, signInInvented},
		{"a passphrase change made up", `
			The server shows alice's laptop vaults that are old, damaged, another's and none. It hopes that she believes her
			passphrase was changed, or that her copy of the vault is lost.`, changeInvented},
	})
}

// shows has the server tell a victim of its own chain.
func (p *target) shows(chain []byte) {
	p.line.Say(&wire.ServerFrame{Body: &wire.ServerFrame_Chain{Chain: &wire.ChainEvent{Account: p.me().Account.Bytes(), Chain: chain}}})
}

func signInWithheld(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", bob, alice)
	alice.freeze(alice, chainOf(t, s, bob, alice))
	thief := signIn(t, s, "alice", "alice's laptop")
	wait()
	equal(t, bob.members(room), []string{"alice member 2", "bob owner 1"})
	equal(t, alice.alerts(), nil) // she cannot know which
	alice.told(room, "never enrolled")
	_, err := alice.Send(alice.ctx(), room, "the thief must not read this")
	refusal(t, "sending", err, "never enrolled")
	for _, text := range thief.shown(room) {
		if text == "alice: the thief must not read this" {
			t.Error("the thief reads on, and alice was told nothing")
		}
	}
	alice.line.Tell(nil)
	alice.line.Cut()
	wait()
	equal(t, alice.alerts(), []string{"added alice's laptop"})
	if err := alice.RevokeDevice(alice.ctx(), thief.me().Device); err != nil {
		t.Fatal(err)
	}
	equal(t, alice.alerts(), nil)
	wait()
	talks(t, room, alice, bob)
}

func signInReplayed(t *testing.T, s *evil.Service) {
	alice := settle(t, s, "alice")
	bob := settle(t, s, "bob")
	club(t, "garden", alice, bob)
	old := chainOf(t, s, bob, alice)
	backup := s.Backup()
	signIn(t, s, "alice", "phone").stop()
	wait()
	equal(t, alice.alerts(), []string{"added phone"})
	alice.dismiss()
	events := alice.Events()
	now := chainOf(t, s, bob, alice)
	for _, chain := range [][]byte{now, old, now, old[:len(old)-1], nil} {
		alice.shows(chain)
	}
	wait()
	equal(t, alice.alerts(), nil)
	s.Restore(backup)
	wait()
	equal(t, alice.alerts(), nil)
	if n := changes[client.AlertsChanged](events); n != 0 {
		t.Errorf("%d events of nothing new", n)
	}
}

func signInInvented(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	club(t, "garden", alice, bob)
	before := alice.dump()
	key, err := ident.NewDeviceKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	operator, forged, err := ident.NewAccount(rand.Reader, "alice", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := forged.Append(operator, ident.Enrol{Key: key.Public(), Name: "phone"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	real, theirs := chainOf(t, s, bob, alice), chainOf(t, s, alice, bob)
	last := forged.Marshal()[len(forged.Marshal())-150:]
	for _, chain := range [][]byte{forged.Marshal(), theirs, append(bytes.Clone(real), last...),
		append([]byte{real[0], real[1], real[2] + 1}, append(bytes.Clone(real[3:]), last...)...)} {
		alice.shows(chain)
		wait()
		equal(t, alice.alerts(), nil)
		equal(t, alice.names(), []string{"alice's laptop*"})
	}
	if got := alice.dump(); got != before {
		t.Errorf("alice sees\n%s\nwant\n%s", got, before)
	}
}

func changeInvented(t *testing.T, s *evil.Service) {
	alice, mallory := settle(t, s, "alice"), settle(t, s, "mallory")
	old := alice.disk.Snapshot()["vault"]
	change := client.ChangePassphraseOptions{Passphrase: secondPassphrase}
	if err := alice.ChangePassphrase(alice.ctx(), change); err != nil {
		t.Fatal(err)
	}
	if err := mallory.ChangePassphrase(mallory.ctx(), change); err != nil {
		t.Fatal(err)
	}
	if err := mallory.ChangePassphrase(mallory.ctx(), client.ChangePassphraseOptions{Passphrase: thirdPassphrase}); err != nil {
		t.Fatal(err)
	}
	mine := alice.disk.Snapshot()["vault"]
	later := bytes.Clone(mine)
	later[1+16+3]++ // the revision, which the seal covers
	flipped := bytes.Clone(mine)
	flipped[len(flipped)-1] ^= 1
	for name, vault := range map[string][]byte{"old": old, "mallory's": mallory.disk.Snapshot()["vault"], "of a later revision": later,
		"damaged": flipped, "cut": mine[:len(mine)-1], "none": nil} {
		asked := 0
		alice.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
			if f.GetVault() != nil {
				f.GetVault().Vault = vault
				asked++
			}
			return []*wire.ServerFrame{f}
		})
		alice.line.Cut()
		wait()
		if asked == 0 {
			t.Fatal("alice's device asks for no vault")
		}
		t.Log(name)
		equal(t, alice.alerts(), nil)
		if !bytes.Equal(alice.disk.Snapshot()["vault"], mine) {
			t.Errorf("%s: it is kept", name)
		}
	}
	alice.line.Tell(nil)
	phone := arrive(t, s)
	if _, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "alice", Passphrase: secondPassphrase, DeviceName: "phone"}); err != nil {
		t.Fatal(err)
	}
	if err := phone.ChangePassphrase(phone.ctx(), client.ChangePassphraseOptions{Passphrase: thirdPassphrase}); err != nil {
		t.Fatal(err)
	}
	alice.line.Cut()
	wait()
	equal(t, alice.alerts(), []string{"added phone", "passphrase"})
}
