package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strings"

	"snug/mtls"
)

func listenFlags(set *flag.FlagSet) action {
	addHome(set)
	accepted := addPeers(set)
	return func(ctx context.Context, c *call) error { return listen(ctx, c, accepted) }
}

// listen waits for the one peer. Others are refused and the waiting goes on: whoever finds the port must not be able to
// end it.
func listen(ctx context.Context, c *call, accepted *peers) error {
	trust, err := accepted.trust(c)
	if err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(c.args[0]); err != nil {
		return usageErrorf("snug "+c.verb.example, "%q is no address to listen on: HOST:PORT or :PORT", c.args[0])
	}
	identity, err := c.socketIdentity()
	if err != nil {
		return err
	}
	listener, err := mtls.Listen(ctx, "tcp", c.args[0], &mtls.ListenerOptions{Identity: identity, Trust: trust, Refused: func(remote net.Addr, err error) {
		reason := strings.TrimPrefix(err.Error(), "mtls: handshake: ")
		c.tell(socketEvent{Event: "refused", Addr: remote.String(), Reason: reason}, "refused %s: %s", remote, reason)
	}})
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer listener.Close()
	ended := context.AfterFunc(ctx, func() { listener.Close() })
	defer ended()
	c.tell(socketEvent{Event: "listening", Addr: listener.Addr().String()}, "listening on %s; this is %s", listener.Addr(), identity.Fingerprint())
	conn, err := listener.AcceptConn()
	if err != nil {
		if ctx.Err() != nil {
			return nil // nobody came before it was stopped
		}
		return err
	}
	listener.Close()
	c.connected(conn)
	return c.join(ctx, conn)
}

// connected tells who the peer is.
func (c *call) connected(conn *mtls.Conn) {
	peer := conn.Peer().Fingerprint.String()
	c.tell(socketEvent{Event: "connected", Addr: conn.RemoteAddr().String(), Peer: peer}, "connected with %s at %s", peer, conn.RemoteAddr())
}
