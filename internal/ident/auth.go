package ident

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
)

// The cost of the stored hash: 19 MiB and 2 passes, about 20 ms. An auth key comes
// out of Argon2id already, so a thief of the server's database pays 64 MiB and 3
// passes for every guess anyway; this second hash makes the stolen value itself
// useless for signing in, and needs no more than what OWASP asks of a server.
const (
	authMemoryKiB = 19 << 10
	authPasses    = 2
	authLanes     = 1

	storedVersion = 1
	// StoredAuthSize is the size of a stored hash in bytes: version, salt, hash.
	StoredAuthSize = 1 + SaltSize + 32
)

// ServerSecret is 32 random bytes that a server keeps, for answers about handles
// that nobody has. It prints as "secret".
type ServerSecret struct {
	hidden
	key held[[32]byte]
}

// ServerSecretFromBytes reads the 32 bytes that the server keeps.
func ServerSecretFromBytes(b []byte) (ServerSecret, error) {
	key, err := hold32("server secret", b)
	return ServerSecret{key: key}, err
}

// HashAuthKey gives what the server stores, StoredAuthSize bytes. rand gives the
// salt, 16 bytes. It takes about 20 ms of one core and 19 MiB: the caller limits
// how many run at once.
func HashAuthKey(rand io.Reader, key AuthKey) ([]byte, error) {
	b := make([]byte, 1+SaltSize, StoredAuthSize)
	b[0] = storedVersion
	if _, err := io.ReadFull(rand, b[1:]); err != nil {
		return nil, fmt.Errorf("ident: making salt: %w", err)
	}
	return append(b, hashAuth(key, b[1:])...), nil
}

// VerifyAuthKey reports whether key is the one whose hash is stored, in as much
// time as HashAuthKey takes, whatever the answer.
func VerifyAuthKey(stored []byte, key AuthKey) bool {
	if len(stored) != StoredAuthSize || stored[0] != storedVersion {
		return false
	}
	salt, hash := stored[1:1+SaltSize], stored[1+SaltSize:]
	return subtle.ConstantTimeCompare(hash, hashAuth(key, salt)) == 1
}

// FakeSalt gives the salt to show for a handle that nobody has: always the same
// one, and like any other to who does not know the secret.
func FakeSalt(secret ServerSecret, handle Handle) [SaltSize]byte {
	return [SaltSize]byte(mac(secret, labelFakeSalt, handle))
}

// FakeAuth gives a stored hash to verify against for a handle that nobody has, so
// that the answer takes as long. No key matches it but by a chance of 2^-256.
func FakeAuth(secret ServerSecret, handle Handle) []byte {
	salt := FakeSalt(secret, handle)
	b := append([]byte{storedVersion}, salt[:]...)
	return append(b, mac(secret, labelFakeAuth, handle)...)
}

func hashAuth(key AuthKey, salt []byte) []byte {
	return argon2.IDKey(key.key()[:], salt, authPasses, authMemoryKiB, authLanes, 32)
}

func mac(secret ServerSecret, label string, handle Handle) []byte {
	h := hmac.New(sha256.New, secret.key()[:])
	h.Write([]byte(label))
	h.Write([]byte(handle))
	return h.Sum(nil)
}
