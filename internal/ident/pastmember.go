package ident

import "bytes"

// VerifyPastMember is VerifyMember for a leaf that stands in a tree already: a device that was revoked meanwhile passes,
// because somebody has to be in the room to take it out. Never ask it about a device that is to be added.
func VerifyPastMember(chain *Chain, credential, signatureKey, certificate []byte) error {
	c, err := ParseCredential(credential)
	if err != nil {
		return &MemberError{Reason: "malformed credential"}
	}
	refuse := func(reason string) error {
		return &MemberError{Account: c.Account, Device: c.Device, Reason: reason}
	}
	if c.Account != chain.account {
		return refuse("not the account of this chain")
	}
	d, ok := chain.EverEnrolled(c.Device)
	switch {
	case !ok:
		return refuse("never enrolled")
	case !bytes.Equal(signatureKey, d.Key[:]):
		return refuse("signature key is not the device's")
	case !bytes.Equal(certificate, chain.statements[d.Seq].raw):
		return refuse("certificate is not the chain's")
	}
	return nil
}
