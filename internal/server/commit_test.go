package server_test

import (
	"testing"

	"snug/internal/wire"
)

// TestReboot: a commit that lies about who goes is replaced by one of those whom it has locked out. Everybody who followed
// the room goes on by the cursor that they have.
func TestReboot(t *testing.T) {
	h := open(t)
	alice, bob, mallory := h.join(t, "alice"), h.join(t, "bob"), h.join(t, "mallory")
	room := alice.room()
	alice.acked(alice.commit(room, 0, []*wire.DeviceRef{bob.ref(), mallory.ref()}, nil))
	for _, p := range []*peer{alice, bob, mallory} {
		p.ask(follow(room, 0))
		p.entries(room, 1)
	}
	broken := mallory.acked(mallory.commit(room, 1, nil, []*wire.DeviceRef{bob.ref(), alice.ref()}))
	bob.entries(room, 1)
	bob.refused(forbidden, sealed(room, 2, "locked out"))
	bob.acked(bob.reject(room, broken))
	reboot := bob.acked(bob.committing(room, 1, []byte("reboot"), &wire.CommitEnvelope{Removed: []*wire.DeviceRef{mallory.ref()}}, broken))
	for p, seen := range map[*peer]int{alice: 1, bob: 2, mallory: 1} {
		if got := p.entries(room, int(reboot.Seq)-seen); got[len(got)-1].Seq != reboot.Seq {
			t.Errorf("the last of %d entries is %v, want %d", len(got), got[len(got)-1], reboot.Seq)
		}
	}
	alice.acked(sealed(room, 2, "on we go"))
	bob.entries(room, 1)
	mallory.refused(forbidden, sealed(room, 2, "still here"))
	if n := len(mallory.fetch(room, 0).Entries); n != int(reboot.Seq) {
		t.Errorf("mallory reads %d entries, want %d", n, reboot.Seq)
	}
}

// TestUnsignedCommit: what does not carry its device's signature over all that it does gets into no log.
func TestUnsignedCommit(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.room()
	added := []*wire.DeviceRef{bob.ref()}
	change := func(f *wire.ClientFrame, change func(*wire.CommitPayload)) *wire.ClientFrame {
		payload := new(wire.CommitPayload)
		if err := payload.UnmarshalVT(f.GetSubmit().Payload); err != nil {
			t.Fatal(err)
		}
		change(payload)
		f.GetSubmit().Payload = marshal(payload)
		return f
	}
	bare := alice.commit(room, 0, added, nil)
	bare.GetSubmit().Payload = []byte("commit")
	more := alice.commit(room, 0, added, nil)
	more.GetSubmit().Commit.Added = nil
	moved := alice.commit(room, 0, added, nil)
	moved.GetSubmit().Id[0] ^= 1
	ack := &wire.Ack{Seq: 1, Head: make([]byte, 32)}
	reject := alice.reject(room, ack)
	reject.GetSubmit().Id[0] ^= 1
	headless := alice.reject(room, &wire.Ack{Seq: 1, Head: make([]byte, 32)})
	headless.GetSubmit().Payload = marshal(&wire.RejectPayload{Seq: 1, Head: []byte("short"), Reason: 1})
	for _, row := range []struct {
		name string
		f    *wire.ClientFrame
		want wire.ErrorCode
	}{
		{"no payload of ours", bare, bad},
		{"another envelope", more, bad},
		{"another id", moved, forbidden},
		{"another device's", bob.commit(room, 0, added, nil), forbidden},
		{"another message", change(alice.commit(room, 0, added, nil), func(p *wire.CommitPayload) { p.Commit = []byte("x") }), forbidden},
		{"no message", change(alice.commit(room, 0, added, nil), func(p *wire.CommitPayload) { p.Commit = nil }), bad},
		{"another commit replaced", change(alice.committing(room, 0, []byte("c"), new(wire.CommitEnvelope), ack),
			func(p *wire.CommitPayload) { p.Replaces++ }), forbidden},
		{"a head of none", change(alice.commit(room, 0, added, nil), func(p *wire.CommitPayload) { p.ReplacedHead = make([]byte, 32) }), bad},
		{"half a head", change(alice.committing(room, 0, []byte("c"), new(wire.CommitEnvelope), ack),
			func(p *wire.CommitPayload) { p.ReplacedHead = p.ReplacedHead[1:] }), bad},
		{"another id of a reject", reject, forbidden},
		{"a reject of half a head", headless, bad},
	} {
		if reply := alice.ask(row.f); reply.GetError().GetCode() != row.want {
			t.Errorf("%s: got %v, want %v", row.name, reply, row.want)
		}
	}
	if n := len(alice.fetch(room, 0).Entries); n != 0 {
		t.Errorf("the log has %d entries, want none", n)
	}
	alice.acked(alice.commit(room, 0, added, nil))
}
