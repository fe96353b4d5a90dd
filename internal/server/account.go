package server

import (
	"context"
	"errors"
	"fmt"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Account is what the store knows of an account.
type Account struct {
	ID     ident.AccountID
	Handle string
	// Owner says that it came by the owner's invite.
	Owner bool
	// Chain is the encoded chain; Vault is sealed. Empty in lists.
	Chain, Vault []byte
	// Salt and Argon2 are how the account's passphrase is stretched, Auth the slow
	// hash of what comes out. Empty in lists.
	Salt   []byte
	Argon2 Argon2
	Auth   []byte
	// SeenAt is when it was last connected, in ms; 0 for never.
	SeenAt int64
	// Digest is NewAccount's.
	Digest ident.Hash
}

// Argon2 are parameters as the client named them.
type Argon2 struct{ MemoryKiB, Passes, Lanes uint32 }

// NewAccount is a registration, verified as far as that needs no store.
type NewAccount struct {
	Account
	Device      Device
	KeyPackages KeyPackages
	// Invite is the hash of the code; UseInvite is unset where none is needed.
	Invite    ident.InviteHash
	UseInvite bool
	// OwnerOnly takes no other invite than the owner's.
	OwnerOnly bool
	// At is now, in ms.
	At int64
}

// register makes an account. The same request again, from any connection that can
// prove the device's key, gives the same answer.
func (n *session) register(ctx context.Context, m *wire.Register) (*wire.ServerFrame, error) {
	key, err := ident.AuthKeyFromSecret(m.AuthKey)
	if err != nil {
		return nil, errAuthKey
	}
	a, err := n.judgeRegistration(m)
	if err != nil {
		return nil, err
	}
	if repeated, err := n.registeredBefore(ctx, a, key); repeated != nil || err != nil {
		return repeated, err
	}
	if err := n.server.mayRegister(a); err != nil {
		return nil, err
	}
	if err := n.server.limits.registrations.take(n.prefix); err != nil {
		return nil, err
	}
	if err := n.server.hash(ctx, func() { a.Auth, err = ident.HashAuthKey(n.server.Rand, key) }); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("hashing an auth key: %w", err)
	}
	if a.Owner, err = n.server.Store.CreateAccount(ctx, *a); err != nil {
		return nil, err
	}
	n.server.Log.Info("account registered", "account", a.ID, "owner", a.Owner)
	return n.registered(ctx, &a.Account, a.Device)
}

// registered makes the connection the new device's and answers.
func (n *session) registered(ctx context.Context, a *Account, d Device) (*wire.ServerFrame, error) {
	d.Owner = a.Owner
	if err := n.become(ctx, d); err != nil {
		return nil, err
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Registered{Registered: &wire.Registered{
		Authenticated: d.wire(), Owner: a.Owner,
	}}}, nil
}

// judgeRegistration checks everything that needs no store.
func (n *session) judgeRegistration(m *wire.Register) (*NewAccount, error) {
	chain, err := ident.ParseChain(m.Chain)
	if err != nil {
		return nil, errChain
	}
	devices := chain.Devices()
	if chain.Len() != 2 || len(devices) != 1 {
		return nil, badRequest("a new account's chain is a genesis and one enrolment")
	}
	if chain.Handle().String() != m.Handle {
		return nil, badRequest("the chain claims another handle")
	}
	if err := checkStretching(m.Salt, m.Argon2, m.Vault); err != nil {
		return nil, err
	}
	p, err := keyPackages(m.KeyPackages, m.LastResortKeyPackage, false)
	if err != nil {
		return nil, err
	}
	d := devices[0]
	if acting := n.device.Load(); acting != nil && acting.ID != d.ID {
		return nil, errIsDevice
	}
	if err := n.proves(chain.Account(), d.ID, d.Key, m.Signature); err != nil {
		return nil, err
	}
	a := &NewAccount{KeyPackages: p, At: n.server.now()}
	a.Account = Account{
		ID: chain.Account(), Handle: m.Handle, Chain: m.Chain, Vault: m.Vault, Salt: m.Salt,
		Argon2: Argon2{m.Argon2.MemoryKib, m.Argon2.Passes, m.Argon2.Lanes},
	}
	a.Device = Device{ID: d.ID, Key: d.Key, Account: chain.Account(), Handle: m.Handle}
	if a.Digest, err = registrationDigest(m); err != nil {
		return nil, err
	}
	return a, a.parseInvite(m.Invite)
}

var errChain = badRequest("that chain does not verify")

// checkStretching checks how a passphrase is to be stretched, and the size of what it opens.
func checkStretching(salt []byte, p *wire.Argon2Parameters, vault []byte) error {
	switch {
	case len(salt) != ident.SaltSize:
		return badRequest("a salt has 16 bytes")
	case p == nil:
		return badRequest("the parameters of Argon2id are missing")
	case p.Lanes > 255 || (ident.PassphraseParams{
		MemoryKiB: p.MemoryKib, Passes: p.Passes, Lanes: uint8(p.Lanes)}).Check() != nil:
		return badRequest("the parameters of Argon2id are out of bounds")
	case len(vault) > wire.MaxVault:
		return Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "a vault has at most 16 KiB")
	}
	return nil
}

func (a *NewAccount) parseInvite(code string) error {
	if code == "" {
		return nil
	}
	invite, err := ident.ParseInvite(code)
	if err != nil {
		return ErrInviteUnknown
	}
	a.Invite, a.UseInvite = ident.HashInvite(invite), true
	return nil
}

// registrationDigest is over all of a registration that does not depend on the
// connection. The auth key is left out: a fast hash of it must not be stored.
func registrationDigest(m *wire.Register) (ident.Hash, error) {
	fixed := *m
	fixed.Signature, fixed.AuthKey = nil, nil
	b, err := fixed.MarshalVT()
	if err != nil {
		return ident.Hash{}, fmt.Errorf("encoding a registration: %w", err)
	}
	return ident.PayloadHash(b), nil
}

// registeredBefore answers a registration that was carried out before. It takes the auth key, and so is limited as a login.
func (n *session) registeredBefore(ctx context.Context, a *NewAccount, key ident.AuthKey) (*wire.ServerFrame, error) {
	before, err := n.server.Store.Account(ctx, a.ID)
	if errors.Is(err, ErrAccountNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := n.server.limits.loginsFrom.take(n.prefix); err != nil {
		return nil, err
	}
	if err := n.server.limits.login(before.Handle, n.prefix); err != nil {
		return nil, err
	}
	var same bool
	if err := n.server.hash(ctx, func() { same = ident.VerifyAuthKey(before.Auth, key) }); err != nil {
		return nil, err
	}
	if !same || before.Digest != a.Digest {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "that account exists already")
	}
	return n.registered(ctx, &before, a.Device)
}

// mayRegister keeps the registration mode. An invite that was given must be valid
// in every mode but the open one; the owner's, which nobody else can have, also
// opens a closed server.
func (s *Server) mayRegister(a *NewAccount) error {
	switch s.Registration {
	case wire.RegistrationMode_REGISTRATION_MODE_OPEN:
		return nil
	case wire.RegistrationMode_REGISTRATION_MODE_INVITE:
		if !a.UseInvite {
			return &Refusal{Code: wire.ErrorCode_ERROR_CODE_INVITE_INVALID, Message: "this server needs an invite",
				Hint: "ask somebody who is on it for a code"}
		}
		return nil
	}
	a.OwnerOnly = true
	if !a.UseInvite {
		return ErrClosed
	}
	return nil
}

func (n *session) listAccounts(ctx context.Context, m *wire.ListAccounts) (*wire.ServerFrame, error) {
	if _, err := n.acting(); err != nil {
		return nil, err
	}
	reply := &wire.Accounts{}
	if m.Handle != "" {
		a, err := n.server.Store.AccountByHandle(ctx, m.Handle)
		if err == nil {
			reply.Accounts = append(reply.Accounts, n.server.wireAccount(&a))
		} else if !errors.Is(err, ErrAccountNotFound) {
			return nil, err
		}
		return &wire.ServerFrame{Body: &wire.ServerFrame_Accounts{Accounts: reply}}, nil
	}
	limit := page(m.Limit, wire.MaxAccounts)
	accounts, err := n.server.Store.Accounts(ctx, m.After, limit+1)
	if err != nil {
		return nil, err
	}
	reply.More = len(accounts) > limit
	for i := range accounts[:min(limit, len(accounts))] {
		reply.Accounts = append(reply.Accounts, n.server.wireAccount(&accounts[i]))
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Accounts{Accounts: reply}}, nil
}

// wireAccount gives the account as the protocol shows it, with its presence.
func (s *Server) wireAccount(a *Account) *wire.Account {
	m := &wire.Account{Account: a.ID.Bytes(), Handle: a.Handle, Online: s.registry.online(a.ID)}
	if !m.Online {
		m.SeenAt = s.presence.seenAt(a)
	}
	return m
}

func (n *session) getChains(ctx context.Context, m *wire.GetChains) (*wire.ServerFrame, error) {
	if _, err := n.acting(); err != nil {
		return nil, err
	}
	ids, err := accountIDs(m.Accounts, wire.MaxAccounts)
	if err != nil {
		return nil, err
	}
	reply := &wire.Chains{}
	size := 0
	for _, id := range ids {
		a, err := n.server.Store.Account(ctx, id)
		if errors.Is(err, ErrAccountNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if size += len(a.Chain); size > wire.MaxBatch && len(reply.Chains) > 0 {
			break
		}
		reply.Chains = append(reply.Chains, &wire.AccountChain{Account: a.ID.Bytes(), Chain: a.Chain})
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Chains{Chains: reply}}, nil
}
