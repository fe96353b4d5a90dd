package ident

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrVault says that a vault did not open: a wrong passphrase, another account's
// vault, or a damaged one. Which of them, cryptography cannot tell.
var ErrVault = errors.New("ident: the passphrase is wrong or the vault is damaged")

const (
	vaultVersion = 1
	nonceSize    = 12
	tagSize      = 16
	// MaxRecovery bounds the recovery data of a vault in bytes.
	MaxRecovery = 48 << 10
	// MaxVault bounds a marshalled vault in bytes.
	MaxVault = 1 + idSize + 4 + sealedKeySize + 4 + minVaultBody + MaxRecovery

	// sealedKeySize is the vault key, sealed.
	sealedKeySize = nonceSize + 32 + tagSize
	// minVaultBody is a body without recovery data.
	minVaultBody = nonceSize + 1 + SeedSize + tagSize
	// contentsVersion is the first byte inside the body.
	contentsVersion = 1
)

// Vault is a sealed object that the server keeps for an account: a random vault
// key sealed under the wrap key, and the account's identity key and recovery data
// sealed under the vault key, both with AES-256-GCM and bound to the account, the
// format and the revision. It is not secret; it is as strong as the passphrase.
// It never changes: what changes a vault gives a new one of the next revision.
type Vault struct {
	account   AccountID
	revision  uint32
	sealedKey []byte // nonce, ciphertext, tag
	body      []byte // nonce, ciphertext, tag
}

// OpenedVault is what a vault holds. It prints as "secret".
type OpenedVault struct {
	hidden
	Key      VaultKey
	Identity IdentityKey
	recovery held[[]byte]
}

// Recovery gives the recovery data of the account's rooms, at most MaxRecovery
// bytes, not copied.
func (o *OpenedVault) Recovery() []byte { return *o.recovery() }

// VaultKey seals a vault's contents and outlives changes of the passphrase. 32
// bytes; prints as "secret".
type VaultKey struct {
	hidden
	key held[[32]byte]
}

// Secret gives the 32 bytes, to be sealed and stored on a device.
func (k VaultKey) Secret() []byte { return append([]byte(nil), k.key()[:]...) }

// VaultKeyFromSecret reads the 32 bytes that Secret gave.
func VaultKeyFromSecret(b []byte) (VaultKey, error) {
	key, err := hold32("vault key", b)
	return VaultKey{key: key}, err
}

// SealVault makes the first vault of an account, with a new vault key. rand gives
// 56 bytes; recovery has at most MaxRecovery bytes and may be nil.
func SealVault(rand io.Reader, wrap WrapKey, account AccountID, identity IdentityKey, recovery []byte) (*Vault, error) {
	var key [32]byte
	if _, err := io.ReadFull(rand, key[:]); err != nil {
		return nil, fmt.Errorf("ident: making vault key: %w", err)
	}
	opened := &OpenedVault{Key: VaultKey{key: hold(&key)}, Identity: identity, recovery: hold(&recovery)}
	return sealVault(rand, wrap, account, 1, opened)
}

// OpenVault opens v, which must be account's. The error is ErrVault.
func OpenVault(v *Vault, account AccountID, wrap WrapKey) (*OpenedVault, error) {
	if v.account != account {
		return nil, ErrVault
	}
	key, err := open(wrap.key(), v.sealedKey, v.associated(labelVaultKey))
	if err != nil || len(key) != 32 {
		return nil, ErrVault
	}
	return openBody(v, VaultKey{key: hold((*[32]byte)(key))})
}

// OpenVaultWithKey opens v, which must be account's, with the vault key that a device
// keeps. The error is ErrVault.
func OpenVaultWithKey(v *Vault, account AccountID, key VaultKey) (*OpenedVault, error) {
	if v.account != account {
		return nil, ErrVault
	}
	return openBody(v, key)
}

// Rewrap gives the vault under another wrap key: a change of passphrase, for which a
// device needs the vault key and not the old passphrase. The vault key stays, so that
// what else is sealed under it stays readable; hence somebody who knew the old
// passphrase and kept the old vault still has that key, and the identity key. The
// error is ErrVault, that there are no more revisions, or rand's (which gives 24
// bytes).
func (v *Vault) Rewrap(rand io.Reader, key VaultKey, to WrapKey) (*Vault, error) {
	return v.RewrapAfter(rand, key, to, v.revision)
}

// RewrapAfter is Rewrap for a vault that takes the place of a later one, which is
// damaged: the new one's revision comes after that one's.
func (v *Vault) RewrapAfter(rand io.Reader, key VaultKey, to WrapKey, revision uint32) (*Vault, error) {
	opened, err := openBody(v, key)
	if err != nil {
		return nil, err
	}
	if revision == math.MaxUint32 {
		return nil, errors.New("ident: the vault has no more revisions")
	}
	return sealVault(rand, to, v.account, revision+1, opened)
}

// Account gives the account that the vault says it is of.
func (v *Vault) Account() AccountID { return v.account }

// Revision gives 1 for the first vault and grows by 1 with each change. The server
// replaces a vault only by the next revision.
func (v *Vault) Revision() uint32 { return v.revision }

// Marshal gives the encoding that ParseVault reads, at most MaxVault bytes.
func (v *Vault) Marshal() []byte {
	b := append([]byte{vaultVersion}, v.account[:]...)
	b = appendUint32(b, v.revision)
	b = append(b, v.sealedKey...)
	b = appendUint32(b, uint32(len(v.body)))
	return append(b, v.body...)
}

// ParseVault reads a vault, without opening it.
func ParseVault(b []byte) (*Vault, error) {
	r := reader{rest: append([]byte(nil), b...)}
	if version := r.byte(); r.err == nil && version != vaultVersion {
		return nil, fmt.Errorf("ident: parsing vault: version %d is unknown", version)
	}
	v := &Vault{}
	r.fill(v.account[:])
	v.revision = r.uint32()
	v.sealedKey = r.take(sealedKeySize)
	n := r.uint32()
	if r.err == nil && (n < minVaultBody || n > minVaultBody+MaxRecovery) {
		return nil, fmt.Errorf("ident: parsing vault: body of %d bytes", n)
	}
	v.body = r.take(int(n))
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("ident: parsing vault: %v", err)
	}
	return v, nil
}

func sealVault(rand io.Reader, wrap WrapKey, account AccountID, revision uint32, o *OpenedVault) (*Vault, error) {
	if len(o.Recovery()) > MaxRecovery {
		return nil, fmt.Errorf("ident: sealing vault: %d bytes of recovery data, at most %d", len(o.Recovery()), MaxRecovery)
	}
	v := &Vault{account: account, revision: revision}
	contents := append([]byte{contentsVersion}, o.Identity.Secret()...)
	contents = append(contents, o.Recovery()...)
	var err error
	if v.sealedKey, err = seal(rand, wrap.key(), o.Key.key()[:], v.associated(labelVaultKey)); err != nil {
		return nil, err
	}
	if v.body, err = seal(rand, o.Key.key(), contents, v.associated(labelVaultBody)); err != nil {
		return nil, err
	}
	return v, nil
}

func openBody(v *Vault, key VaultKey) (*OpenedVault, error) {
	contents, err := open(key.key(), v.body, v.associated(labelVaultBody))
	if err != nil || len(contents) < 1+SeedSize || contents[0] != contentsVersion {
		return nil, ErrVault
	}
	identity, err := IdentityKeyFromSecret(contents[1 : 1+SeedSize])
	if err != nil {
		return nil, ErrVault
	}
	recovery := contents[1+SeedSize:]
	return &OpenedVault{Key: key, Identity: identity, recovery: hold(&recovery)}, nil
}

// associated binds a sealing to label, format, account and revision.
func (v *Vault) associated(label string) []byte {
	b := append([]byte(label), vaultVersion)
	b = append(b, v.account[:]...)
	return appendUint32(b, v.revision)
}

// seal gives nonce, ciphertext and tag of AES-256-GCM with a random nonce.
func seal(rand io.Reader, key *[32]byte, plaintext, associated []byte) ([]byte, error) {
	return sealWith(newAEAD(key), rand, plaintext, associated)
}

func open(key *[32]byte, sealed, associated []byte) ([]byte, error) {
	return openWith(newAEAD(key), sealed, associated)
}

func newAEAD(key *[32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("ident: internal error: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("ident: internal error: " + err.Error())
	}
	return aead
}
