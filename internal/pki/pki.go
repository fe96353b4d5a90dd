// Package pki is a private certificate authority in one directory, for sockets. Begin with Init, or Take for an
// authority that openssl has made, and with Open; then Issue, Renew, Revoke.
//
// The directory is openssl's to read: certificates, lists and keys in PEM, the index of what was issued in the format of
// `openssl ca`. Whoever can read the authority's key can be anybody to all who trust it: it is written for its owner alone
// (0600), under a passphrase if one is given.
//
// Every change is on the disk before it is told, and one process at a time makes one. It issues for end entities only:
// the authority's path length is zero.
package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of an authority, all in its directory.
const (
	CertificateFile = "ca.pem"
	KeyFile         = "ca.key"
	ListFile        = "crl.pem"
	indexFile       = "index.txt"
	attributesFile  = "index.txt.attr" // tells openssl that a name may be certified more than once
	numberFile      = "crlnumber"
	lockFile        = "lock"
	issuedDir       = "issued" // NAME.pem and NAME.key of each name
)

const (
	// DefaultTTL is how long a certificate holds: short enough that what is stolen is soon worth nothing, also where no
	// list of revocations arrives, and a weekend longer than a machine that renews daily may be away.
	DefaultTTL = 7 * 24 * time.Hour
	// authorityTTL is how long an authority holds: changing it means visiting everybody who trusts it.
	authorityTTL = 10 * 365 * 24 * time.Hour
	// listTTL is how long a list holds. What is older lets nobody in, so it is longer than the time between two renewals,
	// each of which signs a new list.
	listTTL = 30 * 24 * time.Hour
	// minTTL keeps a certificate from being over before it has arrived.
	minTTL = time.Minute
	// skew is how far back a certificate begins: the clocks of those who check it differ by minutes.
	skew = 5 * time.Minute
	// serialBits are random bits of a serial number: with 2^32 certificates two are equal with a chance of 2^-65.
	serialBits = 128
	// minRSA is the smallest RSA key of an authority that is taken over.
	minRSA = 2048
	// maxPEM bounds a file of the directory that holds one object, in bytes.
	maxPEM = 64 << 10
)

// Algorithm is a kind of key.
type Algorithm string

// The kinds of keys that are made. P-256 is understood by all peers, Ed25519 not by browsers.
const (
	P256    Algorithm = "p256"
	Ed25519 Algorithm = "ed25519"
)

// ErrExists refuses to write over an authority or over a certificate that holds.
var ErrExists = errors.New("pki: it is there already")

// ErrNone says that there is no such authority or certificate.
var ErrNone = errors.New("pki: there is none")

// Settings say where an authority is and what it needs to work.
type Settings struct {
	Dir string
	// Passphrase gives that of the authority's key; nil where there is none. Asked only when the key is used.
	Passphrase func() ([]byte, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	disk disk
}

// An Authority is one that exists. It holds no file open and no key in memory: every call reads what it needs, so that
// several processes may use one directory. Safe from any goroutine.
type Authority struct {
	settings    Settings
	certificate *x509.Certificate
}

// A Plan says what authority to make.
type Plan struct {
	// Name is its common name: for people, nobody is trusted by it.
	Name string
	// Algorithm is of its key; empty means P256.
	Algorithm Algorithm
	// Permit confines what it can certify: DNS names at and below each "dns:example.org", addresses in each
	// "ip:10.0.0.0/8", URIs of each host "uri:example.org". A kind that is not named is not confined.
	Permit []string
}

// Init makes an authority in a directory, which it makes too. One that is there already gives ErrExists.
func Init(s Settings, plan Plan) (*Authority, error) {
	shape := &x509.Certificate{
		Subject:               pkix.Name{CommonName: plan.Name},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if plan.Name == "" || len(plan.Name) > 64 { // RFC 5280, Appendix A: ub-common-name
		return nil, errors.New("pki: an authority's name has 1 to 64 characters")
	}
	if err := permit(shape, plan.Permit); err != nil {
		return nil, err
	}
	key, err := generate(plan.Algorithm)
	if err != nil {
		return nil, err
	}
	if shape.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	shape.NotBefore, shape.NotAfter = s.now().Add(-skew), s.now().Add(authorityTTL)
	der, err := x509.CreateCertificate(rand.Reader, shape, shape, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("pki: signing the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: parsing our certificate: %w", err)
	}
	return s.found(cert, key, &index{}, big.NewInt(1))
}

// found writes a new authority's files. The certificate comes last: it is what makes the directory one.
func (s Settings) found(cert *x509.Certificate, key crypto.Signer, ix *index, number *big.Int) (*Authority, error) {
	if err := os.MkdirAll(s.path(issuedDir), 0o700); err != nil {
		return nil, fmt.Errorf("pki: making the directory: %w", err)
	}
	unlock, err := lock(s.path(lockFile))
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, name := range []string{CertificateFile, KeyFile, indexFile} {
		if _, err := os.Lstat(s.path(name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s", ErrExists, s.path(name))
		}
	}
	text, err := s.sealKey(key)
	if err != nil {
		return nil, err
	}
	a := &Authority{settings: s, certificate: cert}
	if err := s.disk.write(s.path(KeyFile), text, 0o600); err != nil {
		return nil, err
	}
	if err := s.disk.write(s.path(numberFile), fmt.Appendf(nil, "%s\n", hexSerial(number)), 0o644); err != nil {
		return nil, err
	}
	if err := s.disk.write(s.path(attributesFile), []byte("unique_subject = no\n"), 0o644); err != nil {
		return nil, err
	}
	if err := a.saveIndex(ix); err != nil {
		return nil, err
	}
	if err := a.signList(ix, key); err != nil {
		return nil, err
	}
	if err := s.disk.write(s.path(CertificateFile), encode(pemCertificate, cert.Raw), 0o644); err != nil {
		return nil, err
	}
	return a, nil
}

// Open gives the authority of a directory; ErrNone where there is none.
func Open(s Settings) (*Authority, error) {
	cert, err := readCertificate(s.path(CertificateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no authority in %s", ErrNone, s.Dir)
	}
	if err != nil {
		return nil, err
	}
	return &Authority{settings: s, certificate: cert}, nil
}

// Certificate gives the authority's own. It is no secret.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// Path gives the path of a file in the authority's directory.
func (a *Authority) Path(name string) string { return a.settings.path(name) }

func (s Settings) path(name string) string { return filepath.Join(s.Dir, name) }

func (s Settings) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// key opens the authority's private key.
func (a *Authority) key() (crypto.Signer, error) {
	text, err := readPrivate(a.Path(KeyFile))
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(text, a.settings.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Path(KeyFile), err)
	}
	if !belongs(key, a.certificate) {
		return nil, fmt.Errorf("pki: %s is not the key of %s", a.Path(KeyFile), a.Path(CertificateFile))
	}
	return key, nil
}

// sealKey encodes the authority's key, under its passphrase if it has one.
func (s Settings) sealKey(key crypto.Signer) ([]byte, error) {
	if s.Passphrase == nil {
		return MarshalKey(key, nil)
	}
	passphrase, err := s.Passphrase()
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, errors.New("pki: an empty passphrase")
	}
	return MarshalKey(key, passphrase)
}

func generate(kind Algorithm) (crypto.Signer, error) {
	switch kind {
	case P256, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("pki: %q is no kind of key: want p256 or ed25519", kind)
}

// belongs reports whether the certificate is for the key.
func belongs(key crypto.Signer, cert *x509.Certificate) bool {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	return err == nil && bytes.Equal(spki, cert.RawSubjectPublicKeyInfo)
}

func newSerial() (*big.Int, error) {
	for {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
		if err != nil {
			return nil, fmt.Errorf("pki: making a serial number: %w", err)
		}
		if n.Sign() > 0 { // RFC 5280, Section 4.1.2.2
			return n, nil
		}
	}
}

// permit adds name constraints (RFC 5280, Section 4.2.1.10), critical as they have to be.
func permit(shape *x509.Certificate, permitted []string) error {
	for _, text := range permitted {
		kind, value, _ := strings.Cut(text, ":")
		switch {
		case kind == "ip":
			_, block, err := net.ParseCIDR(value)
			if err != nil {
				return fmt.Errorf("pki: %q is no range of addresses: want ip:10.0.0.0/8", text)
			}
			shape.PermittedIPRanges = append(shape.PermittedIPRanges, block)
		case kind == "dns" && isHost(value):
			shape.PermittedDNSDomains = append(shape.PermittedDNSDomains, value)
		case kind == "uri" && isHost(value):
			shape.PermittedURIDomains = append(shape.PermittedURIDomains, value)
		default:
			return fmt.Errorf("pki: %q permits nothing: want dns:example.org, ip:10.0.0.0/8 or uri:example.org", text)
		}
		shape.PermittedDNSDomainsCritical = true // of all kinds
	}
	return nil
}

func isHost(s string) bool {
	return s != "" && len(s) < 254 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// weak says why a key is not good enough for an authority, or "".
func weak(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return fmt.Sprintf("an RSA key of %d bits, at least %d", key.N.BitLen(), minRSA)
		}
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize < 256 {
			return "an ECDSA key of less than 256 bits"
		}
	case ed25519.PublicKey:
	default:
		return fmt.Sprintf("a key of the kind %T", public)
	}
	return ""
}

const (
	pemCertificate = "CERTIFICATE"
	pemList        = "X509 CRL"
)

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// readCertificate reads the first certificate of a PEM file. `openssl ca` writes a description in front of it.
func readCertificate(path string) (*x509.Certificate, error) {
	text, err := read(path, maxPEM)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemCertificate {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("pki: %s does not parse: %v", path, err)
		}
		return cert, nil
	}
	return nil, fmt.Errorf("pki: %s holds no certificate", path)
}
