package mls

import "crypto"

// A KeyPackage is what a client publishes so that others can add it to groups while it is away (RFC 9420, Section 10).
type KeyPackage struct {
	Version    ProtocolVersion
	Suite      CipherSuite
	InitKey    []byte
	LeafNode   *LeafNode
	Extensions Extensions
	Signature  []byte
}

// KeyPackageRef is the hash by which a Welcome names a key package.
type KeyPackageRef string

// KeyPackageOptions says what to put into a key package.
type KeyPackageOptions struct {
	// Suite is DefaultSuite when zero.
	Suite CipherSuite
	// Credential and Signer are the device's identity and the private key of its leaf.
	Credential Credential
	Signer     crypto.Signer
	// Lifetime must be given: the package reads no clock.
	Lifetime Lifetime
	// LeafExtensions go into the leaf. Their types are added to Capabilities.
	LeafExtensions Extensions
	// Extensions go into the key package beside the leaf.
	Extensions Extensions
	// Capabilities is what the device supports beyond the defaults; version, suite and credential type are filled in when
	// the lists are empty.
	Capabilities Capabilities
	// LastResort marks a key package that the server may hand out more than once, when no other is left.
	LastResort bool
}

// KeyPackagePrivate is the secret half of a key package, with the key package itself. It is used once, by Join, and then
// to be deleted (RFC 9420, Section 16.8).
type KeyPackagePrivate struct {
	keyPackage *KeyPackage
	initKey    Secret
	leafKey    Secret
}

// ExtensionLastResort marks last-resort key packages, as in draft-ietf-mls-extensions.
const ExtensionLastResort ExtensionType = 0x000A

// NewKeyPackage makes a key package and its secret half. Save the half before publishing the whole.
func NewKeyPackage(opts KeyPackageOptions) (*KeyPackage, *KeyPackagePrivate, error) {
	return nil, nil, ErrUnsupported
}

// ParseKeyPackage reads what Marshal wrote and checks its signature and form (RFC 9420, Section 10.1). Whose it is, is
// for the MemberVerifier to say when it is added.
func ParseKeyPackage(b []byte) (*KeyPackage, error) { return nil, ErrUnsupported }

// Marshal returns the key package as an MLSMessage, the form in which it is published.
func (kp *KeyPackage) Marshal() []byte { return nil }

// Ref is the name of the key package in a Welcome.
func (kp *KeyPackage) Ref() KeyPackageRef { return "" }

// Member returns what the leaf says, for checks before the owner is added; its Index means nothing yet.
func (kp *KeyPackage) Member() Member { return Member{} }

// LastResort tells whether the key package may be used more than once.
func (kp *KeyPackage) LastResort() bool { return false }

// KeyPackage returns the public half.
func (p *KeyPackagePrivate) KeyPackage() *KeyPackage { return p.keyPackage }

// Save returns the secret half and the key package in a form that LoadKeyPackagePrivate reads. Keep it sealed.
func (p *KeyPackagePrivate) Save() []byte { return nil }

// LoadKeyPackagePrivate reads what Save wrote.
func LoadKeyPackagePrivate(b []byte) (*KeyPackagePrivate, error) { return nil, ErrUnsupported }
