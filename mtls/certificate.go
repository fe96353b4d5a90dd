package mtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

const (
	pemKeyEC        = "EC PRIVATE KEY"  // SEC 1
	pemKeyRSA       = "RSA PRIVATE KEY" // PKCS #1
	pemKeyEncrypted = "ENCRYPTED PRIVATE KEY"
	// maxCertificates bounds a file of certificates in bytes: some 200 of them,
	// more than a bundle of public roots has.
	maxCertificates = 512 << 10
	// maxChain bounds the certificates of a peer, its own included: an authority
	// of three levels, and room for a cross-signed one.
	maxChain = 8
)

// ErrMismatch says that a private key is not that of the certificate beside it.
var ErrMismatch = errors.New("mtls: the private key is not that of the certificate")

// ErrPassphrase says that a private key is under a passphrase. This package does
// not open such keys: who can gives the key to FromCertificate.
var ErrPassphrase = errors.New("mtls: the private key is under a passphrase")

// FromCertificate makes an identity of a certificate that an authority has issued:
// the peer is sent the chain, whose first is that of the key, then those that the
// peer needs to find its way to the root. Keys may be Ed25519, ECDSA P-256 or P-384,
// or RSA of 2,048 bits at least, and lie elsewhere behind their crypto.Signer.
func FromCertificate(chain []*x509.Certificate, key crypto.Signer) (*Identity, error) {
	switch {
	case key == nil:
		return nil, errors.New("mtls: no key")
	case len(chain) == 0:
		return nil, errors.New("mtls: no certificate")
	case len(chain) > maxChain:
		return nil, fmt.Errorf("mtls: %d certificates for one peer, at most %d", len(chain), maxChain)
	}
	leaf := chain[0]
	if err := belongs(chain, key.Public()); err != nil {
		return nil, err
	}
	if reason := weakness(leaf); reason != "" {
		return nil, errors.New("mtls: our certificate: " + reason)
	}
	signer := sealedSigner{reveal: func() crypto.Signer { return key }}
	id := &Identity{signer: signer, fingerprint: FingerprintOf(leaf), issued: true}
	id.certificate = tls.Certificate{PrivateKey: signer, Leaf: leaf}
	for _, cert := range chain {
		id.certificate.Certificate = append(id.certificate.Certificate, cert.Raw)
	}
	return id, nil
}

// belongs refuses a key that is not the first certificate's.
func belongs(chain []*x509.Certificate, public crypto.PublicKey) error {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return fmt.Errorf("mtls: encoding public key: %w", err)
	}
	for i, cert := range chain {
		if !bytes.Equal(spki, cert.RawSubjectPublicKeyInfo) {
			continue
		}
		if i > 0 {
			return fmt.Errorf("mtls: the key's certificate is number %d of the chain, and has to be the first", i+1)
		}
		return nil
	}
	got := FingerprintOf(&x509.Certificate{RawSubjectPublicKeyInfo: spki})
	return fmt.Errorf("%w: the key is %s, the certificate is for %s", ErrMismatch, got, FingerprintOf(chain[0]))
}

// ParseCertificate makes an identity of PEM: certificates as for FromCertificate,
// and a private key (PKCS #8, SEC 1 or PKCS #1). Both may be the same text. Of
// several keys, 8 at most, the one of the first certificate counts. A key under a
// passphrase gives ErrPassphrase.
func ParseCertificate(certificates, key []byte) (*Identity, error) {
	return parsePair(certificates, key, parseKey)
}

// LoadCertificate is ParseCertificate of two files, or of one that is named twice.
// It refuses a key that others than its owner can read (not on Windows, where the
// mode does not tell).
func LoadCertificate(certificatePath, keyPath string) (*Identity, error) {
	p, err := readPair(certificatePath, keyPath, parseKey)
	if err != nil {
		return nil, err
	}
	return p.id, nil
}

// NotAfter gives the end of the identity's certificate: of one that Generate made
// there is none, and it is the year 9999.
func (id *Identity) NotAfter() time.Time { return id.certificate.Leaf.NotAfter }

// Names gives the names that the identity's certificate carries.
func (id *Identity) Names() []Name { return NamesOf(id.certificate.Leaf) }

// ParseCertificates reads all certificates of a PEM text, in their order, 512 KiB
// at most. None, or one that does not parse, is an error.
func ParseCertificates(b []byte) ([]*x509.Certificate, error) {
	if len(b) > maxCertificates {
		return nil, fmt.Errorf("mtls: certificates of %d bytes, at most %d", len(b), maxCertificates)
	}
	var certs []*x509.Certificate
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		b = rest
		if block.Type != pemCertificate {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("mtls: certificate %d does not parse: %v", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New(`mtls: no "CERTIFICATE" in it`)
	}
	return certs, nil
}

// parseKey reads the first private key of a PEM text.
func parseKey(b []byte) (crypto.Signer, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("mtls: a private key of %d bytes, at most %d", len(b), maxFile)
	}
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			return nil, errors.New("mtls: no private key in it")
		}
		var key any
		var err error
		switch {
		case block.Type == pemKeyEncrypted, block.Headers["DEK-Info"] != "":
			return nil, ErrPassphrase
		case block.Type == pemKey:
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case block.Type == pemKeyEC:
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case block.Type == pemKeyRSA:
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			b = rest
			continue
		}
		if err != nil {
			return nil, errors.New("mtls: the private key does not parse")
		}
		switch key := key.(type) {
		case ed25519.PrivateKey:
			return key, nil
		case *ecdsa.PrivateKey:
			return key, nil
		case *rsa.PrivateKey:
			return key, nil
		}
		return nil, fmt.Errorf("mtls: a %T cannot sign", key)
	}
}

// readPrivate reads a file that nobody but its owner may read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has mode %04o and must be 0600", path, mode)
	}
	return readFile(path, maxFile)
}

// readFile reads a file of at most so many bytes, whatever it grows to meanwhile.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return b, nil
}
