package main

import (
	"context"
	"flag"
	"net"

	"snug/client"
	"snug/mtls"
)

func dialFlags(set *flag.FlagSet) action {
	homeFlags(set)
	flags := addSocketFlags(set, false)
	return func(ctx context.Context, c *call) error { return dial(ctx, c, flags) }
}

// dial connects to the peer. Not a byte of stdin is read before both sides have accepted each other.
func dial(ctx context.Context, c *call, flags *socketFlags) error {
	if host, _, err := net.SplitHostPort(c.args[0]); err != nil || host == "" {
		return usageErrorf("snug "+c.verb.example, "%q is no address to dial: HOST:PORT", c.args[0])
	}
	a, err := c.admission(ctx, flags, false, nil)
	if err != nil {
		return err
	}
	defer a.end()
	conn, err := a.dial(ctx, c)
	if err != nil {
		if ctx.Err() != nil {
			return &cutError{errInterrupted}
		}
		if refused := c.refusedPeer(err); refused != nil {
			if c.json {
				c.tell(socketEvent{Event: "refused", Addr: c.args[0], Reason: refused.Error()}, "")
			}
			return refused
		}
		hint := "is `snug listen` running there, and does the way lead there?"
		if noPort(err) {
			hint = hintOfPort
		}
		return &client.Error{Code: client.Unreachable, Message: "reaching " + c.args[0] + ": " + reasonOf(err), Hint: hint}
	}
	if _, err := c.connected(a, conn, true); err != nil {
		return err
	}
	return c.failed(conn, c.joinStreams(ctx, conn, false))
}

// dial connects in the time of --timeout, or that of a person who is asked.
func (a *admission) dial(ctx context.Context, c *call) (*mtls.Conn, error) {
	timeout := max(c.timeout, a.patience)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return mtls.Dial(ctx, "tcp", c.args[0], &mtls.ClientOptions{
		Live: a.live, Identity: a.identity, Protocols: []string{a.protocol}, Patience: timeout, DecideUnverified: a.decide,
	})
}
