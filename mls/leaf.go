package mls

// A LeafNode is a leaf of the ratchet tree: one client of the group (RFC 9420, Section 7.2).
type LeafNode struct {
	EncryptionKey []byte
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafSource
	// Lifetime is set in leaves from key packages, ParentHash in those from commits.
	Lifetime   Lifetime
	ParentHash []byte
	Extensions Extensions
	Signature  []byte
}

// LeafSource says where a leaf came from.
type LeafSource uint8

const (
	LeafKeyPackage LeafSource = 1
	LeafUpdate     LeafSource = 2
	LeafCommit     LeafSource = 3
)
