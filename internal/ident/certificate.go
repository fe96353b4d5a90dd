package ident

import (
	"bytes"
	"errors"
	"fmt"
)

// CredentialSize is the size of a marshalled Credential in bytes.
const CredentialSize = 2 * idSize

// Credential is the identity of a basic MLS credential: account id, then device
// id.
type Credential struct {
	Account AccountID
	Device  DeviceID
}

// Certificate is an enrolment statement as an MLS leaf carries it. Nothing in it
// is verified: only VerifyMember, with the account's chain, makes it count.
type Certificate struct {
	Account AccountID
	Seq     uint32
	Enrol   Enrol
	raw     []byte
}

// Marshal gives the 32 bytes of the credential.
func (c Credential) Marshal() []byte { return append(c.Account.Bytes(), c.Device[:]...) }

// ParseCredential reads 32 bytes.
func ParseCredential(b []byte) (Credential, error) {
	if len(b) != CredentialSize {
		return Credential{}, fmt.Errorf("ident: credential must have %d bytes, not %d", CredentialSize, len(b))
	}
	return Credential{Account: AccountID(b[:idSize]), Device: DeviceID(b[idSize:])}, nil
}

// ParseCertificate reads what Chain.Certificate gives, without verifying it.
func ParseCertificate(b []byte) (Certificate, error) {
	s, err := parseSigned(bytes.Clone(b))
	if err != nil {
		return Certificate{}, fmt.Errorf("ident: parsing certificate: %v", err)
	}
	e, ok := s.statement.(Enrol)
	if !ok {
		return Certificate{}, errors.New("ident: parsing certificate: not an enrolment")
	}
	return Certificate{Account: s.account, Seq: s.seq, Enrol: e, raw: s.raw}, nil
}

// Marshal gives the bytes that ParseCertificate read.
func (c Certificate) Marshal() []byte { return bytes.Clone(c.raw) }

// MemberError says why a leaf of a room's tree is not a device of its account.
type MemberError struct {
	Account AccountID // as the leaf's credential has it; zero if it has none
	Device  DeviceID
	Reason  string
}

// Error names account, device and reason.
func (e *MemberError) Error() string {
	return fmt.Sprintf("ident: device %s of account %s: %s", e.Device, e.Account, e.Reason)
}

// VerifyMember judges a leaf of a room's MLS tree: credential is the identity of
// its basic credential, signatureKey its signature key, certificate the extension
// with what Chain.Certificate gave. It is nil only if the credential names an
// enrolled, unrevoked device of chain, the key is that device's, and the
// certificate is the very statement of the chain that enrolled it. Otherwise it
// is a *MemberError. The caller has chosen chain by the credential's account, and
// keeps it fresh: see Chain.Extends; nil is a chain that it does not have.
func VerifyMember(chain *Chain, credential, signatureKey, certificate []byte) error {
	return verifyLeaf(chain, credential, signatureKey, certificate, false)
}

// VerifyPastMember is VerifyMember for a leaf that stands in a tree already: a device that was revoked meanwhile passes,
// because somebody has to be in the room to take it out. Never ask it about a device that is to be added.
func VerifyPastMember(chain *Chain, credential, signatureKey, certificate []byte) error {
	return verifyLeaf(chain, credential, signatureKey, certificate, true)
}

func verifyLeaf(chain *Chain, credential, signatureKey, certificate []byte, revokedToo bool) error {
	c, err := ParseCredential(credential)
	if err != nil {
		return &MemberError{Reason: "malformed credential"}
	}
	refuse := func(reason string) error {
		return &MemberError{Account: c.Account, Device: c.Device, Reason: reason}
	}
	if chain == nil {
		return refuse("chain of the account is not known")
	}
	if c.Account != chain.account {
		return refuse("not the account of this chain")
	}
	d, ok := chain.EverEnrolled(c.Device)
	switch {
	case !ok:
		return refuse("never enrolled")
	case d.Revoked && !revokedToo:
		return refuse("revoked")
	case !bytes.Equal(signatureKey, d.Key[:]):
		return refuse("signature key is not the device's")
	case !bytes.Equal(certificate, chain.statements[d.Seq].raw):
		return refuse("certificate is not the chain's")
	}
	return nil
}
