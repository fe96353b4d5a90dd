package ident

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
)

// PublicKey is an Ed25519 public key (RFC 8032). Comparable with ==.
type PublicKey [ed25519.PublicKeySize]byte

// SeedSize is the size of a key's Secret in bytes.
const SeedSize = ed25519.SeedSize

// SignatureSize is the size of every signature in bytes.
const SignatureSize = ed25519.SignatureSize

// ErrSignature is what every failed check of a signature says, whatever the cause.
var ErrSignature = errors.New("ident: signature does not verify")

// maxContext bounds the label of a signature; its length is one byte.
const maxContext = 64

// DeviceKey is the signature key of one device. It is made on the device and
// never leaves it. It signs logins, open-room entries, MLS and the device's TLS
// handshakes. The zero DeviceKey is no key and panics when it should sign. It is
// safe from any goroutine, copies share one key, and it prints as "secret".
type DeviceKey struct {
	hidden
	key held[signingKey]
}

// IdentityKey is the key of an account: it signs the account's chain and nothing
// else, and rests in the vault. Otherwise it is like a DeviceKey.
type IdentityKey struct {
	hidden
	key held[signingKey]
}

// signingKey is always held: see hidden.
type signingKey struct {
	private ed25519.PrivateKey
}

// Random is the operating system's (or the browser's) generator, for whoever
// wires the program: everything here takes its randomness as an argument.
func Random() io.Reader { return rand.Reader }

// NewDeviceKey makes a key from 32 bytes of rand.
func NewDeviceKey(rand io.Reader) (DeviceKey, error) {
	key, err := newSigningKey("device key", rand)
	return DeviceKey{key: key}, err
}

// NewIdentityKey makes a key from 32 bytes of rand; NewAccount calls it.
func NewIdentityKey(rand io.Reader) (IdentityKey, error) {
	key, err := newSigningKey("identity key", rand)
	return IdentityKey{key: key}, err
}

// DeviceKeyFromSecret reads the 32 bytes that Secret gave.
func DeviceKeyFromSecret(secret []byte) (DeviceKey, error) {
	key, err := signingKeyFromSeed("device key", secret)
	return DeviceKey{key: key}, err
}

// IdentityKeyFromSecret reads the 32 bytes that Secret gave.
func IdentityKeyFromSecret(secret []byte) (IdentityKey, error) {
	key, err := signingKeyFromSeed("identity key", secret)
	return IdentityKey{key: key}, err
}

// Secret gives the private key, 32 bytes, to be sealed and stored.
func (k DeviceKey) Secret() []byte { return k.key().private.Seed() }

// Secret gives the private key, 32 bytes, to be sealed into a vault.
func (k IdentityKey) Secret() []byte { return k.key().private.Seed() }

// Public gives the public key.
func (k DeviceKey) Public() PublicKey { return k.key().public() }

// Public gives the public key.
func (k IdentityKey) Public() PublicKey { return k.key().public() }

// IsZero reports whether k is no key.
func (k DeviceKey) IsZero() bool { return k.key == nil }

// IsZero reports whether k is no key.
func (k IdentityKey) IsZero() bool { return k.key == nil }

// Sign signs msg for one purpose, which context names: a constant that begins
// with "snug ", at most 64 bytes; anything else is a mistake in the program and
// panics. PublicKey.Verify with the same context checks it.
func (k DeviceKey) Sign(context string, msg []byte) []byte { return k.key().sign(context, msg) }

// Sign is like DeviceKey.Sign.
func (k IdentityKey) Sign(context string, msg []byte) []byte { return k.key().sign(context, msg) }

// Signer gives the key to TLS and MLS, which have a domain separation of their
// own. Its Public is an ed25519.PublicKey, its Sign takes the message itself and
// the zero crypto.Hash. It prints as "secret".
func (k DeviceKey) Signer() crypto.Signer { return deviceSigner{key: k.key} }

type deviceSigner struct {
	hidden
	key held[signingKey]
}

func (s deviceSigner) Public() crypto.PublicKey { return s.key().private.Public() }

func (s deviceSigner) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	// A nil reader: Ed25519 signatures are deterministic.
	return s.key().private.Sign(nil, message, opts)
}

// PublicKeyFromBytes reads the 32 bytes that Bytes gives.
func PublicKeyFromBytes(b []byte) (PublicKey, error) {
	if len(b) != len(PublicKey{}) {
		return PublicKey{}, fmt.Errorf("ident: public key must have %d bytes, not %d", len(PublicKey{}), len(b))
	}
	return PublicKey(b), nil
}

// Bytes gives a copy of the 32 bytes.
func (p PublicKey) Bytes() []byte { return append([]byte(nil), p[:]...) }

// IsZero reports whether the key was never set.
func (p PublicKey) IsZero() bool { return p == PublicKey{} }

// String gives 52 characters of lower-case base32.
func (p PublicKey) String() string { return text.EncodeToString(p[:]) }

// Verify checks what Sign made with the same context; the only error is
// ErrSignature. Under a key of small order, such as the zero PublicKey, nothing
// verifies.
func (p PublicKey) Verify(context string, msg, signature []byte) error {
	if p.smallOrder() || !ed25519.Verify(p[:], signedText(context, msg), signature) {
		return ErrSignature
	}
	return nil
}

// smallOrder finds the keys under which anybody can make signatures that
// crypto/ed25519 accepts: the points whose order divides the cofactor 8, in every
// encoding that it reads. Nobody has such a key by accident, except the zero one.
func (p PublicKey) smallOrder() bool {
	p[31] &= 0x7f // the sign of x
	for _, low := range smallOrders {
		if p == low {
			return true
		}
	}
	return false
}

// smallOrders are y = 0, 1, -1, the two y of order 8, and p and p+1, which are 0
// and 1 again.
var smallOrders = [...]PublicKey{
	{},
	{1},
	{
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{
		0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{
		0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
}

func newSigningKey(noun string, rand io.Reader) (held[signingKey], error) {
	var seed [SeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, fmt.Errorf("ident: making %s: %w", noun, err)
	}
	return signingKeyFromSeed(noun, seed[:])
}

func signingKeyFromSeed(noun string, seed []byte) (held[signingKey], error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("ident: %s must have %d bytes, not %d", noun, SeedSize, len(seed))
	}
	return hold(&signingKey{private: ed25519.NewKeyFromSeed(seed)}), nil
}

func (k *signingKey) public() PublicKey {
	return PublicKey(k.private.Public().(ed25519.PublicKey))
}

func (k *signingKey) sign(context string, msg []byte) []byte {
	return ed25519.Sign(k.private, signedText(context, msg))
}

// signedText puts the context before the message: see labels.go.
func signedText(context string, msg []byte) []byte {
	if len(context) > maxContext || !strings.HasPrefix(context, "snug ") {
		panic("ident: internal error: signature context " + context)
	}
	b := make([]byte, 0, 1+len(context)+len(msg))
	b = append(b, byte(len(context)))
	b = append(b, context...)
	return append(b, msg...)
}
