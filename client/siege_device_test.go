package client_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestSiegeOfTheDevices has the server pass devices off as somebody's.
func TestSiegeOfTheDevices(t *testing.T) {
	besiege(t, []siege{
		{"a swapped key package", `
			Alice lets bob into a room, and the server hands her a key package of mallory's as bob's. It hopes that mallory
			reads along under bob's name.`, swappedPackage},
		{"a ghost device", `
			The server shows alice a chain of bob's with one more device, signed by a key of its own, and has a key package for
			it. It hopes that her client adds whatever device the server lists.`, ghostDevice},
		{"an old key package", `
			The server hands out one key package of bob's twice. It hopes that bob opens both Welcomes with one key, and that
			who steals it later reads both rooms' beginnings.`, packageTwice},
		{"a key package of last year", `
			The server has kept a key package of bob's for longer than it lives. It hopes to have its key by now.`, stalePackage},
		{"a revoked device, to who knows", `
			Bob has revoked his stolen phone, and alice has seen it. The server shows her the old chain again and offers the phone's
			key package. It hopes that the phone comes back into the room.`, revokedKnown},
		{"a revocation withheld", `
			Bob has revoked his stolen phone. The server keeps the revocation from alice, and she makes a room with him, phone
			included. It hopes that the phone reads on in the new room.`, revocationWithheld},
		{"a revocation withheld from all but one", `
			Bob's phone is stolen and revoked. The server keeps the new chain from alice and carol, who are with him in a room. It hopes
			that the phone, whose keys are in the room, goes on reading.`, revocationFromOthers},
		{"a device said to be revoked", `
			The server refuses alice's device as if it were revoked, and shows no chain that says so. It hopes that her client
			forgets its rooms, or asks for the passphrase again.`, saidRevoked},
		{"somebody else's device", `
			The server greets alice's connection as mallory's. It hopes that what she says goes into the world under another name.`, takenForAnother},
		{"a passphrase stretched too little", `
			The server tells a device that signs in to stretch the passphrase hardly at all. It hopes to guess it from the proof.`, cheapStretch},
	})
}

// claims has the server answer alice's claims of key packages with these.
func (p *target) claims(answer func(claimed *wire.KeyPackages)) {
	p.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		if claimed := f.GetKeyPackages(); claimed != nil && len(claimed.KeyPackages) > 0 {
			answer(claimed)
		}
		return []*wire.ServerFrame{f}
	})
}

// packageOf takes a key package of somebody's from the real server, by way of somebody who lets them into a room.
func packageOf(t *testing.T, by *target, handle string) *wire.KeyPackage {
	t.Helper()
	if _, err := by.CreateRoom(by.ctx(), client.CreateRoomOptions{Name: "bait", Handles: []string{handle}}); err != nil {
		t.Fatal(err)
	}
	wait()
	all := frames(by.line, (*wire.ServerFrame).GetKeyPackages)
	for _, answer := range slices.Backward(all) {
		if len(answer.KeyPackages) > 0 {
			return answer.KeyPackages[0]
		}
	}
	t.Fatal("no key package was handed out")
	return nil
}

// inNoRoom fails if somebody is in a room of this name.
func (p *target) inNoRoom(name string) {
	p.t.Helper()
	rooms, err := p.Rooms(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range rooms {
		if r.Name == name && r.Joined {
			p.t.Errorf("%s is in %q", p.handle(), name)
		}
	}
}

func swappedPackage(t *testing.T, s *evil.Service) {
	alice, bob, mallory := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob)
	theirs := packageOf(t, bob, "mallory")
	settle(t, s, "carol")
	before := alice.dump()
	for _, row := range []struct {
		name   string
		change func(p *wire.KeyPackage)
	}{
		{"mallory's as carol's", func(p *wire.KeyPackage) { p.KeyPackage = theirs.KeyPackage }},
		{"mallory's as mallory's", func(p *wire.KeyPackage) { *p = *theirs }},
		{"damaged", func(p *wire.KeyPackage) { p.KeyPackage[len(p.KeyPackage)/2] ^= 1 }},
		{"nothing", func(p *wire.KeyPackage) { p.KeyPackage = nil }},
	} {
		alice.claims(func(claimed *wire.KeyPackages) {
			for _, p := range claimed.KeyPackages {
				row.change(p)
			}
		})
		t.Log(row.name)
		refusal(t, "letting carol in", alice.AddMembers(alice.ctx(), room, "carol"), "@carol has no device that can be added")
		time.Sleep(2 * time.Minute) // until a device that had no key package is asked for one again
		alice.unchanged(before)
		mallory.inNoRoom("garden")
	}
	alice.line.Tell(nil)
	if err := alice.AddMembers(alice.ctx(), room, "carol"); err != nil {
		t.Errorf("letting carol in with her own key package: %v", err)
	}
}

func ghostDevice(t *testing.T, s *evil.Service) {
	alice, bob, mallory := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob)
	ghost := packageOf(t, alice, "mallory")
	before := alice.dump()
	key, err := ident.NewDeviceKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	operator, forged, err := ident.NewAccount(rand.Reader, "bob", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := forged.Append(operator, ident.Enrol{Key: key.Public(), Name: "bob's tablet"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	real := chainOf(t, s, alice, bob)
	spliced := append(bytes.Clone(real), forged.Marshal()[len(forged.Marshal())/2:]...)
	for name, chain := range map[string][]byte{"another account's chain": forged.Marshal(), "a statement of the operator's": spliced} {
		t.Log(name)
		alice.line.Say(&wire.ServerFrame{Body: &wire.ServerFrame_Chain{Chain: &wire.ChainEvent{Account: bob.me().Account.Bytes(), Chain: chain}}})
		alice.claims(func(claimed *wire.KeyPackages) { claimed.KeyPackages = append(claimed.KeyPackages, ghost) })
		alice.send(room, "who is here")
		wait()
	}
	equal(t, alice.members(room), []string{"alice owner 1", "bob member 1"})
	mallory.inNoRoom("garden")
	if got := alice.dump(); len(got) <= len(before) {
		t.Errorf("alice sees %q, want her own two messages more than %q", got, before)
	}
	bob.sees(room, "alice: who is here", "alice: who is here")
}

// chainOf gives somebody's chain as the real server has it, from what it tells another.
func chainOf(t *testing.T, s *evil.Service, to, of *target) []byte {
	t.Helper()
	s.Cut()
	wait()
	for _, answer := range slices.Backward(frames(to.line, (*wire.ServerFrame).GetChains)) {
		for _, c := range answer.Chains {
			if bytes.Equal(c.Account, of.me().Account.Bytes()) {
				return c.Chain
			}
		}
	}
	t.Fatal("the chain was not told")
	return nil
}

func packageTwice(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	used := packageOf(t, alice, "bob")
	before := bob.dump()
	carol.claims(func(claimed *wire.KeyPackages) { claimed.KeyPackages = []*wire.KeyPackage{used} })
	made, err := carol.CreateRoom(carol.ctx(), client.CreateRoomOptions{Name: "trap", Handles: []string{"bob"}})
	if err != nil {
		t.Fatal(err) // carol cannot know
	}
	wait()
	bob.inNoRoom("trap")
	bob.told(made.ID, "does not stand up to the checks")
	if _, err := bob.Send(bob.ctx(), made.ID, "hello"); err == nil {
		t.Error("bob speaks in a room that he could not check")
	}
	if after := bob.dump(); !bytes.Contains([]byte(after), []byte(before)) {
		t.Errorf("bob sees %q, want his other rooms as they were, %q", after, before)
	}
}

func stalePackage(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	room := club(t, "garden", alice, carol)
	old, err := bob.KeyPackageAt(bob.ctx(), time.Now().Add(-100*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	before := alice.dump()
	alice.claims(func(claimed *wire.KeyPackages) { claimed.KeyPackages[0].KeyPackage = old })
	refusal(t, "letting bob in", alice.AddMembers(alice.ctx(), room, "bob"), "")
	alice.unchanged(before)
	bob.inNoRoom("garden")
}

func revokedKnown(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	phone := signIn(t, s, "bob", "bob's phone")
	room := club(t, "garden", alice, bob)
	old := chainOf(t, s, alice, bob)
	stolen := packageOfDevice(t, alice, phone.me().Device)
	phone.stop()
	if err := bob.RevokeDevice(bob.ctx(), phone.me().Device); err != nil {
		t.Fatal(err)
	}
	wait()
	equal(t, alice.members(room), []string{"alice owner 1", "bob member 1"})
	before := alice.dump()
	alice.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		for _, c := range f.GetChains().GetChains() {
			if bytes.Equal(c.Account, bob.me().Account.Bytes()) {
				c.Chain = old
			}
		}
		if claimed := f.GetKeyPackages(); claimed != nil {
			claimed.KeyPackages = append(claimed.KeyPackages, stolen)
		}
		return []*wire.ServerFrame{f}
	})
	alice.line.Cut()
	wait()
	alice.unchanged(before)
	alice.told(room, "false history of bob's devices: rollback")
}

// packageOfDevice gives the newest key package of a device that somebody was handed.
func packageOfDevice(t *testing.T, by *target, device ident.DeviceID) *wire.KeyPackage {
	t.Helper()
	for _, answer := range slices.Backward(frames(by.line, (*wire.ServerFrame).GetKeyPackages)) {
		for _, p := range answer.KeyPackages {
			if bytes.Equal(p.Device, device.Bytes()) {
				return p
			}
		}
	}
	t.Fatal("no key package of the device was handed out")
	return nil
}

// freeze keeps somebody's new chain from a victim, and has these key packages beside the real ones.
func (p *target) freeze(of *target, old []byte, packages ...*wire.KeyPackage) {
	p.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		for _, c := range f.GetChains().GetChains() {
			if bytes.Equal(c.Account, of.me().Account.Bytes()) {
				c.Chain = old
			}
		}
		if event := f.GetChain(); event != nil && bytes.Equal(event.Account, of.me().Account.Bytes()) {
			return nil
		}
		if claimed := f.GetKeyPackages(); claimed != nil && len(claimed.KeyPackages) > 0 {
			claimed.KeyPackages = append(claimed.KeyPackages, packages...)
		}
		return []*wire.ServerFrame{f}
	})
}

// unrevoke has the real server take a device for enrolled again, in all rooms that it was in.
func unrevoke(s *evil.Service, device ident.DeviceID) {
	s.Operate("UPDATE device SET revoked_at = NULL WHERE id = ?", device.Bytes())
	s.Operate("UPDATE member SET until = NULL WHERE device = (SELECT row FROM device WHERE id = ?)", device.Bytes())
}

func revocationWithheld(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	phone := signIn(t, s, "bob", "bob's phone")
	club(t, "attic", alice, bob)
	old := chainOf(t, s, alice, bob)
	stolen, me := phone.disk, phone.me()
	fresh, err := phone.KeyPackageAt(phone.ctx(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	phone.stop()
	alice.freeze(bob, old)
	if err := bob.RevokeDevice(bob.ctx(), me.Device); err != nil {
		t.Fatal(err)
	}
	wait()
	unrevoke(s, me.Device)
	alice.freeze(bob, old, &wire.KeyPackage{Account: me.Account.Bytes(), Device: me.Device.Bytes(), KeyPackage: fresh})
	thief := arriveOn(t, s, stolen)
	thief.freeze(bob, old)
	made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: "garden", Handles: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, alice.members(made.ID), []string{"alice owner 1", "bob member 2"}) // she cannot know
	wait()
	// Bob's own device puts the phone out, by a chain that alice is not given: she says nothing more.
	equal(t, bob.members(made.ID), []string{"alice owner 1", "bob member 1"})
	alice.told(made.ID, "chain")
	_, err = alice.Send(alice.ctx(), made.ID, "the phone must not read this")
	refusal(t, "sending", err, "chain")
	alice.line.Tell(nil)
	alice.line.Cut()
	wait()
	bob.sees(made.ID, "alice: the phone must not read this")
	if got := thief.shown(made.ID); slices.Contains(got, "alice: the phone must not read this") {
		t.Errorf("the thief reads %q", got)
	}
}

func revocationFromOthers(t *testing.T, s *evil.Service) {
	alice, bob, carol := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol")
	phone := signIn(t, s, "bob", "bob's phone")
	room := club(t, "garden", alice, bob, carol)
	equal(t, alice.members(room), []string{"alice owner 1", "bob member 2", "carol member 1"})
	old := chainOf(t, s, alice, bob)
	stolen, device := phone.disk, phone.me().Device
	phone.stop()
	alice.freeze(bob, old)
	carol.freeze(bob, old)
	if err := bob.RevokeDevice(bob.ctx(), device); err != nil {
		t.Fatal(err)
	}
	wait()
	// Bob's own device commits it; who has not got the chain by which that is right does not follow, and says so.
	equal(t, bob.members(room), []string{"alice owner 1", "bob member 1", "carol member 1"})
	alice.told(room, "chain")
	_, err := alice.Send(alice.ctx(), room, "to the thief")
	refusal(t, "sending", err, "chain")
	// The thief comes back with everything that the phone had, and the server takes it for a member's.
	unrevoke(s, device)
	thief := arriveOn(t, s, stolen)
	thief.freeze(bob, old)
	wait()
	alice.line.Tell(nil)
	alice.line.Cut()
	wait()
	alice.told(room, "")
	bob.sees(room, "alice: to the thief")
	if got := thief.shown(room); slices.Contains(got, "alice: to the thief") {
		t.Errorf("the thief reads on: %q", got)
	}
}

func saidRevoked(t *testing.T, s *evil.Service) {
	alice, bob := settle(t, s, "alice"), settle(t, s, "bob")
	room := club(t, "garden", alice, bob)
	before := alice.dump()
	for _, code := range []wire.ErrorCode{wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, wire.ErrorCode_ERROR_CODE_NOT_FOUND, wire.ErrorCode_ERROR_CODE_FORBIDDEN} {
		alice.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
			if f.GetAuthenticated() != nil {
				f = &wire.ServerFrame{Id: f.Id, Body: &wire.ServerFrame_Error{Error: &wire.Error{Code: code, Message: "this device is revoked"}}}
			}
			return []*wire.ServerFrame{f}
		})
		alice.line.Cut()
		wait()
		alice.unchanged(before)
	}
	alice.line.Tell(nil)
	time.Sleep(2 * time.Minute)
	alice.send(room, "still here")
	wait()
	bob.sees(room, "alice: still here")
}

func takenForAnother(t *testing.T, s *evil.Service) {
	alice, mallory := settle(t, s, "alice"), settle(t, s, "mallory")
	alice.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
		if a := f.GetAuthenticated(); a != nil {
			a.Account, a.Device, a.Handle = mallory.me().Account.Bytes(), mallory.me().Device.Bytes(), "mallory"
		}
		return []*wire.ServerFrame{f}
	})
	alice.line.Cut()
	time.Sleep(time.Second)
	_, err := alice.Accounts(alice.ctx())
	refusal(t, "asking anything", err, "takes this device for another")
	if got := alice.handle(); got != "alice" {
		t.Errorf("alice's device is %q's", got)
	}
}

func cheapStretch(t *testing.T, s *evil.Service) {
	settle(t, s, "alice")
	phone := arrive(t, s)
	phone.StretchTruly()
	proved := false
	phone.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		proved = proved || f.GetLogin() != nil
		return f, nil
	})
	for _, params := range []wire.Argon2Parameters{{MemoryKib: 8, Passes: 1, Lanes: 1}, {MemoryKib: 64 << 10, Passes: 0, Lanes: 1}, {MemoryKib: 1 << 31, Passes: 3, Lanes: 1}, {}} {
		phone.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame {
			if how := f.GetLoginParameters(); how != nil {
				how.Argon2 = &params
			}
			return []*wire.ServerFrame{f}
		})
		_, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "alice", Passphrase: passphrase, DeviceName: "phone"})
		refusal(t, "signing in", err, "unsafe handling of the passphrase")
	}
	if proved {
		t.Error("the proof of the passphrase was sent")
	}
}
