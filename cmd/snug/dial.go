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
	accepted, certs := addPeers(set), addCertified(set, false)
	return func(ctx context.Context, c *call) error { return dial(ctx, c, accepted, certs) }
}

// dial connects to the peer. Not a byte of stdin is read before both sides have accepted each other.
func dial(ctx context.Context, c *call, accepted *peers, certs *certified) error {
	live, end, err := c.socketTrust(ctx, accepted, certs)
	if err != nil {
		return err
	}
	defer end()
	if host, _, err := net.SplitHostPort(c.args[0]); err != nil || host == "" {
		return usageErrorf("snug "+c.verb.example, "%q is no address to dial: HOST:PORT", c.args[0])
	}
	dialing, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := mtls.Dial(dialing, "tcp", c.args[0], &mtls.ClientOptions{Live: live})
	if err != nil {
		if refused := c.refusedPeer(err); refused != nil {
			if c.json {
				c.tell(socketEvent{Event: "refused", Addr: c.args[0], Reason: refused.Error()}, "")
			}
			return refused
		}
		return &client.Error{Code: client.Unreachable, Message: "reaching " + c.args[0] + ": " + err.Error(),
			Hint: "is `snug listen` running there, and does the way lead there?"}
	}
	c.connected(conn)
	return c.joinStreams(ctx, conn)
}
