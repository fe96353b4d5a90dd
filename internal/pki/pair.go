package pki

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// maxKeys is how many keys a file of one pair may hold: each writing of a pair that was killed leaves one more where
// nobody can tell which of them is the certificate's, because they are under a passphrase.
const maxKeys = 8

// writePair puts a key and its certificate in the place of others. Two files cannot be replaced at once, so meanwhile the
// key's holds both keys: whoever reads a pair takes the key that is the certificate's (mtls.LoadCertificate), so that it
// finds one at every moment, and after a crash at any. The old key is the first, for those who read no further.
func (a *Authority) writePair(issued *Issued, key []byte) error {
	old, err := a.keysUntilNow(issued)
	if err != nil {
		return err
	}
	if err := a.settings.disk.write(issued.KeyPath, append(old, key...), 0o600); err != nil {
		return err
	}
	if err := a.writeCertificate(issued); err != nil || len(old) == 0 {
		return err
	}
	return a.settings.disk.write(issued.KeyPath, key, 0o600)
}

func (a *Authority) writeCertificate(issued *Issued) error {
	return a.settings.disk.write(issued.CertificatePath, encode(pemCertificate, issued.Certificate.Raw), 0o644)
}

// keysUntilNow gives the key of the certificate that lies there, or those of which one may be it; none where there is no
// pair yet.
func (a *Authority) keysUntilNow(issued *Issued) ([]byte, error) {
	cert, noPair := readCertificate(issued.CertificatePath)
	text, err := read(issued.KeyPath, maxPEM)
	if err = errors.Join(noPair, err); err != nil {
		var unreadable *fs.PathError
		if errors.As(err, &unreadable) && !errors.Is(unreadable, fs.ErrNotExist) {
			return nil, err
		}
		return nil, nil // one is not there, or is none
	}
	var keys [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, pemKey) {
			continue
		}
		one := pem.EncodeToMemory(block)
		key, err := ParseKey(one, nil)
		if err == nil && belongs(key, cert) {
			return one, nil
		}
		if err != nil { // it is under a passphrase
			keys = append(keys, one)
		}
	}
	if len(keys) >= maxKeys {
		return nil, fmt.Errorf("pki: %s holds %d keys: leave the one of %s in it", issued.KeyPath, len(keys), issued.CertificatePath)
	}
	return bytes.Join(keys, nil), nil
}
