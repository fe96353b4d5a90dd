package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strings"
	"sync"

	"snug/mtls"
)

// maxCommands bounds the commands that run at once; who comes then waits. A shell and its pipes take a few MiB.
const maxCommands = 64

// A listening is what the flags of listen ask for.
type listening struct {
	accepted *peers
	certs    *certified
	// exec is the shell's line to join each peer with; empty for stdin and stdout.
	exec string
	// keep goes on after the first peer.
	keep bool
}

func listenFlags(set *flag.FlagSet) action {
	addHome(set)
	l := listening{accepted: addPeers(set), certs: addCertified(set, true)}
	set.StringVar(&l.exec, "exec", "", "join the peer with this `COMMAND` of the shell; it finds the peer's key in SNUG_PEER")
	set.BoolVar(&l.keep, "keep", false, "with --exec: go on listening, and run the command for each peer that comes")
	return l.run
}

// run waits for the one peer. Others are refused and the waiting goes on: whoever finds the port must not be able to
// end it.
func (l *listening) run(ctx context.Context, c *call) error {
	live, end, err := c.socketTrust(ctx, l.accepted, l.certs)
	if err != nil {
		return err
	}
	defer end()
	if _, _, err := net.SplitHostPort(c.args[0]); err != nil {
		return usageErrorf("snug "+c.verb.example, "%q is no address to listen on: HOST:PORT or :PORT", c.args[0])
	}
	if l.keep && l.exec == "" {
		return usageErrorf("snug listen :9000 --peer FINGERPRINT --keep --exec COMMAND", "--keep needs --exec: stdin and stdout are there once")
	}
	listener, err := mtls.Listen(ctx, "tcp", c.args[0], &mtls.ListenerOptions{Live: live, Refused: c.refused})
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer listener.Close()
	ended := context.AfterFunc(ctx, func() { listener.Close() })
	defer ended()
	c.tell(socketEvent{Event: "listening", Addr: listener.Addr().String()}, "listening on %s; this is %s", listener.Addr(), live.Identity().Fingerprint())
	if l.keep {
		return l.serve(ctx, c, listener)
	}
	conn, err := listener.AcceptConn()
	if err != nil {
		if ctx.Err() != nil {
			return nil // nobody came before it was stopped
		}
		return err
	}
	listener.Close()
	return l.join(ctx, c, conn)
}

// serve runs the command for each peer that comes, until it is stopped, which is no failure.
func (l *listening) serve(ctx context.Context, c *call, listener *mtls.Listener) error {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, maxCommands)
	for {
		slots <- struct{}{}
		conn, err := listener.AcceptConn()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		running.Go(func() {
			defer func() { <-slots }()
			if err := l.join(ctx, c, conn); err != nil {
				peer := conn.Peer().Fingerprint.String()
				c.tell(socketEvent{Event: "failed", Peer: peer, Reason: err.Error()}, "%s: %v", peer, err)
			}
		})
	}
}

// join joins an accepted peer with what the flags say.
func (l *listening) join(ctx context.Context, c *call, conn *mtls.Conn) error {
	c.connected(conn)
	if l.exec != "" {
		return c.joinCommand(ctx, l.exec, conn)
	}
	return c.joinStreams(ctx, conn)
}

// refused tells of somebody who is not the peer.
func (c *call) refused(remote net.Addr, err error) {
	reason := strings.TrimPrefix(err.Error(), "mtls: handshake: ")
	c.tell(socketEvent{Event: "refused", Addr: remote.String(), Reason: reason}, "refused %s: %s", remote, safe(reason))
}

// connected tells who the peer is.
func (c *call) connected(conn *mtls.Conn) {
	peer := conn.Peer().Fingerprint
	event := socketEvent{Event: "connected", Addr: conn.RemoteAddr().String(), Peer: peer.String(), Name: c.nameOf(peer)}
	who := event.Peer
	if event.Name != "" {
		who = event.Name
	}
	c.tell(event, "connected with %s at %s", who, event.Addr)
}
