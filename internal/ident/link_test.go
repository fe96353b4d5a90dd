package ident_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"snug/internal/ident"
)

// pair is the two sides of a link that nobody has touched.
func pair(t *testing.T) (old, fresh *ident.LinkSession) {
	t.Helper()
	code := must(ident.NewLinkCode(seeded("code")))
	offer := must(ident.NewLinkOffer(seeded("offer"), must(ident.ParseLinkCode(code.QR()))))
	answer := must(ident.NewLinkAnswer(seeded("answer"), must(ident.ParseLinkCode(code.Secret())), offer.Commitment()))
	reveal, old, err := offer.Reveal(answer.Public())
	if err != nil {
		t.Fatal(err)
	}
	fresh, err = answer.Open(reveal)
	if err != nil {
		t.Fatal(err)
	}
	return old, fresh
}

func TestLink(t *testing.T) {
	p := newPerson(t, "alice")
	old, fresh := pair(t)
	if old.Match() != fresh.Match() || len(old.Match()) != 6 {
		t.Errorf("the old device shows %s, the new one %s", old.Match(), fresh.Match())
	}
	key := must(ident.NewDeviceKey(seeded("phone")))
	device, err := old.OpenDevice(must(fresh.SealDevice(seeded("nonce"), key, "phone")))
	if err != nil || device.Key != key.Public() || device.Name != "phone" {
		t.Errorf("got %+v, %v", device, err)
	}
	vault := must(ident.VaultKeyFromSecret(bytes.Repeat([]byte{7}, 32)))
	sealed := must(old.SealAccount(seeded("nonce"), ident.LinkedAccount{Account: p.chain.Account(), Identity: p.identity, Vault: vault, Len: p.chain.Len(), Head: p.chain.Head()}))
	for name, secret := range map[string][]byte{"identity": p.identity.Secret(), "vault key": vault.Secret()} {
		if bytes.Contains(sealed, secret) {
			t.Errorf("the %s lies open", name)
		}
	}
	account, err := fresh.OpenAccount(sealed)
	if err != nil || account.Account != p.chain.Account() || account.Identity.Public() != p.identity.Public() ||
		!bytes.Equal(account.Vault.Secret(), vault.Secret()) || account.Len != p.chain.Len() || account.Head != p.chain.Head() {
		t.Errorf("got account %v, len %d, %v", account.Account, account.Len, err)
	}
	// Each message is for one side and one run.
	if _, err := old.OpenDevice(sealed); err != ident.ErrLink {
		t.Errorf("the account opens as a device: %v", err)
	}
	again := must(ident.NewLinkOffer(seeded("another run"), must(ident.NewLinkCode(seeded("code")))))
	answer := must(ident.NewLinkAnswer(seeded("answer"), must(ident.NewLinkCode(seeded("code"))), again.Commitment()))
	_, other, err := again.Reveal(answer.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.OpenAccount(sealed); err != ident.ErrLink {
		t.Errorf("the account opens in another run: %v", err)
	}
}

// TestLinkTampered flips every bit of every message.
func TestLinkTampered(t *testing.T) {
	code := must(ident.NewLinkCode(seeded("code")))
	offer := must(ident.NewLinkOffer(seeded("offer"), code))
	honest, _ := pair(t)
	flip := func(b []byte, try func(changed []byte) bool) {
		t.Helper()
		for i := range 8 * len(b) {
			changed := slices.Clone(b)
			changed[i/8] ^= 1 << (i % 8)
			if try(changed) {
				t.Fatalf("bit %d of %d changed, and nobody notices", i, 8*len(b))
			}
		}
	}
	answer := must(ident.NewLinkAnswer(seeded("answer"), code, offer.Commitment()))
	reveal, _ := must2(offer.Reveal(answer.Public()))(t)
	flip(offer.Commitment(), func(changed []byte) bool {
		_, err := must(ident.NewLinkAnswer(seeded("answer"), code, changed)).Open(reveal)
		return err == nil
	})
	// The key's highest bit is not part of it (RFC 7748, Section 5), but of what both hash.
	flip(answer.Public(), func(changed []byte) bool {
		_, s, err := offer.Reveal(changed)
		return err == nil && s.Match() == honest.Match()
	})
	flip(reveal, func(changed []byte) bool {
		_, err := answer.Open(changed)
		return err == nil
	})
	old, fresh := pair(t)
	flip(must(fresh.SealDevice(seeded("nonce"), must(ident.NewDeviceKey(seeded("phone"))), "phone")), func(changed []byte) bool {
		_, err := old.OpenDevice(changed)
		return err == nil
	})
	p := newPerson(t, "alice")
	vault := must(ident.VaultKeyFromSecret(make([]byte, 32)))
	flip(must(old.SealAccount(seeded("nonce"), ident.LinkedAccount{Account: p.chain.Account(), Identity: p.identity, Vault: vault, Len: 1})), func(changed []byte) bool {
		_, err := fresh.OpenAccount(changed)
		return err == nil
	})
}

// TestLinkMan stands between the two devices with the code in hand, and puts keys of its own in the place of theirs: the
// commitment leaves it one guess, and the digits differ. Without the code it does not get that far.
func TestLinkMan(t *testing.T) {
	code := must(ident.NewLinkCode(seeded("code")))
	for _, row := range []struct {
		name string
		mans ident.LinkCode
		want bool // it gets as far as digits on both sides
	}{
		{"with the code", code, true},
		{"without it", must(ident.NewLinkCode(seeded("a guess"))), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			offer := must(ident.NewLinkOffer(seeded("offer"), code))
			// To the new device it is the old one, to the old device the new one.
			false1 := must(ident.NewLinkOffer(seeded("man"), row.mans))
			answer := must(ident.NewLinkAnswer(seeded("answer"), code, false1.Commitment()))
			false2 := must(ident.NewLinkAnswer(seeded("men"), row.mans, offer.Commitment()))
			reveal, old := must2(offer.Reveal(false2.Public()))(t)
			toNew, man := must2(false1.Reveal(answer.Public()))(t)
			fresh, err := answer.Open(toNew)
			if (err == nil) != row.want {
				t.Fatalf("the new device: %v", err)
			}
			manOld, err := false2.Open(reveal)
			if (err == nil) != row.want {
				t.Fatalf("the man reads the old device: %v", err)
			}
			if !row.want {
				return
			}
			if old.Match() == fresh.Match() {
				t.Fatal("both show the same digits with somebody between them")
			}
			if manOld.Match() != old.Match() || man.Match() != fresh.Match() {
				t.Error("the test's man is not between them")
			}
		})
	}
}

func TestLinkCode(t *testing.T) {
	code := must(ident.NewLinkCode(seeded("code")))
	upper := strings.ToUpper(code.Secret())
	for _, row := range []struct {
		name, text string
		want       bool
	}{
		{"typed", code.Secret(), true},
		{"with spaces around", " " + code.Secret() + "\n", true},
		{"scanned", code.QR(), true},
		{"nothing", "", false},
		{"the prefix alone", "snug-link-", false},
		{"an invite", must(ident.NewInvite(seeded("invite"))).Secret(), false},
		{"the secret alone", strings.TrimPrefix(code.Secret(), "snug-link-"), false},
		{"in capitals, which is no way it is written", upper, false},
		{"one short", code.Secret()[:35], false},
		{"one long", code.Secret() + "a", false},
		{"in a link", "https://snug.example/#link=" + code.Secret(), false},
		{"in an invite's link", "https://snug.example/#invite=" + code.Secret(), false},
		{"a safety number", "SNUG-SAFETY:" + strings.Repeat("0", 60), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := ident.ParseLinkCode(row.text)
			if (err == nil) != row.want || row.want && got.Secret() != code.Secret() {
				t.Errorf("%q: %v, want accepted: %v", row.text, err, row.want)
			}
			if _, err := ident.ParseInvite(row.text); row.want && err == nil {
				t.Errorf("%q is an invite as well", row.text)
			}
		})
	}
}

// TestLinkLowOrder: a key with which every secret is the same is refused.
func TestLinkLowOrder(t *testing.T) {
	offer := must(ident.NewLinkOffer(seeded("offer"), must(ident.NewLinkCode(seeded("code")))))
	for _, key := range [][]byte{make([]byte, 32), append([]byte{1}, make([]byte, 31)...), nil, make([]byte, 31), make([]byte, 33)} {
		if _, _, err := offer.Reveal(key); err != ident.ErrLink {
			t.Errorf("%x: got %v, want ErrLink", key, err)
		}
	}
}
