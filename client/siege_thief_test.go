package client_test

import (
	"crypto/rand"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestSiegeByAThief has somebody who has taken a device, which was revoked since, and the server act together.
func TestSiegeByAThief(t *testing.T) {
	besiege(t, []siege{
		{"the identity key of a revoked device", `
			Bob has revoked his stolen phone, and alice has seen it. The thief has the account's identity key, and the server gives alice bob's
			newest chain with one more statement, signed by it, that enrols a device of the thief's. This is not prevented: nothing
			tells it from bob's own word. It is seen where people look, and the phone itself stays out.`, revokedEnrols},
		{"a revoked device's own room", `
			Alice owns a room and has revoked her stolen phone, which everybody has seen. The thief makes a group of the room's id and name by
			what the phone has, with a friend on the roster, and the server gives bob the Welcome. It hopes that he takes it for
			alice's word, who could have let him in again.`, revokedFounds},
	})
}

func revokedFounds(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	phone := signIn(t, s, "alice", "alice's phone")
	room := club(t, "garden", alice, bob)
	thief := hack(t, phone)
	own, me := thief.group(room), phone.me()
	equal(t, bob.members(room), []string{"alice owner 2", "bob member 1"})
	phone.stop()
	if err := alice.RevokeDevice(alice.ctx(), me.Device); err != nil {
		t.Fatal(err)
	}
	wait()
	equal(t, bob.members(room), []string{"alice owner 1", "bob member 1"})
	before := bob.dump()
	for _, statements := range []uint64{3, 4} { // as the room knew alice's chain before, and after
		welcome := thief.found(room, []*wire.KeyPackage{bob.keyPackage(), m.keyPackage()}, own, client.Named("garden"),
			client.Ranked(me.Account, "owner", statements), client.Ranked(bob.me().Account, "member", 2), client.Ranked(m.me().Account, "member", 2))
		bob.welcome(room, 100, alice.me(), welcome)
		bob.unchanged(before)
		bob.told(room, "does not stand up to the checks")
	}
	talks(t, room, alice, bob)
}

func revokedEnrols(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	phone := signIn(t, s, "bob", "bob's phone")
	room := club(t, "garden", alice, bob)
	thief := hack(t, phone)
	identity, err := ident.IdentityKeyFromSecret(phone.disk.Snapshot()["identity"])
	if err != nil {
		t.Fatal(err)
	}
	phone.stop()
	if err := bob.RevokeDevice(bob.ctx(), ident.NewDeviceID(bob.me().Account, thief.key.Public())); err != nil {
		t.Fatal(err)
	}
	wait()
	equal(t, alice.members(room), []string{"alice owner 1", "bob member 1"})
	chain, err := ident.ParseChain(chainOf(t, s, alice, bob))
	if err != nil {
		t.Fatal(err)
	}
	if err := chain.Append(identity, ident.Enrol{Key: thief.key.Public(), Name: "bob's phone"}, time.Now()); err == nil {
		t.Error("the phone is enrolled again")
	}
	key, err := ident.NewDeviceKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := chain.Append(identity, ident.Enrol{Key: key.Public(), Name: "bob's tablet"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	bob.line.Say(&wire.ServerFrame{Body: &wire.ServerFrame_Chain{Chain: &wire.ChainEvent{Account: bob.me().Account.Bytes(), Chain: chain.Marshal()}}})
	wait()
	devices, err := bob.Devices(bob.ctx())
	if err != nil || len(devices) != 2 || devices[1].Name != "bob's tablet" {
		t.Errorf("bob's devices are %+v, %v, want the thief's among them", devices, err)
	}
}
