package mtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	pemKey         = "PRIVATE KEY" // PKCS #8
	pemCertificate = "CERTIFICATE"
	// maxFile bounds an identity's file in bytes: key and certificate of P-256
	// are under 1 KiB in PEM; a file of another kind is noticed here.
	maxFile = 16 << 10
)

// Load reads the identity that Save wrote, or the first "PRIVATE KEY" of any PEM
// file; certificates beside it are ignored. It refuses a file that others than its
// owner can read (not on Windows, where the mode does not tell).
func Load(path string) (*Identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("mtls: loading identity: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("mtls: loading identity: %s has mode %04o and must be 0600", path, mode)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("mtls: loading identity: %s has %d bytes, at most %d", path, info.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("mtls: loading identity: %w", err)
	}
	id, err := parsePEM(b)
	if err != nil {
		return nil, fmt.Errorf("mtls: loading identity: %s: %w", path, err)
	}
	return id, nil
}

// Save writes the identity to a new file in PEM, mode 0600: the key as PKCS #8,
// then the certificate. The file is there whole or not at all. One that exists is
// never replaced: the error then is fs.ErrExist. A key that lies elsewhere, behind
// a crypto.Signer, cannot be saved.
func (id *Identity) Save(path string) error {
	b, err := id.marshalPEM()
	if err != nil {
		return fmt.Errorf("mtls: saving identity: %w", err)
	}
	if err := writeNew(path, b); err != nil {
		return fmt.Errorf("mtls: saving identity: %w", err)
	}
	return nil
}

// LoadOrGenerate loads the identity at path, or makes one with generate and saves
// it there if there is none. generate is Generate or GenerateP256.
func LoadOrGenerate(path string, generate func() (*Identity, error)) (*Identity, error) {
	id, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if id, err = generate(); err != nil {
		return nil, err
	}
	if err := id.Save(path); errors.Is(err, fs.ErrExist) {
		return Load(path) // somebody was faster
	} else if err != nil {
		return nil, err
	}
	return id, nil
}

func parsePEM(b []byte) (*Identity, error) {
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			return nil, errors.New(`no "PRIVATE KEY" in it`)
		}
		if block.Type == pemKey {
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, errors.New("the private key does not parse")
			}
			signer, ok := key.(crypto.Signer)
			if !ok {
				return nil, fmt.Errorf("a %T cannot sign", key)
			}
			return FromKey(signer)
		}
		b = rest
	}
}

func (id *Identity) marshalPEM() ([]byte, error) {
	if id.issued {
		return nil, errors.New("the certificate is an authority's, who has files of its own")
	}
	key := id.signer.reveal()
	switch key.(type) {
	case ed25519.PrivateKey, *ecdsa.PrivateKey:
	default:
		return nil, errors.New("the key lies elsewhere")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	b := pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})
	certificate := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: id.certificate.Certificate[0]})
	return append(b, certificate...), nil
}

// writeNew writes a file under another name, and gives it its own when it is on
// the disk. A hard link, unlike a rename, refuses to replace a file; where there
// are none, such as on FAT, we look first.
func writeNew(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// syncDir makes the new name durable. Windows cannot, and does not need to.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
