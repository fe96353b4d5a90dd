package server

import (
	"bytes"
	"context"
	"fmt"

	"snug/internal/ident"
	"snug/internal/wire"
)

// PassphraseChange replaces how an account signs in and its vault, if the vault is
// still the one that the change was judged against.
type PassphraseChange struct {
	Account ident.AccountID
	// By is the device that makes the change; a revoked one changes nothing.
	By ident.DeviceID
	// Before is the vault that is replaced.
	Before []byte
	Vault  []byte
	Salt   []byte
	Argon2 Argon2
	Auth   []byte
}

// ErrVaultChanged refuses a vault that does not follow the stored one.
var ErrVaultChanged = &Refusal{Code: wire.ErrorCode_ERROR_CODE_CONFLICT, Message: "the passphrase was changed on another device meanwhile",
	Hint: "try again"}

func (n *session) getVault(ctx context.Context) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	a, err := n.server.Store.Account(ctx, d.Account)
	if err != nil {
		return nil, err
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Vault{Vault: &wire.Vault{Vault: a.Vault}}}, nil
}

// changePassphrase swaps salt, hash and vault in one. The former passphrase is not
// asked for: a device that lives can always change it, as it holds all that the
// passphrase opens.
func (n *session) changePassphrase(ctx context.Context, m *wire.ChangePassphrase) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	key, err := ident.AuthKeyFromSecret(m.AuthKey)
	if err != nil {
		return nil, errAuthKey
	}
	if err := checkStretching(m.Salt, m.Argon2, m.Vault); err != nil {
		return nil, err
	}
	vault, err := ident.ParseVault(m.Vault)
	if err != nil || vault.Account() != d.Account {
		return nil, badRequest("that is no vault of this account")
	}
	if err := n.server.limits.passphrases.take(d.Account); err != nil {
		return nil, err
	}
	stored, err := n.server.Store.Account(ctx, d.Account)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(stored.Vault, m.Vault) {
		return n.changedBefore(ctx, &stored, m, key)
	}
	if vault.Revision() != revision(stored.Vault)+1 {
		return nil, ErrVaultChanged
	}
	c := PassphraseChange{Account: d.Account, By: d.ID, Before: stored.Vault, Vault: m.Vault, Salt: m.Salt,
		Argon2: Argon2{m.Argon2.MemoryKib, m.Argon2.Passes, m.Argon2.Lanes}}
	if waiting := n.server.hash(ctx, func() { c.Auth, err = ident.HashAuthKey(n.server.Rand, key) }); waiting != nil {
		return nil, waiting
	}
	if err != nil {
		return nil, fmt.Errorf("hashing an auth key: %w", err)
	}
	if err := n.server.Store.ChangePassphrase(ctx, c); err != nil {
		return nil, err
	}
	n.server.Log.Info("passphrase changed", "account", d.Account, "device", d.ID)
	return done(0), nil
}

// changedBefore answers a change that was carried out before. A vault is sealed with a random nonce, so that the same
// one is the same change.
func (n *session) changedBefore(ctx context.Context, stored *Account, m *wire.ChangePassphrase, key ident.AuthKey) (*wire.ServerFrame, error) {
	var same bool
	if err := n.server.hash(ctx, func() { same = ident.VerifyAuthKey(stored.Auth, key) }); err != nil {
		return nil, err
	}
	if !same || !bytes.Equal(stored.Salt, m.Salt) {
		return nil, ErrVaultChanged
	}
	return done(0), nil
}

// revision gives that of a stored vault; 0 for one that is none, which was registered so and opens for nobody.
func revision(stored []byte) uint32 {
	vault, err := ident.ParseVault(stored)
	if err != nil {
		return 0
	}
	return vault.Revision()
}
