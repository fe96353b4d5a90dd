package client

import (
	"context"
	"errors"

	"snug/internal/ident"
	"snug/internal/wire"
)

// maxLoginTries bounds how often signing in begins anew because another device was enrolled meanwhile.
const maxLoginTries = 5

// Login makes this a new device of the account. The passphrase is stretched in the caller's goroutine.
func (c *Client) Login(ctx context.Context, options LoginOptions) (Me, error) {
	handle, err := c.checkSignIn(options.Handle, options.DeviceName)
	if err != nil {
		return Me{}, err
	}
	tell(options.Progress, "asking how to stretch the passphrase")
	answer, err := c.do(ctx, func(c *Core, call uint64) { c.loginParameters(call, handle) })
	if err != nil {
		return Me{}, err
	}
	how := answer.(*wire.LoginParameters)
	argon2 := how.GetArgon2()
	params := ident.PassphraseParams{MemoryKiB: argon2.GetMemoryKib(), Passes: argon2.GetPasses(), Lanes: uint8(min(argon2.GetLanes(), 255))}
	auth, wrap, err := c.stretchSlowly(options.Progress, options.Passphrase, how.Salt, params)
	if err != nil {
		return Me{}, refuse(Refused, "the server may be false", "the server asks for unsafe handling of the passphrase: %v", err)
	}
	tell(options.Progress, "signing in")
	l := login{handle: handle, device: options.DeviceName, auth: auth, wrap: wrap}
	me, err := c.do(ctx, func(c *Core, call uint64) { c.login(call, l) })
	if err != nil {
		return Me{}, err
	}
	return me.(Me), nil
}

func (c *Core) loginParameters(call uint64, handle ident.Handle) {
	body := &wire.GetLoginParameters{Handle: handle.String()}
	c.ask(request{call: call, needs: greeted, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_GetLoginParameters{GetLoginParameters: body}},
		then: func(c *Core, reply *wire.ServerFrame) {
			how := reply.GetLoginParameters()
			if how == nil {
				c.reply(call, nil, errProtocol)
				return
			}
			c.reply(call, how, nil)
		}})
}

// login is what it takes to sign in.
type login struct {
	handle ident.Handle
	device string
	auth   ident.AuthKey
	wrap   ident.WrapKey
	tries  int
}

// login begins, or begins anew on another connection: what was said to a connection dies with it.
func (c *Core) login(call uint64, l login) {
	if c.mem.account != nil {
		c.reply(call, nil, refuse(Refused, "", "somebody is signed in on this device already"))
		return
	}
	if l.tries++; l.tries > maxLoginTries {
		c.reply(call, nil, refuse(Failed, "try again", "the account changed while this device signed in"))
		return
	}
	body := &wire.Login{Handle: l.handle.String(), AuthKey: l.auth.Secret()}
	c.ask(request{call: call, needs: greeted, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_Login{Login: body}},
		then:  func(c *Core, reply *wire.ServerFrame) { c.loggedIn(call, l, reply.GetLoggedIn()) }})
}

// loggedIn checks what the server has kept for the account, and enrols this device.
func (c *Core) loggedIn(call uint64, l login, answer *wire.LoggedIn) {
	n, err := openAccount(l, answer)
	if errors.Is(err, ident.ErrVault) {
		c.reply(call, nil, refuse(Refused, "nothing is lost while another device is signed in: change the passphrase there, or let this one in by a code",
			"the passphrase is right, but the vault that the server has does not open with it").
			run("snug passphrase --repair, or snug device link, on that device"))
		return
	}
	if err != nil {
		c.reply(call, nil, refuse(Refused, "the server may be false", "the account that the server shows is not right: %v", err))
		return
	}
	id := n.chain.Account()
	if old := c.chain(id); old != nil && n.chain.Extends(old) != nil {
		c.reply(call, nil, refuse(Refused, "the server may be false", "the server shows a false history of the account's devices"))
		return
	}
	again := func(c *Core) { c.login(call, l) }
	c.enrol(enrolment{call: call, newcomer: n, again: again, lost: again, done: func(*Core) {},
		refused: func(c *Core, e *Error) { c.reply(call, nil, e) }})
}

// enrolment makes this device one of an account that it holds the keys of.
type enrolment struct {
	newcomer
	call uint64
	// again begins anew where another device was enrolled meanwhile; lost, where not nil, when the connection has ended.
	again, lost func(c *Core)
	// done is called when this device is signed in, refused when it is not.
	done    func(c *Core)
	refused func(c *Core, e *Error)
}

// enrol signs this device's enrolment, unless it was made before, and has the server store it.
func (c *Core) enrol(e enrolment) {
	id := e.chain.Account()
	device := ident.NewDeviceID(id, c.mem.key.Public())
	if _, enrolled := e.chain.Device(device); !enrolled {
		if err := e.chain.Append(e.identity, ident.Enrol{Key: c.mem.key.Public(), Name: e.device}, c.now); err != nil {
			e.refused(c, failed("enrolling this device", err))
			return
		}
	}
	packages, lastResort := c.newKeyPackages(e.chain, device, packagesWanted)
	body := &wire.EnrolDevice{Chain: e.chain.Marshal(), KeyPackages: packages, LastResortKeyPackage: lastResort,
		Signature: c.loginSignature(id)}
	c.ask(request{call: e.call, needs: greeted, lost: e.lost,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_EnrolDevice{EnrolDevice: body}},
		then: func(c *Core, reply *wire.ServerFrame) {
			e.done(c)
			c.signIn(e.call, e.newcomer, reply.GetAuthenticated())
		},
		refused: func(c *Core, answer *wire.Error) {
			if answer.Code == wire.ErrorCode_ERROR_CODE_CONFLICT {
				e.again(c)
				return
			}
			e.refused(c, serverError(answer))
		}})
}

// openAccount opens the vault and holds it against the chain: both must be of the handle's account.
func openAccount(l login, answer *wire.LoggedIn) (newcomer, error) {
	chain, err := ident.ParseChain(answer.GetChain())
	if err != nil {
		return newcomer{}, err
	}
	account := chain.Account()
	if string(account[:]) != string(answer.Account) || chain.Handle() != l.handle {
		return newcomer{}, errors.New("it is another one's")
	}
	vault, err := ident.ParseVault(answer.Vault)
	if err != nil {
		return newcomer{}, ident.ErrVault
	}
	opened, err := ident.OpenVault(vault, account, l.wrap)
	if err != nil {
		return newcomer{}, err
	}
	if opened.Identity.Public() != chain.Identity() {
		return newcomer{}, errors.New("its keys are of another account")
	}
	return newcomer{chain, opened.Identity, answer.Vault, opened.Key, l.device}, nil
}
