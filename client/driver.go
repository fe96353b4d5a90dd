package client

import "context"

// Run drives the core until ctx ends, and returns when all that it started has ended. It is called once.
func (c *Client) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (c *Client) load(ctx context.Context) error { return nil }
