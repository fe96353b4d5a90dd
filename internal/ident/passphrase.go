package ident

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// SaltSize is the size in bytes of the salt of a passphrase: random, per account,
// kept by the server and given to whoever asks for the handle.
const SaltSize = 16

// The cost of a passphrase, and what a server may make of it. The parameters come
// from the server at sign-in: were it to ask for less, guessing would be cheap
// for it; were it to ask for more, it could stall or crash the client.
const (
	minMemoryKiB = 64 << 10  // RFC 9106, Section 4, second recommendation
	maxMemoryKiB = 256 << 10 // fits a browser's worker
	minPasses    = 3
	maxPasses    = 10
	maxLanes     = 4
)

// ErrParams is wrapped when the parameters of a passphrase are out of bounds.
var ErrParams = errors.New("ident: passphrase parameters out of bounds")

// PassphraseParams are the cost of Argon2id (RFC 9106).
type PassphraseParams struct {
	MemoryKiB uint32 // 65,536 to 262,144
	Passes    uint32 // 3 to 10
	Lanes     uint8  // 1 to 4
}

// DefaultPassphraseParams are 64 MiB, 3 passes, 1 lane: about 0.1 s natively.
func DefaultPassphraseParams() PassphraseParams {
	return PassphraseParams{MemoryKiB: minMemoryKiB, Passes: minPasses, Lanes: 1}
}

// Check says which parameter is out of bounds, or nil.
func (p PassphraseParams) Check() error {
	if p.MemoryKiB < minMemoryKiB || p.Passes < minPasses {
		return fmt.Errorf("%w: %d KiB and %d passes are too weak", ErrParams, p.MemoryKiB, p.Passes)
	}
	return p.checkCeiling()
}

func (p PassphraseParams) checkCeiling() error {
	if p.MemoryKiB > maxMemoryKiB || p.Passes > maxPasses || p.Lanes > maxLanes {
		return fmt.Errorf("%w: %d KiB, %d passes and %d lanes are too much", ErrParams, p.MemoryKiB, p.Passes, p.Lanes)
	}
	if p.Lanes < 1 || p.Passes < 1 || p.MemoryKiB < 8*uint32(p.Lanes) {
		return fmt.Errorf("%w: %d KiB, %d passes and %d lanes are not possible", ErrParams, p.MemoryKiB, p.Passes, p.Lanes)
	}
	return nil
}

// AuthKey proves the passphrase to the server, which stores HashAuthKey of it. 32
// bytes; prints as "secret".
type AuthKey struct {
	hidden
	key held[[32]byte]
}

// WrapKey opens the vault and never leaves the client. 32 bytes; prints as
// "secret".
type WrapKey struct {
	hidden
	key held[[32]byte]
}

// Secret gives the 32 bytes that go to the server at sign-in.
func (k AuthKey) Secret() []byte { return append([]byte(nil), k.key()[:]...) }

// AuthKeyFromSecret reads the 32 bytes that Secret gave.
func AuthKeyFromSecret(b []byte) (AuthKey, error) {
	key, err := hold32("auth key", b)
	return AuthKey{key: key}, err
}

// DerivePassphraseKeys stretches a passphrase with Argon2id to 64 bytes: the auth
// key, then the wrap key. Neither tells anything of the other. It takes about 0.1 s
// of one core and the parameters' memory; the error wraps ErrParams, or salt has
// not SaltSize bytes.
//
// The passphrase is normalised first: white space around it is cut and any run of
// it inside becomes one space. Case and everything else count, and so does the
// Unicode form: a letter with an accent may be typed in two forms that look alike.
//
// A passphrase is good for one server. One that is used on two lets each ask for
// the other's salt, and so for the key that signs in there.
func DerivePassphraseKeys(passphrase string, salt []byte, p PassphraseParams) (AuthKey, WrapKey, error) {
	if err := p.Check(); err != nil {
		return AuthKey{}, WrapKey{}, err
	}
	return DerivePassphraseKeysInsecure(passphrase, salt, p)
}

// DerivePassphraseKeysInsecure is DerivePassphraseKeys without the lower bounds,
// so that simulations of a thousand accounts can sign in. A test sees to it that
// nothing but tests and the test kit calls it.
func DerivePassphraseKeysInsecure(passphrase string, salt []byte, p PassphraseParams) (AuthKey, WrapKey, error) {
	if err := p.checkCeiling(); err != nil {
		return AuthKey{}, WrapKey{}, err
	}
	if len(salt) != SaltSize {
		return AuthKey{}, WrapKey{}, fmt.Errorf("ident: salt must have %d bytes, not %d", SaltSize, len(salt))
	}
	b := argon2.IDKey([]byte(normalise(passphrase)), salt, p.Passes, p.MemoryKiB, p.Lanes, 64)
	return AuthKey{key: hold((*[32]byte)(b[:32]))}, WrapKey{key: hold((*[32]byte)(b[32:]))}, nil
}

// EstimateStretch gives about how long DerivePassphraseKeys will take, for people who
// wait: it measures a 24th of the default work by the clock. 0 is a clock that stands
// still, or parameters that nobody will stretch with.
func EstimateStretch(now func() time.Time, p PassphraseParams) time.Duration {
	if p.checkCeiling() != nil {
		return 0
	}
	const part = 8 // of the memory
	began := now()
	argon2.IDKey([]byte("estimate"), make([]byte, SaltSize), 1, max(p.MemoryKiB/part, 8*uint32(p.Lanes)), p.Lanes, 64)
	return now().Sub(began) * part * time.Duration(p.Passes)
}

// normalise cuts and collapses white space.
func normalise(passphrase string) string { return strings.Join(strings.Fields(passphrase), " ") }
