package client

import "context"

// Reconnect has the next attempt to connect begin now instead of after the delay that is running: somebody is waiting,
// or the machine has a network again. Where there is a connection, or an attempt under way, it does nothing.
func (c *Client) Reconnect(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		if k := &c.vol.connection; k.phase == offline {
			k.retryAt = c.now
		}
		c.reply(call, struct{}{}, nil)
	})
	return err
}
