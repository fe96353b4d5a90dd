package mls

import (
	"encoding/binary"
	"slices"
)

// Values that mean nothing, put where others must ignore what they do not know, so that whoever does not is found out early
// (RFC 9420, Section 13.5). What comes in is not looked at for them.

// greaseValue is one of the fifteen reserved values.
func greaseValue() uint16 {
	n := binary.BigEndian.Uint16(random(2)) % 15
	return 0x0A0A + 0x1010*n
}

// grease puts values into the capabilities of a leaf that is being made anew.
func (l *LeafNode) grease() {
	c := &l.Capabilities
	c.CipherSuites = append(slices.Clip(c.CipherSuites), CipherSuite(greaseValue()))
	c.Extensions = append(slices.Clip(c.Extensions), ExtensionType(greaseValue()))
	c.Proposals = append(slices.Clip(c.Proposals), ProposalType(greaseValue()))
	c.Credentials = append(slices.Clip(c.Credentials), CredentialType(greaseValue()))
}

// GREASEExtension returns an extension that nobody knows, of up to 15 random bytes, for the lists of those that others must
// ignore: of leaves, key packages and GroupInfos (RFC 9420, Section 13.5). The package puts reserved values into capabilities by
// itself, and leaves these lists to the application, because there are implementations in use that do not ignore them.
func GREASEExtension() Extension {
	return Extension{ExtensionType(greaseValue()), random(int(random(1)[0] & 15))}
}

// isGREASE tells whether a number is one of the reserved values.
func isGREASE[T ~uint16](v T) bool { return v&0x0F0F == 0x0A0A && v>>8 == v&0xFF && v < 0xF000 }

// withoutGREASE is what the capabilities say in earnest: by this a client judges whether it can follow a group itself.
func (c Capabilities) withoutGREASE() Capabilities {
	c.CipherSuites = slices.DeleteFunc(slices.Clone(c.CipherSuites), isGREASE[CipherSuite])
	c.Extensions = slices.DeleteFunc(slices.Clone(c.Extensions), isGREASE[ExtensionType])
	c.Proposals = slices.DeleteFunc(slices.Clone(c.Proposals), isGREASE[ProposalType])
	c.Credentials = slices.DeleteFunc(slices.Clone(c.Credentials), isGREASE[CredentialType])
	return c
}

// checkOwn holds the own leaf against the GroupContext, for what it says in earnest.
func (l *LeafNode) checkOwn(s *suite, context Extensions) error {
	required, err := context.requiredCapabilities()
	if err != nil {
		return err
	}
	own := *l
	own.Capabilities, own.Extensions = l.Capabilities.withoutGREASE(), nil
	return own.check(s, required, context)
}
