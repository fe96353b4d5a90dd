package server_test

import (
	"bytes"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// TestClaimLimit: one account takes few of others' key packages at once, and then ten in a second.
func TestClaimLimit(t *testing.T) {
	h := openToAll(t)
	eve, bob, carol := h.join(t, "eve"), h.join(t, "bob"), h.join(t, "carol")
	claim := func(n int) *wire.ClientFrame {
		m := &wire.ClaimKeyPackages{Devices: make([][]byte, n)}
		for i := range m.Devices {
			m.Devices[i] = bytes.Repeat([]byte{byte(i), byte(i >> 8)}, len(ident.DeviceID{})/2)
		}
		m.Devices[0] = bob.device.ID[:]
		return &wire.ClientFrame{Body: &wire.ClientFrame_ClaimKeyPackages{ClaimKeyPackages: m}}
	}
	for range 8 {
		if reply := eve.ask(claim(250)); len(reply.GetKeyPackages().GetKeyPackages()) != 1 {
			t.Fatalf("claiming a room's devices: %v", reply)
		}
	}
	if wait := limited(t, eve.ask(claim(1))); wait != 100*time.Millisecond {
		t.Errorf("the wait is %v, want 100 ms", wait)
	}
	if got := carol.ask(claim(1)).GetKeyPackages().GetKeyPackages(); len(got) != 1 || string(got[0].KeyPackage) != "last resort of bob" {
		t.Errorf("another account is answered with %v, want bob's last resort", got)
	}
	h.clock.turn(100 * time.Millisecond)
	if reply := eve.ask(claim(1)); reply.GetKeyPackages() == nil {
		t.Errorf("after the wait: %v", reply)
	}
	limited(t, eve.ask(claim(1)))
	eve.refused(tooLarge, claim(301))
}

// TestLargestClaim: an answer fits a frame, however many devices an account has and however large their key packages are.
func TestLargestClaim(t *testing.T) {
	h := open(t)
	alice, who := h.joinPerson(t, "alice")
	a := &household{person: who}
	large := make([]byte, wire.MaxKeyPackage)
	for i := range 301 {
		key := newKey(t).Public()
		before := a.chain.Marshal()
		c := server.ChainChange{Account: a.chain.Account(), Before: before, After: a.grow(t, ident.Enrol{Key: key, Name: "x"})}
		d := server.Device{ID: ident.NewDeviceID(c.Account, key), Key: key, Account: c.Account}
		if err := h.store.Enrol(t.Context(), c, d, server.KeyPackages{LastResort: large}); err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
	}
	claim := &wire.ClaimKeyPackages{Accounts: [][]byte{a.chain.Account().Bytes()}}
	got := alice.ask(&wire.ClientFrame{Body: &wire.ClientFrame_ClaimKeyPackages{ClaimKeyPackages: claim}})
	if n := len(got.GetKeyPackages().GetKeyPackages()); n != 300 || got.SizeVT() > wire.MaxFrame {
		t.Errorf("%d key packages in %d bytes, want 300 in at most %d", n, got.SizeVT(), wire.MaxFrame)
	}
}
