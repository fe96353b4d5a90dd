package ident_test

import (
	"slices"
	"strings"
	"testing"

	"snug/internal/ident"
)

var knockRoom = ident.RoomID{1, 2, 3}

func newRoomInvite(t testing.TB, seed string) ident.RoomInvite {
	t.Helper()
	return must(ident.NewRoomInvite(seeded(seed), knockRoom))
}

func TestKnock(t *testing.T) {
	p := newPerson(t, "alice")
	account, other := p.chain.Account(), newPerson(t, "bob")
	invite := newRoomInvite(t, "invite")
	again := must(ident.ParseRoomInvite(" https://snug.example:8443/#" + invite.Secret() + "\n"))
	if again.Secret() != invite.Secret() || again.Room() != knockRoom {
		t.Fatalf("a link gives another invite: %v", again.Room())
	}
	letter := again.Letter(account, p.device, [16]byte{7})
	check := func(room ident.RoomID, account ident.AccountID, chain *ident.Chain, keys ident.RoomInviteKeys, letter []byte) error {
		k, err := ident.ParseKnock(room, account, letter)
		if err == nil {
			err = k.VerifyInvite(keys)
		}
		if err == nil {
			err = k.VerifyDevice(chain)
		}
		return err
	}
	if err := check(knockRoom, account, p.chain, invite.Keys(), letter); err != nil {
		t.Fatalf("an honest letter: %v", err)
	}
	for _, row := range []struct {
		name string
		err  error
	}{
		{"another room", check(ident.RoomID{9}, account, p.chain, invite.Keys(), letter)},
		{"another account", check(knockRoom, other.chain.Account(), other.chain, invite.Keys(), letter)},
		{"another's chain", check(knockRoom, account, other.chain, invite.Keys(), letter)},
		{"another invite", check(knockRoom, account, p.chain, newRoomInvite(t, "another").Keys(), letter)},
		{"another's device", check(knockRoom, account, p.chain, invite.Keys(), again.Letter(account, other.device, [16]byte{7}))},
		{"without the invite", check(knockRoom, account, p.chain, invite.Keys(), newRoomInvite(t, "another").Letter(account, p.device, [16]byte{7}))},
		{"a byte more", check(knockRoom, account, p.chain, invite.Keys(), append(slices.Clone(letter), 0))},
	} {
		if row.err != ident.ErrKnock {
			t.Errorf("%s: got %v, want %v", row.name, row.err, ident.ErrKnock)
		}
	}
	for i := range 8 * len(letter) {
		changed := slices.Clone(letter)
		changed[i/8] ^= 1 << (i % 8)
		if check(knockRoom, account, p.chain, invite.Keys(), changed) == nil {
			t.Fatalf("bit %d changed, and nobody notices", i)
		}
	}
}

// TestRoomInviteCheck: one wrong character anywhere is found, two that changed places are, and an invite without the check is
// the same invite.
func TestRoomInviteCheck(t *testing.T) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	invite := newRoomInvite(t, "invite")
	secret := invite.Secret()
	older := must(ident.ParseRoomInvite(secret[:len(secret)-4]))
	if older.Secret() != secret || older.Keys() != invite.Keys() {
		t.Error("without the check it is another invite")
	}
	changed := func(what, text string) {
		t.Helper()
		if _, err := ident.ParseRoomInvite(text); err != ident.ErrRoomInviteCheck && err != ident.ErrRoomInvite {
			t.Errorf("%s: got %v, want a refusal", what, err)
		}
	}
	for i := len("snug-room-"); i < len(secret); i++ {
		if secret[i] == '-' {
			continue
		}
		next := alphabet[(strings.IndexByte(alphabet, secret[i])+1)%len(alphabet)]
		changed("another character", secret[:i]+string(next)+secret[i+1:])
		if i+1 < len(secret) && secret[i+1] != '-' && secret[i] != secret[i+1] {
			changed("two that changed places", secret[:i]+string([]byte{secret[i+1], secret[i]})+secret[i+2:])
		}
	}
	if _, err := ident.ParseRoomInvite(secret[:len(secret)-4] + "aaaa"); err != ident.ErrRoomInviteCheck {
		t.Errorf("four others at the end: got %v, want %v", err, ident.ErrRoomInviteCheck)
	}
	for _, cut := range []int{1, 2, 3, 5} {
		changed("cut short", secret[:len(secret)-cut])
	}
}

func TestKnockAnswer(t *testing.T) {
	p := newPerson(t, "alice")
	invite := newRoomInvite(t, "invite")
	knock := func(nonce byte) ident.Knock {
		return must(ident.ParseKnock(knockRoom, p.chain.Account(), invite.Letter(p.chain.Account(), p.device, [16]byte{nonce})))
	}
	answer := knock(1).Answer(invite.Keys(), 3)
	if verdict, err := knock(1).OpenAnswer(invite.Keys(), answer); verdict != 3 || err != nil {
		t.Fatalf("got %d, %v", verdict, err)
	}
	if _, err := knock(2).OpenAnswer(invite.Keys(), answer); err != ident.ErrKnock {
		t.Errorf("it answers another letter: %v", err)
	}
	for i := range 8 * len(answer) {
		changed := slices.Clone(answer)
		changed[i/8] ^= 1 << (i % 8)
		if _, err := knock(1).OpenAnswer(invite.Keys(), changed); err != ident.ErrKnock {
			t.Fatalf("bit %d changed: %v", i, err)
		}
	}
	if _, err := knock(1).OpenAnswer(invite.Keys(), nil); err != ident.ErrKnock {
		t.Errorf("no answer: %v", err)
	}
}

// TestCodesApart holds every code that people hand on to every parser: each is read by its own and by no other.
func TestCodesApart(t *testing.T) {
	link := must(ident.NewLinkCode(seeded("code")))
	room := newRoomInvite(t, "invite").Secret()
	codes := map[string][]string{
		"invite": {must(ident.NewInvite(seeded("invite"))).Secret()},
		"link":   {link.Secret(), link.QR()},
		"token":  {must(ident.NewToken(seeded("token"))).Secret()},
		"room":   {room, room[:len(room)-4], "https://snug.example/#" + room, "http://127.0.0.1:8080/#" + room},
		"safety": {"SNUG-SAFETY:" + strings.Repeat("0123456789", 6)},
		"none":   {"https://snug.example/#" + link.Secret(), "https://snug.example/#invite=" + room, "snug://x/#" + room, "x#" + room, strings.ToUpper(room), room + "-", room[:len(room)-1]},
	}
	parsers := map[string]func(string) error{
		"invite": func(s string) error { _, err := ident.ParseInvite(s); return err },
		"link":   func(s string) error { _, err := ident.ParseLinkCode(s); return err },
		"token":  func(s string) error { _, err := ident.ParseToken(s); return err },
		"room":   func(s string) error { _, err := ident.ParseRoomInvite(s); return err },
		"safety": func(s string) error { _, err := ident.ParseSafetyNumber(s); return err },
	}
	for kind, texts := range codes {
		for _, text := range texts {
			for parser, parse := range parsers {
				if err := parse(text); (err == nil) != (kind == parser) {
					t.Errorf("%s as %s: got %v", kind, parser, err)
				}
			}
		}
	}
}

func FuzzParseRoomInvite(f *testing.F) {
	f.Add(newRoomInvite(f, "invite").Secret())
	f.Add("https://snug.example/#snug-room-a-b")
	f.Fuzz(func(t *testing.T, s string) {
		if invite, err := ident.ParseRoomInvite(s); err == nil && !strings.HasSuffix(strings.TrimSpace(s), invite.Secret()) &&
			!strings.HasSuffix(strings.TrimSpace(s), invite.Secret()[:len(invite.Secret())-4]) {
			t.Errorf("%q gives %q", s, invite.Secret())
		}
	})
}

func FuzzParseKnock(f *testing.F) {
	p := newPerson(f, "alice")
	invite := newRoomInvite(f, "invite")
	f.Add(invite.Letter(p.chain.Account(), p.device, [16]byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ident.ParseKnock(knockRoom, p.chain.Account(), b)
		if err == nil && k.VerifyInvite(invite.Keys()) == nil && k.VerifyDevice(p.chain) == nil &&
			!slices.Equal(b, invite.Letter(p.chain.Account(), p.device, k.Nonce)) {
			t.Errorf("%x verifies", b)
		}
	})
}
