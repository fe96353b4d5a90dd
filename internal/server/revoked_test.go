package server_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// household is an account with two devices, of which one is lost.
type household struct {
	*person
	desk, lost *peer
	vault      *ident.Vault
}

func (h *house) household(t *testing.T) *household {
	t.Helper()
	desk, who := h.newcomer(t, "alice", "")
	a := &household{person: who, desk: desk, vault: who.keep(t)}
	if desk.ask(register(who)).GetRegistered() == nil {
		t.Fatal("registering is refused")
	}
	key := newKey(t)
	a.lost = h.connect(t, key)
	if a.lost.ask(login("alice", who.authKey)).GetLoggedIn() == nil {
		t.Fatal("logging in is refused")
	}
	if a.lost.ask(a.enrol(t, key.Public())).GetAuthenticated() == nil {
		t.Fatal("enrolling is refused")
	}
	return a
}

// enrol adds a device to the account's chain.
func (a *household) enrol(t *testing.T, key ident.PublicKey) *wire.ClientFrame {
	t.Helper()
	return &wire.ClientFrame{Body: &wire.ClientFrame_EnrolDevice{EnrolDevice: &wire.EnrolDevice{Chain: a.grow(t, ident.Enrol{Key: key, Name: "phone"})}}}
}

func (a *household) grow(t *testing.T, s ident.Statement) []byte {
	t.Helper()
	if err := a.chain.Append(a.identity, s, time.Unix(1_800_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	return a.chain.Marshal()
}

// revokeLost revokes the lost device, from the other.
func (a *household) revokeLost(t *testing.T) {
	t.Helper()
	id := ident.NewDeviceID(a.chain.Account(), a.lost.key.Public())
	a.desk.done(&wire.ClientFrame{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{Chain: a.grow(t, ident.Revoke{Device: id})}}})
}

// TestRevokedAtOnce: a revoked device is shown the chain and hung up on, whatever else there is to be told to whom.
func TestRevokedAtOnce(t *testing.T) {
	h := open(t)
	a := h.household(t)
	reached, release := h.held.stopAt(&h.held.peers)
	defer release()
	a.revokeLost(t)
	a.lost.end()
	a.lost.event("the chain", func(f *wire.ServerFrame) bool { return bytes.Equal(f.GetChain().GetChain(), a.chain.Marshal()) })
	<-reached // the news are not told yet
}

// TestRevokedMeanwhile: what a device has asked for, and was not carried out yet when it was revoked, is not.
func TestRevokedMeanwhile(t *testing.T) {
	h := open(t)
	a := h.household(t)
	reached, release := h.held.stopAt(&h.held.passphrase)
	a.lost.send(change(rewrap(t, a.vault).Marshal(), 'b'))
	<-reached
	a.revokeLost(t)
	a.lost.end()
	release()
	late := h.connect(t, newKey(t))
	if late.ask(login("alice", a.authKey)).GetLoggedIn() == nil {
		t.Error("the passphrase was changed by a device that was revoked by then")
	}
	late.refused(wire.ErrorCode_ERROR_CODE_CREDENTIALS, login("alice", bytes.Repeat([]byte("b"), 32)))
}

// TestRevokesItself: in the moment that a device which has revoked itself has to go, it gets its answer and nothing else.
func TestRevokesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := openPipes(t)
		bob := l.join(t, "bob")
		alice, who := l.joinPerson(t, "alice")
		room := bob.room()
		bob.acked(bob.commit(room, 0, []*wire.DeviceRef{alice.ref()}, nil))
		alice.ask(follow(room, 1))
		a := &household{person: who}
		alice.done(&wire.ClientFrame{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{
			Chain: a.grow(t, ident.Revoke{Device: alice.device.ID})}}})
		bob.acked(sealed(room, 1, "she has gone"))
		alice.refused(noAuth, &wire.ClientFrame{Body: &wire.ClientFrame_GetVault{GetVault: &wire.GetVault{}}})
		alice.end()
		if f := alice.take(func(f *wire.ServerFrame) bool { return f.GetEntries() != nil }); f != nil {
			t.Errorf("it hears %v", f)
		}
	})
}

// TestRevokedLetsIn: whom a device has let in by a link enrols nothing once that device is revoked, however long ago it was.
func TestRevokedLetsIn(t *testing.T) {
	h := open(t)
	a := h.household(t)
	early, late := h.connect(t, newKey(t)), h.connect(t, newKey(t))
	a.lost.done(openLink(linkBox))
	early.done(joinLink(linkBox))
	a.lost.done(postLink(0, "x", true))
	if early.ask(loginLink()).GetLoggedIn() == nil {
		t.Fatal("a device that is let in is refused")
	}
	a.revokeLost(t)
	a.lost.end()
	late.done(joinLink(linkBox))
	late.refused(forbidden, loginLink())
	early.refused(noAuth, a.enrol(t, early.key.Public()))
}
