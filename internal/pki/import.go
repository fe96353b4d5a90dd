package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// An Import names the files of an authority that openssl, or somebody else, has made. They stay as they are.
type Import struct {
	Certificate, Key string
	// Passphrase gives that of Key; nil where there is none. The authority's own, in its Settings, may be another.
	Passphrase func() ([]byte, error)
	// Index and Number are the database and the crlnumber of `openssl ca`; empty where there are none. Without an index
	// nothing that was issued before can be revoked here but by its serial number, once it is in one.
	Index, Number string
}

// Take makes an authority in a directory of one that exists elsewhere. One that is there already gives ErrExists.
func Take(s Settings, from Import) (*Authority, error) {
	cert, err := readCertificate(from.Certificate)
	if err != nil {
		return nil, err
	}
	if reason := unfit(cert); reason != "" {
		return nil, fmt.Errorf("pki: %s cannot be an authority's: %s", from.Certificate, reason)
	}
	if !s.now().Before(cert.NotAfter) {
		return nil, fmt.Errorf("pki: the authority of %s has ended on %s", from.Certificate, formatTime(cert.NotAfter))
	}
	text, err := readPrivate(from.Key)
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(text, from.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from.Key, err)
	}
	if !belongs(key, cert) {
		return nil, fmt.Errorf("pki: %s is not the key of %s", from.Key, from.Certificate)
	}
	ix, number := &index{}, big.NewInt(1)
	if from.Index != "" {
		text, err := read(from.Index, maxIndex)
		if err != nil {
			return nil, err
		}
		if ix, err = parseIndex(text); err != nil {
			return nil, fmt.Errorf("%s: %w", from.Index, err)
		}
	}
	if from.Number != "" {
		if number, err = readNumber(from.Number); err != nil {
			return nil, err
		}
	}
	return s.found(cert, key, ix, number)
}

// unfit says why a certificate cannot be that of an authority of ours, or "".
func unfit(cert *x509.Certificate) string {
	switch {
	case cert.Version != 3 || !cert.BasicConstraintsValid || !cert.IsCA:
		return "its basic constraints do not say CA"
	case cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return "its key usage lacks keyCertSign"
	case cert.KeyUsage&x509.KeyUsageCRLSign == 0:
		return "its key usage lacks cRLSign, and who is revoked could not be told"
	}
	return weak(cert.PublicKey)
}

// readNumber reads a number in hex, as openssl keeps it: the next one to use.
func readNumber(path string) (*big.Int, error) {
	text, err := read(path, maxPEM)
	if err != nil {
		return nil, err
	}
	line := strings.TrimSpace(string(text))
	number, valid := new(big.Int).SetString(line, 16)
	if !valid || number.Sign() < 0 || len(line) > 38 { // RFC 5280, Section 5.2.3: 20 bytes
		return nil, errors.New("pki: " + path + " holds no number")
	}
	return number, nil
}
