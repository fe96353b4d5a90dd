package ident_test

import (
	"bytes"
	"math"
	"testing"

	"snug/internal/ident"
)

func wrapKey(t testing.TB, passphrase string) ident.WrapKey {
	t.Helper()
	_, wrap := must2(ident.DerivePassphraseKeysInsecure(passphrase, salt, cheap))(t)
	return wrap
}

func newVault(t testing.TB, p person, passphrase string, recovery []byte) *ident.Vault {
	t.Helper()
	v, err := ident.SealVault(seeded("vault"), wrapKey(t, passphrase), p.chain.Account(), p.identity, recovery)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVault(t *testing.T) {
	p := newPerson(t, "alice")
	sealed := newVault(t, p, "the passphrase", []byte("recovery"))
	v, err := ident.ParseVault(sealed.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := ident.OpenVault(v, p.chain.Account(), wrapKey(t, "the passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	if opened.Identity.Public() != p.chain.Identity() || string(opened.Recovery()) != "recovery" || v.Revision() != 1 {
		t.Errorf("got identity %v, recovery %q, revision %d", opened.Identity.Public(), opened.Recovery(), v.Revision())
	}
	for name, secret := range map[string][]byte{"identity": p.identity.Secret(), "recovery": []byte("recovery"), "key": opened.Key.Secret()} {
		if bytes.Contains(sealed.Marshal(), secret) {
			t.Errorf("the %s lies open in the vault", name)
		}
	}
	if _, err := ident.OpenVault(v, p.chain.Account(), wrapKey(t, "another one")); err != ident.ErrVault {
		t.Errorf("wrong passphrase: got %v, want ErrVault", err)
	}
	if _, err := ident.OpenVault(v, newPerson(t, "bob").chain.Account(), wrapKey(t, "the passphrase")); err != ident.ErrVault {
		t.Errorf("another's vault: got %v, want ErrVault", err)
	}
	if key := must(ident.VaultKeyFromSecret(opened.Key.Secret())); !bytes.Equal(key.Secret(), opened.Key.Secret()) {
		t.Error("the vault key does not survive its secret")
	}
}

func TestVaultRewrap(t *testing.T) {
	p := newPerson(t, "alice")
	v := newVault(t, p, "old", []byte("recovery"))
	before := must(ident.OpenVault(v, p.chain.Account(), wrapKey(t, "old")))
	if _, err := v.Rewrap(seeded("again"), must(ident.VaultKeyFromSecret(make([]byte, 32))), wrapKey(t, "new")); err != ident.ErrVault {
		t.Errorf("changing with a wrong vault key: got %v, want ErrVault", err)
	}
	if _, err := ident.OpenVaultWithKey(v, newPerson(t, "bob").chain.Account(), before.Key); err != ident.ErrVault {
		t.Errorf("opening another account's vault: got %v, want ErrVault", err)
	}
	changed, err := v.Rewrap(seeded("again"), before.Key, wrapKey(t, "new"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ident.OpenVault(changed, p.chain.Account(), wrapKey(t, "old")); err != ident.ErrVault {
		t.Errorf("old passphrase: got %v, want ErrVault", err)
	}
	after, err := ident.OpenVault(changed, p.chain.Account(), wrapKey(t, "new"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(after.Key.Secret(), before.Key.Secret()) || after.Identity.Public() != p.identity.Public() || string(after.Recovery()) != "recovery" {
		t.Error("the contents did not survive a change of passphrase")
	}
	if changed.Revision() != 2 {
		t.Errorf("revision = %d, want 2", changed.Revision())
	}
	repaired, err := v.RewrapAfter(seeded("repair"), before.Key, wrapKey(t, "third"), 7)
	if err != nil || repaired.Revision() != 8 {
		t.Fatalf("repairing after revision 7: %v", err)
	}
	if opened, err := ident.OpenVault(repaired, p.chain.Account(), wrapKey(t, "third")); err != nil || string(opened.Recovery()) != "recovery" {
		t.Errorf("the repaired vault: %v", err)
	}
	if _, err := v.RewrapAfter(seeded("repair"), before.Key, wrapKey(t, "third"), math.MaxUint32); err == nil {
		t.Error("a revision after the last one")
	}
}

// TestVaultTampered flips every byte, account and revision included.
func TestVaultTampered(t *testing.T) {
	p := newPerson(t, "alice")
	b := newVault(t, p, "the passphrase", []byte("recovery")).Marshal()
	wrap := wrapKey(t, "the passphrase")
	for i := range b {
		b[i] ^= 1
		v, err := ident.ParseVault(b)
		if err == nil {
			_, err = ident.OpenVault(v, v.Account(), wrap)
		}
		if err == nil {
			t.Fatalf("byte %d flipped, and the vault opened", i)
		}
		b[i] ^= 1
	}
	for n := range b {
		if _, err := ident.ParseVault(b[:n]); err == nil {
			t.Fatalf("a vault cut to %d bytes parsed", n)
		}
	}
	if _, err := ident.ParseVault(append(b, 0)); err == nil {
		t.Error("a vault with a byte more parsed")
	}
}

func TestVaultBounds(t *testing.T) {
	p := newPerson(t, "alice")
	wrap := wrapKey(t, "x")
	if v, err := ident.SealVault(seeded("v"), wrap, p.chain.Account(), p.identity, make([]byte, ident.MaxRecovery)); err != nil {
		t.Error(err)
	} else if b := v.Marshal(); len(b) != ident.MaxVault {
		t.Errorf("the largest vault has %d bytes, want %d", len(b), ident.MaxVault)
	} else if _, err := ident.ParseVault(b); err != nil {
		t.Error(err)
	}
	if _, err := ident.SealVault(seeded("v"), wrap, p.chain.Account(), p.identity, make([]byte, ident.MaxRecovery+1)); err == nil {
		t.Error("too much recovery data was sealed")
	}
}
