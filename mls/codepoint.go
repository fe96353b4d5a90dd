package mls

// The numbers that IANA has not given yet stand here and nowhere else. Those of cipher suites are from the ranges for private use
// (RFC 9420, Section 17), those of draft-ietf-mls-extensions are the ones that the draft asks for. When one is given, or two
// applications that meet have to agree on others, this is the table to change; docs/decisions/0010-code-points.md says
// what goes with it.
const (
	// firstPrivateUse begins the range for private use in all registries.
	firstPrivateUse = 0xF000

	// The suites of draft-ietf-mls-pq-ciphersuites, in the order of its table.
	MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519 CipherSuite = firstPrivateUse + 1
	MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519 CipherSuite = firstPrivateUse + 2
	MLS_128_MLKEM768P256_AES128GCM_SHA256_P256      CipherSuite = firstPrivateUse + 3
	MLS_128_MLKEM768P256_AES256GCM_SHA384_P256      CipherSuite = firstPrivateUse + 4
	MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384     CipherSuite = firstPrivateUse + 5

	// ProposalSelfRemove is of draft-ietf-mls-extensions.
	ProposalSelfRemove ProposalType = 0x000A
	// ExtensionLastResort marks last-resort key packages. The draft had it as an extension of its own until it became a part
	// of another; implementations that meet here know it by this number.
	ExtensionLastResort ExtensionType = 0x000A
)
