package client

import (
	"context"
	"errors"

	"snug/internal/ident"
	"snug/internal/wire"
)

// stretch is Argon2id. Simulations of many accounts hand in the cheap one.
type stretch func(passphrase string, salt []byte, p ident.PassphraseParams) (ident.AuthKey, ident.WrapKey, error)

// Register makes an account with this device as its first. The passphrase is stretched in the caller's goroutine. A
// second call after a failure may repeat the first; if the account was made and the answer lost, Login signs in.
func (c *Client) Register(ctx context.Context, options RegisterOptions) (Me, error) {
	handle, err := c.checkSignIn(options.Handle, options.DeviceName)
	if err != nil {
		return Me{}, err
	}
	if err := ident.CheckPassphrase(options.Passphrase); err != nil {
		return Me{}, refuse(Usage, "a few random words make a good one", "%s", err)
	}
	progress(options.Progress, "stretching the passphrase")
	salt := make([]byte, ident.SaltSize)
	if _, err := c.cfg.Rand.Read(salt); err != nil {
		return Me{}, failed("making a salt", err)
	}
	params := c.params()
	auth, wrap, err := c.stretch(options.Passphrase, salt, params)
	if err != nil {
		return Me{}, failed("stretching the passphrase", err)
	}
	progress(options.Progress, "making the account")
	registration := registration{handle: handle, device: options.DeviceName, invite: options.Invite,
		salt: salt, params: params, auth: auth, wrap: wrap}
	me, err := c.do(ctx, func(c *Core, call uint64) { c.register(call, registration) })
	if err != nil {
		return Me{}, err
	}
	return me.(Me), nil
}

// checkSignIn refuses what cannot be a handle or a device's name.
func (c *Client) checkSignIn(handle, device string) (ident.Handle, error) {
	if me, ok := c.Me(); ok {
		return "", refuse(Refused, "snug logout signs out", "@%s is signed in on this device already", me.Handle)
	}
	parsed, err := ident.ParseHandle(handle)
	if err != nil {
		return "", refuse(Usage, "3 to 32 of a-z, 0-9, '.', '_' and '-'", "%q is no handle", handle)
	}
	if err := ident.CheckDeviceName(device); err != nil {
		return "", refuse(Usage, "", "the device's name: %v", err)
	}
	return parsed, nil
}

func progress(tell func(string), step string) {
	if tell != nil {
		tell(step)
	}
}

// registration is what it takes to make an account.
type registration struct {
	handle         ident.Handle
	device, invite string
	salt           []byte
	params         ident.PassphraseParams
	auth           ident.AuthKey
	wrap           ident.WrapKey
}

// newcomer is an account that is not this device's yet, but will be when the server says so.
type newcomer struct {
	chain    *ident.Chain
	identity ident.IdentityKey
	vault    []byte
	device   string
}

func (c *Core) register(call uint64, r registration) {
	if c.mem.account != nil {
		c.reply(call, nil, refuse(Refused, "", "somebody is signed in on this device already"))
		return
	}
	n, err := c.newAccount(r)
	if err != nil {
		c.reply(call, nil, failed("making the account", err))
		return
	}
	account := n.chain.Account()
	packages, lastResort := c.newKeyPackages(n.chain, ident.NewDeviceID(account, c.mem.key.Public()), packagesWanted)
	body := &wire.Register{Handle: r.handle.String(), Chain: n.chain.Marshal(), AuthKey: r.auth.Secret(), Salt: r.salt,
		Argon2: &wire.Argon2Parameters{MemoryKib: r.params.MemoryKiB, Passes: r.params.Passes, Lanes: uint32(r.params.Lanes)},
		Vault:  n.vault, Invite: r.invite, KeyPackages: packages, LastResortKeyPackage: lastResort}
	c.ask(request{call: call, needs: greeted, sticky: true,
		frame:   &wire.ClientFrame{Body: &wire.ClientFrame_Register{Register: body}},
		prepare: func(c *Core, _ *wire.ClientFrame) { body.Signature = c.loginSignature(account) },
		then: func(c *Core, reply *wire.ServerFrame) {
			registered := reply.GetRegistered()
			if registered == nil {
				c.reply(call, nil, errProtocol)
				return
			}
			c.signIn(call, n, registered.Authenticated)
		}})
}

// newAccount makes identity, chain and vault of an account with this device.
func (c *Core) newAccount(r registration) (newcomer, error) {
	identity, chain, err := ident.NewAccount(c.cfg.rand, r.handle, c.now)
	if err != nil {
		return newcomer{}, err
	}
	if err := chain.Append(identity, ident.Enrol{Key: c.mem.key.Public(), Name: r.device}, c.now); err != nil {
		return newcomer{}, err
	}
	vault, err := ident.SealVault(c.cfg.rand, r.wrap, chain.Account(), identity, nil)
	if err != nil {
		return newcomer{}, err
	}
	return newcomer{chain, identity, vault.Marshal(), r.device}, nil
}

// signIn makes the account this device's, durably, and begins to act for it.
func (c *Core) signIn(call uint64, n newcomer, authenticated *wire.Authenticated) {
	id := n.chain.Account()
	device := ident.NewDeviceID(id, c.mem.key.Public())
	if _, ok := n.chain.Device(device); !ok {
		c.reply(call, nil, failed("signing in", errors.New("this device is not enrolled")))
		return
	}
	c.mem.account = &account{identity: n.identity, me: Me{Account: id, Handle: n.chain.Handle().String(), Device: device, DeviceName: n.device}}
	if authenticated != nil {
		c.mem.account.me.Owner = authenticated.Owner
	}
	c.put(keyAccount, c.mem.account.encode())
	c.put(keyIdentity, n.identity.Secret())
	c.put(keyVault, n.vault)
	c.setChain(n.chain)
	c.authenticated(authenticated)
	c.reply(call, c.mem.account.me, nil)
}
