package mtls

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Fingerprint names a key: the SHA-256 of its SubjectPublicKeyInfo (RFC 5280,
// Section 4.1), whatever certificate it comes in. It is no secret.
type Fingerprint [sha256.Size]byte

// FingerprintSize is the length of a fingerprint's text: 256 bits, five to a
// character.
const FingerprintSize = 52

// pinText needs no quoting in HOST:PORT#PIN, in shells and in URLs, and can be
// read aloud: no upper case, no 0, 1, 8 or 9.
var pinText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrFingerprint is the only error of ParseFingerprint.
var ErrFingerprint = errors.New("mtls: a fingerprint has 52 characters of a-z and 2-7")

// FingerprintOf gives the fingerprint of a certificate's key.
func FingerprintOf(cert *x509.Certificate) Fingerprint {
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo)
}

// FingerprintOfEd25519 gives the fingerprint of an Ed25519 key by its 32 bytes: what
// Peer.Ed25519 gives of a peer.
func FingerprintOfEd25519(key [ed25519.PublicKeySize]byte) Fingerprint {
	spki, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(key[:]))
	if err != nil {
		panic("mtls: internal error: encoding an Ed25519 key: " + err.Error())
	}
	return sha256.Sum256(spki)
}

// ParseFingerprint reads what String gives, and nothing else.
func ParseFingerprint(s string) (Fingerprint, error) {
	if len(s) != FingerprintSize {
		return Fingerprint{}, ErrFingerprint
	}
	b, err := pinText.DecodeString(s)
	// The decoder skips line breaks and ignores the last character's spare bits.
	if err != nil || pinText.EncodeToString(b) != s {
		return Fingerprint{}, ErrFingerprint
	}
	return Fingerprint(b), nil
}

// String gives 52 characters of lower-case base32 without padding.
func (f Fingerprint) String() string { return pinText.EncodeToString(f[:]) }

// Equal compares in constant time.
func (f Fingerprint) Equal(other Fingerprint) bool {
	return subtle.ConstantTimeCompare(f[:], other[:]) == 1
}

// IsZero reports whether f was never set. The zero fingerprint matches no key.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// MarshalText gives what String gives.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads as ParseFingerprint does.
func (f *Fingerprint) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFingerprint(string(b))
	return err
}

// ParseAddress splits HOST:PORT#PIN, the form in which an address is handed over.
// HOST may be a name, an IPv4 address, or an IPv6 address in brackets. It gives
// HOST:PORT and the pin; without "#PIN" the error is ErrUnpinned.
func ParseAddress(s string) (hostPort string, pin Fingerprint, err error) {
	hostPort, text, found := strings.Cut(s, "#")
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || host == "" || port == "" {
		return "", Fingerprint{}, fmt.Errorf("mtls: %q is not HOST:PORT#PIN", s)
	}
	if !found || text == "" {
		return "", Fingerprint{}, ErrUnpinned
	}
	if pin, err = ParseFingerprint(text); err != nil {
		return "", Fingerprint{}, err
	}
	return hostPort, pin, nil
}
