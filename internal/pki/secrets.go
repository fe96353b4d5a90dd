package pki

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// Secrets opens private keys that are under a passphrase, and keeps what it needs to open them again: for files that
// change, and for certificates that are renewed. Safe from any goroutine; nil knows no passphrase.
type Secrets struct {
	ask func(path string, authority bool) ([]byte, error)

	kept struct {
		sync.Mutex
		passphrases map[string][]byte  // by the file of the key
		keys        map[string]keptKey // likewise, without those of authorities
	}
}

// A keptKey is one whose file had this hash. Deriving the key from a passphrase takes a quarter of a second, which is
// too much for each of many at every change of a list.
type keptKey struct {
	hash [sha256.Size]byte
	key  crypto.Signer
}

// NewSecrets makes one that asks for a passphrase where it knows none that fits: that of the private key in the file at
// path, which is an authority's or else that of a certificate. ask is called by one goroutine at a time.
func NewSecrets(ask func(path string, authority bool) ([]byte, error)) *Secrets {
	s := &Secrets{ask: ask}
	s.kept.passphrases, s.kept.keys = make(map[string][]byte), make(map[string]keptKey)
	return s
}

// Format says "secret".
func (s *Secrets) Format(f fmt.State, _ rune) { io.WriteString(f, "secret") }

// LogValue says "secret".
func (s *Secrets) LogValue() slog.Value { return slog.StringValue("secret") }

// MarshalText says "secret".
func (s *Secrets) MarshalText() ([]byte, error) { return []byte("secret"), nil }

// Opener gives what reads the text of a private key in the file at path.
func (s *Secrets) Opener(path string, authority bool) func(text []byte) (crypto.Signer, error) {
	return func(text []byte) (crypto.Signer, error) {
		if s == nil {
			return ParseKey(text, nil)
		}
		s.kept.Lock()
		defer s.kept.Unlock()
		hash := sha256.Sum256(text)
		if known := s.kept.keys[path]; known.key != nil && known.hash == hash {
			return known.key, nil
		}
		_, asked := s.kept.passphrases[path]
		key, sealed, err := s.parse(text, path, authority)
		if asked && errors.Is(err, ErrPassphrase) { // the file was sealed anew
			key, sealed, err = s.parse(text, path, authority)
		}
		if sealed && !authority && err == nil {
			s.kept.keys[path] = keptKey{hash, key}
		}
		return key, err
	}
}

// parse forgets a passphrase that does not fit. The lock is held.
func (s *Secrets) parse(text []byte, path string, authority bool) (key crypto.Signer, sealed bool, err error) {
	key, err = ParseKey(text, func() ([]byte, error) {
		sealed = true
		return s.passphrase(path, authority)
	})
	if errors.Is(err, ErrPassphrase) {
		delete(s.kept.passphrases, path)
	}
	return key, sealed, err
}

// passphrase asks once for each file. The lock is held.
func (s *Secrets) passphrase(path string, authority bool) ([]byte, error) {
	if known := s.kept.passphrases[path]; known != nil {
		return known, nil
	}
	given, err := s.ask(path, authority)
	if err == nil {
		s.kept.passphrases[path] = given
	}
	return given, err
}

// Authority gives the passphrase of the authority's key at path to who renews by it; nil where there are no secrets.
func (s *Secrets) Authority(path string) func() ([]byte, error) {
	if s == nil {
		return nil
	}
	return func() ([]byte, error) {
		s.kept.Lock()
		defer s.kept.Unlock()
		return s.passphrase(path, true)
	}
}
