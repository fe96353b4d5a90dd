package mls

// LeafIndex is the place of a member in the tree, counted over leaves. It is the member's name within one epoch: a later
// member can take the place of a removed one.
type LeafIndex uint32

// A Member is what a leaf of the tree says. Its slices are the group's own: read them, do not change them.
type Member struct {
	Index        LeafIndex
	Credential   Credential
	SignatureKey []byte
	Extensions   Extensions
	Capabilities Capabilities
	// Lifetime is that of the key package from which the member was added; zero once it has updated its leaf.
	Lifetime Lifetime
}

// Lifetime is a span in seconds since 1970, both ends included (RFC 9420, Section 7.2).
type Lifetime struct {
	NotBefore, NotAfter uint64
}

// Capabilities says what a client supports, beyond what every client must (RFC 9420, Section 7.2). Values that RFC 9420
// calls default, such as the types of its own proposals and extensions, are not listed.
type Capabilities struct {
	Versions     []ProtocolVersion
	CipherSuites []CipherSuite
	Extensions   []ExtensionType
	Proposals    []ProposalType
	Credentials  []CredentialType
}

// ProtocolVersion is the version of MLS; there is one.
type ProtocolVersion uint16

// MLS10 is the version that RFC 9420 defines.
const MLS10 ProtocolVersion = 1
