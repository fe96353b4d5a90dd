package ident_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"snug/internal/ident"
)

func credential(p person) []byte {
	return ident.Credential{Account: p.chain.Account(), Device: p.id()}.Marshal()
}

func certificate(t *testing.T, p person) []byte {
	t.Helper()
	b, err := p.chain.Certificate(p.id())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantMemberError(t *testing.T, err error, reason string) {
	t.Helper()
	var member *ident.MemberError
	if !errors.As(err, &member) || !strings.Contains(member.Reason, reason) {
		t.Errorf("got %v, want a MemberError: %s", err, reason)
	}
}

func TestVerifyMember(t *testing.T) {
	alice, mallory := story(t), newPerson(t, "mallory")
	chain := must(ident.ParseChain(alice.chain.Marshal()))
	key := alice.device.Public().Bytes()
	if err := ident.VerifyMember(chain, credential(alice), key, certificate(t, alice)); err != nil {
		t.Fatal(err)
	}
	wantMemberError(t, ident.VerifyMember(nil, credential(alice), key, certificate(t, alice)), "not known")
	other := chain.Devices()[1]
	otherCertificate := must(chain.Certificate(other.ID))
	flipped := certificate(t, alice)
	flipped[len(flipped)-1] ^= 1
	for name, row := range map[string]struct {
		credential, key, certificate []byte
		want                         string
	}{
		"no credential":          {nil, key, certificate(t, alice), "malformed"},
		"credential of 33 bytes": {append(credential(alice), 0), key, certificate(t, alice), "malformed"},
		"mallory's device":       {credential(mallory), mallory.device.Public().Bytes(), certificate(t, mallory), "not the account"},
		"mallory's under alice": {ident.Credential{Account: chain.Account(), Device: mallory.id()}.Marshal(),
			mallory.device.Public().Bytes(), certificate(t, mallory), "never enrolled"},
		"mallory's key":         {credential(alice), mallory.device.Public().Bytes(), certificate(t, alice), "signature key"},
		"no key":                {credential(alice), nil, certificate(t, alice), "signature key"},
		"no certificate":        {credential(alice), key, nil, "certificate"},
		"mallory's certificate": {credential(alice), key, certificate(t, mallory), "certificate"},
		"other device's":        {credential(alice), key, otherCertificate, "certificate"},
		"flipped":               {credential(alice), key, flipped, "certificate"},
		"trailing":              {credential(alice), key, append(certificate(t, alice), 0), "certificate"},
	} {
		err := ident.VerifyMember(chain, row.credential, row.key, row.certificate)
		t.Run(name, func(t *testing.T) { wantMemberError(t, err, row.want) })
	}
}

func TestVerifyMemberRevoked(t *testing.T) {
	alice := newPerson(t, "alice")
	cert := certificate(t, alice)
	appendTo(t, alice, ident.Revoke{Device: alice.id()})
	err := ident.VerifyMember(alice.chain, credential(alice), alice.device.Public().Bytes(), cert)
	wantMemberError(t, err, "revoked")
}

// TestSameDeviceTwoAccounts: one key under two accounts is two devices.
func TestSameDeviceTwoAccounts(t *testing.T) {
	alice, mallory := newPerson(t, "alice"), newPerson(t, "mallory")
	if err := mallory.chain.Append(mallory.identity, ident.Enrol{Key: alice.device.Public(), Name: "stolen"}, start); err != nil {
		t.Fatal(err)
	}
	stolen := mallory.chain.Devices()[1]
	if stolen.ID == alice.id() {
		t.Fatal("one device id in two accounts")
	}
	err := ident.VerifyMember(mallory.chain, ident.Credential{Account: mallory.chain.Account(), Device: alice.id()}.Marshal(),
		alice.device.Public().Bytes(), certificate(t, alice))
	wantMemberError(t, err, "never enrolled")
	err = ident.VerifyMember(alice.chain, ident.Credential{Account: alice.chain.Account(), Device: alice.id()}.Marshal(),
		alice.device.Public().Bytes(), must(mallory.chain.Certificate(stolen.ID)))
	wantMemberError(t, err, "certificate")
}

func TestCertificate(t *testing.T) {
	alice := newPerson(t, "alice")
	b := certificate(t, alice)
	c, err := ident.ParseCertificate(b)
	if err != nil {
		t.Fatal(err)
	}
	if c.Account != alice.chain.Account() || c.Enrol.Device != alice.id() || c.Seq != 1 || c.Enrol.Name != "laptop" {
		t.Errorf("got %+v", c)
	}
	if !bytes.Equal(c.Marshal(), b) {
		t.Error("a certificate does not encode to the bytes it was parsed from")
	}
	if _, err := ident.ParseCertificate(split(alice.chain.Marshal())[0]); err == nil {
		t.Error("a genesis is no certificate")
	}
}
