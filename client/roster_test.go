package client

import (
	"bytes"
	"testing"

	"snug/internal/ident"
)

// FuzzRoster: what parses is a roster that a room can have, and encodes to the same bytes, but for version 1.
func FuzzRoster(f *testing.F) {
	plain := newRoster("garden", false, ident.AccountID{1}, 2)
	f.Add(plain.encode())
	inviting := plain.withInvite(invite{keys: ident.RoomInviteKeys{Letter: ident.PublicKey{1}}, maker: ident.AccountID{1}, role: roleMember, expires: 9, limit: 3})
	f.Add(inviting.with([]ident.AccountID{{2}}, nil).cameBy(inviting.invites[0].id(), ident.AccountID{2}).encode())
	f.Add(append([]byte{rosterInvitesVersion}, append(plain.encode()[1:], 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRoster(b)
		if err != nil {
			return
		}
		if r.check() != nil {
			t.Errorf("%x is no roster", b)
		}
		if again := r.encode(); b[0] != 1 && !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

// TestRosterOfInvites: a roster with invites reads back, and one without is as it always was.
func TestRosterOfInvites(t *testing.T) {
	plain := newRoster("garden", false, ident.AccountID{1}, 2)
	if v := plain.encode()[0]; v != rosterVersion {
		t.Errorf("without invites: version %d, want %d", v, rosterVersion)
	}
	now := plain
	for n := range byte(3) {
		now = now.withInvite(invite{keys: ident.RoomInviteKeys{Letter: ident.PublicKey{9 - n}, Answer: [32]byte{n}}, maker: ident.AccountID{1},
			role: roleMember, expires: 9, limit: 3, revoked: n == 1})
	}
	now = now.with([]ident.AccountID{{2}}, nil).cameBy(now.invites[0].id(), ident.AccountID{2})
	back, err := decodeRoster(now.encode())
	if err != nil || !back.equal(now) || now.encode()[0] != rosterInvitesVersion {
		t.Errorf("got %+v, %v, want %+v", back, err, now)
	}
	none := append(plain.encode(), 0)
	none[0] = rosterInvitesVersion
	if _, err := decodeRoster(none); err == nil {
		t.Error("a second encoding of a roster without invites is read")
	}
}
