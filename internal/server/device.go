package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Device is what the store knows of a device, with what a session needs of its
// account.
type Device struct {
	ID      ident.DeviceID
	Key     ident.PublicKey
	Account ident.AccountID
	Revoked bool
	// Handle and Owner are the account's.
	Handle string
	Owner  bool
}

// ChainChange replaces an account's chain, if it is still the one that the change
// was judged against.
type ChainChange struct {
	Account ident.AccountID
	// Before and After are encoded chains.
	Before, After []byte
	// Auth, where not nil, is what the account's slow hash must still be: who has logged in with a passphrase that was
	// changed since is too late.
	Auth []byte
	// By is the device that makes the change, or that has let in who makes it; zero for neither. A revoked one changes
	// nothing, even where it was none when it asked.
	By ident.DeviceID
	// At is now, in ms.
	At int64
}

// DeviceRef names a device with its account.
type DeviceRef struct {
	Account ident.AccountID
	Device  ident.DeviceID
}

func (d *Device) wire() *wire.Authenticated {
	return &wire.Authenticated{Account: d.Account.Bytes(), Device: d.ID.Bytes(), Handle: d.Handle, Owner: d.Owner}
}

// proves checks that the connection has a device's key: in TLS, or else by a
// signature over our nonce.
func (n *session) proves(account ident.AccountID, device ident.DeviceID, key ident.PublicKey, signature []byte) error {
	if !n.key.IsZero() {
		if n.key != key {
			return Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "the device's key is not the one that this connection has in TLS")
		}
		return nil
	}
	login := ident.Login{Server: n.server.ID, Nonce: n.nonce, Account: account, Device: device}
	if ident.VerifyLogin(key, login, signature) != nil {
		return errProof
	}
	return nil
}

var errProof = &Refusal{Code: wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, Message: "the device's signature does not verify",
	Hint: "this device may have been revoked: log in again"}

// authenticate lets a browser's device in. A device that does not exist, is
// revoked or signs wrongly gets one answer.
func (n *session) authenticate(ctx context.Context, m *wire.Authenticate) (*wire.ServerFrame, error) {
	if n.device.Load() != nil {
		return nil, errIsDevice
	}
	account, err := ident.AccountIDFromBytes(m.Account)
	if err != nil {
		return nil, errBadAccount
	}
	id, err := ident.DeviceIDFromBytes(m.Device)
	if err != nil {
		return nil, errBadDevice
	}
	d, err := n.server.Store.Device(ctx, id)
	if errors.Is(err, ErrDeviceNotFound) || err == nil && d.Account != account {
		return nil, errProof
	}
	if err != nil {
		return nil, err
	}
	if err := n.proves(account, id, d.Key, m.Signature); err != nil {
		return nil, err
	}
	if d.Revoked {
		n.tellRevoked(ctx, d)
		return nil, errProof
	}
	return n.authenticated(ctx, d)
}

// tellRevoked shows a revoked device, which has proven its key, the chain that says so: our word alone would not be
// enough for it to give up what it has.
func (n *session) tellRevoked(ctx context.Context, d Device) {
	a, err := n.server.Store.Account(ctx, d.Account)
	if err != nil {
		return
	}
	n.event(chainEvent(a.ID, a.Chain))
}

func chainEvent(account ident.AccountID, chain []byte) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Chain{Chain: &wire.ChainEvent{Account: account[:], Chain: chain}}}
}

var errIsDevice = &Refusal{Code: wire.ErrorCode_ERROR_CODE_BAD_REQUEST, Message: "this connection acts for a device already",
	Hint: "use a new connection"}

// authenticated answers, and hands out the welcomes after the answer.
func (n *session) authenticated(ctx context.Context, d Device) (*wire.ServerFrame, error) {
	if err := n.become(ctx, d); err != nil {
		return nil, err
	}
	n.greetings = true
	return &wire.ServerFrame{Body: &wire.ServerFrame_Authenticated{Authenticated: d.wire()}}, nil
}

// enrol adds a device to the account that the connection has logged in to.
func (n *session) enrol(ctx context.Context, m *wire.EnrolDevice) (*wire.ServerFrame, error) {
	account, acting := n.loggedIn, n.device.Load()
	if acting != nil {
		account = acting.Account // for a repetition, and nothing else: see below
	}
	if account.IsZero() {
		return nil, &Refusal{Code: wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, Message: "log in first"}
	}
	c, before, after, err := n.server.judgeChain(ctx, account, m.Chain)
	if err != nil {
		return nil, err
	}
	devices := after.Devices()
	if len(devices) == 0 {
		return nil, badRequest("the chain enrols no device")
	}
	d := devices[len(devices)-1]
	if before.Len() == after.Len() {
		d = n.proven(after, d, m.Signature)
	}
	if acting != nil && (acting.ID != d.ID || before.Len() != after.Len()) {
		return nil, errIsDevice
	}
	if err := n.proves(after.Account(), d.ID, d.Key, m.Signature); err != nil {
		return nil, err
	}
	if before.Len() == after.Len() {
		// Carried out before: the stored chain is this one, or has grown from it since.
		known, err := n.server.Store.Device(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		return n.authenticated(ctx, known)
	}
	if len(devices) != len(before.Devices())+1 {
		return nil, badRequest("the new statement is no enrolment")
	}
	p, err := keyPackages(m.KeyPackages, m.LastResortKeyPackage, false)
	if err != nil {
		return nil, err
	}
	c.Auth, c.By = n.loggedInBy, n.letInBy
	enrolled := Device{ID: d.ID, Key: d.Key, Account: after.Account(), Handle: after.Handle().String()}
	if err := n.server.Store.Enrol(ctx, c, enrolled, p); err != nil {
		return nil, err
	}
	n.server.Log.Info("device enrolled", "account", enrolled.Account, "device", enrolled.ID)
	n.server.announceChain(c)
	if enrolled, err = n.server.Store.Device(ctx, d.ID); err != nil {
		return nil, err
	}
	return n.authenticated(ctx, enrolled)
}

// proven gives the device of a chain that the connection proves to be; by default the one given.
func (n *session) proven(chain *ident.Chain, d ident.Device, signature []byte) ident.Device {
	for _, other := range chain.Devices() {
		if n.proves(chain.Account(), other.ID, other.Key, signature) == nil {
			return other
		}
	}
	return d
}

// judgeChain checks that a chain is the account's stored one, or longer by one
// statement.
func (s *Server) judgeChain(ctx context.Context, account ident.AccountID, chain []byte) (c ChainChange, before, after *ident.Chain, err error) {
	if after, err = ident.ParseChain(chain); err != nil || after.Account() != account {
		return c, nil, nil, errChain
	}
	stored, err := s.Store.Account(ctx, account)
	if err != nil {
		return c, nil, nil, err
	}
	if before, err = ident.ParseChain(stored.Chain); err != nil {
		return c, nil, nil, fmt.Errorf("parsing a stored chain: %w", err)
	}
	if after.Extends(before) != nil || after.Len() > before.Len()+1 {
		return c, nil, nil, ErrChainGrown
	}
	if after.Handle() != before.Handle() {
		return c, nil, nil, badRequest("a handle is not changed by this request")
	}
	return ChainChange{Account: account, Before: stored.Chain, After: chain, At: s.now()}, before, after, nil
}

// revoke ends a device of this account, its connections included. Sent again it
// gives the same answer.
func (n *session) revoke(ctx context.Context, m *wire.RevokeDevice) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	c, before, after, err := n.server.judgeChain(ctx, d.Account, m.Chain)
	if err != nil {
		return nil, err
	}
	if before.Len() == after.Len() {
		return done(0), nil
	}
	var revoked []ident.DeviceID
	for _, b := range before.Devices() {
		if _, still := after.Device(b.ID); !still {
			revoked = append(revoked, b.ID)
		}
	}
	if len(revoked) != 1 {
		return nil, badRequest("the new statement is no revocation")
	}
	c.By = d.ID
	if err := n.server.Store.Revoke(ctx, c, revoked[0]); err != nil {
		return nil, err
	}
	n.server.Log.Info("device revoked", "account", d.Account, "device", revoked[0])
	n.server.dismiss(c, revoked[0], n)
	n.server.announceChain(c)
	return done(0), nil
}

// rename gives a device of this account another name. Sent again it gives the same
// answer.
func (n *session) rename(ctx context.Context, m *wire.RenameDevice) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	c, before, after, err := n.server.judgeChain(ctx, d.Account, m.Chain)
	if err != nil {
		return nil, err
	}
	if before.Len() == after.Len() {
		return done(0), nil
	}
	if _, ok := after.Last().(ident.Rename); !ok {
		return nil, badRequest("the new statement is no rename")
	}
	if err := n.server.limits.renames.take(d.Account); err != nil {
		return nil, err
	}
	c.By = d.ID
	if err := n.server.Store.ChangeChain(ctx, c); err != nil {
		return nil, err
	}
	n.server.announceChain(c)
	return done(0), nil
}

// dismiss closes a revoked device's connections. It waits for no other news: whoever has the device may be quick. The one
// that asked for it has a moment to read its answer and go by itself.
func (s *Server) dismiss(c ChainChange, device ident.DeviceID, asker *session) {
	for _, n := range s.registry.of(c.Account) {
		if d := n.device.Load(); d == nil || d.ID != device {
			continue
		}
		n.silence()
		if n == asker {
			time.AfterFunc(farewell, func() { _ = n.socket.NetConn().Close() })
			continue
		}
		n.lastWord(chainEvent(c.Account, c.After))
		s.sessions.Go(func() {
			n.last(closePolicy, "device revoked")
			_ = n.socket.NetConn().Close()
		})
	}
}

// announceChain sends an account's new chain to everybody who shares a room with it.
func (s *Server) announceChain(c ChainChange) {
	s.crier.tell(func(ctx context.Context) {
		peers, err := s.Store.Peers(ctx, c.Account)
		if err != nil {
			s.Log.Error("finding who shares a room", "error", err)
			return
		}
		f := chainEvent(c.Account, c.After)
		for _, peer := range peers {
			s.registry.tell(peer, f)
		}
	})
}
