package mls

import "crypto"

// LeafOptions says what to change in the own leaf when it is renewed. Nil fields keep what the leaf has.
type LeafOptions struct {
	Credential   *Credential
	Extensions   Extensions
	Capabilities *Capabilities
	// Signer replaces the leaf's signature key. From the merge on it is the group's signer; a group that is loaded from
	// records must be given it in Config.
	Signer crypto.Signer
}

// ProposeAdd returns the message that proposes to add the owner of the key package.
// Like all proposals, it is pending here too, and takes a key of the own ratchet: save Delta before sending.
func (g *Group) ProposeAdd(kp *KeyPackage) ([]byte, error) { return nil, ErrUnsupported }

// ProposeRemove returns the message that proposes to remove a member. To leave the group, propose the own leaf: another
// member has to commit it (RFC 9420, Section 12.2).
func (g *Group) ProposeRemove(i LeafIndex) ([]byte, error) { return nil, ErrUnsupported }

// ProposeLeave returns the message that proposes to remove this member itself.
func (g *Group) ProposeLeave() ([]byte, error) { return nil, ErrUnsupported }

// ProposeUpdate returns the message that proposes a fresh leaf for this member.
func (g *Group) ProposeUpdate(opts LeafOptions) ([]byte, error) { return nil, ErrUnsupported }

// ProposeGroupContextExtensions returns the message that proposes to replace the GroupContext extensions.
func (g *Group) ProposeGroupContextExtensions(x Extensions) ([]byte, error) {
	return nil, ErrUnsupported
}

// ProposePreSharedKey returns the message that proposes to mix a pre-shared key into the next epoch.
func (g *Group) ProposePreSharedKey(id PreSharedKeyID) ([]byte, error) { return nil, ErrUnsupported }
