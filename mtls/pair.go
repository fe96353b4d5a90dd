package mtls

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	// maxKeys bounds the keys of a file that are tried: one under a passphrase takes
	// a quarter of a second.
	maxKeys = 8
	// pairTries is how often a pair is read that changes meanwhile: it changes once
	// in days.
	pairTries = 3
)

// A keyPair is the files of a certificate and its key as they were read.
type keyPair struct {
	certificates, key []byte
	id                *Identity
}

// readPair reads a certificate and its key. Two files cannot be replaced at once, so
// that a reader may have one of before and one of after: where they do not fit and
// the certificate has changed since, both are read again.
func readPair(certificatePath, keyPath string, open func([]byte) (crypto.Signer, error)) (p keyPair, err error) {
	p.certificates, err = readFile(certificatePath, maxCertificates)
	for try := 1; err == nil; try++ {
		if p.key, err = readPrivate(keyPath); err != nil {
			return p, fmt.Errorf("mtls: loading private key: %w", err)
		}
		if p.id, err = parsePair(p.certificates, p.key, open); err == nil {
			return p, nil
		}
		err = fmt.Errorf("mtls: loading %s and %s: %w", certificatePath, keyPath, err)
		now, unreadable := readFile(certificatePath, maxCertificates)
		if try == pairTries || !errors.Is(err, ErrMismatch) || unreadable != nil || bytes.Equal(now, p.certificates) {
			return p, err
		}
		p.certificates, err = now, nil
	}
	return p, fmt.Errorf("mtls: loading certificate: %w", err)
}

// parsePair makes an identity of what two files hold.
func parsePair(certificates, key []byte, open func([]byte) (crypto.Signer, error)) (*Identity, error) {
	chain, err := ParseCertificates(certificates)
	if err != nil {
		return nil, err
	}
	signer, err := keyOf(chain[0], key, open)
	if err != nil {
		return nil, err
	}
	return FromCertificate(chain, signer)
}

// keyOf opens the private key of a PEM text that is the certificate's. There is one
// in it as a rule, and more while another pair takes the place of this one, or
// after a crash in the middle of that. Where none fits the first that opens is
// given.
func keyOf(cert *x509.Certificate, text []byte, open func([]byte) (crypto.Signer, error)) (crypto.Signer, error) {
	keys := privateKeys(text)
	if len(keys) < 2 {
		return open(text)
	}
	var other crypto.Signer
	var failed error
	for _, one := range keys[:min(len(keys), maxKeys)] {
		key, err := open(one)
		switch {
		case err != nil && failed == nil:
			failed = err
		case err != nil:
		case belongs([]*x509.Certificate{cert}, key.Public()) == nil:
			return key, nil
		case other == nil:
			other = key
		}
	}
	if other != nil {
		return other, nil
	}
	return nil, failed
}

// privateKeys gives the private keys of a PEM text of 16 KiB at most, each as a text
// of its own.
func privateKeys(text []byte) (keys [][]byte) {
	if len(text) > maxFile {
		return nil // which whoever opens it says
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, pemKey) {
			keys = append(keys, pem.EncodeToMemory(block))
		}
	}
	return keys
}
