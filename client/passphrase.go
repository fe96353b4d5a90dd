package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// stretch is Argon2id. Simulations of many accounts hand in the cheap one.
type stretch func(passphrase string, salt []byte, p ident.PassphraseParams) (ident.AuthKey, ident.WrapKey, error)

// Progress tells what a verb that takes its time is doing.
type Progress struct {
	Step string
	// Expect is about how long the step takes on this machine; 0 where nobody can tell.
	Expect time.Duration
}

func tell(to func(Progress), step string) {
	if to != nil {
		to(Progress{Step: step})
	}
}

// stretchSlowly stretches a passphrase, and says before how long that will take.
func (c *Client) stretchSlowly(to func(Progress), passphrase string, salt []byte, p ident.PassphraseParams) (ident.AuthKey, ident.WrapKey, error) {
	if to != nil {
		to(Progress{Step: "stretching the passphrase", Expect: ident.EstimateStretch(c.cfg.Now, p)})
	}
	auth, wrap, err := c.stretch(passphrase, salt, p)
	if err != nil {
		tell(to, "the passphrase cannot be stretched")
	}
	return auth, wrap, err
}

// stretched is a new passphrase, as the account will use it.
type stretched struct {
	salt   []byte
	params ident.PassphraseParams
	auth   ident.AuthKey
	wrap   ident.WrapKey
	repair bool
}

// CheckPassphrase is nil for a passphrase that an account can be given, and otherwise an *Error that says what is wrong with it.
func CheckPassphrase(passphrase string) error {
	if weak, ok := errors.AsType[*ident.WeakPassphraseError](ident.CheckPassphrase(passphrase)); ok {
		return refuse(Usage, "a few random words make a good one", "a weak passphrase: %s", weak.Reason)
	}
	return nil
}

// choosePassphrase stretches a new passphrase under a new salt, if it is strong enough.
func (c *Client) choosePassphrase(to func(Progress), passphrase string) (s stretched, err error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return s, err
	}
	s.salt, s.params = make([]byte, ident.SaltSize), c.params()
	if _, err := io.ReadFull(c.cfg.Rand, s.salt); err != nil {
		return s, failed("making a salt", err)
	}
	if s.auth, s.wrap, err = c.stretchSlowly(to, passphrase, s.salt, s.params); err != nil {
		return s, failed("stretching the passphrase", err)
	}
	return s, nil
}

func (s stretched) argon2() *wire.Argon2Parameters {
	return &wire.Argon2Parameters{MemoryKib: s.params.MemoryKiB, Passes: s.params.Passes, Lanes: uint32(s.params.Lanes)}
}

// ChangePassphraseOptions give the account another passphrase.
type ChangePassphraseOptions struct {
	Passphrase string
	// Repair puts this device's copy of the vault in the place of one on the server that does not open. What other devices
	// have added to it since is not in the copy.
	Repair bool
	// Progress is told what is going on, from the caller's goroutine. Optional.
	Progress func(Progress)
}

// ChangePassphrase gives the account another passphrase. The former one is not needed: this device holds what it opens.
// The other devices go on as they are. The change is durable here before the server hears of it: where the answer is
// lost, or this process ends, it is completed on the next connection, and PassphraseChanged tells what became of it.
func (c *Client) ChangePassphrase(ctx context.Context, options ChangePassphraseOptions) error {
	if _, ok := c.Me(); !ok {
		return errSignedOut
	}
	s, err := c.choosePassphrase(options.Progress, options.Passphrase)
	if err != nil {
		return err
	}
	s.repair = options.Repair
	tell(options.Progress, "changing the passphrase")
	_, err = call[struct{}](ctx, c, func(c *Core, call uint64) { c.changePassphrase(call, s, maxLoginTries) })
	if e, ok := err.(*Error); ok && e.Code == Unreachable {
		return c.unknownChange(ctx, e)
	}
	return err
}

// unknownChange says which passphrase holds when nobody waits any longer for the answer.
func (c *Client) unknownChange(ctx context.Context, e *Error) error {
	hint := "the passphrase was not changed"
	begun, err := call[bool](context.WithoutCancel(ctx), c, func(c *Core, call uint64) { c.reply(call, c.get(keyChange) != nil, nil) })
	if err != nil || begun {
		hint = "the change is kept, and completed as soon as the server can be reached: keep both passphrases until then"
	}
	return &Error{Code: Unreachable, Message: e.Message, Hint: hint, cause: e.cause}
}

// changeName names the request that changes the passphrase: there is one at a time.
const changeName = "passphrase"

func (c *Core) changePassphrase(call uint64, s stretched, tries int) {
	if c.get(keyChange) != nil {
		// What was begun before is said to the server first, or this change could be undone by it.
		c.resumeChange()
		c.await(call, func(c *Core) (bool, any, error) {
			if c.get(keyChange) != nil {
				return false, nil, nil
			}
			c.askVault(call, s, tries)
			return true, nil, errLater
		})
		return
	}
	c.askVault(call, s, tries)
}

func (c *Core) askVault(call uint64, s stretched, tries int) {
	c.ask(request{call: call, needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_GetVault{GetVault: &wire.GetVault{}}},
		then: func(c *Core, reply *wire.ServerFrame) {
			vault, err := c.nextVault(s, reply.GetVault())
			if err != nil {
				c.reply(call, nil, err)
				return
			}
			body := &wire.ChangePassphrase{AuthKey: s.auth.Secret(), Salt: s.salt, Argon2: s.argon2(), Vault: vault}
			b, err := body.MarshalVT()
			if err != nil {
				c.fail(failed("encoding a change of passphrase", err))
				return
			}
			c.put(keyChange, b)
			c.sendChange(call, b, func(c *Core) bool {
				if tries > 0 {
					c.askVault(call, s, tries-1)
				}
				return tries > 0
			})
		}})
}

var errNoVaultKey = refuse(Refused, "sign out and in again, with the passphrase of now", "this device does not hold the vault's key").
	run("snug logout, then snug login")

// nextVault puts the vault that the server has under another wrap key, if it is the account's and no older than the one
// that this device has seen; or this device's own copy, to repair it.
func (c *Core) nextVault(s stretched, answer *wire.Vault) ([]byte, error) {
	key, err := ident.VaultKeyFromSecret(c.get(keyVaultKey))
	if err != nil {
		return nil, errNoVaultKey
	}
	seen, err := ident.ParseVault(c.get(keyVault))
	if err != nil {
		return nil, failed("reading the vault", err)
	}
	shown, problem := c.judgeVault(key, seen, answer)
	if problem != "" && !s.repair {
		return nil, refuse(Refused, "the server may be false, damaged, or brought back from an old copy; this device's copy can take its place",
			"%s", problem).run("snug passphrase --repair")
	}
	source, revision := seen, uint32(0) // of a vault that is none
	if shown != nil {
		revision = shown.Revision()
	}
	if problem == "" {
		source = shown
	}
	next, err := source.RewrapAfter(c.cfg.rand, key, s.wrap, revision)
	if err != nil {
		return nil, failed("sealing the vault", err)
	}
	return next.Marshal(), nil
}

// judgeVault says what is wrong with the vault that the server shows; it is nil where it is none at all.
func (c *Core) judgeVault(key ident.VaultKey, seen *ident.Vault, answer *wire.Vault) (shown *ident.Vault, problem string) {
	shown, err := ident.ParseVault(answer.GetVault())
	if err != nil {
		return nil, "the vault that the server shows is none"
	}
	if shown.Revision() < seen.Revision() {
		return shown, "the server shows an old vault"
	}
	opened, err := ident.OpenVaultWithKey(shown, c.mem.account.me.Account, key)
	if err != nil || opened.Identity.Public() != c.mem.account.identity.Public() {
		return shown, "the vault that the server shows does not open with this account's keys"
	}
	return shown, ""
}

// resumeChange says a change again that was begun and not answered.
func (c *Core) resumeChange() {
	if b := c.get(keyChange); b != nil {
		c.sendChange(0, b, nil)
	}
}

// sendChange says a stored change to the server. again, where not nil, begins anew after another device was quicker, and
// reports whether it has.
func (c *Core) sendChange(call uint64, b []byte, again func(*Core) bool) {
	body := new(wire.ChangePassphrase)
	if err := body.UnmarshalVT(b); err != nil {
		c.fail(failed("reading a change of passphrase", err))
		return
	}
	c.ask(request{name: changeName, call: call, needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_ChangePassphrase{ChangePassphrase: body}},
		then: func(c *Core, _ *wire.ServerFrame) {
			if c.endChange(b) {
				c.put(keyVault, body.Vault)
				c.dropAlerts(ofPassphrase) // what another device has set holds no more
				c.emit(PassphraseChanged{})
			}
			c.reply(call, struct{}{}, nil)
		},
		refused: func(c *Core, e *wire.Error) {
			begun := c.endChange(b)
			if e.Code == wire.ErrorCode_ERROR_CODE_CONFLICT && again != nil && again(c) {
				return
			}
			if begun && call == 0 {
				c.emit(PassphraseChanged{Problem: "the passphrase was not changed: " + e.Message})
			}
			c.reply(call, nil, serverError(e))
		}})
}

// endChange forgets a change that was answered. It is false where another process has done so.
func (c *Core) endChange(b []byte) bool {
	if !bytes.Equal(c.get(keyChange), b) {
		return false
	}
	c.delete(keyChange)
	return true
}
