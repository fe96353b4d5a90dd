package server_test

import (
	"bytes"
	"testing"
	"time"

	"snug/internal/ident"
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
	for range 2 {
		if reply := eve.ask(claim(1000)); len(reply.GetKeyPackages().GetKeyPackages()) != 1 {
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
}
