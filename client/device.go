package client

import (
	"context"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Device is one enrolled device of this account, as its chain says.
type Device struct {
	ID         ident.DeviceID
	Name       string
	EnrolledAt time.Time
	// Current is this device.
	Current bool
	// New says that an Alert of its coming was not dismissed on this device.
	New bool
}

// Devices lists the enrolled devices of this account, by age. It waits for the server's answer, unless that cannot be
// reached.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	return call[[]Device](ctx, c, func(c *Core, call uint64) {
		c.await(call, func(c *Core) (bool, any, error) {
			if !c.settled() {
				return false, nil, nil
			}
			return true, c.devices(), nil
		})
	})
}

func (c *Core) devices() []Device {
	me := c.mem.account.me
	c.reviewChain()
	var devices []Device
	for _, d := range c.chain(me.Account).Devices() {
		devices = append(devices, Device{ID: d.ID, Name: d.Name, EnrolledAt: d.Enrolled, Current: d.ID == me.Device, New: c.newDevice(d.ID)})
	}
	return devices
}

// RenameDevice calls a device of this account otherwise. Everybody who shares a room sees the name.
func (c *Client) RenameDevice(ctx context.Context, device ident.DeviceID, name string) error {
	if err := ident.CheckDeviceName(name); err != nil {
		return refuse(Usage, "1 to 64 bytes, without control characters", "the device's name: %v", err)
	}
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) { c.renameDevice(call, device, name) })
	return err
}

func (c *Core) renameDevice(call uint64, device ident.DeviceID, name string) {
	c.extendChain(chainChange{
		call: call, statement: ident.Rename{Device: device, Name: name},
		frame: func(chain []byte) *wire.ClientFrame {
			return &wire.ClientFrame{Body: &wire.ClientFrame_RenameDevice{RenameDevice: &wire.RenameDevice{Chain: chain}}}
		},
		done: func(c *Core) { c.renamed(device, name) },
	}, maxLoginTries)
}

// renamed keeps what this device calls itself.
func (c *Core) renamed(device ident.DeviceID, name string) {
	if me := &c.mem.account.me; me.Device == device && me.DeviceName != name {
		me.DeviceName = name
		c.put(keyAccount, c.mem.account.encode())
	}
}

// RevokeDevice ends another device of this account, for ever: the server closes its connections, and the next commit of
// every room takes it out. It keeps what it has read. For this device there is Logout.
func (c *Client) RevokeDevice(ctx context.Context, device ident.DeviceID) error {
	if me, ok := c.Me(); ok && me.Device == device {
		return refuse(Usage, "sign out instead", "this is the device that you are using").run("snug logout")
	}
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		c.extendChain(chainChange{call: call, statement: ident.Revoke{Device: device}, frame: revokeFrame, done: func(*Core) {}}, maxLoginTries)
	})
	return err
}

func revokeFrame(chain []byte) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{Chain: chain}}}
}

// Logout revokes this device and forgets everything that is stored on it. It needs the server: otherwise the device would
// stay enrolled. Where that is gone for good there is Forget.
func (c *Client) Logout(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) { c.logout(call, maxLoginTries) })
	if e, ok := err.(*Error); ok && e.Code == Unreachable {
		return &Error{Code: Unreachable, Message: e.Message, Hint: e.Hint + ", or leave without the server", Command: "snug logout --forget", cause: e.cause}
	}
	return err
}

// Forget forgets everything that is stored on this device without asking the server. The device stays enrolled, with a key
// that nobody has any more, until another device of the account revokes it.
func (c *Client) Forget(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		c.reply(call, struct{}{}, nil)
		c.signOut("everything was forgotten on this device")
	})
	return err
}

const logoutName = "logout"

func (c *Core) logoutUnderWay() bool { return c.asking(logoutName) }

func (c *Core) logout(call uint64, tries int) {
	c.extendChain(chainChange{
		name: logoutName, call: call, statement: ident.Revoke{Device: c.mem.account.me.Device}, frame: revokeFrame,
		done: func(c *Core) { c.signOut("signed out on this device") },
	}, tries)
}

// chainChange is a statement that this device adds to its account's chain.
type chainChange struct {
	name      string // of the request; may be empty
	call      uint64
	statement ident.Statement
	frame     func(chain []byte) *wire.ClientFrame
	// done is called when the server has the statement. The call is answered by then.
	done func(c *Core)
}

// extendChain signs a statement and has the server store it. Where another device was quicker it begins anew with the
// chain as it is then.
func (c *Core) extendChain(change chainChange, tries int) {
	account := c.mem.account.me.Account
	chain := c.chain(account).Clone()
	if err := chain.Append(c.mem.account.identity, change.statement, c.now); err != nil {
		c.reply(change.call, nil, statementError(chain, change.statement, err))
		return
	}
	if revoke, ok := change.statement.(ident.Revoke); ok {
		c.doesItself(revoke.Device)
	}
	c.ask(request{name: change.name, call: change.call, needs: ready, sticky: true, frame: change.frame(chain.Marshal()),
		then: func(c *Core, _ *wire.ServerFrame) {
			c.reply(change.call, struct{}{}, nil)
			change.done(c)
			// The server's own word of it may have come before, or that of a device which was quicker still.
			if c.mem.account != nil && c.chain(account).Extends(chain) != nil {
				c.receivedChain(account[:], chain.Marshal(), chain.Len())
			}
		},
		refused: func(c *Core, e *wire.Error) {
			if e.Code != wire.ErrorCode_ERROR_CODE_CONFLICT || tries == 0 {
				c.reply(change.call, nil, serverError(e))
				return
			}
			// Another device has written to the chain, perhaps after this statement, whose answer was lost.
			c.fetchChains("", []ident.AccountID{account}, func(c *Core) {
				revoke, ok := change.statement.(ident.Revoke)
				switch {
				case ok && (c.mem.account == nil || c.revokedNow(leaf{account: account, device: revoke.Device})):
					c.reply(change.call, struct{}{}, nil)
				case c.mem.account == nil:
					c.reply(change.call, nil, errSignedOut)
				default:
					c.extendChain(change, tries-1)
				}
			})
		}})
}

// statementError says why a statement does not fit the chain.
func statementError(chain *ident.Chain, s ident.Statement, err error) error {
	var device ident.DeviceID
	switch s := s.(type) {
	case ident.Rename:
		device = s.Device
	case ident.Revoke:
		device = s.Device
	}
	const hint = "look at the list of your devices"
	if d, ok := chain.EverEnrolled(device); !ok {
		return refuse(NotFound, hint, "this account has no such device").run("snug devices")
	} else if d.Revoked {
		return refuse(Refused, hint, "that device is revoked already").run("snug devices")
	}
	return failed("adding to the account's chain", err)
}
