package server_test

import (
	"bytes"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

var linkBox = bytes.Repeat([]byte("m"), 16)

func openLink(id []byte) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_OpenLink{OpenLink: &wire.OpenLink{Mailbox: id}}}
}

func joinLink(id []byte) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_JoinLink{JoinLink: &wire.JoinLink{Mailbox: id}}}
}

func postLink(index uint32, message string, grant bool) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_PostLink{PostLink: &wire.PostLink{Mailbox: linkBox, Index: index, Message: []byte(message), Grant: grant}}}
}

func loginLink() *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_LoginLink{LoginLink: &wire.LoginLink{Mailbox: linkBox}}}
}

func closeLink() *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_CloseLink{CloseLink: &wire.CloseLink{Mailbox: linkBox}}}
}

func (p *peer) done(f *wire.ClientFrame) {
	p.t.Helper()
	if reply := p.ask(f); reply.GetDone() == nil {
		p.t.Fatalf("%T is answered with %v", f.Body, reply)
	}
}

// hears waits for a message of the mailbox.
func (p *peer) hears(index uint32, message string) {
	p.t.Helper()
	e := p.event("a message of the mailbox", func(f *wire.ServerFrame) bool { return f.GetLink() != nil }).GetLink()
	if e.Closed || e.Index != index || string(e.Message) != message || !bytes.Equal(e.Mailbox, linkBox) {
		p.t.Fatalf("heard %v, want %d %q", e, index, message)
	}
}

func (p *peer) hearsEnd() {
	p.t.Helper()
	p.event("the end of the mailbox", func(f *wire.ServerFrame) bool { return f.GetLink().GetClosed() })
}

// TestLink has a new device let in by an old one, over a connection that breaks.
func TestLink(t *testing.T) {
	h := open(t)
	old, who := h.joinPerson(t, "alice")
	key := newKey(t)
	fresh := h.connect(t, key)
	fresh.refused(notFound, joinLink(linkBox))
	fresh.refused(noAuth, openLink(linkBox))
	old.done(openLink(linkBox))
	old.done(postLink(0, "commitment", false))
	old.refused(bad, joinLink(linkBox))
	fresh.done(joinLink(linkBox))
	fresh.hears(0, "commitment")
	for range 2 {
		fresh.done(postLink(0, "key", true)) // whose grant counts for nothing
	}
	old.hears(0, "key")
	fresh.refused(conflict, postLink(0, "another", false))
	fresh.refused(forbidden, loginLink())
	// Somebody else with the code takes the place, and gets no further.
	thief := h.connect(t, newKey(t))
	thief.done(joinLink(linkBox))
	fresh.hearsEnd()
	thief.refused(conflict, postLink(0, "another", false))
	fresh.refused(notFound, postLink(0, "key", false))
	fresh.done(joinLink(linkBox))
	fresh.hears(0, "commitment")
	// Both come back, and hear it all again.
	fresh.socket.NetConn().Close()
	fresh.end()
	again := h.connect(t, key)
	again.done(joinLink(linkBox))
	again.hears(0, "commitment")
	back := h.connect(t, old.key)
	back.done(openLink(linkBox))
	back.hears(0, "key")
	back.done(postLink(1, "reveal", true))
	again.hears(1, "reveal")
	in := again.ask(loginLink()).GetLoggedIn()
	if in == nil || !bytes.Equal(in.Chain, who.chain.Marshal()) || !bytes.Equal(in.Account, old.device.Account[:]) {
		t.Fatalf("logged in: %v", in)
	}
	// To be logged in is to enrol, and nothing else.
	again.refused(noAuth, &wire.ClientFrame{Body: &wire.ClientFrame_ListRooms{ListRooms: &wire.ListRooms{}}})
	grown := who.chain.Clone()
	if err := grown.Append(who.identity, ident.Enrol{Key: key.Public(), Name: "phone"}, h.clock.now()); err != nil {
		t.Fatal(err)
	}
	if again.ask(&wire.ClientFrame{Body: &wire.ClientFrame_EnrolDevice{EnrolDevice: &wire.EnrolDevice{Chain: grown.Marshal()}}}).GetAuthenticated() == nil {
		t.Fatal("enrolling is refused")
	}
	back.hearsEnd()
	h.connect(t, newKey(t)).refused(notFound, joinLink(linkBox))
}

// TestLinkBounds: a mailbox is small, is one for an account, and ends.
func TestLinkBounds(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	fresh := h.connect(t, newKey(t))
	alice.refused(bad, openLink(linkBox[:15]))
	alice.done(openLink(linkBox))
	bob.refused(conflict, openLink(linkBox))
	bob.refused(notFound, postLink(0, "x", true))
	fresh.refused(notFound, postLink(0, "x", false)) // it has not joined
	fresh.refused(bad, joinLink(nil))
	fresh.done(joinLink(linkBox))
	fresh.refused(bad, postLink(1, "the second first", false))
	fresh.refused(tooLarge, postLink(0, string(make([]byte, wire.MaxLinkMessage+1)), false))
	for i := range uint32(wire.MaxLinkMessages) {
		fresh.done(postLink(i, "x", false))
		alice.hears(i, "x")
	}
	fresh.refused(bad, postLink(wire.MaxLinkMessages, "x", false))
	fresh.refused(bad, postLink(1<<31, "x", false))

	// Another one takes its place.
	other := bytes.Repeat([]byte("n"), 16)
	alice.done(openLink(other))
	fresh.hearsEnd()
	fresh.refused(notFound, joinLink(linkBox))
	// Either end closes it.
	alice.done(openLink(linkBox))
	fresh.done(joinLink(linkBox))
	fresh.done(closeLink())
	alice.hearsEnd()
	alice.hearsEnd()
	alice.done(closeLink())
	// After ten minutes it is gone.
	alice.done(openLink(linkBox))
	h.clock.turn(10 * time.Minute)
	fresh.refused(notFound, joinLink(linkBox))
	alice.hearsEnd()
	h.clock.stop()
	for range 30 {
		if e := alice.ask(openLink(linkBox)).GetError(); e.GetCode() == rateLimited {
			return
		}
	}
	t.Error("30 mailboxes, and no limit")
}
