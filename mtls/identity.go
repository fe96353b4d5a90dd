package mtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"time"
)

// Identity is a private key with a certificate, which it signed for itself or an
// authority has issued. It never changes, is safe from any goroutine, and prints as "secret".
type Identity struct {
	signer      sealedSigner
	certificate tls.Certificate
	fingerprint Fingerprint
	issued      bool // the certificate is an authority's word
}

// sealedSigner signs with a key that no printing of a struct around it can reach,
// not even of a tls.Config: of a function only the address can be shown.
type sealedSigner struct {
	reveal func() crypto.Signer
}

func (s sealedSigner) Public() crypto.PublicKey { return s.reveal().Public() }

func (s sealedSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.reveal().Sign(rand, digest, opts)
}

// Generate makes an identity with a new Ed25519 key.
func Generate() (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("mtls: generating key: %w", err)
	}
	return FromKey(key)
}

// GenerateP256 makes an identity with a new ECDSA P-256 key: for servers that
// browsers visit, which do not know Ed25519 certificates.
func GenerateP256() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("mtls: generating key: %w", err)
	}
	return FromKey(key)
}

// FromKey makes an identity of a key that exists, Ed25519 or ECDSA P-256, which
// may lie elsewhere behind its crypto.Signer. An Ed25519 key always gives the
// same certificate, an ECDSA key another signature each time; the fingerprint is
// the same always.
func FromKey(key crypto.Signer) (*Identity, error) {
	if key == nil {
		return nil, errors.New("mtls: no key")
	}
	switch public := key.Public().(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return nil, errors.New("mtls: an ECDSA identity must be of P-256")
		}
	default:
		return nil, fmt.Errorf("mtls: an identity cannot be of %T", public)
	}
	der, leaf, err := selfSign(key)
	if err != nil {
		return nil, err
	}
	signer := sealedSigner{reveal: func() crypto.Signer { return key }}
	return &Identity{
		signer:      signer,
		fingerprint: FingerprintOf(leaf),
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer, Leaf: leaf},
	}, nil
}

// Fingerprint gives the pin by which others know this identity.
func (id *Identity) Fingerprint() Fingerprint { return id.fingerprint }

// Certificate gives the certificate in DER. It is no secret.
func (id *Identity) Certificate() []byte {
	return append([]byte(nil), id.certificate.Certificate[0]...)
}

// String says "secret".
func (id *Identity) String() string { return hidden }

// GoString says "secret".
func (id *Identity) GoString() string { return hidden }

// Format says "secret" whatever the verb.
func (id *Identity) Format(s fmt.State, _ rune) { io.WriteString(s, hidden) }

// LogValue says "secret".
func (id *Identity) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText says "secret".
func (id *Identity) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON says "secret", quoted.
func (id *Identity) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

const hidden = "secret"

// selfSign makes the certificate: nothing in it but the key means anything to us,
// so it begins long ago and has no end (RFC 5280, Section 4.1.2.5), and a wrong
// clock on either side does no harm.
func selfSign(key crypto.Signer) (der []byte, leaf *x509.Certificate, err error) {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("mtls: encoding public key: %w", err)
	}
	pin := FingerprintOf(&x509.Certificate{RawSubjectPublicKeyInfo: spki})
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(append([]byte{0x40}, pin[:15]...)),
		Subject:               pkix.Name{CommonName: pin.String()},
		NotBefore:             time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("mtls: signing certificate: %w", err)
	}
	leaf, err = x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("mtls: parsing our certificate: %w", err)
	}
	return der, leaf, nil
}
