package mls

import "slices"

// LeafIndex is the place of a member in the tree, counted over leaves. It is the member's name within one epoch: a later
// member can take the place of a removed one.
type LeafIndex uint32

// A Member is what a leaf of the tree says. Its slices are the group's own: read them, do not change them.
type Member struct {
	Index        LeafIndex
	Credential   Credential
	SignatureKey []byte
	// EncryptionKey changes with each update of the leaf: two leaves with the same one are the same key package's.
	EncryptionKey []byte
	Extensions    Extensions
	Capabilities  Capabilities
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

func (c *Capabilities) encode(w *writer) {
	encodeUint16s(w, c.Versions)
	encodeUint16s(w, c.CipherSuites)
	encodeUint16s(w, c.Extensions)
	encodeUint16s(w, c.Proposals)
	encodeUint16s(w, c.Credentials)
}

func decodeCapabilities(r *reader) Capabilities {
	return Capabilities{
		Versions:     decodeUint16s[ProtocolVersion](r),
		CipherSuites: decodeUint16s[CipherSuite](r),
		Extensions:   decodeUint16s[ExtensionType](r),
		Proposals:    decodeUint16s[ProposalType](r),
		Credentials:  decodeUint16s[CredentialType](r),
	}
}

func (c *Capabilities) supportsExtension(t ExtensionType) bool {
	return t.isDefault() || slices.Contains(c.Extensions, t)
}

func (c *Capabilities) supportsProposal(t ProposalType) bool {
	return t.isDefault() || slices.Contains(c.Proposals, t)
}

func (c *Capabilities) supportsCredential(t CredentialType) bool {
	return slices.Contains(c.Credentials, t)
}

// meets tells whether everything that rc requires is supported.
func (c *Capabilities) meets(rc RequiredCapabilities) bool {
	return covers(c.Extensions, rc.Extensions, ExtensionType.isDefault) &&
		covers(c.Proposals, rc.Proposals, ProposalType.isDefault) &&
		covers(c.Credentials, rc.Credentials, func(CredentialType) bool { return false })
}

// supportsExtensions tells whether the types of all of the list are supported.
func (c *Capabilities) supportsExtensions(list Extensions) bool {
	types := make([]ExtensionType, len(list))
	for i, x := range list {
		types[i] = x.Type
	}
	return covers(c.Extensions, types, ExtensionType.isDefault)
}

// covers tells whether each of want is a default or one of have. Both lists are as long as their sender likes: the work is that of
// their sum, not of their product.
func covers[T ~uint16](have, want []T, isDefault func(T) bool) bool {
	const few = 8
	if len(want) <= few {
		return !slices.ContainsFunc(want, func(v T) bool { return !isDefault(v) && !slices.Contains(have, v) })
	}
	var set [1 << 10]uint64
	for _, v := range have {
		set[v/64] |= 1 << (v % 64)
	}
	return !slices.ContainsFunc(want, func(v T) bool { return !isDefault(v) && set[v/64]&(1<<(v%64)) == 0 })
}

// completed returns c with the defaults in its empty lists, and with the types of these extensions. What every client supports
// anyhow is left out.
func (c Capabilities) completed(credential CredentialType, lists ...Extensions) Capabilities {
	if c.Versions = slices.Clone(c.Versions); len(c.Versions) == 0 {
		c.Versions = []ProtocolVersion{MLS10}
	}
	if c.CipherSuites = slices.Clone(c.CipherSuites); len(c.CipherSuites) == 0 {
		c.CipherSuites = supportedSuites()
	}
	if c.Credentials = slices.Clone(c.Credentials); !slices.Contains(c.Credentials, credential) {
		c.Credentials = append(slices.Clip(c.Credentials), credential)
	}
	c.Extensions = slices.DeleteFunc(slices.Clone(c.Extensions), ExtensionType.isDefault)
	c.Proposals = slices.DeleteFunc(slices.Clone(c.Proposals), ProposalType.isDefault)
	if !c.supportsProposal(ProposalSelfRemove) {
		c.Proposals = append(c.Proposals, ProposalSelfRemove)
	}
	for _, list := range lists {
		for _, x := range list {
			if !c.supportsExtension(x.Type) {
				c.Extensions = append(c.Extensions, x.Type)
			}
		}
	}
	return c
}
