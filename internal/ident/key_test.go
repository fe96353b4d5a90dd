package ident_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"testing"

	"snug/internal/ident"
)

// TestSmallOrder forges: under the neutral point, R = 1 and S = 0 is a signature of
// anything. Others of its kind are refused with it.
func TestSmallOrder(t *testing.T) {
	neutral := ident.PublicKey{1}
	forged := make([]byte, ident.SignatureSize)
	forged[0] = 1
	if !ed25519.Verify(neutral[:], []byte("anything"), forged) {
		t.Fatal("the forgery is no forgery: crypto/ed25519 refuses it")
	}
	if err := neutral.Verify("snug x", []byte("anything"), forged); err != ident.ErrSignature {
		t.Errorf("got %v, want ErrSignature", err)
	}
	p := newPerson(t, "alice")
	for _, text := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if p.chain.Append(p.identity, ident.Enrol{Key: ident.PublicKey(b), Name: "x"}, start) == nil {
			t.Errorf("a device with the key %s was enrolled", text)
		}
	}
}

func TestSigner(t *testing.T) {
	key := must(ident.NewDeviceKey(seeded("key")))
	signer := key.Signer()
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok || ident.PublicKey(public) != key.Public() {
		t.Fatalf("Public is a %T", signer.Public())
	}
	signature, err := signer.Sign(nil, []byte("message"), crypto.Hash(0))
	if err != nil || !ed25519.Verify(public, []byte("message"), signature) {
		t.Errorf("signature does not verify, %v", err)
	}
	back := must(ident.DeviceKeyFromSecret(key.Secret()))
	if back.Public() != key.Public() || key.IsZero() || !(ident.DeviceKey{}).IsZero() {
		t.Error("a key does not survive its secret")
	}
	if k, err := ident.DeviceKeyFromSecret(make([]byte, 31)); err == nil || !k.IsZero() {
		t.Error("a key of 31 bytes")
	}
	if p, err := ident.PublicKeyFromBytes(key.Public().Bytes()); err != nil || p != key.Public() {
		t.Error("a public key does not survive its bytes")
	}
}
