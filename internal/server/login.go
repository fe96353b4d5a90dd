package server

import (
	"context"
	"errors"

	"snug/internal/ident"
	"snug/internal/wire"
)

// loginParameters answers alike whether the handle exists or not: with the default
// parameters and a salt that only the server can tell from a real one. An account
// whose client chose other parameters can be told from none by them.
func (n *session) loginParameters(ctx context.Context, m *wire.GetLoginParameters) (*wire.ServerFrame, error) {
	handle, err := ident.ParseHandle(m.Handle)
	if err != nil {
		return nil, errHandle
	}
	if err := n.server.limits.loginsFrom.take(n.prefix); err != nil {
		return nil, err
	}
	salt := ident.FakeSalt(n.server.secret, handle)
	p := ident.DefaultPassphraseParams()
	reply := &wire.LoginParameters{Salt: salt[:], Argon2: &wire.Argon2Parameters{
		MemoryKib: p.MemoryKiB, Passes: p.Passes, Lanes: uint32(p.Lanes),
	}}
	account, err := n.server.Store.AccountByHandle(ctx, m.Handle)
	switch {
	case err == nil:
		reply.Salt = account.Salt
		reply.Argon2 = &wire.Argon2Parameters{MemoryKib: account.Argon2.MemoryKiB, Passes: account.Argon2.Passes, Lanes: account.Argon2.Lanes}
	case !errors.Is(err, ErrAccountNotFound):
		return nil, err
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_LoginParameters{LoginParameters: reply}}, nil
}

var (
	errHandle = badRequest("a handle has 3 to 32 of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit")
	// errCredentials does not say which of the two was wrong.
	errCredentials = &Refusal{Code: wire.ErrorCode_ERROR_CODE_CREDENTIALS, Message: "unknown handle or wrong passphrase",
		Hint: "check both: passphrases are compared as typed; a device that is signed in can let this one in by a code"}
	errAuthKey = badRequest("an auth key has 32 bytes")
)

// login lets the connection enrol a device of the account, and nothing else yet. One that acts for a device of the account
// may have enrolled it without hearing so, and enrols it again.
// A handle that nobody has costs the same work as a wrong passphrase.
func (n *session) login(ctx context.Context, m *wire.Login) (*wire.ServerFrame, error) {
	handle, err := ident.ParseHandle(m.Handle)
	if err != nil {
		return nil, errHandle
	}
	key, err := ident.AuthKeyFromSecret(m.AuthKey)
	if err != nil {
		return nil, errAuthKey
	}
	if err := n.server.limits.loginsFrom.take(n.prefix); err != nil {
		return nil, err
	}
	if err := n.server.limits.login(m.Handle, n.prefix); err != nil {
		return nil, err
	}
	account, err := n.server.Store.AccountByHandle(ctx, m.Handle)
	known := err == nil
	if !known && !errors.Is(err, ErrAccountNotFound) {
		return nil, err
	}
	stored := ident.FakeAuth(n.server.secret, handle)
	if known {
		stored = account.Auth
	}
	var right bool
	if err := n.server.hash(ctx, func() { right = ident.VerifyAuthKey(stored, key) }); err != nil {
		return nil, err
	}
	if !right || !known {
		return nil, errCredentials
	}
	if d := n.device.Load(); d != nil && d.Account != account.ID {
		return nil, errIsDevice
	}
	return n.loggedInTo(&account, ident.DeviceID{}), nil
}

// loggedInTo lets the connection enrol a device of the account; by is the device that has let it, where one has.
func (n *session) loggedInTo(a *Account, by ident.DeviceID) *wire.ServerFrame {
	n.loggedIn, n.loggedInBy, n.letInBy = a.ID, a.Auth, by
	return &wire.ServerFrame{Body: &wire.ServerFrame_LoggedIn{LoggedIn: &wire.LoggedIn{
		Account: a.ID[:], Chain: a.Chain, Vault: a.Vault,
	}}}
}

// hash runs slow work when there is a place for it. Only the connection that asks
// waits; where too many do, UNAVAILABLE.
func (s *Server) hash(ctx context.Context, work func()) error {
	if s.hashWait.Add(1) > slowHashes+hashQueue {
		s.hashWait.Add(-1)
		return &Refusal{Code: wire.ErrorCode_ERROR_CODE_UNAVAILABLE, Message: "too many people are signing in at this moment",
			Hint: "try again in a moment", RetryAfter: greetWithin}
	}
	defer s.hashWait.Add(-1)
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.hashing }()
	s.hashed.Add(1)
	work()
	return nil
}
