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
	var devices []Device
	for _, d := range c.chain(me.Account).Devices() {
		devices = append(devices, Device{ID: d.ID, Name: d.Name, EnrolledAt: d.Enrolled, Current: d.ID == me.Device})
	}
	return devices
}

// Logout revokes this device and forgets everything that is stored on it. It needs the server: otherwise the device would
// stay enrolled.
func (c *Client) Logout(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) { c.logout(call, maxLoginTries) })
	return err
}

const logoutName = "logout"

func (c *Core) logoutUnderWay() bool { return c.asking(logoutName) }

func (c *Core) logout(call uint64, tries int) {
	me := c.mem.account.me
	chain := c.chain(me.Account).Clone()
	if err := chain.Append(c.mem.account.identity, ident.Revoke{Device: me.Device}, c.now); err != nil {
		c.reply(call, nil, failed("revoking this device", err))
		return
	}
	c.ask(request{name: logoutName, call: call, needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_RevokeDevice{RevokeDevice: &wire.RevokeDevice{Chain: chain.Marshal()}}},
		then: func(c *Core, _ *wire.ServerFrame) {
			c.reply(call, struct{}{}, nil)
			c.signOut("signed out on this device")
		},
		refused: func(c *Core, e *wire.Error) {
			if e.Code != wire.ErrorCode_ERROR_CODE_CONFLICT || tries == 0 {
				c.reply(call, nil, serverError(e))
				return
			}
			// Another device has written to the chain.
			c.fetchChains(chainsName, []ident.AccountID{me.Account}, func(c *Core) { c.logout(call, tries-1) })
		}})
}
