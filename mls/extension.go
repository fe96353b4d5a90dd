package mls

import (
	"bytes"
	"slices"
)

// ExtensionType names an extension. 0xF000 to 0xFFFF are for private use (RFC 9420, Section 17.3).
type ExtensionType uint16

const (
	ExtensionApplicationID        ExtensionType = 1
	ExtensionRatchetTree          ExtensionType = 2
	ExtensionRequiredCapabilities ExtensionType = 3
	ExtensionExternalPub          ExtensionType = 4
	ExtensionExternalSenders      ExtensionType = 5
)

// An Extension is data of the application, or of another RFC, in a leaf, a key package, a GroupInfo or the GroupContext.
// Which of these it may be in is for those to say who define it.
type Extension struct {
	Type ExtensionType
	Data []byte
}

// Extensions is a list in which each type occurs once. Treat it as read-only; Set and Without make changed copies.
type Extensions []Extension

// Get returns the data of the extension of this type.
func (e Extensions) Get(t ExtensionType) ([]byte, bool) {
	for _, x := range e {
		if x.Type == t {
			return x.Data, true
		}
	}
	return nil, false
}

// Set returns a copy of the list in which the extension of this type has this data; a new one stands last.
func (e Extensions) Set(t ExtensionType, data []byte) Extensions {
	out := slices.Clone(e)
	for i := range out {
		if out[i].Type == t {
			out[i].Data = bytes.Clone(data)
			return out
		}
	}
	return append(out, Extension{t, bytes.Clone(data)})
}

// Without returns a copy of the list that lacks this type.
func (e Extensions) Without(t ExtensionType) Extensions {
	return slices.DeleteFunc(slices.Clone(e), func(x Extension) bool { return x.Type == t })
}

// Equal tells whether both lists hold the same extensions in the same order.
func (e Extensions) Equal(other Extensions) bool {
	return slices.EqualFunc(e, other, func(a, b Extension) bool {
		return a.Type == b.Type && bytes.Equal(a.Data, b.Data)
	})
}

// RequiredCapabilities is the GroupContext extension that says what every member must support (RFC 9420, Section 11.1).
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}
