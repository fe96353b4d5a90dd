package ident_test

import (
	"bytes"
	"testing"

	"snug/internal/ident"
)

func authKey(t testing.TB, passphrase string) ident.AuthKey {
	t.Helper()
	auth, _ := must2(ident.DerivePassphraseKeysInsecure(passphrase, salt, cheap))(t)
	return auth
}

func TestAuthKey(t *testing.T) {
	key := must(ident.AuthKeyFromSecret(authKey(t, "right").Secret()))
	random := seeded("auth")
	stored := must(ident.HashAuthKey(random, key))
	if len(stored) != ident.StoredAuthSize || bytes.Contains(stored, key.Secret()) {
		t.Errorf("stored %d bytes, want %d without the key in them", len(stored), ident.StoredAuthSize)
	}
	if !ident.VerifyAuthKey(stored, key) {
		t.Error("the right key does not verify")
	}
	if ident.VerifyAuthKey(stored, authKey(t, "wrong")) {
		t.Error("a wrong key verifies")
	}
	if again := must(ident.HashAuthKey(random, key)); bytes.Equal(again, stored) {
		t.Error("two accounts with one key have one hash")
	}
	for name, bad := range map[string][]byte{"empty": nil, "short": stored[1:], "version": append([]byte{9}, stored[1:]...), "long": append(bytes.Clone(stored), 0)} {
		if ident.VerifyAuthKey(bad, key) {
			t.Errorf("%s: verifies", name)
		}
	}
	if _, err := ident.AuthKeyFromSecret(make([]byte, 31)); err == nil {
		t.Error("an auth key of 31 bytes")
	}
}

func TestNobody(t *testing.T) {
	secret := must(ident.ServerSecretFromBytes(bytes.Repeat([]byte{1}, 32)))
	other := must(ident.ServerSecretFromBytes(bytes.Repeat([]byte{2}, 32)))
	first := ident.FakeSalt(secret, "nobody")
	if again := ident.FakeSalt(secret, "nobody"); again != first {
		t.Errorf("the salt of nobody is %x and then %x", first, again)
	}
	if ident.FakeSalt(secret, "nobody") == ident.FakeSalt(secret, "nobody2") || ident.FakeSalt(secret, "nobody") == ident.FakeSalt(other, "nobody") {
		t.Error("two fake salts are equal")
	}
	fake := ident.FakeAuth(secret, "nobody")
	if len(fake) != ident.StoredAuthSize || ident.VerifyAuthKey(fake, authKey(t, "x")) {
		t.Error("the stored hash of nobody is not like any other")
	}
}

func TestLogin(t *testing.T) {
	alice, mallory := newPerson(t, "alice"), newPerson(t, "mallory")
	l := ident.Login{Server: [32]byte{1}, Nonce: [32]byte{2}, Account: alice.chain.Account(), Device: alice.id()}
	signature := ident.SignLogin(alice.device, l)
	key := alice.device.Public()
	if err := ident.VerifyLogin(key, l, signature); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ident.Login){
		"server":  func(l *ident.Login) { l.Server[31]++ },
		"nonce":   func(l *ident.Login) { l.Nonce[0]++ },
		"account": func(l *ident.Login) { l.Account = mallory.chain.Account() },
		"device":  func(l *ident.Login) { l.Device = mallory.id() },
	} {
		other := l
		change(&other)
		if err := ident.VerifyLogin(key, other, signature); err != ident.ErrSignature {
			t.Errorf("another %s: got %v, want ErrSignature", name, err)
		}
	}
	if err := ident.VerifyLogin(mallory.device.Public(), l, signature); err != ident.ErrSignature {
		t.Errorf("another key: got %v, want ErrSignature", err)
	}
	if err := ident.VerifyLogin(key, l, signature[1:]); err != ident.ErrSignature {
		t.Errorf("short signature: got %v, want ErrSignature", err)
	}
	if err := ident.VerifyLogin(ident.PublicKey{}, l, signature); err != ident.ErrSignature {
		t.Errorf("no key: got %v, want ErrSignature", err)
	}
}

func TestInvite(t *testing.T) {
	random := seeded("invite")
	code, other := must(ident.NewInvite(random)), must(ident.NewInvite(random))
	hash := ident.HashInvite(code)
	back, err := ident.ParseInvite(code.Secret())
	if err != nil || !ident.HashInvite(back).Equal(hash) || len(code.Secret()) != 26 {
		t.Errorf("an invite does not survive its text %q: %v", code.Secret(), err)
	}
	if ident.HashInvite(other).Equal(hash) {
		t.Error("two invites have one hash")
	}
	if got := must(ident.InviteHashFromBytes(hash.Bytes())); !got.Equal(hash) {
		t.Error("a hash does not survive its bytes")
	}
	if _, err := ident.ParseInvite(code.Secret() + "a"); err == nil {
		t.Error("a code of 27 characters parses")
	}
}
