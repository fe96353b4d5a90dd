package client

import (
	"context"
	"errors"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Register makes an account with this device as its first. The passphrase is stretched in the caller's goroutine. A
// second call after a failure may repeat the first; if the account was made and the answer lost, Login signs in.
func (c *Client) Register(ctx context.Context, options RegisterOptions) (Me, error) {
	handle, err := c.checkSignIn(options.Handle, options.DeviceName)
	if err != nil {
		return Me{}, err
	}
	s, err := c.choosePassphrase(options.Progress, options.Passphrase)
	if err != nil {
		return Me{}, err
	}
	tell(options.Progress, "making the account")
	registration := registration{handle: handle, device: options.DeviceName, invite: options.Invite, stretched: s}
	me, err := c.do(ctx, func(c *Core, call uint64) { c.register(call, registration) })
	if err != nil {
		return Me{}, err
	}
	return me.(Me), nil
}

// checkSignIn refuses what cannot be a handle or a device's name.
func (c *Client) checkSignIn(handle, device string) (ident.Handle, error) {
	if me, ok := c.Me(); ok {
		return "", refuse(Refused, "sign out first", "@%s is signed in on this device already", me.Handle).run("snug logout")
	}
	parsed, err := ident.ParseHandle(handle)
	if err != nil {
		return "", refuse(Usage, "3 to 32 of a-z, 0-9, '.', '_' and '-'; the first and the last are letters or digits", "%q is no handle", handle)
	}
	if err := ident.CheckDeviceName(device); err != nil {
		return "", refuse(Usage, "", "the device's name: %v", err)
	}
	return parsed, nil
}

// registration is what it takes to make an account.
type registration struct {
	handle         ident.Handle
	device, invite string
	stretched
}

// newcomer is an account that is not this device's yet, but will be when the server says so.
type newcomer struct {
	chain    *ident.Chain
	identity ident.IdentityKey
	vault    []byte
	vaultKey ident.VaultKey
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
		Argon2: r.argon2(), Vault: n.vault, Invite: r.invite, KeyPackages: packages, LastResortKeyPackage: lastResort}
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
	opened, err := ident.OpenVault(vault, chain.Account(), r.wrap)
	if err != nil {
		return newcomer{}, err
	}
	return newcomer{chain, identity, vault.Marshal(), opened.Key, r.device}, nil
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
	c.put(keyVaultKey, n.vaultKey.Secret())
	c.setChain(n.chain)
	c.authenticated(authenticated)
	c.reply(call, c.mem.account.me, nil)
}
