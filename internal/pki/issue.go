package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"time"

	"snug/mtls"
)

// name is what a certificate may be called here: it is a file's name too.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// A Request says what certificate to issue.
type Request struct {
	// Name is what it is called here, and its common name: up to 63 of a-z, 0-9, dot, dash and underscore.
	Name string
	// Names are those that it is good for (dns, ip and uri). Without any it is the DNS name Name.
	Names []mtls.Name
	// Client and Server are what it is for; neither means both.
	Client, Server bool
	// TTL is how long it holds; zero means DefaultTTL. It ends with the authority at the latest.
	TTL time.Duration
	// Algorithm is of its key; empty means P256.
	Algorithm Algorithm
	// Passphrase seals the new private key; empty leaves it open to who can read the file.
	Passphrase []byte
}

// Issued is a certificate as it lies in the authority's directory.
type Issued struct {
	Certificate *x509.Certificate
	// CertificatePath and KeyPath are its files.
	CertificatePath, KeyPath string
}

// Issue makes a key and a certificate. A name whose last certificate still holds gives ErrExists: Renew is for that.
func (a *Authority) Issue(r Request) (*Issued, error) {
	if !name.MatchString(r.Name) {
		return nil, fmt.Errorf("pki: %q is no name for a certificate: up to 63 of a-z, 0-9, dot, dash and underscore", r.Name)
	}
	shape, err := r.shape()
	if err != nil {
		return nil, err
	}
	key, err := generate(r.Algorithm)
	if err != nil {
		return nil, err
	}
	sealed, err := MarshalKey(key, r.Passphrase)
	if err != nil {
		return nil, err
	}
	ttl := r.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	free := func(ix *index) error {
		for _, e := range ix.named(r.Name) {
			if e.StateAt(a.settings.now()) == Valid {
				return fmt.Errorf("%w: %s, until %s", ErrExists, r.Name, e.Expires.Format(time.RFC3339))
			}
		}
		return nil
	}
	return a.change(free, func(ix *index, authority crypto.Signer) (*Issued, error) {
		return a.issue(ix, authority, r.Name, shape, key.Public(), ttl, sealed)
	})
}

// change does something with the index and the key, alone, and signs a new list after it. check is asked first, so that
// nobody types a passphrase in vain, and again when it counts.
func (a *Authority) change(check func(*index) error, do func(ix *index, authority crypto.Signer) (*Issued, error)) (*Issued, error) {
	ix, err := a.loadIndex()
	if err == nil {
		err = check(ix)
	}
	if err != nil {
		return nil, err
	}
	authority, err := a.key() // first: a passphrase is slow on purpose
	if err != nil {
		return nil, err
	}
	var unlock func()
	err = a.settings.disk.do("lock", func() error {
		unlock, err = lock(a.Path(lockFile))
		return err
	})
	if err != nil {
		return nil, err
	}
	defer unlock()
	a.tidy()
	if ix, err = a.loadIndex(); err == nil {
		err = check(ix)
	}
	if err != nil {
		return nil, err
	}
	issued, err := do(ix, authority)
	if err != nil {
		return nil, err
	}
	return issued, a.signList(ix, authority)
}

// issue signs a certificate for a key and writes both; sealed is the key's text, nil where its file stays as it is. The
// entry is on the disk before the certificate, which could not be revoked else.
func (a *Authority) issue(ix *index, authority crypto.Signer, name string, shape *x509.Certificate, public crypto.PublicKey, ttl time.Duration, sealed []byte) (*Issued, error) {
	if err := a.date(shape, ttl); err != nil {
		return nil, err
	}
	var err error
	if shape.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	cert, err := a.sign(shape, public, authority)
	if err != nil {
		return nil, err
	}
	if err := ix.add(shape.SerialNumber, name, shape.NotAfter); err != nil {
		return nil, err
	}
	if err := a.saveIndex(ix); err != nil {
		return nil, err
	}
	issued := a.issued(name)
	issued.Certificate = cert
	if sealed != nil {
		return issued, a.writePair(issued, sealed)
	}
	return issued, a.writeCertificate(issued)
}

func (a *Authority) issued(name string) *Issued {
	path := filepath.Join(a.Path(issuedDir), name)
	return &Issued{CertificatePath: path + ".pem", KeyPath: path + ".key"}
}

// date sets when the certificate begins and ends.
func (a *Authority) date(shape *x509.Certificate, ttl time.Duration) error {
	now := a.settings.now()
	if ttl < minTTL {
		return fmt.Errorf("pki: a certificate of %s, at least %s", ttl, minTTL)
	}
	if !now.Before(a.certificate.NotAfter) {
		return fmt.Errorf("pki: the authority has ended on %s", a.certificate.NotAfter.Format(time.RFC3339))
	}
	shape.NotBefore, shape.NotAfter = now.Add(-skew).UTC().Truncate(time.Second), now.Add(ttl).UTC().Truncate(time.Second)
	if shape.NotBefore.Before(a.certificate.NotBefore) {
		shape.NotBefore = a.certificate.NotBefore
	}
	if shape.NotAfter.After(a.certificate.NotAfter) {
		shape.NotAfter = a.certificate.NotAfter
	}
	return nil
}

// sign signs, and hands out nothing that would be refused.
func (a *Authority) sign(shape *x509.Certificate, public crypto.PublicKey, authority crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, shape, a.certificate, public, authority)
	if err != nil {
		return nil, fmt.Errorf("pki: signing: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: parsing our certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: a.settings.now(), KeyUsages: shape.ExtKeyUsage}); err != nil {
		return nil, fmt.Errorf("pki: the authority may not certify that: %v", err)
	}
	return cert, nil
}

// shape is the certificate as far as the request says it (RFC 5280, Section 4.2).
func (r *Request) shape() (*x509.Certificate, error) {
	shape := &x509.Certificate{
		Subject:               pkix.Name{CommonName: r.Name},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if r.Server || !r.Client {
		shape.ExtKeyUsage = append(shape.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client || !r.Server {
		shape.ExtKeyUsage = append(shape.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	names := r.Names
	if len(names) == 0 {
		own, err := mtls.ParseName("dns:" + r.Name)
		if err != nil {
			return nil, fmt.Errorf("pki: %q is no DNS name, so what is the certificate good for?", r.Name)
		}
		names = []mtls.Name{own}
	}
	for _, n := range names {
		switch n.Kind() {
		case "dns":
			shape.DNSNames = append(shape.DNSNames, n.Value())
		case "ip":
			shape.IPAddresses = append(shape.IPAddresses, net.ParseIP(n.Value()))
		case "uri":
			uri, err := url.Parse(n.Value())
			if err != nil {
				return nil, fmt.Errorf("pki: %q is no URI", n.Value())
			}
			shape.URIs = append(shape.URIs, uri)
		default:
			return nil, fmt.Errorf("pki: %q: the common name is the certificate's own name", n)
		}
	}
	return shape, nil
}

// Show gives the certificate that lies under a name; ErrNone where there is none.
func (a *Authority) Show(of string) (*Issued, error) {
	if !name.MatchString(of) {
		return nil, fmt.Errorf("%w: no certificate %q", ErrNone, of)
	}
	issued := a.issued(of)
	cert, err := readCertificate(issued.CertificatePath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no certificate %q", ErrNone, of)
	}
	issued.Certificate = cert
	return issued, err
}

// List gives all that was issued, in that order.
func (a *Authority) List() ([]*Entry, error) {
	ix, err := a.loadIndex()
	if err != nil {
		return nil, err
	}
	return ix.entries, nil
}

// StateOf gives what has become of a certificate.
func (a *Authority) StateOf(issued *Issued) (State, error) {
	ix, err := a.loadIndex()
	if err != nil {
		return "", err
	}
	for _, e := range ix.entries {
		if e.Serial.Cmp(issued.Certificate.SerialNumber) == 0 {
			return e.StateAt(a.settings.now()), nil
		}
	}
	return "", fmt.Errorf("%w: the certificate %s is not in the index", ErrNone, hexSerial(issued.Certificate.SerialNumber))
}
