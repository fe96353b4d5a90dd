package mls

import "bytes"

// CredentialType tells how a Credential is to be read (RFC 9420, Section 5.3).
type CredentialType uint16

const (
	CredentialBasic CredentialType = 1
	CredentialX509  CredentialType = 2
)

// A Credential says who a member is. What it says is worth nothing until the MemberVerifier has checked it.
type Credential struct {
	Type CredentialType
	// Identity is the content of a basic credential: bytes of the application's choice.
	Identity []byte
	// Certificates is the DER chain of an X.509 credential, the leaf first. The package carries it and never reads it.
	Certificates [][]byte
}

// BasicCredential is the credential that carries identity and nothing else.
func BasicCredential(identity []byte) Credential {
	return Credential{Type: CredentialBasic, Identity: bytes.Clone(identity)}
}

// Equal tells whether both credentials say the same.
func (c Credential) Equal(other Credential) bool {
	if c.Type != other.Type || !bytes.Equal(c.Identity, other.Identity) || len(c.Certificates) != len(other.Certificates) {
		return false
	}
	for i, der := range c.Certificates {
		if !bytes.Equal(der, other.Certificates[i]) {
			return false
		}
	}
	return true
}

// check tells whether the type is one that can be written so that others read it.
func (c *Credential) check() error {
	if c.Type != CredentialBasic && c.Type != CredentialX509 {
		return invalid("5.3", "a credential of an unknown type")
	}
	return nil
}

func (c *Credential) encode(w *writer) {
	w.uint16(uint16(c.Type))
	if c.Type == CredentialX509 {
		start := w.open()
		for _, der := range c.Certificates {
			w.opaque(der)
		}
		w.close(start)
		return
	}
	w.opaque(c.Identity)
}

// decodeCredential fails for other types: without knowing a type there is no telling where it ends.
func decodeCredential(r *reader) Credential {
	c := Credential{Type: CredentialType(r.uint16())}
	switch c.Type {
	case CredentialBasic:
		c.Identity = r.opaque()
	case CredentialX509:
		r.each(func(r *reader) { c.Certificates = append(c.Certificates, r.opaque()) })
	default:
		r.fail("a credential of an unknown type")
	}
	return c
}
